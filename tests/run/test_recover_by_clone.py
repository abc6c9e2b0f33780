"""The clone behind the door: made, swapped in, proven, found again by another process, dropped."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from rollback_tui.checkpoint import swap
from rollback_tui.config import Settings, parse
from rollback_tui.core import events as ev
from rollback_tui.core.errors import RunRefused
from rollback_tui.core.run_view import fold
from rollback_tui.postgres.connect import connect, target
from rollback_tui.postgres.leftovers import leftovers
from rollback_tui.run import folder
from rollback_tui.run import journal as run_journal
from rollback_tui.run.cloning import clone, clone_commands, drop_clone, stop_cloning
from rollback_tui.run.context import Run
from rollback_tui.run.control import Control
from rollback_tui.run.doorway import close_door, reopen
from rollback_tui.run.execution import StatementRefused
from rollback_tui.run.preflight import checkpoint, started
from rollback_tui.run.recovery.automatic import recover
from rollback_tui.run.recovery.repair import STEPS
from rollback_tui.run.recovery.swap import settle_swap
from rollback_tui.run.request import RunRequest, operator
from rollback_tui.run.undo import undo
from rollback_tui.run.verifying.capture import capture
from rollback_tui.survey.planning import make_plan
from tests.cli.conftest import Project, events, only
from tests.conftest import Database

ALL_WELL = dict.fromkeys(STEPS, "pass")
IDENTITY = "1a2b3c4d-0000-4000-8000-00000000000a"


@pytest.fixture(params=["database", "database16"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """A project with two migrations, on PostgreSQL 18 and on 16."""
    database: Database = request.getfixturevalue(request.param)
    made = Project(tmp_path, database)
    made.two_migrations()
    return made


def settings(text: str = "") -> Settings:
    return parse(f'[checkpoint]\nclone = "wanted"\n{text}')


def begin(project: Project, used: Settings, dsn: str = "") -> Run:
    """A run as after preflight, with its connections open."""
    path = folder.create(project.directory / "rollback_runs", IDENTITY)
    with connect(project.database.dsn) as connection:
        plan = make_plan(connection, used, project.directory)
        fingerprint = target(connection).fingerprint
    request = RunRequest(
        run=IDENTITY,
        folder=str(path),
        project=str(project.directory),
        dsn=dsn or project.database.dsn,
        settings=used,
        plan=plan,
        fingerprint=fingerprint,
        overrides={},
        reason="a test",
        operator=operator(),
        attended=False,
    )
    made = _opened(request)
    made.write(started(made))
    made.open_connections()
    return made


def _opened(request: RunRequest) -> Run:
    path = Path(request.folder)
    return Run(request, run_journal.Journal(path / "journal.jsonl"), Control(request.run, path))


_ENDED: list[run_journal.Journal] = []


def end(run: Run) -> None:
    _ENDED.append(run.journal)
    run.close()
    run.control.close()
    run.journal.close()


def again(run: Run) -> Run:
    """The same run in another process: only the journal knows what happened."""
    end(run)
    later = _opened(run.request)
    later.view = fold(run_journal.read(later.journal.path))
    return later


@pytest.fixture
def run(project: Project) -> Iterator[Run]:
    """A run with a dump and a clone, behind the closed door."""
    made = begin(project, settings())
    checkpoint(made)
    # Written after the dump, before the door: only the clone has it.
    project.query("INSERT INTO tokens VALUES (18, 18) RETURNING 1")
    keeper = close_door(made)
    assert keeper is not None
    keeper.stop()  # It would end the sessions of the "other process" of some tests.
    clone(made)
    yield made
    if made.journal not in _ENDED:
        reopen(made, None)
        end(made)


def damage(run: Run) -> None:
    """What a script does that commits behind our back."""
    connection = run.live_target()
    connection.execute("BEGIN")
    run.xid, run.backend_pid = "1", connection.info.backend_pid
    capture(run, connection)
    connection.execute("DROP TABLE tokens")
    connection.execute("COMMIT")
    run.escaped = True


def databases(project: Project) -> dict[str, str | None]:
    """Comment by name, of all that begins like the target, without its name."""
    with psycopg.connect(project.database.server.dsn()) as admin:
        rows = admin.execute(
            "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database"
            " WHERE starts_with(datname, %s)",
            [project.database.name],
        ).fetchall()
    return {name.removeprefix(project.database.name): comment for name, comment in rows}


def written(run: Run) -> list[Any]:
    return [record.event for record in run_journal.read(run.journal.path)]


def test_the_copy_is_journaled_before_it_is_begun(run: Run, project: Project) -> None:
    found = written(run)
    kinds = [type(event).__name__ for event in found]
    creating = next(
        place
        for place, event in enumerate(found)
        if isinstance(event, ev.SqlSent) and "__clone_" in event.sql
    )
    assert kinds.index("CloneStarted") < creating < kinds.index("CloneMade")
    assert run.view.clone is not None
    comment = databases(project)["__clone_1a2b3c4d"]
    assert comment is not None
    assert "run 1a2b3c4d" in comment
    allow, _ = clone_commands(run)
    assert "__clone_1a2b3c4d" in allow
    assert f"psql -h {project.database.server.host} -p {project.database.server.port}" in allow


def test_a_copy_that_stands_is_not_made_again(run: Run) -> None:
    first = run.view.clone
    clone(run)
    assert run.view.clone == first


def test_after_a_good_end_it_is_dropped(run: Run, project: Project) -> None:
    drop_clone(run)
    drop_clone(run)
    assert run.view.clone is None
    assert "__clone_1a2b3c4d" not in databases(project)
    assert clone_commands(run) == ()


def test_the_clone_is_swapped_in_and_proven(run: Run, project: Project) -> None:
    damage(run)
    standing = run.view.clone
    assert standing is not None

    outcome, summary = undo(run, None, StatementRefused("it ended the transaction", ""))
    reopen(run, None)

    assert outcome == "recovered", summary
    assert {step.name: step.verdict for step in run.view.recovery} == ALL_WELL
    restored = run.view.recovery[0]
    assert "schema and rows as when the run began" in restored.summary
    assert project.query("SELECT count(*) FROM tokens") == [(18,)]
    # Renamed, and not copied once more.
    assert run.target_oid == standing.oid
    left = databases(project)
    assert set(left) == {"", "__failed_1a2b3c4d"}
    assert left[""] is None
    with connect(project.database.server.dsn()) as admin:
        (kept,) = leftovers(admin, project.database.name)
    assert (kept.kind, kept.run, kept.marked) == ("failed", "1a2b3c4d", True)
    drop_clone(run)
    assert project.query("SELECT count(*) FROM tokens") == [(18,)]


def test_another_process_recovers_by_what_the_journal_says(run: Run, project: Project) -> None:
    damage(run)
    later = again(run)
    try:
        assert recover(later)
        assert {step.name: step.verdict for step in later.view.recovery} == ALL_WELL
        reopen(later, None)
    finally:
        end(later)
    assert project.query("SELECT count(*) FROM tokens") == [(18,)]


def test_a_clone_that_is_missing_leaves_the_dump(project: Project) -> None:
    run = begin(project, settings())
    try:
        checkpoint(run)
        keeper = close_door(run)
        clone(run)
        damage(run)
        with psycopg.connect(project.database.server.dsn(), autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{project.database.name}__clone_1a2b3c4d"')
        assert recover(run)
        reopen(run, keeper)
    finally:
        end(run)
    assert {step.name: step.verdict for step in run.view.recovery} == ALL_WELL
    missing, restored, compared, swapped = run.view.recovery[0].evidence
    assert "is not there" in missing and "restored into" in restored
    assert "as the manifest says" in compared and "has taken its place" in swapped
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
    assert set(databases(project)) == {"", "__failed_1a2b3c4d"}


def test_a_row_changed_between_dump_and_door_is_not_restored_away(project: Project) -> None:
    """In a table that the plan alters, and there are as many rows as before."""
    run = begin(project, settings())
    try:
        checkpoint(run)
        project.query("UPDATE users SET email = 'changed since' WHERE id = 7 RETURNING 1")
        keeper = close_door(run)
        damage(run)
        assert not recover(run)
        reopen(run, keeper)
    finally:
        end(run)
    assert "public.users: other contents than the run found" in run.view.recovery[0].summary
    assert project.query("SELECT email FROM users WHERE id = 7") == [("changed since",)]


def test_a_swap_whose_end_was_not_journaled_is_found_in_the_catalog(
    run: Run, project: Project
) -> None:
    damage(run)
    standing, closed = run.view.clone, run.view.door_closed
    assert standing is not None and closed is not None
    kept = f"{project.database.name}__failed_1a2b3c4d"
    run.write(ev.SwapStarted(new=standing.database, new_oid=standing.oid, kept=kept))
    assert not settle_swap(run)
    run.close_target()
    swap.swap(run.maintenance_dsn, closed.renamed_to, standing.database, kept)

    later = again(run)
    try:
        assert later.target_oid != standing.oid
        assert recover(later)
        assert later.target_oid == standing.oid
        assert {step.name: step.verdict for step in later.view.recovery} == ALL_WELL
        assert later.view.recovery[0].summary == "schema and rows as when the run began"
        reopen(later, None)
    finally:
        end(later)
    assert project.query("SELECT count(*) FROM tokens") == [(18,)]


def test_what_is_not_as_before_is_not_called_recovered(run: Run, project: Project) -> None:
    damage(run)
    name = f"{project.database.name}__clone_1a2b3c4d"
    with psycopg.connect(project.database.server.dsn(), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    with psycopg.connect(project.database.server.dsn(name)) as there:
        there.execute("DELETE FROM tokens WHERE id < 5")
    outcome, _ = undo(run, None, StatementRefused("it ended the transaction", ""))
    assert outcome == "needs_operator"
    first, *others = run.view.recovery
    assert (first.name, first.verdict) == ("restore checkpoint", "fail")
    assert "tokens: 18 rows before, 14 now" in first.summary
    assert [step.verdict for step in others] == ["pass"] * 3, "it stops none of the others"


def test_a_superuser_recovers_behind_a_connection_limit(project: Project) -> None:
    used = settings('[door]\nrung = "limit"')
    run = begin(project, used, project.database.superuser_dsn)
    try:
        checkpoint(run)
        keeper = close_door(run)
        assert run.view.door == "limit"
        clone(run)
        damage(run)
        outcome, summary = undo(run, keeper, StatementRefused("it ended the transaction", ""))
        reopen(run, keeper)
    finally:
        end(run)
    assert outcome == "recovered", summary
    assert {step.name: step.verdict for step in run.view.recovery} == ALL_WELL
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
    assert project.connection_limit() == -1


def test_wanted_goes_on_without_and_required_refuses(project: Project) -> None:
    run = begin(project, settings("clone_seconds = 0.5"))
    try:
        keeper = close_door(run)
        clone(run)
        phase = next(p for p in run.view.phases if p.phase == "clone")
        assert phase.status == "skipped"
        assert "a recovery would take a pg_restore: it would take about" in phase.summary
        run.settings = replace(
            run.settings, checkpoint=replace(run.settings.checkpoint, clone="required")
        )
        with pytest.raises(RunRefused, match="no clone could be made"):
            clone(run)
        reopen(run, keeper)
    finally:
        end(run)
    assert set(databases(project)) == {""}


def test_off_is_off_unless_it_is_needed(project: Project) -> None:
    run = begin(project, Settings())
    try:
        keeper = close_door(run)
        clone(run)
        assert all(p.phase != "clone" for p in run.view.phases)
        clone(run, needed=True)
        assert run.view.clone is not None
        reopen(run, keeper)
        drop_clone(run)
    finally:
        end(run)
    assert set(databases(project)) == {""}


def test_a_copy_that_a_dead_worker_began_is_ended_and_dropped(project: Project) -> None:
    """Its backend goes on copying; until it is gone, the target cannot be renamed back."""
    run = begin(project, settings())
    name = f"{project.database.name}__clone_1a2b3c4d"
    said: list[str] = []
    sent = threading.Event()

    def copy() -> None:
        with psycopg.connect(project.database.server.dsn("postgres"), autocommit=True) as worker:
            sent.set()
            try:
                # The run's own session is inside: the server waits five seconds for it.
                worker.execute(f'CREATE DATABASE "{name}" TEMPLATE "{project.database.name}"')
            except psycopg.Error as error:
                said.append(type(error).__name__)

    try:
        run.request = replace(
            run.request, dsn=project.database.superuser_dsn
        )  # it may end a superuser's backend
        run.close()
        run.write(ev.CloneStarted(database=name, estimated_seconds=2.0, strategy="file_copy"))
        inside = project.database.connect()
        thread = threading.Thread(target=copy)
        thread.start()
        sent.wait(5)
        while not _copying(project):
            assert thread.is_alive()
        stop_cloning(run)
        thread.join(5)
        assert said == ["AdminShutdown"]
        inside.close()
        drop_clone(run)
        assert run.view.clone_started is None
    finally:
        end(run)
    assert set(databases(project)) == {""}


def _copying(project: Project) -> bool:
    with psycopg.connect(project.database.server.dsn()) as admin:
        row = admin.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
            " AND starts_with(query, 'CREATE DATABASE \"' || %s)",
            [project.database.name],
        ).fetchone()
    return row == (1,)


def test_a_worker_killed_while_it_copies_leaves_nothing(project: Project) -> None:
    """The guardian ends the copy that goes on without its worker, opens the door, and drops it."""
    with psycopg.connect(project.database.dsn, autocommit=True) as there:
        there.execute(
            "CREATE TABLE large AS"
            " SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 60000) g"
        )
    project.configure('[checkpoint]\nenabled = false\nclone = "required"\n')
    running = project.start(*project.run_arguments)
    try:
        worker = 0
        for line in running.stdout or ():
            event = json.loads(line)
            if event["kind"] == "run_started":
                worker = event["worker_pid"]
            if event["kind"] == "clone_started":
                os.kill(worker, signal.SIGKILL)
                break
        rest, _ = running.communicate(timeout=60)
    finally:
        running.kill()
    (finished,) = only(events(rest), "run_finished")
    assert finished["outcome"] == "refused", finished
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
    assert set(databases(project)) == {""}


def test_a_whole_run_with_a_clone_leaves_none(project: Project) -> None:
    project.configure('[checkpoint]\nclone = "required"\n')
    done = project.here(*project.run_arguments)
    assert done.returncode == 0, done.stderr
    found = events(done.stdout)
    assert [event["kind"] for event in found if event["kind"].startswith("clone_")] == [
        "clone_started",
        "clone_made",
        "clone_dropped",
    ]
    assert only(found, "run_finished")[0]["outcome"] == "rolled_back"
    assert set(databases(project)) == {""}
