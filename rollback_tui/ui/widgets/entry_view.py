"""One entry of the preview, explained: what it is, what it does, what it costs."""

from __future__ import annotations

from textual.content import Content

from rollback_tui.core.model import Statement
from rollback_tui.core.script.display import formatted
from rollback_tui.ui.entries import Entry, short_kind
from rollback_tui.ui.listing import listing
from rollback_tui.ui.once import once
from rollback_tui.ui.theme import line, lines
from rollback_tui.ui.walk import Walk, valid_rehearsal
from rollback_tui.ui.widgets import entry_effects, entry_facts
from rollback_tui.ui.widgets.sql_view import coloured


def source(entry: Entry, *, pretty: bool) -> Content:
    """Return the SQL of ``entry`` alone, for a pane of its own."""
    if entry.statement is not None:
        return lines(_shown(entry.statement.sql, pretty=pretty))
    if entry.kind == "version":
        return coloured(entry.sql)
    return line(("There is no statement.", "dim"))


def describe(entry: Entry, walk: Walk, *, pretty: bool, apart: bool = False) -> Content:
    """Return the text of ``entry``; ``pretty`` shows the formatted view instead of the slice.
    ``apart``: the SQL is shown elsewhere, by ``source``."""
    if entry.statement is not None:
        return lines(_statement(entry, entry.statement, walk, pretty=pretty, apart=apart))
    if entry.kind == "version":
        return lines(
            [
                line(("version table", "strong"), "  in the same transaction, after the script"),
                *([] if apart else [line(""), coloured(entry.sql)]),
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
            *(
                line(text)
                for text in (
                    migration.why_no_script
                    or (f"{entry.path} holds no statement." if entry.path else "")
                    or "No script takes this migration back."
                ).splitlines()
            ),
        ]
    )


def _statement(
    entry: Entry, statement: Statement, walk: Walk, *, pretty: bool, apart: bool
) -> list[Content]:
    rehearsal = valid_rehearsal(walk)
    rows = [
        _head(statement, walk),
        *entry_facts.losses(statement, counting=walk.counting),
        *entry_facts.keeping(statement, walk),
        *entry_effects.outcome(statement, rehearsal),
        *entry_facts.violations(statement),
        *entry_facts.in_the_way(statement, walk),
        *entry_facts.dependents(statement, walk),
        *entry_facts.mentions(statement, walk),
        *entry_facts.written(entry, statement, walk),
        *entry_facts.rest(statement, walk),
        *([line("")] if apart else _shown(statement.sql, pretty=pretty)),
        *entry_effects.hazards(statement.effect),
        *entry_effects.effects(statement, rehearsal),
        *entry_facts.narrow(statement, walk),
        line(
            ("from      ", "dim"),
            f"line {statement.line} of {entry.path}",
            (", given by hand" if walk.plan and walk.plan.by_hand else "", "warn"),
        ),
    ]
    if entry.migration.script is not None and entry.migration.script.origin:
        # Its lines are lines of that text, and not of the file.
        rows.append(line(("script    ", "dim"), entry.migration.script.origin))
    if entry.migration.script is not None and entry.migration.script.wrapper_removed:
        rows.append(
            line(
                ("wrapper   ", "dim"), "the script's own BEGIN … COMMIT was taken off; ours is used"
            )
        )
    return rows


def _head(statement: Statement, walk: Walk) -> Content:
    """Number, kind, and what marking it reviewed says: that its hazards are known."""
    total = len(listing(walk.plan).statements) if walk.plan else 0
    kind = short_kind(statement.effect.kind)
    head = [line((f"{statement.index} of {total}", "dim"), "  ", (kind, "strong"))]
    known = ", ".join(statement.effect.hazards)
    if statement.index in walk.reviewed:
        words = f"  ✓ acknowledged: {known}" if statement.dangerous and known else "  ✓ reviewed"
        head.append(line((words, "good")))
    elif statement.dangerous:
        head.append(line((f"  to review: {known}" if known else "  to review", "warn")))
    elif statement.effect.loses_data is False:
        head.append(line(("  loses no data", "good")))
    return Content("").join(head)


def _shown(sql: str, *, pretty: bool) -> list[Content]:
    if not pretty:
        return [_coloured(sql), line("")]
    words = line(("formatted for reading; what runs is the original (f)", "warn"))
    return [words, _formatted(sql), line("")]


@once
def _coloured(sql: str) -> Content:
    return coloured(sql)


@once
def _formatted(sql: str) -> Content:
    return coloured(formatted(sql))
