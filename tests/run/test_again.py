"""The guide by hand names the command of every framework that is known."""

from __future__ import annotations

import shlex

import pytest

from rollback_tui.core.model import AppliedMigration, Migration, Plan
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.run.by_hand.again import command, names_its_target


def plan(framework: str) -> Plan:
    return Plan(
        framework=framework,
        version_table="schema_migrations",
        directory="/srv/it's here/db",
        current="2",
        goal="1",
        migrations=(Migration(version="2", name="b", applied_at=None, script=None),),
        applied=(AppliedMigration(version="2", name="b"), AppliedMigration(version="1", name="a")),
    )


@pytest.mark.parametrize("framework", sorted(set(FRAMEWORKS) - {"other", "pairs"}))
def test_every_tool_has_its_command(framework: str) -> None:
    text = command(plan(framework))
    assert not text.startswith("#")
    words = shlex.split(text)
    assert words  # the shell takes the directory for one word, apostrophe and blank included
    assert all("/srv" not in one or "/srv/it's here/db" in one for one in words)
    assert names_its_target(plan(framework)) == ("$DATABASE_URL" in text)


def test_of_a_tool_that_is_not_known_it_is_said() -> None:
    assert command(plan("other")).startswith("# other: its own command for 1 migrations up")
    assert not names_its_target(plan("other"))
