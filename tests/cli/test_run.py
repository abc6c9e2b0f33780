"""``run``: the whole of it, without a screen."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg

import rollback_tui
from tests.cli.conftest import DOWN_1, UP_1, UP_2, Project, events, only

MAINTENANCE = """
[maintenance]
on = { flag_file = "maintenance.flag" }
off = { flag_file = "maintenance.flag" }
"""


def test_rolls_back_verifies_and_reports_what_was_lost(project: Project) -> None:
    project.two_migrations()
    project.configure(MAINTENANCE)

    done = project.command(*project.run_arguments)

    assert done.returncode == 0, done.stdout + done.stderr
    found = events(done.stdout)
    assert found[-1]["kind"] == "run_finished"
    assert found[-1]["outcome"] == "rolled_back"
    lost = [loss for event in only(found, "loss_counted") for loss in event["losses"]]
    assert sorted((loss["relation"], loss["column"], loss["count"]) for loss in lost) == [
        ("public.tokens", None, 17),
        ("public.users", "verified_at", 42),
    ]
    assert project.versions() == ["20240101000000"]
    assert project.query("SELECT count(*) FROM users") == [(200,)]
    assert project.query("SELECT to_regclass('tokens')") == [(None,)]
    assert project.connection_limit() == -1
    assert not (project.directory / "maintenance.flag").exists()
    report = Path(found[-1]["report"]).read_text()
    assert "17" in report and "42" in report
    folder = project.run_folder()
    assert (folder / "rollback.log").read_text().strip()
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_the_phases_come_in_the_order_of_the_design(project: Project) -> None:
    project.two_migrations()
    found = events(project.here(*project.run_arguments).stdout)
    assert [event["phase"] for event in only(found, "phase_finished")] == [
        "preflight",
        "checkpoint",
        "announce",
        "drain",
        "close_door",
        "execute",
        "verify",
        "gate",
        "commit",
        "open_door",
        "health",
        "aftercare",
    ]


def test_plan_and_check_say_beforehand_what_the_run_does(project: Project) -> None:
    project.two_migrations()

    plan = json.loads(project.command("plan", "--json").stdout)
    assert plan["framework"] == "dbmate"
    assert plan["current"] == "20240202000000"
    assert plan["target"] == "20240101000000"
    assert [s["sql"] for s in plan["statements"]] == [
        "DROP TABLE tokens",
        "ALTER TABLE users DROP COLUMN verified_at",
    ]
    assert [s["loses_data"] for s in plan["statements"]] == [True, True]
    assert [s["loss"][0]["count"] for s in plan["statements"]] == [17, 42]
    assert plan["version_change"] == [
        "DELETE FROM public.schema_migrations WHERE version = '20240202000000'"
    ]

    checked = project.command("check", "--json")
    checks = json.loads(checked.stdout)
    assert checked.returncode == 0, checks
    assert checks["safe"] is True
    assert {c["name"] for c in checks["checks"]} >= {
        "down_migration",
        "no_writers",
        "not_standby",
        "no_pooler",
        "checkpoint",
        "syntax",
        "target_fingerprint",
    }


def test_several_migrations_go_newest_first(project: Project) -> None:
    project.two_migrations()
    found = events(project.here(*project.run_arguments, "--steps", "2").stdout)
    assert found[-1]["outcome"] == "rolled_back"
    assert [event["version"] for event in only(found, "version_changed")] == [
        "20240202000000",
        "20240101000000",
    ]
    assert project.versions() == []
    assert project.query("SELECT to_regclass('users')") == [(None,)]


def test_to_a_version_that_stays(project: Project) -> None:
    project.two_migrations()
    found = events(project.here(*project.run_arguments, "--to", "20240101000000").stdout)
    assert found[-1]["outcome"] == "rolled_back"
    assert project.versions() == ["20240101000000"]


def test_a_statement_that_fails_leaves_everything_as_it_was(project: Project) -> None:
    project.two_migrations(
        "DROP TABLE tokens;\n-- the view below hangs on it\n"
        "ALTER TABLE users DROP COLUMN verified_at;"
    )
    project.query("SELECT 1")
    with psycopg.connect(project.database.dsn, autocommit=True) as connection:
        connection.execute("CREATE VIEW verified AS SELECT id FROM users WHERE verified_at < now()")
    project.configure(MAINTENANCE)

    done = project.here(
        *project.run_arguments, "--override", "dependents=to see the server refuse it"
    )

    assert done.returncode == 3, done.stdout + done.stderr
    found = events(done.stdout)
    failed = only(found, "statement_failed")[0]
    assert failed["index"] == 2
    assert failed["sql"] == "ALTER TABLE users DROP COLUMN verified_at"
    assert failed["sqlstate"] == "2BP01"
    assert "view verified" in failed["detail"]
    assert only(found, "unchanged_proven")[0]["proven"] is True
    assert found[-1]["outcome"] == "unchanged"
    assert project.versions() == ["20240101000000", "20240202000000"]
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
    assert project.connection_limit() == -1
    assert not (project.directory / "maintenance.flag").exists()
    assert "verified_at" in (project.run_folder() / "rollback.log").read_text()


def test_the_position_of_an_error_is_kept(project: Project) -> None:
    project.two_migrations("SELECT 1/0;\nSELECT no_such_function(1);")
    found = events(project.here(*project.run_arguments).stdout)
    assert only(found, "statement_failed")[0]["sqlstate"] == "22012"

    path = next((project.directory / "db" / "migrations").glob("20240202*"))
    path.write_text(path.read_text().replace("SELECT 1/0;\n", ""))
    found = events(project.here(*project.run_arguments).stdout)
    assert only(found, "statement_failed")[0]["position"] == 8


def test_an_empty_down_is_a_failed_check_never_a_silent_success(project: Project) -> None:
    project.two_migrations("-- irreversible")
    checked = project.here("check", "--json")
    assert checked.returncode == 1
    by_name = {c["name"]: c for c in json.loads(checked.stdout)["checks"]}
    assert by_name["down_migration"]["status"] == "fail"

    done = project.here(
        *project.run_arguments, "--override", "down_migration=nobody can override this"
    )
    assert done.returncode == 1
    assert project.versions() == ["20240101000000", "20240202000000"]


def test_transaction_control_is_refused_and_an_own_wrapper_taken_off(project: Project) -> None:
    project.two_migrations("DROP TABLE tokens;\nCOMMIT;\nDROP TABLE users;")
    assert project.here(*project.run_arguments).returncode == 1
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]

    path = next((project.directory / "db" / "migrations").glob("20240202*"))
    down = "BEGIN;\nDROP TABLE tokens;\nALTER TABLE users DROP COLUMN verified_at;\nCOMMIT;\n"
    path.write_text(path.read_text().partition("-- migrate:down")[0] + "-- migrate:down\n" + down)
    done = project.here(*project.run_arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    started = only(events(done.stdout), "run_started")[0]
    assert started["plan"]["migrations"][0]["script"]["wrapper_removed"] is True


def test_another_database_than_the_confirmed_one_is_refused(project: Project) -> None:
    project.two_migrations()
    done = project.here("run", "--confirm", "production", "--yes")
    assert done.returncode == 1
    assert "production" in done.stderr
    assert project.versions() == ["20240101000000", "20240202000000"]


def test_a_writer_that_does_not_finish_stops_the_run(project: Project) -> None:
    project.two_migrations()
    project.configure("[run]\ndrain_seconds = 2")
    writer = project.database.connect(autocommit=False, application_name="slow job")
    writer.execute("INSERT INTO users VALUES (1000, 'x')")
    time.sleep(1.1)

    done = project.here(*project.run_arguments)

    assert done.returncode == 1, done.stdout
    found = events(done.stdout)
    assert "slow job" in only(found, "waiting")[0]["summary"]
    assert "slow job" in found[-1]["summary"]
    writer.commit()
    assert project.query("SELECT count(*) FROM users") == [(201,)]


def test_an_application_that_is_not_healthy_afterwards_needs_the_operator(
    project: Project,
) -> None:
    project.two_migrations()
    project.configure('[health]\nurl = "http://127.0.0.1:9/"\nattempts = 2\ninterval_seconds = 0')
    done = project.here(*project.run_arguments)
    assert done.returncode == 5
    assert project.versions() == ["20240101000000"]
    assert events(done.stdout)[-1]["next_commands"]


def test_queries_that_fail_afterwards_need_the_operator(project: Project) -> None:
    """The application has a log and goes on asking for a column that the rollback removed."""
    project.two_migrations()
    log = project.directory / "shop.log"
    log.write_text("")
    project.configure('[health]\nwatch_seconds = 2\n[recovery]\nlog_files = ["shop.log"]')
    before = project.database.connect(application_name="shop")
    running = project.start(*project.run_arguments)
    _wait_for(project, "committed")
    deadline = time.monotonic() + 40
    while not (project.run_folder() / "report.json").exists() and time.monotonic() < deadline:
        try:
            with psycopg.connect(project.database.dsn, application_name="shop") as shop:
                shop.execute("SELECT verified_at FROM users")
        except psycopg.Error as error:
            with log.open("a") as file:
                file.write(f"ERROR in GET /: {error}\n")
        time.sleep(0.2)
    running.communicate(timeout=60)
    assert running.returncode == 5
    assert before.closed or _is_dead(before)
    end = _wait_for(project, "run_finished")[-1]
    assert end["outcome"] == "needs_operator"
    assert "queries fail" in end["summary"]
    assert "column public.users.verified_at" in end["summary"]
    assert project.versions() == ["20240101000000"]
    report = json.loads(project.command("report", "--json").stdout)
    (judged,) = [v for v in report["verifications"] if v["name"] == "query_errors"]
    assert judged["verdict"] == "fail"
    assert any("GET /" in line for line in judged["evidence"])


def test_a_second_run_of_the_same_target_is_refused(project: Project) -> None:
    project.two_migrations("SELECT pg_sleep(60);\nDROP TABLE tokens;")
    first = project.start(*project.run_arguments)
    _wait_for(project, "statement_started")
    other = project.database.server.dsn(project.database.name)
    second = project.here(*project.run_arguments, "--dsn", other)
    assert second.returncode == 1, second.stdout + second.stderr
    assert "its worker is at work" in second.stderr
    assert "rollback-tui attach" in second.stderr
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    assert first.returncode == 3


def test_ctrl_c_aborts_before_commit(project: Project) -> None:
    project.two_migrations("DROP TABLE tokens;\nSELECT pg_sleep(60);")
    run = project.start(*project.run_arguments)
    _wait_for(project, "statement_started", 2)
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=30)
    assert run.returncode == 3
    found = events(output)
    assert found[-1]["outcome"] == "unchanged"
    assert f"uid {os.getuid()}" in only(found, "abort_asked")[0]["who"]
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]


def test_a_worker_killed_in_mid_run_is_settled_and_the_door_opens(project: Project) -> None:
    project.two_migrations("DROP TABLE tokens;\nSELECT pg_sleep(600);")
    project.configure(MAINTENANCE)
    run = project.start(*project.run_arguments)
    found = _wait_for(project, "statement_started", 2)
    assert project.connection_limit() == 0
    os.kill(only(found, "run_started")[0]["worker_pid"], signal.SIGKILL)
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 3, output
    assert project.connection_limit() == -1
    assert not (project.directory / "maintenance.flag").exists()
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
    assert project.versions() == ["20240101000000", "20240202000000"]


def test_a_worker_killed_when_the_installation_is_gone_is_settled_too(
    project: Project, tmp_path: Path
) -> None:
    """As in an upgrade in mid-run, or with a file system that is away: what settles was loaded
    before the first statement."""
    installed = tmp_path / "installed"
    shutil.copytree(Path(rollback_tui.__file__).parent, installed / "rollback_tui")
    project.two_migrations("DROP TABLE tokens;\nSELECT pg_sleep(600);")
    project.configure(MAINTENANCE)
    run = project.start(*project.run_arguments, env={"PYTHONPATH": str(installed)})
    found = _wait_for(project, "statement_started", 2)
    assert project.connection_limit() == 0
    shutil.rmtree(installed)
    os.kill(only(found, "run_started")[0]["worker_pid"], signal.SIGKILL)
    run.communicate(timeout=120)
    assert _journal(project)[-1]["outcome"] == "unchanged"
    assert project.connection_limit() == -1
    assert not (project.directory / "maintenance.flag").exists()
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]


def test_worker_and_guardian_killed_then_settle_opens_the_door(project: Project) -> None:
    project.two_migrations("DROP TABLE tokens;\nSELECT pg_sleep(60);")
    project.configure(MAINTENANCE)
    run = project.start(*project.run_arguments)
    found = _wait_for(project, "statement_started", 2)
    worker = only(found, "run_started")[0]["worker_pid"]
    guardian = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(guardian, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    run.communicate(timeout=60)
    assert run.returncode == 5
    assert project.connection_limit() == 0
    listed = json.loads(project.command("history", "--json").stdout)
    assert listed[0]["outcome"] == "unfinished"

    settled = project.command("settle")

    assert settled.returncode == 3, settled.stdout + settled.stderr
    assert settled.stdout.startswith("unchanged: ")
    assert project.connection_limit() == -1
    assert not (project.directory / "maintenance.flag").exists()
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
    assert project.here("settle").returncode == 3


def test_a_run_that_goes_on_cannot_be_settled(project: Project) -> None:
    project.two_migrations("SELECT pg_sleep(60);\nDROP TABLE tokens;")
    run = project.start(*project.run_arguments)
    _wait_for(project, "statement_started")
    settled = project.here("settle")
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    assert settled.returncode == 2
    assert run.returncode == 3


def test_killing_the_terminal_does_not_touch_the_run(project: Project) -> None:
    project.two_migrations(
        "SELECT pg_sleep(2);\nDROP TABLE tokens;\nALTER TABLE users DROP COLUMN verified_at;"
    )
    terminal = project.start(*project.run_arguments)
    _wait_for(project, "statement_started")
    terminal.kill()
    terminal.communicate()
    assert _wait_for(project, "run_finished")[-1]["outcome"] == "rolled_back"
    listed = json.loads(project.here("history", "--json").stdout)
    assert [run["outcome"] for run in listed] == ["rolled_back"]
    assert "17" in project.command("report").stdout
    # Read aloud: all of it as lines, from the first event to the outcome, in any locale.
    seen = project.command("attach", "--lines", env={"PYTHONIOENCODING": "ascii"})
    assert seen.returncode == 0 and seen.stdout.isascii()
    assert (
        "COMMITTED, transaction" in seen.stdout and "rolled_back: " in seen.stdout.splitlines()[-1]
    )
    events = [json.loads(one) for one in project.here("attach", "--json").stdout.splitlines()]
    assert events[-1]["kind"] == "run_finished"


def test_applications_are_kept_out_while_it_runs_and_come_back(project: Project) -> None:
    project.two_migrations("SELECT pg_sleep(8);\nDROP TABLE tokens;")
    inside = project.database.connect(application_name="shop")
    run = project.start(*project.run_arguments)
    found = _wait_for(project, "statement_started")
    refused = ""
    try:
        psycopg.connect(project.database.dsn).close()
    except psycopg.OperationalError as error:
        refused = str(error)
    assert "not currently accepting connections" in refused
    assert only(found, "door_closed")[0]["rung"] == "rename"
    assert any("shop" in s for e in only(found, "sessions_ended") for s in e["sessions"])
    run.communicate(timeout=60)
    assert run.returncode == 0
    assert inside.broken or inside.closed or _is_dead(inside)
    psycopg.connect(project.database.dsn).close()


def _is_dead(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def _wait_for(project: Project, kind: str, count: int = 1, seconds: float = 40) -> list[dict]:  # type: ignore[type-arg]
    """Wait until the newest run's journal holds ``count`` events of this kind."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = _journal(project)
        if len(only(found, kind)) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no {kind} within {seconds} s: {[e['kind'] for e in _journal(project)]}")


def _journal(project: Project) -> list[dict]:  # type: ignore[type-arg]
    runs = project.directory / "rollback_runs"
    if not runs.is_dir() or not list(runs.glob("*/journal.jsonl")):
        return []
    text = (project.run_folder() / "journal.jsonl").read_text()
    return [json.loads(line)["event"] for line in text.splitlines() if line.endswith("}")]


def test_a_failed_verification_without_anybody_there_means_rollback(project: Project) -> None:
    """The script does all it says and more: a table that the plan does not name loses rows."""
    project.two_migrations(
        "DROP TABLE tokens;\nALTER TABLE users DROP COLUMN verified_at;\n"
        "DO $$ BEGIN DELETE FROM users WHERE id > 100; END $$;"
    )
    done = project.here(*project.run_arguments)
    assert done.returncode == 3, done.stdout + done.stderr
    found = events(done.stdout)
    rows = next(
        e["verification"]
        for e in only(found, "verification_judged")
        if e["verification"]["name"] == "rows"
    )
    assert rows["verdict"] == "fail"
    assert any("users: 200 → 100" in line for line in rows["evidence"])
    assert project.query("SELECT count(*) FROM users") == [(200,)]


def test_what_nobody_verified_is_named_and_never_called_verified(project: Project) -> None:
    project.two_migrations()
    finished = events(project.here(*project.run_arguments).stdout)[-1]
    assert finished["outcome"] == "rolled_back"
    assert "Unknown: " in finished["summary"]
    assert "verified." not in finished["summary"]


def test_a_recorded_schema_is_compared(project: Project) -> None:
    project.migration("20240101000000", "users", UP_1, DOWN_1)
    project.configure()
    assert project.command("baseline", "record").returncode == 0
    project.migration("20240202000000", "verification", UP_2, "DROP TABLE tokens;")

    done = project.here(*project.run_arguments)

    assert done.returncode == 3, done.stdout
    schema = next(
        e["verification"]
        for e in only(events(done.stdout), "verification_judged")
        if e["verification"]["name"] == "schema"
    )
    assert schema["verdict"] == "fail"
    assert any("verified_at" in line for line in schema["evidence"])


def test_a_module_of_the_project_does_not_become_ours(project: Project) -> None:
    """Guardian and worker are begun in the project's directory; the installed command is not."""
    project.two_migrations()
    for name in ("secrets", "queue", "psycopg", "msgspec"):
        text = f"raise SystemExit('the project has a {name}.py')\n"
        (project.directory / f"{name}.py").write_text(text)

    done = subprocess.run(
        [sys.executable, "-P", "-m", "rollback_tui", *project.run_arguments],
        cwd=project.directory,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert events(done.stdout)[-1]["outcome"] == "rolled_back"
