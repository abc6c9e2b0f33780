"""``capture``: what it prints, and that the run then does what was captured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.cli.conftest import Project
from tests.rehearsal import captured_tool
from tests.rehearsal.test_capturing import DOWNS, UP

ROOT = Path(__file__).parents[2]


def test_captured_planned_and_run(project: Project) -> None:
    with project.database.connect() as connection:
        connection.execute(UP.encode())
    command = json.dumps([sys.executable, captured_tool.__file__])
    project.configure(
        '[migrations]\nframework = "other"\ntable = "public.done"\nversion_column = "version"\n'
        f'directory = "migrations"\ncommand = {command}\n'
        'status_command = ["status"]\ndown_command = ["down", "{version}"]\n'
        f'environment = {{ PYTHONPATH = "{ROOT}" }}\n'
    )
    directory = project.directory / "migrations"
    directory.mkdir()
    for name, code in DOWNS.items():
        (directory / f"{name}.py").write_text(code)
    planned = project.here("plan").stdout
    assert "capture it with `rollback-tui capture`" in planned

    done = project.command("capture", "--steps", "2")
    assert done.returncode == 0, done.stderr
    assert "asking the tool for its status" in done.stderr
    for line in (
        "    1  DROP TABLE orders",
        "version table: DELETE FROM done WHERE version = '3'::text",
        "left out (2):",
        "it controls the transaction, which the run does itself:",
        "`rollback-tui plan` shows it",
    ):
        assert line in done.stdout, done.stdout
    found = json.loads(project.here("plan", "--steps", "2", "--json").stdout)
    assert [s["sql"] for s in found["statements"]][:1] == ["DROP TABLE orders"]
    assert found["migrations"][0]["origin"].startswith("captured from ")

    run = project.here(*project.run_arguments, "--steps", "2")
    assert run.returncode == 0, run.stdout + run.stderr
    assert project.query("SELECT version FROM done") == [("1",)]
    assert project.query("SELECT to_regclass('orders'), to_regclass('users_email')") == [
        (None, None)
    ]

    (directory / "1_users.py").write_text("connection.execute('SELECT * FROM users')")
    refused = project.here("capture", "--json")
    assert refused.returncode == 1
    (one,) = json.loads(refused.stdout)["made"]
    assert one["reads"] == ["users"]
    assert "the tool read rows of users" in one["refused"]
