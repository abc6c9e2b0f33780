"""Verifications: pure judgements on the result, from what was read before and after.

Each function judges one question and says *unknown* where a fact is missing. The gate fails on
any failure; an unknown does not fail it, and is listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Literal

from rollback_tui.core.model import AppliedMigration, Plan, RowChange, Verification
from rollback_tui.core.text import printable, shorten

_LISTED = 40
"""Lines of evidence that are kept of one kind; the number of the others is said."""


def gate(verifications: Iterable[Verification]) -> Literal["passed", "failed"]:
    """Return whether the run may commit by itself: not when anything failed that was not accepted
    beforehand.

    No verification at all proves nothing, and fails.
    """
    verdicts = {
        "accepted" if v.verdict == "fail" and v.accepted else v.verdict for v in verifications
    }
    return "failed" if "fail" in verdicts or not verdicts else "passed"


# --- rows -----------------------------------------------------------------------------------------


def rows_verification(
    before: Mapping[str, int | None],
    after: Mapping[str, int | None],
    dropped: AbstractSet[str],
    tolerance: float,
    expected_deletes: Mapping[str, int] | None = None,
    *,
    untouched: AbstractSet[str] = frozenset(),
    none_gone: AbstractSet[str] = frozenset(),
) -> tuple[Verification, tuple[RowChange, ...]]:
    """Judge whether every table kept its rows; return that and the exact numbers.

    ``dropped`` tables are excluded by name, as are the rows that the plan's own DELETE statements
    said they removed (``expected_deletes``: table → rows). A table must keep at least
    ``tolerance`` (0 to 1) of the rest. A table that was not counted makes it unknown; one that
    went without being among the dropped fails. ``untouched``: the server's own counters prove that
    no row of them was written, ``none_gone``: that no row went; these need no counting.
    """
    expected = expected_deletes or {}
    names = sorted(before.keys() | after.keys())
    changes = tuple(
        RowChange(
            table=name,
            before=before.get(name),
            after=after.get(name),
            untouched=name in untouched,
        )
        for name in names
    )
    wrong, uncounted, evidence = [], [], []
    kept = proven = 0
    for name in names:
        shown = printable(name)
        if name in dropped and name not in after:
            evidence.append(f"{shown}: dropped by the plan, had {_number(before.get(name))}")
            continue
        if name not in before:
            evidence.append(f"{shown}: new, {_number(after[name])}")
            continue
        if name not in after:
            wrong.append(f"{shown}: gone, and the plan does not drop it")
            continue
        was, now = before[name], after[name]
        if name in untouched:
            proven += 1
            continue
        if (was is None or now is None) and name in none_gone:
            evidence.append(f"{shown}: not counted; no row of it was removed")
            proven += 1
            continue
        if was is None or now is None:
            uncounted.append(f"{shown}: not counted {'before' if was is None else 'after'}")
            continue
        kept += 1
        line = _kept_line(shown, was, now, expected.get(name, 0))
        if now < (was - expected.get(name, 0)) * tolerance:
            wrong.append(line)
        elif was != now:
            evidence.append(line)
    verdict, summary = _rows_verdict(wrong, uncounted, kept, proven, tolerance)
    return (
        Verification(
            name="rows",
            title="Row counts",
            verdict=verdict,
            summary=summary,
            evidence=limited([*wrong, *uncounted, *evidence]),
        ),
        changes,
    )


def _rows_verdict(
    wrong: Sequence[str], uncounted: Sequence[str], kept: int, proven: int, tolerance: float
) -> tuple[Literal["pass", "fail", "unknown"], str]:
    if wrong:
        return "fail", f"{_some(len(wrong), 'table')} below {tolerance:.0%} of its rows, or gone"
    if uncounted:
        return "unknown", f"{_some(len(uncounted), 'table')} not counted, {kept:,} within tolerance"
    parts = []
    if kept or not proven:
        parts.append(f"{_some(kept, 'table')} counted, none below {tolerance:.0%}")
    if proven:
        parts.append(f"no row removed from {_some(proven, 'table')}, as the server counted")
    return "pass", "; ".join(parts)


def _kept_line(table: str, before: int, after: int, expected: int) -> str:
    line = f"{table}: {before:,} → {after:,} ({after - before:+,})"
    # Rows of the version table come when the plan goes up.
    return line + (f", {expected:,} deleted by the plan" if expected and after < before else "")


def _number(count: int | None) -> str:
    return "an unknown number of rows" if count is None else _some(count, "row")


# --- the other questions ------------------------------------------------------------------------


def foreign_keys_verification(
    results: Sequence[tuple[str, int | str | Exception | None]], *, unwritten: int = 0
) -> Verification:
    """Judge the anti-joins: (foreign key, rows without counterpart | None | what went wrong).
    ``unwritten``: keys of which neither side was written, so that there was nothing to look for.

    None: the key promises nothing of old rows (NOT VALID …) or was not checked. Text or an
    exception: the check itself failed. Both are unknown, never passed.
    """
    broken = [(key, n) for key, n in results if isinstance(n, int) and n > 0]
    unchecked = [(key, n) for key, n in results if not isinstance(n, int)]
    evidence = [f"{printable(key)}: {_some(n, 'row')} without counterpart" for key, n in broken]
    evidence += [
        f"{printable(key)}: not checked" + (f", {shorten(str(why), 120)}" if why else "")
        for key, why in unchecked
    ]
    verdict: Literal["pass", "fail", "unknown"]
    if broken:
        verdict, summary = "fail", f"{_some(len(broken), 'foreign key')} violated"
    elif unchecked:
        verdict = "unknown"
        summary = f"{len(unchecked):,} of {_some(len(results), 'foreign key')} not checked"
    else:
        verdict, summary = "pass", f"{_some(len(results), 'foreign key')} checked, no row alone"
    if unwritten:
        summary += f"; neither side of {_some(unwritten, 'other', 'others')} was written"
    return Verification(
        name="foreign_keys",
        title="Foreign keys intact",
        verdict=verdict,
        summary=summary,
        evidence=limited(evidence),
    )


def version_verification(
    applied_after: Sequence[AppliedMigration | str] | None, plan: Plan
) -> Verification:
    """Judge whether the framework's table now says what the plan promised.

    ``applied_after``: what it holds, newest first; None when it could not be read. Versions that
    the plan rolled back must be gone, the others must still be there, and the newest is the goal.
    """
    name, title = "version", "Version as expected"
    goal = plan.goal if plan.goal is not None else "no migration"
    if applied_after is None:
        return Verification(
            name=name,
            title=title,
            verdict="unknown",
            summary=f"{printable(plan.version_table)} could not be read",
        )
    versions = [a if isinstance(a, str) else a.version for a in applied_after]
    current = versions[0] if versions else None
    rolled_back = {a.version for a in plan.applied} - set(plan.applied_after)
    still = sorted(rolled_back & set(versions))
    missing = sorted(set(plan.applied_after) - set(versions))
    evidence = [f"{printable(plan.version_table)}: newest is {printable(current or 'none')}"]
    evidence += [f"still applied: {printable(version)}" for version in still]
    evidence += [f"no longer applied: {printable(version)}" for version in missing]
    right = current == plan.goal and not still and not missing
    return Verification(
        name=name,
        title=title,
        verdict="pass" if right else "fail",
        summary=(
            f"now at {printable(goal)}"
            if right
            else f"is {printable(current or 'no migration')}, expected {printable(goal)}"
        ),
        evidence=limited(evidence),
    )


def indexes_verification(before: Iterable[str] | None, after: Iterable[str] | None) -> Verification:
    """Judge whether the rollback left an index that is not used (INVALID).

    What was invalid before the run already is said, and does not fail.
    """
    name, title = "indexes", "Indexes valid"
    if after is None:
        return Verification(
            name=name, title=title, verdict="unknown", summary="the indexes could not be read"
        )
    known = set(before or ())
    invalid = sorted(set(after))
    new = [index for index in invalid if index not in known]
    evidence = [f"{printable(index)}: INVALID, rebuild with REINDEX INDEX" for index in new]
    evidence += [
        f"{printable(index)}: INVALID before the run already" for index in invalid if index in known
    ]
    return Verification(
        name=name,
        title=title,
        verdict="fail" if new else "pass",
        summary=(
            f"{_some(len(new), 'index', 'indexes')} invalid"
            if new
            else ("none became invalid" if invalid else "none is invalid")
        ),
        evidence=limited(evidence),
    )


def sequences_verification(
    before: Mapping[str, str] | None, after: Mapping[str, str] | None
) -> Verification:
    """Judge whether a sequence would next give a number that its column already holds.

    ``setval`` is not undone by ROLLBACK, and a column that comes back has a fresh sequence. Both
    map the sequences that are behind to a line saying how; None: they could not be read. What
    was behind before the run already is said, and does not fail.
    """
    name, title = "sequences", "Sequences ahead of their columns"
    if after is None:
        return Verification(
            name=name, title=title, verdict="unknown", summary="the sequences could not be read"
        )
    known = before or {}
    new = {sequence: line for sequence, line in after.items() if sequence not in known}
    evidence = [printable(line) for line in new.values()]
    evidence += [
        f"{printable(line)}, before the run already"
        for sequence, line in after.items()
        if sequence in known
    ]
    return Verification(
        name=name,
        title=title,
        verdict="fail" if new else "pass",
        summary=(
            f"{_some(len(new), 'sequence')} behind"
            if new
            else ("none fell behind" if after else "none is behind")
        ),
        evidence=limited(evidence),
    )


def transaction_verification(xid_begin: str | None, xid_now: str | None) -> Verification:
    """Judge whether this is still the transaction that the run began.

    The last guard against a script that commits or rolls back by itself: then the server answers
    with another transaction id (``pg_current_xact_id()``).
    """
    name, title = "transaction", "Still one transaction"
    if xid_begin is None or xid_now is None:
        return Verification(
            name=name, title=title, verdict="unknown", summary="the transaction id is not known"
        )
    same = xid_begin == xid_now
    return Verification(
        name=name,
        title=title,
        verdict="pass" if same else "fail",
        summary=(
            f"transaction {printable(xid_now)} from the first statement to the last"
            if same
            else f"began as {printable(xid_begin)}, is now {printable(xid_now)}: "
            "the script ended the transaction"
        ),
    )


def _some(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def limited(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the first lines of evidence, and how many more there are."""
    if len(lines) <= _LISTED:
        return tuple(lines)
    return (*lines[:_LISTED], f"… and {len(lines) - _LISTED:,} more")
