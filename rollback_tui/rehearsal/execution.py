"""The plan executed on the scratch database, in the order and the sessions of a real run.

One transaction where the plan allows it, which is never committed; otherwise statement by
statement. See ``run/execution.py`` and ``run/stepwise.py``, whose order this follows: what comes
before the first statement there (the run's row, locks taken in a fixed order) is left out, because
it would hide what the statements themselves lock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import psycopg
from psycopg import errors

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Loss, Migration, Statement
from rollback_tui.core.rehearsal import Measured, RoundTrip
from rollback_tui.core.schema import SchemaSnapshot
from rollback_tui.core.text import printable
from rollback_tui.postgres import catalog, counts
from rollback_tui.postgres.connect import Connection, connect, watchful
from rollback_tui.postgres.execute import in_transaction, session_timeouts, timeouts
from rollback_tui.postgres.ourselves import OURSELVES
from rollback_tui.postgres.watchdog import cancelled_when
from rollback_tui.rehearsal import round_trip
from rollback_tui.rehearsal.compare import differences, rows_differ
from rollback_tui.rehearsal.measure import Gauge, run_alone
from rollback_tui.rehearsal.order import APPLICATION, Order, Stopped, words_of
from rollback_tui.rehearsal.scratch import Scratch
from rollback_tui.survey.applied import versions

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_COUNT_SECONDS = 30.0


class PlanFailed(Exception):
    """The plan did not come to its end; the message says where and why."""


class Performance:
    """The plan on the scratch database: what was measured, and how it ended."""

    def __init__(self, order: Order, scratch: Scratch) -> None:
        self.measured: list[Measured] = []
        self.differences: list[str] = []
        self.failure = ""
        self.round_trip: RoundTrip | None = None
        self.before: SchemaSnapshot | None = None
        self.after: SchemaSnapshot | None = None
        """The schema of the scratch database before the plan and after it; None: it did not come to
        that."""
        self._order = order
        self._scratch = scratch
        self._plan = order.plan
        self._way_back = round_trip.WayBack(order)

    def perform(self) -> None:
        """Execute the plan, and then the up scripts; a failure of the plan is kept, not raised.

        Raises RollbackTuiError when the scratch database is not what the plan was made for.
        """
        opened = connect(self._scratch.dsn, application=APPLICATION, patience=self._order.patience)
        with (
            contextlib.closing(opened) as connection,
            self._failures_kept(),
            cancelled_when(connection, self._order.stop.is_set),
        ):
            watchful(connection)
            self._as_planned(connection)
            self._way_back.read(connection, embedded=self._scratch.embedded)
            limits = self._order.settings.run
            session_timeouts(
                connection, limits.lock_timeout_seconds, limits.statement_timeout_seconds
            )
            if self._plan.transactional:
                self._in_one_transaction(connection)
            else:
                self._step_by_step(connection)

    @contextlib.contextmanager
    def _failures_kept(self) -> Iterator[None]:
        try:
            yield
        except (PlanFailed, Stopped, psycopg.Error) as error:
            if self._order.stop.is_set():
                done = sum(not measured.failed for measured in self.measured)
                all_ = len(self._plan.statements)
                self.failure = f"it was stopped after {done} of {all_} statements"
            elif isinstance(error, psycopg.Error):
                self.failure = f"the scratch database: {words_of(error)}"
            else:
                self.failure = str(error)

    def _as_planned(self, connection: Connection) -> None:
        """Raise RollbackTuiError unless the version table says what the plan was made from."""
        order = self._order
        applied = versions(connection, order.settings, order.project, self._plan)
        if applied != [m.version for m in self._plan.applied]:
            raise RollbackTuiError(
                "The applied migrations have changed since the plan was made: now"
                f" {printable(applied[0]) if applied else 'none'} is the newest",
                "Look at the plan again.",
            )

    # --- one transaction --------------------------------------------------------------------------

    def _in_one_transaction(self, connection: Connection) -> None:
        """BEGIN, the plan, what COMMIT would check, and the way back; in the end ROLLBACK, unless
        an up script cannot be in the same transaction."""
        commits = not self._way_back.transactional
        # The event trigger that tells what is dropped must not outlive the transaction.
        trigger = self._scratch.superuser and not commits
        connection.execute(_BEGIN)
        try:
            self._limits(connection)
            before = self.before = catalog.snapshot(connection)
            gauge = Gauge(connection, superuser=trigger)
            for migration in self._plan.migrations:
                for statement in migration.script.statements if migration.script else ():
                    self._measure(connection, gauge, statement)
                self._cross_out(connection, migration)
                gauge.overlook()
            self._constraints(connection)
            if trigger:
                connection.execute("DROP EVENT TRIGGER IF EXISTS rollback_tui_dropped")
            self.after = catalog.snapshot(connection)
            if commits:
                connection.execute("COMMIT")
            self.round_trip = self._way_back.go(connection, before)
        finally:
            if not connection.broken and not connection.closed:
                connection.execute("ROLLBACK")

    def _measure(self, connection: Connection, gauge: Gauge, statement: Statement) -> None:
        self._announce(statement)
        held = gauge.held
        losses = self._losses(connection, statement)
        if losses:
            gauge.overlook()
        measured = gauge.run(statement)
        self._keep(statement, measured, held, losses)
        if not in_transaction(connection):
            raise PlanFailed(f"statement {statement.index} ended the transaction")
        self._limits(connection)

    def _constraints(self, connection: Connection) -> None:
        """What is checked at COMMIT is checked now."""
        try:
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except psycopg.Error as error:
            raise PlanFailed(f"COMMIT would fail: {words_of(error)}") from None

    # --- statement by statement -------------------------------------------------------------------

    def _step_by_step(self, connection: Connection) -> None:
        before = self.before = catalog.snapshot(connection)
        for migration in self._plan.migrations:
            for statement in migration.script.statements if migration.script else ():
                self._step(connection, statement)
            with connection.transaction():
                self._cross_out(connection, migration)
        self.after = catalog.snapshot(connection)
        self.round_trip = self._way_back.go(connection, before)

    def _step(self, connection: Connection, statement: Statement) -> None:
        """Do one statement in a transaction of its own, or in none where it refuses one."""
        self._announce(statement)
        losses = self._losses(connection, statement)
        held: Mapping[str, str] = {}
        measured = None
        if statement.effect.transactional is not False:
            connection.execute(_BEGIN)
            self._limits(connection)
            gauge = Gauge(connection, superuser=False)
            held = gauge.held
            measured = gauge.run(statement)
            connection.execute("ROLLBACK" if measured.failed else "COMMIT")
        if measured is None or measured.sqlstate == errors.ActiveSqlTransaction.sqlstate:
            measured = run_alone(connection, statement)
        self._keep(statement, measured, held, losses)
        limits = self._order.settings.run
        session_timeouts(connection, limits.lock_timeout_seconds, limits.statement_timeout_seconds)

    # --- both -------------------------------------------------------------------------------------

    def _announce(self, statement: Statement) -> None:
        self._order.say(f"statement {statement.index} of {len(self._plan.statements)}")

    def _limits(self, connection: Connection) -> None:
        """Within a transaction, and again after each statement: a script may have set others."""
        limits = self._order.settings.run
        connection.execute(timeouts(limits.lock_timeout_seconds, limits.statement_timeout_seconds))

    def _losses(self, connection: Connection, statement: Statement) -> tuple[Loss, ...]:
        """Count the values that the statement is about to remove, where there is data; rows are
        counted by whoever measures it."""
        columns = any(loss.kind == "values" for loss in statement.loss)
        if self._order.source == "schema" or not columns:
            return ()
        return counts.losses(connection, statement, _COUNT_SECONDS, in_run=True)

    def _keep(
        self,
        statement: Statement,
        measured: Measured,
        held: Mapping[str, str],
        losses: tuple[Loss, ...],
    ) -> None:
        """Keep what was measured, and where it is not what was forecast. Raises PlanFailed when
        the statement failed."""
        self.measured.append(measured)
        where = f"statement {statement.index}"
        if measured.failed:
            if round_trip.without_rows(self._order.source, measured.sqlstate):
                self._order.note("this may fail only for want of rows: rehearse --from dump")
            raise PlanFailed(f"{where} (line {statement.line}) failed: {measured.failed}")
        found = [*differences(statement.effect, measured, held)]
        if self._order.source != "schema":
            found += [*rows_differ(statement, measured), *values_differ(statement, losses)]
        self.differences += [f"{where}: {line}" for line in found]

    def _cross_out(self, connection: Connection, migration: Migration) -> None:
        """Be ourselves again, and take the version out of the framework's table."""
        connection.execute(OURSELVES)
        try:
            for text in migration.version_change:
                connection.execute(text.encode())
        except psycopg.Error as error:
            raise PlanFailed(
                f"the version table cannot be changed after {printable(migration.version)}:"
                f" {words_of(error)}"
            ) from None


def values_differ(statement: Statement, counted: tuple[Loss, ...]) -> tuple[str, ...]:
    """Return where the values of columns that go are not as many as were counted on the target;
    ``counted`` are those of the scratch database, just before the statement."""
    here = {(c.relation, c.column): c.count for c in counted if c.kind == "values"}
    return tuple(
        f"{loss.describe()} had been counted, here {found:,} went"
        for loss in statement.loss
        if loss.kind == "values"
        and loss.count is not None
        and (found := here.get((loss.relation, loss.column))) is not None
        and found != loss.count
    )
