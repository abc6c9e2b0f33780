"""After our rollback the real Liquibase agrees, and what it passes over or cannot undo is said.

A call of it takes some seconds: each of these proves as much as it can.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from rollback_tui.config import Migrations, Settings
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.liquibase.framework import Liquibase
from rollback_tui.frameworks.program import Program
from rollback_tui.frameworks.protocol import Made, VersionTable
from rollback_tui.survey.planning import make_plan
from tests.conftest import Database, create_database, drop_database
from tests.frameworks.agreement import rolled_back, rows, schema
from tests.frameworks.installed import bare_environment, debian, npm

FAST = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xverify:none"
TABLE = "lb.databasechangelog"
NEVER_THE_SAME = ("dateexecuted", "deployment_id")

PROPERTIES = """
# All of this must lead nowhere when we call it.
url: jdbc:postgresql://127.0.0.1:1/nowhere
liquibase.command.rollbackCountSql.url = jdbc:postgresql://127.0.0.1:1/nowhere
liquibase.command.rollbackCountSql.username = nobody
username: nobody
password: nothing
outputFile: stolen.sql
changeLogFile: db/changelog.yaml
defaultSchemaName: app
liquibaseSchemaName: lb
"""

CHANGELOG = """
databaseChangeLog:
  - changeSet:
      id: 1
      author: ann
      changes:
        - createTable:
            tableName: users
            columns:
              - column: {name: id, type: int, constraints: {primaryKey: true}}
              - column: {name: name, type: text}
  - include: {file: more.sql, relativeToChangelogFile: true}
  - include: {file: last.xml, relativeToChangelogFile: true}
"""

MORE = """--liquibase formatted sql

--changeset bob:first-in-sql labels:x
CREATE TABLE orders (id int, user_id int REFERENCES users);
INSERT INTO orders VALUES (1, NULL);
--rollback DROP TABLE orders; -- all of them
--rollback COMMENT ON TABLE users IS NULL; COMMENT ON COLUMN users.name IS NULL;

--changeset bob:3 splitStatements:false
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
/* liquibase rollback
DROP FUNCTION f();
*/
"""

LAST = """<databaseChangeLog xmlns="http://www.liquibase.org/xml/ns/dbchangelog"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation=
  "http://www.liquibase.org/xml/ns/dbchangelog
   http://www.liquibase.org/xml/ns/dbchangelog/dbchangelog-4.28.xsd">
  <changeSet id="it's" author="o'neill &amp; co">
    <addNotNullConstraint tableName="users" columnName="name" columnDataType="text"/>
    <rollback>
      <sql stripComments="false" splitStatements="false">COMMENT ON COLUMN users.name IS 'it''s;
-- Rolling Back ChangeSet: x::y::z
-- Release Database Lock
';</sql>
      <sql stripComments="false">COMMENT ON TABLE users IS 'x' -- its end is hidden</sql>
      <dropNotNullConstraint tableName="users" columnName="name" columnDataType="text"/>
    </rollback>
  </changeSet>
  <changeSet id="tag" author="ann"><tagDatabase tag="v5"/></changeSet>
</databaseChangeLog>
"""

UNDONE_BY_NOBODY = """--liquibase formatted sql

--changeset bob:no-way-back
INSERT INTO users VALUES (1, 'x');

--changeset bob:marked
--preconditions onFail:MARK_RAN
--precondition-sql-check expectedResult:1 SELECT 2
CREATE TABLE never (id int);
--rollback DROP TABLE never;

--changeset bob:outside runInTransaction:false
CREATE INDEX CONCURRENTLY by_name ON users (name);
--rollback DROP INDEX CONCURRENTLY by_name;

--changeset bob:kept
INSERT INTO users VALUES (2, 'y');
--rollback not required
"""


class Tool:
    """The real Liquibase for one database."""

    def __init__(self, database: Database, project: Path, program: Path) -> None:
        self.database, self.project, self.program = database, project, program

    def run(self, *arguments: str) -> str:
        url = f"jdbc:postgresql://127.0.0.1:{self.database.server.tcp_port}/{self.database.name}"
        done = subprocess.run(
            ["bash", str(self.program), *arguments],
            cwd=self.project,
            env=bare_environment(
                JAVA_OPTS=FAST,
                LIQUIBASE_COMMAND_URL=url,
                LIQUIBASE_COMMAND_ROLLBACK_COUNT_URL=url,
                LIQUIBASE_COMMAND_USERNAME=self.database.owner,
                LIQUIBASE_COMMAND_PASSWORD="none",
            ),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def tool(database: Database, tmp_path: Path) -> Tool:
    debian("java")
    packages = npm("node-liquibase").parents[1]
    for name, text in (
        ("liquibase.properties", PROPERTIES),
        ("db/changelog.yaml", CHANGELOG),
        ("db/more.sql", MORE),
        ("db/last.xml", LAST),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    connection = database.connect()
    connection.execute("CREATE SCHEMA app")
    connection.execute("CREATE SCHEMA lb")
    return Tool(database, tmp_path, packages / "liquibase/dist/liquibase/liquibase")


@pytest.fixture
def copied(database: Database) -> Iterator[Database]:
    """Where what the database holds is copied to, with the same owner."""
    other = create_database(database.server)
    yield replace(other, owner=database.owner, opened=other.opened)
    drop_database(other)


def copy(database: Database, to: Database) -> None:
    for opened in database.opened:
        opened.close()
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(to.name)))
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(to.name), sql.Identifier(database.name)
            )
        )
        row = admin.execute("SELECT oid FROM pg_database WHERE datname = %s", [to.name]).fetchone()
    assert row
    to.oid = row[0]


def settings(tool: Tool) -> Migrations:
    return Migrations(command=("bash", str(tool.program)), environment={"JAVA_OPTS": FAST})


def test_the_real_liquibase_agrees(tool: Tool, copied: Database) -> None:
    ours, theirs = tool, Tool(copied, tool.project, tool.program)
    ours.run("update")
    everything, all_rows = schema(ours.database), rows(ours.database, TABLE)
    copy(ours.database, copied)

    (tool.project / "stolen.sql").unlink()
    plan = rolled_back(ours.database, ours.project, steps=4, migrations=settings(tool))
    assert sorted(p.name for p in tool.project.iterdir()) == ["db", "liquibase.properties"]
    theirs.run("rollback-count", "--count=4")
    left = rows(ours.database, TABLE)
    assert left == rows(copied, TABLE)
    assert [row["id"] for row in left] == ["1"]
    assert schema(ours.database) == schema(copied) != everything

    assert [m.version for m in plan.migrations] == [
        "db/last.xml::tag::ann",
        "db/last.xml::it's::o'neill & co",
        "db/more.sql::3::bob",
        "db/more.sql::first-in-sql::bob",
    ]
    tag, xml, function, orders = (m.script for m in plan.migrations)
    assert tag and tag.nothing_to_undo and xml and function and orders
    assert [s.sql for s in xml.statements][1:] == [
        "COMMENT ON COLUMN users.name IS 'it''s;\n-- Rolling Back ChangeSet: x::y::z\n"
        "-- Release Database Lock\n'",
        "COMMENT ON TABLE users IS 'x'",
        "ALTER TABLE app.users ALTER COLUMN  name DROP NOT NULL",
    ]
    assert [s.sql for s in function.statements] == [
        'SET search_path TO app, "$user","public"',
        "DROP FUNCTION f()",
    ]
    assert [s.sql for s in orders.statements][1:] == [
        "DROP TABLE orders",
        "COMMENT ON TABLE users IS NULL",
        "COMMENT ON COLUMN users.name IS NULL",
    ]

    # It applies again what we took back; and what it would then write, we write as well.
    ours.run("update")
    summary = (tool.project / "stolen.sql").read_text()
    assert re.search(r"Run: +4\s+Previously run: +1", summary)
    assert schema(ours.database) == everything
    applied_again = rows(ours.database, TABLE, ignoring=NEVER_THE_SAME)
    assert applied_again == [
        {k: v for k, v in row.items() if k not in NEVER_THE_SAME} for row in all_rows
    ]
    _apply_with_ours(tool, copied, plan.applied)
    assert schema(copied) == everything
    assert rows(copied, TABLE, ignoring=NEVER_THE_SAME) == applied_again


def _apply_with_ours(tool: Tool, database: Database, applied: tuple[AppliedMigration, ...]) -> None:
    migrations = settings(tool)
    program = Program(
        command=migrations.command,
        project=tool.project,
        environment=migrations.environment,
        seconds=60,
    )
    table = VersionTable(schema="lb", name="databasechangelog")
    again, below = tuple(reversed(applied[:4])), applied[4:]
    made = Liquibase().print_up(again, below, table, tool.project, program)
    with database.connect(autocommit=False) as connection:
        for one in made:
            assert isinstance(one, Made) and isinstance(one.source, Source), one
            connection.execute(one.source.data)
            for change in one.version_change:
                connection.execute(change.encode())


def test_what_it_cannot_undo_or_passes_over_is_said(tool: Tool) -> None:
    (tool.project / "db/more.sql").write_text(UNDONE_BY_NOBODY)
    (tool.project / "db/last.xml").unlink()
    text = CHANGELOG.replace("  - include: {file: last.xml, relativeToChangelogFile: true}\n", "")
    (tool.project / "db/changelog.yaml").write_text(text)
    tool.run("update")
    connection = tool.database.connect()
    connection.execute(
        f"INSERT INTO {TABLE} (id, author, filename, dateexecuted, orderexecuted, exectype)"
        " VALUES ('new', 'x', 'db/more.sql', now() + '1 day', 9, 'EXECUTED'),"
        " ('newest', 'x', 'db/gone.sql', now() + '1 day', 10, 'EXECUTED')"
    )
    plan = make_plan(
        connection,
        Settings(migrations=settings(tool)),
        tool.project,
        steps=7,
        count_losses=False,
    )
    why = {m.version.split("::")[1]: m.why_no_script for m in plan.migrations}
    assert "not the code that was deployed" in why["newest"]
    assert "passes over db/more.sql::new::x" in why["new"]
    assert "would undo what it never did" in why["marked"]
    assert "cannot print it: Liquibase does not support automatic" in why["no-way-back"]
    assert "stopped at db/more.sql::no-way-back::bob" in why["1"]
    kept, outside = (m.script for m in plan.migrations if m.script)
    assert not kept.statements
    assert kept.nothing_to_undo == "its changelog has an empty rollback: what it did (sql) stays"
    assert not outside.transactional
    assert [s.sql for s in outside.statements][1:] == ["DROP INDEX CONCURRENTLY by_name"]
