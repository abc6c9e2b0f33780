"""What a plan would remove, and what it would fail on, counted now.

Nothing is changed: one transaction, READ ONLY, in which each query has a savepoint, a statement
timeout and a lock timeout of its own; and no query is sent that calls a volatile function. One
total time is shared by all; the smallest tables come first, and what is not reached stays unknown,
with that reason.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import msgspec

from rollback_tui.core.demand import Reading
from rollback_tui.core.model import Loss, Plan, Statement, Touched, Violation
from rollback_tui.parser import Parser
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.relations import Relation, relations
from rollback_tui.survey import losing
from rollback_tui.survey.breaking import Unchecked, broken, unread
from rollback_tui.survey.earlier import Earlier
from rollback_tui.survey.inquiry import Inquiry, written

SECONDS = 20.0
"""For all the counting of one plan."""
_READING_SECONDS = 5.0
_MOST_CHANGING = 1000
"""Of statements that change rows, so many are counted: each costs a query."""
_LEAST_READ = ("DROP ", "COMMENT", "GRANT", "REVOKE", "SET", "RESET", "CREATE INDEX", "TRUNCATE")
"""Kinds of statements whose effect says all that counting needs."""

_TOO_MANY = f"only the first {_MOST_CHANGING:,} statements that change rows are counted"

Result: TypeAlias = Loss | Violation | Touched
_Counting: TypeAlias = Callable[[], Iterable[Result]]


class _Task(NamedTuple):
    """One thing to count."""

    pages: int
    statement: int
    run: _Counting


def counted(
    connection: Connection, plan: Plan, parser: Parser | None = None, *, seconds: float = SECONDS
) -> Plan:
    """Return the plan with ``loss``, ``violations`` and ``touched`` of its statements filled.

    ``parser`` is one that runs already. Takes ``seconds`` at most, and a moment for the catalog. A
    table that somebody has locked is waited for one second, once. What could not be counted is None
    and says why. Raises psycopg.Error only when the connection is of no use.
    """
    if parser is None:
        with Parser() as started:
            return counted(connection, plan, started, seconds=seconds)
    deadline = time.monotonic() + seconds
    wanted = [statement for statement in plan.statements if not statement.effect.no_op]
    readings = _read(parser, wanted)
    if not any(_counts(statement, readings) for statement in wanted):
        return plan
    with connection.transaction(force_rollback=True):
        # Local to a transaction: behind a pooler a setting of the session would become
        # somebody else's.
        connection.execute("SET LOCAL transaction_read_only = on")
        connection.execute("SET LOCAL lock_timeout = '1s'")
        known = relations(connection, _names(wanted, readings))
        earlier = Earlier(wanted, readings, known)
        inquiry = Inquiry(connection, parser.readings, known, earlier, deadline)
        found = _run(_tasks(inquiry, wanted, readings, known))
    return plan.with_statements(lambda statement: _filled(statement, found[statement.index]))


def _read(parser: Parser, statements: Sequence[Statement]) -> dict[int, Reading]:
    """Read what the trees say beside their effects."""
    changing = [s for s in statements if _rows(s)]
    passed_over = {s.index for s in changing[_MOST_CHANGING:]}
    asked = [
        s
        for s in statements
        if not s.effect.kind.startswith(_LEAST_READ)
        and not (s.effect.kind == "INSERT" and not _rows(s))
        and s.index not in passed_over
    ]
    if not asked:
        return {}
    found = parser.readings([s.sql for s in asked], _READING_SECONDS)
    return {s.index: r for s, r in zip(asked, found, strict=True) if r is not None}


def _rows(statement: Statement) -> list[str]:
    """Return the relations of which a statement removes or changes chosen rows."""
    return [doomed.relation for doomed in statement.effect.doomed if doomed.kind == "rows"]


def _counts(statement: Statement, readings: dict[int, Reading]) -> bool:
    reading = readings.get(statement.index)
    demands = reading.demands if reading else ()
    fails = "may_fail_on_data" in statement.effect.hazards
    return bool(statement.effect.doomed or statement.effect.cascade or demands or fails)


def _names(statements: Iterable[Statement], readings: dict[int, Reading]) -> list[str]:
    """Return every relation that a statement names or locks, so that one query looks them up."""
    names: list[str] = []
    for statement in statements:
        names += [doomed.relation for doomed in statement.effect.doomed]
        names += [lock.relation for lock in statement.effect.locks]
        reading = readings.get(statement.index)
        if reading is None:
            continue
        for demand in reading.demands:
            names += [written(name) for name in (demand.relation, demand.other) if name]
        for change in reading.changes:
            if change.what == "column" and len(change.name) > 1:
                names.append(written(change.name[:-1]))
        if reading.touched is not None:
            names += map(written, (reading.touched.relation, *reading.touched.uses.relations))
    return names


def _tasks(
    inquiry: Inquiry,
    statements: Iterable[Statement],
    readings: dict[int, Reading],
    known: dict[str, Relation],
) -> list[_Task]:
    """Return all that there is to count, in the order of the plan."""
    tasks: list[_Task] = []
    unchecked = Unchecked()
    changing = 0

    def add(statement: Statement, names: Iterable[str], run: _Counting) -> None:
        pages = sum(known[name].pages for name in names if name in known)
        tasks.append(_Task(pages, statement.index, run))

    for statement in statements:
        reading = readings.get(statement.index)
        for doomed in losing.doomed_of(inquiry, statement):
            add(statement, [doomed.relation], partial(losing.gone, inquiry, statement, doomed))
        rows = _rows(statement)
        if rows:
            changing += 1
            why = _TOO_MANY if changing > _MOST_CHANGING else ""
            add(statement, rows, partial(losing.touched, inquiry, statement, reading, why))
        if reading is None:
            add(statement, (), partial(unread, statement))
        else:
            unchecked.note(reading)
            for demand in reading.demands:
                names = [written(name) for name in (demand.relation, demand.other) if name]
                run = partial(broken, inquiry, statement.index, demand, unchecked)
                add(statement, names, run)
    return tasks


def _run(tasks: Sequence[_Task]) -> dict[int, list[Result]]:
    """Count, the smallest first; return what was found of each statement, in the plan's order."""
    found: dict[int, list[Result]] = {}
    for place in sorted(range(len(tasks)), key=lambda at: (tasks[at].pages, at)):
        found[place] = list(tasks[place].run())
    results: dict[int, list[Result]] = defaultdict(list)
    for place, task in enumerate(tasks):
        results[task.statement] += found[place]
    return results


def _filled(statement: Statement, found: Iterable[Result]) -> Statement:
    losses: dict[tuple[str, str | None], Loss] = {}
    violations: list[Violation] = []
    touched = None
    for one in found:
        if isinstance(one, Loss):
            losses.setdefault((one.relation, one.column), one)
        elif isinstance(one, Violation):
            violations.append(one)
        else:
            touched = one
    return msgspec.structs.replace(
        statement,
        loss=tuple(losses.values()),
        violations=tuple(dict.fromkeys(violations)),
        touched=touched,
    )
