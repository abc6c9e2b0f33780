"""Opening the door: judged from the catalog, never from memory, and tried until it is open.

The same function opens for the worker, for whoever settles after it died at any point, and for
the proof that has to look inside. Behind the rung ``rename`` it may find the target

* under its own name and accepting connections: nothing is left to do;
* under its own name, shut: it is let accept them;
* renamed, the placeholder having its name: both get their own names back;
* renamed, nobody having its name: it gets it back;
* renamed, somebody else's database having its name: only the operator can say whose it is.
"""

from __future__ import annotations

import contextlib
import time

import psycopg

from rollback_tui.core import events as ev
from rollback_tui.core.errors import ConnectionFailed, RollbackTuiError
from rollback_tui.core.text import printable
from rollback_tui.postgres import door, rename
from rollback_tui.postgres.connect import Connection, no_room
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.keeper import emptying
from rollback_tui.run.recovery.swap import settle_swap

_REFUSED_SECONDS = 30.0
"""The server answers, but does not do it."""
_IN_USE_SECONDS = 120.0
"""Somebody is inside whom we may not end; nobody new comes in, so it is worth waiting."""
_AWAY_SECONDS = 600.0
"""The server is away, or full: nobody else can open the door either, and crash recovery may take
long."""
_LONGEST_PAUSE = 2.0
_DROP_ATTEMPTS = 5
"""Three seconds in all: a server that was stopped is usually back by then."""

_AWAY = ("refused", "no such file", "starting up", "shutting down", "recovery", "timeout",
         "timed out", "unexpectedly", "terminat", "no route", "not accepting commands")  # fmt: skip
"""Words of libpq and of the server (57P03, 57P02) when it is away or on its way."""


def open_door(run: Run) -> str:
    """Let applications in again, trying for a while; an alarm when it does not work.

    Idempotent. Raises nothing that comes from the server. Closes our own connection to the target
    where it would be in the way.
    """
    closed = run.view.door_closed
    if closed is None:
        return "door open" if run.view.door else "the door was not closed"
    if closed.rung == "rename":
        run.close_target()
    alarm = _until_open(run, closed)
    if alarm is not None:
        run.write(alarm)
        return "DOOR STILL CLOSED"
    run.write(ev.DoorOpened(seconds_closed=round(run.view.downtime_at(run.journal.elapsed), 3)))
    _compare(run, closed)
    return "door open"


def _until_open(run: Run, closed: ev.DoorClosed) -> ev.Alarm | None:
    """Try until it is open. Returns what the operator must know when it is not."""
    began = time.monotonic()
    attempt = 0
    while True:
        try:
            return _open(run, closed)
        except (psycopg.Error, RollbackTuiError) as failure:
            error = failure
        left = _patience(error) - (time.monotonic() - began)
        if left <= 0:
            return ev.Alarm(
                summary=f"the door could not be opened: {summary_of(error)}",
                remedy=_by_hand(run, closed),
            )
        run.write(
            ev.Waiting(
                phase="open_door",
                summary=f"the door is not open yet: {summary_of(error)}",
                seconds_left=round(left, 1),
            )
        )
        time.sleep(min(_LONGEST_PAUSE, 0.1 * 2**attempt))
        attempt += 1


def _patience(error: Exception) -> float:
    """How long it is tried, in seconds, while this is what speaks against it."""
    if _is_away(error):
        return _AWAY_SECONDS
    in_use = isinstance(error, psycopg.errors.ObjectInUse)
    return _IN_USE_SECONDS if in_use else _REFUSED_SECONDS


def _is_away(error: Exception) -> bool:
    if isinstance(error, ConnectionFailed):
        if no_room(error):
            return True
        said = error.summary.lower()
        return any(word in said for word in _AWAY)
    return isinstance(error, psycopg.OperationalError) and error.sqlstate in (
        None,
        "57P01",
        "57P02",
        "57P03",
    )


def _open(run: Run, closed: ev.DoorClosed) -> ev.Alarm | None:
    """Try once. Raises psycopg.Error or ConnectionFailed when it should be tried again."""
    if closed.rung == "terminate":
        return None
    settle_swap(run)
    maintenance = run.live_maintenance()
    here = rename.place(maintenance, run.target_oid)
    if here is None:
        return ev.Alarm(
            summary=f"the database {printable(run.database)} (number {run.target_oid}) is gone",
            remedy="Somebody dropped it. See the checkpoint, and docs/recovery.md.",
        )
    if closed.rung == "limit":
        text = door.limit_statement(maintenance, here.name, closed.connection_limit)
        run.sql(maintenance, text)
        return None
    if here.name == run.database:
        if not here.accepts:
            run.sql(maintenance, rename.accept(maintenance, here.name, yes=True))
        return None
    return _rename_back(run, maintenance, here, closed)


def _rename_back(
    run: Run, maintenance: Connection, here: rename.Place, closed: ev.DoorClosed
) -> ev.Alarm | None:
    holder = rename.named(maintenance, run.database)
    if holder is not None and holder.oid != closed.placeholder_oid:
        return ev.Alarm(
            summary=f"the database is called {printable(here.name)} now, and somebody else's has"
            f" the name {printable(run.database)}",
            remedy=_by_hand(run, closed, here.name),
        )
    if here.accepts:
        # First of all: who ends the sessions inside must not race with those that come.
        run.sql(maintenance, rename.accept(maintenance, here.name, yes=False))
    spare = closed.placeholder if holder is not None else ""
    inside = (here.oid, holder.oid) if holder is not None else (here.oid,)
    exchange(run, rename.back(maintenance, run.database, here.name, spare), *inside)
    return None


def exchange(run: Run, text: str, *oids: int) -> None:
    """Send a transaction of renames from the maintenance database, and commit it, ending who is
    inside these databases meanwhile. Raises psycopg.Error; then nothing was renamed, or, when
    the connection was lost, the catalog says what was."""
    maintenance = run.live_maintenance()
    try:
        with emptying(run, *oids):
            run.sql(maintenance, text)
        run.sql(maintenance, "COMMIT")
    except BaseException:
        with contextlib.suppress(psycopg.Error):
            maintenance.execute("ROLLBACK")
        raise


def _by_hand(run: Run, closed: ev.DoorClosed, renamed: str = "") -> str:
    """What to type, from the maintenance database, when we cannot open it."""
    name = quoted(run.database)
    if closed.rung != "rename":
        return (
            f"As owner or superuser: ALTER DATABASE {name}"
            f" CONNECTION LIMIT {closed.connection_limit};"
        )
    behind, spare = quoted(renamed or closed.renamed_to), quoted(closed.placeholder)
    return (
        "As owner with CREATEDB or superuser, in the database"
        f" {quoted(run.settings.connection.maintenance_database)}: if {behind} exists, end who is"
        f" inside, then BEGIN; ALTER DATABASE {name} RENAME TO {spare}; ALTER DATABASE {behind}"
        f" RENAME TO {name}; COMMIT; and always: ALTER DATABASE {name} ALLOW_CONNECTIONS true;"
    )


def quoted(name: str) -> str:
    """Return a name as the operator may paste it into SQL."""
    return printable('"' + name.replace('"', '""') + '"')


def _compare(run: Run, closed: ev.DoorClosed) -> None:
    """What belongs to the database itself must be as it was; an alarm when it is not."""
    if not closed.properties:
        return
    different = _different(run, closed)
    if different:
        run.write(
            ev.Alarm(
                summary=f"{printable(run.database)} is not as it was before the door closed:"
                f" {printable(', '.join(different))}",
                remedy=f"Look at it with \\l+ and \\drds {quoted(run.database)} in psql: somebody"
                " changed it while the run had the database.",
            )
        )


def _different(run: Run, closed: ev.DoorClosed) -> tuple[str, ...]:
    """Return what is not as it was. A server that stopped just now, right behind the opening, is
    asked again when it is back: that is no reason to call the operator."""
    deadline = time.monotonic() + _REFUSED_SECONDS
    while True:
        try:
            now = rename.properties(run.live_maintenance(), run.target_oid)
            return rename.changed(closed.properties, now)
        except (psycopg.Error, RollbackTuiError) as error:
            if not _is_away(error) or time.monotonic() > deadline:
                return (f"(they could not be read: {summary_of(error)})",)
        time.sleep(0.25)


def drop_placeholder(run: Run) -> str:
    """Drop the placeholder of a door that is open; return what was not done, or nothing.

    Not an alarm: an empty database that lets nobody in does no harm, and it says what it is.
    """
    spare = run.view.placeholder
    if not spare or run.view.door_closed is not None:
        return ""
    error: Exception | None = None
    for attempt in range(_DROP_ATTEMPTS):
        try:
            maintenance = run.live_maintenance()
            found = rename.named(maintenance, spare)
            if found is None:
                return ""
            if not rename.is_placeholder(maintenance, found.oid, run.request.run):
                return ""
            run.sql(maintenance, rename.drop_placeholder(maintenance, spare))
            return ""
        except (psycopg.Error, RollbackTuiError) as failure:
            error = failure
            time.sleep(0.2 * 2**attempt)
    return (
        f"the placeholder {printable(spare)} is left:"
        f" {summary_of(error) if error else ''}; drop it by hand"
    )
