"""What the process that looks after a run is given: it goes through a pipe, never through a file or
an argument, for it holds the connection string and the places where people are told."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path

from rollback_tui.config import Settings
from rollback_tui.config_aftercare import SWITCH as SWITCH
from rollback_tui.config_aftercare import switched_off as switched_off
from rollback_tui.core.value import Value

TIE = "ROLLBACK_TUI_AFTERCARE_WHILE"
"""Path of a file: only while a process holds a lock on it there is something to look after. The
demo sets it, whose server ends with it; the kernel gives the lock back however it ends."""


class Charge(Value, frozen=True, kw_only=True):
    """One run that is looked after."""

    folder: str
    """The run's."""
    project: str
    """Directory that relative paths of the settings and hooks start from."""
    dsn: str
    """Of the target, under its own name."""
    settings: Settings

    @property
    def path(self) -> Path:
        """The run's folder."""
        return Path(self.folder)


def anything_to_do(settings: Settings) -> bool:
    """Whether a run with these settings is looked after at all."""
    return bool(
        settings.monitor.seconds > 0
        or settings.notify.to
        or settings.incident.deliver.configured
        or settings.prometheus.counts_impact
    )


def tie(environment: Mapping[str, str] | None = None) -> Path | None:
    """What :data:`TIE` names; None: the run is looked after until all is done."""
    here = os.environ if environment is None else environment
    named = here.get(TIE, "")
    return Path(named) if named else None


def wait_until_cut(file: Path) -> None:
    """Return when nobody holds the lock on ``file`` any more, or it is gone."""
    _lock(file, fcntl.LOCK_SH)


def is_cut(file: Path | None) -> bool:
    """Whether that is so already; never without a file."""
    return file is not None and _lock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _lock(file: Path, how: int) -> bool:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
