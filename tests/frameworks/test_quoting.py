"""Quoting, compared with the server's own."""

from __future__ import annotations

import pytest

from rollback_tui.frameworks.protocol import VersionTable
from rollback_tui.frameworks.quoting import identifier, literal
from tests.conftest import Database

NAMES = ["a", "a1", "_a", "1a", "A", "a b", 'a"b', "ü", "a$", "", "schema_migrations", "users.x"]
TEXTS = ["20240101", "", "it's", "back\\slash", "\\'; DROP TABLE x; --", "ü\n", "$$"]


def test_identifiers_are_quoted_exactly_where_the_server_quotes_them(database: Database) -> None:
    connection = database.connect()
    words = [str(row[0]) for row in connection.execute("SELECT word FROM pg_get_keywords()")]
    assert len(words) > 400
    for name in NAMES + words:
        row = connection.execute("SELECT quote_ident(%s)", [name]).fetchone()
        assert row == (identifier(name),)


def test_no_keyword_of_an_older_server_stays_unquoted(database16: Database) -> None:
    quoted = database16.connect().execute("SELECT word, quote_ident(word) FROM pg_get_keywords()")
    for word, server in quoted.fetchall():
        assert identifier(str(word)) in (server, f'"{word}"')


@pytest.mark.parametrize("strings", ["on", "off"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_literal_means_its_text_under_every_setting(
    text: str, strings: str, database: Database
) -> None:
    connection = database.connect()
    connection.execute("SET escape_string_warning = off")
    connection.execute(f"SET standard_conforming_strings = {strings}")
    assert connection.execute(f"SELECT {literal(text)}").fetchone() == (text,)


def test_a_table_is_quoted_only_where_needed() -> None:
    assert VersionTable(schema="public", name="schema_migrations").quoted == (
        "public.schema_migrations"
    )
    assert VersionTable(schema="My", name="user").quoted == '"My"."user"'
