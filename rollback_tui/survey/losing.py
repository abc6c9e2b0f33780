"""Data that a statement removes or overwrites, counted now."""

# ruff: noqa: S608 - names were quoted by the server, expressions written from one parse tree

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
import psycopg

from rollback_tui.core.demand import Asked, Reading, Uses
from rollback_tui.core.model import Doomed, Loss, Statement, Touched
from rollback_tui.core.names import parts
from rollback_tui.postgres.asking import NO_TIME, TOO_LONG, Answer
from rollback_tui.postgres.columns import Column
from rollback_tui.postgres.dependents import collateral
from rollback_tui.postgres.relations import Relation
from rollback_tui.survey.inquiry import Inquiry, written

_KINDS = frozenset("rpmfv")


def doomed_of(inquiry: Inquiry, statement: Statement) -> tuple[Doomed, ...]:
    """Return what goes whole with a statement, CASCADE's share too."""
    named = [doomed for doomed in statement.effect.doomed if doomed.kind != "rows"]
    if not statement.effect.cascade or inquiry.left <= 0:
        return tuple(named)
    try:
        return (*named, *collateral(inquiry.connection, statement, inquiry.left))
    except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable):
        return tuple(named)


def gone(inquiry: Inquiry, statement: Statement, doomed: Doomed) -> Iterator[Loss]:
    """Yield what was counted of a table or column that goes; what is not there loses nothing."""
    try:
        loss = _lost(inquiry, statement, doomed)
    except psycopg.Error as error:
        relation = inquiry.relation(doomed.relation)
        loss = Loss(
            kind="values" if doomed.kind == "column" else "rows",
            relation=relation.name if relation else doomed.relation,
            column=doomed.column,
            why=inquiry.refused(error, relation),
        )
    if loss is not None:
        yield loss


def _lost(inquiry: Inquiry, statement: Statement, doomed: Doomed) -> Loss | None:
    kind: Literal["rows", "values"] = "values" if doomed.kind == "column" else "rows"
    relation = inquiry.relation(doomed.relation)
    named = {doomed.column, *parts(doomed.column)} if doomed.column else set()
    after = inquiry.earlier.changing(
        statement.index, relation, doomed.relation, {name for name in named if name}
    )
    column = None
    if relation is not None and doomed.column is not None:
        column = _column(inquiry.columns(relation), doomed.column)
    there = relation is not None and relation.kind in _KINDS
    if not there or (kind == "values" and column is None):
        if after is None:
            return None
        return Loss(
            kind=kind,
            relation=relation.name if relation else doomed.relation,
            column=doomed.column,
            after=after,
            why=f"it is not there before statement {after}",
        )
    assert relation is not None  # noqa: S101
    loss = Loss(
        kind=kind, relation=relation.name, column=column.quoted if column else None, after=after
    )
    if column is not None:
        return _values(inquiry, relation, column, loss)
    found = inquiry.answer(
        f"SELECT pg_catalog.count(*) FROM {relation.name}",
        _uses(relation),
        [relation.name],
    )
    return msgspec.structs.replace(_with(loss, found), bytes=_bytes(inquiry, relation))


def _uses(relation: Relation) -> Uses:
    """Only a view runs somebody's query when it is read."""
    return Uses(relations=(parts(relation.name),) if relation.kind == "v" else ())


def _with(loss: Loss, found: Answer) -> Loss:
    if found.numbers is None:
        return msgspec.structs.replace(loss, why=found.why)
    return msgspec.structs.replace(loss, count=found.numbers[0])


def _column(columns: dict[str, Column], name: str) -> Column | None:
    """A column is named bare or quoted."""
    if name in columns:
        return columns[name]
    return next((column for column in columns.values() if column.quoted == name), None)


def _values(inquiry: Inquiry, relation: Relation, column: Column, loss: Loss) -> Loss:
    """Count the values, and how many of them are not the column's default, if that is constant."""
    uses = _uses(relation)
    plain = f"SELECT pg_catalog.count({column.quoted}) FROM {relation.name}"
    written_default = inquiry.default(relation, column)
    if written_default is not None:
        reading = next(iter(inquiry.read([f"SELECT {written_default}"])), None)
        if reading is not None and reading.constant:
            default = f"CAST({written_default} AS {column.declared})"
            found = inquiry.answer(
                f"SELECT pg_catalog.count({column.quoted}), pg_catalog.count({column.quoted})"
                f" FILTER (WHERE {column.quoted} IS DISTINCT FROM {default})"
                f" FROM {relation.name}",
                uses + reading.uses,
                [relation.name],
            )
            if found.numbers is not None:
                count, other = found.numbers
                return msgspec.structs.replace(loss, count=count, not_default=other)
            if found.why in (NO_TIME, TOO_LONG):
                return msgspec.structs.replace(loss, why=found.why)
    return _with(loss, inquiry.answer(plain, uses, [relation.name]))


def _bytes(inquiry: Inquiry, relation: Relation) -> int | None:
    if relation.kind == "p":
        text = (
            "SELECT coalesce(pg_catalog.sum(pg_catalog.pg_total_relation_size(relid)), 0)"
            f"::pg_catalog.int8 FROM pg_catalog.pg_partition_tree({relation.oid})"
        )
    elif relation.kind in "rm":
        text = f"SELECT pg_catalog.pg_total_relation_size({relation.oid})"
    else:
        return None
    found = inquiry.answer(text, Uses(), [relation.name])
    return found.numbers[0] if found.numbers else None


# --- rows of DELETE, UPDATE and MERGE -------------------------------------------------------------


def touched(
    inquiry: Inquiry, statement: Statement, reading: Reading | None, unread: str = ""
) -> Iterator[Touched | Loss]:
    """Yield the queries of the rows that a statement touches, if they may be sent, and their
    number. ``unread`` says why there is no reading."""
    if reading is None or reading.touched is None:
        why = reading.why if reading else unread or "the statement could not be read"
        for doomed in statement.effect.doomed:
            if doomed.kind == "rows":
                yield _uncounted(
                    inquiry,
                    statement,
                    doomed.relation,
                    why or "the rows it touches cannot be asked for",
                )
        return
    asked = reading.touched
    name = written(asked.relation)
    try:
        why = _obstacle(inquiry, statement, asked)
    except psycopg.Error as error:
        why = inquiry.refused(error, None)
    if why:
        yield _uncounted(inquiry, statement, name, why)
        return
    calls = tuple(written(function) for function in asked.uses.functions)
    yield Touched(relation=name, count=asked.count, rows=asked.rows, calls=calls)
    yield _rows(inquiry, statement, asked, name)


def _obstacle(inquiry: Inquiry, statement: Statement, asked: Asked) -> str:
    """Return why the rows cannot be asked for now; empty: they can."""
    names = (asked.relation, *asked.uses.relations)
    why = inquiry.misled(statement.index, names)
    if why:
        return why
    for one in map(written, names):
        if inquiry.relation(one) is None:
            made = inquiry.earlier.changing(statement.index, None, one, ())
            return f"{one} is not there" + (f" before statement {made}" if made else "")
    return inquiry.guard.obstacle(asked.uses, asked.rows) if inquiry.left > 0 else NO_TIME


def _rows(inquiry: Inquiry, statement: Statement, asked: Asked, name: str) -> Loss:
    reads = [written(one) for one in (asked.relation, *asked.uses.relations)]
    known = [found for one in reads if (found := inquiry.relation(one)) is not None]
    answer = inquiry.answer(asked.count, asked.uses, [one.name for one in known])
    loss = _uncounted(inquiry, statement, name, answer.why)
    changed = [
        # Which of the columns the conditions are about is not looked at: any may matter.
        inquiry.earlier.changing(statement.index, inquiry.relation(one), one, None)
        for one in reads
    ]
    after = min((at for at in changed if at is not None), default=None)
    return msgspec.structs.replace(_with(loss, answer), after=after)


def _uncounted(inquiry: Inquiry, statement: Statement, name: str, why: str) -> Loss:
    relation = inquiry.relation(name)
    return Loss(
        kind="rows",
        relation=relation.name if relation else name,
        after=inquiry.earlier.changing(statement.index, relation, name, ()),
        overwritten=statement.effect.kind.startswith("UPDATE"),
        why=why,
    )
