"""Down scripts that nobody should have written, run for real: what becomes of the database."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rollback_tui.core.run_view import fold
from rollback_tui.run import journal, launch
from tests.cli.conftest import DOWN_2, Project, events, only
from tests.demo.processes import soon
from tests.run.test_review import _request as request

BOTH = ["20240101000000", "20240202000000"]


def write_down(project: Project, down: bytes) -> Path:
    """Replace the newest migration's down part by these bytes."""
    (path,) = (project.directory / "db" / "migrations").glob("20240202*")
    up = path.read_bytes().partition(b"-- migrate:down")[0]
    path.write_bytes(up + b"-- migrate:down\n" + down)
    return path


def tail(done: subprocess.CompletedProcess[str]) -> str:
    """The end of what a command said."""
    return f"{done.stdout[-2500:]}\n{done.stderr[-1500:]}"


def verdict(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The last judgement on one verification."""
    judged = [e["verification"] for e in only(found, "verification_judged")]
    return [v for v in judged if v["name"] == name][-1]


def untouched(project: Project) -> None:
    """Everything is as before the run, and the door is open."""
    assert project.versions() == BOTH
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]
    assert project.query("SELECT count(verified_at) FROM users") == [(42,)]
    assert project.connection_limit() == -1


# --- transactions ---------------------------------------------------------------------------------


def test_a_procedure_that_commits_is_stopped_by_the_server(project: Project) -> None:
    project.two_migrations(f"{DOWN_2}\nCALL sneak();")
    with psycopg.connect(project.database.dsn, autocommit=True) as owner:
        owner.execute("CREATE PROCEDURE sneak() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'")
    done = project.here(*project.run_arguments)
    assert done.returncode == 3, tail(done)
    assert only(events(done.stdout), "statement_failed")[0]["sqlstate"] == "2D000"
    untouched(project)


def test_what_a_script_sets_for_its_session_decides_nothing(project: Project) -> None:
    """SET outlives COMMIT; RESET ALL does not even undo SET ROLE."""
    project.two_migrations(
        "SET search_path = nowhere;\nSET lock_timeout = 0;\nSET statement_timeout = 0;\n"
        "SET idle_in_transaction_session_timeout = 100;\nSET default_transaction_read_only = on;\n"
        "SET TimeZone = 'Asia/Kathmandu';\n"
        "DROP TABLE public.tokens;\nALTER TABLE public.users DROP COLUMN verified_at;"
    )
    project.configure('[[caches.clear]]\nsql = "INSERT INTO public.heard VALUES (1)"')
    with psycopg.connect(project.database.dsn, autocommit=True) as owner:
        owner.execute("CREATE TABLE heard (i int)")
    done = project.here(*project.run_arguments)
    assert done.returncode == 0, tail(done)
    found = events(done.stdout)
    assert verdict(found, "version")["verdict"] == "pass"
    assert verdict(found, "rows")["verdict"] == "pass"
    assert not only(found, "alarm")
    assert project.versions() == BOTH[:1]
    assert [e["ok"] for e in only(found, "hook_ran")] == [True]


def test_a_lock_timeout_of_the_script_is_not_ours(project: Project) -> None:
    project.two_migrations("SET lock_timeout = 0;\nSET SESSION lock_timeout = 0;\nCALL take_it();")
    with psycopg.connect(project.database.dsn, autocommit=True) as owner:
        owner.execute(
            "CREATE PROCEDURE take_it() LANGUAGE plpgsql AS 'BEGIN LOCK TABLE users; END'"
        )
    project.configure(
        '[run]\nlock_timeout_seconds = 0.5\nlock_attempts = 2\n[door]\nmode = "open"\n'
        "[checkpoint]\nenabled = false"
    )
    holder = project.database.connect(autocommit=False)
    holder.execute("LOCK TABLE users IN ROW EXCLUSIVE MODE")
    done = project.here(*project.run_arguments)
    holder.rollback()
    assert done.returncode == 3, tail(done)
    found = events(done.stdout)
    assert [e["attempt"] for e in only(found, "transaction_started")] == [1, 2]
    untouched(project)


def test_a_role_that_the_script_puts_on_does_not_stay(project: Project) -> None:
    """With it neither the version table could be changed nor the result be looked at."""
    project.two_migrations(f"{DOWN_2}\nSET ROLE pg_monitor;")
    done = project.here(*project.run_arguments)
    assert done.returncode == 0, tail(done)
    assert verdict(events(done.stdout), "rows")["verdict"] == "pass"
    assert project.versions() == BOTH[:1]
    assert project.connection_limit() == -1


def test_a_search_path_of_one_migration_is_not_that_of_the_next(project: Project) -> None:
    """DROP TABLE users of the older one would hit the table of the same name elsewhere."""
    project.two_migrations(f"{DOWN_2}\nSET search_path = elsewhere;")
    with psycopg.connect(project.database.dsn, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA elsewhere")
        owner.execute("CREATE TABLE elsewhere.users AS SELECT 1 AS precious")
    done = project.here(*project.run_arguments, "--steps", "2")
    assert done.returncode == 0, tail(done)
    assert project.query("SELECT precious FROM elsewhere.users") == [(1,)]
    assert project.query("SELECT to_regclass('public.users')") == [(None,)]
    assert project.versions() == []


# --- what ROLLBACK does not undo, and what constraints hide ---------------------------------------


def test_a_sequence_moved_back_is_seen_and_nobody_says_unchanged(project: Project) -> None:
    project.two_migrations(f"SELECT setval('numbers_id_seq', 1);\n{DOWN_2}")
    with psycopg.connect(project.database.dsn, autocommit=True) as owner:
        owner.execute("CREATE TABLE numbers (id serial PRIMARY KEY)")
        owner.execute("INSERT INTO numbers SELECT FROM generate_series(1, 50)")
    done = project.here(*project.run_arguments)
    found = events(done.stdout)
    assert verdict(found, "sequences")["verdict"] == "fail"
    assert done.returncode == 5, tail(done)
    proof = only(found, "unchanged_proven")[-1]
    assert proof["proven"] is False
    assert any("numbers_id_seq" in line and "setval" in line for line in proof["differences"])
    untouched(project)


def test_a_deferred_constraint_is_asked_before_the_gate(project: Project) -> None:
    project.two_migrations(f"INSERT INTO child VALUES (77);\n{DOWN_2}")
    with psycopg.connect(project.database.dsn, autocommit=True) as owner:
        owner.execute("CREATE TABLE child (id int REFERENCES users DEFERRABLE INITIALLY DEFERRED)")
        owner.execute("DELETE FROM tokens WHERE user_id = 77")
        owner.execute("DELETE FROM users WHERE id = 77")
    done = project.here(*project.run_arguments)
    assert done.returncode == 3, tail(done)
    assert verdict(events(done.stdout), "constraints")["verdict"] == "fail"
    untouched(project)


def test_a_hole_made_behind_the_foreign_keys_back_stops_the_commit(project: Project) -> None:
    """``convalidated`` stays true: only an anti-join sees it."""
    project.two_migrations(
        "SET session_replication_role = replica;\nDELETE FROM users WHERE id = 5;\n"
        "SET session_replication_role = origin;\nALTER TABLE users DROP COLUMN verified_at;"
    )
    done = project.here(*project.run_arguments, "--dsn", project.database.superuser_dsn)
    assert done.returncode == 3, tail(done)
    keys = verdict(events(done.stdout), "foreign_keys")
    assert keys["verdict"] == "fail"
    assert any("tokens_user_id_fkey" in line for line in keys["evidence"])
    untouched(project)


def test_an_event_trigger_that_refuses_is_known_before_and_undone(project: Project) -> None:
    project.two_migrations()
    with psycopg.connect(project.database.superuser_dsn, autocommit=True) as admin:
        admin.execute(
            "CREATE FUNCTION freeze() RETURNS event_trigger LANGUAGE plpgsql AS"
            " $$BEGIN RAISE EXCEPTION 'schema is frozen until Monday'; END$$"
        )
        admin.execute(
            "CREATE EVENT TRIGGER frozen ON ddl_command_start WHEN TAG IN ('ALTER TABLE')"
            " EXECUTE FUNCTION freeze()"
        )
    checks = json.loads(project.here("check", "--json").stdout)["checks"]
    foreseen = next(c for c in checks if c["name"] == "event_triggers")
    assert foreseen["status"] == "warn"
    assert any("frozen" in line for line in foreseen["evidence"])
    done = project.here(*project.run_arguments)
    assert done.returncode == 3, tail(done)
    assert "frozen until Monday" in only(events(done.stdout), "statement_failed")[0]["message"]
    with psycopg.connect(project.database.superuser_dsn, autocommit=True) as admin:
        admin.execute("DROP EVENT TRIGGER frozen")
    untouched(project)


def test_a_flood_of_notices_and_of_rows_is_capped(project: Project) -> None:
    project.two_migrations(
        "DO $$ BEGIN FOR n IN 1..20000 LOOP RAISE NOTICE 'number %', n; END LOOP; END $$;\n"
        f"SELECT repeat('x', 1000) FROM generate_series(1, 200000);\n{DOWN_2}"
    )
    done = project.here(*project.run_arguments)
    assert done.returncode == 0, tail(done)
    first, second = only(events(done.stdout), "statement_finished")[:2]
    assert first["notices"][-1] == "… and 19,980 more notices"
    assert second["rows"] == 200_000
    assert (project.run_folder() / "journal.jsonl").stat().st_size < 500_000


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("down", "said"),
    [
        (DOWN_2.encode("utf-16"), "UTF-16"),
        (b"DROP TABLE tokens; -- gr\xfc\xdfe\n", "byte 0xFC is not valid UTF-8"),
        (b"DROP TABLE tokens;\0\nDROP TABLE users;\n", "NUL byte"),
        ("DROP TABLE IF EXISTS tokens\u200b;\n".encode(), "U+200B"),
        ("DROP TABLE tokens; -- \u202e;sresu ELBAT PORD\n".encode(), "U+202E"),
    ],
    ids=["UTF-16", "Latin-1", "NUL", "zero width", "bidi"],
)
def test_bytes_that_are_not_what_they_seem_are_refused_with_their_place(
    project: Project, down: bytes, said: str
) -> None:
    project.two_migrations()
    path = write_down(project, down)
    checked = project.here("check", "--json")
    assert checked.returncode == 1, checked.stdout + checked.stderr
    found = {c["name"]: c for c in json.loads(checked.stdout)["checks"]}["script_readable"]
    assert found["status"] == "fail"
    assert said in found["summary"]
    offset = int(found["evidence"][0].partition("(byte ")[2].partition(")")[0])
    data = path.read_bytes()
    assert data[offset] >= 0x80 or data[offset] == 0
    assert project.here(*project.run_arguments).returncode == 1
    untouched(project)


@pytest.mark.parametrize("kind", ["fifo", "giant", "link out", "link to itself", "device"])
def test_a_file_that_is_no_plain_file_is_refused_at_once(project: Project, kind: str) -> None:
    project.two_migrations()
    (path,) = (project.directory / "db" / "migrations").glob("20240202*")
    _replace(path, kind)
    # A FIFO that nobody writes to and a device without an end would be read for ever.
    done = project.here(*project.run_arguments)
    assert done.returncode in (1, 2), tail(done)
    assert "Traceback" not in done.stderr
    untouched(project)


def _replace(path: Path, kind: str) -> None:
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "giant":
        with path.open("wb") as file:
            file.truncate(1 << 30)
    elif kind == "link out":
        elsewhere = path.parents[2] / "elsewhere.sql"
        elsewhere.write_text("-- migrate:up\n-- migrate:down\nDROP TABLE users;\n")
        path.symlink_to(elsewhere)
    else:
        path.symlink_to(path if kind == "link to itself" else "/dev/zero")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("fifo", "not a regular file"),
        ("giant", "larger than 16 MB"),
        ("link out", "leads out of the migrations directory"),
        ("other bytes", "has changed since it was confirmed"),
        ("gone", "is gone since it was confirmed"),
    ],
)
def test_a_file_that_changes_behind_the_confirmation_is_refused(
    project: Project, change: str, said: str
) -> None:
    project.two_migrations()
    confirmed = request(project)
    (path,) = (project.directory / "db" / "migrations").glob("20240202*")
    if change == "other bytes":
        path.write_text(path.read_text().replace("DROP TABLE tokens", "DROP TABLE users"))
    elif change == "gone":
        path.unlink()
    else:
        _replace(path, change)
    launch.start(confirmed)
    kept = Path(confirmed.folder) / journal.FILE_NAME
    assert soon(lambda: fold(journal.read(kept)).finished is not None, 30)
    finished = fold(journal.read(kept)).finished
    assert finished is not None
    assert finished.outcome == "refused"
    assert said in finished.summary
    untouched(project)
