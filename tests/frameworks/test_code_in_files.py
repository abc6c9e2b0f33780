"""Which migrations of the tools with SQL and code are captured: code that has a way back, and
nothing else that is missing."""

from __future__ import annotations

import threading
from hashlib import sha256
from pathlib import Path

import pytest

from rollback_tui.cli.options import Common
from rollback_tui.cli.recognised import migration_findings
from rollback_tui.config import Migrations, Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.frameworks.protocol import Missing
from rollback_tui.frameworks.registry import FRAMEWORKS, captures, lacking
from rollback_tui.frameworks.yoyo.framework import Yoyo
from rollback_tui.kit import problems
from rollback_tui.rehearsal.capturing import capture
from rollback_tui.survey.planning import make_plan
from tests.conftest import Database
from tests.frameworks.test_db_migrate import PROMISED
from tests.frameworks.test_detect_tables import MADE

JS = "20260101000000-a"
CODE = {
    "node-pg-migrate, .js": ("node-pg-migrate", "1_a.js", "exports.up = () => {};"),
    "node-pg-migrate, .ts": ("node-pg-migrate", "1_a.ts", "export const up = () => {};"),
    "db-migrate": ("db-migrate", f"{JS}.js", "exports.down = (db) => db.dropTable('a');"),
    "yoyo": ("yoyo", "1.py", "from yoyo import step\nstep('SELECT 1', lambda c: None)\n"),
}
NOT_CAPTURED = {
    "node-pg-migrate, no section": ("node-pg-migrate", "1_a.sql", "-- Up Migration\n"),
    "node-pg-migrate, half a pair": ("node-pg-migrate", "1_a.up.sql", "SELECT 1;"),
    "db-migrate, no way back": ("db-migrate", f"{JS}.js", "exports.up = (db) => null;"),
    "db-migrate, no SQL file": ("db-migrate", f"{JS}.js", PROMISED.replace("NAME", JS)),
    "yoyo, no rollback file": ("yoyo", "1.sql", "SELECT 1;"),
    "yoyo, no Python": ("yoyo", "1.py", "step("),
    "yoyo, depends on nobody knows what": ("yoyo", "1.py", "__depends__ = names()\nstep(one)\n"),
}


def found(directory: Path, framework: str, name: str, text: str) -> tuple[object, object]:
    """Return the ways down and up of the one migration there is."""
    (directory / name).write_text(text)
    tool = FRAMEWORKS[framework]
    (file,) = tool.files(directory)
    applied = AppliedMigration(version=file.version, name="", path=file.path)
    return tool.down(applied, directory), tool.up(applied, directory)


@pytest.mark.parametrize("case", CODE)
def test_the_way_back_of_code_can_be_captured(case: str, tmp_path: Path) -> None:
    down, up = found(tmp_path, *CODE[case])
    assert isinstance(down, Missing)
    assert down.capturable
    # Only ways back are captured.
    assert not (isinstance(up, Missing) and up.capturable)


@pytest.mark.parametrize("case", NOT_CAPTURED)
def test_nothing_else_that_is_missing_becomes_a_capture(case: str, tmp_path: Path) -> None:
    down, _ = found(tmp_path, *NOT_CAPTURED[case])
    assert isinstance(down, Missing)
    assert not down.capturable


@pytest.mark.parametrize("framework", ["node-pg-migrate", "db-migrate", "yoyo"])
def test_a_version_without_a_file_is_never_captured(framework: str, tmp_path: Path) -> None:
    gone = AppliedMigration(version="20260101000000-gone", name="")
    down = FRAMEWORKS[framework].down(gone, tmp_path)
    assert isinstance(down, Missing)
    assert not down.capturable


def test_whoever_captures_says_how_its_program_is_called() -> None:
    for name, framework in FRAMEWORKS.items():
        assert not lacking(framework), name
    assert {name for name, one in FRAMEWORKS.items() if one.kind == "files" and captures(one)} == {
        *("node-pg-migrate", "db-migrate", "yoyo")
    }

    class Half(Yoyo):
        """It says how it takes a migration back, and not how that is proved to be harmless."""

        def __getattribute__(self, name: str) -> object:
            if name == "status_command":
                raise AttributeError(name)
            return super().__getattribute__(name)

    assert problems(Half()) == ("it has no status_command",)


def row(version: str) -> bytes:
    """Return what enters a version into yoyo's table."""
    digest = sha256(version.encode()).hexdigest()
    return f"INSERT INTO _yoyo_migration VALUES ('{digest}', '{version}', now())".encode()


def test_a_migration_without_a_way_back_stops_the_capture(
    database: Database, tmp_path: Path
) -> None:
    """yoyo would forget it and leave the schema as it is. Where all are SQL, nothing is captured;
    and what is read from a file needs neither."""
    (tmp_path / "migrations").mkdir()
    for name, text in {
        "1.sql": "SELECT 1;",
        "2.py": "from yoyo import step\nstep('SELECT 2', lambda c: None)\n",
        "3.sql": "CREATE TABLE c ();",
        "3.rollback.sql": "DROP TABLE c;",
    }.items():
        (tmp_path / "migrations" / name).write_text(text)
    settings = Settings(migrations=Migrations(command=("never-called",)))

    def attempt(steps: int) -> str:
        with pytest.raises(FrameworkError) as caught:
            capture(
                database.dsn,
                settings,
                tmp_path,
                steps=steps,
                version=None,
                said=lambda _: None,
                stop=threading.Event(),
            )
        return caught.value.summary

    with database.connect() as connection:
        connection.execute(MADE["yoyo"].encode())
        for version in "123":
            connection.execute(row(version))
        plan = make_plan(connection, settings, tmp_path, steps=3)
        common = Common(dsn=database.dsn, settings=settings, project=tmp_path, as_json=False)
        _, way_back, program, *_ = migration_findings(common, connection)
    assert way_back.what == "down migrations: in files, or code"
    assert (program.status, "only needed for migrations that are code" in program.what) == (
        "note",
        True,
    )
    assert [m.capturable for m in plan.migrations] == [False, True, False]
    newest, code, oldest = plan.migrations
    assert newest.script is not None and not newest.why_no_script
    assert "is code that only yoyo can run: capture it with" in code.why_no_script
    assert "there is no 1.rollback.sql" in oldest.why_no_script
    assert "there is nothing to capture" in attempt(1)
    assert "never-called" in attempt(2)
    assert "1 has no way back, so nothing is captured" in attempt(3)
