"""Closing and opening the door, and everything that must happen around it."""

from __future__ import annotations

import threading
import time

import psycopg

from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError, RunRefused
from rollback_tui.postgres import door
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.privileges import privileges
from rollback_tui.run import hooks
from rollback_tui.run.context import Run, summary_of

_EMPTY_SECONDS = 10.0
_SWEEP_SECONDS = 0.1
_OPEN_ATTEMPTS = 10


class Keeper:
    """While the door is closed, ends every session that comes in all the same (superusers, or
    everybody on the ``terminate`` rung). Has a connection of its own, so that a long statement
    of the run does not hold it up."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sweep_on, name="door keeper", daemon=True)

    def start(self) -> None:
        """Begin to sweep."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; returns when no sweep is under way any more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def _sweep_on(self) -> None:
        connection: Connection | None = None
        while not self._stop.wait(_SWEEP_SECONDS):
            try:
                if connection is None:
                    connection = connect(
                        self._run.maintenance_dsn, timeout=5, application="rollback_tui keeper"
                    )
                sweep(self._run, connection)
            except (psycopg.Error, RollbackTuiError, OSError):
                # The server is away, or the journal's disk is full: the run itself notices.
                connection = None
        if connection is not None:
            connection.close()


def sweep(run: Run, connection: Connection) -> dict[int, bool]:
    """End whoever is inside and may be ended; return the strangers' pids, and which may be."""
    settings = run.settings.door
    inside = door.strangers(
        connection,
        run.database,
        keep=frozenset(run.own_pids),
        applications=settings.allow_applications,
        users=settings.allow_users,
    )
    ending = [(pid, name) for pid, name, may in inside if may]
    if ending:
        door.end_sessions(connection, [pid for pid, _ in ending])
        run.write(ev.SessionsEnded(sessions=tuple(name for _, name in ending)))
    return {pid: may for pid, _, may in inside}


def close_door(run: Run) -> Keeper | None:
    """Shut applications out and end their sessions. Raises RunRefused when some stay."""
    if run.settings.door.mode == "open":
        run.skip("close_door", "online rollback: the door stays open")
        return None
    keeper = Keeper(run)
    try:
        with run.phase("close_door") as outcome:
            outcome.summary = _shut(run)
            keeper.start()
            run.check_abort()
    except BaseException:
        # It must not go on ending sessions behind a door that is opened again.
        keeper.stop()
        raise
    return keeper


def _shut(run: Run) -> str:
    """Close it and end who is inside; return what that keeps out."""
    target = run.live_target()
    maintenance = run.live_maintenance()
    rung = door.rung(privileges(target))
    limit = door.connection_limit(maintenance, run.database)
    # Journaled first: whoever settles this run must know what to put back.
    run.write(ev.DoorClosed(rung=rung, connection_limit=limit))
    if rung == "limit":
        run.sql(maintenance, door.limit_statement(maintenance, run.database, 0))
    _empty(run, maintenance)
    return (
        "applications cannot enter (superusers are ended)"
        if rung == "limit"
        else "sessions are ended as they come"
    )


def _empty(run: Run, maintenance: Connection) -> None:
    """Sweep until nobody is inside of those that were. A backend needs a moment to obey; who
    comes back where the limit does not hold (see the door's rungs) is the keeper's."""
    deadline = time.monotonic() + _EMPTY_SECONDS
    first = found = sweep(run, maintenance)
    while inside := sum(pid in first or not may for pid, may in found.items()):
        left = deadline - time.monotonic()
        if left <= 0:
            raise RunRefused(
                f"{inside} sessions could not be ended", "A superuser must end them first."
            )
        run.write(
            ev.Waiting(
                phase="close_door",
                summary=f"{inside} sessions are being ended",
                seconds_left=round(left, 1),
            )
        )
        time.sleep(0.05)
        found = sweep(run, maintenance)


def reopen(run: Run, keeper: Keeper | None) -> None:
    """Open the door and switch maintenance mode off, in that order, both always tried.

    What cannot be done becomes an alarm; nothing is raised, because the outcome is known."""
    with run.phase("open_door") as outcome:
        if run.view.committed:
            clear_caches(run)
        if keeper is not None:
            keeper.stop()
        opened = open_door(run)
        off = maintenance_off(run)
        outcome.summary = "; ".join(text for text in (opened, off) if text)
        if run.view.alarms:
            outcome.status = "failed"


def open_door(run: Run) -> str:
    """Let applications in again, trying for a while; an alarm when it does not work."""
    closed = run.view.door_closed
    if closed is None:
        return "the door was not closed"
    error: Exception | None = None
    for attempt in range(_OPEN_ATTEMPTS):
        try:
            if closed.rung == "limit":
                maintenance = run.live_maintenance()
                text = door.limit_statement(maintenance, run.database, closed.connection_limit)
                run.sql(maintenance, text)
            run.write(
                ev.DoorOpened(seconds_closed=round(run.view.downtime_at(run.journal.elapsed), 3))
            )
            return "door open"
        except (psycopg.Error, RollbackTuiError) as failure:
            error = failure
            time.sleep(min(5.0, 0.2 * 2**attempt))
    limit = closed.connection_limit
    run.write(
        ev.Alarm(
            summary=f"the door could not be opened: {summary_of(error) if error else ''}",
            remedy=f'As owner or superuser: ALTER DATABASE "{run.database}"'
            f" CONNECTION LIMIT {limit};",
        )
    )
    return "DOOR STILL CLOSED"


def maintenance_off(run: Run) -> str:
    """Switch the application's maintenance mode off, with retries; an alarm when it fails."""
    if not run.view.maintenance_on:
        return ""
    if not run.settings.maintenance.off.configured:
        run.write(
            ev.Alarm(
                summary="maintenance mode was switched on and no [maintenance.off] is configured",
                remedy="Switch it off by hand.",
            )
        )
        return "MAINTENANCE MODE STILL ON"
    for attempt in range(3):
        ran = run.hook("maintenance off", on=False)
        if ran is not None and ran.ok:
            run.write(ev.MaintenanceChanged(on=False))
            return "maintenance mode off"
        time.sleep(0.5 * 2**attempt)
    run.write(
        ev.Alarm(
            summary="maintenance mode could not be switched off",
            remedy="Switch it off by hand; see [maintenance.off] in rollback.toml.",
        )
    )
    return "MAINTENANCE MODE STILL ON"


def clear_caches(run: Run) -> None:
    """Call the hooks that clear caches; one that fails is an alarm, and the next is called."""
    for number, hook in enumerate(run.settings.caches.clear, 1):
        ran = hooks.call(
            hook,
            f"caches clear {number}",
            on=True,
            facts=run.facts(),
            dsn=run.request.dsn,
            project=run.project,
            # Behind our own door nobody connects anew.
            connection=run.target if run.view.door_closed is not None else None,
        )
        run.write(ran)
        if not ran.ok:
            run.write(
                ev.Alarm(
                    summary=f"cache {number} was not cleared: {ran.summary}",
                    remedy="Clear it by hand: it may hold what was rolled back.",
                )
            )
