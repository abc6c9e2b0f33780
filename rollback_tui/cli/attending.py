"""Have runs looked after: one that is settled here, and those whose process was killed, with the
machine it may be, before all was done."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rollback_tui.core.errors import ConfigurationError, ConnectionFailed, RollbackTuiError

if TYPE_CHECKING:
    from rollback_tui.aftercare.charge import Charge
    from rollback_tui.cli.options import Common
    from rollback_tui.core.events import RunStarted
    from rollback_tui.core.model import Target
    from rollback_tui.run.claims import Here
    from rollback_tui.run.request import RunRequest


def have_looked_after(request: RunRequest) -> None:
    """Start what looks after the run of ``request``, in a process that stays when this one ends.
    Whatever keeps it from that keeps nobody from settling."""
    from rollback_tui.aftercare.attendant.beside import charge_of
    from rollback_tui.aftercare.attendant.processes import start

    charge = charge_of(request)
    if charge is not None:
        with contextlib.suppress(OSError):
            start(charge)


def resume(given: Common, folders: tuple[Path, ...] | None = None) -> tuple[Path, ...]:
    """Start what looks after the newest runs of this project for which nobody does, though
    somebody should, and return their folders: with the settings and the connection of now, and
    only where the run's target is the one of this connection. ``folders``: only these of them.

    The maintenance database is asked only where there are such runs. Raises ConfigurationError
    when the directory of the runs cannot be read, OSError when no process can be started.
    """
    from rollback_tui.aftercare.attendant.presence import unfinished
    from rollback_tui.aftercare.attendant.processes import start
    from rollback_tui.aftercare.charge import anything_to_do, switched_off

    if switched_off() or not anything_to_do(given.settings):
        return ()
    left = unfinished(given.run_directory())
    if folders is not None:
        wanted = {folder.resolve() for folder in folders}
        left = tuple(folder for folder in left if folder.resolve() in wanted)
    left = tuple(folder for folder in left if _anything_possible(given, folder))
    here = _here(given) if left else None
    found = []
    for folder in left:
        charge = _charge(given, folder, here) if here is not None else None
        if charge is not None:
            start(charge)
            found.append(folder)
    return tuple(found)


def _anything_possible(given: Common, folder: Path) -> bool:
    """Whether a process would have something to do there: it was killed, or what did not arrive
    has a place where it could."""
    from rollback_tui.aftercare.attendant.presence import attendance
    from rollback_tui.aftercare.outbox import pending, read_post

    try:
        over = attendance(folder).over
        if over is None or (over.report_left and given.settings.incident.deliver.configured):
            return True
        left = pending(read_post(folder), given.settings.notify, os.environ)
    except RollbackTuiError:
        return False
    return any(one.deliverable for one in left)


def _here(given: Common) -> Here:
    from rollback_tui.run import claims

    settings = given.settings.connection
    return claims.whereabouts(given.dsn, settings.maintenance_database, settings.connect_timeout)


def _charge(given: Common, folder: Path, here: Here) -> Charge | None:
    """Return what looks after the run in ``folder`` is given; None: it was another database's."""
    from rollback_tui.aftercare.charge import Charge
    from rollback_tui.run import claims

    target = _target(folder)
    if target is None or not claims.same(target, here):
        return None
    return Charge(
        folder=str(folder.resolve()),
        project=str(given.project),
        dsn=_dsn(given, target),
        settings=given.settings,
    )


def _target(folder: Path) -> Target | None:
    """Return the target of the run; None: it has none."""
    started = begun(folder)
    return started.target if started is not None else None


def begun(folder: Path) -> RunStarted | None:
    """Return how the run began, by the first line of its journal alone; None where it did not."""
    import msgspec

    from rollback_tui.core.events import Record, RunStarted
    from rollback_tui.run import journal

    try:
        with (folder / journal.FILE_NAME).open("rb") as file:
            event = msgspec.json.decode(file.readline(), type=Record).event
    except (OSError, msgspec.MsgspecError):
        return None
    return event if isinstance(event, RunStarted) else None


def _dsn(given: Common, target: Target) -> str:
    """Return the connection string for a process that has neither our environment's secrets nor
    our directory: as it was really used, or as it was given where nobody answers now."""
    from rollback_tui.postgres.connect import with_database

    try:
        return with_database(given.used_maintenance_dsn(), target.database)
    except ConnectionFailed:
        return with_database(_with_password(given.dsn), target.database)


def _with_password(dsn: str) -> str:
    import psycopg
    from psycopg import conninfo

    password = os.environ.get("PGPASSWORD", "")
    try:
        known = conninfo.conninfo_to_dict(dsn)
    except psycopg.Error:
        raise ConfigurationError(
            "the connection string cannot be read", "Check --dsn and [connection] dsn."
        ) from None
    return (
        dsn
        if known.get("password") or not password
        else conninfo.make_conninfo(dsn, password=password)
    )
