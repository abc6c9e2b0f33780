"""After our rollback db-migrate's own command line must agree."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from rollback_tui.config import Settings
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.frameworks.db_migrate import DbMigrate, sql_file
from rollback_tui.frameworks.protocol import VersionTable
from rollback_tui.survey.applied import detected, history
from tests.conftest import Database
from tests.frameworks import installed
from tests.frameworks.agreement import agree, rolled_back, rows

TABLE = VersionTable(schema="public", name="migrations", columns=("id", "name", "run_on"))
SQL = {
    "20260101000000-users": ("CREATE TABLE users (id int PRIMARY KEY);", "DROP TABLE users;"),
    "20260102000000-orders": (
        "CREATE TABLE orders (id int);\r\nCREATE TABLE lines (id int);\r\n",
        "DROP TABLE lines;\r\nDROP TABLE orders;",
    ),
    "20260103000000-email": (
        "ALTER TABLE users ADD email text;",
        "ALTER TABLE users DROP email;\n",
    ),
}


@dataclass(frozen=True)
class Real:
    """db-migrate's command line for one database and one project."""

    database: Database
    project: Path
    schema: str = "public"

    def run(self, *arguments: str) -> str:
        """Run it and return what it printed; raises when it fails."""
        server = self.database.server
        configuration = self.project / f"{self.database.name}.json"
        here = {
            "driver": "pg",
            "host": server.host,
            "port": server.port,
            "user": self.database.owner,
            "database": self.database.name,
            "schema": self.schema,
        }
        configuration.write_text(json.dumps({"dev": here}))
        done = subprocess.run(
            [installed.npm("db-migrate"), *arguments, "--config", configuration.name],
            cwd=self.project,
            env=installed.bare_environment(TZ="Pacific/Auckland"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> str:
        return self.run("up")

    def down(self) -> str:
        return self.run("down")

    def status(self) -> str:
        """Return what is pending: ``check`` says nothing else."""
        return self.run("check").partition("Migrations to run:")[2]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migration as ``db-migrate create --sql-file`` writes it, two files of SQL beside it."""
    project = tmp_path_factory.mktemp("written")
    (project / "database.json").write_text(json.dumps({"dev": {"driver": "pg"}}))
    subprocess.run(
        [installed.npm("db-migrate"), "create", "x", "--sql-file"],
        cwd=project,
        env=installed.bare_environment(),
        capture_output=True,
        timeout=60,
        check=False,  # it cannot connect, and has written the files before it tries
    )
    (file,) = (project / "migrations").glob("*.js")
    return file


@pytest.fixture
def project(tmp_path: Path, written: Path) -> Path:
    (tmp_path / "migrations" / "sqls").mkdir(parents=True)
    for name in SQL:
        add(tmp_path, name, written)
    return tmp_path


def add(project: Path, name: str, written: Path) -> None:
    directory = project / "migrations"
    (directory / f"{name}.js").write_text(written.read_text().replace(written.stem, name))
    for way, text in zip(("up", "down"), SQL[name], strict=True):
        (directory / "sqls" / f"{name}-{way}.sql").write_bytes(text.encode())


def test_what_the_tool_writes_is_understood(written: Path) -> None:
    code = written.read_text()
    assert sql_file(code, "down") == f"{written.stem}-down.sql"
    assert sql_file(code, "up") == f"{written.stem}-up.sql"
    assert (written.parent / "sqls" / f"{written.stem}-down.sql").is_file()


def test_db_migrate_agrees_and_takes_what_we_apply_again(
    database: Database, other_database: Database, project: Path
) -> None:
    ours, theirs = Real(database, project), Real(other_database, project)
    plan = agree(ours, theirs, ["public.migrations"], ignoring=["run_on"])
    newest = "20260103000000-email"
    assert [m.version for m in plan.migrations] == [newest, "20260102000000-orders"]
    assert [m.name for m in plan.migrations] == ["email", "orders"]
    assert plan.goal == "20260101000000-users"

    rolled_back(database, project)
    with database.connect() as connection:
        connection.execute(SQL[newest][0])
        again = AppliedMigration(version=newest, name="email")
        for change in DbMigrate().applied_change(TABLE, again):
            connection.execute(change)
        past = history(connection, detected(connection, Settings(), project)).applied
        ahead = connection.execute(
            "SELECT min(run_on) > now() AT TIME ZONE 'UTC' + interval '9 hours' FROM migrations"
        ).fetchone()
    # The tool's times are Auckland's, so nobody is told one, and what came last is still newest.
    assert ahead == (True,)
    assert past[0].version == newest
    assert past[0].applied_at is None
    assert newest not in ours.status()
    theirs.up()
    mine = [row["name"] for row in rows(database, "public.migrations")]
    assert mine == [row["name"] for row in rows(other_database, "public.migrations")]


def test_what_was_applied_last_goes_first_in_another_schema(
    database: Database, project: Path, written: Path
) -> None:
    with database.connect() as connection:
        connection.execute('CREATE SCHEMA "Ops"')
    late = "20260102000000-orders"
    for file in (project / "migrations").rglob(f"{late}*"):
        file.unlink()
    real = Real(database, project, "Ops")
    real.up()
    add(project, late, written)
    real.up()
    with pytest.raises(Exception, match="first in search_path"):
        rolled_back(database, project)
    with database.connect() as connection:
        connection.execute(f'ALTER ROLE {database.owner} SET search_path = "Ops", public')
    plan = rolled_back(database, project)
    assert [m.version for m in plan.migrations] == [late]
    assert "email" in real.down()
    assert [row["name"] for row in rows(database, "Ops.migrations")] == ["/20260101000000-users"]
