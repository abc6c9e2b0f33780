"""After our rollback the tool itself must agree. Run with ``pytest``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from rollback_tui_steps import Steps

from rollback_tui import kit
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.protocol import Missing

FILES = {
    "1_users.sql": "CREATE TABLE users (id int PRIMARY KEY);\n-- undo\nDROP TABLE users;\n",
    "2_name.sql": "ALTER TABLE users ADD name text;\n-- undo\nALTER TABLE users DROP name;\n",
    "10_email.sql": "ALTER TABLE users ADD email text;\n-- undo\nALTER TABLE users DROP email;\n",
}


@dataclass
class Tool:
    """The real program. Yours is called here with subprocess; Steps is made up, so this is it."""

    database: kit.Scratch
    project: Path

    def up(self) -> None:
        with self.database.connect() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS steps_done"
                " (number int PRIMARY KEY, done_at timestamptz NOT NULL)"
            )
            for number, (do, _) in self._steps().items():
                if number not in self._done():
                    connection.execute(do.encode())
                    connection.execute("INSERT INTO steps_done VALUES (%s, now())", [number])

    def down(self) -> None:
        newest = max(self._done())
        with self.database.connect() as connection:
            connection.execute(self._steps()[newest][1].encode())
            connection.execute("DELETE FROM steps_done WHERE number = %s", [newest])

    def status(self) -> list[tuple[int, bool]]:
        return [(number, number in self._done()) for number in self._steps()]

    def _done(self) -> set[int]:
        with self.database.connect() as connection:
            rows = connection.execute("SELECT number FROM steps_done").fetchall()
        return {int(str(row[0])) for row in rows}

    def _steps(self) -> dict[int, tuple[str, str]]:
        found = {}
        for path in (self.project / "steps").glob("*.sql"):
            do, _, undo = path.read_text().partition("-- undo\n")
            found[int(path.name.split("_")[0])] = (do, undo)
        return dict(sorted(found.items()))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "steps").mkdir()
    for name, text in FILES.items():
        (tmp_path / "steps" / name).write_text(text)
    return tmp_path


def test_it_says_all_that_it_must() -> None:
    assert kit.problems(Steps()) == ()


def test_the_tool_agrees(project: Path) -> None:
    with kit.databases(2) as (ours, theirs):
        plan = kit.agree(
            Tool(ours, project), Tool(theirs, project), ["public.steps_done"], ignoring=["done_at"]
        )
    assert [m.version for m in plan.migrations] == ["10", "2"]  # as numbers
    assert plan.framework == "steps"


def test_what_cannot_be_read_is_missing_and_never_empty(project: Path) -> None:
    steps = Steps()
    rows = [(1, None), (2, None), (11, None)]
    applied = steps.history(rows, steps.files(project / "steps")).applied
    assert [(m.version, m.name) for m in applied] == [("11", ""), ("2", "name"), ("1", "users")]
    assert isinstance(steps.down(applied[0], project / "steps"), Missing)
    assert isinstance(steps.down(applied[1], project / "steps"), Source)
    (project / "steps" / "2_name.sql").write_text("-- undo\n-- undo\n")
    assert isinstance(steps.down(applied[1], project / "steps"), Missing)
