"""What a script may not do, judged on its statements; and the one wrapper that is taken off."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from rollback_tui.core.model import Problem
from rollback_tui.core.script.lexer import significant, tokens
from rollback_tui.core.script.slices import Slice

_FIRST_WORD = re.compile(r"[A-Za-z_]+")
_END_OF_DATA = re.compile(r"^\\\.\r?$", re.MULTILINE)
_LEXING = re.compile("standard_conforming_strings", re.IGNORECASE)
_COMMANDS = frozenset(
    {
        "BEGIN",
        "START",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ABORT",
        "SAVEPOINT",
        "RELEASE",
        "PREPARE",
        "SET",
    }
)
_OPENING = frozenset({"BEGIN", "BEGIN TRANSACTION", "BEGIN WORK", "START TRANSACTION"})
_CLOSING = frozenset(
    {"COMMIT", "COMMIT TRANSACTION", "COMMIT WORK", "END", "END TRANSACTION", "END WORK"}
)
# Naming the setting in these does not change how the rest of the script is read.
_HARMLESS = frozenset({"ALTER", "COMMENT", "CREATE", "SHOW"})


def judge(text: str, slices: Sequence[Slice]) -> tuple[list[Slice], bool, list[Problem]]:
    """Return the slices to execute, whether a wrapper was taken off, and what is forbidden.

    The wrapper is exactly one BEGIN and one COMMIT, without options, each alone on its line,
    around everything else. A third of published down scripts have it; their author means one
    transaction, which is what the run does anyway.
    """
    controls = [(at, words) for at, piece in enumerate(slices) if (words := _control(text, piece))]
    removed = _is_wrapper(slices, controls)
    kept = list(slices[1:-1]) if removed else list(slices)
    problems: list[Problem] = []
    if not removed:
        problems += [_refuse_control(slices[at], words) for at, words in controls]
    lexing = _LEXING.search(text) is not None
    for piece in kept:
        if copies_from_stdin(text, piece):
            problems.append(_refuse_copy(piece))
        elif copies_to_stdout(text, piece):
            problems.append(_refuse_copy_out(piece))
        if lexing and _changes_lexing(text, piece):
            problems.append(_refuse_lexing(piece))
    return kept, removed, problems


def copies_from_stdin(text: str, piece: Slice) -> bool:
    """Return whether the statement is ``COPY … FROM STDIN``, whose data follows it in psql."""
    return _copies(text, piece, "FROM")


def copies_to_stdout(text: str, piece: Slice) -> bool:
    """Return whether the statement is ``COPY … TO STDOUT``, whose data comes out of psql."""
    return _copies(text, piece, "TO")


def _copies(text: str, piece: Slice, way: str) -> bool:
    """The grammar takes STDIN and STDOUT for each other (``copy_file_name`` of gram.y)."""
    if text[piece.start : piece.start + 4].upper() != "COPY":
        return False
    words = significant(text, piece.start, piece.end)
    return any(pair in ((way, "STDIN"), (way, "STDOUT")) for pair in itertools.pairwise(words))


def skip_copy_data(text: str, position: int, end: int) -> int:
    r"""Return where SQL goes on after COPY data: behind the line ``\.``, or the end."""
    marker = _END_OF_DATA.search(text, position, end)
    return marker.end() if marker else end


def _first_word(text: str, piece: Slice) -> str:
    match = _FIRST_WORD.match(text, piece.start, piece.end)
    return match.group().upper() if match else ""


def _control(text: str, piece: Slice) -> str:
    """Return a transaction control statement's words in upper case; empty for all others."""
    first = _first_word(text, piece)
    if first not in _COMMANDS:
        return ""
    words = significant(text, piece.start, min(piece.end, piece.start + 2000))
    if first == "PREPARE" and words[1:2] != ["TRANSACTION"]:
        return ""
    if first == "SET" and "TRANSACTION" not in (words[1:2] or [""]) + _characteristics(words):
        return ""
    return " ".join(words[:6])


def _characteristics(words: list[str]) -> list[str]:
    return words[4:5] if words[1:4] == ["SESSION", "CHARACTERISTICS", "AS"] else []


def _is_wrapper(slices: Sequence[Slice], controls: list[tuple[int, str]]) -> bool:
    if len(controls) != 2 or len(slices) < 2:
        return False
    (first, opening), (last, closing) = controls
    if first != 0 or last != len(slices) - 1:
        return False
    if opening not in _OPENING or closing not in _CLOSING:
        return False
    return slices[1].line > slices[0].line and slices[-1].line > slices[-2].line


def _refuse_control(piece: Slice, words: str) -> Problem:
    shown = " ".join(words.split()[:2]) if words.isascii() and words.isprintable() else "it"
    return Problem(
        line=piece.line,
        offset=piece.start,
        summary=f"{shown} controls the transaction, which the run must do itself",
        remedy="Remove it: the whole script runs in one transaction. Only one BEGIN; and one "
        "COMMIT;, each on a line of its own around everything, are taken off by themselves.",
        rule="transaction_control",
    )


def _refuse_copy(piece: Slice) -> Problem:
    return Problem(
        line=piece.line,
        offset=piece.start,
        summary="COPY … FROM STDIN takes data that only psql would send",
        remedy="Write the rows as INSERT, or run this script with psql by hand.",
        rule="copy_from_stdin",
    )


def _refuse_copy_out(piece: Slice) -> Problem:
    return Problem(
        line=piece.line,
        offset=piece.start,
        summary="COPY … TO STDOUT writes rows to a client that here reads none",
        remedy="Leave it out: the checkpoint keeps the rows. In psql it would only print them.",
        rule="copy_to_stdout",
    )


def _changes_lexing(text: str, piece: Slice) -> bool:
    if _first_word(text, piece) in _HARMLESS:
        return False
    return any(
        token.kind != "comment" and _LEXING.search(text, token.start, token.end)
        for token in tokens(text, piece.start, piece.end)
    )


def _refuse_lexing(piece: Slice) -> Problem:
    return Problem(
        line=piece.line,
        offset=piece.start,
        summary="standard_conforming_strings changes where the strings of this script end",
        remedy="Remove it, and write strings with backslashes as E'…'.",
        rule="changes_lexing",
    )
