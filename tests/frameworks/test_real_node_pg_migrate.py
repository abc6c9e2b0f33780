"""After our rollback node-pg-migrate's own command line must agree."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from rollback_tui.config import Migrations
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.node_pg_migrate import NodePgMigrate as Framework
from rollback_tui.frameworks.protocol import VersionTable
from tests.conftest import Database
from tests.frameworks import installed
from tests.frameworks.agreement import agree, rolled_back, rows

MIGRATIONS = {
    "1_users.js": ("exports.up = (pgm) => pgm.createTable('users', { id: { type: 'int' } });\n"),
    "2_email.sql": (
        "-- Emails.\r\n-- Up Migration\r\nALTER TABLE users ADD email text;\r\n"
        "-- Down Migration\r\nALTER TABLE users DROP email;"
    ),
    "3_orders.sql": (
        "--- down  migration: orders\nDROP TABLE orders;\n"
        "--- up migration\nCREATE TABLE orders (id int PRIMARY KEY);\n"
    ),
}


@dataclass
class NodePgMigrate:
    """node-pg-migrate's command line for one database and one project."""

    database: Database
    project: Path
    program: Path
    options: tuple[str, ...] = ()

    def run(self, *arguments: str) -> str:
        """Run it and return what it printed; raises when it fails."""
        socket = quote(self.database.server.host, safe="")
        url = (
            f"postgres://{self.database.owner}@/{self.database.name}?host={socket}"
            f"&port={self.database.server.port}"
        )
        done = subprocess.run(
            [self.program, *arguments, *self.options],
            cwd=self.project,
            env=installed.bare_environment(DATABASE_URL=url),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> object:
        return self.run("up")

    def down(self) -> object:
        return self.run("down")

    def status(self) -> object:
        """Return what it would apply: it has no other way to say what is."""
        lines = self.run("up", "--dry-run").splitlines()
        return [line.removeprefix("> - ") for line in lines if line.startswith("> - ")]


@pytest.fixture(scope="module")
def program() -> Path:
    return installed.npm("node-pg-migrate")


def write(project: Path, files: dict[str, str]) -> Path:
    (project / "migrations").mkdir(exist_ok=True)
    for name, text in files.items():
        (project / "migrations" / name).write_bytes(text.encode())
    return project


def test_node_pg_migrate_agrees_after_two_steps_and_applies_again(
    database: Database, other_database: Database, tmp_path: Path, program: Path
) -> None:
    write(tmp_path, MIGRATIONS)
    ours = NodePgMigrate(database, tmp_path, program)
    theirs = NodePgMigrate(other_database, tmp_path, program)
    plan = agree(ours, theirs, ["public.pgmigrations"], ignoring=["run_on"])
    assert plan.framework == "node-pg-migrate"
    assert [m.version for m in plan.migrations] == ["3_orders", "2_email"]
    assert all(m.applied_at for m in plan.migrations)

    # What it took back itself is applied again by us, and it goes on from there.
    again = next(m for m in plan.applied if m.version == "2_email")
    source = Framework().up(again, tmp_path / "migrations")
    assert isinstance(source, Source)
    table = VersionTable(schema="public", name="pgmigrations")
    with other_database.connect(autocommit=False) as connection:
        connection.execute(source.data[source.start : source.end])
        for statement in Framework().applied_change(table, again):
            connection.execute(statement.encode(), binary=True)
    assert theirs.status() == ["3_orders"]


def test_what_was_applied_last_goes_first_and_the_table_may_be_elsewhere(
    database: Database, other_database: Database, tmp_path: Path, program: Path
) -> None:
    options = ("--migrations-schema", "Ops", "--create-migrations-schema", "-t", "user")
    ours = NodePgMigrate(database, tmp_path, program, (*options, "--no-check-order"))
    theirs = NodePgMigrate(other_database, tmp_path, program, ours.options)
    write(tmp_path, {name: MIGRATIONS[name] for name in ("1_users.js", "3_orders.sql")})
    for tool in (ours, theirs):
        tool.up()
    write(tmp_path, MIGRATIONS)
    for tool in (ours, theirs):
        tool.up()
    plan = rolled_back(database, tmp_path, migrations=Migrations(table='"Ops"."user"'))
    theirs.down()
    assert [m.version for m in plan.migrations] == ["2_email"]
    kept = rows(database, "Ops.user", ignoring=["run_on"])
    assert kept == rows(other_database, "Ops.user", ignoring=["run_on"])
    assert [row["name"] for row in kept] == ["1_users", "3_orders"]
    assert ours.status() == ["2_email"]


BODY = "SELECT 'here';\n"
SECTIONS = {
    "plain": f"-- Up Migration\nSELECT 0;\n-- Down Migration\n{BODY}",
    "no up": f"CREATE TABLE x ();\n-- Down Migration\n{BODY}",
    "down first": f"-- Down Migration\n{BODY}-- Up Migration\nSELECT 0;\n",
    "blank lines before": f"-- Up Migration\nSELECT 0;\n\n \t\n  --\tDown\t Migration\n{BODY}",
    "upper case, dashes": f"-- Up Migration\n------- DOWN MIGRATION -------\n{BODY}",
    "CRLF": f"-- Up Migration\r\nSELECT 0;\r\n-- Down Migration\r\n{BODY}",
    "carriage returns": f"-- Up Migration\rSELECT 0;\r-- Down Migration\r{BODY}",
    "byte order mark": f"\ufeff-- Down Migration\n{BODY}-- Up Migration\n",
    "odd white space": f"-- Up Migration\n\u00a0--\u2003Down\u3000Migration\n{BODY}",
    "twice": f"-- Down Migration\n{BODY}-- Down Migration\n{BODY}-- Up Migration\nSELECT 0;",
    "in a string": f"-- Up Migration\nSELECT '\n-- Down Migration\n';\n{BODY}",
    "of a line": f"SELECT 0; -- Down Migration\n-- Down Migration s\n{BODY}",
    "over two lines": f"-- Up Migration\n--\n- \ndown\nmigration\n{BODY}",
    "one dash": f"-\n - \n-- \n - Down Migration\n{BODY}-- Up Migration\n",
    "not ASCII before": f"-- Ü€😀\n-- Up Migration\n-- ümläut\n-- Down Migration\n{BODY}",
    "Down with a dotless i": f"-- Down Mıgration\n-- Down Migration\n{BODY}",
    "no final newline": "-- Up Migration\n;\n-- Down Migration\nSELECT 'here'",
    "empty": "-- Up Migration\n;\n-- Down Migration",
}


def test_sections_are_read_as_node_pg_migrate_reads_them(
    database: Database, tmp_path: Path, program: Path
) -> None:
    """What it would run, for all of them in one call, is what is in our sections."""
    files = {f"{at}_x.sql": text for at, text in enumerate(SECTIONS.values(), start=1)}
    write(tmp_path, files)
    tool = NodePgMigrate(database, tmp_path, program)
    tool.run("up", "--fake")
    printed = tool.run("down", str(len(files)), "--dry-run")
    for title, (name, text) in zip(SECTIONS, files.items(), strict=True):
        version = name.removesuffix(".sql")
        theirs = printed.split(f"### MIGRATION {version} (DOWN) ###\n")[1]
        path = tmp_path / "migrations" / name
        applied = AppliedMigration(version=version, name="", path=str(path))
        source = Framework().down(applied, path.parent)
        assert isinstance(source, Source)
        assert source.transactional
        mine = source.data[source.start : source.end].decode()
        mine += "" if mine.endswith(";") else ";"
        # Universal newlines: our side of the pipe has turned them all into \n.
        mine = mine.replace("\r\n", "\n").replace("\r", "\n")
        assert theirs.startswith(f'{mine}\nDELETE FROM "public"."pgmigrations"'), (title, text)
