"""One line of the preview's list, as cells."""

from __future__ import annotations

from rich.text import Text

from rollback_tui.core.model import Plan, Statement
from rollback_tui.core.rehearsal import Measured
from rollback_tui.ui.entries import (
    Entry,
    loss_of,
    objects_of,
    short_kind,
    strongest,
    text_only,
)
from rollback_tui.ui.listing import listing
from rollback_tui.ui.surroundings import rehearsed, way
from rollback_tui.ui.theme import Tone, cell
from rollback_tui.ui.walk import Walk, unreviewed, valid_rehearsal
from rollback_tui.ui.widgets.live_table import Column

LEGEND = (
    "● destructive, ✓ reviewed · ✗ blocked: somebody holds a lock that it needs, now · "
    "m measured in a rehearsal, ≠ and not as forecast · K kept in an archive"
)
"""What the marks of the list mean."""


WIDE = 110
"""From so many cells on there is room for the longest name of a lock."""


def marks(walk: Walk) -> str:
    """Return what the letters in the list mean, as far as there are any."""
    rehearsal = valid_rehearsal(walk)
    measured = rehearsal is not None and any(not m.failed for m in rehearsal.statements)
    said = ["m measured (R: all of it)"] if measured else []
    said += ["≠ not as forecast"] if rehearsal and rehearsal.differences else []
    said += ["K kept"] if walk.keep else []
    return " · ".join(said)


def columns(total: int, width: int) -> tuple[Column, ...]:
    """Return the columns for a plan of ``total`` statements on a screen ``width`` cells wide."""
    digits = max(3, len(str(total)))
    return (
        Column("mark", "", 1),
        Column("index", "#".rjust(digits), digits),
        Column("kind", "kind", 15),
        Column("object", "object", 0, keep_end=True),
        Column("lock", "lock", 15 if width < WIDE else 20, least=66),
        Column("flags", "", 2, least=50),
        Column("loss", "loss", 13),
    )


def row(entry: Entry, walk: Walk) -> tuple[Text, ...]:
    """Return the cells of ``entry``."""
    if entry.statement is not None:
        return _statement(entry.statement, walk)
    kind, tone = {
        "version": ("version table", "accent"),
        "problem": ("✗ problem", "bad"),
        "missing": ("✗ no down migration", "bad"),
    }[entry.kind]
    what = entry.problem.summary if entry.problem else entry.migration.version
    if entry.kind == "version" and walk.plan:
        what = walk.plan.version_table
    return (
        cell(""),
        cell(""),
        cell(kind, tone),  # type: ignore[arg-type]
        cell(what),
        cell(""),
        cell(""),
        cell("–" if entry.kind == "version" else "", "dim"),
    )


def _statement(statement: Statement, walk: Walk) -> tuple[Text, ...]:
    mark: tuple[str, Tone] = ("●", "bad") if statement.dangerous else ("·", "dim")
    if statement.index in walk.reviewed:
        mark = ("✓", "good")
    rehearsal = valid_rehearsal(walk)
    measured, differs = None, False
    if rehearsal is not None:
        found = rehearsed(rehearsal)
        measured = found.measured.get(statement.index)
        differs = statement.index in found.differences
    flags = " " if measured is None else "≠" if differs else "m"
    flags += "K" if statement.index in walk.keep else ""
    return (
        cell(*mark),
        cell(statement.index, right=True),
        cell(short_kind(statement.effect.kind), "plain" if statement.dangerous else "dim"),
        cell(objects_of(statement) or "–"),
        _lock(statement, measured, walk),
        cell(flags, "warn" if differs else "accent"),
        _loss(statement, measured, walk),
    )


def _lock(statement: Statement, measured: Measured | None, walk: Walk) -> Text:
    waits = way(walk.way).by_statement.get(statement.index, []) if walk.way else []
    if waits and walk.way_stale:
        return cell("? was blocked", "warn")
    if waits:
        who = waits[0].pid or "prepared"
        return cell(f"✗ blocked {who}", "alarm")
    rehearsal = valid_rehearsal(walk)
    if measured is not None and measured.locks is not None and rehearsal is not None:
        found = rehearsed(rehearsal)
        held = [k for k in statement.effect.locks if found.held(k, measured.index) is not None]
        lock = strongest((*measured.locks, *held))
    else:
        lock = strongest(statement.effect.locks)
        if not statement.effect.locks and statement.effect.basis == "unknown":
            lock = "unknown"
        elif not statement.effect.locks and text_only(statement):
            lock = "? text only"
    return cell(lock, "warn" if lock in ("AccessExclusive", "unknown", "? text only") else "dim")


def _loss(statement: Statement, measured: Measured | None, walk: Walk) -> Text:
    if measured is not None and measured.failed:
        return cell("✗ failed", "alarm")
    if any(v.certain for v in statement.violations):
        return cell("✗ will fail", "alarm")
    if statement.effect.no_op:
        return cell("no-op now", "dim")
    if statement.violations and any(v.count != 0 for v in statement.violations):
        return cell("? may fail", "warn") if not statement.dangerous else _lost(statement, walk)
    return _lost(statement, walk)


def _lost(statement: Statement, walk: Walk) -> Text:
    if walk.counting and statement.dangerous and not statement.loss:
        return cell("counting …", "warn")
    tone: Tone = "bad" if statement.dangerous else "dim"
    return cell(loss_of(statement), "good" if statement.index in walk.keep else tone)


def wanting(plan: Plan, walk: Walk) -> frozenset[int]:
    """Return the statements that want somebody's eyes: not reviewed, going to fail, the first
    that a session blocks, or not as forecast."""
    rehearsal = valid_rehearsal(walk)
    blocked = way(walk.way).first if walk.way else frozenset()
    differing = rehearsed(rehearsal) if rehearsal else None
    found = frozenset(unreviewed(walk)).union(listing(plan).failing, blocked)
    if differing is None:
        return found
    failed = (index for index, one in differing.measured.items() if one.failed)
    return found.union(differing.differences, failed)
