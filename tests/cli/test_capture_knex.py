"""The real Knex, whole: captured, planned, run statement by statement, and asked again."""

from __future__ import annotations

import json

from tests.cli.conftest import Project, events, only
from tests.frameworks.code_projects import KNEX, knex, written
from tests.run.stepwise import YES

OUTSIDE = """\
exports.up = (knex) => knex.raw("CREATE INDEX CONCURRENTLY users_name ON users (name)");
exports.down = async (knex) => {
  await knex.raw("DROP INDEX CONCURRENTLY users_name");
  await knex("users").where({ id: 0 }).update({ name: "it's \\\\ $1" });
};
exports.config = { transaction: false };
"""
EMPTY = "exports.up = exports.down = async () => {};\n"


def test_from_the_capture_to_its_own_status(project: Project) -> None:
    third = "migrations/20240103000000_index.js"
    tool = knex(project.database, written(project.directory, {**KNEX, third: OUTSIDE}))
    tool.up()
    project.configure()

    done = project.here("capture", "--steps", "2", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    plan = json.loads(project.here("plan", "--steps", "2", "--json").stdout)
    first, second, *others = plan["statements"]
    assert first["transactional"] is False
    assert {s["migration"] for s in others} == {"20240102000000_email.js"}
    assert first["sql"] == "DROP INDEX CONCURRENTLY users_name"
    assert second["sql"].startswith("update \"users\" set \"name\" = E'it''s \\\\ $1'::")

    run = project.here(*project.run_arguments, YES, "--steps", "2")
    assert run.returncode == 0, run.stdout[-1500:] + run.stderr
    found = events(run.stdout)
    assert found[-1]["outcome"] == "rolled_back"
    assert len(only(found, "version_changed")) == 2
    assert project.query("SELECT name FROM knex_migrations") == [("20240101000000_users.js",)]
    status = "\n".join(tool.status())
    assert "Found 1 Completed" in status and "Found 2 Pending" in status, status

    # Its way back has no statement: Knex itself would take the version away.
    (project.directory / "migrations/20240101000000_users.js").write_text(EMPTY)
    captured = project.here("capture", "--json")
    (one,) = json.loads(captured.stdout)["made"]
    assert one["statements"] == [] and one["version_change"]
    refused = project.here(*project.run_arguments)
    assert refused.returncode == 1
    assert "no statement" in refused.stdout + refused.stderr
    assert project.query("SELECT name FROM knex_migrations") == [("20240101000000_users.js",)]
