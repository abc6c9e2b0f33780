"""Flyway against what was recorded of Community 10 and its source, stated here independently.

Recorded: after ``DELETE`` of a row of ``flyway_schema_history``, ``flyway info`` calls that version
*Pending* and ``flyway migrate`` applies it again. A row of type ``UNDO_SQL`` breaks Community.
"""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path

import pytest

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.flyway.framework import Flyway, checksum_of, java_hash, lock_key
from rollback_tui.frameworks.protocol import History, TableShape, VersionTable
from tests.conftest import Database
from tests.frameworks.agreement import rolled_back, rows

FRAMEWORK = Flyway()
TABLE = VersionTable(schema="public", name="flyway_schema_history")
CREATE = """
    CREATE TABLE "flyway_schema_history" (
        "installed_rank" INT NOT NULL,
        "version" VARCHAR(50),
        "description" VARCHAR(200) NOT NULL,
        "type" VARCHAR(20) NOT NULL,
        "script" VARCHAR(1000) NOT NULL,
        "checksum" INTEGER,
        "installed_by" VARCHAR(100) NOT NULL,
        "installed_on" TIMESTAMP NOT NULL DEFAULT now(),
        "execution_time" INTEGER NOT NULL,
        "success" BOOLEAN NOT NULL
    );
    ALTER TABLE "flyway_schema_history" ADD CONSTRAINT "flyway_schema_history_pk"
        PRIMARY KEY ("installed_rank");
    CREATE INDEX "flyway_schema_history_s_idx" ON "flyway_schema_history" ("success");
"""
COLUMNS = re.findall(r'^ {8}"(\w+)"', CREATE, re.MULTILINE)
FILES = {
    "V1__users.sql": "CREATE TABLE users (id int);",
    "U1__users.sql": "DROP TABLE users;",
    "V1_9__late_orders.sql": "CREATE TABLE orders (id int);\n",
    "deep/er/U1.9__whatever.sql": "DROP TABLE orders;",
    "V1.10__email.sql": "ALTER TABLE users ADD email text;\r\n",
    "U1.10__email.SQL": "ALTER TABLE users DROP email;\r\n",
    "R__view.sql": "CREATE OR REPLACE VIEW nine AS SELECT 9;",
}


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(text.encode())
    return directory


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path / "sql", FILES)
    return tmp_path


def apply(database: Database, names: list[str]) -> None:
    """Apply ``names`` as Flyway does."""
    with database.connect() as connection:
        connection.execute(CREATE)
        for rank, name in enumerate(names, 1):
            head, _, title = name.removesuffix(".sql").partition("__")
            connection.execute(FILES[name])
            connection.execute(
                "INSERT INTO flyway_schema_history (installed_rank, version, description, type,"
                " script, checksum, installed_by, execution_time, success)"
                " VALUES (%s, %s, %s, 'SQL', %s, %s, current_user, 0, true)",
                [
                    rank,
                    head[1:].replace("_", ".") or None,
                    title.replace("_", " "),
                    name,
                    checksum_of(FILES[name].encode()),
                ],
            )


def test_the_history_table_is_known_by_its_shape() -> None:
    kinds = {"installed_rank": "integer", "success": "boolean"}
    columns = tuple((name, kinds.get(name, "character varying")) for name in COLUMNS)
    for chosen, recognised in ((columns, True), (columns[:-1], False)):
        shape = TableShape(schema="x", name="y", columns=chosen, primary_key=("installed_rank",))
        assert FRAMEWORK.recognises(shape) is recognised


def test_two_steps_delete_the_rows_of_the_highest_ranks(database: Database, project: Path) -> None:
    """What was applied last goes first, though its version is lower; the repeatable stays."""
    apply(database, ["V1__users.sql", "V1.10__email.sql", "R__view.sql", "V1_9__late_orders.sql"])
    before = rows(database, "public.flyway_schema_history", ignoring=["installed_on"])
    plan = rolled_back(database, project, steps=2)
    assert [(m.version, m.name) for m in plan.migrations] == [
        ("1.9", "late orders"),
        ("1.10", "email"),
    ]
    left = rows(database, "public.flyway_schema_history", ignoring=["installed_on"])
    assert left == [row for row in before if row["version"] in ("1", None)]
    assert plan.goal == "1"

    with database.connect() as connection:
        for migration in reversed(plan.migrations):
            again = next(m for m in plan.applied if m.version == migration.version)
            up = FRAMEWORK.up(again, project / "sql")
            assert isinstance(up, Source)
            connection.execute(up.data)
            for change in FRAMEWORK.applied_change(TABLE, again):
                connection.execute(change)
    after = rows(database, "public.flyway_schema_history", ignoring=["installed_on"])
    ranked = [{**row, "installed_rank": 0} for row in before]
    assert sorted(({**r, "installed_rank": 0} for r in after), key=repr) == sorted(ranked, key=repr)
    assert max(int(str(row["installed_rank"])) for row in after) == 5


def test_flyways_lock_keeps_us_out_and_ours_keeps_flyway_out(
    database: Database, project: Path
) -> None:
    apply(database, ["V1__users.sql"])
    # 31 times what came before plus the next character, in 32 bits with a sign.
    name = '"public"."flyway_schema_history"'
    hashed = reduce(lambda value, c: (31 * value + ord(c)) % 2**32, name, 0)
    key = 77431708279161 + (hashed - 2**32 if hashed >= 2**31 else hashed)
    with database.connect() as flyway:
        flyway.execute("SELECT pg_advisory_lock(%s)", [key])
        with pytest.raises(AssertionError, match="its lock is taken"):
            rolled_back(database, project)
        flyway.execute("SELECT pg_advisory_unlock_all()")
        with database.connect() as ours:
            ours.execute(FRAMEWORK.lock_sql(database.name, TABLE) or "")
            taken = flyway.execute("SELECT pg_try_advisory_xact_lock(%s)", [key]).fetchone()
            assert taken == (False,)
    assert java_hash("hello") == 99162322  # the one in every textbook
    assert java_hash("😀") == 1772899
    quoted = VersionTable(schema='a"b', name="C")
    assert lock_key(quoted) == 77431708279161 + java_hash('"a""b"."C"')


def test_a_table_in_another_schema_is_only_taken_where_names_mean_the_same(
    database: Database, project: Path
) -> None:
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA ops")
        connection.execute(f"ALTER ROLE {database.owner} SET search_path = ops, public")
    apply(database, ["V1__users.sql"])
    with database.connect() as connection:
        connection.execute(f"ALTER ROLE {database.owner} RESET search_path")
    with pytest.raises(FrameworkError, match="its version table, ops, first in search_path"):
        rolled_back(database, project)
    with database.connect() as connection:
        connection.execute(f"ALTER ROLE {database.owner} SET search_path = ops, public")
    rolled_back(database, project)
    assert rows(database, "ops.flyway_schema_history") == []


def test_versions_are_compared_part_by_part(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(FILES, "") | {".git/V7__x.sql": "", "Vx__y.sql": ""})
    write(tmp_path, {"V2.0__two.sql": "", "U2__two.sql": "", "U3__java.sql": "", "V4.sql": ""})
    assert [
        (f.version, f.name, Path(f.path).name, f.down_path and Path(f.down_path).name)
        for f in FRAMEWORK.files(tmp_path)
    ] == [
        ("1", "users", "V1__users.sql", "U1__users.sql"),
        ("1.9", "late orders", "V1_9__late_orders.sql", "U1.9__whatever.sql"),
        ("1.10", "email", "V1.10__email.sql", "U1.10__email.SQL"),
        ("2.0", "two", "V2.0__two.sql", "U2__two.sql"),
        ("3", "java", "U3__java.sql", "U3__java.sql"),
        ("4", "", "V4.sql", None),
    ]
    write(tmp_path, {"deep/U2_0__again.sql": ""})
    with pytest.raises(FrameworkError, match="have the same version 2"):
        FRAMEWORK.files(tmp_path)


def read(*told: tuple[object, ...], files: Path | None = None) -> History:
    """Return the history of rows (version, type, success), in their order."""
    told_rows = [
        (rank, version, f"d{rank}", kind, success, None)
        for rank, (version, kind, success) in enumerate(told, 1)
    ]
    return FRAMEWORK.history(told_rows, FRAMEWORK.files(files) if files else ())


def test_what_was_deleted_or_undone_is_not_applied() -> None:
    past = read(
        (None, "SCHEMA", True),
        ("1", "SQL", True),
        ("2", "SQL", True),
        ("3", "JDBC", True),
        ("2", "DELETE", True),
        ("3", "UNDO_SQL", True),
        (None, "SQL", True),
        ("2", "SQL", True),
    )
    assert [(m.version, m.name) for m in past.applied] == [("2", "d8"), ("1", "d2")]
    assert past.problem == ""


def test_only_the_row_that_counts_is_deleted(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(CREATE)
        for rank, (version, kind, success) in enumerate(
            [("2", "SQL", True), ("2", "DELETE", True), ("2", "SQL", True), ("3", "SQL", True)], 1
        ):
            connection.execute(
                "INSERT INTO flyway_schema_history"
                " VALUES (%s, %s, '', %s, '', 0, '', now(), 0, %s)",
                [rank, version, kind, success],
            )
        applied = AppliedMigration(version="2", name="")
        for change in FRAMEWORK.version_change(TABLE, applied, None):
            connection.execute(change)
    left = [row["installed_rank"] for row in rows(database, "public.flyway_schema_history")]
    assert left == [1, 2, 4]


def test_a_failed_row_stops_everything() -> None:
    assert "version 2 (d2) failed" in read(("1", "SQL", True), ("2", "SQL", False)).problem
    problem = read((None, "SQL", False)).problem
    assert "the repeatable migration (d1) failed" in problem
    assert "`flyway repair`" in problem


def test_a_baseline_ends_the_history_and_says_so(tmp_path: Path) -> None:
    write(tmp_path, {"V5__five.sql": "", "U5__five.sql": "DROP TABLE five;", "V6__six.sql": ""})
    past = read(("1", "SQL", True), ("5", "BASELINE", True), ("6", "SQL", True), files=tmp_path)
    assert [m.version for m in past.applied] == ["6", "5"]
    assert past.applied[1].name == "baseline: d2"
    assert past.applied[1].path is None
    missing = FRAMEWORK.down(past.applied[1], tmp_path)
    assert not isinstance(missing, Source)
    assert missing.why.startswith("version 5 is a baseline: it stands for what was there before")


def found(directory: Path, version: str = "3") -> Source | str:
    past = read((version, "SQL", True), files=directory)
    source = FRAMEWORK.down(past.applied[0], directory)
    return source if isinstance(source, Source) else source.why


def test_the_undo_file_is_taken_whole_or_it_is_said_why_not(tmp_path: Path) -> None:
    write(tmp_path, {"V3__x.sql": "SELECT 1;"})
    assert found(tmp_path) == f"version 3 has no undo file (U3__….sql) in {tmp_path} or below it"
    assert "no file in" in str(found(tmp_path, "4"))
    write(tmp_path, {"U3__x.sql": "SELECT '$ {x}';\r\n"})
    source = found(tmp_path)
    assert isinstance(source, Source)
    assert source.data[source.start : source.end] == b"SELECT '$ {x}';\r\n"
    assert source.transactional


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ("executeInTransaction=false", False),
        ("# why\r\n executeInTransaction = FALSE \r\n", False),
        ("executeInTransaction=true\nshouldExecute=true", True),
        ("# executeInTransaction=false", True),
        ("shouldExecute=${env}==prod", "says shouldExecute=${env}==prod"),
        ("encoding=ISO-8859-1", "is ISO-8859-1 by its configuration, not UTF-8"),
    ],
)
def test_the_conf_file_beside_it_is_read(conf: str, expected: bool | str, tmp_path: Path) -> None:
    write(tmp_path, {"V3__x.sql": "", "U3__x.sql": "SELECT 1;", "U3__x.sql.conf": conf})
    source = found(tmp_path)
    if isinstance(expected, bool):
        assert isinstance(source, Source)
        assert source.transactional is expected
    else:
        assert isinstance(source, str)
        assert expected in source


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("flyway.conf", "flyway.placeholderReplacement=false\n"),
        ("flyway.toml", "[flyway]\nplaceholderReplacement = false\n"),
        ("sql/U3__x.sql.conf", "placeholderReplacement=false"),
    ],
)
def test_a_placeholder_is_refused_with_its_line_unless_none_is_replaced(
    name: str, settings: str, tmp_path: Path
) -> None:
    directory = write(
        tmp_path / "sql", {"V3__x.sql": "", "U3__x.sql": "SELECT 1;\n-- a comment: ${schema}\n"}
    )
    assert "U3__x.sql, line 2: ${ begins a placeholder" in str(found(directory))
    write(tmp_path, {name: settings})
    assert isinstance(found(directory), Source)


def test_other_names_of_files_are_taken_from_the_configuration(tmp_path: Path) -> None:
    directory = tmp_path / "src/main/resources/db/migration"
    write(directory, {"M3-x.pgsql": "", "MU3-x.pgsql": "SELECT '${';", "V4__y.sql": ""})
    write(
        tmp_path,
        {
            "flyway.toml": '[flyway]\nsqlMigrationPrefix = "M"\nundoSqlMigrationPrefix = "MU"\n'
            'sqlMigrationSeparator = "-"\nsqlMigrationSuffixes = [".sql", ".pgsql"]\n'
            'placeholderPrefix = "@@"\nexecuteInTransaction = false\n'
        },
    )
    assert [(f.version, f.name) for f in FRAMEWORK.files(directory)] == [("3", "x")]
    source = found(directory)
    assert isinstance(source, Source)
    assert not source.transactional
    write(tmp_path, {"flyway.toml": "[flyway\n"})
    with pytest.raises(FrameworkError, match=r"flyway\.toml: "):
        FRAMEWORK.files(directory)


def test_the_checksum_has_no_line_ends_and_no_byte_order_mark() -> None:
    assert checksum_of(b"123456789") == 0xCBF43926 - 2**32  # the check value of CRC-32
    assert checksum_of(b"\xef\xbb\xbf1234\r\n56\r7\n89\n") == checksum_of(b"123456789")
