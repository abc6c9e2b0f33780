"""What verifying a plan's result will read, and what that may cost behind the closed door.

What the plan does not touch is not read at all: the server's own counters prove that nothing was
written to it (:mod:`rollback_tui.postgres.writes`). What it touches is counted, and what it writes
or writes anew is fingerprinted as well, before and after, the smallest first, as far as
``[verify] budget_seconds`` goes.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from rollback_tui.config import Settings
from rollback_tui.core.model import Plan
from rollback_tui.core.proof import ProofCost
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.core.text import data_size
from rollback_tui.postgres.aside import aside
from rollback_tui.postgres.contents import Column, Reading, columns, fingerprint
from rollback_tui.postgres.writes import Sight, Table, sight
from rollback_tui.survey.scope import Scope, scope

BEFORE = 0.4
"""The share of the budget that reading may take before the plan: afterwards the same is read again,
and foreign keys have to be looked at with what is left."""

_COUNTING = 8.0
"""How many times faster rows are counted than fingerprinted; measured on narrow tables."""

_NEARBY = 100
_NEARBY_BYTES = 8 * 1024 * 1024

_SMALL_BYTES = 1024 * 1024
_SAMPLE_ROWS = 20_000
_SAMPLE_BYTES = 80 * _SAMPLE_ROWS
"""About what the rows of the sample take."""

_SIZES = """
SELECT o.oid, pg_catalog.pg_table_size(o.oid)
  FROM unnest(%s::oid[]) AS o(oid) JOIN pg_catalog.pg_class c ON c.oid = o.oid
"""
_PAGES = """
SELECT c.oid, greatest(c.relpages, 0)::int8 * pg_catalog.current_setting('block_size')::int8
  FROM pg_catalog.pg_class c WHERE c.oid = ANY(%s::oid[])
"""


class Part(NamedTuple):
    """One table that is read, or would be."""

    reading: Reading
    left_out: tuple[str, ...]
    """Columns that are not among those read: the plan drops, retypes or sets them."""
    bytes: int
    seconds: float
    """What reading it once is expected to take."""


class Proof(NamedTuple):
    """What will be read."""

    scope: Scope
    parts: tuple[Part, ...]
    """Within the budget, in the order in which they are read."""
    beyond: tuple[Part, ...]
    """Touched, and not within the budget."""
    cost: ProofCost


def proof_cost(connection: psycopg.Connection[Any], settings: Settings, plan: Plan) -> ProofCost:
    """Return what will be counted and fingerprinted within the budget. Raises psycopg.Error."""
    return proof(connection, settings, plan, sight(connection)).cost


def proof(
    connection: psycopg.Connection[Any],
    settings: Settings,
    plan: Plan,
    seen: Sight,
    rehearsal: Rehearsal | None = None,
) -> Proof:
    """Decide what is read to prove the result of ``plan``. ``seen``: what is there now.

    Reads sizes, not tables. Raises psycopg.Error.
    """
    reach = scope(connection, plan, seen, rehearsal)
    everything = not reach.sure or bool(seen.unknown)
    units = _units(seen, reach, seen.tables.keys() if everything else reach.touched)
    sizes = _sizes(connection, seen, units)
    if not everything:
        near = _nearby(connection, seen, units)
        units, sizes = [*units, *near], sizes | near
    known = columns(connection, units)
    rate = _rate(connection)
    parts = [_part(seen.tables[oid], reach, known, sizes, rate, everything) for oid in units]
    # Touched ones first, and of these the smallest.
    parts.sort(key=lambda p: (p.reading.oid not in reach.touched, p.seconds))
    left = BEFORE * settings.verify.budget_seconds
    kept: list[Part] = []
    beyond: list[Part] = []
    for part in parts:
        chosen = part
        if part.seconds > left and part.reading.columns is not None:
            # Counting is cheaper, and says more than nothing.
            seconds = part.seconds / _COUNTING
            chosen = part._replace(reading=part.reading._replace(columns=None), seconds=seconds)
            beyond.append(part)
        if chosen.seconds <= left:
            kept.append(chosen)
            left -= chosen.seconds
        elif chosen is part:
            beyond.append(part)
    cost = _cost(settings, seen, reach, kept, beyond, rate)
    return Proof(reach, tuple(kept), tuple(beyond), cost)


def _units(seen: Sight, reach: Scope, wanted: Collection[int]) -> list[int]:
    """Return the tables that are read: a partitioned one as a whole, unless partitions go."""
    found: dict[int, None] = {}
    for oid in wanted:
        table = seen.tables.get(oid)
        if table is None or table.kind not in "rp":
            continue
        root = table
        while root.above is not None and root.above in seen.tables:
            root = seen.tables[root.above]
        parts = list(seen.below(root.oid)) if root.kind == "p" else []
        apart = reach.repartitions or any(part.oid in reach.dropped for part in parts)
        if root.oid not in reach.dropped and (apart or any(part.kind == "f" for part in parts)):
            found |= {part.oid: None for part in parts if part.kind == "r" and part.oid in wanted}
        else:
            found[root.oid] = None
    return list(found)


def _nearby(
    connection: psycopg.Connection[Any], seen: Sight, units: Collection[int]
) -> dict[int, int]:
    """Return tables (and their bytes) that the plan does not touch, where all of them are few and
    small: reading them costs next to nothing, and shows what was changed in them, should it be."""
    rest = [
        t.oid
        for t in seen.tables.values()
        if t.kind in "rp"
        and t.above is None
        and t.oid not in units
        and all(part.oid not in units for part in (seen.below(t.oid) if t.kind == "p" else ()))
    ]
    if not 0 < len(rest) <= _NEARBY or any(t.kind == "f" for t in seen.tables.values()):
        return {}
    found: dict[int, int] = {}
    left = _NEARBY_BYTES
    for oid, size in sorted(_sizes(connection, seen, rest).items(), key=lambda item: item[1]):
        left -= size
        if left < 0:
            break
        found[oid] = size
    return found


def _part(
    table: Table,
    reach: Scope,
    known: Mapping[int, tuple[Column, ...]],
    sizes: Mapping[int, int],
    rate: float,
    everything: bool,
) -> Part:
    size = sizes.get(table.oid, 0)
    read: tuple[Column, ...] | None = None
    left_out: tuple[str, ...] = ()
    fixed = table.oid not in reach.rows or table.oid in reach.updated
    fixed = fixed and table.oid not in reach.dropped
    cheap = size <= _SMALL_BYTES or table.oid not in reach.touched
    if fixed and (everything or cheap or table.oid in reach.rows | reach.files):
        gone = reach.lost_columns.get(table.oid, frozenset())
        gone |= reach.updated.get(table.oid, frozenset())
        every = known.get(table.oid, ())
        read = tuple(c for c in every if not _changes(c, gone, reach))
        left_out = tuple(c.name for c in every if c not in read)
        read = read or None
    seconds = size / rate / (1 if read else _COUNTING)
    return Part(
        Reading(table.oid, table.name, read, small=size <= _SMALL_BYTES), left_out, size, seconds
    )


def _changes(column: Column, gone: frozenset[str], reach: Scope) -> bool:
    """Whether the plan changes what is written for its values: the column itself, what it is
    computed from, or its type."""
    return (
        column.bare in gone
        or column.generated
        or bool(reach.announced.named.intersection(column.types))
    )


def _sizes(
    connection: psycopg.Connection[Any], seen: Sight, units: Iterable[int]
) -> dict[int, int]:
    """Bytes of tables with their partitions, without indexes."""
    parts = {
        oid: [oid, *(p.oid for p in seen.below(oid))] if seen.tables[oid].kind == "p" else [oid]
        for oid in units
    }
    every = [oid for oids in parts.values() for oid in oids]
    try:
        with aside(connection, seconds=2) as cursor:
            sizes = dict(cursor.execute(_SIZES, [every]).fetchall())
    except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable):
        # Somebody holds a lock on one of them, and asking for its size waits for that.
        with aside(connection) as cursor:
            sizes = dict(cursor.execute(_PAGES, [every]).fetchall())
    return {oid: sum(sizes.get(part) or 0 for part in oids) for oid, oids in parts.items()}


def _rate(connection: psycopg.Connection[Any]) -> float:
    """Bytes a second that this server fingerprints, by rows made up for it."""
    with aside(connection, canonical=True) as cursor:
        text = sql.SQL(
            "SELECT {} FROM (SELECT i, pg_catalog.md5(i::pg_catalog.text) AS m,"
            " i * 1.5 AS n, pg_catalog.now() AS t FROM pg_catalog.generate_series(1, {}) AS i) AS s"
        ).format(
            fingerprint([sql.SQL(name) for name in ("i", "m", "n", "t")]),
            sql.Literal(_SAMPLE_ROWS),
        )
        began = time.monotonic()
        cursor.execute(text).fetchall()
    return _SAMPLE_BYTES / max(1e-4, time.monotonic() - began)


def _cost(
    settings: Settings,
    seen: Sight,
    reach: Scope,
    kept: list[Part],
    beyond: list[Part],
    rate: float,
) -> ProofCost:
    once = sum(part.seconds for part in kept)
    volume = sum(part.bytes for part in kept)
    # Where a statement's effect is not known, every table may be touched.
    touched = [p for p in kept if p.reading.oid in reach.touched or not reach.sure]
    read = {part.reading.oid for part in touched}
    return ProofCost(
        budget_seconds=settings.verify.budget_seconds,
        estimated_seconds=round(2 * once, 3),
        counted=tuple(part.reading.table for part in touched),
        fingerprinted=tuple(part.reading.table for part in touched if part.reading.columns),
        others=sum(
            t.kind in "rp" and t.above is None and t.oid not in read for t in seen.tables.values()
        ),
        beyond=tuple(part.reading.table for part in beyond),
        basis=f"{data_size(volume)} read twice, at {data_size(int(rate))} a second by a sample;"
        " from disk it takes longer",
    )
