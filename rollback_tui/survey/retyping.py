"""ALTER COLUMN … TYPE: the values that the new type does not take, and those that it changes."""

# ruff: noqa: S608 - names were quoted by the server, expressions written from one parse tree

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import psycopg

from rollback_tui.core.demand import Demand, Uses
from rollback_tui.core.model import Loss, Violation
from rollback_tui.core.script.tree import quote
from rollback_tui.postgres.aside import aside
from rollback_tui.postgres.asking import Answer
from rollback_tui.postgres.columns import Column, Type
from rollback_tui.postgres.narrowing import Change, Unclear, narrowing, to_labels
from rollback_tui.postgres.relations import Relation
from rollback_tui.postgres.violations import Unasked
from rollback_tui.survey.inquiry import Inquiry, written


class _Step(NamedTuple):
    """One conversion of a chain."""

    value: str
    written: str
    explicit: bool


def retyped(
    inquiry: Inquiry, index: int, demand: Demand, table: Relation
) -> Iterator[Violation | Loss]:
    """Yield the values that do not fit, and those that are changed, of one type change."""
    (name,) = demand.columns
    column = inquiry.columns(table).get(name)
    if column is None:
        raise Unasked(f"the column {quote(name)} is not there now")
    counting = _Counting(inquiry, index, demand, table, column)
    yield from counting.found()


class _Counting:
    """One type change of one column."""

    def __init__(
        self, inquiry: Inquiry, index: int, demand: Demand, table: Relation, column: Column
    ) -> None:
        self.inquiry = inquiry
        self.demand = demand
        self.table = table
        self.column = column
        self.after = inquiry.earlier.changing(
            index, table, written(demand.relation), demand.columns
        )
        self.made = inquiry.earlier.retyped(index, demand.type_name)

    def found(self) -> Iterator[Violation | Loss]:
        """Yield what was counted."""
        if self.demand.casts is None:
            yield from self._computed()
            return
        change = self._change()
        if change is None:
            return
        if isinstance(change, Change):
            yield from self._numbers(change)
        else:
            yield from self._tried(change)

    def _change(self) -> Change | Unclear | None:
        """Return what the chain of conversions does: the first of them that may fail or change a
        value, when all behind it keep what they get."""
        value, type_ = self.column.quoted, self.column.type
        result: Change | Unclear | None = None
        for step in self._steps():
            if result is not None:
                return Unclear("several conversions, one after the other")
            if self._is_made(step.written):
                return self._to_made(value)
            new = self.inquiry.type(step.written)
            if not step.explicit and not self.inquiry.assignable(type_, new):
                return Unclear(
                    f"PostgreSQL converts {type_.spelled} to {new.spelled} only with USING: the"
                    " statement fails whatever is stored"
                )
            result = narrowing(
                value,
                type_,
                new,
                written=step.written,
                explicit=step.explicit,
                major=self.inquiry.major,
            )
            value, type_ = f"CAST({value} AS {step.written})", new
        return result

    def _steps(self) -> Iterator[_Step]:
        """Yield the casts of USING, and the assignment to the new type unless the last of them gave
        that very type."""
        casts = self.demand.casts or ()
        for cast in casts:
            yield _Step("", cast, explicit=True)
        if not casts or casts[-1] != self.demand.type:
            yield _Step("", self.demand.type, explicit=False)

    def _is_made(self, spelled: str) -> bool:
        return self.made is not None and spelled == self.demand.type

    def _to_made(self, value: str) -> Change:
        """The new type is one that an earlier statement makes or changes."""
        assert self.made is not None  # noqa: S101
        index, labels = self.made
        if labels is None:
            raise Unasked(f"statement {index} makes or changes the type {self.demand.type} first")
        return to_labels(value, labels)

    def _numbers(self, change: Change) -> Iterator[Violation | Loss]:
        fits = change.fits or "true"
        changed = f"CASE WHEN {fits} THEN {change.changed or 'false'} ELSE false END"
        text = (
            f"SELECT pg_catalog.count(*) FILTER (WHERE NOT ({fits})),"
            f" pg_catalog.count(*) FILTER (WHERE {changed})"
            f" FROM {self._rows} WHERE {self.column.quoted} IS NOT NULL"
        )
        answer = self._ask(text, Uses())
        wrong, other = answer.numbers or (None, None)
        yield self._violation(wrong, answer.why)
        if change.changed is not None:
            yield self._loss(other, answer.why)

    def _tried(self, unclear: Unclear) -> Iterator[Violation | Loss]:
        """When the conversion of every value raises no error, every value fits."""
        if not unclear.attempt:
            yield self._violation(None, unclear.why)
            return
        answer = self._try(unclear.attempt, Uses())
        yield self._violation(0 if answer.numbers else None, answer.why)
        yield self._loss(None, f"whether values change is not known: {unclear.why}")

    def _computed(self) -> Iterator[Violation | Loss]:
        """USING is an expression of its own: it is tried, and its results are then assigned."""
        demand = self.demand
        value = f"({demand.using})"
        if self.made is not None:
            raise Unasked(f"statement {self.made[0]} makes or changes the type {demand.type} first")
        why = self.inquiry.guard.obstacle(demand.uses, value)
        if why:
            raise Unasked(why)
        given = self._type_of(value)
        new = self.inquiry.type(demand.type)
        change = narrowing(
            value, given, new, written=demand.type, explicit=False, major=self.inquiry.major
        )
        if isinstance(change, Unclear) and not change.attempt:
            raise Unasked(change.why)
        if isinstance(change, Change) and change.fits:
            text = f"SELECT pg_catalog.count(*) FROM {self._rows} WHERE NOT ({change.fits})"
            answer = self._ask(text, demand.uses)
            yield self._violation(answer.numbers[0] if answer.numbers else None, answer.why)
        else:
            answer = self._try(value, demand.uses)
            yield self._violation(0 if answer.numbers else None, answer.why)
        yield self._loss(None, "USING computes the new values")

    def _type_of(self, value: str) -> Type:
        with aside(self.inquiry.connection) as cursor:
            cursor.execute(
                f"SELECT {value} FROM {self._rows} LIMIT 0".encode(),
                binary=True,
            )
            result = cursor.pgresult
            if result is None:
                raise psycopg.errors.UndefinedObject("no result")
            oid, typmod = result.ftype(0), result.fmod(0)
            row = cursor.execute("SELECT pg_catalog.format_type(%s, %s)", [oid, typmod]).fetchone()
        return self.inquiry.type(row[0] if row else "unknown")

    def _try(self, value: str, uses: Uses) -> Answer:
        answer = self._ask(
            f"SELECT pg_catalog.count({value}) FROM {self._rows}",
            uses,
        )
        if answer.refused_values:
            return Answer(None, f"at least one value does not fit: {answer.why}")
        return answer

    @property
    def _rows(self) -> str:
        return f"ONLY {self.table.name}" if self.demand.only else self.table.name

    def _ask(self, text: str, uses: Uses) -> Answer:
        return self.inquiry.answer(text, uses, [self.table.name])

    def _violation(self, count: int | None, why: str) -> Violation:
        return Violation(
            rule="type",
            relation=self.table.name,
            name=self.column.quoted,
            count=count,
            after=self.after,
            why=why,
        )

    def _loss(self, count: int | None, why: str) -> Loss:
        return Loss(
            kind="values",
            relation=self.table.name,
            column=self.column.quoted,
            count=count,
            after=self.after,
            why=why if count is None else "",
        )
