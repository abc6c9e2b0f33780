"""Whether a process looks after a run, whether one should, and what others ask of it.

That one does is a lock on ``attendant.lock`` in the run's folder: it ends with the process that
holds it, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from rollback_tui.aftercare.attendant import lines
from rollback_tui.aftercare.ledger import Ledger
from rollback_tui.checkpoint.storage import write_whole
from rollback_tui.core import notices
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.value import Value
from rollback_tui.run import folder as run_folder
from rollback_tui.run import journal

LOCK = "attendant.lock"
STOP = "attendant.stop"

_NEWEST = 20
"""Folders that a start looks at: whoever makes more runs than these in a day has other cares."""


class StopAsked(Value, frozen=True, kw_only=True):
    """Somebody wants the monitoring to end early: the content of ``attendant.stop``."""

    at: datetime
    by: str
    reason: str


@contextlib.contextmanager
def taken(folder: Path) -> Iterator[bool]:
    """Hold the lock of the attendant; False where another process has it. Raises OSError."""
    file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if not journal.lock(file):
            yield False
            return
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        yield True
    finally:
        os.close(file)


def is_attended(folder: Path) -> bool:
    """Whether a process looks after the run in ``folder`` now."""
    return holder(folder) is not None


def holder(folder: Path) -> int | None:
    """Return the id of that process; 0 where it cannot be read. None: there is none."""
    try:
        file = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError:
        # Not readable for us: nobody may call that dead, and start a second one.
        return 0
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            return int(os.pread(file, 20, 0))
        return 0
    finally:
        os.close(file)
    return None


def wait_until_unattended(folder: Path) -> None:
    """Return when no process looks after the run any more."""
    with contextlib.suppress(OSError):
        file = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(file, fcntl.LOCK_SH)
        finally:
            os.close(file)


def attendance(folder: Path) -> lines.Attendance:
    """Return who looked after the run, and what of that is done. Raises LedgerDamaged."""
    return lines.fold(ledger(folder).read())


def ledger(folder: Path) -> Ledger[lines.Line]:
    """Return the file of who looked after the run."""
    # mypy takes a union for no type of its own.
    return Ledger(folder / lines.FILE_NAME, lines.Line)  # type: ignore[arg-type]


def expected(folder: Path, now: datetime) -> bool:
    """Whether a process should look after the run: one did, and was ended before all was done, or
    gave up something that its time is not over for. Raises LedgerDamaged."""
    found = attendance(folder)
    if found.took is None:
        return False
    return found.over is None or (now < found.took.until and _anything_left(folder, found.over))


def _anything_left(folder: Path, over: lines.Over) -> bool:
    """Whether something never arrived. Raises LedgerDamaged."""
    if over.report_left:
        from rollback_tui.aftercare.incident_files import deliveries

        if not any(one.ok for one in deliveries(folder)):
            return True
    told: Ledger[notices.Line] = Ledger(
        folder / notices.FILE_NAME,
        notices.Line,  # type: ignore[arg-type]
    )
    return bool(notices.fold(told.read()).pending)


def unfinished(directory: Path) -> tuple[Path, ...]:
    """Return the folders, of the newest runs, that somebody should look after and nobody does, and
    those with something that never arrived. No journal is read; what is damaged is passed over."""
    found = []
    for folder in run_folder.folders(directory)[:_NEWEST]:
        with contextlib.suppress(RollbackTuiError, OSError):
            known = attendance(folder)
            if known.took is None:
                continue
            wanted = known.over is None or _anything_left(folder, known.over)
            if wanted and not is_attended(folder):
                found.append(folder)
    return tuple(found)


def ask_to_stop(folder: Path, by: str, reason: str) -> None:
    """Have the monitoring of the run end early; what is queued is still sent. Obeyed within a
    second, or by the next process that looks after it. Raises OSError."""
    asked = StopAsked(at=datetime.now(UTC), by=by, reason=reason)
    write_whole(folder / STOP, msgspec.json.encode(asked))


def stop_asked(folder: Path) -> StopAsked | None:
    """Return who asked for that; None: nobody did."""
    try:
        return msgspec.json.decode((folder / STOP).read_bytes(), type=StopAsked)
    except (OSError, msgspec.MsgspecError):
        return None
