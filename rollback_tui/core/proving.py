"""Judgements on what changed and what did not: by counters, by fingerprints, by comparison.

As in :mod:`rollback_tui.core.verify`, unknown is never a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Literal

from rollback_tui.core.model import Value, Verdict, Verification
from rollback_tui.core.schema import Difference, condensed
from rollback_tui.core.text import printable, shorten
from rollback_tui.core.verify import limited
from rollback_tui.core.writes import TableWrite, Writes

CONTENTS = "Contents of what stays"
NOTHING_ELSE = "Nothing else changed"
GONE = "What should be gone is gone"
VALIDATED = "Constraints as strict as before"


class Compared(Value, frozen=True, kw_only=True):
    """The contents of one table before and after."""

    table: str
    before: str
    """The fingerprint; empty: not read."""
    after: str
    rows_before: int | None
    rows_after: int | None
    left_out: tuple[str, ...] = ()
    """Columns that are not among what was read, because the plan changes them."""
    why: str = ""
    """Why one of them was not read."""


def contents_verification(
    written: Writes, compared: Sequence[Compared], *, foreseen: Set[str], uncompared: Set[str]
) -> Verification:
    """Judge whether the rows and columns that stay hold what they held.

    Of what nobody wrote to that is proven without reading it. ``foreseen``: tables (by the name
    they had) whose rows the plan writes, or all of whose columns it changes; of those that were not
    compared the number of rows must do. ``uncompared``: those that there was no time for.
    """
    touched = written.of()
    wrong, unknown, same, notes = [], [], [], []
    read: set[str] = set()
    for one in compared:
        shown, write = printable(one.table), touched.get(one.table)
        if not written.unknown and (write is None or write.only_added):
            continue
        read.add(one.table)
        if not one.before or not one.after:
            unknown.append(f"{shown}: {printable(one.why) or 'not read'}")
        elif (one.before, one.rows_before) == (one.after, one.rows_after):
            same.append(f"{shown}: {_some(one.rows_after or 0, 'row')} as before{_without(one)}")
        else:
            wrong.append(f"{shown}: {_how_different(one)}{_without(one)}")
    for write in written.tables:
        if write.before in read or write.partitioned or write.state in ("came", "went"):
            continue
        line = printable(write.describe())
        if write.only_added:
            notes.append(f"{line}; those that were there stay")
        elif write.before in uncompared or write.state == "unknown":
            if not write.away:
                unknown.append(f"{line}; not compared")
        elif write.before in foreseen:
            notes.append(f"{line}, by the plan: judged by their number")
        else:
            unknown.append(f"{line}; nobody had read it before")
    verdict, summary = _contents_verdict(wrong, unknown, same, written)
    return Verification(
        name="contents",
        title=CONTENTS,
        verdict=verdict,
        summary=summary,
        evidence=limited([*wrong, *unknown, *same, *notes]),
    )


def _contents_verdict(
    wrong: Sequence[str], unknown: Sequence[str], same: Sequence[str], written: Writes
) -> tuple[Verdict, str]:
    if wrong:
        holds = "does not hold" if len(wrong) == 1 else "do not hold"
        return "fail", f"{_some(len(wrong), 'table')} {holds} what {_it(len(wrong))} held"
    if unknown:
        return "unknown", f"{_some(len(unknown), 'table')} not compared"
    parts = []
    if same:
        parts.append(f"{_some(len(same), 'table')} read, all as before")
    if written.untouched:
        tables = _some(written.untouched, "table")
        parts.append(f"no row written in {tables}, as the server counted")
    return "pass", "; ".join(parts) or "there is nothing that stays"


def _how_different(one: Compared) -> str:
    if one.rows_before != one.rows_after:
        return f"{_count(one.rows_before)} → {_count(one.rows_after)}, other contents"
    return f"{_some(one.rows_after or 0, 'row')}, but other contents"


def _without(one: Compared) -> str:
    if not one.left_out:
        return ""
    return f" (without {printable(', '.join(one.left_out))}, which the plan changes)"


def nothing_else_verification(
    *,
    written: Writes,
    rows: Sequence[TableWrite],
    schema: Sequence[Difference],
    missing: Sequence[Difference] = (),
    by: str,
    unsure: Sequence[str],
    beside: Sequence[str] = (),
    announced: Sequence[str] = (),
) -> Verification:
    """Judge whether anything changed that neither the forecast nor the rehearsal announces.

    ``beside``: what else happened that is no table's row and no object's definition, as names that
    were exchanged; ``announced``: the same, where the plan says so.
    ``rows``: tables that were written all the same; ``schema``: objects that changed; ``missing``:
    what the rehearsal changed and the run did not. ``by``: what the result is compared with.
    ``unsure``: statements of which nobody can tell what they do; with them a surprise is none, and
    is listed.
    """
    lines = [f"written: {printable(write.describe())}" for write in rows]
    lines += [d.describe() for d in condensed(schema)]
    lines += [f"not as rehearsed: {printable(d.object)} did not change" for d in missing]
    lines += [printable(line) for line in beside]
    evidence = [f"compared with {by}", *(f"nobody can tell what {s} does" for s in unsure)]
    evidence += [f"{printable(line)}, as the plan says" for line in announced]
    verdict: Verdict
    if lines:
        found = _both(len(rows), len(condensed(schema)) + len(missing) + len(beside))
        verdict = "unknown" if unsure else "fail"
        summary = f"{found} {'changed' if unsure else 'changed, which nobody announced'}"
        if unsure:
            summary += f"; whether they should, nobody knows: {printable(', '.join(unsure[:3]))}"
    elif written.unknown:
        verdict, summary = "unknown", f"who wrote is not known: {written.unknown}"
    else:
        verdict = "pass"
        summary = f"no row written in {_some(written.untouched, 'table')}; schema as announced"
    return Verification(
        name="nothing_else",
        title=NOTHING_ELSE,
        verdict=verdict,
        summary=summary,
        evidence=limited([*lines, *evidence]),
    )


def _both(tables: int, objects: int) -> str:
    parts = []
    if tables:
        parts.append(f"rows of {_some(tables, 'table')}")
    if objects:
        parts.append(_some(objects, "object"))
    return " and ".join(parts)


def gone_verification(expected: int, still: Iterable[str]) -> Verification:
    """Judge whether what the plan drops is gone: ``expected`` objects, of which ``still`` are
    there."""
    left = sorted(still)
    return Verification(
        name="gone",
        title=GONE,
        verdict="fail" if left else "pass",
        summary=(
            f"{_some(len(left), 'object')} still there"
            if left
            else f"{_some(expected, 'object')} dropped, none is there"
            if expected
            else "the plan drops nothing"
        ),
        evidence=limited([f"still there: {printable(name)}" for name in left]),
    )


def constraints_verification(
    before: Mapping[int, tuple[str, str]],
    after: Mapping[int, tuple[str, str]],
    *,
    new: Set[int] = frozenset(),
) -> Verification:
    """Judge whether a constraint that held for every row no longer says so (NOT VALID, NOT
    ENFORCED). What was so before is said, and does not fail; nor does what is new: the plan makes
    it so, and the schema is judged by itself. Both map a number to name and state."""
    later = {oid: standing for oid, standing in after.items() if oid not in before}
    looser = [f"{name}: now {why}" for oid, (name, why) in later.items() if oid not in new]
    made = [f"{name}: made {why}" for oid, (name, why) in later.items() if oid in new]
    old = [f"{n}: {why} before the run already" for oid, (n, why) in after.items() if oid in before]
    return Verification(
        name="constraints_validated",
        title=VALIDATED,
        verdict="fail" if looser else "pass",
        summary=(
            f"{_some(len(looser), 'constraint')} no longer valid"
            if looser
            else f"none became looser, {_some(len(made), 'new one')} not valid"
            if made
            else "none became looser"
            if old
            else "all are valid"
        ),
        evidence=limited([printable(line) for line in (*looser, *made, *old)]),
    )


def moved_back(lines: Sequence[str], judged: Verification, *, unread: int = 0) -> Verification:
    """Return the verification of the sequences with those that ``lines`` say were set back;
    ``unread``: how many there was no time to look at before."""
    if not lines and not unread:
        return judged
    verdict: Verdict = judged.verdict
    if lines:
        verdict = "fail"
    elif verdict == "pass":
        verdict = "unknown"
    said = [_some(len(lines), "sequence") + " set back"] if lines else []
    said += [judged.summary] if judged.verdict != "pass" else []
    said += [f"{_some(unread, 'sequence')} not looked at before"] if unread else []
    return Verification(
        name=judged.name,
        title=judged.title,
        verdict=verdict,
        summary="; ".join(said),
        evidence=limited([*(printable(line) for line in lines), *judged.evidence]),
    )


def index_lines(
    judged: Verification,
    checked: Sequence[str],
    broken: Mapping[str, str],
    unchecked: Sequence[str],
) -> Verification:
    """Return the verification of the indexes with what ``amcheck`` said of those that are new:
    ``checked`` without a complaint, ``broken`` with one, ``unchecked`` not reached in time."""
    lines = [f"{printable(name)}: {shorten(why, 200)}" for name, why in broken.items()]
    if checked:
        lines.append(
            f"amcheck found nothing wrong in {_some(len(checked), 'new index', 'new indexes')}"
        )
    if unchecked:
        lines.append(f"amcheck had no time for {_indexes(len(unchecked))}")
    verdict: Literal["pass", "fail", "unknown"] = "fail" if broken else judged.verdict
    summary = judged.summary
    if broken:
        summary = f"{_some(len(broken), 'index', 'indexes')} damaged; {summary}"
    return Verification(
        name=judged.name,
        title=judged.title,
        verdict=verdict,
        summary=summary,
        evidence=limited([*lines, *judged.evidence]),
    )


def _indexes(number: int) -> str:
    return _some(number, "new index", "new indexes")


def _it(number: int) -> str:
    return "it" if number == 1 else "they"


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def _some(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
