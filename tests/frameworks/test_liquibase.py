"""Changelogs, rows and what is printed, as far as Liquibase itself is not needed for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.frameworks.liquibase import changelog
from rollback_tui.frameworks.liquibase.framework import Liquibase
from rollback_tui.frameworks.liquibase.output import cut
from rollback_tui.frameworks.program import Program
from rollback_tui.frameworks.protocol import History, Made, Missing, TableShape, VersionTable
from tests.conftest import Database

FRAMEWORK = Liquibase()
TABLE = VersionTable(
    schema="Its Own", name="databasechangelog", columns=("id", "author", "description")
)

# As Liquibase 4.28 creates them.
CREATE = """
CREATE SCHEMA "Its Own";
SET search_path TO "Its Own";
CREATE TABLE databasechangelog (
    ID VARCHAR(255) NOT NULL, AUTHOR VARCHAR(255) NOT NULL, FILENAME VARCHAR(255) NOT NULL,
    DATEEXECUTED TIMESTAMP WITHOUT TIME ZONE NOT NULL, ORDEREXECUTED INTEGER NOT NULL,
    EXECTYPE VARCHAR(10) NOT NULL, MD5SUM VARCHAR(35), DESCRIPTION VARCHAR(255),
    COMMENTS VARCHAR(255), TAG VARCHAR(255), LIQUIBASE VARCHAR(20), CONTEXTS VARCHAR(255),
    LABELS VARCHAR(255), DEPLOYMENT_ID VARCHAR(10));
CREATE TABLE databasechangeloglock (
    ID INTEGER NOT NULL, LOCKED BOOLEAN NOT NULL, LOCKGRANTED TIMESTAMP WITHOUT TIME ZONE,
    LOCKEDBY VARCHAR(255), CONSTRAINT databasechangeloglock_pkey PRIMARY KEY (ID));
INSERT INTO databasechangeloglock VALUES (1, FALSE);
RESET search_path
"""
INSERT = (
    'INSERT INTO "Its Own".databasechangelog VALUES'
    " (%s, 'ann', %s, %s, %s, %s, NULL, 'createTable')"
)


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


XML = '<?xml version="1.0"?>\n<!-- ours -->\n<databaseChangeLog xmlns="x">{}</databaseChangeLog>'
SQL = "-- liquibase formatted SQL logicalFilePath:other/name.sql\n"
RESOURCES = "service/src/main/resources"
FILES = {
    f"{RESOURCES}/db/changelog/db.changelog-master.yaml": "databaseChangeLog:\n",
    f"{RESOURCES}/db/changelog/v1/tables.xml": XML.format(""),
    f"{RESOURCES}/db/changelog/v1/data.sql": SQL,
    f"{RESOURCES}/db/changelog/v1/more.json": '{"databaseChangeLog": []}',
    f"{RESOURCES}/db/changelog/plain/raw.sql": "CREATE TABLE a ();",
    f"{RESOURCES}/application.yaml": "spring:\n  liquibase:\n    enabled: true\n",
    "service/target/classes/db/changelog/v1/tables.xml": XML.format(""),
    "package.json": "{}",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write(tmp_path, FILES)


def history(database: Database, directory: Path) -> History:
    rows = database.connect().execute(FRAMEWORK.history_sql(TABLE).encode()).fetchall()
    return FRAMEWORK.history(rows, FRAMEWORK.files(directory))


def fill(database: Database, rows: Sequence[tuple[object, ...]]) -> None:
    connection = database.connect()
    connection.execute(CREATE.encode())
    for row in rows:
        connection.execute(INSERT.encode(), row)


def applied(version: str, path: Path | None = None, name: str = "") -> AppliedMigration:
    return AppliedMigration(version=version, name=name, path=str(path) if path else None)


def test_the_table_is_known_by_its_columns() -> None:
    names = ("id", "author", "filename", "dateexecuted", "orderexecuted", "exectype", "md5sum")
    columns = tuple((name, "character varying") for name in (*names, "contexts"))
    shape = TableShape(schema="s", name="x", columns=columns, primary_key=())
    assert FRAMEWORK.recognises(shape)
    assert not FRAMEWORK.recognises(
        TableShape(schema="s", name="x", columns=columns[1:], primary_key=())
    )


def test_changelogs_are_known_by_what_they_begin_with(directory: Path) -> None:
    (directory / "pipe.sql").symlink_to("/dev/zero")
    assert sorted(f.name for f in FRAMEWORK.files(directory)) == [
        *("data.sql", "db.changelog-master.yaml", "more.json", "tables.xml"),
    ]


def test_newest_is_by_date_and_then_by_order(database: Database, directory: Path) -> None:
    at, later = datetime(2026, 1, 1), datetime(2026, 1, 2)
    fill(
        database,
        [
            ("1", "classpath:db/changelog/v1/tables.xml", later, 1, "EXECUTED"),
            ("2", "db/changelog/v1/data.sql", at, 9, "EXECUTED"),
            ("3", "db\\changelog/v1/more.json", at, 10, "MARK_RAN"),
            ("raw", "/db/changelog/plain/raw.sql", at, 3, "RERAN"),
            ("4", "gone.sql", at, 2, "EXECUTED"),
            ("4", "gone.sql", at, 1, "EXECUTED"),
            ("logical", "other/name.sql", at, 0, "EXECUTED"),
        ],
    )
    found = history(database, directory)
    assert [m.version.partition("::")[2] for m in found.applied] == [
        *("1::ann", "3::ann", "2::ann", "raw::ann", "4::ann", "logical::ann"),
    ]
    base = directory / RESOURCES / "db/changelog"
    assert [m.path for m in found.applied] == [
        *(str(base / n) for n in ("v1/tables.xml", "v1/more.json", "v1/data.sql", "plain/raw.sql")),
        None,
        str(base / "v1/data.sql"),
    ]
    assert found.applied[0].name == "createTable"
    assert "never executed" in found.applied[1].name
    assert not found.problem
    change = FRAMEWORK.version_change(TABLE, found.applied[1], None)
    connection = database.connect()
    assert [connection.execute(one.encode()).rowcount for one in change] == [1]
    odd = applied(r"a::b\::'c::ann")
    connection.execute(INSERT.encode(), (r"b\::'c", "a", at, 20, "EXECUTED"))
    (one,) = FRAMEWORK.version_change(TABLE, odd, None)
    assert connection.execute(one.encode()).rowcount == 1


def test_a_lock_that_somebody_has_is_a_problem_and_stops_the_run(
    database: Database, directory: Path
) -> None:
    fill(database, [("1", "db/changelog/v1/tables.xml", datetime(2026, 1, 1), 1, "EXECUTED")])
    connection = database.connect()
    connection.execute(
        'UPDATE "Its Own".databasechangeloglock SET locked = true, lockedby = %s,'
        " lockgranted = '2026-01-01 03:00'",
        ["host\x1b (10.0.0.1)"],
    )
    problem = history(database, directory).problem
    assert "(10.0.0.1) since 2026-01-01 03:00:00" in problem
    assert "liquibase release-locks" in problem and "\x1b" not in problem
    (lock,) = FRAMEWORK.transaction_lock(TABLE)
    with pytest.raises(psycopg.errors.LockNotAvailable, match="Liquibase holds its lock"):
        connection.execute(lock.encode())


def test_a_liquibase_that_starts_meanwhile_waits_and_finds_its_lock_free(
    database: Database,
) -> None:
    """Its own statement (StandardLockService): one row changed means that it has the lock."""
    fill(database, [])
    take = (
        'UPDATE "Its Own".databasechangeloglock SET LOCKED = TRUE WHERE ID = 1 AND LOCKED = FALSE'
    )
    run, tool = database.connect(autocommit=False), database.connect()
    (lock,) = FRAMEWORK.transaction_lock(TABLE)
    run.execute(lock.encode(), binary=True)
    tool.execute("SET lock_timeout = '50ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        tool.execute(take)
    run.commit()
    assert tool.execute(take).rowcount == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.sql", SQL + "--changeset ann:1\n--changeset ann:2 runInTransaction:FALSE x:y\n"),
        ("a.sql", SQL + '--changeset ann:1\n -- Changeset "ann":"2" runInTransaction:false\n'),
        (
            "a.xml",
            XML.format(
                "<changeSet author='ann' id='1'/><!-- <changeSet author='ann' id='1'"
                " runInTransaction='false'/> --><changeSet\n id=\"2\" author='ann'"
                ' runInTransaction="false" >'
            ),
        ),
        (
            "a.yaml",
            "databaseChangeLog:\n- changeSet:\n    id: 1\n    author: ann\n    changes:\n"
            "    - sql:\n        runInTransaction: false\n"
            "- changeSet:\n    author: 'ann' # she\n    id: \"2\"\n    runInTransaction: false\n",
        ),
        (
            "a.yml",
            "databaseChangeLog:\n  - changeSet:\n      id:  2  # two\n      author: ann\n"
            "      runInTransaction:  no\n  - include: {file: x}\n  - changeSet:\n      id: 1\n"
            "      author: ann\n",
        ),
        (
            "a.json",
            '{"databaseChangeLog": [{"changeSet": {"id": "1", "author": "ann"}}, {"changeSet":'
            ' {"id": 2, "author": "ann", "runInTransaction": false}}, {"include": {}}]}',
        ),
    ],
)
def test_run_in_transaction_is_read_in_every_format(tmp_path: Path, name: str, text: str) -> None:
    path = write(tmp_path, {name: text}) / name
    assert changelog.in_transaction(path, "ann", "1")
    assert not changelog.in_transaction(path, "ann", "2")
    assert changelog.in_transaction(path, "bob", "2")


def test_the_changelog_that_includes_the_others(directory: Path) -> None:
    filename = "classpath:db/changelog/v1/tables.xml"
    path = directory / RESOURCES / "db/changelog/v1/tables.xml"
    found = changelog.root(directory, filename, path)
    assert found == (directory / RESOURCES, "db/changelog/db.changelog-master.yaml")
    (directory / RESOURCES / "db/changelog/db.changelog-master.yaml").unlink()
    with pytest.raises(FrameworkError, match="not clear which changelog") as caught:
        changelog.root(directory, filename, path)
    assert "LIQUIBASE_COMMAND_CHANGELOG_FILE" in caught.value.remedy
    write(directory, {"changelog.xml": XML.format("")})
    assert changelog.root(directory, filename, path) == (directory, "changelog.xml")
    assert changelog.root(directory, "other/name.sql", path) == (directory, "changelog.xml")


def test_properties_in_every_spelling(tmp_path: Path) -> None:
    text = "# url: x\nchangeLogFile: a.xml\nliquibase.command.default-schema-name=app\r\nx y\n"
    write(tmp_path, {"liquibase.properties": text})
    found = changelog.properties(tmp_path)
    assert found == {"changelogfile": "a.xml", "defaultschemaname": "app", "x": "y"}


HEAD = "-- Rolling Back ChangeSet: "
DELETE = "DELETE FROM x.databasechangelog WHERE ID = '{}' AND AUTHOR = 'ann' AND FILENAME = '{}';\n"


def test_what_is_printed_is_cut_by_what_ends_each_changeset() -> None:
    text = (
        'SET SEARCH_PATH TO public, "$user","public";\n\n-- Rollback 2 Change(s) Script\n'
        f"{HEAD}a.sql::1::ann\nDROP TABLE a -- x;\n\nSELECT '\r\n--;\n\n';\n\n"
        + DELETE.format(2, "a.sql")  # of another one: it belongs to the script
        + DELETE.format(1, "classpath:a.sql")
        + f"\n{HEAD}a.sql::2::ann\n{DELETE.format(2, 'a.sql')}\n"
        "-- Release Database Lock\nUPDATE x;\n"
    )
    found = cut(text, TABLE, up=False)
    assert found.parts["a.sql::1::ann"].sql == (
        "DROP TABLE a -- x;\n;\n\nSELECT '\r\n--;\n\n';\n\n" + DELETE.format(2, "a.sql")
    )
    assert found.parts["a.sql::1::ann"].change == (
        "DELETE FROM \"Its Own\".databasechangelog WHERE ID = '1' AND AUTHOR = 'ann'"
        " AND FILENAME = 'classpath:a.sql'"
    )
    assert found.parts["a.sql::2::ann"].sql == ""
    assert (found.stopped_at, found.search_path) == ("", "")


def test_what_is_not_understood_is_refused() -> None:
    one = f"{HEAD}a::1::ann\n{DELETE.format(1, 'a')}"
    with pytest.raises(FrameworkError, match="not understood: DROP TABLE b"):
        cut(f"{one}\nDROP TABLE b;\n", TABLE, up=False)
    with pytest.raises(FrameworkError, match="not understood"):
        cut(f"{one}\n{one}", TABLE, up=False)
    assert cut(f"{one}\n{HEAD}a::2::ann\nDROP", TABLE, up=False).stopped_at == "a::2::ann"
    path = 'SET SEARCH_PATH TO app, "$user","public";\n'
    assert cut(f"{path}{one}", TABLE, up=False).search_path == 'app, "$user","public"'


SCRIPT = r"""#!/bin/sh
for word; do
  case "$word" in --output-file=*) output="${word#*=}";; esac
done
env | grep '^LIQUIBASE' | sort > "$0.env"
echo "$*" > "$0.arguments"
cat "$0.printed" > "$output"
[ -z "$FAILS" ] || { echo 'Unexpected error running Liquibase: too bad' >&2; exit 1; }
"""


def test_how_it_is_called(directory: Path) -> None:
    program = directory / "liquibase.sh"
    write(directory, {"liquibase.sh": SCRIPT, "liquibase.sh.printed": ""})
    program.chmod(0o700)
    path = directory / RESOURCES / "db/changelog/v1/data.sql"
    one = applied("db/changelog/v1/data.sql::1::ann", path)
    below = applied("db/changelog/v1/data.sql::2::ann", path)
    called = Program(
        command=(str(program),), project=directory, environment={"FAILS": "yes"}, seconds=20
    )
    with pytest.raises(FrameworkError, match="too bad"):
        FRAMEWORK.print_down([one], [], TABLE, directory, called)
    text = f"{HEAD}{one.version}\n{DELETE.format(1, 'db/changelog/v1/data.sql')}"
    Path(f"{program}.printed").write_text(f"{text}\n{HEAD}{below.version}\nDROP")
    made, missing = FRAMEWORK.print_down([one, below], [], TABLE, directory, called)
    assert isinstance(made, Made) and made.source.nothing_to_undo
    assert isinstance(missing, Missing) and missing.why == "Liquibase cannot print it: too bad"
    environment = Path(f"{program}.env").read_text()
    assert (
        "LIQUIBASE_COMMAND_ROLLBACK_COUNT_SQL_URL=jdbc:postgresql://nowhere.invalid" in environment
    )
    arguments = Path(f"{program}.arguments").read_text()
    assert "password" not in arguments.lower()
    assert "--liquibase-schema-name=Its Own" in arguments
    assert f"--search-path={directory / RESOURCES} rollback-count-sql --count=2" in arguments
    assert arguments.endswith("--changelog-file=db/changelog/db.changelog-master.yaml\n")


def test_without_a_file_liquibase_is_not_called(tmp_path: Path) -> None:
    program = Program(command=("none",), project=tmp_path, environment={}, seconds=1)
    one = applied("gone.sql::1::ann")
    for printed in (
        FRAMEWORK.print_down([one], [], TABLE, tmp_path, program),
        FRAMEWORK.print_up([one], [], TABLE, tmp_path, program),
    ):
        (missing,) = printed
        assert isinstance(missing, Missing) and "not the code that was deployed" in missing.why
