"""One run on the worker's side: its journal, its questions, its connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
import psycopg
from psycopg import errors

from rollback_tui.core import events as ev
from rollback_tui.core.errors import ConnectionFailed, RollbackTuiError
from rollback_tui.core.run_view import RunView, advance
from rollback_tui.core.text import printable
from rollback_tui.postgres import rename, target_lock
from rollback_tui.postgres.connect import (
    CATALOG_ONLY,
    Connection,
    connect,
    no_room,
    watchful,
    with_database,
)
from rollback_tui.postgres.deletion import Address
from rollback_tui.postgres.execute import session_timeouts
from rollback_tui.postgres.peers import no_pooler_between, same_server
from rollback_tui.postgres.watchdog import answer_within
from rollback_tui.run import hooks
from rollback_tui.run.control import Control
from rollback_tui.run.journal import Journal
from rollback_tui.run.request import RunRequest
from rollback_tui.run.state import State as State

AGAIN = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)
"""What the server undoes by itself, and what may go well the next time."""

_CANCEL_SECONDS = 6.0
"""A little more than a cancel may take."""

_LOCK_SECONDS = 5.0
"""A backend needs a moment to end, and to give up its lock."""

MAKING_SECONDS = 60.0
"""For making the placeholder: it may have to wait for a checkpoint; applications work meanwhile."""

_ON_THE_WAY = 10.0
"""Seconds for an answer to travel, on a link as bad as they get."""

_ROOM_SECONDS = 10.0


class Aborted(RollbackTuiError):
    """The operator asked for an abort, or the process was told to end, before COMMIT."""

    def __init__(self) -> None:
        super().__init__("aborted before COMMIT", "Nothing was committed.")


class Run:
    """What the phases share. It decides nothing itself."""

    def __init__(self, request: RunRequest, journal: Journal, control: Control) -> None:
        self.request = request
        self.settings = request.settings
        self.plan = request.plan
        self.project = Path(request.project)
        self.folder = Path(request.folder)
        self.journal = journal
        self.control = control
        self.view = RunView()
        journal.listeners.append(self._advance)
        self.target: Connection | None = None
        """Where the script runs. Opened before the door closes: nobody can come in later."""
        self.maintenance: Connection | None = None
        """The other database, from which the door is worked and the lock is held."""
        self.holding = False
        """This run has the lock that only one run of a target can have."""
        self.framework_lock = ""
        """The framework's own lock, taken by each connection that the script may run on."""
        self.own_pids: set[int] = set()
        """Backends of ours that may be inside the target; the door's keeper leaves them alone."""
        self.entering = threading.Lock()
        """Held while one of these is made, for before that nobody can tell it from a stranger."""
        self.before: State | None = None
        """As the transaction found it, when it got that far."""
        self.dropping: frozenset[str] = frozenset()
        """Qualified names of the tables that the plan drops."""
        self.doomed: dict[Address, str] = {}
        """All that the plan drops and was there, in words."""
        self.xid = ""
        """Of the transaction that is under way; empty before there is one."""
        self.backend_pid = 0
        """Of the backend that has the transaction."""
        self.backend_start = 0
        """When the server started that backend: a pid alone may be somebody else's by now."""
        self.committed = False
        """The server answered COMMIT. Known here even when it could not be journaled."""
        self.escaped = False
        """The script ended our transaction, part of it is committed: only then is the checkpoint
        brought back without asking."""
        self.cleaning_up = False
        """From here on nothing may stop the run from opening the door, not even a full disk."""
        self.cancelling = threading.Lock()
        """Held while an abort cancels the statement that is running."""

    def _advance(self, record: ev.Record) -> None:
        self.view = advance(self.view, record)

    def begin_cleaning_up(self) -> None:
        """From here on nothing stops the run. A cancel that is under way is let through first:
        later it would hit the proof that nothing was changed."""
        self.cleaning_up = True
        if self.cancelling.acquire(timeout=_CANCEL_SECONDS):
            self.cancelling.release()

    def write(self, event: ev.AnyEvent) -> None:
        """Journal one event. Raises OSError, except while cleaning up."""
        try:
            self.journal.write(event)
        except OSError:
            if not self.cleaning_up:
                raise
            self._advance(self.journal.anticipate(event))

    @contextmanager
    def phase(self, phase: ev.Phase, summary: str = "") -> Iterator[Outcome]:
        """Journal the beginning and the end of a phase, whatever happens in it."""
        began = time.monotonic()
        self.write(ev.PhaseStarted(phase=phase, summary=summary))
        outcome = Outcome()
        status: ev.PhaseStatus = "failed"
        try:
            yield outcome
            status = outcome.status
        except Exception as error:
            outcome.summary = summary_of(error)
            raise
        finally:
            self.write(
                ev.PhaseFinished(
                    phase=phase,
                    status=status,
                    seconds=round(time.monotonic() - began, 4),
                    summary=outcome.summary,
                )
            )

    def skip(self, phase: ev.Phase, why: str) -> None:
        """Journal that a phase was not needed."""
        self.write(ev.PhaseFinished(phase=phase, status="skipped", seconds=0.0, summary=why))

    def check_abort(self) -> None:
        """Raise Aborted when an abort was asked for. Called at every safe point."""
        if self.control.aborted.is_set():
            raise Aborted

    def ask(self, question: ev.Question) -> str:
        """Ask the operator; nobody there, or no answer in time: the question's own default."""
        attended = self.request.attended
        # Nobody is called for a question that nobody is waited for.
        self.write(question if attended else msgspec.structs.replace(question, seconds=0.0))
        choice = question.default
        by: Literal["operator", "deadline", "configuration"] = "configuration"
        who = ""
        if attended:
            answer = self.control.wait_for_answer(question.choices, question.seconds)
            choice, by = (answer, "operator") if answer else (choice, "deadline")
            who = self.control.answered_by if answer else ""
        self.write(ev.Answered(name=question.name, choice=choice, by=by, who=who))
        self.check_abort()
        return choice

    def sql(self, connection: Connection, text: str, seconds: float = 0.0) -> None:
        """Send SQL of our own that changes something; journaled before it goes out. ``seconds``:
        what the server gives it, where that is more than a statement may take."""
        where: Literal["target", "maintenance"] = (
            "maintenance" if connection is self.maintenance else "target"
        )
        self.write(ev.SqlSent(connection=where, sql=text))
        with answer_within(connection, self.patience(seconds)):
            connection.execute(text.encode())

    def hook(self, name: str, *, on: bool = True) -> ev.HookRan | None:
        """Call the hook of the configuration named ``name``; None when there is none."""
        configured = {
            "maintenance on": self.settings.maintenance.on,
            "maintenance off": self.settings.maintenance.off,
            "notify started": self.settings.notify.started,
        }[name]
        if not configured.configured:
            return None
        ran = hooks.call(
            configured,
            name,
            on=on,
            facts=self.facts(),
            dsn=self.request.dsn,
            project=self.project,
        )
        self.write(ran)
        return ran

    def facts(self) -> dict[str, str]:
        """Return what hooks are told."""
        started = self.view.started_at
        return {
            "run": self.request.run,
            "database": self.database,
            "environment": self.settings.environment,
            "framework": self.plan.framework,
            "versions": " ".join(m.version for m in self.plan.migrations),
            "goal": self.plan.goal or "",
            "operator": self.request.operator.user,
            "reason": self.request.reason,
            "folder": str(self.folder),
            "started": started.isoformat() if started else "",
        }

    def patience(self, seconds: float = 0.0) -> float:
        """How long an answer of the server may take, in seconds: its own limit for a statement
        (or ``seconds``, if that is more) and a little. Longer, and the answer was lost on its
        way, for the server itself would have given up."""
        return max(seconds, self.settings.run.statement_timeout_seconds) + _ON_THE_WAY

    def _longest(self) -> float:
        """The same for whatever a connection of the run is asked: counting and copying have
        limits of their own, and the server keeps those."""
        counting = self.settings.verify.count_seconds
        return self.patience(max(counting, self.settings.checkpoint.clone_seconds, MAKING_SECONDS))

    @property
    def database(self) -> str:
        """The target's name."""
        started = self.view.started
        return started.target.database if started else ""

    @property
    def shut(self) -> bool:
        """Whether nobody else can write now. On the ``terminate`` rung they can, for moments."""
        closed = self.view.door_closed
        return closed is not None and closed.rung != "terminate"

    def open_connections(self) -> None:
        """Connect to the target and to the maintenance database. Raises ConnectionFailed."""
        self.live_target()
        self.live_maintenance()

    def _limit(self, connection: Connection) -> None:
        """Outside the one transaction, too, nobody's lock is waited for for ever; and the server
        notices when we are gone. Refuses a pooler before anything could leak through it, and a
        server that is not the one the run began on; then the connection is closed."""
        limits = self.settings.run
        started = self.view.started
        try:
            no_pooler_between(connection)
            if started is not None:
                # On a promoted server nothing is done but opening the door.
                same_server(connection, started.target, promoted=connection is self.maintenance)
            watchful(connection)
            if connection is self.maintenance:
                # The door must open: no server limit ends the wait for an absent standby, and a
                # role, or a server whose disk is filling, may be read-only by default.
                connection.execute("SET synchronous_commit = local")
                connection.execute("SET default_transaction_read_only = off")
                connection.execute(CATALOG_ONLY)
            session_timeouts(
                connection, limits.lock_timeout_seconds, limits.statement_timeout_seconds
            )
        except psycopg.Error as error:
            connection.close()
            raise ConnectionFailed(summary_of(error), "Try again.") from None
        except RollbackTuiError:
            connection.close()
            raise

    @property
    def door_application(self) -> str:
        """What the connection to the maintenance database calls itself; names the run."""
        return f"rollback_tui door {self.request.run[:8]}"

    @property
    def maintenance_dsn(self) -> str:
        """Where the door is worked from."""
        return with_database(self.request.dsn, self.settings.connection.maintenance_database)

    @property
    def target_oid(self) -> int:
        """The number of the database that is the target now: a recovery may have put another
        one in its place. Its name may change; this is how it is found in the catalog."""
        started, swapped = self.view.started, self.view.swapped
        if swapped is not None:
            return swapped.new_oid
        return started.target.database_oid if started else 0

    @property
    def target_dsn(self) -> str:
        """Where the target is now, whatever it is called behind a door closed by renaming.

        Raises ConnectionFailed when the server cannot be asked.
        """
        if self.view.door != "rename":
            return self.request.dsn
        try:
            place = rename.place(self.live_maintenance(), self.target_oid)
        except psycopg.OperationalError as error:
            raise ConnectionFailed(summary_of(error), "Is the server running?") from None
        return with_database(self.request.dsn, place.name) if place else self.request.dsn

    def live_target(self) -> Connection:
        """Return the connection to the target, made again when it was lost."""
        if self.target is None or self.target.closed or self.target.broken:
            self.target = self._enter(self.target_dsn)
            self._limit(self.target)
            self.lock_framework()
        return self.target

    def _enter(self, dsn: str) -> Connection:
        """Connect to the target; again for a while where those who hammer at the door leave no
        room for us."""
        deadline = time.monotonic() + _ROOM_SECONDS
        timeout, name = self.settings.connection.connect_timeout, "rollback_tui run"
        while True:
            try:
                with self.entering:
                    made = connect(dsn, timeout=timeout, application=name, patience=self._longest())
                    self.own_pids.add(made.info.backend_pid)
                return made
            except ConnectionFailed as error:
                if not no_room(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    def lock_framework(self) -> bool:
        """Take the framework's own lock on the connection to the target, where it has one; held
        until that connection ends. Returns False when somebody else has it."""
        if not self.framework_lock or self.target is None:
            return True
        row = self.target.execute(self.framework_lock.encode()).fetchone()
        return bool(row and row[0])

    def close_target(self) -> None:
        """Close the connection to the target: nobody may be inside while it is renamed or
        copied. The next use of it makes a new one."""
        if self.target is not None:
            self.target.close()

    def live_maintenance(self) -> Connection:
        """Return the connection to the maintenance database, made again when it was lost."""
        if self.maintenance is None or self.maintenance.closed or self.maintenance.broken:
            self.maintenance = connect(
                self.maintenance_dsn,
                timeout=self.settings.connection.connect_timeout,
                application=self.door_application,
                patience=self._longest(),
            )
            self.own_pids.add(self.maintenance.info.backend_pid)
            self._limit(self.maintenance)
            if self.holding and not target_lock.take_back(
                self.maintenance, self.database, self.door_application, _LOCK_SECONDS
            ):
                self.holding = False
                self.write(
                    ev.Alarm(
                        summary="another run took this target while the server was away",
                        remedy="Compare both runs: rollback-tui history",
                    )
                )
        return self.maintenance

    def hold_target(self, seconds: float = 0.0) -> bool:
        """Take the lock that only one run of a target can have; tried for ``seconds``. It is
        taken again with a connection that has to be made anew."""
        self.holding = target_lock.take(self.live_maintenance(), self.database, seconds)
        return self.holding

    def close(self) -> None:
        """Close the connections."""
        for connection in (self.target, self.maintenance):
            if connection is not None:
                connection.close()


class Outcome:
    """How a phase ended, filled in while it runs."""

    def __init__(self) -> None:
        self.status: ev.PhaseStatus = "done"
        self.summary = ""


def summary_of(error: BaseException) -> str:
    """Return one printable line that says what went wrong."""
    if isinstance(error, RollbackTuiError):
        return printable(error.summary)
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return (
            "another session holds a lock on a table of this database"
            " (State shows who, and who waits behind)"
        )
    return printable(" ".join(str(error).split()) or type(error).__name__)
