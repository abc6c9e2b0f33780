"""golang-migrate against what was recorded of version 4.19, stated here independently.

The trace of `migrate down 1` from version 3, every statement logged by the server::

    SELECT pg_advisory_lock($1)
    SELECT version, dirty FROM "public"."schema_migrations" LIMIT 1
    BEGIN; TRUNCATE; INSERT (2, true); COMMIT
    (the whole of 3_*.down.sql as one simple query)
    BEGIN; TRUNCATE; INSERT (2, false); COMMIT
    SELECT pg_advisory_unlock($1)

and of the last `down`: TRUNCATE alone, the table ends empty.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_tui.config import Migrations, Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.golang_migrate import GolangMigrate, lock_key
from rollback_tui.frameworks.protocol import Missing, TableShape, VersionTable
from rollback_tui.survey.planning import make_plan
from tests.conftest import Database
from tests.frameworks.agreement import rolled_back, rows

FRAMEWORK = GolangMigrate()
TABLE = VersionTable(schema="public", name="schema_migrations")
CREATE = (
    "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)"
)

FILES = {
    "000001_users.up.sql": "CREATE TABLE users (id int PRIMARY KEY);",
    "000001_users.down.sql": "DROP TABLE users;",
    "000002_orders.up.sql": "CREATE TABLE orders (id int PRIMARY KEY);",
    "000002_orders.down.sql": "DROP TABLE orders;",
    "000010_email.up.sql": "ALTER TABLE users ADD COLUMN email text;",
    "000010_email.down.sql": "ALTER TABLE users DROP COLUMN email;",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def versions(rows: list[tuple[object, ...]], directory: Path) -> list[str]:
    return [m.version for m in FRAMEWORK.history(rows, FRAMEWORK.files(directory)).applied]


def applied(version: str) -> AppliedMigration:
    return AppliedMigration(version=version, name="")


@pytest.mark.parametrize(
    ("columns", "recognised"),
    [
        ((("version", "bigint"), ("dirty", "boolean")), True),
        ((("dirty", "boolean"), ("version", "bigint")), True),
        ((("version", "integer"), ("dirty", "boolean")), False),
        ((("version", "bigint"),), False),
        ((("version", "bigint"), ("inserted_at", "timestamp without time zone")), False),
        ((("version", "bigint"), ("dirty", "boolean"), ("name", "text")), False),
        ((("version", "character varying"),), False),
    ],
)
def test_the_version_table_is_known_by_its_shape(
    columns: tuple[tuple[str, str], ...], recognised: bool
) -> None:
    table = TableShape(schema="public", name="x", columns=columns, primary_key=("version",))
    assert FRAMEWORK.recognises(table) is recognised


def test_pairs_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    for name in (
        "10_ten.up.sql",
        "10_ten.down.sql",
        "9_nine.down.sql",
        "0011_a.b.up.sql",
        "12_other.up.pgsql",
        "13_neither.sql",
        "x_14.up.sql",
        "15.up.sql",
        "99999999999999999999999_too_large.up.sql",
    ):
        (tmp_path / name).touch()
    assert [
        (f.version, f.name, Path(f.path).name, f.down_path and Path(f.down_path).name)
        for f in FRAMEWORK.files(tmp_path)
    ] == [
        ("9", "nine", "9_nine.down.sql", "9_nine.down.sql"),
        ("10", "ten", "10_ten.up.sql", "10_ten.down.sql"),
        ("11", "a.b", "0011_a.b.up.sql", None),
        ("12", "other", "12_other.up.pgsql", None),
    ]


def test_two_files_for_the_same_direction_are_refused(directory: Path) -> None:
    (directory / "2_again.down.sql").touch()
    with pytest.raises(FrameworkError, match="are both the down migration of version 2") as caught:
        FRAMEWORK.files(directory)
    assert "its own version" in caught.value.remedy


def test_everything_up_to_the_row_is_applied_newest_first(directory: Path) -> None:
    assert versions([], directory) == []
    assert versions([(1, False)], directory) == ["1"]
    assert versions([(9, False)], directory) == ["9", "2", "1"]  # 9: only the database knows it
    assert versions([(10, False)], directory) == ["10", "2", "1"]
    newest = FRAMEWORK.history([(10, False)], FRAMEWORK.files(directory)).applied[0]
    assert newest.name == "email"
    assert newest.path == str(directory / "000010_email.up.sql")
    unknown = FRAMEWORK.history([(9, False)], FRAMEWORK.files(directory)).applied[0]
    assert unknown.path is None


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], None),
        ([(2, False)], None),
        ([(2, True)], "marked dirty at 2"),
        ([(-5, False)], "says -5, which golang-migrate never writes"),
        ([(-1, True)], "the first migration failed on its way down"),
        ([(1, False), (2, False)], "has 2 rows"),
    ],
)
def test_a_state_in_which_the_tool_refuses_to_go_on_is_explained(
    rows: list[tuple[object, ...]], words: str | None, directory: Path
) -> None:
    problem = FRAMEWORK.history(rows, FRAMEWORK.files(directory)).problem
    if words is None:
        assert problem == ""
    else:
        assert words in problem


def test_dirty_below_the_first_migration_means_nothing_is_applied(directory: Path) -> None:
    assert versions([(-1, True)], directory) == []


def test_the_down_migration_is_the_whole_down_file(directory: Path) -> None:
    source = FRAMEWORK.down(applied("10"), directory)
    assert isinstance(source, Source)
    assert source.path == str(directory / "000010_email.down.sql")
    assert source.data[source.start : source.end] == source.data
    assert source.data == FILES["000010_email.down.sql"].encode()
    assert source.transactional is True


def test_a_missing_down_file_is_missing_though_the_tool_would_go_on(directory: Path) -> None:
    (directory / "000010_email.down.sql").unlink()
    missing = FRAMEWORK.down(applied("10"), directory)
    assert isinstance(missing, Missing)
    assert missing.why == "version 10 has no .down.sql file beside 000010_email.up.sql"
    missing = FRAMEWORK.down(applied("7"), directory)
    assert isinstance(missing, Missing)
    assert f"no file in {directory} has version 7" in missing.why


def test_the_up_migration_is_the_whole_up_file(tmp_path: Path) -> None:
    (tmp_path / "10_a.up.sql").write_text("CREATE TABLE a ();")
    (tmp_path / "10_a.down.sql").write_text("DROP TABLE a;")
    source = FRAMEWORK.up(applied("10"), tmp_path)
    assert isinstance(source, Source)
    assert source.data[source.start : source.end] == b"CREATE TABLE a ();"
    (tmp_path / "10_a.up.sql").unlink()
    missing = FRAMEWORK.up(applied("10"), tmp_path)
    assert isinstance(missing, Missing)
    assert "version 10 has no .up.sql file beside 10_a.down.sql" in missing.why


def test_a_down_file_that_leads_elsewhere_is_an_error(directory: Path) -> None:
    (directory / "000010_email.down.sql").unlink()
    (directory / "000010_email.down.sql").symlink_to("/etc/passwd")
    with pytest.raises(FrameworkError, match="leads out"):
        FRAMEWORK.down(applied("10"), directory)


def test_what_up_enters_is_the_tools_second_change() -> None:
    assert FRAMEWORK.applied_change(TABLE, applied("10")) == (
        f"TRUNCATE {TABLE.quoted}",
        f"INSERT INTO {TABLE.quoted} (version, dirty) VALUES (10, false)",
    )


def test_the_version_change_is_the_tools_second_one() -> None:
    assert FRAMEWORK.version_change(TABLE, applied("10"), applied("2")) == (
        "TRUNCATE public.schema_migrations",
        "INSERT INTO public.schema_migrations (version, dirty) VALUES (2, false)",
    )
    assert FRAMEWORK.version_change(TABLE, applied("1"), None) == (
        "TRUNCATE public.schema_migrations",
    )


def test_the_table_holds_what_the_tool_leaves_there(database: Database, directory: Path) -> None:
    """Rows recorded after `down 1`, `down 1`, `down 1` from version 10: (2,f), (1,f), none."""
    connection = database.connect()
    connection.execute(CREATE)
    for name in sorted(FILES):
        if name.endswith(".up.sql"):
            connection.execute(FILES[name])
    connection.execute("INSERT INTO schema_migrations VALUES (10, false)")
    recorded: list[list[tuple[object, ...]]] = [[(2, False)], [(1, False)], []]
    for expected in recorded:
        rows = connection.execute(FRAMEWORK.history_sql(TABLE)).fetchall()
        found = FRAMEWORK.history(rows, FRAMEWORK.files(directory)).applied
        previous = found[1] if len(found) > 1 else None
        source = FRAMEWORK.down(found[0], directory)
        assert isinstance(source, Source)
        with connection.transaction():
            connection.execute(source.data)
            for statement in FRAMEWORK.version_change(TABLE, found[0], previous):
                connection.execute(statement, binary=True)  # extended protocol: one each
        assert connection.execute("SELECT * FROM schema_migrations").fetchall() == expected
    assert connection.execute("SELECT to_regclass('users')").fetchone() == (None,)


def test_several_steps_in_one_transaction_end_as_if_one_by_one(database: Database) -> None:
    connection = database.connect()
    connection.execute(CREATE)
    connection.execute("INSERT INTO schema_migrations VALUES (10, false)")
    with connection.transaction():
        for rolled_back, previous in (("10", "2"), ("2", "1")):
            change = FRAMEWORK.version_change(TABLE, applied(rolled_back), applied(previous))
            for statement in change:
                connection.execute(statement)
    assert connection.execute("SELECT * FROM schema_migrations").fetchall() == [(1, False)]


def crc32(data: bytes) -> int:
    """CRC-32 (IEEE 802.3), bit by bit, to be independent of zlib."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def test_the_lock_key_has_the_slash_of_the_urls_path() -> None:
    assert lock_key("/shop", TABLE) == 2101699660
    assert lock_key("/shop", TABLE) == (
        crc32(b"public\0schema_migrations\0/shop") * 1486364155 % 2**32
    )


def test_the_lock_keeps_command_line_and_library_out(database: Database) -> None:
    sql = FRAMEWORK.lock_sql(database.name, TABLE)
    assert sql is not None
    holder = database.connect()
    assert holder.execute(sql).fetchone() == (True,)
    other = database.connect()
    for name in (f"/{database.name}", database.name):
        key = crc32(f"public\0schema_migrations\0{name}".encode()) * 1486364155 % 2**32
        assert other.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone() == (False,)
    assert other.execute(sql).fetchone() == (False,)
    holder.close()


def test_the_lock_is_refused_while_the_tool_migrates(database: Database) -> None:
    tool = database.connect()
    key = crc32(f"public\0schema_migrations\0/{database.name}".encode()) * 1486364155 % 2**32
    tool.execute("SELECT pg_advisory_lock(%s)", [key])
    sql = FRAMEWORK.lock_sql(database.name, TABLE)
    assert sql is not None
    assert database.connect().execute(sql).fetchone() == (False,)


def test_a_table_elsewhere_has_a_lock_of_its_own(database: Database, tmp_path: Path) -> None:
    """As with ``x-migrations-table="Ops"."user"&x-migrations-table-quoted=1``. What cannot run in
    a transaction is told by itself: there is no mark for it."""
    directory = tmp_path / "migrations"
    directory.mkdir()
    for name, text in FILES.items():
        (directory / name).write_text(text)
    connection = database.connect()
    connection.execute('CREATE SCHEMA "Ops"; CREATE TABLE users (id int, email text)')
    connection.execute(CREATE.replace("schema_migrations", '"Ops"."user"'))
    connection.execute('INSERT INTO "Ops"."user" VALUES (10, false); CREATE TABLE orders (id int)')
    connection.execute("CREATE INDEX by_id ON orders (id)")
    settings = Migrations(table='"Ops"."user"')
    tool = database.connect()
    key = crc32(f"Ops\0user\0/{database.name}".encode()) * 1486364155 % 2**32
    tool.execute("SELECT pg_advisory_lock(%s)", [key])
    with pytest.raises(AssertionError, match="its lock is taken"):
        rolled_back(database, tmp_path, migrations=settings)
    tool.execute("SELECT pg_advisory_unlock_all()")
    plan = rolled_back(database, tmp_path, steps=2, migrations=settings)
    assert plan.transactional
    assert rows(database, "Ops.user") == [{"version": 1, "dirty": False}]
    connection.execute('UPDATE "Ops"."user" SET version = 2')
    (directory / "000002_orders.down.sql").write_text("DROP INDEX CONCURRENTLY by_id;")
    later = make_plan(connection, Settings(migrations=settings), tmp_path, count_losses=False)
    assert not later.transactional
    assert later.migrations[0].script is not None and not later.migrations[0].script.problems


def test_it_has_no_side_files(directory: Path) -> None:
    assert FRAMEWORK.stale_files(directory) == ()
