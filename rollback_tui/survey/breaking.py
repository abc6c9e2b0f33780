"""Stored rows that a statement would fail on, and values that a new type would change, counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
import psycopg

from rollback_tui.core.demand import Demand, Name, Reading
from rollback_tui.core.model import Loss, Statement, Violation
from rollback_tui.core.script.tree import quote
from rollback_tui.postgres import violations
from rollback_tui.postgres.aside import aside, query
from rollback_tui.postgres.asking import NO_TIME
from rollback_tui.postgres.relations import Relation
from rollback_tui.postgres.violations import Question, Unasked
from rollback_tui.survey.inquiry import Inquiry, written
from rollback_tui.survey.retyping import retyped

Found = Violation | Loss
Rule = Literal["not null", "unique", "check", "foreign key", "exclusion", "partition", "type"]

_RULES: dict[str, Rule] = {
    "not null": "not null",
    "check": "check",
    "unique": "unique",
    "foreign key": "foreign key",
    "type": "type",
    "validate": "check",
    "domain": "type",
}


class Unchecked:
    """Rules that the plan adds NOT VALID: a later VALIDATE CONSTRAINT demands them."""

    def __init__(self) -> None:
        self._demands: dict[tuple[str, str], Demand] = {}

    def note(self, reading: Reading) -> None:
        """Remember the rules that this statement adds without looking at the rows."""
        for demand in reading.demands:
            if demand.unchecked and demand.constraint:
                checked = msgspec.structs.replace(demand, unchecked=False, inline=False)
                self._demands[demand.relation[-1], demand.constraint] = checked

    def validated(self, demand: Demand) -> Demand | None:
        """Return the rule that VALIDATE CONSTRAINT means, when the plan itself adds it."""
        return self._demands.get((demand.relation[-1], demand.constraint))


def unread(statement: Statement) -> Iterator[Found]:
    """Say of a statement that may fail on stored rows that nobody could read which."""
    if "may_fail_on_data" in statement.effect.hazards:
        yield Violation(
            rule="check",
            relation=next(iter(statement.effect.objects), statement.effect.kind),
            name="",
            count=None,
            why="the statement could not be read for it",
        )


def broken(inquiry: Inquiry, index: int, demand: Demand, unchecked: Unchecked) -> Iterator[Found]:
    """Yield what was counted for one demand of statement ``index``."""
    if demand.unchecked:
        return
    if inquiry.left <= 0:
        yield _unknown(inquiry, index, demand, NO_TIME)
        return
    try:
        yield from _broken(inquiry, index, demand, unchecked)
    except Unasked as error:
        yield _unknown(inquiry, index, demand, str(error))
    except psycopg.Error as error:
        relation = inquiry.relation(written(demand.relation))
        yield _unknown(inquiry, index, demand, inquiry.refused(error, relation))


def _broken(inquiry: Inquiry, index: int, demand: Demand, unchecked: Unchecked) -> Iterator[Found]:
    why = inquiry.misled(index, [n for n in (demand.relation, demand.other) if n])
    if why:
        raise Unasked(why)
    if demand.rule == "validate" or demand.validates:
        for one in _validated(inquiry, demand, unchecked):
            yield from _broken(inquiry, index, one, unchecked)
        return
    if demand.rule == "domain":
        yield from _domain(inquiry, index, demand)
        return
    table = _table(inquiry, index, demand.relation)
    if _already_there(inquiry, demand, table):
        return
    if demand.rule == "type":
        yield from retyped(inquiry, index, demand, table)
    elif demand.rule == "other":
        yield from _other(inquiry, index, demand, table)
    elif demand.index:
        yield from _of_index(inquiry, index, demand, table)
    else:
        if demand.retyped:
            raise Unasked("the same statement gives the column another type first")
        question = _question(inquiry, index, demand, table)
        if question is not None:
            yield _counted(inquiry, index, demand, table, question)


def _table(inquiry: Inquiry, index: int, name: Name) -> Relation:
    relation = inquiry.relation(written(name))
    if relation is not None:
        return relation
    made = inquiry.earlier.changing(index, None, written(name), ())
    if made is not None:
        raise Unasked(f"{written(name)} is not there before statement {made}")
    raise Unasked(f"{written(name)} is not there")


def _already_there(inquiry: Inquiry, demand: Demand, table: Relation) -> bool:
    """ADD COLUMN IF NOT EXISTS of a column that exists does nothing, its rules included."""
    return demand.inline and any(
        added.unless_there and added.column in inquiry.columns(table)
        for added in demand.added
        if added.column in demand.columns
    )


def _question(inquiry: Inquiry, index: int, demand: Demand, table: Relation) -> Question | None:
    columns = inquiry.columns(table)
    absent = violations.missing(demand, columns)
    if absent is not None:
        raise Unasked(f"the column {quote(absent)} is not there now")
    if demand.rule == "not null":
        return violations.not_null(demand, table, columns)
    if demand.rule == "check":
        return violations.check(demand, table, columns)
    if demand.rule == "unique":
        return violations.unique(demand, table, columns)
    other = _table(inquiry, index, demand.other)
    keys = demand.other_columns or tuple(_index_columns(inquiry, other, ""))
    return violations.foreign_key(demand, table, columns, other, keys)


def _counted(
    inquiry: Inquiry,
    index: int,
    demand: Demand,
    table: Relation,
    question: Question,
    *,
    column: str = "",
) -> Violation:
    reads = [table.name]
    after = _after(inquiry, index, demand, table)
    if demand.other:
        other = _table(inquiry, index, demand.other)
        reads.append(other.name)
        changed = inquiry.earlier.changing(index, other, written(demand.other), None)
        after = min((at for at in (after, changed) if at is not None), default=None)
    answer = inquiry.answer(question.text, question.uses, reads)
    return Violation(
        rule=_RULES[demand.rule],
        relation=table.name,
        name=column or violations.named(demand),
        count=answer.numbers[0] if answer.numbers else None,
        after=after,
        why=answer.why,
    )


def _after(inquiry: Inquiry, index: int, demand: Demand, table: Relation) -> int | None:
    # An expression of a constraint read from the catalog names columns that nobody listed.
    columns = demand.columns or None
    return inquiry.earlier.changing(index, table, written(demand.relation), columns)


def _unknown(inquiry: Inquiry, index: int, demand: Demand, why: str) -> Violation:
    name = written(demand.relation)
    relation = inquiry.relation(name)
    return Violation(
        rule=demand.broken or _RULES[demand.rule],
        relation=relation.name if relation else name,
        name=violations.named(demand),
        count=None,
        after=inquiry.earlier.changing(index, relation, name, demand.columns or None),
        why=why,
    )


# --- what the catalog has to tell first -----------------------------------------------------------


def _index_columns(inquiry: Inquiry, table: Relation, index: str) -> list[str]:
    """Return the columns of an index of the table, or of its primary key."""
    with aside(inquiry.connection) as cursor:
        rows = cursor.execute(
            query("primary_key").encode(), {"relation": table.oid, "index": index}
        ).fetchall()
    return [row[0] for row in rows]


def _of_index(inquiry: Inquiry, index: int, demand: Demand, table: Relation) -> Iterator[Found]:
    """PRIMARY KEY USING INDEX: the index is unique already, its columns must not be NULL."""
    names = _index_columns(inquiry, table, demand.index)
    if not names:
        raise Unasked(f"the index {quote(demand.index)} is not there now")
    for name in names:
        one = msgspec.structs.replace(demand, columns=(name,), index="", constraint="")
        question = _question(inquiry, index, one, table)
        if question is not None:
            yield _counted(inquiry, index, one, table, question)


def _validated(inquiry: Inquiry, demand: Demand, unchecked: Unchecked) -> list[Demand]:
    """Return the rules of the constraint that is to be validated; none when it is valid already."""
    planned = unchecked.validated(demand)
    if planned is not None:
        return [planned]
    name = written(demand.relation)
    with aside(inquiry.connection) as cursor:
        row = cursor.execute(
            query("constraint_definition").encode(),
            {"name": demand.constraint, "domain": demand.validates, "of": name},
        ).fetchone()
    if row is None:
        return []
    what = "DOMAIN" if demand.validates else "TABLE"
    text = f"ALTER {what} {name} ADD CONSTRAINT {quote(demand.constraint)} {row[0]}"
    reading = next(iter(inquiry.read([text])), None)
    if reading is None or not reading.demands:
        raise Unasked("the constraint could not be read")
    return [msgspec.structs.replace(one, unchecked=False) for one in reading.demands]


def _domain(inquiry: Inquiry, index: int, demand: Demand) -> Iterator[Found]:
    """The rule of a domain holds for every column of it."""
    name = written(demand.relation)
    with aside(inquiry.connection) as cursor:
        rows = cursor.execute(query("domain_columns").encode(), {"domain": name}).fetchall()
    for _, relation, column in rows:
        table = inquiry.relation(relation)
        if table is None:
            continue
        question = violations.domain(demand, relation, column)
        one = msgspec.structs.replace(demand, columns=(column,))
        yield _counted(inquiry, index, one, table, question, column=quote(column))


def _other(inquiry: Inquiry, index: int, demand: Demand, table: Relation) -> Iterator[Found]:
    """Not counted; but an empty table breaks no rule."""
    question = violations.some_row(table)
    answer = inquiry.answer(question.text, question.uses, [table.name])
    empty = answer.numbers == (0,)
    yield Violation(
        rule=demand.broken or "check",
        relation=table.name,
        name=violations.named(demand),
        count=0 if empty else None,
        after=inquiry.earlier.changing(index, table, written(demand.relation), None),
        why="" if empty else answer.why or f"{demand.why} is not counted beforehand",
    )
