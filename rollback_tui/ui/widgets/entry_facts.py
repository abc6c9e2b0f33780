"""What is known around one statement, as lines: what it loses, what makes it fail, who waits.

Most important first. What could not be found out is said; what is fine shares one line.
"""

from __future__ import annotations

import re

from textual.content import Content

from rollback_tui.core.model import Loss, Statement, Violation
from rollback_tui.core.outlook import InTheWay, Mention, Written
from rollback_tui.core.text import data_size, shorten
from rollback_tui.ui.entries import Entry, text_only
from rollback_tui.ui.surroundings import around, way
from rollback_tui.ui.theme import Tone, line
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.wording import age, count, keep_cost, time_of

MOST = 4
"""At most so many sessions, dependents or queries are named; the others are counted."""

_PART = re.compile(r"(.+) on (?:foreign |materialized )?(?:table|view) (.+)")
"""A constraint, trigger, rule or policy, as ``pg_describe_object`` says it."""

_BROKEN = {
    "not null": "have NULL in {name}",
    "unique": "have the same {name} as another",
    "check": "break the check {name}",
    "foreign key": "refer to what is not there ({name})",
    "exclusion": "exclude each other ({name})",
    "partition": "do not belong where {name} would have them",
    "type": "have a {name} that the new type does not take",
}


def losses(statement: Statement, *, counting: bool = False) -> list[Content]:
    """Return what it removes, counted; or that nobody knows, and why. ``counting``: it is being
    counted now."""
    if statement.effect.no_op:
        return [line(("✓ does nothing as things are now", "good"), ": what it names is not there")]
    if statement.effect.loses_data is False:
        return []
    if statement.loss:
        return [_loss(loss) for loss in statement.loss]
    if statement.effect.loses_data is None:
        return [line(("? unknown whether it loses data: treat it as if it did", "bad"))]
    if counting:
        return [line(("✗ loses data", "bad"), ("; how much is being counted …", "warn"))]
    return [line(("✗ loses data; how much was not counted", "bad"))]


def _loss(loss: Loss) -> Content:
    if loss.count is None:
        why = f"  not counted: {loss.why}" if loss.why else "  not counted"
        return line(("✗ loses ", "bad"), (loss.describe(), "bad"), (why, "warn"))
    more = [f"{loss.not_default:,} not the default"] if loss.not_default is not None else []
    more += [data_size(loss.bytes)] if loss.bytes is not None else []
    return line(
        ("✗ loses ", "bad"),
        (loss.describe(), "bad"),
        (f", {', '.join(more)}" if more else "", "plain"),
        (f"  {loss.basis}", "dim"),
        ("" if loss.after is None else f"; statement {loss.after} changes it first", "warn"),
    )


def keeping(statement: Statement, walk: Walk) -> list[Content]:
    """Return whether what goes is kept, or can be, and what that costs."""
    outlook = walk.outlook
    if not statement.dangerous or statement.effect.no_op or outlook is None:
        return []
    found = around(outlook).keepable.get(statement.index)
    if found is None:
        return []
    if found.obstacle:
        return [line(("  cannot be kept: ", "dim"), (found.obstacle, "dim"))]
    what = "it" if found.what in {loss.describe() for loss in statement.loss} else found.what
    cost = f": {keep_cost(found)}"
    if statement.index in walk.keep:
        said = "" if what == "it" else f" {what}"
        return [line(("K kept in an archive", "good"), said, (cost, "dim"))]
    return [line(("  k keeps ", "dim"), what or "it", " in an archive", (cost, "dim"))]


def violations(statement: Statement) -> list[Content]:
    """Return which stored rows make it fail: surely, or perhaps."""
    return [_violation(v) for v in statement.violations if v.count != 0]


def _violation(violation: Violation) -> Content:
    what = _BROKEN[violation.rule].format(name=violation.name)
    if violation.count is None:
        why = f": {violation.why}" if violation.why else ""
        return line(
            ("? may fail: ", "warn"), f"rows of {violation.relation} that {what}: not counted{why}"
        )
    rows = f"{count(violation.count, 'row')} of {violation.relation} {what}"
    if violation.after is not None:
        return line(
            ("! may fail: ", "warn"),
            f"{rows} now, but statement {violation.after} changes that table first",
        )
    return line(("✗ will fail: ", "bad"), (rows, "bad"))


def in_the_way(statement: Statement, walk: Walk) -> list[Content]:
    """Return who makes it wait now; the answer's age when it is an old one."""
    if walk.folder is not None:
        return []
    if walk.way is None:
        why = f": {walk.way_stale}" if walk.way_stale else " yet"
        return [line((f"? not known who is in the way{why}", "warn"))]
    waits = way(walk.way).by_statement.get(statement.index, [])
    if walk.way_stale:
        since = time_of(walk.way_at) if walk.way_at else "the beginning"
        rows = [line((f"? who is in the way is stale since {since}: {walk.way_stale}", "warn"))]
        return rows + [line(("  then: ", "dim"), (blocker(one), "dim")) for one in waits[:MOST]]
    rows = [line(("✗ waits now for ", "alarm"), blocker(one)) for one in waits[:MOST]]
    if len(waits) > MOST:
        rows.append(line((f"  and {len(waits) - MOST} more", "bad")))
    return rows


def blocker(one: InTheWay) -> str:
    """Return who holds which lock, since when, and how many are behind."""
    who = f"{one.application or 'no name'} ({one.user}, pid {one.pid})"
    if one.pid == 0:
        who = f"prepared transaction {one.application} ({one.user})"
    verb = "has" if one.granted else "waits for"
    behind = f", {one.behind} behind" if one.behind else ""
    state = f", {one.state}" if one.state else ""
    return f"{who}: {verb} {one.held} on {one.relation}, {age(one.age)}{state}{behind}"


def dependents(statement: Statement, walk: Walk) -> list[Content]:
    """Return what goes along with CASCADE, and what makes it fail without."""
    named = {name for _, name in statement.effect.collateral}
    rows = [
        line(("! takes along ", "bad"), f"{kind} {name}", ("  by CASCADE", "dim"))
        for kind, name in statement.effect.collateral[:MOST]
    ]
    if len(statement.effect.collateral) > MOST:
        rows.append(line((f"  and {len(statement.effect.collateral) - MOST} more", "bad")))
    found = around(walk.outlook).dependents.get(statement.index, []) if walk.outlook else []
    found = [x for x in found if not x.cascades or named.isdisjoint(_names(x.dependent))]
    for one in found[:MOST]:
        if one.cascades:
            rows.append(line(("! takes along ", "bad"), one.dependent, ("  by CASCADE", "dim")))
        else:
            rows.append(line(("✗ will fail: ", "bad"), f"{one.dependent} depends on {one.dropped}"))
    if len(found) > MOST:
        rows.append(line((f"  and {len(found) - MOST} more that depend on it", "bad")))
    return rows


def _names(dependent: str) -> tuple[str, ...]:
    """Return how a forecast may name what the server describes so.

    >>> _names("constraint c on table public.t")
    ('c on table public.t', 'public.t.c')
    """
    described = dependent.split(" ", 1)[-1]
    part = _PART.fullmatch(described)
    return (described, f"{part[2]}.{part[1]}") if part else (described,)


def mentions(statement: Statement, walk: Walk) -> list[Content]:
    """Return which applications still name what goes."""
    found = around(walk.outlook).mentions.get(statement.index, []) if walk.outlook else []
    rows = [_mention(one) for one in found[:MOST]]
    if len(found) > MOST:
        rows.append(line((f"  and {len(found) - MOST} more queries name it", "warn")))
    return rows


def _mention(one: Mention) -> Content:
    who = f"{one.application} ({one.user})" if one.application else one.user or "somebody"
    when = "in a session now" if one.calls is None else count(one.calls, "call")
    return line(
        ("! still used ", "warn"),
        f"by {who}, {when}: ",
        (shorten(one.query, 300), "dim"),
    )


def written(entry: Entry, statement: Statement, walk: Walk) -> list[Content]:
    """Return how many rows of its tables were written since the migration was applied."""
    tables = {loss.relation for loss in statement.loss} | set(statement.effect.objects)
    found = (walk.outlook.written if walk.outlook else None) or ()
    return [
        _written(one, named=len(tables) > 1)
        for one in found
        if one.version == entry.migration.version and one.relation in tables
    ]


def _written(one: Written, *, named: bool) -> Content:
    since = f"since {one.version} was applied"
    if one.rows is None:
        return line(
            ("? unknown ", "warn"),
            f"how many rows of {one.relation} were written {since}: {one.why}",
        )
    tone: Tone = "warn" if one.rows else "dim"
    return line(
        (f"+ {count(one.rows, 'row')} ", tone),
        f"of {one.relation} written {since}" if named else f"written {since}",
        (f"  by {one.basis}" if one.basis else "", "dim"),
    )


def narrow(statement: Statement, walk: Walk) -> list[Content]:
    """Return that nobody knows who used it before, where only what runs now could be read."""
    outlook = walk.outlook
    if outlook is None or outlook.mentions is None or outlook.statistics or not statement.dangerous:
        return []
    words = "only what runs now was seen: pg_stat_statements cannot be read"
    return [line(("used by   ", "dim"), (words, "warn"))]


def rest(statement: Statement, walk: Walk) -> list[Content]:
    """Return, on as few lines as can be, what is fine and what could not be found out."""
    fine, unknown = [], []
    fresh = walk.way if not walk.way_stale else None
    blind = _blind(statement)
    if blind:
        else_ = " else" if walk.way and statement.index in way(walk.way).by_statement else ""
        unknown.append(f"who{else_} blocks it, what depends on it: {blind}")
    elif fresh is not None and statement.index not in way(fresh).by_statement:
        fine.append("nobody blocks it now")
    outlook = walk.outlook
    if walk.outlook_failure is not None:
        unknown.append(f"what depends on it, who still uses it: {walk.outlook_failure.summary}")
    elif outlook is None:
        unknown.append("what depends on it, who still uses it: being asked …")
    else:
        known = around(outlook)
        if outlook.dependents is None:
            unknown.append("what depends on it")
        elif blind:
            pass
        elif statement.index not in known.dependents and not statement.effect.collateral:
            fine.append("nothing depends on it")
        if outlook.mentions is None:
            unknown.append("who still uses it")
        elif statement.index not in known.mentions and statement.effect.drops:
            fine.append("no query seen names it" if outlook.statistics else "no query names it now")
        if outlook.unreadable and unknown:
            unknown[-1] += f" ({'; '.join(outlook.unreadable)})"
    rows = [line(("✓ ", "good"), (", ".join(fine), "dim"))] if fine else []
    return rows + ([line(("? unknown: ", "warn"), "; ".join(unknown))] if unknown else [])


def _blind(statement: Statement) -> str:
    """Return why nobody can say what stands around a statement; empty when it can be said."""
    if statement.effect.basis == "unknown":
        return "nobody knows what it touches"
    if text_only(statement):
        return "what it names may be another by then"
    return ""
