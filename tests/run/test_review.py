"""Ways in which a run could go on unseen, wait for ever, or say more than it knows."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import msgspec
import psycopg
import pytest

from rollback_tui.config import Settings
from rollback_tui.core import events as ev
from rollback_tui.core.errors import ConnectionFailed, RunRefused
from rollback_tui.postgres import target_lock
from rollback_tui.postgres.connect import connect, target
from rollback_tui.run import folder, journal, judgement, launch, worker
from rollback_tui.run import settle as settling
from rollback_tui.run.afterwards.statistics import refresh_statistics
from rollback_tui.run.committing import transact as transaction
from rollback_tui.run.context import Aborted, Run
from rollback_tui.run.doorway import close_door, reopen
from rollback_tui.run.execution import StatementRefused
from rollback_tui.run.preflight import checkpoint, same_history
from rollback_tui.run.request import RunRequest, operator
from rollback_tui.run.undo import undo
from rollback_tui.survey.planning import make_plan
from tests.cli.conftest import Project, events, project  # noqa: F401 - the fixture
from tests.run.test_undo import _run as opened_run
from tests.run.test_undo import begun

SETTINGS = Settings()
IMPATIENT = msgspec.structs.replace(
    SETTINGS, run=msgspec.structs.replace(SETTINGS.run, lock_timeout_seconds=0.5, lock_attempts=1)
)


@pytest.fixture
def run(project: Project) -> Iterator[Run]:  # noqa: F811
    """A run in this process, with its connections open, as after preflight."""
    project.two_migrations()
    made = opened_run(project, _request(project).plan)
    made.settings = IMPATIENT
    yield made
    made.close()
    made.control.close()
    made.journal.close()


def _request(project: Project) -> RunRequest:  # noqa: F811
    identity = str(uuid.uuid4())
    with connect(project.database.dsn) as connection:
        plan = make_plan(connection, Settings(), project.directory)
        fingerprint = target(connection).fingerprint
    return RunRequest(
        run=identity,
        folder=str(folder.create(project.directory / "rollback_runs", identity)),
        project=str(project.directory),
        dsn=project.database.dsn,
        settings=Settings(),
        plan=plan,
        fingerprint=fingerprint,
        overrides={},
        reason="a test",
        operator=operator(),
        attended=False,
    )


def _within(seconds: float, work: Callable[[], object]) -> BaseException | None:
    """Do ``work`` and return what it raised; fails when it does not end in time."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            raised.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"still going on after {seconds} s"
    return raised[0] if raised else None


def _soon(question: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if question():
            return True
        time.sleep(0.05)
    return question()


def test_a_run_that_was_reported_as_not_begun_does_not_go_on(
    project: Project,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project.two_migrations()
    request = _request(project)
    monkeypatch.setattr(launch, "_START_SECONDS", 0.0)
    with pytest.raises(RunRefused):
        launch.start(request)
    assert not _soon(lambda: project.versions() == ["20240101000000"], 8)


def test_ctrl_c_while_the_run_begins_is_an_abort(project: Project) -> None:  # noqa: F811
    project.two_migrations()
    run = project.start(*project.run_arguments)
    runs = project.directory / "rollback_runs"
    assert _soon(lambda: any(runs.glob(f"*/{folder.WORKER_LOG}")), 30)
    time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    assert run.returncode == 1
    assert not _soon(lambda: project.versions() == ["20240101000000"], 5)


def test_leaving_a_run_that_does_not_answer_is_not_called_refused(
    project: Project,  # noqa: F811
) -> None:
    project.two_migrations("SELECT pg_sleep(8);")
    run = project.start(*project.run_arguments)
    runs = project.directory / "rollback_runs"
    assert _soon(
        lambda: any(b"statement_started" in p.read_bytes() for p in runs.glob("*/journal.jsonl")),
        40,
    )
    records = journal.read(project.run_folder() / journal.FILE_NAME)
    assert isinstance(records[0].event, ev.RunStarted)
    pid = records[0].event.worker_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        run.send_signal(signal.SIGINT)
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=30)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert run.returncode == 5, said
    assert "attach" in said


def test_one_folder_is_one_run(project: Project) -> None:  # noqa: F811
    project.two_migrations("SELECT 1 / 0;")
    request = _request(project)
    worker.work(request)
    before = journal.read(project.run_folder() / journal.FILE_NAME)
    with pytest.raises(RunRefused):
        worker.work(request)
    assert journal.read(project.run_folder() / journal.FILE_NAME) == before


def test_what_somebody_rolled_back_meanwhile_is_not_rolled_back_again(
    project: Project,  # noqa: F811
) -> None:
    project.two_migrations("UPDATE users SET email = email || '!';")
    run = opened_run(project, _request(project).plan)
    project.query("DELETE FROM schema_migrations WHERE version = '20240202000000' RETURNING 1")
    try:
        outcome, summary = transaction(run, None)
    finally:
        run.close()
        run.control.close()
        run.journal.close()
    assert outcome == "needs_operator", summary
    assert "applied migrations" in summary
    assert project.query("SELECT count(*) FROM users WHERE email LIKE '%!'") == [(0,)]


def test_a_deploy_that_is_under_way_is_waited_for_and_then_seen(
    project: Project,  # noqa: F811
) -> None:
    """Its DELETE is not committed yet when we look: without a lock we would still see the row."""
    project.two_migrations("UPDATE users SET email = email || '!';")
    run = opened_run(project, _request(project).plan)
    other = project.database.connect(autocommit=False)
    other.execute("DELETE FROM schema_migrations WHERE version = '20240202000000'")
    timer = threading.Timer(1, other.commit)
    timer.start()
    try:
        outcome, summary = transaction(run, None)
    finally:
        timer.join()
        run.close()
        run.control.close()
        run.journal.close()
    assert outcome == "needs_operator", summary
    assert project.query("SELECT count(*) FROM users WHERE email LIKE '%!'") == [(0,)]


def test_what_could_not_be_cleaned_up_needs_the_operator_whatever_the_run_came_to(
    project: Project,  # noqa: F811
) -> None:
    project.two_migrations("SELECT 1 / 0;")
    project.configure(
        '[maintenance.on]\nflag_file = "closed"\n[maintenance.off]\ncommand = ["false"]'
    )
    done = project.here(*project.run_arguments)
    last = events(done.stdout)[-1]
    assert done.returncode == 5, last
    assert "maintenance mode could not be switched off" in last["summary"]
    assert last["next_commands"]


def test_statistics_are_not_waited_for_for_ever(run: Run, project: Project) -> None:  # noqa: F811
    other = project.database.connect(autocommit=False)
    other.execute("LOCK TABLE users, tokens IN SHARE UPDATE EXCLUSIVE MODE")
    assert _within(20, lambda: refresh_statistics(run)) is None


def test_a_locked_version_table_is_not_waited_for_for_ever(
    run: Run,
    project: Project,  # noqa: F811
) -> None:
    other = project.database.connect(autocommit=False)
    other.execute("LOCK TABLE schema_migrations")
    error = _within(20, lambda: same_history(run))
    assert isinstance(error, psycopg.errors.LockNotAvailable)


def test_the_door_does_not_wait_for_ever_for_another_change_of_the_database(
    run: Run,
    project: Project,  # noqa: F811
) -> None:
    with psycopg.connect(project.database.server.dsn()) as other:
        other.execute(f"ALTER DATABASE {project.database.name} CONNECTION LIMIT 7")
        error = _within(20, lambda: close_door(run))
        assert isinstance(error, psycopg.errors.LockNotAvailable)


def test_another_session_that_got_the_old_pid_is_left_alone(
    run: Run,
    project: Project,  # noqa: F811
) -> None:
    innocent = project.database.connect()
    run.backend_pid, run.backend_start = innocent.info.backend_pid, 1
    assert _within(20, lambda: judgement.wait_until_gone(run, run.backend_pid)) is None
    assert innocent.execute("SELECT 1").fetchone() == (1,)


def test_our_own_old_backend_is_waited_for(run: Run) -> None:
    mine = run.live_target()
    mine.execute("BEGIN")
    run.backend_pid, run.backend_start = mine.info.backend_pid, worker_start(mine)
    assert _within(20, lambda: judgement.wait_until_gone(run, run.backend_pid)) is None
    with pytest.raises(psycopg.OperationalError):
        mine.execute("SELECT 1")


def worker_start(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    """When the server started this backend, as the run keeps it."""
    from rollback_tui.postgres.door import backend_start

    return backend_start(connection)


def test_settling_opens_the_door_whatever_went_wrong(
    run: Run,
    project: Project,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    close = close_door(run)
    assert close is not None
    close.stop()
    run.write(ev.TransactionStarted(xid="1", backend_pid=1, attempt=1))
    run.close()
    run.control.close()
    run.journal.close()

    def broken(*_: object) -> bool:
        raise ValueError("nobody thought of this")

    monkeypatch.setattr(settling, "says_committed", broken)
    finished = settling.settle(run.request)
    assert finished.outcome == "needs_operator"
    assert project.connection_limit() == -1
    # The fixture closes these once more.
    run.journal = journal.Journal(project.directory / "spare.jsonl")


def test_an_old_run_is_not_settled_into_another_runs_door(
    run: Run,
    project: Project,  # noqa: F811
) -> None:
    keeper = close_door(run)
    assert keeper is not None
    keeper.stop()
    run.write(ev.TransactionStarted(xid="1", backend_pid=1, attempt=1))
    run.close()
    run.control.close()
    run.journal.close()
    # The lock of a run that goes on, by another worker.
    with connect(run.maintenance_dsn) as another:
        assert target_lock.take(another, project.database.name)
        with pytest.raises(RunRefused, match="another run"):
            settling.settle(run.request, alone=True)
        assert project.connection_limit() == 0
    assert settling.settle(run.request, alone=True).outcome == "unchanged"
    assert project.connection_limit() == -1
    # The fixture closes these once more.
    run.journal = journal.Journal(project.directory / "spare.jsonl")


def test_an_abort_right_after_begin_ends_unchanged(run: Run) -> None:
    connection = run.live_target()
    connection.execute("BEGIN")
    with pytest.raises(psycopg.Error):
        connection.execute("SELECT 1 / 0")
    outcome, summary = undo(run, None, Aborted())
    assert outcome == "unchanged", summary


def test_a_door_that_could_not_be_closed_has_no_keeper(run: Run) -> None:
    def full(record: ev.Record) -> None:
        if isinstance(record.event, ev.PhaseFinished):
            raise OSError(28, "No space left on device")

    run.journal.listeners.append(full)
    with pytest.raises(OSError, match="No space"):
        close_door(run)
    run.journal.listeners.remove(full)
    assert not [t for t in threading.enumerate() if t.name == "door keeper"]


def test_applications_that_come_back_at_once_do_not_stop_the_door(
    run: Run,
    project: Project,  # noqa: F811
) -> None:
    """On the lowest rung: they are ended as they come, again and again."""
    with psycopg.connect(project.database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {project.database.name} OWNER TO postgres")
    stop = threading.Event()

    def client() -> None:
        while not stop.is_set():
            try:
                with psycopg.connect(project.database.dsn) as connection:
                    while not stop.wait(0.01):
                        connection.execute("SELECT 1")
            except psycopg.Error:
                stop.wait(0.01)

    clients = [threading.Thread(target=client) for _ in range(4)]
    for thread in clients:
        thread.start()
    time.sleep(0.5)
    try:
        keeper = close_door(run)
        assert keeper is not None
        keeper.stop()
    finally:
        stop.set()
        for thread in clients:
            thread.join()
    assert run.view.door == "terminate"
    assert run.view.sessions_ended >= 4


def test_a_cancel_of_the_abort_never_hits_the_proof(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = run.live_target()
    cancel = connection.cancel_safe
    asked = threading.Event()

    def slow(*, timeout: float = 30.0) -> None:
        asked.set()
        time.sleep(0.5)
        cancel(timeout=timeout)

    monkeypatch.setattr(connection, "cancel_safe", slow)
    thread = threading.Thread(target=worker._abort, args=(run,))
    thread.start()
    assert asked.wait(5)
    run.begin_cleaning_up()
    connection.execute("SELECT pg_sleep(1)")
    thread.join()


def test_a_server_that_lets_nobody_in_is_given_up(
    run: Run,
    project: Project,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judgement, "_SERVER_SECONDS", 1.0)
    run.write(ev.DoorClosed(rung="limit", connection_limit=-1))
    run.cleaning_up = True
    with psycopg.connect(project.database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"ALTER ROLE {project.database.owner} CONNECTION LIMIT 0")
        run.close()
        error = _within(60, lambda: judgement.reach(run, None))
        admin.execute(f"ALTER ROLE {project.database.owner} CONNECTION LIMIT -1")
    assert isinstance(error, ConnectionFailed)


def test_what_was_written_since_the_checkpoint_is_not_restored_away(
    run: Run,
    project: Project,  # noqa: F811
) -> None:
    checkpoint(run)
    project.query("INSERT INTO users VALUES (9999, 'late@example.org') RETURNING 1")
    keeper = close_door(run)
    connection = begun(run)
    connection.execute("DROP TABLE tokens")
    connection.execute("COMMIT")
    run.escaped = True
    outcome, summary = undo(run, keeper, StatementRefused("the script ended the transaction", ""))
    reopen(run, keeper)
    assert outcome == "needs_operator", summary
    assert "users" in run.view.recovery[-1].summary
    assert project.query("SELECT count(*) FROM users WHERE id = 9999") == [(1,)]
