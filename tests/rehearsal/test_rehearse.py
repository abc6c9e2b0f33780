"""A plan on a scratch database: measured, compared, and nothing of it left."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rollback_tui.checkpoint.listing import list_checkpoints
from rollback_tui.checkpoint.verify import verify
from rollback_tui.config import Settings, load
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.rehearsal import Rehearsal, Source
from rollback_tui.postgres import catalog, target_lock
from rollback_tui.postgres.connect import connect
from rollback_tui.postgres.leftovers import leftovers
from rollback_tui.postgres.naming import marked
from rollback_tui.rehearsal import rehearse
from rollback_tui.survey.planning import make_plan
from tests.cli.conftest import DOWN_1, DOWN_2, UP_1, UP_2, Project
from tests.cli.conftest import project as project
from tests.demo.processes import soon


def rehearsed(project: Project, source: Source = "schema", **options: int) -> Rehearsal:
    """Plan and rehearse; the target must be the same afterwards, and no database be left."""
    settings = settings_of(project)
    with connect(project.database.dsn) as connection:
        plan = make_plan(connection, settings, project.directory, **options)
        before = catalog.snapshot(connection)
    said: list[str] = []
    found = rehearse(
        project.database.dsn,
        settings,
        project.directory,
        plan,
        source,
        said=said.append,
        stop=threading.Event(),
    )
    with connect(project.database.dsn) as connection:
        assert catalog.snapshot(connection) == before
    assert found.removed
    assert scratch_databases(project) == []
    assert found.plan_sha256 == plan.sha256
    assert any(line.startswith("removing") for line in said)
    return found


def settings_of(project: Project) -> Settings:
    return load(project.directory / "rollback.toml")


def scratch_databases(project: Project) -> list[str]:
    with psycopg.connect(project.database.server.dsn()) as admin:
        rows = admin.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)",
            [f"{project.database.name}__rehearsal_"],
        ).fetchall()
    return [str(name) for (name,) in rows]


@pytest.fixture
def shop(project: Project) -> Project:
    """Users and tokens, two migrations."""
    project.two_migrations()
    return project


def test_from_the_schema_alone(shop: Project) -> None:
    found = rehearsed(shop, steps=2)
    assert (found.source, found.embedded, found.failure, found.proven) == ("schema", False, "", "")
    assert found.database.startswith(f"{shop.database.name}__rehearsal_")
    assert [m.index for m in found.statements] == [1, 2, 3]
    for measured in found.statements:
        assert None not in (
            measured.locks,
            measured.rewritten,
            measured.scanned,
            measured.dropped,
            measured.changed,
        )
        assert measured.transactional
        assert measured.seconds > 0
    first = found.statements[0]
    assert ("public.users", "AccessExclusive") in [(k.relation, k.mode) for k in first.locks or ()]
    assert [(d.kind, d.name) for d in first.dropped or ()] == [("table", "public.tokens")]
    third = found.statements[2]
    # What the version table's own change did is nobody's doing.
    assert third.changed == ()
    assert "schema_migrations" not in str(third.locks)
    assert found.round_trip is not None
    assert (found.round_trip.verdict, found.round_trip.differences) == ("pass", ())


def test_from_a_checkpoint_which_is_proven_by_it(shop: Project) -> None:
    found = rehearsed(shop, "dump")
    dropped, column = found.statements
    assert [(c.relation, c.deleted) for c in dropped.changed or ()] == [("public.tokens", 17)]
    assert column.scanned == ()  # counting its values is our doing, not the statement's
    (one,) = list_checkpoints(shop.directory / "rollback_checkpoints")
    assert found.proven == one.path
    assert one.proven_at is not None
    assert verify(Path(one.path)).path == one.path
    assert "proven" in shop.here("checkpoint", "list").stdout
    # What has been written since is not in the checkpoint: the same one again, and it is said.
    with psycopg.connect(shop.database.dsn) as connection:
        connection.execute("DELETE FROM tokens WHERE id <= 7")
        connection.execute("UPDATE users SET verified_at = now() WHERE id <= 50")
    again = rehearsed(shop, "dump")
    assert again.proven == one.path
    assert "written since is not in it" in again.notes[0]
    assert [line for line in again.differences if "10 had been counted" in line]
    assert [line for line in again.differences if "50 values" in line and "42" in line]


def test_from_a_copy_only_while_nobody_is_connected(shop: Project) -> None:
    with shop.database.connect(application_name="backoffice"):
        with pytest.raises(RollbackTuiError, match="backoffice") as caught:
            rehearsed(shop, "clone")
        assert "--from dump" in caught.value.remedy
    assert scratch_databases(shop) == []
    done = shop.here("rehearse", "--from", "clone", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["source"], found["failure"], found["removed"]) == ("clone", "", True)
    assert found["statements"][0]["changed"][0]["deleted"] == 17


def test_as_a_superuser_what_comes_back_has_its_owner_again(shop: Project) -> None:
    """The up scripts are applied as whoever owns the version table."""
    settings = settings_of(shop)
    with connect(shop.database.superuser_dsn) as connection:
        plan = make_plan(connection, settings, shop.directory)
    found = rehearse(
        shop.database.superuser_dsn,
        settings,
        shop.directory,
        plan,
        "clone",
        said=lambda _: None,
        stop=threading.Event(),
    )
    assert (found.failure, found.notes) == ("", ())
    assert found.round_trip is not None
    assert (found.round_trip.verdict, found.round_trip.differences) == ("pass", ())


def test_the_first_failure_ends_it(project: Project) -> None:
    project.migration("20240101000000", "users", UP_1, DOWN_1)
    down = "DROP TABLE tokens;\nALTER TABLE users DROP COLUMN nothing;\nDROP TABLE users;"
    project.migration("20240202000000", "verification", UP_2, down)
    done = project.here("rehearse")
    assert done.returncode == 1, done.stderr
    line = next(
        n for n, text in enumerate(migration_text(project).splitlines(), 1) if "noth" in text
    )
    assert f'FAILED: statement 2 (line {line}) failed: column "nothing"' in done.stdout
    assert "  3  not reached" in done.stdout
    assert "The scratch database was removed." in done.stdout
    assert scratch_databases(project) == []


def migration_text(project: Project) -> str:
    return max((project.directory / "db" / "migrations").iterdir()).read_text()


@pytest.mark.parametrize(
    ("source", "down", "summary", "difference"),
    [
        (
            "schema",
            "DROP TABLE tokens;",
            "could not be applied again, line",
            "ADD COLUMN verified_at",
        ),
        (
            "dump",
            DOWN_2 + "CREATE INDEX remnant ON users (id);",
            "1 object differs",
            "left behind: index",
        ),
    ],
)
def test_what_is_left_behind_is_said(
    project: Project, source: Source, down: str, summary: str, difference: str
) -> None:
    project.migration("20240101000000", "users", UP_1, DOWN_1)
    project.migration("20240202000000", "verification", UP_2, down)
    found = rehearsed(project, source)
    assert found.failure == ""
    assert found.round_trip is not None
    assert found.round_trip.verdict == "fail"
    assert summary in found.round_trip.summary
    assert difference in found.round_trip.differences[0]


def test_without_rows_an_up_script_that_needs_some_says_nothing(shop: Project) -> None:
    """The tokens of the second migration refer to users, of whom the schema has none."""
    found = rehearsed(shop)
    assert found.round_trip is not None
    assert found.round_trip.verdict == "unknown"
    assert "--from dump" in found.round_trip.summary


def test_a_plan_that_is_not_one_transaction(project: Project) -> None:
    project.migration("20240101000000", "users", UP_1, DOWN_1)
    project.migration(
        "20240202000000",
        "index",
        "CREATE INDEX users_email ON users (email); COMMENT ON TABLE users IS 'x';",
        "DROP INDEX CONCURRENTLY users_email;\nCOMMENT ON TABLE users IS NULL;",
    )
    found = rehearsed(project)
    assert (found.failure, found.differences) == ("", ())
    alone, inside = found.statements
    assert (alone.transactional, alone.locks, inside.transactional) == (False, None, True)
    assert [(d.kind, d.name) for d in alone.dropped or ()] == [("index", "public.users_email")]
    assert found.round_trip is not None
    assert found.round_trip.verdict == "pass"


# --- a server of our own --------------------------------------------------------------------------


def test_without_createdb_and_with_roles_on_a_server_of_our_own(shop: Project) -> None:
    name, owner = shop.database.name, shop.database.owner
    down = f"ALTER DATABASE {name} SET work_mem = '5MB';\nALTER ROLE {owner} SET work_mem = '6MB';"
    shop.migration("20240303000000", "settings", "SELECT 1;", down + "\nSELECT 1/0;")
    with psycopg.connect(shop.database.server.dsn(), autocommit=True) as admin:
        admin.execute(f"ALTER ROLE {owner} NOCREATEDB CREATEROLE".encode())
        admin.execute(f"ALTER DATABASE {name} SET search_path = public, pg_temp".encode())
    found = rehearsed(shop, "dump")
    assert (found.embedded, found.database) == (True, name)
    # PostgreSQL lets a role change settings of its own: as far as the division all went well.
    assert found.failure.startswith("statement 3 (line")
    assert "division by zero" in found.failure
    assert "changes" in found.notes[0]
    assert found.proven
    with psycopg.connect(shop.database.server.dsn()) as admin:
        rows = admin.execute("SELECT setconfig::text FROM pg_db_role_setting").fetchall()
    assert "work_mem" not in str(rows)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("COPY users TO PROGRAM 'touch /tmp/x';", "a program of the server"),
        ("DO $$ BEGIN PERFORM dblink('x', 'y'); END $$;", "it calls dblink"),
        ("DROP SUBSCRIPTION s;", "subscription"),
        ("UPDATE users SET email = 'x';", "it may set off far_away: it calls dblink_exec"),
        ("SELECT export();", "it may set off export: it calls lo_export"),
    ],
)
def test_what_reaches_beyond_is_rehearsed_nowhere(shop: Project, statement: str, why: str) -> None:
    with psycopg.connect(shop.database.dsn) as connection:
        connection.execute(
            "CREATE FUNCTION far_away() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM dblink_exec('x', 'y'); RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE FUNCTION export() RETURNS int BEGIN ATOMIC SELECT lo_export(1, '/x'); END"
        )
        connection.execute(
            "CREATE TRIGGER t AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION far_away()"
        )
    shop.migration("20240303000000", "far", "SELECT 1;", statement)
    with pytest.raises(RollbackTuiError, match="not rehearsed: statement 1") as caught:
        rehearsed(shop)
    assert why in caught.value.summary
    assert scratch_databases(shop) == []


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("TRUNCATE away;", "away: it is a table of another server"),
        ("DELETE FROM half;", "half: it shows a table of another server"),
        ("DELETE FROM upper_view;", "upper_view: it shows a table of another server"),
        ('DELETE FROM "Far away";', "Far away: it is a table of another server"),
        ("TRUNCATE users CASCADE;", "it may set off far_away: it calls dblink_exec"),
        ("CREATE FOREIGN TABLE gone (id int) SERVER far; TRUNCATE gone;", "gone: it is a table"),
        ("CREATE VIEW w AS SELECT dblink('x', 'y'); TABLE w;", "set off w: it calls dblink"),
        ("DO LANGUAGE plpython3u $$ x $$;", "written in plpython3u"),
    ],
)
def test_nothing_reaches_another_server_by_a_side_way(
    shop: Project, statement: str, why: str
) -> None:
    """A partition, a view on a view, a trigger of TRUNCATE, what the script itself makes; and what
    fills a materialised view."""
    with psycopg.connect(shop.database.superuser_dsn) as connection:
        connection.execute(
            "CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER far FOREIGN DATA WRAPPER nowhere;"
            " CREATE TABLE half (id int) PARTITION BY LIST (id);"
            " CREATE FOREIGN TABLE away PARTITION OF half FOR VALUES IN (1) SERVER far;"
            ' CREATE FOREIGN TABLE "Far away" (id int) SERVER far;'
            " CREATE VIEW lower_view AS SELECT id FROM half;"
            " CREATE VIEW upper_view AS SELECT id FROM lower_view;"
            " CREATE FUNCTION far_away() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM dblink_exec('x', 'y'); RETURN NEW; END $$;"
            " CREATE TRIGGER t AFTER TRUNCATE ON users EXECUTE FUNCTION far_away()"
        )
    shop.migration("20240303000000", "far", "SELECT 1;", statement)
    with pytest.raises(RollbackTuiError, match="not rehearsed: statement") as caught:
        rehearsed(shop)
    assert why in caught.value.summary


def test_what_a_materialised_view_would_ask_is_not_asked(shop: Project) -> None:
    with psycopg.connect(shop.database.dsn) as connection:
        connection.execute(
            "CREATE SEQUENCE asked; CREATE FUNCTION ask() RETURNS bigint LANGUAGE sql"
            " AS $$ SELECT nextval('public.asked') $$;"
            " CREATE MATERIALIZED VIEW answers AS SELECT ask()"
        )
    found = rehearsed(shop)
    assert found.failure == ""
    assert [note for note in found.notes if "public.answers is not filled" in note]


# --- nothing is left ------------------------------------------------------------------------------


@pytest.fixture
def sleeper(shop: Project) -> Iterator[Project]:
    """A plan that does not end by itself."""
    shop.migration("20240303000000", "sleeper", "SELECT 1;", "SELECT pg_sleep(600);")
    yield shop


def asleep(project: Project) -> bool:
    """Whether a scratch database has come to the statement that does not end."""
    with psycopg.connect(project.database.server.dsn()) as admin:
        rows = admin.execute(
            "SELECT FROM pg_stat_activity WHERE starts_with(datname, %s)"
            " AND wait_event = 'PgSleep'",
            [f"{project.database.name}__rehearsal_"],
        ).fetchall()
    return bool(rows)


def test_stopped_it_goes_at_once(sleeper: Project) -> None:
    running = sleeper.start("rehearse")
    assert soon(lambda: asleep(sleeper), 30)
    # While it is alive nobody takes the scratch database away.
    listed = json.loads(sleeper.here("checkpoint", "prune", "--yes", "--json").stdout)
    assert [item["kept_because"] for item in listed] == ["a rehearsal is using it"]
    running.send_signal(signal.SIGINT)
    text, _ = running.communicate(timeout=120)
    assert running.returncode == 1
    assert "FAILED: it was stopped after 0 of 1 statements" in text
    assert scratch_databases(sleeper) == []


def test_stopped_on_the_way_up_it_judges_nothing(shop: Project) -> None:
    """The cancelled statement failed because it was asked to, not because the script is wrong."""
    up = "DO $$ BEGIN IF current_database() LIKE '%\\_\\_rehearsal\\_%' THEN"
    shop.migration(
        "20240303000000", "up", f"{up} PERFORM pg_sleep(60); END IF; END $$;", "SELECT 1;"
    )
    running = shop.start("rehearse")
    assert soon(lambda: asleep(shop), 30)
    running.send_signal(signal.SIGINT)
    text, _ = running.communicate(timeout=30)
    assert "Down and up again, unknown: it was stopped on the way up" in text
    assert scratch_databases(shop) == []


def test_cut_off_from_the_server_it_still_removes_it(sleeper: Project) -> None:
    running = sleeper.start("rehearse")
    assert soon(lambda: asleep(sleeper), 30)
    with psycopg.connect(sleeper.database.server.dsn(), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'rollback_tui rehearsal' AND usename = %s",
            [sleeper.database.owner],
        )
    text, _ = running.communicate(timeout=30)
    assert running.returncode == 1
    assert "FAILED: the scratch database: terminating connection" in text
    assert "The scratch database was removed." in text
    assert scratch_databases(sleeper) == []


def test_killed_the_next_one_removes_it(sleeper: Project) -> None:
    running = sleeper.start("rehearse")
    assert soon(lambda: asleep(sleeper), 30)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate(timeout=30)
    assert len(scratch_databases(sleeper)) == 1
    path = max((sleeper.directory / "db" / "migrations").iterdir())
    path.write_text(path.read_text().replace("pg_sleep(600)", "1"))
    assert rehearsed(sleeper).failure == ""


def test_only_what_is_ours_and_not_needed_is_removed(shop: Project) -> None:
    name = shop.database.name
    ours, unmarked, used = (f"{name}__rehearsal_{n}aaaaaaa" for n in "123")
    with connect(shop.database.server.dsn("postgres", shop.database.owner)) as owner:
        for database in (ours, unmarked, used):
            owner.execute(f'CREATE DATABASE "{database}"'.encode())
            if database != unmarked:
                mark = marked("rehearsal", name, database[-8:])
                owner.execute(f"COMMENT ON DATABASE \"{database}\" IS '{mark}'".encode())
        assert target_lock.take(owner, used)
        assert {one.kind for one in leftovers(owner, name)} == {"rehearsal"}
        settings = settings_of(shop)
        with connect(shop.database.dsn) as connection:
            plan = make_plan(connection, settings, shop.directory)
        event = threading.Event()
        found = rehearse(
            shop.database.dsn,
            settings,
            Path(shop.directory),
            plan,
            "schema",
            said=lambda _: None,
            stop=event,
        )
        assert found.removed
        assert sorted(scratch_databases(shop)) == sorted([unmarked, used])
