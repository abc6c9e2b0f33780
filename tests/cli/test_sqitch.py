"""A framework with many tables of its own, whole: rehearsed with a replayed baseline, and run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Project
from tests.conftest import Database
from tests.frameworks import test_real_sqitch as real


@pytest.fixture
def sqitch(database: Database, tmp_path: Path) -> real.Sqitch:
    files = {"schema/sqitch.plan": real.PLAN, "sqitch.conf": real.CONFIGURATION, **real.SCRIPTS}
    real.write(tmp_path, files)
    (tmp_path / "user.conf").write_text("[user]\n\tname = Op\n\temail = op@example.org\n")
    return real.Sqitch(database, tmp_path)


def test_its_registry_is_nobodys_surprise(sqitch: real.Sqitch) -> None:
    """The rehearsal's scratch copy has its rows, no schema lacks it, and what is written into it
    is announced: otherwise none of this would pass."""
    sqitch.up()
    project = Project(sqitch.project, sqitch.database)
    project.configure()
    environment = {"SQITCH_USER_CONFIG": str(sqitch.project / "user.conf")}

    checked = project.command("check", "--rehearse", "--json", "--steps", "2", env=environment)
    checks = {check["name"]: check for check in json.loads(checked.stdout)["checks"]}
    assert checks["schema_restored"]["status"] == "pass", checks["schema_restored"]

    done = project.command(*project.run_arguments, "--steps", "2", env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    judged = {
        event["verification"]["name"]: event["verification"]["verdict"]
        for event in map(json.loads, done.stdout.splitlines())
        if event["kind"] == "verification_judged"
    }
    assert {judged[name] for name in ("schema", "nothing_else", "rows", "contents")} == {"pass"}
    assert "  * orders @v2.1" in str(sqitch.status())
