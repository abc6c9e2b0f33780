"""Where nothing takes a migration back, or the migrations are not understood, it looks bad, and
what helps is on the screen."""

from __future__ import annotations

import pytest

from rollback_tui.core.model import Migration
from rollback_tui.ui.hints import hint
from rollback_tui.ui.listing import listing
from rollback_tui.ui.requests import Failure
from rollback_tui.ui.walk import Walk, done
from rollback_tui.ui.widgets.entry_view import describe
from rollback_tui.ui.widgets.plan_lines import summary
from tests.core.example import TARGET, migration, plan, script

EMPTY = migration(script=script(statements=()))
CODE = migration(script=None, why_no_script="code", capturable=True)


@pytest.mark.parametrize(
    ("one", "said", "told"),
    [
        (EMPTY, "no down migration for 1 of 1", "db/migrations/3_verify.sql holds no statement"),
        (migration(script=None, why_no_script="gone"), "no down migration for 1 of 1", "gone"),
        (CODE, "1 not captured yet", "code"),
    ],
)
def test_what_has_no_script_is_never_done(one: Migration, said: str, told: str) -> None:
    walk = Walk(plan=plan(one), target=TARGET)
    assert summary(walk).plain.endswith(said)
    listed = listing(plan(one))
    first = listed.entries[listed.stops[0]]
    assert first.kind == "missing"
    assert told in describe(first, walk, pretty=False).plain
    assert not done(walk, 3)
    assert done(Walk(plan=plan(migration(script=script(statements=(), nothing_to_undo="x")))), 3)


def test_the_next_step_is_to_capture() -> None:
    walk = Walk(plan=plan(CODE), target=TARGET, checks=())
    assert hint(walk, 3)[0].startswith("a arms; then c captures the script.")
    assert hint(Walk(plan=plan(EMPTY), target=TARGET), 3)[0].startswith("d: what stops it.")


def test_migrations_that_are_not_understood_point_at_what_helps() -> None:
    words, blocked = hint(Walk(target=TARGET, plan_failure=Failure(summary="two tools")), 1)
    assert blocked
    assert "above stands why, and what helps" in words
