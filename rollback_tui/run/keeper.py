"""Who is inside behind the closed door, and their end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

import psycopg

from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.postgres import door
from rollback_tui.postgres.connect import CATALOG_ONLY, Connection, connect, watchful
from rollback_tui.run.context import Run

_SWEEP_SECONDS = 0.1
_QUICK_SECONDS = 0.01
_EMPTY_SECONDS = 1.0
_END_SECONDS = 6.0
"""A little more than connecting may take."""

_ANSWER_SECONDS = 5.0
"""Looking who is inside takes milliseconds; a new connection of the run waits for it."""


class Keeper:
    """While the door is closed, ends every session that comes in all the same (superusers,
    somebody who looked up the new name, or everybody on the ``terminate`` rung). Has a connection
    of its own, so that a long statement of the run does not hold it up."""

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
                        self._run.maintenance_dsn,
                        timeout=5,
                        application="rollback_tui keeper",
                        patience=_ANSWER_SECONDS,
                    )
                    watchful(connection)
                    connection.execute(CATALOG_ONLY)
                sweep(self._run, connection)
            except (psycopg.Error, RollbackTuiError, OSError):
                # The server is away, or the journal's disk is full: the run itself notices.
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()


def sweep(run: Run, connection: Connection) -> dict[int, bool]:
    """End whoever is inside and may be ended; return the strangers' pids, and which may be.

    Looked for by the target's number, whatever it is called.
    """
    settings = run.settings.door
    # A new connection of our own is known only when it is made: until then nobody is ended.
    with run.entering:
        inside = door.strangers(
            connection,
            run.target_oid,
            keep=frozenset(run.own_pids),
            applications=settings.allow_applications,
            users=settings.allow_users,
        )
        ending = [(pid, name) for pid, name, may in inside if may]
        door.end_sessions(connection, [pid for pid, _ in ending])
    if ending:
        run.write(ev.SessionsEnded(sessions=tuple(name for _, name in ending)))
    return {pid: may for pid, _, may in inside}


@contextlib.contextmanager
def emptying(run: Run, *oids: int) -> Iterator[None]:
    """End everybody in these databases, again and again, until the block ends.

    From another connection, for the one that renames waits for just these sessions while nobody
    new comes in. The caller commits after the block, so that nobody is ended who comes back
    through the open door.
    """
    stop, empty = threading.Event(), threading.Event()

    def work() -> None:
        # When this fails, the rename itself says who is inside; there is nothing to add.
        try:
            with (
                contextlib.suppress(psycopg.Error, RollbackTuiError, OSError),
                contextlib.closing(
                    connect(
                        run.maintenance_dsn,
                        timeout=5,
                        application="rollback_tui keeper",
                        patience=_ANSWER_SECONDS,
                    )
                ) as connection,
            ):
                connection.execute(CATALOG_ONLY)
                _empty(run, connection, oids, stop, empty)
        finally:
            empty.set()

    thread = threading.Thread(target=work, name="emptying", daemon=True)
    thread.start()
    try:
        # A rename that finds somebody waits in steps of a tenth of a second.
        empty.wait(_EMPTY_SECONDS)
        yield
    finally:
        stop.set()
        thread.join(timeout=_END_SECONDS)


def _empty(
    run: Run,
    connection: Connection,
    oids: Sequence[int],
    stop: threading.Event,
    empty: threading.Event,
) -> None:
    told: set[int] = set(run.own_pids)
    while not stop.is_set():
        found = [who for oid in oids for who in door.strangers(connection, oid, keep=())]
        ending = {pid: name for pid, name, may in found if may}
        door.end_sessions(connection, list(ending))
        if not found:
            empty.set()
        new = [name for pid, name in ending.items() if pid not in told]
        if new:
            told.update(ending)
            run.write(ev.SessionsEnded(sessions=tuple(new)))
        stop.wait(_QUICK_SECONDS)
