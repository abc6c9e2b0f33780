"""A script whose text is not the file's own says where it comes from."""

from __future__ import annotations

import pytest

from rollback_tui.ui.listing import listing
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.entry_view import describe
from tests.core.example import migration, plan, script


@pytest.mark.parametrize("origin", ["", "the file as psql reads it: without \\set"])
def test_a_statement_says_where_its_text_comes_from(origin: str) -> None:
    made = plan(migration(script=script(origin=origin)))
    entry = next(one for one in listing(made).entries if one.statement)
    found = describe(entry, Walk(plan=made), pretty=False).plain
    assert (f"script    {origin}\n" in f"{found}\n") is bool(origin)
