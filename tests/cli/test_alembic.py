"""An Alembic project through the command line, from the plan to the tool's own word afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Project, events, here, only
from tests.frameworks import alembic_projects, installed
from tests.frameworks.alembic_projects import Real


def test_branches_and_a_merge_are_planned_rehearsed_and_rolled_back(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its program is found in the project's own .venv. The rehearsal applies what is printed for
    the way up, and replays all of it: then the schema that should be there is known."""
    path = alembic_projects.branches(alembic_projects.project(project.directory))
    (path / ".venv").symlink_to(installed.python("alembic").parent.parent)
    with Real(project.database, path) as alembic:
        alembic.up()
        applied = alembic.status()

        monkeypatch.setenv("DATABASE_URL", project.database.dsn)
        planned = here(project, monkeypatch, "plan", "--json", "--steps", "4")
        assert planned.exit_code == 0, planned.output
        plan = json.loads(planned.stdout)
        assert (plan["framework"], plan["current"], plan["target"]) == ("alembic", "d1", "b1")
        assert [m["version"] for m in plan["migrations"]] == ["d1", "z1", "m1", "c1"]
        assert plan["migrations"][0]["origin"] == "printed by `alembic downgrade d1:m1 --sql`"
        assert plan["migrations"][2]["nothing_to_undo"] == "its upgrade() does nothing"
        assert [s["sql"] for s in plan["statements"]] == [
            *("DROP INDEX orders_of", "DROP TABLE audit", "DROP TABLE stock"),
        ]

        text = here(project, monkeypatch, "plan", "--steps", "4").output
        assert "m1 Do m1\n" in text
        assert "  nothing to undo: its upgrade() does nothing\n" in text

        done = project.here(*project.run_arguments, "--steps", "4", "--rehearse", "schema")
        assert done.returncode == 0, done.stdout + done.stderr
        found = events(done.stdout)
        assert found[-1]["outcome"] == "rolled_back"
        (foreseen,) = (event["verdict"] for event in only(found, "schema_foreseen"))
        assert (foreseen["kind"], foreseen["origin"]) == ("identical", "replayed")
        report = Path(found[-1]["report"]).read_text()
        assert "after down and up the schema is identical" in report
        assert project.query("SELECT version_num FROM alembic_version") == [("b1",)]
        alembic.up()
        assert alembic.status() == applied
