"""Down migrations that are code, captured from the real programs, rolled back by us.

Afterwards the programs must agree, as with every framework.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rollback_tui.config import Migrations, Settings
from rollback_tui.frameworks.captured import Captures
from rollback_tui.rehearsal.capturing import capture
from tests.conftest import Database
from tests.frameworks.agreement import agree
from tests.frameworks.code_projects import PROGRAMS, Program, written


def configured(framework: str) -> Migrations:
    """Return what a project would configure: the program is not where Node's packages are."""
    if framework == "rails":
        return Migrations(command=("rake",))
    return Migrations()


def captured(
    program: Program, framework: str, steps: int, migrations: Migrations | None = None
) -> Captures:
    return capture(
        program.database.dsn,
        Settings(migrations=migrations or configured(framework)),
        program.project,
        steps=steps,
        version=None,
        said=lambda _: None,
        stop=threading.Event(),
    )


@pytest.mark.parametrize("framework", PROGRAMS)
def test_the_real_program_agrees(
    framework: str, database: Database, other_database: Database, tmp_path: Path
) -> None:
    make, files, table = PROGRAMS[framework]
    ours = make(database, written(tmp_path / "ours", files))
    theirs = make(other_database, written(tmp_path / "theirs", files))
    before = contents(ours.project)
    plan = agree(
        ours,
        theirs,
        [f"public.{table}"],
        migrations=configured(framework),
        # Knex's time of applying
        ignoring=("migration_time",),
    )
    texts = [statement.sql for statement in plan.statements]
    assert any("it''s" in text and "$1" in text for text in texts), texts
    assert all(migration.script and migration.script.origin for migration in plan.migrations)
    # The call wrote nothing into the project.
    assert contents(ours.project) == before


def contents(project: Path) -> dict[str, bytes]:
    """Return the files of the project, without what is ours and what is installed."""
    return {
        str(path.relative_to(project)): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and not {"node_modules", "rollback_runs"} & set(path.parts)
    }
