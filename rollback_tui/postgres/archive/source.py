"""What a statement removes, and how it is read before it goes: the sources of an archive.

Row by row where it can be told which rows: whole tables (DROP TABLE, TRUNCATE, and what CASCADE
takes along), the values of columns (DROP COLUMN, a type dropped with CASCADE, a column that gets
another type) with the key of their row, the rows that a DELETE, UPDATE or MERGE touches, and the
rows that ON DELETE CASCADE or SET NULL reach from there. What triggers of the application do
besides, and what ON UPDATE CASCADE writes into other tables, is not among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from rollback_tui.core.model import Statement, Touched
from rollback_tui.core.text import printable
from rollback_tui.postgres.archive.look import Look
from rollback_tui.postgres.archive.values import CannotKeep, Kind, Source
from rollback_tui.postgres.aside import aside, canonical_from_here
from rollback_tui.postgres.dependents import collateral

_SECONDS = 30.0
_AS_OURSELVES = b"SET LOCAL session_authorization TO DEFAULT; SET LOCAL role TO DEFAULT"
"""A script may have taken another role, in which its names mean what they mean; the copy is made as
the role that the run has."""


def sources(connection: psycopg.Connection[Any], statement: Statement) -> tuple[Source, ...]:
    """Return what has to be copied before ``statement``; nothing where nothing is stored.

    Names are looked up as the statement itself would. What is not there (yet, or any more) has
    nothing to keep. Raises CannotKeep, with the reason, and psycopg.Error.
    """
    effect = statement.effect
    if effect.transactional is False:
        raise CannotKeep("it cannot run in a transaction, and so not together with a copy")
    if any(doomed.kind == "rows" for doomed in effect.doomed):
        return _touched(connection, statement)
    if "DETACH PARTITION" in effect.kind or "NO INHERIT" in effect.kind:
        raise CannotKeep("its rows stay in the table that is taken out")
    named = [(d.relation, d.column, False) for d in effect.doomed]
    named += [(relation, column, True) for relation, column in effect.retyped]
    whole = [name for kind, name in effect.drops if kind == "sequence"]
    if "DROP IDENTITY" in effect.kind:
        whole += effect.objects[:1]
    if effect.loses_data is not False and not (named or whole or effect.drops):
        raise CannotKeep("its text does not tell what it removes")
    if effect.kind.endswith("ATTRIBUTE"):
        raise CannotKeep("the values are parts of values in columns of other tables")
    named += [(d.relation, d.column, False) for d in collateral(connection, statement, _SECONDS)]
    with aside(connection, seconds=_SECONDS) as cursor:
        tables, columns = _found(cursor, named)
        counters = [oid for oid in (_oid(cursor, name) for name in whole) if oid is not None]
        canonical_from_here(cursor)
        cursor.execute(_AS_OURSELVES)
        look = Look(cursor, emptied=tables)
        found = [s for oid in tables for s in look.whole(oid)]
        # What goes in one statement cannot tell the rows of its own table apart any more.
        for oid, parts in columns.items():
            found += [
                s for c, changed in parts.items() for s in look.values(oid, c, changed, parts)
            ]
        found += [s for oid in counters for s in look.numbers(oid)]
    return tuple(found)


def _found(
    cursor: psycopg.Cursor[TupleRow], named: Iterable[tuple[str, str | None, bool]]
) -> tuple[list[int], dict[int, dict[str, bool]]]:
    """Look names up: the tables that go whole, and of others the columns (changed, not removed)."""
    tables: dict[int, None] = {}
    columns: dict[int, dict[str, bool]] = {}
    for relation, column, changed in named:
        oid = _oid(cursor, relation)
        if oid is not None and column is None:
            tables[oid] = None
        elif oid is not None and column is not None:
            # Dropped beats changed: what goes is gone.
            parts, name = columns.setdefault(oid, {}), _quoted(cursor, column)
            parts[name] = changed and parts.get(name, True)
    return list(tables), {oid: parts for oid, parts in columns.items() if oid not in tables}


def _oid(cursor: psycopg.Cursor[TupleRow], name: str) -> int | None:
    try:
        with cursor.connection.transaction():
            row = cursor.execute("SELECT to_regclass(%s)::oid::bigint", [name]).fetchone()
    except (psycopg.errors.InvalidName, psycopg.errors.SyntaxError, psycopg.DataError):
        return None
    return row[0] if row else None


def _quoted(cursor: psycopg.Cursor[TupleRow], name: str) -> str:
    """Return the name as this server quotes it: what has to be quoted differs with its version."""
    row = cursor.execute("SELECT quote_ident((parse_ident(%s))[1])", [name]).fetchone()
    return str(row[0]) if row else name


# --- rows that a statement chooses ----------------------------------------------------------------


def _touched(connection: psycopg.Connection[Any], statement: Statement) -> tuple[Source, ...]:
    effect, touched = statement.effect, statement.touched
    chosen = {doomed.relation for doomed in effect.doomed}
    if touched is None or len(chosen) != 1 or effect.retyped:
        why = next((f": {loss.why}" for loss in statement.loss if loss.why), "")
        raise CannotKeep(f"which rows it changes cannot be asked for beforehand{why}")
    verb = effect.kind.split(" ", 1)[0].upper()
    kind: Kind = "changed rows"
    if verb == "DELETE":
        kind = "rows"
    elif verb == "MERGE":
        kind = "merged rows"
    with aside(connection, seconds=_SECONDS) as cursor:
        oid = _oid(cursor, touched.relation)
        if oid is None:
            return ()
        _steady(cursor, touched)
        canonical_from_here(cursor)
        cursor.execute(_AS_OURSELVES)
        return tuple(Look(cursor).chosen(oid, kind, touched.rows, ()))


_BY_CHANCE = re.compile(
    r"\b(limit|offset|fetch\s+(?:first|next)|distinct\s+on|row_number|ntile|first_value|last_value"
    r"|nth_value|lag|lead)\b",
    re.IGNORECASE,
)
"""What takes some of several rows; which, the order decides in which the server comes by them."""
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")

_VOLATILE = """
SELECT w FROM unnest(%s::text[]) AS w WHERE EXISTS (
  SELECT FROM pg_catalog.pg_proc p WHERE p.provolatile = 'v'
     AND p.proname = (pg_catalog.parse_ident(pg_catalog.split_part(w, '(', 1)))[
           pg_catalog.array_upper(pg_catalog.parse_ident(pg_catalog.split_part(w, '(', 1)), 1)])
"""


def _steady(cursor: psycopg.Cursor[TupleRow], touched: Touched) -> None:
    """Asked twice, it must choose the same rows, and asking must do nothing else."""
    chance = _BY_CHANCE.search(_QUOTED.sub(" ", touched.rows))
    if chance:
        word = " ".join(chance.group(1).split()).upper()
        raise CannotKeep(f"{word} may choose other rows the second time it is asked")
    try:
        with cursor.connection.transaction():
            rows = cursor.execute(_VOLATILE.encode(), [list(touched.calls)]).fetchall()
    except psycopg.DataError:
        rows = [("a function",)]
    if rows:
        raise CannotKeep(
            f"it calls {printable(rows[0][0])}, which may answer otherwise the second time"
        )
