"""After our rollback dbmate's own command line must agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.dbmate import Dbmate as Framework
from rollback_tui.frameworks.protocol import History, TableShape, VersionTable
from tests.conftest import Database
from tests.frameworks.conftest import Dbmate, dbmate_url

TABLE = VersionTable(schema="public", name="schema_migrations")

MIGRATIONS = {
    "20240101000000_create_users.sql": (
        "-- migrate:up\nCREATE TABLE users (id int PRIMARY KEY, name text);\n\n"
        "-- migrate:down\nDROP TABLE users;\n"
    ),
    "20240102000000_create_orders.sql": (
        "-- Orders of users.\n\n--migrate:up\n"
        "CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users);\n"
        "--migrate:down\nDROP TABLE orders;\n"
    ),
    "20240103000000_add_email.sql": (
        "-- migrate:up\r\nALTER TABLE users ADD COLUMN email text;\r\n"
        "CREATE INDEX users_email ON users (email);\r\n"
        "-- migrate:down\r\nDROP INDEX users_email;\r\n"
        "ALTER TABLE users DROP COLUMN email;\r\n"
    ),
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write(tmp_path, MIGRATIONS)


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (directory / name).write_bytes(text.encode())
    return directory


def history(database: Database, directory: Path, table: VersionTable = TABLE) -> History:
    framework = Framework()
    rows = database.connect().execute(framework.history_sql(table)).fetchall()
    return framework.history(rows, framework.files(directory))


def roll_back(
    database: Database, directory: Path, steps: int, table: VersionTable = TABLE
) -> list[AppliedMigration]:
    """Roll back as a run does: down migration and version change in one transaction."""
    framework = Framework()
    applied = history(database, directory, table).applied
    with database.connect(autocommit=False) as connection:
        for place in range(steps):
            source = framework.down(applied[place], directory)
            assert isinstance(source, Source)
            connection.execute(source.data[source.start : source.end])
            previous = applied[place + 1] if place + 1 < len(applied) else None
            for statement in framework.version_change(table, applied[place], previous):
                connection.execute(statement, binary=True)
    return list(applied[:steps])


def rows(database: Database, table: str = "schema_migrations") -> list[tuple[object, ...]]:
    return database.connect().execute(f"SELECT * FROM {table} ORDER BY version").fetchall()


def columns(database: Database) -> list[tuple[object, ...]]:
    """Return the schema as far as these migrations touch it."""
    return (
        database.connect()
        .execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' ORDER BY 1, 2"
        )
        .fetchall()
    )


def test_dbmate_agrees_after_two_steps_and_applies_again(
    database: Database, other_database: Database, directory: Path, dbmate_program: Path
) -> None:
    ours = Dbmate(dbmate_url(database), directory, dbmate_program)
    theirs = Dbmate(dbmate_url(other_database), directory, dbmate_program)
    for each in (ours, theirs):
        each.run("up")
    everything = columns(database)

    rolled_back = roll_back(database, directory, 2)
    theirs.run("rollback")
    theirs.run("rollback")

    assert [m.version for m in rolled_back] == ["20240103000000", "20240102000000"]
    assert rows(database) == rows(other_database) == [("20240101000000",)]
    assert columns(database) == columns(other_database) != everything
    names = ["20240102000000_create_orders.sql", "20240103000000_add_email.sql"]
    assert ours.pending() == theirs.pending() == names

    ours.run("up")
    assert ours.pending() == []
    assert columns(database) == everything
    assert [row[0] for row in rows(database)] == [name[:14] for name in MIGRATIONS]


def test_dbmate_agrees_when_nothing_is_left(
    database: Database, other_database: Database, directory: Path, dbmate_program: Path
) -> None:
    ours = Dbmate(dbmate_url(database), directory, dbmate_program)
    theirs = Dbmate(dbmate_url(other_database), directory, dbmate_program)
    for each in (ours, theirs):
        each.run("up")
    roll_back(database, directory, 3)
    for _ in MIGRATIONS:
        theirs.run("rollback")
    assert rows(database) == rows(other_database) == []
    assert "no migrations have been applied" in ours.run("rollback", check=False)
    ours.run("up")
    assert len(rows(database)) == 3


def test_a_version_table_in_another_schema_that_needs_quotes(
    database: Database, directory: Path, dbmate_program: Path
) -> None:
    ours = Dbmate(dbmate_url(database), directory, dbmate_program)
    table = VersionTable(schema="Ops", name="user")
    ours.run("--migrations-table", "Ops.user", "up")
    roll_back(database, directory, 1, table)
    assert [row[0] for row in rows(database, '"Ops"."user"')] == [
        "20240101000000",
        "20240102000000",
    ]
    ours.run("--migrations-table", "Ops.user", "up")
    assert len(rows(database, '"Ops"."user"')) == 3


def test_the_table_dbmate_makes_is_recognised(
    database: Database, directory: Path, dbmate_program: Path
) -> None:
    Dbmate(dbmate_url(database), directory, dbmate_program).run("up")
    found = (
        database.connect()
        .execute(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = 'schema_migrations'::regclass AND attnum > 0"
        )
        .fetchall()
    )
    shape = TableShape(
        schema="public",
        name="schema_migrations",
        columns=tuple((str(name), str(kind)) for name, kind in found),
        primary_key=("version",),
    )
    assert shape.columns == (("version", "character varying"),)
    assert Framework().recognises(shape)


def test_newest_is_the_highest_file_name_and_not_the_highest_number(
    database: Database, other_database: Database, tmp_path: Path, dbmate_program: Path
) -> None:
    write(
        tmp_path,
        {
            f"{v}_t.sql": f"-- migrate:up\nCREATE TABLE t{v}();\n-- migrate:down\nDROP TABLE t{v};"
            for v in ("9", "10")
        },
    )
    ours = Dbmate(dbmate_url(database), tmp_path, dbmate_program)
    theirs = Dbmate(dbmate_url(other_database), tmp_path, dbmate_program)
    for each in (ours, theirs):
        each.run("up")
    assert [m.version for m in roll_back(database, tmp_path, 1)] == ["9"]
    assert "9_t.sql" in theirs.run("rollback")
    assert rows(database) == rows(other_database) == [("10",)]


def test_a_migration_applied_out_of_order_goes_in_the_order_of_the_files(
    database: Database, other_database: Database, directory: Path, dbmate_program: Path
) -> None:
    ours = Dbmate(dbmate_url(database), directory, dbmate_program)
    theirs = Dbmate(dbmate_url(other_database), directory, dbmate_program)
    late = directory / "20240102000000_create_orders.sql"
    text = late.read_bytes()
    late.unlink()
    for each in (ours, theirs):
        each.run("up")
    late.write_bytes(text)
    for each in (ours, theirs):
        each.run("up")
    assert [m.version for m in roll_back(database, directory, 1)] == ["20240103000000"]
    assert "20240103000000" in theirs.run("rollback")
    assert rows(database) == rows(other_database)


def test_a_file_with_two_up_sections_stops_half_way_in_dbmate_itself(
    database: Database, tmp_path: Path, dbmate_program: Path
) -> None:
    """The reason why such a file is refused: what it left cannot be known from it."""
    write(
        tmp_path,
        {
            "1_two.sql": (
                "-- migrate:up\nCREATE TABLE a();\n-- migrate:down\nDROP TABLE a;\n"
                "-- migrate:up\nCREATE TABLE b();\n-- migrate:down\nDROP TABLE b;\n"
            )
        },
    )
    real = Dbmate(dbmate_url(database), tmp_path, dbmate_program)
    assert not real.accepts("up")
    assert rows(database) == [("1",)]
    assert columns(database) == [("schema_migrations", "version", "character varying")]
    tables = database.connect().execute(
        "SELECT relname FROM pg_class WHERE relname IN ('a', 'b') AND relkind = 'r'"
    )
    assert tables.fetchall() == [("a",)]


SECTIONS = {
    "plain": "-- migrate:up\nSELECT 0;\n-- migrate:down\n{}\n",
    "no blank after the dashes": "--migrate:up\nSELECT 0;\n--migrate:down\n{}\n",
    "blanks and tabs": "--\t migrate:up  \nSELECT 0;\n--  \tmigrate:down \t\n{}\n",
    "indented": "-- migrate:up\nSELECT 0;\n -- migrate:down\n{}\n",
    "upper case": "-- migrate:up\nSELECT 0;\n-- MIGRATE:DOWN\n{}\n",
    "no transaction": "-- migrate:up\nSELECT 0;\n-- migrate:down transaction:false\n{}\n",
    "no transaction, CRLF": "-- migrate:up\r\n;\r\n-- migrate:down transaction:false\r\n{}\r\n",
    "only up without": "-- migrate:up transaction:false\nSELECT 0;\n-- migrate:down\n{}\n",
    "asked for": "-- migrate:up\n;\n-- migrate:down transaction:true\n{}\n",
    "with a blank": "-- migrate:up\n;\n-- migrate:down transaction: false\n{}\n",
    "in upper case": "-- migrate:up\n;\n-- migrate:down transaction:FALSE\n{}\n",
    "the last one counts": (
        "-- migrate:up\n;\n-- migrate:down transaction:true transaction:false\n{}\n"
    ),
    "among others": "-- migrate:up\n;\n-- migrate:down x a:b transaction:false c:d\n{}\n",
    "three parts": "-- migrate:up\n;\n-- migrate:down transaction:false:really\n{}\n",
    "glued": "-- migrate:up\n;\n-- migrate:down;transaction:false\n{}\n",
    "other word": "-- migrate:up\n;\n-- migrate:downwards\n{}\n",
    "option on the next line": "-- migrate:up\n;\n-- migrate:down\n-- transaction:false\n{}\n",
    "no down": "-- migrate:up\nSELECT 0;\n{}\n",
    "no up": "-- migrate:down\n{}\n",
    "down first": "-- migrate:down\n{}\n-- migrate:up\nSELECT 0;\n",
    "down first, a mere comment": "-- migrate:down\n-- none\n-- migrate:up\n{}\n",
    "a second down before the up": "-- migrate:down\n-- migrate:up\n;\n-- migrate:down\n{}\n",
    "two downs": "-- migrate:up\n;\n-- migrate:down\n{}\n-- migrate:down\nSELECT 1;\n",
    "comments before": "-- why\n\n   -- what\n-- migrate:up\n;\n-- migrate:down\n{}\n",
    "statement before": "SELECT 0;\n-- migrate:up\n;\n-- migrate:down\n{}\n",
    "block comment before": "/* why */\n-- migrate:up\n;\n-- migrate:down\n{}\n",
    "byte order mark": "\ufeff-- migrate:up\n;\n-- migrate:down\n{}\n",
    "no end of line": "-- migrate:up\n;\n-- migrate:down\n{}",
    "carriage returns only": "-- migrate:up\n;\n-- migrate:down\r{}\r",
    "broken over two lines": "-- migrate:up\n;\n--\nmigrate:down\n{}\n",
    "blank lines in the directive": "-- migrate:up\n;\n-- migrate:down\n\n\n{}\n",
}


@pytest.mark.parametrize("text", SECTIONS.values(), ids=SECTIONS.keys())
def test_sections_are_read_as_dbmate_reads_them(
    text: str, database: Database, tmp_path: Path, dbmate_program: Path
) -> None:
    """Both roll the same file back: accepted or not, what was executed, in a transaction or not."""
    real = Dbmate(dbmate_url(database), tmp_path, dbmate_program)
    connection = database.connect()
    connection.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
    file = tmp_path / "1_x.sql"
    applied = AppliedMigration(version="1", name="x", path=str(file))

    def theirs(body: str) -> bool:
        file.write_bytes(text.format(body).encode())
        connection.execute("INSERT INTO schema_migrations VALUES ('1') ON CONFLICT DO NOTHING")
        return real.accepts("rollback")

    accepted = theirs("CREATE TABLE made ();")
    outside = theirs("VACUUM;")  # which the server refuses in a transaction
    file.write_bytes(text.format("CREATE TABLE made ();").encode())
    connection.execute("DROP TABLE IF EXISTS made")
    source = Framework().down(applied, tmp_path)
    if not isinstance(source, Source):
        assert not accepted
        return
    script = source.data[source.start : source.end]
    if accepted:
        connection.execute(script)
        connection.execute("DROP TABLE made")
        assert source.transactional is not outside
    else:  # the server must refuse what dbmate sent, and what we would send
        with pytest.raises(Exception, match="syntax error"):
            connection.execute(script)


def test_dbmate_agrees_when_we_have_applied_them_again(
    database: Database, other_database: Database, directory: Path, dbmate_program: Path
) -> None:
    ours = Dbmate(dbmate_url(database), directory, dbmate_program)
    theirs = Dbmate(dbmate_url(other_database), directory, dbmate_program)
    for each in (ours, theirs):
        each.run("up")
    rolled_back = roll_back(database, directory, 2)
    framework = Framework()
    with database.connect(autocommit=False) as connection:
        for migration in reversed(rolled_back):
            source = framework.up(migration, directory)
            assert isinstance(source, Source)
            connection.execute(source.data[source.start : source.end])
            for statement in framework.applied_change(TABLE, migration):
                connection.execute(statement, binary=True)
    assert ours.pending() == theirs.pending() == []
    assert rows(database) == rows(other_database)
    assert columns(database) == columns(other_database)
