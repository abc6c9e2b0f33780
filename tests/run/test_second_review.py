"""What a second pair of eyes found in recovering, cloning and settling."""

from __future__ import annotations

import threading

import psycopg
import pytest
from msgspec.structs import replace

from rollback_tui.config import Settings
from rollback_tui.core import events as ev
from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.postgres.connect import connect
from rollback_tui.run import context
from rollback_tui.run.cloning import clone, drop_clone
from rollback_tui.run.committing import transact as transaction
from rollback_tui.run.doorway import close_door, reopen
from rollback_tui.run.judgement import shut_out
from rollback_tui.run.opening import _patience
from rollback_tui.run.preflight import checkpoint
from rollback_tui.run.recovery.swap import settle_swap
from rollback_tui.survey.planning import make_plan
from tests.cli.conftest import Project, events, only
from tests.cli.conftest import project as project
from tests.run.test_recover_by_clone import begin, databases, end, settings
from tests.run.test_undo import _run as opened_run
from tests.run.test_undo import _with_statement

CACHE = '[[caches.clear]]\ncommand = ["false"]\n'


def test_what_was_committed_behind_our_back_between_two_migrations_is_brought_back(
    project: Project,
) -> None:
    """The version table is neither as before nor as planned: that is a change, and a proven one."""
    project.two_migrations("DROP TABLE tokens;\nALTER TABLE users DROP COLUMN verified_at;")
    with connect(project.database.dsn) as connection:
        plan = make_plan(connection, Settings(), project.directory, steps=2)
    newest, oldest = plan.migrations
    assert oldest.script is not None
    (drop,) = oldest.script.statements
    script = replace(oldest.script, statements=(replace(drop, sql="COMMIT"),))
    run = opened_run(project, replace(plan, migrations=(newest, replace(oldest, script=script))))
    try:
        checkpoint(run)
        keeper = close_door(run)
        outcome, summary = transaction(run, keeper)
        reopen(run, keeper)
    finally:
        end(run)
    assert outcome == "recovered", summary
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
    assert project.versions() == ["20240101000000", "20240202000000"]


@pytest.mark.parametrize(
    ("text", "failing", "outcome"),
    [
        ("COMMIT AND CHAIN", False, "recovered"),
        ("ROLLBACK AND CHAIN", False, "unchanged"),
        ("ROLLBACK AND CHAIN", True, "unchanged"),
    ],
)
def test_a_script_that_chains_another_transaction_is_noticed(
    project: Project, text: str, failing: bool, outcome: str
) -> None:
    """The checks refuse it; should one ever not be seen, we are inside a transaction, but not in
    ours. Without the run's row nothing else would tell."""
    last = "SELECT 1 / 0;" if failing else "SELECT 1;"
    project.two_migrations(f"DROP TABLE tokens;\nSELECT 1;\n{last}")
    with connect(project.database.dsn) as connection:
        plan = make_plan(connection, Settings(), project.directory)
    run = opened_run(project, _with_statement(plan, 2, text))
    run.settings = replace(run.settings, run=replace(run.settings.run, run_row=False))
    try:
        checkpoint(run)
        keeper = close_door(run)
        ended, summary = transaction(run, keeper)
        reopen(run, keeper)
    finally:
        end(run)
    assert ended == outcome, summary
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
    assert project.versions() == ["20240101000000", "20240202000000"]


def test_a_role_without_room_is_tried_again_and_is_not_our_own_door(project: Project) -> None:
    project.two_migrations()
    database = project.database
    run = begin(project, settings())
    try:
        run.close_target()
        with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
            admin.execute(f"ALTER ROLE {database.owner} CONNECTION LIMIT 2")
        hammering = database.connect()
        threading.Timer(1, hammering.close).start()
        with pytest.raises(ConnectionFailed) as refused:
            connect(database.dsn)
        assert not shut_out(refused.value)
        assert _patience(refused.value) > 60
        assert run.live_target().execute("SELECT 1").fetchone() == (1,)
    finally:
        end(run)


def test_functions_of_the_roles_own_path_do_not_work_the_door(project: Project) -> None:
    project.two_migrations()
    database, schema = project.database, f"of_{project.database.name}"
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE SCHEMA {schema}")
        admin.execute(f"GRANT USAGE ON SCHEMA {schema} TO PUBLIC")
        admin.execute(
            f"CREATE FUNCTION {schema}.pg_terminate_backend(int) RETURNS bool"
            " LANGUAGE sql AS 'SELECT true'"
        )
        admin.execute(f"ALTER ROLE {database.owner} SET search_path = {schema}, pg_catalog, public")
        try:
            database.connect()
            done = project.here(*project.run_arguments)
        finally:
            admin.execute(f"DROP SCHEMA {schema} CASCADE")
    assert events(done.stdout)[-1]["outcome"] == "rolled_back"


def test_a_swap_whose_client_is_gone_unnoticed_is_ended(project: Project) -> None:
    """After a power failure the server waits for its client for hours, with both names locked."""
    project.two_migrations()
    run = begin(project, settings())
    try:
        keeper = close_door(run)
        assert keeper is not None
        clone(run)
        made, closed = run.view.clone, run.view.door_closed
        assert made is not None and closed is not None
        kept = f"{project.database.name}__failed_1a2b3c4d"
        run.write(ev.SwapStarted(new=made.database, new_oid=made.oid, kept=kept))
        keeper.stop()
        gone = connect(run.maintenance_dsn)
        gone.execute("BEGIN")
        gone.execute(f'ALTER DATABASE "{closed.renamed_to}" RENAME TO "{kept}"'.encode())
        gone.execute(f'ALTER DATABASE "{made.database}" RENAME TO "{closed.renamed_to}"'.encode())
        assert not settle_swap(run)
        reopen(run, None)
        drop_clone(run)
        gone.close()
    finally:
        end(run)
    assert run.view.alarms == ()
    assert set(databases(project)) == {""}


def test_copying_has_its_own_limit_not_that_of_a_statement(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "_ON_THE_WAY", 0.5)
    project.two_migrations()
    used = settings("[run]\nstatement_timeout_seconds = 1\nlock_timeout_seconds = 60\n")
    run = begin(project, used)
    let_go = threading.Event()
    try:
        keeper = close_door(run)
        with psycopg.connect(project.database.server.dsn()) as slow:
            slow.execute("LOCK TABLE pg_database IN SHARE MODE")
            threading.Timer(3, lambda: (slow.rollback(), let_go.set())).start()
            clone(run)
            assert let_go.wait(10)
        assert run.view.clone is not None
        reopen(run, keeper)
        drop_clone(run)
    finally:
        end(run)
    assert set(databases(project)) == {""}


def test_a_database_that_has_the_copys_name_is_not_ours_to_drop(project: Project) -> None:
    project.two_migrations()
    name = f"{project.database.name}__clone_1a2b3c4d"
    with connect(project.database.server.dsn("postgres", project.database.owner)) as owner:
        owner.execute(f'CREATE DATABASE "{name}"'.encode())
    run = begin(project, settings())
    try:
        keeper = close_door(run)
        clone(run)
        phase = next(p for p in run.view.phases if p.phase == "clone")
        assert "there is a database" in phase.summary
        reopen(run, keeper)
        drop_clone(run)
    finally:
        end(run)
    assert set(databases(project)) == {"", "__clone_1a2b3c4d"}


def test_the_copy_is_kept_whenever_the_operator_is_needed(project: Project) -> None:
    """Also where it is an alarm that makes a committed run need somebody."""
    project.two_migrations()
    project.configure('[checkpoint]\nclone = "wanted"\n' + CACHE)
    found = events(project.here(*project.run_arguments).stdout)
    assert found[-1]["outcome"] == "needs_operator", found[-1]
    assert len(only(found, "alarm")) == 1
    (made,) = only(found, "clone_made")
    assert any(made["database"] in command for command in found[-1]["next_commands"])
    assert made["database"].removeprefix(project.database.name) in databases(project)
