"""A script whose text is not the file's own says where it comes from."""

from __future__ import annotations

import pytest

from rollback_tui.core.report import report_json, report_markdown
from rollback_tui.ui.listing import listing
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.entry_view import describe
from rollback_tui.ui.widgets.plan_lines import summary
from rollback_tui.ui.widgets.typed_confirm import facts
from tests.core.example import TARGET, migration, plan, script, started, view


@pytest.mark.parametrize("origin", ["", "the file as psql reads it: without \\set"])
def test_a_statement_says_where_its_text_comes_from(origin: str) -> None:
    made = plan(migration(script=script(origin=origin)))
    entry = next(one for one in listing(made).entries if one.statement)
    found = describe(entry, Walk(plan=made), pretty=False).plain
    assert (f"script    {origin}\n" in f"{found}\n") is bool(origin)


PRINTED = "printed by `alembic downgrade d1:m1 --sql`"


@pytest.mark.parametrize(
    ("framework", "origin", "by_hand", "said"),
    [
        ("alembic", PRINTED, "", " 1 migration printed → "),
        ("rails", "captured from `rake …`", "", " 1 migration captured → "),
        ("sqitch", "the file as psql reads it", "", " 1 migration → "),
        ("alembic", "", "", " 1 migration → "),
        ("rails", "", "undo.sql", " BY HAND → "),
    ],
)
def test_the_preview_says_who_made_the_script(
    framework: str, origin: str, by_hand: str, said: str
) -> None:
    made = plan(migration(script=script(origin=origin)), framework=framework, by_hand=by_hand)
    assert summary(Walk(plan=made)).plain.startswith(said)


def test_where_only_some_scripts_are_captured_that_is_said() -> None:
    made = plan(
        migration(version="2", script=script(origin="captured from `yoyo …`")),
        migration(version="1", script=script()),
        framework="yoyo",
    )
    assert summary(Walk(plan=made)).plain.startswith(" 2 migrations partly captured → ")
    assert ", partly captured from yoyo" in facts(Walk(plan=made, target=TARGET)).plain


def test_the_confirmation_and_the_report_say_who_made_the_script() -> None:
    made = plan(migration(script=script(origin=PRINTED)), framework="alembic")
    shown = facts(Walk(plan=made, target=TARGET)).plain
    assert "3 statements in one transaction, printed by alembic" in shown
    told = view(started(plan=made))
    assert "printed by \\`alembic downgrade d1:m1 --sql\\`)" in report_markdown(told)
    assert report_json(told)["migrations"][0]["origin"] == PRINTED
