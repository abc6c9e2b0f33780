"""Names taken apart, and found as whole words in SQL."""

from __future__ import annotations

import pytest

from rollback_tui.core.names import chains, parts, same


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("users", ("users",)),
        ("Public.Users", ("public", "users")),
        ('public."order"', ("public", "order")),
        ('"A.b"."c""d"', ("A.b", 'c"d')),
        ("public . users . id", ("public", "users", "id")),
        ("public.f(integer, text[])", ("public", "f")),
        ('"f(x)"(int)', ("f(x)",)),
        ("größe", ("größe",)),
        ("", ()),
        ("a.", ()),
        ("a b", ()),
        ("1a", ()),
        ('"', ()),
        ('""', ()),
    ],
)
def test_a_name_is_taken_apart_as_the_server_does(name: str, expected: tuple[str, ...]) -> None:
    assert parts(name) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT u.Id FROM Users u", [("select",), ("u", "id"), ("from",), ("users",), ("u",)]),
        ('"Users"."x y"', [("Users", "x y")]),
        ("a /* users */ -- users\nb", [("a",), ("b",)]),
        ("a /* never ends users", [("a",)]),
        ("'users are many'", []),
        ("'it''s' 'users'", [("users",)]),
        ("nextval('public.ids'::regclass)", [("nextval",), ("public", "ids"), ("regclass",)]),
        (r"E'\'users' x", [("x",)]),
        ("'users is cut off", []),
        ("$$ users $$ $a$ users $$ $a$ $1 x$1", [("x$1",)]),
        ("$1::users", [("users",)]),
        ("1.5e3users", []),
        ("users_old", [("users_old",)]),
    ],
)
def test_only_whole_words_that_name_something_are_found(
    text: str, expected: list[tuple[str, ...]]
) -> None:
    assert list(chains(text)) == expected


def test_the_shorter_name_may_be_the_longer() -> None:
    assert same("users", "public.users")
    assert same('public."users"', "PUBLIC.users")
    assert not same("audit.users", "public.users")
    assert not same("", "users")
