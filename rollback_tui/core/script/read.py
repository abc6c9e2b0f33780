"""From the bytes of a down migration to a :class:`Script`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from rollback_tui.core.model import Effect, Problem, Script, Statement
from rollback_tui.core.script.collector import collector_paused
from rollback_tui.core.script.crosscheck import SecondReading
from rollback_tui.core.script.effects import effect, unknown_effect
from rollback_tui.core.script.source import Source
from rollback_tui.core.script.split import MAX_PROBLEMS, SplitResult, split
from rollback_tui.core.script.templates import MOST_REPORTED, placeholders

Trees = Callable[[Sequence[str]], Sequence[Mapping[str, object] | None]]
"""Parses statements: for each, the tree of its one command, or None (``Parser.trees``)."""


def read_script(
    source: Source, *, first_index: int, trees: Trees, second: SecondReading | None = None
) -> Script:
    """Return the script in ``source``, split, its statements' effects forecast.

    ``first_index`` is the index of its first statement in the plan. The hash and the size are
    those of the whole file. A script with problems is returned with them, never raised for;
    it may then have no statements. ``second`` reads the boundaries again: one for all scripts of
    a plan bounds the time that this takes.
    """
    with collector_paused():
        return _read(source, first_index, trees, second or SecondReading())


def _read(source: Source, first_index: int, trees: Trees, second: SecondReading) -> Script:
    result = split(source.data, source.start, source.end)
    texts = [source.data[piece.start : piece.end].decode("utf-8") for piece in result.statements]
    found = list(trees(texts)) if texts else []
    found += [None] * (len(texts) - len(found))
    statements = tuple(
        Statement(
            index=first_index + at,
            start=piece.start,
            end=piece.end,
            line=piece.line,
            sql=text,
            effect=_effect(tree),
        )
        for at, (piece, text, tree) in enumerate(zip(result.statements, texts, found, strict=False))
    )
    doubts = _doubts(source, result, second)
    problems = [*source.problems, *result.problems, *_placeholders(source, result, found)]
    return Script(
        path=source.path,
        sha256=hashlib.sha256(source.data).hexdigest(),
        size=len(source.data),
        statements=statements,
        # Its own BEGIN … COMMIT says more about the author's intent than a marker's absence.
        transactional=source.transactional or result.wrapper_removed,
        wrapper_removed=result.wrapper_removed,
        problems=tuple(sorted(problems, key=lambda problem: problem.offset)[:MAX_PROBLEMS]),
        doubts=doubts or (),
        read_twice=doubts is not None,
        origin=source.origin,
        file_sha256=source.file_sha256,
        nothing_to_undo=source.nothing_to_undo,
    )


def effective(script: Script) -> bool:
    """Return whether the script does anything at all: it has at least one statement."""
    return bool(script.statements)


def _doubts(
    source: Source, result: SplitResult, second: SecondReading
) -> tuple[Problem, ...] | None:
    if result.problems or not result.statements:
        return None  # there is nothing to run, so nothing to doubt
    return second.doubts(source.data, source.start, source.end, result.statements)


def _placeholders(
    source: Source, result: SplitResult, trees: Sequence[Mapping[str, object] | None]
) -> list[Problem]:
    text = source.data[: source.end].decode("latin-1")
    found: list[Problem] = []
    for piece, tree in zip(result.statements, trees, strict=True):
        found += placeholders(text, piece.start, piece.end, parsed=tree is not None)
        if len(found) >= MOST_REPORTED:
            return found[:MOST_REPORTED]
    return found


def _effect(tree: Mapping[str, object] | None) -> Effect:
    return unknown_effect() if tree is None else effect(tree)
