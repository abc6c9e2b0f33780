"""Tools whose migrations are SQL or code: code is captured from the real program, SQL is read.

The newest migration of each project is code, the one below is SQL; both are rolled back by us, and
the program must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rollback_tui.config import Migrations
from rollback_tui.core.model import Plan
from tests.conftest import Database
from tests.frameworks import installed
from tests.frameworks.agreement import agree
from tests.frameworks.code_projects import Program, written
from tests.frameworks.test_db_migrate import PROMISED

NODE_PG_MIGRATE = {
    "db/1_users.js": """\
exports.up = (pgm) => pgm.createTable("users", { id: "id", name: "text" });
""",
    "db/2_flag.sql": "-- Up Migration\nALTER TABLE users ADD flag boolean;\n"
    "-- Down Migration\nALTER TABLE users DROP flag;\n",
    "db/3_email.ts": """\
import type { MigrationBuilder } from "node-pg-migrate";
export const up = (pgm: MigrationBuilder): void => {
  pgm.addColumns("users", { email: { type: "text" } });
  pgm.createIndex("users", "email");
};
export const down = async (pgm: MigrationBuilder): Promise<void> => {
  await pgm.db.query("UPDATE users SET name = $1 WHERE id < 0", ["it's \\\\ $1"]);
  pgm.dropIndex("users", "email");
  pgm.dropColumns("users", ["email"]);
};
""",
}
DB_MIGRATE = {
    "db/20260101000000-users.js": """\
exports.up = (db) => db.createTable("users", {
  id: { type: "int", primaryKey: true },
  name: "string",
});
exports.down = (db) => db.dropTable("users");
""",
    "db/20260102000000-flag.js": 'const fs = require("fs"), path = require("path");\n'
    + PROMISED.replace("NAME", "20260102000000-flag")
    + PROMISED.replace("NAME", "20260102000000-flag").replace("down", "up"),
    "db/sqls/20260102000000-flag-up.sql": "ALTER TABLE users ADD flag boolean;\n",
    "db/sqls/20260102000000-flag-down.sql": "ALTER TABLE users DROP flag;\n",
    "db/20260103000000-email.js": """\
exports.up = async (db) => {
  await db.addColumn("users", "email", "string");
  await db.addIndex("users", "users_email", ["email"]);
};
exports.down = async (db) => {
  await db.runSql("UPDATE users SET name = ? WHERE id < 0", ["it's \\\\ $1"]);
  await db.removeIndex("users", "users_email");
  await db.removeColumn("users", "email");
};
""",
}
YOYO = {
    "db/0001-users.py": "from yoyo import step\n\n"
    'step("CREATE TABLE users (id int PRIMARY KEY, name text)", "DROP TABLE users")\n',
    "db/0002-flag.sql": "ALTER TABLE users ADD flag boolean;\n",
    "db/0002-flag.rollback.sql": "ALTER TABLE users DROP flag;\n",
    "db/0003-email.py": """\
from yoyo import step

__depends__ = {"0002-flag"}


def back(connection):
    cursor = connection.cursor()
    cursor.execute("UPDATE users SET name = %s WHERE id < 0", ["it's \\\\ $1"])


steps = [
    step("ALTER TABLE users ADD email text", "ALTER TABLE users DROP email"),
    step("CREATE INDEX users_email ON users (email)", "DROP INDEX users_email"),
    step("SELECT 1", back),
]
""",
}


def both(
    ours: Program,
    theirs: Program,
    tables: Sequence[str],
    migrations: Migrations,
    ignoring: Sequence[str],
) -> Plan:
    """Hold them to the bar; the project must be as it was, and the newest script captured."""
    before = contents(ours.project)
    plan = agree(ours, theirs, tables, migrations=migrations, ignoring=ignoring)
    code, sql = plan.migrations
    assert code.script is not None and sql.script is not None
    assert code.script.origin.startswith("captured from `")
    texts = [statement.sql for statement in code.script.statements]
    assert any("it''s" in text and "$1" in text for text in texts), texts
    assert sql.script.origin == ""
    assert [s.sql for s in sql.script.statements][-1].endswith("DROP flag")
    assert contents(ours.project) == before
    return plan


def contents(project: Path) -> Mapping[str, bytes]:
    """Return the files of the project that it came with."""
    return {
        str(path.relative_to(project)): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and not {"node_modules", "rollback_runs", "__pycache__"} & set(path.parts)
    }


class Schemed(Program):
    """node-pg-migrate."""

    def status(self) -> list[str]:
        """Return what it would apply: it has no other way to say what is."""
        return [line for line in self.run(*self.statuses).splitlines() if line.startswith("> - ")]


def test_node_pg_migrate_agrees(
    database: Database, other_database: Database, tmp_path: Path
) -> None:
    """With a schema, a table and a directory of its own."""
    where = ("-m", "db", "-t", "done", "--create-schema", "--schema", "Ops")
    program = (str(installed.npm("node-pg-migrate")),)
    calls = (("up", *where), ("down", *where), ("up", "--dry-run", *where))
    for each in (database, other_database):
        with each.connect() as connection:
            connection.execute(f'ALTER ROLE {each.owner} SET search_path = "Ops", public'.encode())
    ours, theirs = (
        Schemed(each, written(tmp_path / name, NODE_PG_MIGRATE), program, *calls)
        for each, name in ((database, "ours"), (other_database, "theirs"))
    )
    wanted = Migrations(directory="db", table='"Ops".done', framework="node-pg-migrate")
    both(ours, theirs, ["Ops.done"], wanted, ["run_on"])


class Checked(Program):
    """db-migrate."""

    def status(self) -> list[str]:
        """Return what is pending: ``check`` says nothing else."""
        return [self.run(*self.statuses).partition("Migrations to run:")[2]]


def test_db_migrate_agrees(database: Database, other_database: Database, tmp_path: Path) -> None:
    """Its own configuration leads nowhere: it is not asked."""
    elsewhere = '{"dev": {"driver": "pg", "url": "postgres://nobody@nowhere.invalid/none"}}'
    program = (str(installed.npm("db-migrate")), "-m", "db", "-t", "done", "--config", "none")
    ours, theirs = (
        Checked(
            each,
            written(tmp_path / name, {**DB_MIGRATE, "database.json": elsewhere}),
            program,
            *(("up",), ("down",), ("check",)),
        )
        for each, name in ((database, "ours"), (other_database, "theirs"))
    )
    wanted = Migrations(directory="db", table="public.done", framework="db-migrate")
    both(ours, theirs, ["public.done"], wanted, ["run_on"])


class Listed(Program):
    """yoyo."""

    def status(self) -> list[str]:
        """Return its list without where the files are."""
        return [" ".join(line.split()[:2]) for line in self.run(*self.statuses).splitlines()]


def test_yoyo_agrees(database: Database, other_database: Database, tmp_path: Path) -> None:
    """Its log has the same rows, too."""
    configuration = {"theirs.ini": "[DEFAULT]\ndatabase = %(DATABASE_URL)s\nsources = db\n"}
    yoyo = str(installed.python("yoyo"))
    where = ("--batch", "--config", "theirs.ini")
    ours, theirs = (
        Listed(
            each,
            written(tmp_path / name, {**YOYO, **configuration}),
            (yoyo,),
            *((call, *where) for call in ("apply", "rollback", "list")),
        )
        for each, name in ((database, "ours"), (other_database, "theirs"))
    )
    wanted = Migrations(directory="db", command=(yoyo,))
    tables = ["public._yoyo_migration", "public._yoyo_log", "public.yoyo_lock"]
    both(ours, theirs, tables, wanted, ["applied_at_utc", "created_at_utc", "id", "hostname"])
