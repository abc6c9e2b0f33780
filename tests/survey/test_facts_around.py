"""The checks' facts of who is in the way and who still names what goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rollback_tui.config import Settings
from rollback_tui.core.checks import judge
from rollback_tui.core.model import CheckResult, Lock
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.survey.facts import gather
from tests.conftest import Database
from tests.core.example import migration, plan, script, statement

DROP = statement(
    1,
    "DROP TABLE users",
    "DROP TABLE",
    loses_data=True,
    objects=("public.users",),
    locks=(Lock(relation="public.users", mode="AccessExclusive"),),
    drops=(("table", "public.users"),),
)
PLAN = plan(migration(script=script(statements=(DROP,))))


@pytest.fixture
def ours(database: Database) -> Iterator[Connection]:
    with connect(database.dsn) as connection:
        connection.execute("CREATE TABLE users (id int)")
        yield connection


def answers(ours: Connection, directory: Path) -> dict[str, CheckResult]:
    found = gather(ours, Settings(), directory, PLAN, confirmed=None, run_directory_problem=None)
    return {result.name: result for result in judge(found)}


def test_they_are_asked_of_the_server(database: Database, ours: Connection, tmp_path: Path) -> None:
    before = answers(ours, tmp_path)
    assert (before["in_the_way"].status, before["still_used"].status) == ("pass", "pass")
    other = database.connect(autocommit=False, application_name="shop")
    other.execute("SELECT id FROM users")
    after = answers(ours, tmp_path)
    assert after["in_the_way"].status == "warn"
    assert "(shop) holds AccessShare on public.users" in after["in_the_way"].evidence[0]
    assert after["still_used"].summary == "application shop still names public.users"
