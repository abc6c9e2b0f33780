"""The one door for untrusted text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_tui.core.text import cells, data_size, markdown, printable, shorten, typeable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 名 😀", "plain é 名 😀"),
        ("\x1b[2J", "␛[2J"),
        ("a\nb\tc\rd", "a␊b␉c␍d"),
        ("\x00", "␀"),
        ("\x7f", "␡"),
        ("\x9b2J", "<U+009B>2J"),
        ("user\u202egnp", "user<U+202E>gnp"),
        ("us\u200bers", "us<U+200B>ers"),
        ("\u2066x\u2069", "<U+2066>x<U+2069>"),
        ("\ufeffid", "<U+FEFF>id"),
        ("a\u2028b", "a<U+2028>b"),
        ("\ud800", "<U+D800>"),
        ("\U000e0041", "<U+E0041>"),
        ("[/red] [@click=quit]", "[/red] [@click=quit]"),
        ("a\u0378\ue000\U0001fffe", "a<U+0378><U+E000><U+1FFFE>"),
        ("1\u00a0234\u202f567\u3000x", "1\u00a0234\u202f567\u3000x"),
        ("Z" + "\u0335" * 6, "Z" + "\u0335" * 4 + "<U+0335><U+0335>"),
        ("Vi\u1ec7t e\u0323\u0302", "Vi\u1ec7t e\u0323\u0302"),
    ],
)
def test_what_lies_is_made_visible(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("shop", "shop"),
        ("my shop", "my shop"),
        (" shop  ", "<U+0020>shop<U+0020><U+0020>"),
        ("  ", "<U+0020><U+0020>"),
        ("a\x1b]0;x\x07\r\n\t", "a<U+001B>]0;x<U+0007><U+000D><U+000A><U+0009>"),
        ("sh\u200bop\u202e\u00a0x", "sh<U+200B>op<U+202E><U+00A0>x"),
        ("[bold]m\u00fcller \u65e5\u672c", "[bold]m\u00fcller \u65e5\u672c"),
    ],
)
def test_what_must_be_typed_can_be_typed(text: str, typed: str) -> None:
    assert typeable(text) == typed
    assert typeable(typed) == typed


def test_lines_stay_only_when_asked() -> None:
    assert printable("a\r\nb\tc\x1b", keep_lines=True) == "a\nb\tc␛"
    assert printable("a\rb", keep_lines=True) == "a␍b"


@given(st.text())
def test_nothing_unsafe_comes_through(text: str) -> None:
    shown = printable(text)
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in shown)
    assert not set("\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2028\u2029\ufeff") & set(
        shown
    )
    assert printable(shown) == shown


@given(st.text(), st.integers(min_value=1, max_value=60))
def test_shorten_fits_and_stays_on_one_line(text: str, width: int) -> None:
    short = shorten(text, width)
    assert cells(short) <= width
    assert "\n" not in short


def test_shorten_says_that_it_cut() -> None:
    assert shorten("short", 10) == "short"
    assert shorten("a  lot\nof   words", 100) == "a lot of words"
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("名名名", 4) == "名…"


def test_markdown_takes_every_meaning_away() -> None:
    text = markdown("`a|b` *c* _d_ [e](f) <g> # ~ ! \\ {h} &amp; \x1b")
    for character in "`|*_[]<>#~!{}&":
        for place, found in enumerate(text):
            if found == character:
                assert text[place - 1] == "\\"
    assert "␛" in text


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (10200, "10 KiB"),
        (999 * 1024, "999 KiB"),
        (1000 * 1024, "1.0 MiB"),
        (190_840_832, "182 MiB"),
        (3 << 40, "3.0 TiB"),
        (5000 << 50, "5000 PiB"),
    ],
)
def test_sizes_are_binary_and_say_so(number: int, words: str) -> None:
    assert data_size(number) == words
