"""The lines above the list of statements: how many, what is lost, who is in the way, what was
rehearsed, what is kept."""

from __future__ import annotations

from textual.content import Content

from rollback_tui.core.model import Plan, Verdict
from rollback_tui.core.outlook import InTheWay
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.core.text import cells
from rollback_tui.ui.keys import key
from rollback_tui.ui.listing import listing
from rollback_tui.ui.moment import steady
from rollback_tui.ui.surroundings import around, way
from rollback_tui.ui.theme import STATUS, Tone, line, lines
from rollback_tui.ui.walk import Walk, unreviewed, valid_rehearsal
from rollback_tui.ui.widgets.schema_lines import verdict_words
from rollback_tui.ui.wording import (
    COPIES,
    age,
    clock,
    count,
    goal_of,
    keep_cost,
    made_by,
    rehearsed_words,
    time_of,
    took,
    version,
)


def summary(walk: Walk) -> Content:
    """Return how many statements there are, and how many wait for a review."""
    plan = walk.plan
    if plan is None:
        return line((" No plan.", "dim"))
    listed = listing(plan)
    dangerous, missing = len(listed.dangerous), len(unreviewed(walk))
    reviewed: tuple[str, Tone] = (", all reviewed" if dangerous else "", "good")
    if missing:
        reviewed = (f", {missing:,} to review", "warn")
    what: tuple[str, Tone] = (f" {count(len(plan.migrations), 'migration')}", "plain")
    if plan.by_hand:
        what = (" BY HAND", "warn")
    made = made_by(plan)
    gone = [entry.migration for entry in listed.entries if entry.kind == "missing"]
    harm: tuple[str, Tone] = (f"{dangerous:,} destructive", "bad" if dangerous else "good")
    if gone:
        harm = (f"no down migration for {len(gone):,} of {len(plan.migrations):,}", "bad")
    if gone and all(migration.capturable for migration in gone):
        harm = (f"{len(gone):,} not captured yet", "warn")
    said = line(
        what,
        (f" {made}" if made else "", "accent"),
        " → ",
        ("version stays" if plan.version_stays else goal_of(plan), "strong"),
        f" · {count(len(listed.statements), 'statement')}, ",
        harm,
        reviewed,
    )
    if listed.transactional:
        return said
    return lines(
        [line((" NOT ONE TRANSACTION: each statement for itself, done stays done", "bad")), said]
    )


def losses(walk: Walk, width: int) -> Content:
    """Return what is lost, as much of it as fits, and how many rows are kept of it."""
    if walk.counting:
        return line((" loses: being counted …", "warn"))
    found = listing(walk.plan).losses if walk.plan else ()
    kept = kept_words(walk)
    hidden = len(listing(walk.plan).uncounted) if walk.plan else 0
    unknown: tuple[str, Tone] = (f", unknown in {count(hidden, 'statement')}", "bad")
    if not hidden:
        unknown = ("", "dim")
    elif not found:
        return line((f" loses: unknown in {count(hidden, 'statement')}", "bad"))
    tail: tuple[str, Tone] = (f" · keeps {len(walk.keep)}" if kept else "", "good")
    room = width - 22 - cells(tail[0]) - cells(unknown[0])
    shown: list[str] = []
    for number, loss in enumerate(found):
        rest = f" and {len(found) - number:,} more"
        if shown and cells("; ".join([*shown, loss.describe()])) > room:
            return line((" loses ", "bad"), "; ".join(shown), (rest, "dim"), unknown, tail)
        shown.append(loss.describe())
    return line((" loses ", "bad"), "; ".join(shown), unknown, tail)


def kept_words(walk: Walk) -> str:
    """Return what is kept of the destructive statements, and what that costs; empty when
    nothing is."""
    if not walk.keep or walk.plan is None:
        return ""
    known = around(walk.outlook).keepable if walk.outlook else {}
    chosen = [known[index] for index in walk.keep if index in known]
    of = len(listing(walk.plan).dangerous)
    return f"what {len(walk.keep)} of {of} statements remove, in an archive: {keep_cost(*chosen)}"


def in_the_way(walk: Walk) -> Content:
    """Return who blocks how many statements now; that it is not known, or an old answer."""
    if walk.folder is not None:
        return line(("as it was before the run", "dim"))
    if walk.way is None:
        if not walk.way_stale:
            return line(("? who is in the way is being asked", "dim"))
        return line((f"? not known who is in the way: {walk.way_stale}", "warn"))
    found = way(walk.way)
    blocked = count(len(found.by_statement), "statement")
    others = len(found.sessions) - 1
    who = f"by {_who(found.sessions[0])}" if found.sessions else ""
    who += f", +{count(others, 'other')}" if others > 0 else ""
    if walk.way_stale:
        since = time_of(walk.way_at) if walk.way_at else "the beginning"
        was = f"{blocked} blocked {who}" if found.sessions else "nobody blocked it"
        return line((f"? stale since {since}: {was} · {walk.way_stale}", "warn"))
    if not found.sessions:
        return line(("no session blocks it now", "dim"))
    return line((f"✗ {blocked} blocked now", "alarm"), (f" {who}", "bad"))


def _who(one: InTheWay) -> str:
    """Return who blocks, as short as a line above the list: the statement has the rest."""
    who = f"{one.application or 'no name'} (pid {one.pid})"
    if one.pid == 0:
        who = f"prepared transaction {one.application}"
    return f"{who} {age(one.age)}" + (f", {one.behind} behind" if one.behind else "")


def rehearsal(walk: Walk, now: float | None = None) -> Content | None:
    """Return what the rehearsal does, or how it ended; None when there is none. ``now``:
    monotonic seconds."""
    underway = walk.rehearsing
    if underway is not None:
        gone = clock((steady() if now is None else now) - underway.since)
        stop = "" if underway.stopping else f"  no limit: {key('preview.stop')} stops it"
        return line(
            (f" ▸ rehearsing on {COPIES[underway.source]} {gone} ", "accent"),
            underway.words,
            (stop, "dim"),
        )
    if walk.rehearsal_failure is not None:
        failure = walk.rehearsal_failure
        return line((f" ✗ not rehearsed: {failure.summary} ", "bad"), failure.remedy)
    found = valid_rehearsal(walk)
    if found is None or walk.plan is None:
        return None
    words, tone = rehearsed_words(found, _statements(walk.plan))
    glyph = {"good": "✓", "bad": "✗"}.get(tone, "!")
    left = "" if found.removed else f"; its database {found.database} is STILL THERE"
    return line((f" {glyph} {words}", tone), (left, "alarm"))


def rehearsal_in_full(found: Rehearsal) -> Content:
    """Return everything that a rehearsal found out, beside what stands at each statement."""
    where = "a server of our own" if found.embedded else "the target's server"
    rows = [
        line(f"On {COPIES[found.source]}, {where} (PostgreSQL {version(found.server_version)})."),
        line(f"Made in {took(found.made_seconds)}, all of it took {took(found.seconds)}."),
        line(
            f"Scratch database {found.database}: {'removed' if found.removed else 'STILL THERE'}."
        ),
    ]
    if found.proven:
        rows.append(line(("✓ proven: ", "good"), f"the checkpoint {found.proven}"))
    if found.failure:
        rows.append(line(("✗ it did not come to its end: ", "bad"), found.failure))
    rows += [line(("≠ ", "warn"), text) for text in found.differences]
    schema = verdict_words(found.foreseen) if found.foreseen else ("? not known", "warn")
    rows.append(line("schema afterwards: ", schema, ("  (v shows it in full)", "dim")))
    trip = found.round_trip
    if trip is not None:
        rows += _verdict("down, then up", trip.verdict, trip.summary, trip.differences)
    else:
        rows.append(line(("? ", "warn"), "down, then up: no up script, or it did not come to that"))
    rows += [line(("note ", "accent"), text) for text in found.notes]
    return lines(rows)


def _verdict(title: str, verdict: Verdict, said: str, items: tuple[str, ...]) -> list[Content]:
    glyph, word, tone = STATUS[verdict]
    head = line((f"{glyph} {word} ", tone), f"{title}: {said}")
    return [head, *(line(("    · ", "dim"), item) for item in items)]


def _statements(plan: Plan) -> int:
    return len(listing(plan).statements)
