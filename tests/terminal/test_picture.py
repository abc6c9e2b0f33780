"""The fewest bytes draw the same picture as Textual's own, cell by cell, colours and all."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_tui.ui.picture import Pen, Picture
from tests.terminal.paper import Paper

WIDTH, HEIGHT = 24, 5

STYLES = ("", "1", "32", "1;32", "7", "4;31", "2;38;2;10;20;30;48;2;1;2;3", "38;5;9", "48;2;1;2;3")
TEXTS = st.text("ab 12·─│…漢é", min_size=1, max_size=9)
PIECES = st.tuples(
    st.integers(0, HEIGHT - 1),
    st.integers(0, WIDTH - 20),
    st.lists(st.tuples(TEXTS, st.sampled_from(STYLES)), min_size=1, max_size=1),
)
FRAMES = st.lists(st.lists(PIECES, min_size=1, max_size=6), min_size=1, max_size=6)


def frame(pieces: list[tuple[int, int, list[tuple[str, str]]]]) -> str:
    """What Textual sends for it."""
    told = ""
    for row, column, texts in pieces:
        told += f"\x1b[{row + 1};{column + 1}H"
        for text, style in texts:
            told += f"\x1b[{style}m{text}\x1b[0m" if style else text
    return told + "\x1b[1;1H"


@settings(max_examples=150, deadline=None)
@given(FRAMES)
def test_it_looks_the_same(frames: list[list[tuple[int, int, list[tuple[str, str]]]]]) -> None:
    theirs, ours = Paper(WIDTH, HEIGHT), Paper(WIDTH, HEIGHT)
    wanted, sent, pen = Picture(WIDTH, HEIGHT, " "), Picture(WIDTH, HEIGHT, " "), Pen()
    for number, pieces in enumerate(frames):
        theirs.feed(frame(pieces))
        assert wanted.take(frame(pieces))
        if number % 2:
            # A slow terminal misses a frame.
            continue
        ours.feed(pen.difference(wanted, sent))
        assert ours.seen == theirs.seen
    ours.feed(pen.difference(wanted, sent))
    assert ours.seen == theirs.seen
    assert pen.difference(wanted, sent) == ""


def test_what_is_there_already_costs_nothing() -> None:
    wanted, sent, pen = Picture(80, 24, " "), Picture(80, 24, " "), Pen()
    row = "\x1b[5;1H\x1b[1;38;2;224;108;108;48;2;20;24;31mage 00:41 of a session\x1b[0m"
    wanted.take(row)
    assert "age 00:41" in pen.difference(wanted, sent)
    wanted.take(row)
    assert pen.difference(wanted, sent) == ""
    wanted.take(row.replace("41", "42"))
    # One digit: where it is, and it.
    assert pen.difference(wanted, sent) == "\x1b[14D2"


def test_a_column_of_ages_is_a_few_bytes_a_row() -> None:
    wanted, sent, pen = Picture(80, 45, " "), Picture(80, 45, " "), Pen()
    column = "".join(f"\x1b[{n};30H\x1b[36m00:1%\x1b[0m" for n in range(1, 41))
    wanted.take(column.replace("%", "1"))
    pen.difference(wanted, sent)
    wanted.take(column.replace("%", "2"))
    assert len(pen.difference(wanted, sent)) <= 40 * 7 + 8


def test_what_is_no_frame_is_refused() -> None:
    picture = Picture(10, 2, " ")
    before = [row.copy() for row in picture.texts]
    for text in (
        "\x1b[?1049h",
        "\x07",
        "plain",
        "\x1b[1;1Hab\x1b[2J",
        "\x1b[1;1H\x1b]52;c;aGk=\x07",
    ):
        assert not picture.take(text)
    assert picture.texts == before


def test_the_other_window_keeps_what_fits() -> None:
    picture = Picture(10, 3, " ")
    picture.take("\x1b[1;1Habcdefghij\x1b[3;1Hxyz")
    smaller = picture.resized(4, 2)
    assert [smaller.row(0), smaller.row(1)] == ["abcd", "    "]
    larger = picture.resized(12, 4)
    assert larger.row(0) == "abcdefghij  "
    # What is new is drawn by nobody before it is known.
    assert Pen().difference(larger, Picture(12, 4)).count("abcdefghij") == 1
