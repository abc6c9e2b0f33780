"""The stored rows that a restored rule would find in its way, as one counting query a rule.

The conditions are those of PostgreSQL's own checks: NULL satisfies CHECK; UNIQUE takes NULLs as
different unless NULLS NOT DISTINCT; a foreign key with a NULL asks nothing (MATCH SIMPLE), or all
or none of its columns must be NULL (MATCH FULL). NOT NULL and CHECK hold for the tables that
inherit too, UNIQUE and foreign keys for the one table (all partitions of a partitioned one).
"""

# ruff: noqa: S608 - names were quoted by the server, expressions written from one parse tree

from __future__ import annotations

from typing import NamedTuple

from rollback_tui.core.demand import Added, Demand, Uses
from rollback_tui.core.script.tree import quote
from rollback_tui.postgres.columns import Column
from rollback_tui.postgres.relations import Relation


class Question(NamedTuple):
    """A SELECT of one row of numbers, and what it calls on."""

    text: str
    uses: Uses


class Unasked(Exception):
    """The rows cannot be counted; the text says why."""


def named(demand: Demand) -> str:
    """Return what a rule is called for a person: its constraint, or its columns."""
    return demand.constraint or ", ".join(quote(name) for name in dict.fromkeys(demand.columns))


def not_null(demand: Demand, table: Relation, columns: dict[str, Column]) -> Question | None:
    """Rows whose column is NULL; None when the server knows that there are none."""
    (name,) = demand.columns
    known = columns.get(name)
    if known is not None and known.not_null:
        return None
    source, uses = _source(demand, table, columns, only=demand.only)
    return Question(f"SELECT pg_catalog.count(*) FROM {source} WHERE {_id(name)} IS NULL", uses)


def check(demand: Demand, table: Relation, columns: dict[str, Column]) -> Question:
    """Rows for which the expression is false."""
    only = demand.only or demand.here_only
    source, uses = _source(demand, table, columns, only=only)
    text = f"SELECT pg_catalog.count(*) FROM {source} WHERE ({demand.expression}) IS FALSE"
    return Question(text, uses + demand.uses)


def unique(demand: Demand, table: Relation, columns: dict[str, Column]) -> Question | None:
    """Rows that share their key with another row. None: the statement looks at no rows at all."""
    if table.kind == "p" and demand.only:
        return None
    odd = [name for name in demand.operator_classes if not name.endswith("_ops")]
    if odd:
        raise Unasked(f"the operator class {odd[0]} decides what is equal")
    source, uses = _source(demand, table, columns, only=table.kind != "p")
    keys = ", ".join(f"{key} AS k{at}" for at, key in enumerate(demand.keys))
    names = ", ".join(f"k{at}" for at in range(len(demand.keys)))
    conditions = [f"({demand.where})"] if demand.where else []
    if not demand.nulls_equal:
        conditions += [f"{key} IS NOT NULL" for key in demand.keys]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    text = (
        "SELECT coalesce(pg_catalog.sum(n), 0)::pg_catalog.int8"
        f" FROM (SELECT pg_catalog.count(*) AS n FROM (SELECT {keys} FROM {source}{where}) AS keyed"
        f" GROUP BY {names} HAVING pg_catalog.count(*) > 1) AS shared"
    )
    return Question(text, uses + demand.uses)


def foreign_key(
    demand: Demand,
    table: Relation,
    columns: dict[str, Column],
    other: Relation,
    other_columns: tuple[str, ...],
) -> Question:
    """Rows that name no row of the other table."""
    if not other_columns or len(other_columns) != len(demand.columns):
        raise Unasked(f"{other.name} has no primary key of as many columns")
    source, uses = _source(demand, table, columns, only=table.kind != "p")
    mine = [f"child.{_id(name)}" for name in demand.columns]
    pairs = zip(mine, other_columns, strict=True)
    equal = " AND ".join(f"parent.{_id(theirs)} = {own}" for own, theirs in pairs)
    only = "" if other.kind == "p" else "ONLY "
    whole = " AND ".join(f"{name} IS NOT NULL" for name in mine)
    orphan = f"{whole} AND NOT EXISTS (SELECT FROM {only}{other.name} AS parent WHERE {equal})"
    if demand.full:
        some = " OR ".join(f"{name} IS NOT NULL" for name in mine)
        orphan = f"CASE WHEN {whole} THEN {orphan} ELSE {some} END"
    return Question(
        f"SELECT pg_catalog.count(*) FROM {_aliased(source, 'child')} WHERE {orphan}", uses
    )


def some_row(table: Relation) -> Question:
    """1 when the table holds a row, 0 when it is empty and so breaks no rule."""
    return Question(
        f"SELECT (EXISTS (SELECT FROM {table.name}))::pg_catalog.int4",
        Uses(),
    )


def domain(demand: Demand, relation: str, column: str) -> Question:
    """Rows whose value breaks a rule of the column's domain."""
    value = f"(SELECT {_id(column)} AS value FROM {relation}) AS stored"
    condition = f"({demand.expression}) IS FALSE" if demand.expression else "value IS NULL"
    return Question(f"SELECT pg_catalog.count(*) FROM {value} WHERE {condition}", demand.uses)


def missing(demand: Demand, columns: dict[str, Column]) -> str | None:
    """Return a column that the demand is about and that neither exists nor is added with it."""
    there = {*columns, *(added.column for added in demand.added)}
    plain = demand.columns if demand.rule in ("not null", "foreign key", "type") else ()
    return next((name for name in plain if name not in there), None)


# --- where the rows come from --------------------------------------------------------------------


def _source(
    demand: Demand, table: Relation, columns: dict[str, Column], *, only: bool
) -> tuple[str, Uses]:
    """Return what to select from: the table, with the columns that the same statement adds."""
    base = f"ONLY {table.name}" if only else table.name
    added = [
        one for one in demand.added if one.column in demand.columns and one.column not in columns
    ]
    if not added:
        return base, Uses()
    if any(one.computed for one in added):
        raise Unasked("the server fills the added column row by row")
    uses = Uses()
    for one in added:
        uses = uses + one.uses
    values = ", ".join(f"{_value(one)} AS {_id(one.column)}" for one in added)
    return f"(SELECT stored.*, {values} FROM {base} AS stored) AS {table.bare}", uses


def _value(added: Added) -> str:
    return f"CAST({added.default or 'NULL'} AS {added.type})"


def _aliased(source: str, alias: str) -> str:
    """A subquery has an alias already; a table gets one."""
    return f"(SELECT * FROM {source}) AS {alias}" if source[0] == "(" else f"{source} AS {alias}"


def _id(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
