"""What an operator relies on, on each version: the tests of a run, of the ways it ends and of what
it reads from the catalog, once more; and what is measured afterwards."""

# ruff: noqa: F401 - pytest collects the tests that are imported, with the server of this directory.

from __future__ import annotations

import time

import psycopg

from rollback_tui.core.monitoring.vitals import Vitals, readings
from rollback_tui.postgres.catalog import foreign_keys
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.vitals import look
from tests.cli.conftest import Project, events, only
from tests.cli.conftest import project as project
from tests.cli.test_history import test_two_runs_their_records_decisions_and_the_view
from tests.cli.test_run import (
    test_a_recorded_schema_is_compared,
    test_a_statement_that_fails_leaves_everything_as_it_was,
    test_ctrl_c_aborts_before_commit,
    test_rolls_back_verifies_and_reports_what_was_lost,
    test_worker_and_guardian_killed_then_settle_opens_the_door,
)
from tests.conftest import Database
from tests.postgres.test_blockers import (
    ours,
    test_a_blocker_is_seen_with_all_that_is_known_and_gone_when_it_ends,
)
from tests.postgres.test_catalog import test_a_hole_made_behind_the_constraints_back_is_found
from tests.run.test_reapply_run import (
    test_the_migration_is_applied_again_and_what_was_kept_is_put_back,
)
from tests.run.test_recover_run import test_from_the_clone_and_back_again, test_from_the_dump
from tests.run.test_stepwise import test_two_drops_each_for_itself


def test_every_verification_says_yes(project: Project) -> None:
    """Foreign keys, indexes and partitions among what is verified."""
    up = (
        "CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " user_id int NOT NULL REFERENCES users, at date NOT NULL);\n"
        "CREATE TABLE parts (id int, kind text) PARTITION BY LIST (kind);\n"
        "CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');"
    )
    project.migration(
        "20240101000000",
        "users",
        "CREATE TABLE users (id int PRIMARY KEY, boss int REFERENCES users);"
        "CREATE INDEX users_boss ON users (boss);",
        "DROP TABLE users;",
    )
    assert project.command("baseline", "record").returncode == 0
    project.migration("20240202000000", "orders", up, "DROP TABLE parts;\nDROP TABLE orders;")
    done = project.here(*project.run_arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    judged = {
        e["verification"]["name"]: e["verification"]["verdict"]
        for e in only(events(done.stdout), "verification_judged")
    }
    asked = {"schema", "rows", "version", "foreign_keys", "indexes", "sequences"}
    assert {name: judged.get(name) for name in asked} == dict.fromkeys(asked, "pass")
    with connect(project.database.dsn) as connection:
        (key,) = foreign_keys(connection)
    assert key.name == "public.users.users_boss_fkey"


def test_what_is_measured_afterwards(database: Database) -> None:
    with database.connect(superuser=True) as admin:
        admin.execute("CREATE EXTENSION pg_stat_statements")
    with connect(database.dsn) as connection:
        first = _looked(connection, database)
        # What a session has counted is all there when it is gone.
        with psycopg.connect(database.dsn, autocommit=True) as shop:
            shop.execute("CREATE TABLE t (id int)")
            for number in range(40):
                shop.execute("BEGIN")
                shop.execute("SELECT count(*) FROM t WHERE id > 1")
                shop.execute("ROLLBACK" if number < 10 else "COMMIT")
        time.sleep(1.2)
        now = _looked(connection, database)
    found = {one.metric: one for one in readings(first, now)}
    assert now.statements is not None
    assert next(q.calls for q in now.statements.queries if "count(*)" in q.text) == 40
    assert found["rollbacks"].evidence[0].startswith("10 of ")
    assert found["deadlocks"].value == 0
    assert found["lock_waits"].value == 0
    assert found["longest_query"].value is not None
    if database.server.major == 13:
        assert found["query_errors"].value is None
        assert "PostgreSQL 13 does not count them" in found["query_errors"].why
    else:
        assert found["query_errors"].value == 0
    assert found["database_connections"].value is not None


def _looked(connection: Connection, database: Database) -> Vitals:
    return look(connection, database.oid, with_statements=True)
