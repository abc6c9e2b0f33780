"""The baseline: the schema that a version is supposed to have.

*Recorded*: kept when that version was current. *Replayed*: all up scripts up to that version, run
on an empty database; it is valid as long as those scripts are the same. A recorded one comes first:
it is what really was there.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from rollback_tui.checkpoint.storage import make_directory, write_whole
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.model import Plan, Value
from rollback_tui.core.schema import FORMAT, SchemaSnapshot, carried_over
from rollback_tui.core.schema_verdict import NO_BASELINE, Origin
from rollback_tui.core.text import inert_json, printable
from rollback_tui.survey.ups import Ups, known_ups

Kept = Literal["recorded", "replayed"]
"""Where a kept baseline comes from."""

_REPLAYED = "replayed"
_AGAIN = "Record it again with `rollback-tui baseline record`."


class Baseline(Value, frozen=True, kw_only=True):
    """The schema of one version."""

    version: str
    """The newest applied version; empty: none is applied."""
    server_version: int
    """``server_version_num`` of the server it was read on."""
    snapshot: SchemaSnapshot
    origin: Kept = "recorded"
    recorded_at: datetime | None = None
    """When it was read (UTC); None: not known."""
    made_from: str = ""
    """SHA-256 of the up scripts, of a replayed one (:meth:`rollback_tui.survey.ups.Ups.made_from`);
    empty for a recorded one."""


class Baselines(Value, frozen=True, kw_only=True):
    """What a plan is judged by."""

    goal: SchemaSnapshot | None
    """The schema that should be there afterwards."""
    current: SchemaSnapshot | None
    """The schema that should be there before; None: what had drifted is not known."""
    origin: Origin
    """Of ``goal``."""
    why: str = ""
    """Why there is no ``goal``."""
    recorded_at: datetime | None = None
    """When ``goal`` was read (UTC); None: not known."""


def path_of(directory: Path, version: str, origin: Kept = "recorded") -> Path:
    """Return where the baseline of ``version`` is kept; any version makes a safe file name."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", version) or "empty"
    return (directory / _REPLAYED if origin == "replayed" else directory) / f"{safe}.json"


def save(directory: Path, baseline: Baseline) -> Path:
    """Keep a baseline; an older one of the same version and origin is replaced. Raises
    ConfigurationError."""
    path = path_of(directory, baseline.version, baseline.origin)
    try:
        make_directory(path.parent)
        written = msgspec.json.format(msgspec.json.encode(baseline), indent=1)
        write_whole(path, inert_json(written))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}",
            "Set [verify] baseline_directory to a directory you may write to.",
        ) from None
    return path


def load(directory: Path, version: str, origin: Kept = "recorded") -> Baseline | None:
    """Return the baseline of ``version``; None when there is none.

    Raises ConfigurationError when there is one that cannot be used: that is not the same.
    """
    path = path_of(directory, version, origin)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(
            f"the baseline {path} cannot be read: {error.strerror}", f"Remove it. {_AGAIN}"
        ) from None
    baseline = _decoded(path, data)
    if baseline.snapshot.format != FORMAT:
        raise ConfigurationError(
            f"the baseline {path} was written by another version of this tool, in another form"
            f" ({baseline.snapshot.format}, now {FORMAT})",
            _AGAIN,
        )
    if baseline.version != version:
        raise ConfigurationError(
            f"{path} is the baseline of version {baseline.version}, not of {version}", _AGAIN
        )
    return baseline


def _decoded(path: Path, data: bytes) -> Baseline:
    try:
        return msgspec.json.decode(data, type=Baseline)
    except msgspec.MsgspecError as error:
        raise ConfigurationError(
            f"the baseline {path} cannot be read: {error}", f"Remove it. {_AGAIN}"
        ) from None


def every(directory: Path) -> tuple[Baseline, ...]:
    """Return all that are kept, oldest version first as text; recorded before replayed. Raises
    ConfigurationError for one that cannot be read."""
    found: list[Baseline] = []
    for folder in (directory, directory / _REPLAYED):
        for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
            try:
                found.append(_decoded(path, path.read_bytes()))
            except OSError as error:
                raise ConfigurationError(
                    f"the baseline {path} cannot be read: {error.strerror}", f"Remove it. {_AGAIN}"
                ) from None
    return tuple(sorted(found, key=lambda one: (one.version, one.origin)))


def unusable(baseline: Baseline, server_version: int) -> str:
    """Return why a schema of a server of ``server_version`` is not compared with ``baseline``;
    empty: it can be. Another major version writes the same definitions otherwise."""
    if baseline.server_version // 10000 != server_version // 10000:
        return (
            f"the baseline of {printable(baseline.version) or 'the empty history'} was"
            f" {baseline.origin} on PostgreSQL {baseline.server_version // 10000}"
        )
    return ""


def find(
    directory: Path, version: str, *, server_version: int, made_from: str = ""
) -> tuple[Baseline | None, str]:
    """Return the baseline of ``version`` for a server of ``server_version``, and why there is none.

    A recorded one first; else a replayed one whose up scripts are still those of ``made_from``
    (empty: they are not known, and none is valid). Raises ConfigurationError when a recorded one is
    there and cannot be read.
    """
    recorded = load(directory, version)
    why = unusable(recorded, server_version) if recorded else ""
    if recorded is not None and not why:
        return recorded, ""
    replayed = still_valid(directory, version, server_version=server_version, made_from=made_from)
    if replayed is not None:
        return replayed, ""
    return None, f"{why}: record it again" if why else NO_BASELINE


def still_valid(
    directory: Path, version: str, *, server_version: int, made_from: str
) -> Baseline | None:
    """Return the replayed baseline of ``version`` when it can be used; what cannot be read is as
    good as none: it is made again."""
    try:
        found = load(directory, version, "replayed")
    except ConfigurationError:
        return None
    if found is None or not made_from or found.made_from != made_from:
        return None
    return None if unusable(found, server_version) else found


def for_plan(directory: Path, plan: Plan, server_version: int, ups: Ups | None = None) -> Baselines:
    """Return the baselines that the result of ``plan`` is judged by, of what is kept.

    Where the goal was recorded and the current version was not, what the up scripts in between
    change is taken from a replay of both and laid over the recorded one. Raises ConfigurationError.
    """
    if plan.version_stays:
        # No version says what schema should be there: an empty history's is not it.
        why = f"no version says what schema should be there: {plan.version_stays}"
        return Baselines(goal=None, current=None, origin="none", why=why)
    ups = known_ups(plan) if ups is None else ups
    version = plan.goal or ""
    goal, why = find(
        directory, version, server_version=server_version, made_from=ups.made_from(version)
    )
    if goal is None:
        return Baselines(goal=None, current=None, origin="none", why=why)
    current = _current(directory, plan, server_version, ups, goal)
    return Baselines(
        goal=goal.snapshot, current=current, origin=goal.origin, recorded_at=goal.recorded_at
    )


def _current(
    directory: Path, plan: Plan, server_version: int, ups: Ups, goal: Baseline
) -> SchemaSnapshot | None:
    """Return the schema that should be there now, in the terms of ``goal``; None: not known."""
    version = plan.current or ""

    def replayed(version: str) -> SchemaSnapshot | None:
        made_from = ups.made_from(version)
        found = still_valid(directory, version, server_version=server_version, made_from=made_from)
        return found.snapshot if found else None

    if goal.origin == "replayed":
        return replayed(version)
    try:
        recorded = load(directory, version)
    except ConfigurationError:
        recorded = None  # the goal's is what decides; without this one nothing is excused
    if recorded is not None and not unusable(recorded, server_version):
        return recorded.snapshot
    below, above = replayed(goal.version), replayed(version)
    if below is None or above is None:
        return None
    return carried_over(goal.snapshot, below, above)
