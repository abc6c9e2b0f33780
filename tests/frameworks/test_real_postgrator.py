"""After our rollback postgrator's own command line must agree."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from rollback_tui.config import Migrations, Settings
from rollback_tui.frameworks.postgrator import Postgrator
from rollback_tui.frameworks.protocol import VersionTable
from rollback_tui.survey.applied import detected, history
from tests.conftest import Database
from tests.frameworks import installed
from tests.frameworks.agreement import agree, rolled_back, rows

OPS = Migrations(framework="postgrator", table="ops.versions")

FILES = {
    "001.do.users.sql": "CREATE TABLE users (id int PRIMARY KEY, name text);",
    "001.undo.users.sql": "DROP TABLE users;",
    "002.do.orders.of-users.sql": "CREATE TABLE orders (id int PRIMARY KEY);\r\n",
    "002.undo.orders.of-users.sql": "DROP TABLE orders;\r\n",
    "010.do.sql": "ALTER TABLE users ADD COLUMN email text;\nSELECT 1;\n",
    "010.undo.sql": "ALTER TABLE users DROP COLUMN email;",
}


@dataclass(frozen=True)
class Real:
    """postgrator's command line for one database and one project."""

    database: Database
    project: Path
    table: str = "schemaversion"

    def to(self, version: str) -> str:
        """Migrate up or down to ``version``; returns what was printed, without times."""
        server = self.database.server
        done = subprocess.run(
            [
                *(str(installed.npm("postgrator")), f"--to={version}", "--no-config"),
                *(f"--host={server.host}", f"--port={server.port}"),
                *(f"--database={self.database.name}", f"--username={self.database.owner}"),
                f"--schema-table={self.table}",
            ],
            env=installed.bare_environment(),
            cwd=self.project,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return "\n".join(line.partition("] ")[2] for line in done.stdout.splitlines())

    def versions(self) -> list[int]:
        with self.database.connect() as connection:
            found = connection.execute(f"SELECT version FROM {self.table} ORDER BY 1").fetchall()
        return [int(str(row[0])) for row in found]

    def up(self) -> str:
        return self.to("max")

    def down(self) -> str:
        return self.to(str(self.versions()[-2]))

    def status(self) -> str:
        """It has no such command; asked to go where it is, it says so and compares all MD5s."""
        return self.to(str(self.versions()[-1]))


def project(path: Path) -> Path:
    (path / "migrations").mkdir()
    for name, text in FILES.items():
        (path / "migrations" / name).write_bytes(text.encode())
    return path


def test_postgrator_agrees_and_takes_what_we_apply_again(
    database: Database, other_database: Database, tmp_path: Path
) -> None:
    project(tmp_path)
    ours, theirs = Real(database, tmp_path), Real(other_database, tmp_path)
    plan = agree(ours, theirs, ["public.schemaversion"], ignoring=["run_at"])
    assert [m.version for m in plan.migrations] == ["10", "2"]
    assert [m.name for m in plan.migrations] == ["", "orders"]
    assert plan.goal == "1"

    with database.connect() as connection:
        past = history(connection, detected(connection, Settings(), tmp_path)).applied
        now = connection.execute("SELECT now()").fetchone()
        # What it wrote as UTC is UTC again, whatever the server's time zone is.
        connection.execute("SET TimeZone = 'Asia/Kolkata'")
        assert now is not None
        assert all(
            m.applied_at and abs((now[0] - m.applied_at).total_seconds()) < 600 for m in past
        )

    rolled_back(database, tmp_path)
    table = VersionTable(
        schema="public", name="schemaversion", columns=("version", "name", "md5", "run_at")
    )
    with database.connect() as connection:
        connection.execute(FILES["010.do.sql"])
        for change in Postgrator().applied_change(table, past[0]):
            connection.execute(change)
    assert "migrating up to 10" in ours.status()  # it compares the MD5 that we entered
    theirs.up()
    mine = rows(database, "public.schemaversion", ignoring=["run_at"])
    assert mine == rows(other_database, "public.schemaversion", ignoring=["run_at"])


def test_a_lower_version_that_came_late_is_not_applied_and_its_table_may_be_elsewhere(
    database: Database, tmp_path: Path
) -> None:
    """postgrator never applies it: only what is above the current version. On the way down it
    would run its undo file all the same; we go by the table."""
    project(tmp_path)
    late = {name: text for name, text in FILES.items() if name.startswith("002")}
    for name in late:
        (tmp_path / "migrations" / name).unlink()
    real = Real(database, tmp_path, "ops.versions")
    real.up()
    for name, text in late.items():
        (tmp_path / "migrations" / name).write_text(text)
    real.up()
    assert real.versions() == [0, 1, 10]
    plan = rolled_back(database, tmp_path, steps=2, migrations=OPS)
    assert [m.version for m in plan.migrations] == ["10", "1"]
    assert real.versions() == [0]
    real.up()
    assert real.versions() == [0, 1, 2, 10]
