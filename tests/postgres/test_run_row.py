"""The run's own row: written in the run's transaction, or the reason why it cannot be."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import pq, sql

from rollback_tui.checkpoint import snapshot
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres import catalog, counts, run_row
from rollback_tui.postgres.connect import connect
from tests.conftest import Database, create_database, drop_database

HEAD = "17:" + "ab" * 32


@pytest.fixture(params=["server", "server16"], ids=["18", "16"])
def target(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh database on each of the servers."""
    running: EmbeddedServer = request.getfixturevalue(request.param)
    created = create_database(running)
    yield created
    drop_database(created)


def new_run() -> str:
    return str(uuid.uuid4())


def insert(connection: Any, run: str) -> str:
    return run_row.insert(connection, run, "c0ffee", "ada", "0.3.0", ["2", "1"], HEAD)


def settings(connection: Any) -> list[Any]:
    """Every setting of the session that a look-up could have changed."""
    rows = connection.execute("SELECT name, setting FROM pg_settings ORDER BY name").fetchall()
    return list(rows)


# --- where it can be written ------------------------------------------------------------------


def test_the_row_is_there_exactly_when_the_transaction_was_committed(target: Database) -> None:
    connection, other = target.connect(), target.connect()
    kept, undone = new_run(), new_run()
    for run, end in ((undone, "ROLLBACK"), (kept, "COMMIT")):
        connection.execute("BEGIN")
        assert insert(connection, run) == ""
        assert run_row.committed(connection, run)
        assert not run_row.committed(other, run)
        connection.execute(end.encode())
    assert run_row.committed(other, kept)
    assert not run_row.committed(other, undone)
    assert not run_row.committed(other, new_run())


def test_the_row_says_what_was_run_by_whom(target: Database) -> None:
    connection = target.connect()
    run = new_run()
    assert insert(connection, run) == ""
    row = connection.execute(
        "SELECT run::text, plan_sha256, operator, tool_version, versions, journal_head,"
        " statements_done, inserted_at <= now() FROM rollback_tui.runs"
    ).fetchone()
    assert row == (run, "c0ffee", "ada", "0.3.0", ["2", "1"], HEAD, None, True)
    assert run_row.head(connection, run) == HEAD
    assert run_row.head(connection, new_run()) is None


def test_nothing_is_there_before_the_first_run(target: Database) -> None:
    connection = target.connect()
    assert run_row.problem(connection) == ""
    assert not run_row.committed(connection, new_run())
    assert run_row.head(connection, new_run()) is None
    assert run_row.done(connection, new_run()) is None
    (there,) = connection.execute("SELECT to_regnamespace('rollback_tui') IS NOT NULL").fetchone()  # type: ignore[misc]
    assert not there


def test_what_it_is_and_how_to_remove_it_is_written_beside_it(target: Database) -> None:
    connection = target.connect()
    assert insert(connection, new_run()) == ""
    row = connection.execute(
        "SELECT obj_description('rollback_tui'::regnamespace),"
        " obj_description('rollback_tui.runs'::regclass)"
    ).fetchone()
    assert row is not None
    assert run_row.REMOVAL in str(row[0])
    assert "COMMIT" in str(row[1])
    connection.execute(run_row.REMOVAL.encode())
    assert run_row.problem(connection) == ""
    assert insert(connection, new_run()) == ""


def test_nobody_else_may_look_even_where_default_privileges_say_so(target: Database) -> None:
    connection = target.connect()
    connection.execute("ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO PUBLIC")
    connection.execute("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC")
    assert insert(connection, new_run()) == ""
    row = connection.execute(
        "SELECT has_schema_privilege('public', 'rollback_tui', 'USAGE'),"
        " has_table_privilege('public', 'rollback_tui.runs', 'SELECT')"
    ).fetchone()
    assert row == (False, False)


def test_how_far_a_script_came_is_kept_statement_by_statement(target: Database) -> None:
    connection, other = target.connect(), target.connect()
    run = new_run()
    assert insert(connection, run) == ""
    assert run_row.done(other, run) is None
    run_row.progress(connection, run, 1)
    assert run_row.done(other, run) == 1
    connection.execute("BEGIN")
    run_row.progress(connection, run, 2)
    connection.execute("ROLLBACK")
    assert run_row.done(other, run) == 1


def test_the_newest_row_is_the_last_one_written(target: Database) -> None:
    connection = target.connect()
    assert run_row.newest(connection) is None
    for run in (new_run(), new_run()):
        assert insert(connection, run) == ""
        assert run_row.newest(connection) == run


def test_no_setting_is_changed_and_the_lock_timeout_stays(target: Database) -> None:
    connection = target.connect()
    connection.execute("BEGIN")
    connection.execute("SET LOCAL lock_timeout = '1234ms'; SET LOCAL search_path = nowhere")
    before = settings(connection)
    assert run_row.problem(connection) == ""
    assert insert(connection, new_run()) == ""
    assert settings(connection) == before
    connection.execute("COMMIT")


def test_a_session_that_is_read_only_by_default_writes_the_row_all_the_same(
    target: Database,
) -> None:
    connection = target.connect()
    connection.execute("SET default_transaction_read_only = on")
    run = new_run()
    assert run_row.problem(connection) == ""
    assert insert(connection, run) == ""
    assert run_row.committed(connection, run)
    connection.execute("BEGIN READ WRITE")
    assert insert(connection, new_run()) == ""
    connection.execute("COMMIT")


def test_what_changes_something_is_told_before_it_is_sent(target: Database) -> None:
    connection = target.connect()
    told: list[str] = []
    arguments = ("c0ffee", "ada", "0.3.0", ["1"], HEAD)
    assert run_row.insert(connection, new_run(), *arguments, sent=told.append) == ""
    assert [text.split()[0] for text in told] == [
        *("CREATE", "REVOKE", "COMMENT"),
        *("CREATE", "REVOKE", "COMMENT", "COMMENT", "COMMENT"),
        "INSERT",
    ]
    told.clear()
    assert run_row.insert(connection, new_run(), *arguments, sent=told.append) == ""
    assert [text.split()[0] for text in told] == ["INSERT"]


def test_the_row_is_read_as_ourselves_whatever_role_a_script_took(
    target: Database, stranger: str
) -> None:
    admin, connection = target.connect(superuser=True), target.connect()
    role = sql.Identifier(stranger)
    admin.execute(sql.SQL("GRANT {} TO {}").format(role, sql.Identifier(target.owner)))
    connection.execute("BEGIN")
    run = new_run()
    assert insert(connection, run) == ""
    connection.execute(sql.SQL("SET ROLE {}").format(role))
    assert run_row.committed(connection, run)
    assert connection.execute("SELECT current_user").fetchone() == (stranger,)
    connection.execute("COMMIT")
    assert connection.execute("SELECT current_user").fetchone() == (stranger,)


def test_a_row_of_a_table_that_inherits_from_ours_decides_nothing(target: Database) -> None:
    connection = target.connect()
    assert insert(connection, new_run()) == ""
    invented = new_run()
    connection.execute("CREATE TABLE invented () INHERITS (rollback_tui.runs)")
    connection.execute(
        "INSERT INTO invented SELECT %s, plan_sha256, operator, tool_version, versions,"
        " journal_head FROM rollback_tui.runs",
        [invented],
    )
    assert not run_row.committed(connection, invented)


@pytest.mark.parametrize("path", ["hostile, pg_catalog", "pg_temp, hostile, pg_catalog", "''"])
def test_no_search_path_leads_astray(target: Database, path: str) -> None:
    """Functions, an operator and a type of the same names stand in front of the real ones."""
    connection = target.connect()
    connection.execute("CREATE SCHEMA hostile")
    for body in (
        "FUNCTION hostile.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'epoch'::timestamptz",
        "FUNCTION hostile.no(uuid, uuid) RETURNS bool LANGUAGE sql AS $$ SELECT false",
        "FUNCTION hostile.to_regclass(text) RETURNS regclass LANGUAGE sql AS $$ SELECT NULL",
        "FUNCTION hostile.has_table_privilege(oid, text) RETURNS bool LANGUAGE sql AS $$"
        " SELECT false",
    ):
        connection.execute(f"CREATE {body} $$".encode())
    connection.execute(
        "CREATE OPERATOR hostile.= (leftarg = uuid, rightarg = uuid, function = hostile.no)"
    )
    connection.execute("CREATE DOMAIN hostile.uuid AS text CHECK (false)")
    connection.execute(f"SET search_path = {path}".encode())
    run = new_run()
    assert insert(connection, run) == ""
    assert run_row.problem(connection) == ""
    assert run_row.committed(connection, run)
    run_row.progress(connection, run, 3)
    assert run_row.done(connection, run) == 3


# --- where it cannot ---------------------------------------------------------------------------


def refused(connection: Any, words: str) -> None:
    """The look-up says so, insert says so, and the transaction goes on as it was."""
    assert words in run_row.problem(connection)
    connection.execute("BEGIN")
    connection.execute("CREATE TEMPORARY TABLE earlier ON COMMIT DROP AS SELECT 1 AS one")
    before = settings(connection)
    assert words in insert(connection, new_run())
    assert connection.info.transaction_status == pq.TransactionStatus.INTRANS
    assert connection.execute("SELECT one FROM earlier").fetchone() == (1,)
    assert settings(connection) == before
    connection.execute("COMMIT")


def test_a_role_without_create_on_the_database_cannot(target: Database) -> None:
    admin = target.connect(superuser=True)
    admin.execute(sql.SQL("REASSIGN OWNED BY {} TO postgres").format(sql.Identifier(target.owner)))
    refused(target.connect(), "no CREATE on the database")


def test_a_role_with_the_privileges_on_what_a_superuser_made_can(target: Database) -> None:
    admin = target.connect(superuser=True)
    admin.execute(sql.SQL("REASSIGN OWNED BY {} TO postgres").format(sql.Identifier(target.owner)))
    assert insert(admin, new_run()) == ""
    connection = target.connect()
    refused(connection, "no USAGE on schema")
    role = sql.Identifier(target.owner)
    admin.execute(sql.SQL("GRANT USAGE ON SCHEMA rollback_tui TO {}").format(role))
    admin.execute(sql.SQL("GRANT SELECT, UPDATE ON rollback_tui.runs TO {}").format(role))
    refused(connection, "no INSERT on rollback_tui.runs")
    admin.execute(sql.SQL("GRANT INSERT ON rollback_tui.runs TO {}").format(role))
    run = new_run()
    assert insert(connection, run) == ""
    assert run_row.committed(connection, run)


@pytest.fixture
def stranger(target: Database) -> Iterator[str]:
    """A role that has nothing to do with ours, and may create schemas here."""
    name = f"stranger_{uuid.uuid4().hex[:8]}"
    admin = target.connect(superuser=True)
    admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
    yield name
    role = sql.Identifier(name)
    admin.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(role))
    admin.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.mark.parametrize("superuser", [False, True])
def test_a_schema_of_somebody_else_is_not_used_not_even_by_a_superuser(
    target: Database, stranger: str, superuser: bool
) -> None:
    admin = target.connect(superuser=True)
    admin.execute(
        sql.SQL("CREATE SCHEMA rollback_tui AUTHORIZATION {}").format(sql.Identifier(stranger))
    )
    admin.execute("GRANT ALL ON SCHEMA rollback_tui TO PUBLIC")
    refused(target.connect(superuser=superuser), f"belongs to {stranger}")


def test_a_schema_of_a_role_that_we_are_a_member_of_is_ours(
    target: Database, stranger: str
) -> None:
    admin = target.connect(superuser=True)
    group, member = sql.Identifier(stranger), sql.Identifier(target.owner)
    admin.execute(sql.SQL("GRANT {} TO {}").format(group, member))
    admin.execute(sql.SQL("CREATE SCHEMA rollback_tui AUTHORIZATION {}").format(group))
    assert insert(target.connect(), new_run()) == ""


@pytest.mark.parametrize("superuser", [False, True])
def test_a_colleague_who_may_act_for_the_owner_of_the_database_is_trusted(
    target: Database, stranger: str, superuser: bool
) -> None:
    admin = target.connect(superuser=True)
    colleague, owner = sql.Identifier(stranger), sql.Identifier(target.owner)
    admin.execute(sql.SQL("GRANT {} TO {}").format(owner, colleague))
    admin.execute(sql.SQL("SET ROLE {}").format(colleague))
    assert insert(admin, new_run()) == ""
    if superuser:
        assert insert(target.connect(superuser=True), new_run()) == ""
        return
    connection = target.connect()
    refused(connection, "no USAGE on schema")
    admin.execute(sql.SQL("GRANT USAGE ON SCHEMA rollback_tui TO {}").format(owner))
    admin.execute(sql.SQL("GRANT SELECT, INSERT, UPDATE ON rollback_tui.runs TO {}").format(owner))
    assert insert(connection, new_run()) == ""


def test_a_table_of_somebody_else_in_our_schema_is_not_used(
    target: Database, stranger: str
) -> None:
    connection, admin = target.connect(), target.connect(superuser=True)
    assert insert(connection, new_run()) == ""
    admin.execute(
        sql.SQL("ALTER TABLE rollback_tui.runs OWNER TO {}").format(sql.Identifier(stranger))
    )
    refused(connection, f"rollback_tui.runs belongs to {stranger}")


SQUATTED = {
    "trigger": (
        "CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'spied'; END $$;"
        "CREATE TRIGGER spy BEFORE INSERT ON rollback_tui.runs"
        " FOR EACH ROW EXECUTE FUNCTION public.spy()",
        "trigger spy",
    ),
    "rule": (
        "CREATE RULE swallow AS ON INSERT TO rollback_tui.runs DO INSTEAD NOTHING",
        "rule swallow",
    ),
    "policy": ("ALTER TABLE rollback_tui.runs ENABLE ROW LEVEL SECURITY", "row-level security"),
    "default": (
        "CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS"
        " $$ SELECT pg_catalog.now() $$;"
        "ALTER TABLE rollback_tui.runs ALTER inserted_at SET DEFAULT public.now()",
        "default of inserted_at",
    ),
    "check": (
        "ALTER TABLE rollback_tui.runs ADD CONSTRAINT peep CHECK (operator <> 'ada')",
        "constraint peep",
    ),
    "index": ("CREATE INDEX peep ON rollback_tui.runs (lower(operator))", "index peep"),
    "more columns": ("ALTER TABLE rollback_tui.runs ADD more text", "other columns"),
    "another type": (
        "ALTER TABLE rollback_tui.runs ALTER plan_sha256 TYPE varchar(3)",
        "other columns",
    ),
    "no key": ("ALTER TABLE rollback_tui.runs DROP CONSTRAINT runs_pkey", "other columns"),
    "unlogged": ("ALTER TABLE rollback_tui.runs SET UNLOGGED", "not an ordinary, permanent"),
    "view": (
        "ALTER TABLE rollback_tui.runs RENAME TO was;"
        "CREATE VIEW rollback_tui.runs AS SELECT * FROM rollback_tui.was",
        "not an ordinary, permanent",
    ),
}


@pytest.mark.parametrize("kind", SQUATTED)
def test_a_table_that_is_not_as_it_was_made_is_not_written(target: Database, kind: str) -> None:
    text, words = SQUATTED[kind]
    connection = target.connect()
    assert insert(connection, new_run()) == ""
    connection.execute("DELETE FROM rollback_tui.runs")
    connection.execute(text.encode())
    refused(connection, words)
    if kind != "view":
        assert connection.execute("SELECT count(*) FROM rollback_tui.runs").fetchone() == (0,)


def test_a_trigger_cannot_come_between_the_look_and_the_insert(target: Database) -> None:
    """Whoever adds one first must wait for us; whoever was there before is seen under our lock."""
    connection, other = target.connect(), target.connect()
    assert insert(connection, new_run()) == ""
    other.execute(
        "CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'spied'; END $$"
    )
    other.execute("BEGIN")
    other.execute(
        "CREATE TRIGGER spy BEFORE INSERT ON rollback_tui.runs"
        " FOR EACH ROW EXECUTE FUNCTION public.spy()"
    )
    # Not committed yet: the look-up does not see it, and inserting waits for its lock.
    connection.execute("SET lock_timeout = '200ms'")
    assert run_row.problem(connection) == ""
    assert "lock timeout" in insert(connection, new_run())
    other.execute("COMMIT")
    assert "trigger spy" in insert(connection, new_run())


@pytest.mark.parametrize("superuser", [False, True])
def test_an_event_trigger_that_refuses_ddl_leaves_the_transaction_as_it_was(
    target: Database, superuser: bool
) -> None:
    admin = target.connect(superuser=True)
    admin.execute(
        "CREATE FUNCTION public.frozen() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'schema changes are\x1b[31m frozen'; END $$"
    )
    connection = target.connect(superuser=superuser)
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE kept (id int)")
    admin.execute(
        "CREATE EVENT TRIGGER frozen ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA')"
        " EXECUTE FUNCTION public.frozen()"
    )
    run = new_run()
    assert run_row.problem(connection) == ""
    assert insert(connection, run) == "schema changes are␛[31m frozen"
    assert connection.info.transaction_status == pq.TransactionStatus.INTRANS
    assert not run_row.committed(connection, run)
    connection.execute("COMMIT")
    assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_an_event_trigger_that_adds_a_trigger_to_new_tables_does_not_get_our_row(
    target: Database,
) -> None:
    admin = target.connect(superuser=True)
    admin.execute(
        "CREATE FUNCTION public.audit() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN NULL; END $$"
    )
    admin.execute(
        "CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " CREATE TRIGGER audit BEFORE INSERT ON rollback_tui.runs"
        " FOR EACH ROW EXECUTE FUNCTION public.audit(); END $$"
    )
    admin.execute(
        "CREATE EVENT TRIGGER watching ON ddl_command_end WHEN TAG IN ('CREATE TABLE')"
        " EXECUTE FUNCTION public.watch()"
    )
    connection = target.connect()
    assert "trigger audit" in insert(connection, new_run())
    assert connection.execute("SELECT to_regnamespace('rollback_tui')").fetchone() == (None,)


def test_a_transaction_that_is_read_only_cannot(target: Database) -> None:
    connection = target.connect()
    connection.execute("BEGIN READ ONLY")
    assert run_row.problem(connection) == "the transaction is read-only"
    assert insert(connection, new_run()) == "the transaction is read-only"
    assert connection.info.transaction_status == pq.TransactionStatus.INTRANS


def test_a_publication_of_all_tables_would_stop_its_subscribers() -> None:
    """Without a logical slot nobody reads it, and it stands in nobody's way."""
    logical = EmbeddedServer(major=18, settings={"wal_level": "logical"})
    try:
        with psycopg.connect(logical.dsn(), autocommit=True) as connection:
            connection.execute("CREATE PUBLICATION everything FOR ALL TABLES")
            assert run_row.problem(connection) == ""
            connection.execute("SELECT pg_create_logical_replication_slot('one', 'pgoutput')")
            refused(connection, "publication everything publishes all tables")
    finally:
        logical.stop()


def test_a_lost_connection_is_no_reason_but_an_error(target: Database) -> None:
    connection, admin = connect(target.dsn), target.connect(superuser=True)
    connection.execute("BEGIN")
    admin.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        insert(connection, new_run())
    with pytest.raises(psycopg.OperationalError):
        run_row.problem(connection)


# --- left out ----------------------------------------------------------------------------------


def test_schema_and_rows_are_the_same_before_and_after(target: Database) -> None:
    """With the schema itself, its comments and grants, its table, index and column types."""
    connection = target.connect()
    connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
    connection.execute("COMMENT ON TABLE t IS 'kept'")

    def seen() -> tuple[Any, ...]:
        return (
            catalog.snapshot(connection),
            counts.count_all(connection, 10),
            [t.name for t in counts.tables(connection)],
        )

    before = seen()
    assert "comment on table public.t" in before[0].objects
    assert insert(connection, new_run()) == ""
    assert seen() == before


def test_no_look_at_the_catalog_goes_into_our_schema(target: Database) -> None:
    """Whatever is there: the same in schema public is found by each of these."""
    connection, admin = target.connect(), target.connect(superuser=True)

    def seen() -> tuple[Any, ...]:
        return (
            catalog.foreign_keys(connection),
            catalog.invalid_indexes(connection),
            catalog.sequences_behind(connection),
            catalog.row_security_tables(connection),
            catalog.version_table_shapes(connection, ["schema_migrations"]),
            snapshot.list_tables(connection),
        )

    for schema in ("rollback_tui", "public"):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
        connection.execute(
            f"CREATE TABLE {schema}.schema_migrations (version serial PRIMARY KEY,"
            f" parent int REFERENCES {schema}.schema_migrations);"
            f"INSERT INTO {schema}.schema_migrations VALUES (9, NULL);"
            f"CREATE INDEX broken ON {schema}.schema_migrations (parent)".encode()
        )
        connection.execute(f"CREATE TABLE {schema}.hidden (id int)".encode())
        for word in ("ENABLE", "FORCE"):
            connection.execute(f"ALTER TABLE {schema}.hidden {word} ROW LEVEL SECURITY".encode())
        admin.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass",
            [f"{schema}.broken"],
        )
        if schema == "rollback_tui":
            assert seen() == ((),) * 6
    assert all(seen())
