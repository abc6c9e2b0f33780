"""Answers of the server that look like success and are none."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from rollback_tui.run.committing import commit
from rollback_tui.run.context import Run
from rollback_tui.run.execution import TransactionLost
from tests.cli.conftest import Project, events, only
from tests.hostile.test_scripts import tail, untouched
from tests.run.test_review import run as run
from tests.run.test_undo import begun


def test_a_commit_that_the_server_turns_into_a_rollback_is_no_success(run: Run) -> None:
    """No client calls that an error: only the command tag tells."""
    connection = begun(run)
    connection.execute("DROP TABLE tokens")
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("SELECT 1/0")
    with pytest.raises(TransactionLost, match="answered ROLLBACK to COMMIT"):
        commit(run, None)
    assert not run.committed
    assert run.view.committed is False
    with psycopg.connect(run.request.dsn) as owner:
        assert owner.execute("SELECT count(*) FROM tokens").fetchone() == (17,)


def test_a_session_that_nobody_here_may_end_refuses_the_run_and_is_named(
    project: Project,
) -> None:
    project.two_migrations()
    boss = project.database.connect(superuser=True, application_name="the dba's psql")
    done = project.here(*project.run_arguments)
    assert done.returncode == 1, tail(done)
    found = events(done.stdout)
    judged = {e["check"]["name"]: e["check"] for e in only(found, "check_judged")}
    assert any("the dba's psql" in line for line in judged["sessions_endable"]["evidence"])
    assert not only(found, "door_closed")
    boss.close()
    untouched(project)
    assert Path(found[-1]["report"]).exists()
