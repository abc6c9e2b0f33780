"""The view over the runs' rows: what it shows, who may make it, and that nothing minds it."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from psycopg import sql

from rollback_tui.core.errors import ConfigurationError
from rollback_tui.postgres import catalog, history_view, run_row
from rollback_tui.postgres.connect import connect
from tests.conftest import Database
from tests.docs.pages import ROOT, fenced, text_of

RUN = "8c3038d4-f958-42d9-a6ae-3f9a1558d807"
HEAD = "17:" + "ab" * 32


def a_run(database: Database, run: str = RUN, head: str = HEAD) -> None:
    with connect(database.dsn) as connection:
        arguments = ("c0ffee", "ada", "0.1.0", ["20240202", "20240101"], head)
        assert run_row.insert(connection, run, *arguments) == ""


def made(database: Database, *, superuser: bool = False) -> bool:
    with connect(database.superuser_dsn if superuser else database.dsn) as connection:
        return history_view.create(connection, 0.2)


def test_before_the_first_run_there_is_nothing_to_look_at(database: Database) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no rollback_tui\.runs in"):
        made(database)


def test_a_row_of_the_view_is_a_run_with_types_that_a_tool_likes(database: Database) -> None:
    a_run(database)
    a_run(database, str(uuid.uuid4()), "somebody wrote nonsense")
    assert made(database)
    assert not made(database)

    connection = database.connect()
    described = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum)"
        " FROM pg_attribute WHERE attrelid = 'rollback_tui.history'::regclass AND attnum > 0"
        " ORDER BY attnum"
    ).fetchall()
    assert {name: (kind, about) for name, kind, about in described} == history_view.COLUMNS
    assert [row[0] for row in described] == list(history_view.COLUMNS)
    row = connection.execute(
        "SELECT short_id, versions_count, versions_text, first_version, one_transaction,"
        " journal_line, journal_sha256, day = (inserted_at AT TIME ZONE 'UTC')::date,"
        " extract(day FROM month) FROM rollback_tui.history WHERE run = %s",
        [RUN],
    ).fetchone()
    versions = (2, "20240202, 20240101", "20240202")
    assert row == ("8c3038d4", *versions, True, 17, "ab" * 32, True, 1)
    # What is in the table is in the view as it is.
    own = "operator, tool_version, versions, plan_sha256, statements_done, inserted_at"
    kept, seen = (
        connection.execute(f"SELECT {own} FROM rollback_tui.{name} WHERE run = '{RUN}'".encode())
        for name in ("runs", "history")
    )
    found = seen.fetchone()
    assert found is not None
    assert found == kept.fetchone()
    assert found[:4] == ("ada", "0.1.0", ["20240202", "20240101"], "c0ffee")
    lines = "SELECT count(*), count(journal_line) FROM rollback_tui.history"
    assert connection.execute(lines).fetchone() == (2, 1)


@pytest.mark.parametrize("which", ["database", "database16"])
def test_the_schema_is_the_same_with_the_view_and_the_next_row_is_written(
    which: str, request: pytest.FixtureRequest
) -> None:
    database: Database = request.getfixturevalue(which)
    with connect(database.dsn) as connection:
        without = catalog.snapshot(connection).fingerprint
    a_run(database)
    assert made(database)
    with connect(database.dsn) as connection:
        assert run_row.problem(connection) == ""
        assert catalog.snapshot(connection).fingerprint == without
    a_run(database, str(uuid.uuid4()))


def test_the_printed_script_makes_it_under_any_search_path(database: Database) -> None:
    a_run(database)
    plain = database.connect()
    plain.execute("CREATE SCHEMA hostile")
    plain.execute("CREATE FUNCTION hostile.split_part(text, text, int) RETURNS text"
                  " LANGUAGE sql AS $$SELECT 'stolen'$$")  # fmt: skip
    plain.execute("SET search_path TO hostile, pg_catalog")
    plain.execute(history_view.script(0.5).encode())
    shown = plain.execute("SELECT journal_sha256 FROM rollback_tui.history").fetchone()
    assert shown == ("ab" * 32,)
    assert plain.execute("SHOW lock_timeout").fetchone() == ("0",)


def test_nobody_else_may_read_it_unless_somebody_grants_it(database: Database) -> None:
    owner = database.connect()
    owner.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")
    a_run(database)
    made(database)
    granted = owner.execute(
        "SELECT count(*) FROM information_schema.role_table_grants"
        " WHERE table_name = 'history' AND grantee = 'PUBLIC'"
    ).fetchone()
    assert granted == (0,)


def test_what_stands_in_the_way_is_said_and_nothing_has_changed(database: Database) -> None:
    a_run(database)
    superuser = database.connect(superuser=True)
    stranger = sql.Identifier(f"stranger_{uuid.uuid4().hex[:8]}")
    superuser.execute(sql.SQL("CREATE ROLE {}").format(stranger))
    with connect(database.superuser_dsn) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(stranger))
        with pytest.raises(ConfigurationError, match="permission denied") as refused:
            history_view.create(connection, 0.2)
        assert "its owner run what `rollback-tui history view` prints" in refused.value.remedy
    superuser.execute(sql.SQL("DROP ROLE {}").format(stranger))

    owner = database.connect()
    owner.execute("CREATE VIEW rollback_tui.history AS SELECT 1 AS answer")
    with pytest.raises(ConfigurationError, match=r"history cannot be made") as another:
        made(database)
    assert "drop it" in another.value.remedy
    owner.execute("DROP VIEW rollback_tui.history")

    assert made(database)
    with psycopg.connect(database.dsn) as reader:
        reader.execute("SELECT * FROM rollback_tui.history")
        with pytest.raises(ConfigurationError, match="lock timeout"):
            made(database)
    owner.execute("SELECT * FROM rollback_tui.history")
    with connect(database.dsn) as connection:
        connection.execute("SET default_transaction_read_only TO on")
        with pytest.raises(ConfigurationError, match="read-only transaction"):
            history_view.create(connection, 0.2)


def test_every_query_of_the_page_runs(database: Database) -> None:
    a_run(database)
    made(database)
    blocks = fenced(text_of(ROOT / "docs" / "history.md"), "sql")
    assert len(blocks) >= 3
    for block in blocks:
        found = database.connect().execute(block.encode()).fetchall()
        assert found, block
