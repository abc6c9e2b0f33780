"""Where keeping and giving back meet what others did, and what cannot be kept at all."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Migration, Plan, Script, Statement, Touched
from rollback_tui.core.outlook import Keepable
from rollback_tui.postgres import archive
from rollback_tui.postgres.archive import ArchiveError
from rollback_tui.postgres.archive.cost import keepable
from rollback_tui.postgres.archive.restore import restore
from rollback_tui.postgres.archive.source import sources
from tests.conftest import Database
from tests.postgres.archiving import Connection, Judge, roll_back, rows, statements
from tests.postgres.archiving import judge as judge

TABLES = """
CREATE SCHEMA s;
SET search_path = s;
CREATE TYPE state AS ENUM ('new', 'old');
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, state state DEFAULT 'new');
CREATE TABLE orders (id int PRIMARY KEY, owner int REFERENCES users ON DELETE CASCADE);
CREATE TABLE lines (id int, place int REFERENCES orders ON DELETE CASCADE, PRIMARY KEY (id, place));
CREATE TABLE notes (id int PRIMARY KEY, about int REFERENCES users ON DELETE SET NULL);
INSERT INTO users SELECT i, 'n' || i FROM generate_series(1, 9) i;
INSERT INTO orders SELECT i, i FROM generate_series(1, 9) i;
INSERT INTO lines SELECT i, i FROM generate_series(1, 9) i;
INSERT INTO notes SELECT i, i FROM generate_series(1, 9) i;
"""


@pytest.fixture
def connection(database: Database) -> Connection:
    made = database.connect()
    made.execute(TABLES.encode())
    return made


def newest(connection: Connection) -> archive.Archive:
    return archive.archives(connection)[0]


# --- rows that a statement chooses ----------------------------------------------------------------

DELETE = "DELETE FROM users WHERE id <= 3"
UPDATE = "UPDATE users SET name = name || '!', state = 'old' WHERE id > 5"
TOUCHED = {
    1: Touched(relation="users", count="", rows="SELECT users.* FROM users WHERE id <= 3"),
    2: Touched(relation="users", count="", rows="SELECT users.* FROM users WHERE id > 5"),
}


def test_deleted_rows_come_back_with_those_that_went_along(
    connection: Connection, judge: Judge
) -> None:
    before = rows(connection, "s")
    roll_back(connection, statements(judge, [DELETE, UPDATE], TOUCHED))
    result = restore(connection, newest(connection))
    left = {one.item.describe(): one.left for one in result.items}
    assert left == {
        "3 rows of s.users": 0,
        "3 rows of s.orders": 0,
        "3 rows of s.lines": 0,
        "3 changed rows of s.notes": 3,
        "4 changed rows of s.users": 4,
    }
    now = rows(connection, "s")
    assert (now["orders"], now["lines"]) == (before["orders"], before["lines"])
    assert now["users"] != before["users"]

    again = restore(connection, newest(connection), write_back=True)
    assert [one.written for one in again.items] == [0, 0, 0, 3, 4]
    assert rows(connection, "s") == before


def test_who_calls_what_may_answer_otherwise_is_not_kept(
    connection: Connection, judge: Judge
) -> None:
    rows_of = "SELECT users.* FROM users WHERE random() < 0.5"
    touched = {1: Touched(relation="users", count="", rows=rows_of, calls=("random",))}
    (one,) = costs(connection, statements(judge, ["DELETE FROM users"], touched))
    assert "calls random" in one.obstacle


def test_a_change_of_type_is_written_back_only_when_asked(
    connection: Connection, judge: Judge
) -> None:
    before = rows(connection, "s")
    narrow = "ALTER TABLE users ALTER COLUMN name TYPE varchar(1) USING left(name, 1)"
    roll_back(connection, statements(judge, [narrow]))
    connection.execute("ALTER TABLE users ALTER COLUMN name TYPE text")
    (one,) = restore(connection, newest(connection)).items
    assert (one.written, one.left) == (0, 9)
    (one,) = restore(connection, newest(connection), write_back=True).items
    assert (one.written, one.left) == (9, 0)
    assert rows(connection, "s") == before


# --- what somebody did since ----------------------------------------------------------------------


def test_what_was_written_since_is_not_overwritten_unasked(
    connection: Connection, judge: Judge
) -> None:
    before = rows(connection, "s")
    roll_back(connection, statements(judge, ["DROP TABLE lines", "ALTER TABLE users DROP name"]))
    with pytest.raises(ArchiveError) as missing:
        restore(connection, newest(connection))
    assert "s.lines" in missing.value.summary and "s.users.name" in missing.value.summary
    connection.execute(
        "CREATE TABLE lines (id int, place int, PRIMARY KEY (id, place),"
        " seen bool DEFAULT false);"
        "INSERT INTO lines VALUES (1, 1); DELETE FROM users WHERE id = 9;"
        "ALTER TABLE users ADD name text; UPDATE users SET name = 'mine' WHERE id IN (1, 2)"
    )
    connection.execute("ALTER TABLE lines DROP seen")
    was = rows(connection, "s")
    with pytest.raises(ArchiveError, match=r"2 rows of s\.users have another value"):
        restore(connection, newest(connection))
    assert rows(connection, "s") == was

    result = restore(connection, newest(connection), overwrite=True)
    assert [(one.written, one.there, one.gone) for one in result.items] == [(8, 1, 0), (8, 0, 1)]
    assert connection.execute("SELECT string_agg(name, ' ' ORDER BY id) FROM users").fetchone() == (
        "n1 n2 n3 n4 n5 n6 n7 n8",
    )
    assert rows(connection, "s")["lines"] == before["lines"]


def test_kept_rows_that_are_there_otherwise_are_refused(
    connection: Connection, judge: Judge
) -> None:
    before = rows(connection, "s")
    roll_back(connection, statements(judge, ["TRUNCATE users CASCADE"]))
    connection.execute("INSERT INTO users VALUES (1, 'n1', 'new'), (2, 'other', 'old')")
    with pytest.raises(ArchiveError, match=r"1 of the kept rows of s\.users are there with other"):
        restore(connection, newest(connection))
    assert rows(connection, "s")["orders"] == []
    restore(connection, newest(connection), overwrite=True)
    assert rows(connection, "s") == before


def test_without_a_key_all_or_none_may_be_there(connection: Connection, judge: Judge) -> None:
    connection.execute("CREATE TABLE bag (v text); INSERT INTO bag VALUES ('a'), ('a'), ('b')")
    roll_back(connection, statements(judge, ["TRUNCATE bag"]))
    connection.execute("INSERT INTO bag VALUES ('a')")
    with pytest.raises(ArchiveError, match="has no key"):
        restore(connection, newest(connection))
    connection.execute("TRUNCATE bag")
    (one,) = restore(connection, newest(connection)).items
    assert (one.written, rows(connection, "s")["bag"]) == (3, ["(a)", "(a)", "(b)"])


# --- the table's own ways -------------------------------------------------------------------------


def test_triggers_do_not_fire_and_are_as_before(connection: Connection, judge: Judge) -> None:
    connection.execute(
        """CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE 'fired'; END $$;
           CREATE TRIGGER t1 BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION no();
           CREATE TRIGGER t2 AFTER INSERT ON orders EXECUTE FUNCTION no();
           CREATE TRIGGER t3 AFTER INSERT ON orders EXECUTE FUNCTION no();
           ALTER TABLE orders ENABLE ALWAYS TRIGGER t2; ALTER TABLE orders DISABLE TRIGGER t3"""
    )
    enabled = "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    before = connection.execute(enabled).fetchall()
    roll_back(connection, statements(judge, ["TRUNCATE orders CASCADE"]))
    result = restore(connection, newest(connection))
    assert result.silenced == ("t1 on s.orders", "t2 on s.orders")
    assert connection.execute(enabled).fetchall() == before
    assert len(rows(connection, "s")["orders"]) == 9


def test_columns_of_every_kind_come_back_also_when_their_table_goes_too(
    connection: Connection, judge: Judge
) -> None:
    up = """
    CREATE TABLE things (a int, b int, PRIMARY KEY (a, b));
    INSERT INTO things SELECT i, i FROM generate_series(1, 5) i;
    ALTER TABLE things ADD must text; UPDATE things SET must = 'm' || a;
    ALTER TABLE things ALTER must SET NOT NULL;
    ALTER TABLE things ADD number bigint GENERATED ALWAYS AS IDENTITY (START 100);
    ALTER TABLE things ADD twice int GENERATED ALWAYS AS (a * 2) STORED;
    ALTER TABLE things ADD later timestamptz NOT NULL DEFAULT '2024-01-01';
    """
    fill = "INSERT INTO things SELECT i, i FROM generate_series(1, 5) i;"
    connection.execute(up.encode())
    connection.execute("UPDATE things SET later = now() WHERE a = 2")
    before = rows(connection, "s")
    down = [
        "ALTER TABLE things DROP must, DROP number, DROP twice",
        "ALTER TABLE things DROP COLUMN later",
        "DROP TABLE things",
    ]
    roll_back(connection, statements(judge, down))
    connection.execute(up.replace(fill, "").encode())
    restore(connection, newest(connection))
    assert rows(connection, "s") == before
    assert connection.execute(
        "INSERT INTO things (a, b, must) VALUES (9, 9, '') RETURNING number"
    ).fetchone() == (105,)


# --- in the script's session ----------------------------------------------------------------------


def test_the_session_of_the_script_is_as_it_was(database: Database, judge: Judge) -> None:
    other = f"{database.owner}_other"
    with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
        admin.execute(TABLES.encode())
        admin.execute(
            sql.SQL("CREATE ROLE {0}; GRANT USAGE ON SCHEMA s TO {0}").format(sql.Identifier(other))
        )
        try:
            shown = "SELECT current_user, current_setting('search_path'),"
            shown += " current_setting('DateStyle'), current_setting('row_security')"
            admin.execute("SET search_path = s, public; SET DateStyle = 'German'")
            admin.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(other)))
            before = admin.execute(shown).fetchone()
            with admin.transaction():
                script = statements(judge, ["TRUNCATE lines"])
                origin = archive.Origin(
                    run="0" * 8 + "-0000-4000-8000-000000000000",
                    tool_version="test",
                    version="1",
                    script_sha256="",
                )
                found = sources(admin, script[0])
                archive.make(
                    admin, script[0], found, origin, lambda t: admin.execute(t.encode()).rowcount
                )
                assert admin.execute(shown).fetchone() == before
            admin.execute("RESET ROLE")
            assert [item.rows for item in newest(admin).items] == [9]
        finally:
            admin.execute("RESET ROLE")
            admin.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(other)))


# --- what cannot be kept --------------------------------------------------------------------------


def costs(connection: Connection, script: list[Statement]) -> tuple[Keepable, ...]:
    """What the preview is told of a script."""
    whole = Script(path="1", sha256="", size=1, statements=tuple(script), transactional=True)
    migration = Migration(version="1", name="m", applied_at=None, script=whole)
    plan = Plan(
        framework="dbmate",
        version_table="t",
        directory="",
        current="1",
        goal=None,
        migrations=(migration,),
        applied=(),
    )
    return keepable(connection, plan)


def test_what_cannot_be_kept_is_said_with_its_reason(connection: Connection, judge: Judge) -> None:
    connection.execute(
        """CREATE TABLE bag (v text); CREATE TABLE parent (id int PRIMARY KEY);
           CREATE TABLE child () INHERITS (parent); CREATE VIEW v AS SELECT 1 AS one;
           CREATE TABLE hidden (id int PRIMARY KEY); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
           ALTER TABLE hidden FORCE ROW LEVEL SECURITY;
           CREATE TABLE part (id int PRIMARY KEY) PARTITION BY RANGE (id);
           CREATE TABLE part_1 PARTITION OF part DEFAULT"""
    )
    expected = {
        "ALTER TABLE bag DROP COLUMN v": "no other key",
        "ALTER TABLE users DROP COLUMN id CASCADE": "no other key",
        "TRUNCATE parent": "inherit from s.parent",
        "DROP TABLE hidden": "row-level security",
        "DELETE FROM users": "cannot be asked for",
        "DELETE FROM v": "through a view",
        "DO $$ BEGIN END $$": "does not tell what it removes",
        "DROP OWNED BY current_user": "does not tell what it removes",
        "ALTER TABLE part DETACH PARTITION part_1": "stay in the table",
        "DROP DATABASE elsewhere": "cannot run in a transaction",
        "DROP TABLE parent, child": "",
        "DROP TABLE IF EXISTS not_there": "",
        "DROP TABLE users CASCADE": "",
        "DROP TYPE state CASCADE": "",
    }
    through = {6: Touched(relation="v", count="", rows="SELECT v.* FROM v")}
    found = costs(connection, statements(judge, list(expected), through))
    for (text, why), one in zip(expected.items(), found, strict=True):
        assert (why in one.obstacle) if why else not one.obstacle, (text, one)
    known = {one.statement: one for one in found}
    assert known[13].what == "rows of s.users" and (known[13].bytes or 0) > 0
    assert (known[12].what, known[12].rows) == ("nothing that is there now", None)
    assert known[14].what == "values of s.users.state" and known[14].seconds is not None


def test_who_may_not_make_a_schema_keeps_nothing(database: Database, judge: Judge) -> None:
    owner = database.connect()
    with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
        admin.execute("CREATE TABLE t (id int PRIMARY KEY)")
        admin.execute(sql.SQL("ALTER TABLE t OWNER TO {}").format(sql.Identifier(database.owner)))
        admin.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO postgres").format(sql.Identifier(database.name))
        )
        (one,) = costs(owner, statements(judge, ["DROP TABLE t"]))
        admin.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                sql.Identifier(database.name), sql.Identifier(database.owner)
            )
        )
    assert one.obstacle == "this role has no CREATE on the database"


def test_where_nothing_goes_no_archive_is_made(connection: Connection, judge: Judge) -> None:
    roll_back(connection, statements(judge, ["DROP TABLE IF EXISTS not_there"]))
    assert archive.archives(connection) == ()


def test_an_archive_that_is_not_ours_alone_is_left(connection: Connection, judge: Judge) -> None:
    roll_back(connection, statements(judge, ["DROP TABLE lines"]))
    kept = newest(connection)
    connection.execute(f"CREATE VIEW mine AS SELECT * FROM {kept.items[0].table}".encode())
    with pytest.raises(ArchiveError, match="was not dropped"):
        archive.drop(connection, kept)
    assert newest(connection) == kept
    connection.execute("DROP VIEW mine")
    for name in (kept.schema, f"20240303_101010_{kept.run[:8]}"):
        assert archive.find(connection, name) == kept
    archive.drop(connection, kept)
    with pytest.raises(RollbackTuiError, match="no archive of run"):
        archive.find(connection, kept.run)


def test_a_strangers_archive_is_named_and_not_read(database: Database) -> None:
    """What looks like an archive may be views that call functions with our rights."""
    stranger = sql.Identifier(f"{database.owner}_stranger")
    with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
        admin.execute(
            sql.SQL(
                "CREATE ROLE {0}; CREATE SCHEMA rollback_archive_0badc0de AUTHORIZATION {0};"
                " COMMENT ON SCHEMA rollback_archive_0badc0de IS"
                " 'rollback-tui archive of run 0badc0de-0000-4000-8000-000000000000: mine'"
            ).format(stranger)
        )
        try:
            owner = database.connect()
            (found,) = archive.archives(owner)
            assert "belongs to" in found.problem and found.items == ()
            for act in (restore, archive.drop):
                with pytest.raises(ArchiveError, match="belongs to"):
                    act(owner, found)
        finally:
            admin.execute(sql.SQL("DROP OWNED BY {0} CASCADE; DROP ROLE {0}").format(stranger))
