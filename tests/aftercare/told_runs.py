"""The folder of a run that is over, as the worker leaves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from rollback_tui import config_aftercare
from rollback_tui.aftercare.charge import Charge
from rollback_tui.config import Settings
from rollback_tui.core import events as ev
from rollback_tui.run.journal import FILE_NAME, Journal
from tests.core.example import rolled_back

NAME = "20240115_030000_5d0c6a1e"


def run_folder(directory: Path, *events: ev.AnyEvent) -> Path:
    """A run with these events; without any, one in which nothing went wrong."""
    folder = directory / NAME
    folder.mkdir(mode=0o700, parents=True)
    journal = Journal(folder / FILE_NAME)
    for event in events or rolled_back():
        told = replace(event, folder=str(folder)) if isinstance(event, ev.RunStarted) else event
        journal.write(told)
    return folder


def charge(folder: Path, **deliver: Any) -> Charge:
    """What looks after it, with ``[incident.deliver]``."""
    hook = config_aftercare.Deliver(**deliver)
    settings = Settings(incident=config_aftercare.Incident(deliver=hook))
    return Charge(
        folder=str(folder), project=str(folder.parent), dsn="host=nowhere", settings=settings
    )
