"""One entry of the preview, explained: what it is, what it does, what it costs."""

from __future__ import annotations

from textual.content import Content

from rollback_tui.core.model import Effect, Statement
from rollback_tui.core.script.display import formatted
from rollback_tui.core.script.hazards import EXPLANATIONS
from rollback_tui.ui.entries import Entry
from rollback_tui.ui.theme import Tone, line, lines
from rollback_tui.ui.widgets.sql_view import coloured


def describe(entry: Entry, *, pretty: bool, reviewed: bool, total: int) -> Content:
    """Return the text of ``entry``; ``pretty`` shows the formatted view instead of the slice."""
    if entry.statement is not None:
        return _statement(entry, entry.statement, pretty=pretty, reviewed=reviewed, total=total)
    if entry.kind == "version":
        return lines(
            [
                line(("version table", "strong"), "  in the same transaction, after the script"),
                line(""),
                coloured(entry.sql),
            ]
        )
    if entry.problem is not None:
        problem = entry.problem
        return lines(
            [
                line(("✗ ", "bad"), (problem.summary, "bad")),
                line((f"line {problem.line} of {entry.path}", "dim")),
                line(""),
                line(("What to do: ", "accent"), problem.remedy) if problem.remedy else line(""),
            ]
        )
    migration = entry.migration
    return lines(
        [
            line(("✗ no down migration", "bad"), f"  {migration.version} {migration.name}"),
            line(migration.why_no_script or "No script takes this migration back."),
        ]
    )


def _statement(
    entry: Entry, statement: Statement, *, pretty: bool, reviewed: bool, total: int
) -> Content:
    effect = statement.effect
    state: tuple[str, Tone] = ("not reviewed yet", "warn") if statement.dangerous else ("", "dim")
    if reviewed:
        state = ("✓ reviewed", "good")
    rows = [
        line((f"{statement.index} of {total}", "dim"), "  ", (effect.kind, "strong"), "  ", state),
        *_loss(statement),
        *_shown(statement.sql, pretty=pretty),
        *(line(("! ", "warn"), _meaning(word)) for word in effect.hazards),
        line(("effects  ", "dim"), _effects(effect)),
        *_locks(effect),
        line(("from     ", "dim"), f"line {statement.line} of {entry.path}"),
    ]
    if entry.migration.script is not None and entry.migration.script.wrapper_removed:
        rows.append(
            line(
                ("wrapper  ", "dim"), "the script's own BEGIN … COMMIT was taken off; ours is used"
            )
        )
    return lines(rows)


def _shown(sql: str, *, pretty: bool) -> list[Content]:
    if not pretty:
        return [line(""), coloured(sql), line("")]
    words = line(("formatted for reading; what runs is the original (f)", "warn"))
    return [words, line(""), coloured(formatted(sql)), line("")]


def _loss(statement: Statement) -> list[Content]:
    if statement.effect.loses_data is False:
        return [line(("✓ loses no data", "good"))]
    if statement.loss:
        basis = statement.loss[0].basis
        return [
            line(("✗ loses ", "bad"), (loss.describe(), "bad"), (f"  {basis}", "dim"))
            for loss in statement.loss
        ]
    if statement.effect.loses_data is None:
        return [line(("? unknown whether it loses data: treat it as if it did", "bad"))]
    return [line(("✗ loses data; how much was not counted", "bad"))]


def _effects(effect: Effect) -> str:
    words = []
    if effect.rewrites:
        words.append("rewrites the table")
    elif effect.rewrites is None:
        words.append("may rewrite the table")
    if effect.transactional is False:
        words.append("cannot run in a transaction")
    elif effect.transactional is None:
        words.append("unknown whether it runs in a transaction")
    if effect.cascade:
        words.append("CASCADE takes dependants with it")
    if effect.if_exists:
        words.append("does nothing when it is not there")
    basis = {"forecast": "forecast", "measured": "measured", "unknown": "nobody knows"}
    return f"{', '.join(words) or 'no rewrite, in the transaction'}  ({basis[effect.basis]})"


def _locks(effect: Effect) -> list[Content]:
    if not effect.locks:
        known = effect.basis != "unknown"
        return [line(("locks    ", "dim"), "none on a table" if known else "unknown")]
    return [
        line(
            ("locks    ", "dim"),
            f"{lock.mode} on {lock.relation}",
            ("  stops reads and writes" if lock.mode == "AccessExclusive" else "", "warn"),
        )
        for lock in effect.locks
    ]


def _meaning(hazard: str) -> str:
    """Return what a hazard means, on one line; an unknown word is shown as it is."""
    return " ".join(EXPLANATIONS.get(hazard, hazard).split())
