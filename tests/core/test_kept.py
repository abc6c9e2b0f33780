"""What was kept is not called lost, and the report says where it is and how it comes back."""

from __future__ import annotations

from typing import Any

from rollback_tui.core import events as ev
from rollback_tui.core.report import log_line, report_json, report_markdown
from tests.core.example import (
    FAILED_NAME,
    attempt,
    failed_at_two,
    finished,
    records,
    rolled_back,
    started,
    stopped_in_the_middle,
    view,
)

SCHEMA = "rollback_archive_5d0c6a1e"


def kept(statement: int, relation: str, column: str | None, rows: int) -> ev.RowsKept:
    """One thing in the archive."""
    return ev.RowsKept(
        statement=statement,
        schema=SCHEMA,
        table=f"{SCHEMA}.statement_{statement}_item_1",
        relation=relation,
        column=column,
        rows=rows,
        seconds=0.02,
    )


COLUMN = kept(2, "public.users", "verified_at", 1204)
ROWS = kept(3, "public.settings", None, 7)


def with_kept(events: tuple[ev.AnyEvent, ...], *found: ev.RowsKept) -> tuple[ev.AnyEvent, ...]:
    """The same run, which kept ``found`` before its statements."""
    made: list[ev.AnyEvent] = []
    for event in events:
        if isinstance(event, ev.StatementStarted):
            made += [one for one in found if one.statement == event.index]
        made.append(event)
    return tuple(made)


def lost(data: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(one["relation"], one["kept"]) for one in data["impact"]["data_lost"]]


def test_all_that_was_kept_is_not_lost() -> None:
    found = view(*with_kept(rolled_back(), COLUMN, ROWS))
    text = report_markdown(found)
    assert "- Data lost: none" in text
    assert "Data removed and kept" in text and "1,204 values" in text
    assert "rollback-tui archive restore" in text and "rollback-tui archive drop" in text
    assert f"`{SCHEMA}.statement_3_item_1`" in text
    assert lost(report_json(found)) == [("public.users", True), ("public.settings", True)]
    assert len(report_json(found)["kept"]) == 2


def test_what_was_not_kept_is_still_lost() -> None:
    found = view(*with_kept(rolled_back(), COLUMN))
    text = report_markdown(found)
    assert "- Data lost:\n" in text and "- Data lost: none" not in text
    assert lost(report_json(found)) == [("public.users", True), ("public.settings", False)]


def test_another_column_that_was_kept_is_no_comfort() -> None:
    other = kept(2, "public.users", "other", 3)
    assert lost(report_json(view(*with_kept(rolled_back(), other))))[0] == ("public.users", False)


def test_without_keeping_nothing_is_said_of_it() -> None:
    assert "Kept" not in report_markdown(view(*rolled_back()))


def test_what_was_rolled_back_was_kept_nowhere() -> None:
    found = view(*with_kept(failed_at_two(), COLUMN))
    assert found.kept == () and "## Kept" not in report_markdown(found)


def test_a_second_attempt_keeps_anew() -> None:
    again = view(started(), *with_kept(attempt(), ROWS), *with_kept(attempt(2), ROWS))
    assert again.kept == (ROWS,)


def test_statement_by_statement_what_was_committed_is_kept() -> None:
    found = view(*with_kept(stopped_in_the_middle(), COLUMN))
    assert "1,204 values" in report_markdown(found).split("## Kept")[1]


def test_a_recovery_says_where_the_archive_is_now() -> None:
    swapped = ev.Swapped(new_oid=17001, kept=FAILED_NAME)
    events = with_kept(stopped_in_the_middle()[:-1], COLUMN)
    text = report_markdown(view(*events, swapped, finished("recovered")))
    assert f"in the failed database `{FAILED_NAME}`" in text
    assert "archive restore" not in text


def test_its_line_in_the_log() -> None:
    (record,) = records(COLUMN)
    assert "kept 1,204 values of public.users.verified_at in rollback_archive" in log_line(record)
