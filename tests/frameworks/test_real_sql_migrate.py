"""After our rollback sql-migrate's own command line must agree."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from rollback_tui.config import Migrations
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.protocol import VersionTable
from rollback_tui.frameworks.sql_migrate import SqlMigrate as Framework
from tests.conftest import Database
from tests.frameworks import installed
from tests.frameworks.agreement import agree, rolled_back, rows

MIGRATIONS = {
    "9_users.sql": (
        "-- +migrate Up\nCREATE TABLE users (id int PRIMARY KEY);\n"
        "-- +migrate Down\nDROP TABLE users;\n"
    ),
    "10_email.sql": (
        "-- Emails.\n-- +migrate Up\r\nALTER TABLE users ADD email text;\r\n"
        "-- +migrate StatementBegin\r\n"
        "CREATE FUNCTION nine() RETURNS int LANGUAGE plpgsql AS $$\r\nBEGIN\r\n"
        "  RETURN 9;\r\nEND $$;\r\n-- +migrate StatementEnd\r\n"
        "-- +migrate Down\r\n-- No function any more.\r\nDROP FUNCTION nine();\r\n"
        "ALTER TABLE users DROP email;\r\n"
    ),
    "11_index.sql": (
        "-- +migrate Down notransaction\nDROP INDEX users_email;\n"
        "-- +migrate Up\nCREATE INDEX users_email ON users (email);\n"
    ),
}


@dataclass
class SqlMigrate:
    """sql-migrate's command line for one database and one project."""

    database: Database
    project: Path
    program: Path
    options: str = ""

    def run(self, *arguments: str) -> str:
        """Run it and return what it printed; raises when it fails."""
        where = f"host={self.database.server.host} port={self.database.server.port}"
        configuration = self.project / f"{self.database.name}.yml"
        configuration.write_text(
            "here:\n  dialect: postgres\n  dir: migrations\n"
            f"  datasource: {where} dbname={self.database.name} user={self.database.owner}"
            f" sslmode=disable\n{self.options}"
        )
        done = subprocess.run(
            [self.program, *arguments, "-env=here", f"-config={configuration.name}"],
            cwd=self.project,
            env=installed.bare_environment(),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> object:
        return self.run("up")

    def down(self) -> object:
        return self.run("down")

    def status(self) -> object:
        """Return (file, whether it is applied)."""
        cells = [line.split("|") for line in self.run("status").splitlines() if ".sql" in line]
        return [(cell[1].strip(), cell[2].strip() != "no") for cell in cells]


@pytest.fixture(scope="module")
def program() -> Path:
    return installed.debian("sql-migrate")


def write(project: Path, files: dict[str, str]) -> Path:
    (project / "migrations").mkdir(exist_ok=True)
    for name, text in files.items():
        (project / "migrations" / name).write_bytes(text.encode())
    return project


def test_sql_migrate_agrees_after_two_steps_and_applies_again(
    database: Database, other_database: Database, tmp_path: Path, program: Path
) -> None:
    write(tmp_path, MIGRATIONS)
    ours = SqlMigrate(database, tmp_path, program)
    theirs = SqlMigrate(other_database, tmp_path, program)
    plan = agree(ours, theirs, ["public.gorp_migrations"], ignoring=["applied_at"])
    assert plan.framework == "sql-migrate"
    assert [m.version for m in plan.migrations] == ["11_index.sql", "10_email.sql"]
    assert [m.script and m.script.transactional for m in plan.migrations] == [False, True]
    assert all(m.applied_at for m in plan.migrations)
    assert ours.status() == [(name, True) for name in MIGRATIONS]


def test_out_of_order_in_a_table_elsewhere_down_to_nothing(
    database: Database, other_database: Database, tmp_path: Path, program: Path
) -> None:
    """What was applied late goes in the order of the names; and what we have applied again is to
    the tool as if it had done so."""
    for each in (database, other_database):
        each.connect().execute("CREATE SCHEMA ops")
    write(tmp_path, {name: MIGRATIONS[name] for name in ("9_users.sql", "11_index.sql")})
    up = "-- +migrate Up\nALTER TABLE users ADD email text;\n-- +migrate Down\n;\n"
    write(tmp_path, {"9_users_email.sql": up})
    options = "  schema: ops\n  table: user\n"
    ours = SqlMigrate(database, tmp_path, program, options)
    theirs = SqlMigrate(other_database, tmp_path, program, options)
    for tool in (ours, theirs):
        tool.up()
    write(tmp_path, {"10_late.sql": "-- +migrate Up\nSELECT 1;\n-- +migrate Down\nSELECT now();\n"})
    for tool in (ours, theirs):
        tool.up()
    settings = Migrations(table='ops."user"')
    first = rolled_back(database, tmp_path, steps=2, migrations=settings)
    assert [m.version for m in first.migrations] == ["11_index.sql", "10_late.sql"]
    for _ in range(2):
        theirs.down()
    assert ours.status() == theirs.status()
    assert rows(database, "ops.user", ignoring=["applied_at"]) == [
        {"id": "9_users.sql"},
        {"id": "9_users_email.sql"},
    ]
    framework, table = Framework(), VersionTable(schema="ops", name="user")
    late = AppliedMigration(version="10_late.sql", name="late")
    for statement in framework.applied_change(table, late):
        database.connect().execute(statement, binary=True)
    theirs.run("up", "-limit=1")
    assert ours.status() == theirs.status()


BODY = "SELECT 'here';\n"
SECTIONS = {
    "plain": f"-- +migrate Up\nSELECT 0;\n-- +migrate Down\n{BODY}",
    "no transaction": f"-- +migrate Up\nSELECT 0;\n-- +migrate Down notransaction\n{BODY}",
    "blanks": f"-- +migrate   Up  \nSELECT 0;\n-- +migrate \tDown\t\n{BODY}",
    "CRLF": f"-- +migrate Up\r\nSELECT 0;\r\n-- +migrate Down\r\n{BODY}",
    "indented": f"-- +migrate Up\nSELECT 0;\n -- +migrate Down\n{BODY}",
    "no blank": f"-- +migrate Up\nSELECT 0;\n--+migrate Down\n{BODY}",
    "lower case": f"-- +migrate Up\nSELECT 0;\n-- +migrate down\n{BODY}",
    "upper case": f"-- +migrate Up\nSELECT 0;\n-- +MIGRATE DOWN\n{BODY}",
    "down first": f"-- +migrate Down\n{BODY}-- +migrate Up\nSELECT 0;\n",
    "only down": f"SELECT 1;\n-- +migrate Down\n{BODY}",
    "down twice": f"-- +migrate Up\n-- +migrate Down\n{BODY}-- +migrate Down\n{BODY}",
    "byte order mark": f"\ufeff-- +migrate Up\nSELECT 0;\n-- +migrate Down\n{BODY}",
    "in a string": f"-- +migrate Up\nSELECT ';\n-- +migrate Down\n{BODY}SELECT ';';\n",
    "unknown": f"-- +migrate Up\nSELECT 0;\n-- +migrate Downwards\n{BODY}",
    "statement": (
        "-- +migrate Up\nSELECT 0;\n-- +migrate Down\n-- +migrate StatementBegin\n"
        f"{BODY}-- +migrate StatementEnd\n"
    ),
}


def test_sections_are_read_as_sql_migrate_reads_them(
    database: Database, tmp_path: Path, program: Path
) -> None:
    """What it would run, for all of them in one call, is what is in our sections."""
    files = {f"{at}_x.sql": text for at, text in enumerate(SECTIONS.values(), start=1)}
    write(tmp_path, files)
    tool = SqlMigrate(database, tmp_path, program)
    tool.run("skip")
    printed = tool.run("down", "-dryrun", "-limit=0").split("==> Would apply migration ")[1:]
    theirs = {part.split(" ", 1)[0]: part.split("\n", 1)[1] for part in printed}
    assert theirs.keys() == files.keys()
    for title, (name, text) in zip(SECTIONS, files.items(), strict=True):
        path = tmp_path / "migrations" / name
        applied = AppliedMigration(version=name, name="", path=str(path))
        source = Framework().down(applied, path.parent)
        mine = ""
        if isinstance(source, Source):
            mine = source.data[source.start : source.end].decode()
            mine = "".join(x for x in mine.splitlines(True) if not x.startswith("-- "))
            assert source.transactional is ("notransaction" not in text)
        assert mine.split() == theirs[name].split(), title
