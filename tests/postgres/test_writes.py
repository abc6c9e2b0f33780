"""What the server's own counters prove of one transaction, claim by claim, on real servers."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import psycopg
import pytest

from rollback_tui.core.writes import TableWrite, Writes
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.writes import flush, new_files, sight, written
from tests.conftest import Database, create_database, drop_database
from tests.demo.processes import soon

SCHEMA = """
CREATE TABLE plain (id int PRIMARY KEY, note text);
INSERT INTO plain SELECT i, 'x' FROM generate_series(1, 10) i;
CREATE UNLOGGED TABLE fleeting (id int); INSERT INTO fleeting VALUES (1);
CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 10);
CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE);
INSERT INTO child SELECT generate_series(1, 10);
CREATE TABLE parts (id int, place int) PARTITION BY LIST (place);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES IN (2);
INSERT INTO parts VALUES (1, 1), (2, 2);
CREATE MATERIALIZED VIEW summary AS SELECT count(*) AS n, 1 AS one FROM plain;
CREATE UNIQUE INDEX summary_one ON summary (one);
CREATE TABLE audited (id int); INSERT INTO audited VALUES (1);
CREATE TABLE audit (id int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.audit VALUES (OLD.id); RETURN OLD; END $$;
CREATE TRIGGER noted BEFORE DELETE ON audited FOR EACH ROW EXECUTE FUNCTION note();
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE away (id int) SERVER far;
"""


@pytest.fixture(scope="module", params=[18, 16])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    server: EmbeddedServer = request.getfixturevalue(
        "server" if request.param == 18 else "server16"
    )
    made = create_database(server)
    with psycopg.connect(made.superuser_dsn, autocommit=True) as admin:
        admin.execute(SCHEMA.encode())
    yield made
    drop_database(made)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A superuser, because some of what is tried takes one."""
    with psycopg.connect(database.superuser_dsn, autocommit=True) as made:
        yield made


def after(connection: Connection, *statements: str) -> Writes:
    """What ``statements`` wrote, in a transaction that is rolled back."""
    connection.execute("BEGIN")
    try:
        before = sight(connection)
        for statement in statements:
            connection.execute(statement.encode())
        return written(before, sight(connection))
    finally:
        connection.execute("ROLLBACK")


def told(writes: Writes) -> list[str]:
    return [write.describe() for write in writes.tables if not write.away]


CLAIMS = {
    "SELECT * FROM plain FOR UPDATE": [],
    "UPDATE plain SET note = 'x' WHERE id < 4": ["public.plain: 3 rows updated"],
    "DELETE FROM plain WHERE id = 1": ["public.plain: 1 row deleted"],
    "INSERT INTO fleeting VALUES (2)": ["public.fleeting: 1 row inserted"],
    "INSERT INTO plain VALUES (1) ON CONFLICT DO NOTHING": [],
    "DELETE FROM parent WHERE id < 3": [
        "public.child: 2 rows deleted",
        "public.parent: 2 rows deleted",
    ],
    "DELETE FROM audited": ["public.audit: 1 row inserted", "public.audited: 1 row deleted"],
    "UPDATE parts SET place = 2 WHERE place = 1": [
        "public.part_1: 1 row deleted",
        "public.part_2: 1 row inserted",
        "public.parts: 1 row inserted, 1 row deleted",
    ],
    "TRUNCATE plain": ["public.plain: truncated or written anew"],
    "ALTER TABLE plain ALTER id TYPE bigint": ["public.plain: truncated or written anew"],
    "ALTER TABLE plain ADD COLUMN more int DEFAULT 3": [],
    "ALTER TABLE plain DROP COLUMN note": [],
    "CREATE INDEX ON plain (note)": [],
    "ALTER TABLE plain RENAME TO other": [],
    "CLUSTER plain USING plain_pkey": ["public.plain: truncated or written anew"],
    "ALTER TABLE plain SET UNLOGGED": ["public.plain: truncated or written anew"],
    "REFRESH MATERIALIZED VIEW summary": [
        "public.summary: truncated or written anew, 1 row inserted"
    ],
    "REFRESH MATERIALIZED VIEW CONCURRENTLY summary": [],
    "CREATE TABLE made AS SELECT * FROM plain": ["public.made: new"],
    "DROP TABLE part_1": [
        "public.part_1: gone",
        "public.parts: partitions came, went or were written anew",
    ],
    "ALTER TABLE parts DETACH PARTITION part_1": [
        "public.parts: partitions came, went or were written anew"
    ],
    "DROP TABLE plain CASCADE": ["public.plain: gone", "public.summary: gone"],
    "MERGE INTO plain USING parent ON plain.id = parent.id AND plain.id = 5"
    " WHEN MATCHED THEN UPDATE SET note = 'm'": ["public.plain: 1 row updated"],
    "ANALYZE plain": [],
}


@pytest.mark.parametrize("statement", CLAIMS)
def test_each_kind_of_write_is_told(connection: Connection, statement: str) -> None:
    assert told(after(connection, statement)) == CLAIMS[statement]


def test_every_table_is_untouched_but_those_on_other_servers(connection: Connection) -> None:
    writes = after(connection, "SELECT 1")
    assert [(w.table, w.state, w.away) for w in writes.tables] == [("public.away", "unknown", True)]
    assert writes.untouched == 10
    assert writes.unknown == ""


def test_writes_under_replica_role_are_counted(connection: Connection) -> None:
    writes = after(
        connection,
        "SET LOCAL session_replication_role = replica",
        "DELETE FROM parent WHERE id = 1",
    )
    assert told(writes) == ["public.parent: 1 row deleted"]


def test_what_a_savepoint_took_back_stays_counted(connection: Connection) -> None:
    writes = after(
        connection,
        "SAVEPOINT one",
        "DELETE FROM plain WHERE id = 1",
        "SAVEPOINT two",
        "UPDATE plain SET note = 'y'",
        "ROLLBACK TO one",
    )
    assert told(writes) == ["public.plain: 9 rows updated, 1 row deleted"]


def test_what_a_running_savepoint_wrote_is_counted(connection: Connection) -> None:
    writes = after(connection, "SAVEPOINT one", "DELETE FROM plain WHERE id = 1", "SAVEPOINT two")
    assert told(writes) == ["public.plain: 1 row deleted"]


def test_a_truncation_that_was_taken_back_hides_no_write(connection: Connection) -> None:
    writes = after(
        connection,
        "DELETE FROM plain WHERE id = 1",
        "SAVEPOINT one",
        "TRUNCATE plain",
        "ROLLBACK TO one",
    )
    assert told(writes) == ["public.plain: 1 row deleted"]


def test_delete_all_then_truncate_in_the_file_made_here(connection: Connection) -> None:
    writes = after(connection, "TRUNCATE plain", "INSERT INTO plain VALUES (1)", "TRUNCATE plain")
    (plain,) = [w for w in writes.tables if w.table == "public.plain"]
    assert plain.state == "new file"


def test_copy_is_counted(connection: Connection) -> None:
    connection.execute("BEGIN")
    before = sight(connection)
    with connection.cursor().copy("COPY plain FROM STDIN") as copying:
        copying.write("11\tx\n12\ty\n")
    writes = written(before, sight(connection))
    connection.execute("ROLLBACK")
    assert told(writes) == ["public.plain: 2 rows inserted"]


def test_what_the_session_did_before_is_not_this_transactions_doing(
    connection: Connection,
) -> None:
    connection.execute("UPDATE plain SET note = note")
    assert told(after(connection, "UPDATE plain SET note = 'z' WHERE id = 1")) == [
        "public.plain: 1 row updated"
    ]


def test_a_concurrent_refresh_that_finds_changes_writes_rows(connection: Connection) -> None:
    writes = after(
        connection, "DELETE FROM plain", "REFRESH MATERIALIZED VIEW CONCURRENTLY summary"
    )
    assert told(writes) == [
        "public.plain: 10 rows deleted",
        "public.summary: 1 row inserted, 1 row deleted",
    ]


def test_with_counting_off_nothing_is_proven(connection: Connection) -> None:
    writes = after(connection, "SET LOCAL track_counts = off", "DELETE FROM plain")
    assert writes.unknown.startswith("track_counts is off")
    assert writes.untouched == 0
    assert {w.state for w in writes.tables} == {"unknown"}


def test_a_function_that_may_turn_counting_off_makes_it_unknown(connection: Connection) -> None:
    writes = after(
        connection,
        "CREATE FUNCTION quiet() RETURNS void LANGUAGE sql SET track_counts = off"
        " AS 'DELETE FROM public.plain'",
        "SELECT quiet()",
    )
    assert "track_counts" in writes.unknown


def test_new_files_of_indexes_are_named(connection: Connection) -> None:
    connection.execute("BEGIN")
    before = sight(connection)
    connection.execute("CREATE INDEX made ON plain (note)")
    connection.execute("REINDEX INDEX plain_pkey")
    found = new_files(before.indexes, sight(connection))
    connection.execute("ROLLBACK")
    assert sorted(found.values()) == ["public.made", "public.plain_pkey"]


def test_a_renamed_table_is_followed(connection: Connection) -> None:
    writes = after(connection, "ALTER TABLE plain RENAME TO other", "DELETE FROM other")
    (one,) = [w for w in writes.tables if not w.away]
    assert (one.before, one.table, one.state) == ("public.plain", "public.other", "written")
    assert writes.disturbed() >= {"public.plain", "public.other"}


OTHERS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_outside_a_transaction_what_was_reported_is_compared(connection: Connection) -> None:
    # What was written by a test before this one is reported when its session has ended.
    assert soon(lambda: connection.execute(OTHERS).fetchone() == (0,), 30)
    flush(connection)
    before = sight(connection, cumulative=True)
    connection.execute("UPDATE plain SET note = 'w' WHERE id = 2")
    flush(connection)
    writes = written(before, sight(connection, cumulative=True))
    assert told(writes) == ["public.plain: 1 row updated"]


def test_rows_that_only_came_leave_the_others_as_they_were() -> None:
    write = TableWrite(oid=1, table="t", before="t", state="written", inserted=3)
    assert write.only_added
    assert not msgspec.structs.replace(write, updated=1).only_added
    assert not msgspec.structs.replace(write, deleted=1).only_added
