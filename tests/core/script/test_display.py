from __future__ import annotations

from rollback_tui.core.script.display import MAX_CHARACTERS, formatted


def test_a_statement_is_broken_into_lines() -> None:
    view = formatted("SELECT a, b FROM t WHERE a = 1 AND b = 2")
    assert view.splitlines()[1].strip() == "b" and "\nFROM t" in view


def test_what_is_too_long_or_too_deep_is_shown_as_it_is() -> None:
    long = "SELECT " + "a, " * MAX_CHARACTERS + "b"
    deep = "SELECT " + "(" * 500 + "1" + ")" * 500
    assert formatted(long) == long
    assert formatted(deep) == deep


def test_nothing_stays_nothing() -> None:
    assert formatted("") == ""
