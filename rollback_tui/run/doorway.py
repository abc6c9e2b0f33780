"""Closing and opening the door, and everything that must happen around it."""

from __future__ import annotations

import time

import psycopg
from psycopg import errors

from rollback_tui.core import events as ev
from rollback_tui.core.errors import ConnectionFailed, RunRefused
from rollback_tui.core.text import printable
from rollback_tui.postgres import door, rename
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.execute import session_timeouts
from rollback_tui.postgres.naming import beside_name
from rollback_tui.postgres.privileges import privileges
from rollback_tui.run import hooks
from rollback_tui.run.afterwards.health import Prober
from rollback_tui.run.context import MAKING_SECONDS, Run, summary_of
from rollback_tui.run.keeper import Keeper, sweep
from rollback_tui.run.opening import drop_placeholder, exchange, open_door, quoted

__all__ = ["Keeper", "close_door", "open_again", "open_door", "prepare_door", "reopen", "sweep"]

_EMPTY_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_RENAME_SECONDS = 15.0

_KEPT_OUT = {
    "rename": "applications cannot enter: the database is called {renamed} meanwhile",
    "limit": "applications cannot enter (superusers are ended)",
    "terminate": "sessions are ended as they come",
}


def prepare_door(run: Run) -> door.Choice:
    """Choose the rung, and make the placeholder that closing by a rename needs, while nothing is
    shut yet. What speaks against that rung never fails the run: the next one is taken.

    Raises psycopg.Error or ConnectionFailed when the server cannot be asked.
    """
    asked = door.Asked(
        rights=privileges(run.live_target()),
        settings=run.settings.door,
        dsn=run.request.dsn,
        beside=_name(run, rename.CLOSED),
        statements=tuple(s.sql for s in run.plan.statements),
    )
    choice = door.choose(run.live_maintenance(), run.target_oid, asked)
    if choice.rung == "rename":
        try:
            _make_placeholder(run, _name(run, rename.SPARE))
        except (psycopg.Error, RunRefused) as error:
            choice = door.lower(asked, (f"no placeholder can be made: {summary_of(error)}",))
    for why in choice.why:
        run.write(ev.Progress(phase="close_door", summary=f"not by renaming: {why}"))
    return choice


def _name(run: Run, kind: str) -> str:
    return beside_name(run.database, f"{kind}{run.request.run[:8]}")


def _make_placeholder(run: Run, name: str) -> None:
    """Raises psycopg.Error, or RunRefused when the name is somebody else's."""
    maintenance = run.live_maintenance()
    if rename.named(maintenance, name) is not None:
        raise RunRefused(f"there is a database {printable(name)} already", "Drop it.")
    run.write(ev.DoorPrepared(placeholder=name))
    limits = run.settings.run
    lock = limits.lock_timeout_seconds
    session_timeouts(maintenance, lock, MAKING_SECONDS)
    try:
        run.sql(maintenance, rename.create_placeholder(maintenance, name), MAKING_SECONDS)
        run.sql(maintenance, rename.mark_placeholder(maintenance, name, run.request.run))
    finally:
        if not maintenance.broken:
            session_timeouts(maintenance, lock, limits.statement_timeout_seconds)


def close_door(run: Run) -> Keeper | None:
    """Shut applications out and end their sessions. Raises RunRefused when some stay."""
    if run.settings.door.mode == "open":
        run.skip("close_door", "online rollback: the door stays open")
        return None
    keeper = Keeper(run)
    try:
        with run.phase("close_door") as outcome:
            choice = prepare_door(run)
            run.check_abort()
            outcome.summary = _shut(run, choice, keeper)
            run.check_abort()
    except BaseException:
        # It must not go on ending sessions behind a door that is opened again.
        keeper.stop()
        raise
    return keeper


def _shut(run: Run, choice: door.Choice, keeper: Keeper) -> str:
    """Close it and end who is inside; return what that keeps out."""
    maintenance = run.live_maintenance()
    here = rename.place(maintenance, run.target_oid)
    if here is None:
        raise RunRefused(f"{printable(run.database)} is gone", "Somebody dropped it.")
    if choice.rung == "limit" and here.connection_limit == 0:
        # Put back at the end, 0 would keep everybody out.
        raise RunRefused(
            f"the connection limit of {printable(run.database)} is 0 already:"
            " another run, or somebody, has closed it",
            f"Look at `rollback-tui history`; if nobody needs it: ALTER DATABASE"
            f" {quoted(run.database)} CONNECTION LIMIT -1;",
        )
    closed = ev.DoorClosed(rung=choice.rung, connection_limit=here.connection_limit)
    if choice.rung == "rename":
        closed = _renaming(run, maintenance, here)
    else:
        # Nobody of an ordinary role comes in later.
        run.live_target()
    # Journaled first: whoever settles this run must know what to put back.
    run.write(closed)
    if choice.rung == "rename":
        _rename_away(run, maintenance, keeper, closed)
    else:
        if choice.rung == "limit":
            run.sql(maintenance, door.limit_statement(maintenance, here.name, 0))
        _empty(run, maintenance)
        keeper.start()
    summary = _KEPT_OUT[choice.rung].format(renamed=printable(closed.renamed_to))
    return "; ".join((summary, *choice.why))


def _renaming(run: Run, maintenance: Connection, here: rename.Place) -> ev.DoorClosed:
    """Say what will be renamed. Raises RunRefused when it cannot be, before anything is shut."""
    prepared = rename.prepared_transactions(maintenance, here.oid)
    if prepared:
        raise _held_by(prepared)
    placeholder = run.view.placeholder
    spare = rename.named(maintenance, placeholder)
    if spare is None or here.name != run.database:
        raise RunRefused(
            f"{printable(run.database)} or its placeholder was renamed or dropped just now",
            "Somebody else works on this server's databases. Look, and try again.",
        )
    return ev.DoorClosed(
        rung="rename",
        connection_limit=here.connection_limit,
        renamed_to=_name(run, rename.CLOSED),
        placeholder=placeholder,
        placeholder_oid=spare.oid,
        properties=rename.properties(maintenance, here.oid),
    )


def _held_by(prepared: tuple[str, ...]) -> RunRefused:
    return RunRefused(
        f"prepared transactions hold the database: {printable(', '.join(prepared[:5]))}",
        "COMMIT PREPARED or ROLLBACK PREPARED them: they outlive every session.",
    )


def _rename_away(run: Run, maintenance: Connection, keeper: Keeper, closed: ev.DoorClosed) -> None:
    """Shut it, end everybody, ourselves too, and give its name to the placeholder.

    Raises RunRefused when somebody cannot be ended, or psycopg.Error."""
    name, oid = run.database, run.target_oid
    run.sql(maintenance, rename.accept(maintenance, name, yes=False))
    run.close_target()
    _empty(run, maintenance)
    text = rename.away(maintenance, name, closed.renamed_to, closed.placeholder)
    deadline = time.monotonic() + _RENAME_SECONDS
    while True:
        try:
            exchange(run, text, oid)
            break
        except (errors.ObjectInUse, errors.LockNotAvailable) as error:
            prepared = rename.prepared_transactions(maintenance, oid)
            if prepared:
                raise _held_by(prepared) from None
            if time.monotonic() > deadline:
                raise RunRefused(
                    f"{printable(name)} stays in use: {error.diag.message_detail or 'locked'}",
                    'End those sessions as a superuser, or set [door] rung = "limit".',
                ) from None
    keeper.start()


def _empty(run: Run, maintenance: Connection) -> None:
    """Sweep until nobody is inside of those that were. A backend needs a moment to obey; who
    comes back where the limit does not hold (see the door's rungs) is the keeper's."""
    deadline = time.monotonic() + _EMPTY_SECONDS
    first = found = sweep(run, maintenance)
    told = 0
    while inside := sum(pid in first or not may for pid, may in found.items()):
        left = deadline - time.monotonic()
        if left <= 0:
            raise RunRefused(
                f"{inside} sessions could not be ended", "A superuser must end them first."
            )
        if inside != told:
            told = inside
            run.write(
                ev.Waiting(
                    phase="close_door",
                    summary=f"{inside} sessions are being ended",
                    seconds_left=round(left, 1),
                )
            )
        time.sleep(_LOOK_SECONDS)
        found = sweep(run, maintenance)


def reopen(run: Run, keeper: Keeper | None) -> None:
    """Open the door and switch maintenance mode off, in that order, both always tried.

    What cannot be done becomes an alarm; nothing is raised, because the outcome is known."""
    with run.phase("open_door") as outcome:
        begun = run.view.started
        recovery = begun is not None and begun.task == "recover"
        if run.view.committed or (recovery and run.view.swapped is not None):
            clear_caches(run)
        if keeper is not None:
            keeper.stop()
        opened = open_door(run)
        off = maintenance_off(run)
        # Last: dropping it costs a checkpoint, and nobody waits for that.
        left = drop_placeholder(run)
        outcome.summary = "; ".join(text for text in (opened, off, left) if text)
        if run.view.alarms:
            outcome.status = "failed"


def open_again(run: Run, keeper: Keeper | None, prober: Prober) -> None:
    """End what began with closing the door, however that went: from here on nothing stops the run,
    the door opens, and the application is not asked any more."""
    run.begin_cleaning_up()
    reopen(run, keeper)
    prober.stop()


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
            connection=_inside(run) if hook.sql else None,
        )
        run.write(ran)
        if not ran.ok:
            run.write(
                ev.Alarm(
                    summary=f"cache {number} was not cleared: {ran.summary}",
                    remedy="Clear it by hand: it may hold what was rolled back.",
                )
            )


def _inside(run: Run) -> Connection | None:
    """Return our own connection behind the closed door, where nobody comes in anew under the
    target's name; None when the door is open, or when we do not come in either."""
    if run.view.door_closed is None:
        return None
    try:
        return run.live_target()
    except (psycopg.Error, ConnectionFailed):
        return None
