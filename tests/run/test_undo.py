"""When something failed: nothing is restored unless something changed, and then it is proven."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rollback_tui.config import Settings
from rollback_tui.core.model import Plan
from rollback_tui.postgres.connect import Connection, connect, target, with_database
from rollback_tui.run import folder
from rollback_tui.run.committing import transact as transaction
from rollback_tui.run.context import Run
from rollback_tui.run.control import Control
from rollback_tui.run.doorway import close_door, reopen
from rollback_tui.run.execution import StatementRefused
from rollback_tui.run.journal import Journal
from rollback_tui.run.preflight import checkpoint, started
from rollback_tui.run.request import RunRequest, operator
from rollback_tui.run.undo import undo
from rollback_tui.run.verifying.capture import look
from rollback_tui.survey.planning import make_plan
from tests.cli.conftest import Project, project  # noqa: F401 - the fixture


@pytest.fixture
def run(project: Project) -> Iterator[Run]:  # noqa: F811
    """A run in this process, with its connections open, as after preflight."""
    project.two_migrations()
    with connect(project.database.dsn) as connection:
        plan = make_plan(connection, Settings(), project.directory)
    made = _run(project, plan)
    yield made
    made.close()
    made.control.close()
    made.journal.close()


def _run(project: Project, plan: Plan, dsn: str = "") -> Run:  # noqa: F811
    identity = str(uuid.uuid4())
    path = folder.create(project.directory / "rollback_runs", identity)
    with connect(project.database.dsn) as connection:
        fingerprint = target(connection).fingerprint
    request = RunRequest(
        run=identity,
        folder=str(path),
        project=str(project.directory),
        dsn=dsn or project.database.dsn,
        settings=Settings(),
        plan=plan,
        fingerprint=fingerprint,
        overrides={},
        reason="a test",
        operator=operator(),
        attended=False,
    )
    made = Run(request, Journal(path / "journal.jsonl"), Control(identity, path))
    made.write(started(made))
    made.open_connections()
    return made


def begun(run: Run) -> Connection:
    """Bring the run to where its transaction is open and has seen what is there."""
    connection = run.live_target()
    connection.execute("BEGIN")
    run.xid, run.backend_pid = "1", connection.info.backend_pid
    run.before = look(run, connection)
    return connection


def test_a_transaction_that_failed_is_rolled_back_and_nothing_is_restored(
    run: Run,
    project: Project,  # noqa: F811
) -> None:
    checkpoint(run)
    connection = begun(run)
    connection.execute("DROP TABLE tokens")

    outcome, _ = undo(run, None, StatementRefused("no", ""))

    assert outcome == "unchanged"
    assert run.view.unchanged is not None
    assert run.view.unchanged.proven
    assert run.view.recovery == ()
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]


def test_what_a_script_committed_behind_our_back_is_brought_back_from_the_checkpoint(
    run: Run,
    project: Project,  # noqa: F811
) -> None:
    checkpoint(run)
    keeper = close_door(run)
    connection = begun(run)
    connection.execute("DROP TABLE tokens")
    connection.execute("COMMIT")
    run.escaped = True

    outcome, summary = undo(run, keeper, StatementRefused("the script ended the transaction", ""))
    reopen(run, keeper)

    assert outcome == "recovered", summary
    assert [step.ok for step in run.view.recovery] == [True] * 4
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
    assert project.connection_limit() == -1
    kept = f"{project.database.name}__failed_{run.request.run[:8]}"
    with psycopg.connect(project.database.server.dsn()) as admin:
        found = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [kept]).fetchall()
    assert found == [(1,)]


def test_what_somebody_else_changed_is_never_restored_over(
    run: Run,
    project: Project,  # noqa: F811
) -> None:
    checkpoint(run)
    keeper = close_door(run)
    working = begun(run)
    behind = with_database(project.database.superuser_dsn, working.info.dbname)
    with psycopg.connect(behind) as somebody:
        somebody.execute("CREATE TABLE theirs (id int)")
    outcome, _ = undo(run, keeper, StatementRefused("no", ""))
    reopen(run, keeper)
    assert outcome == "needs_operator"
    assert run.view.recovery == ()
    assert project.query("SELECT to_regclass('theirs') IS NOT NULL") == [(True,)]


def test_without_a_checkpoint_the_operator_is_needed(run: Run) -> None:
    connection = begun(run)
    connection.execute("DROP TABLE tokens")
    connection.execute("COMMIT")
    outcome, _ = undo(run, None, StatementRefused("no", ""))
    assert outcome == "needs_operator"
    assert run.view.unchanged is not None
    assert any("tokens" in line for line in run.view.unchanged.differences)


def test_a_commit_that_slipped_through_the_checks_is_noticed(
    project: Project,  # noqa: F811
) -> None:
    """The checks refuse transaction control; should one ever not be seen, the run still is."""
    project.two_migrations("DROP TABLE tokens;\nSELECT 1;\nALTER TABLE users DROP verified_at;")
    with connect(project.database.dsn) as connection:
        plan = make_plan(connection, Settings(), project.directory)
    run = _run(project, _with_statement(plan, 2, "COMMIT"))
    try:
        checkpoint(run)
        keeper = close_door(run)
        outcome, summary = transaction(run, keeper)
        reopen(run, keeper)
    finally:
        run.close()
        run.control.close()
        run.journal.close()
    assert outcome == "recovered", summary
    assert "ended the transaction" in summary
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
    assert project.versions() == ["20240101000000", "20240202000000"]


def _with_statement(plan: Plan, index: int, text: str) -> Plan:
    import msgspec

    (migration,) = plan.migrations
    assert migration.script is not None
    statements = tuple(
        msgspec.structs.replace(s, sql=text) if s.index == index else s
        for s in migration.script.statements
    )
    script = msgspec.structs.replace(migration.script, statements=statements)
    return msgspec.structs.replace(
        plan, migrations=(msgspec.structs.replace(migration, script=script),)
    )


def test_the_server_crashes_in_mid_run(run: Run, project: Project) -> None:  # noqa: F811
    """Every backend is gone at once; the server recovers by itself, and so do we."""
    checkpoint(run)
    keeper = close_door(run)
    connection = begun(run)
    connection.execute("DROP TABLE tokens")
    _crash(project)

    outcome, summary = undo(run, keeper, StatementRefused("the server crashed", ""))
    reopen(run, keeper)

    assert outcome == "unchanged", summary
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
    assert project.connection_limit() == -1


def test_a_superuser_that_comes_back_is_not_ended_by_our_own_door(
    project: Project,  # noqa: F811
) -> None:
    """A connection limit does not stop a superuser; the door's keeper must know its own."""
    project.two_migrations()
    with connect(project.database.dsn) as connection:
        plan = make_plan(connection, Settings(), project.directory)
    run = _run(project, plan, project.database.superuser_dsn)
    try:
        keeper = close_door(run)
        working = run.live_target()
        working.execute("BEGIN")
        run.xid, run.backend_pid = "1", working.info.backend_pid
        run.before = look(run, working)
        with psycopg.connect(project.database.server.dsn(), autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", [run.backend_pid])
        outcome, summary = undo(run, keeper, StatementRefused("the connection was lost", ""))
        reopen(run, keeper)
    finally:
        run.close()
        run.control.close()
        run.journal.close()
    assert outcome == "unchanged", summary
    assert run.view.unchanged is not None
    assert "rows" in run.view.unchanged.basis


def _crash(project: Project) -> None:  # noqa: F811
    """Kill one backend with SIGKILL: the postmaster then ends all of them and recovers."""
    import os
    import signal

    with psycopg.connect(project.database.server.dsn()) as victim:
        os.kill(victim.info.backend_pid, signal.SIGKILL)


def test_the_journal_is_private(run: Run) -> None:
    for path in Path(run.request.folder).iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
