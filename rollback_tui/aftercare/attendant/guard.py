"""Who starts the attendant again when it dies: the process that was the run's guardian, or one that
has nothing else to do."""

from __future__ import annotations

import contextlib
import signal
import time
from collections import deque
from datetime import UTC, datetime

from rollback_tui.aftercare.attendant.presence import attendance, expected, wait_until_unattended
from rollback_tui.aftercare.attendant.processes import LOG, log_line, process_given, process_of
from rollback_tui.aftercare.charge import Charge, is_cut, tie
from rollback_tui.core.errors import RollbackTuiError

BUSY = 3
"""Exit code of an attendant that found another one at work."""

_LONGEST = 60.0
_HOUR = 3600.0
_AN_HOUR = 20
"""So often in an hour it is started again: what ends so often ends for a reason that stays."""
_STEADY = 600.0
"""Seconds after which a start counts as a good one."""


def guard(charge: Charge) -> None:
    """Start the attendant, and again whenever it ends by a signal or a fault, until it says that
    all is done or was told to end.

    Needs nothing that is not loaded by now but what the attendant itself needs.
    """
    starts: deque[float] = deque()
    wait = 1.0
    while _worth_it(charge):
        now = time.monotonic()
        while starts and now - starts[0] > _HOUR:
            starts.popleft()
        if len(starts) > _AN_HOUR:
            _say(charge, "ended too often: the next start of rollback-tui goes on")
            return
        starts.append(now)
        code = _run(charge)
        if code in (0, -signal.SIGTERM):
            return
        if code == BUSY:
            wait_until_unattended(charge.path)
            if not _left(charge):
                return
            continue
        wait = 1.0 if time.monotonic() - now > _STEADY else wait
        _say(charge, f"the attendant ended ({_how(code)}); again in {wait:g} s")
        _pause(charge, wait)
        wait = min(2 * wait, _LONGEST)


def _run(charge: Charge) -> int:
    """Run one attendant to its end and return its exit code, negative for a signal."""
    try:
        process = process_of(charge)
        process_given(process, charge)
    except OSError as error:
        _say(charge, f"the attendant could not be started: {error}")
        return 1
    return process.wait()


def _left(charge: Charge) -> bool:
    """Whether there is more to do after another one; also when that was killed before it could
    write a line."""
    try:
        began = attendance(charge.path).took is not None
        return not began or expected(charge.path, datetime.now(UTC))
    except RollbackTuiError:
        return True


def _worth_it(charge: Charge) -> bool:
    """Whether there is still a run to look after: its folder is there, and so is what it is tied
    to."""
    return charge.path.is_dir() and not is_cut(tie())


def _pause(charge: Charge, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and _worth_it(charge):
        time.sleep(min(left, 0.5))


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"


def _say(charge: Charge, text: str) -> None:
    """Write a line of ``attendant.log``: our own standard error may be another file."""
    with contextlib.suppress(OSError), (charge.path / LOG).open("a", encoding="utf-8") as log:
        log.write(log_line("guardian", text))
