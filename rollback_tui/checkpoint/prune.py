"""What earlier runs and checkpoints left, and which of it may be removed.

Never removed: a database without our mark, one that was renamed since, or one that is in use; what
a run needs that has no outcome yet, or needs the operator; a dump that may still be being made;
what :mod:`rollback_tui.checkpoint.retention` keeps.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psycopg
from psycopg import sql

from rollback_tui.checkpoint.listing import ListedCheckpoint, list_checkpoints
from rollback_tui.checkpoint.retention import Rule, fates
from rollback_tui.checkpoint.storage import PARTIAL, sync
from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.facts import Leftover
from rollback_tui.core.model import Value
from rollback_tui.core.text import printable
from rollback_tui.postgres import target_lock
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.leftovers import leftovers
from rollback_tui.postgres.naming import read_name

_IN_NEED = "its run needs the operator, and this may be the way back; drop it by hand if it is not"


class Removable(Value, frozen=True, kw_only=True):
    """One database or directory, and whether it may be removed."""

    kind: Literal["database", "directory"]
    name: str
    """Of the database; the path of the directory."""
    what: str
    """``clone``, ``failed``, ``restored``, ``rehearsal``, ``half made``, ``closed``,
    ``placeholder``, ``unfinished dump``, ``dump``."""
    run: str = ""
    """First eight characters of the run's id, where there is one."""
    bytes: int | None = None
    kept_because: str = ""
    """Why it is not removed; empty: it may be."""
    why: str = ""
    """Why a complete dump is no longer kept."""


def databases(
    maintenance: Connection,
    database: str,
    *,
    busy: str,
    unfinished: Collection[str],
    in_need: Collection[str] = (),
) -> tuple[Removable, ...]:
    """Return what runs of ``database`` left on the server. Raises psycopg.Error.

    ``busy``: why none of them may be removed now, or empty; ``unfinished``: first eight
    characters of runs without an outcome, ``in_need`` of those that need the operator.
    """
    return tuple(
        Removable(
            kind="database",
            name=one.database,
            what=one.kind,
            run=one.run,
            bytes=one.bytes,
            kept_because=busy
            or _why_kept(maintenance, database, one, unfinished)
            or (_IN_NEED if one.run in in_need else ""),
        )
        for one in leftovers(maintenance, database)
    )


def _why_kept(
    maintenance: Connection, database: str, one: Leftover, unfinished: Collection[str]
) -> str:
    if one.kind in ("closed", "placeholder") or one.run in unfinished:
        return f"its run has no outcome yet: rollback-tui settle {one.run}"
    if not one.marked:
        return "its comment does not say that a run made it; drop it by hand if you know it"
    if read_name(one.database, database) is None:
        # A comment stays with a database: somebody may have put the copy in the target's place.
        return "it was given another name since a run made it; drop it by hand if nobody needs it"
    if one.kind == "rehearsal" and not target_lock.take(maintenance, one.database):
        return "a rehearsal is using it"
    row = maintenance.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usesysid IS NOT NULL",
        [one.database],
    ).fetchone()
    inside = int(row[0]) if row else 0
    return f"in use by {inside} session{'s' if inside > 1 else ''}" if inside else ""


def directories(
    directory: Path,
    *,
    partial_seconds: float,
    rule: Rule,
    needed: Mapping[str, str] | None = None,
    moment: datetime,
) -> tuple[Removable, ...]:
    """Return the half-made dumps, and the whole ones that the ``rule`` alone would not keep;
    ``needed`` as :func:`~rollback_tui.checkpoint.retention.fates` has it.

    A dump in which something changed less than ``partial_seconds`` ago (the dump's own deadline)
    may still be being made. Raises CheckpointError.
    """
    listed = list_checkpoints(directory, clock=lambda: moment)
    found = []
    for one in listed:
        if one.state == "partial":
            quiet = (moment - _last_change(Path(one.path))).total_seconds()
            young = quiet < partial_seconds
            found.append(_directory(one, "it may still be being made" if young else ""))
    return (*found, *(dumps(listed, rule, needed) if rule.any else ()))


def dumps(
    listed: Sequence[ListedCheckpoint], rule: Rule, needed: Mapping[str, str] | None = None
) -> tuple[Removable, ...]:
    """Return the complete dumps that the rule alone would not keep, newest first."""
    judged = fates(listed, rule, needed)
    return tuple(
        _directory(one, "" if fate.goes else fate.why, why=fate.why if fate.goes else "")
        for one in listed
        if (fate := judged.get(one.path)) is not None and not fate.ordinary
    )


def _directory(one: ListedCheckpoint, kept_because: str, *, why: str = "") -> Removable:
    return Removable(
        kind="directory",
        name=one.path,
        what="unfinished dump" if one.state == "partial" else "dump",
        bytes=one.bytes,
        kept_because=kept_because,
        why=why,
    )


def _last_change(path: Path) -> datetime:
    newest = 0.0
    for place in (path, *path.rglob("*")):
        with contextlib.suppress(OSError):
            newest = max(newest, place.lstat().st_mtime)
    return datetime.fromtimestamp(newest, UTC)


def remove(maintenance: Connection, item: Removable) -> None:
    """Drop the database or delete the directory. Raises CheckpointError when it stays.

    Without FORCE: whoever has come in since is not ended, the server refuses to drop it.
    """
    if item.kept_because:
        raise CheckpointError(f"{printable(item.name)} is kept: {item.kept_because}", "")
    try:
        if item.kind == "database":
            maintenance.execute(
                sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(item.name))
            )
        else:
            delete(Path(item.name))
    except (psycopg.Error, OSError) as error:
        raise CheckpointError(
            f"{printable(item.name)} is still there: {printable(' '.join(str(error).split()))}",
            "Remove it by hand, as its owner.",
        ) from None


def delete(path: Path) -> None:
    """Delete a directory of checkpoints, its name first: half of one must never look whole.
    Raises OSError."""
    if not path.name.startswith(PARTIAL):
        doomed = path.with_name(PARTIAL + path.name)
        path.rename(doomed)
        sync(path.parent)
        path = doomed
    shutil.rmtree(path)


def total(items: Sequence[Removable]) -> int:
    """Return the bytes of those that may be removed, as far as they are known."""
    return sum(item.bytes or 0 for item in items if not item.kept_because)
