"""Verification inside the transaction, and the application's health after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec
import psycopg

from rollback_tui.core import events as ev
from rollback_tui.core import verify as judge
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Verification
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.execute import transaction_id
from rollback_tui.postgres.watchdog import answer_within
from rollback_tui.run import web
from rollback_tui.run.context import Outcome, Run, State, summary_of
from rollback_tui.run.execution import look
from rollback_tui.run.expectation import expected_deletes
from rollback_tui.survey import baseline
from rollback_tui.survey.planning import detected, history

_Question = Callable[[Run, Connection], Verification]


def verify(run: Run) -> bool:
    """Judge the result before COMMIT; return whether it may be committed without asking.

    Each verification is isolated by a savepoint: one that errors says so, does not count as
    passed, and does not stop the others.
    """
    connection = run.live_target()
    with run.phase("verify") as outcome:
        passed = _judged(
            run,
            connection,
            outcome,
            ("transaction", "Still the transaction that was begun", _transaction),
            ("constraints", "Deferred constraints hold", _constraints),
        )
        run.check_abort()
        return passed


def verify_stepwise(run: Run) -> bool:
    """Judge the result of a plan that went statement by statement, when all of it is committed;
    return whether all is as expected.

    In one snapshot that writes nothing. That the transaction is the one that was begun does not
    apply, and deferred constraints were judged at each COMMIT.
    """
    connection = run.live_target()
    with run.phase("verify") as outcome:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            return _judged(run, connection, outcome)
        finally:
            if not connection.broken:
                connection.execute("ROLLBACK")


def _judged(
    run: Run, connection: Connection, outcome: Outcome, *first: tuple[str, str, _Question]
) -> bool:
    """Ask all questions, ``first`` before the others; say in ``outcome`` what came of it."""
    sound = [
        _isolated(run, connection, name, title, question)
        for name, title, question in (
            *first,
            ("schema", "Schema restored", _schema),
            ("foreign_keys", "Foreign keys intact", _foreign_keys),
            ("indexes", "Indexes valid", _indexes),
            ("sequences", "Sequences ahead of their columns", _sequences),
            ("version", "Version table as expected", _version),
            ("rows", "Rows kept", _rows),
        )
    ]
    judged = run.view.verifications
    failed = [v.title for v in judged if v.verdict == "fail"]
    unknown = sum(v.verdict == "unknown" for v in judged)
    passed = all(sound) and judge.gate(judged) == "passed"
    outcome.summary = (
        f"failed: {', '.join(failed)}"
        if failed
        else f"{len(judged) - unknown} passed, {unknown} unknown"
    )
    if not passed:
        outcome.status = "failed"
    return passed


def _isolated(
    run: Run,
    connection: Connection,
    name: str,
    title: str,
    question: _Question,
) -> bool:
    """Return False when the verification itself could not be made."""
    began = time.monotonic()
    sound = True
    try:
        with answer_within(connection, run.patience(run.settings.verify.count_seconds)):
            connection.execute("SAVEPOINT rollback_tui")
            verification = question(run, connection)
    except (psycopg.Error, RollbackTuiError) as error:
        sound = False
        verification = Verification(
            name=name,
            title=title,
            verdict="unknown",
            summary=f"could not be verified: {summary_of(error)}",
        )
    if connection.broken:
        sound = False
    else:
        connection.execute("ROLLBACK TO SAVEPOINT rollback_tui")
    seconds = round(time.monotonic() - began, 4)
    run.write(
        ev.VerificationJudged(verification=msgspec.structs.replace(verification, seconds=seconds))
    )
    return sound


def _transaction(run: Run, connection: Connection) -> Verification:
    verification = judge.transaction_verification(run.xid, transaction_id(connection))
    run.escaped = run.escaped or verification.verdict == "fail"
    return verification


def _constraints(_: Run, connection: Connection) -> Verification:
    title = "Deferred constraints hold"
    try:
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.IntegrityError as error:
        return Verification(
            name="constraints", title=title, verdict="fail", summary=summary_of(error)
        )
    return Verification(
        name="constraints", title=title, verdict="pass", summary="all made immediate"
    )


def _schema(run: Run, connection: Connection) -> Verification:
    directory = run.project / run.settings.verify.baseline_directory
    recorded = baseline.load(directory, run.plan.goal or "")
    return judge.schema_verification(
        catalog.snapshot(connection),
        recorded.snapshot if recorded else None,
        _before(run).schema,
    )


def _before(run: Run) -> State:
    if run.before is None:
        raise RollbackTuiError("the state before was not captured", "")
    return run.before


def _foreign_keys(_: Run, connection: Connection) -> Verification:
    """An anti-join each: ``convalidated`` stays true when a hole is made behind its back."""
    results: list[tuple[str, int | str | None]] = []
    for key in catalog.foreign_keys(connection):
        try:
            connection.execute("SAVEPOINT rollback_tui_key")
            results.append((key.name, catalog.foreign_key_violations(connection, key)))
        except psycopg.Error as error:
            connection.execute("ROLLBACK TO SAVEPOINT rollback_tui_key")
            results.append((key.name, summary_of(error)))
    return judge.foreign_keys_verification(results)


def _indexes(run: Run, connection: Connection) -> Verification:
    return judge.indexes_verification(
        _before(run).invalid_indexes, catalog.invalid_indexes(connection)
    )


def _sequences(run: Run, connection: Connection) -> Verification:
    """``setval`` is not undone by anything, and a column that comes back has a fresh sequence."""
    behind = {s.sequence: s.describe() for s in catalog.sequences_behind(connection)}
    return judge.sequences_verification(_before(run).sequences_behind, behind)


def _version(run: Run, connection: Connection) -> Verification:
    detection = detected(connection, run.settings, run.project)
    applied = [m.version for m in history(connection, detection).applied]
    return judge.version_verification(applied, run.plan)


def _rows(run: Run, connection: Connection) -> Verification:
    before = _before(run)
    after = look(run, connection)
    verification, rows = judge.rows_verification(
        before.rows,
        after.rows,
        run.dropping,
        run.settings.verify.row_count_tolerance,
        expected_deletes(connection, run.plan, run.view, before.rows),
    )
    run.write(ev.RowsCompared(rows=rows))
    return verification


def health(run: Run) -> bool | None:
    """Ask the application, with retries, within one deadline; None: no URL is configured."""
    settings = run.settings.health
    with run.phase("health") as outcome:
        began = time.monotonic()
        tries = 0
        ok: bool | None = None
        detail = ""
        while settings.url and tries < settings.attempts:
            left = settings.deadline_seconds - (time.monotonic() - began)
            if left <= 0:
                break
            tries += 1
            answer = web.request("GET", settings.url, seconds=left)
            ok = answer.status == settings.expected_status
            detail = f"HTTP {answer.status}" if answer.status is not None else answer.text
            run.write(
                ev.Progress(phase="health", summary=detail, done=tries, total=settings.attempts)
            )
            if ok:
                break
            time.sleep(min(settings.interval_seconds, max(0.0, left)))
        if settings.url and ok is None:
            ok = False
        verification = judge.health_verification(settings.url, tries, ok, detail)
        seconds = round(time.monotonic() - began, 3)
        run.write(
            ev.VerificationJudged(
                verification=msgspec.structs.replace(verification, seconds=seconds)
            )
        )
        outcome.summary = verification.summary
        if ok is False:
            outcome.status = "failed"
        return ok


class Prober:
    """Asks the health URL about twice a second from the closing of the door to its opening, so
    that the report can say how many probes failed. It measures; it decides nothing."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._stop = threading.Event()
        self.probes = 0
        self.failed = 0
        self._thread = threading.Thread(target=self._probe_on, name="prober", daemon=True)

    def start(self) -> None:
        """Begin, when a health URL is configured."""
        if self._run.settings.health.url:
            self._thread.start()

    def stop(self) -> None:
        """Stop; returns after the last probe."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=3)

    def _probe_on(self) -> None:
        settings = self._run.settings.health
        while not self._stop.is_set():
            answer = web.request("GET", settings.url, seconds=2)
            self.probes += 1
            self.failed += answer.status != settings.expected_status
            self._stop.wait(0.5)
