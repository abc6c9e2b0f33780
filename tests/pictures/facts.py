"""What the screens were shown at one moment of a real run, as a file that people can read.

A *drive* is one walk through the demo. Its file holds each journal once, and of each moment only
what changed since the one before: small, and a new recording differs where the facts do. The view
of a run is not kept at all: like everywhere, it is the fold over its records.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from rollback_tui.core import (
    claim,
    follow_ups,
    logs,
    model,
    notices,
    outlook,
    proof,
    recovery,
    rehearsal,
    run_view,
)
from rollback_tui.core.events import Record
from rollback_tui.core.monitoring import values as monitoring
from rollback_tui.core.run_view import fold
from rollback_tui.frameworks import captured
from rollback_tui.ui import after, aftercare, log_lines
from rollback_tui.ui import walk as walking
from rollback_tui.ui.log_lines import Shown
from rollback_tui.ui.walk import Walk

_SCREENS = (walking, log_lines, after, aftercare)
_VALUES = (model, claim, logs, outlook, proof, recovery, rehearsal, run_view, captured)
_AFTER = (monitoring, notices, follow_ups, aftercare, after)
for _known in (*_VALUES, *_AFTER):
    # The screens' own modules know these names only while types are checked, so that the first
    # screen comes up sooner; to read a walk from a file, they must be there.
    for _name, _value in vars(_known).items():
        if isinstance(_value, type) or _name in ("ClaimState", "Source"):
            for _module in _SCREENS:
                vars(_module).setdefault(_name, _value)

DIRECTORY = Path(__file__).parent / "recorded"
T = TypeVar("T")


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a screen may show, and what time it was."""

    walk: Walk
    """Without its view."""
    steady: float
    """Monotonic seconds, which the walk's clocks are counted with."""
    utc: datetime
    local: datetime
    seen: int = 0
    """So many records of the walk's run were read."""
    sql: tuple[str, ...] = ()
    """What the terminal sent."""
    by_hand: str = ""
    """The guide of the run."""
    log_files: tuple[str, ...] | None = None
    log_lines: tuple[Shown, ...] = ()
    records: tuple[Record, ...] = ()
    """The first ``seen`` of the run's; not kept with the moment."""

    def whole(self) -> Walk:
        """Return the walk with its view."""
        return msgspec.structs.replace(self.walk, view=fold(self.records) if self.records else None)


class Drive(msgspec.Struct, frozen=True, kw_only=True):
    """One walk through the demo."""

    journals: dict[str, tuple[Record, ...]]
    """Each run's records, by its folder."""
    moments: dict[str, Moment]


_APART = ("view", "records")
"""What is put together again when the file is read."""


def plain(value: object) -> Any:
    """Return ``value`` as JSON has it; the same value is always the same text."""
    return msgspec.to_builtins(value, enc_hook=_path_as_text, order="deterministic")


def save(drive: Drive, path: Path) -> None:
    """Write ``drive``."""
    moments: dict[str, dict[str, Any]] = {}
    before: dict[str, Any] = {}
    for name, moment in drive.moments.items():
        flat = _flat(moment)
        moments[name] = {k: v for k, v in flat.items() if k not in before or before[k] != v}
        before = flat
    kept = {"journals": plain(drive.journals), "moments": moments}
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")


def load(path: Path) -> Drive:
    """Read a drive. Raises msgspec.ValidationError when it was recorded before the values changed:
    record again."""
    kept = msgspec.json.decode(path.read_bytes())
    journals = _read(kept["journals"], dict[str, tuple[Record, ...]])
    moments: dict[str, Moment] = {}
    whole: dict[str, Any] = {}
    for name, changed in kept["moments"].items():
        whole |= changed
        walk = {k.removeprefix("walk."): v for k, v in whole.items() if k.startswith("walk.")}
        rest = {k: v for k, v in whole.items() if not k.startswith("walk.")}
        moment = _read({**rest, "walk": walk}, Moment)
        records = journals.get(str(moment.walk.folder), ())[: moment.seen]
        moments[name] = msgspec.structs.replace(moment, records=records)
    return Drive(journals=journals, moments=moments)


def _flat(moment: Moment) -> dict[str, Any]:
    rest = {k: v for k, v in plain(moment).items() if k not in ("walk", *_APART)}
    walk = {f"walk.{k}": v for k, v in plain(moment.walk).items() if k not in _APART}
    return rest | walk


def _read(value: Any, kind: type[T]) -> T:
    return msgspec.convert(value, type=kind, dec_hook=_text_as_path)


def _path_as_text(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value)} cannot be kept")


def _text_as_path(kind: type[Any], value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"{kind} cannot be read")
