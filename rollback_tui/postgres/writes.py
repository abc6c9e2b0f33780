"""What a transaction wrote, proven by the server's own counters: two questions for any number of
tables, and no table is read.

Every backend counts the rows that it inserts, updates and deletes, by relation, and reports them
only when its transaction is over (``pgstat_relation.c``; ``pg_stat_get_xact_tuples_…`` reads what
is not reported yet). So within one transaction the difference between two looks is what happened
in between. What that proves, in PostgreSQL 13 to 18:

- It is counted where rows are written into the heap (``heapam.c``): by a statement of any kind,
  COPY, a foreign key's action, a trigger, a function of any language, and also under
  ``session_replication_role = replica``. Unlogged tables as others. Rows of a partition are counted
  for the partition; a row that moves to another one is deleted there and inserted here.
- What a savepoint or an exception block takes back stays counted: a table may be called written
  that is as before, never the other way round.
- TRUNCATE sets a table's counters back, and a statement that writes a table anew counts nothing;
  both give it a new file (``pg_class.relfilenode``). A truncation that keeps the file is possible
  only where the same transaction had made that file (``ExecuteTruncateGuts``). REFRESH MATERIALIZED
  VIEW makes a new file, or (CONCURRENTLY) writes counted rows.
- Rows of a foreign table are on another server and are counted by nobody.
- Large objects are rows of ``pg_largeobject``, and counted as others are; so is their making and
  unmaking, in ``pg_largeobject_metadata``.
- A table or column that takes the name of another one needs no row written for it: names are
  compared by the numbers behind them (``pg_class.oid``, ``pg_attribute.attnum``).
- With ``track_counts`` off nothing is counted. Only a superuser, or who was granted it, may change
  that; it is asked at both looks, and a name of it in the plan or in a function makes it unknown.
- Not covered: another session (the door is for that), writing to the catalog by hand, and code
  that changes pages behind the server's back.

Outside one transaction the reported counters are compared (``cumulative``), of all backends, after
``pg_stat_force_next_flush`` (15 and later). They say nothing after a crash, or once they were
reset, which shows in smaller numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import psycopg

from rollback_tui.core.writes import TableWrite, Writes, WriteState, summed
from rollback_tui.postgres.aside import aside, query


class Table(NamedTuple):
    """One table at one look."""

    oid: int
    name: str
    """Qualified and quoted where needed."""
    kind: str
    """``pg_class.relkind``: r, p, m or f."""
    file: int
    inserted: int
    updated: int
    deleted: int
    above: int | None
    """The partitioned table that it is a partition of."""


class Sight(NamedTuple):
    """All tables at one look."""

    tables: dict[int, Table]
    indexes: dict[int, tuple[str, int]]
    """Name and file of each index."""
    unknown: str
    """Why the counters prove nothing; empty: they do."""
    columns: dict[int, dict[str, int]]
    """Of each table the number of each column, by its name, quoted where needed."""
    large: int
    """Rows of large objects that were inserted, updated and deleted."""

    def below(self, oid: int) -> Iterator[Table]:
        """Yield the partitions below a partitioned table, those that are partitioned too."""
        parts: dict[int, list[Table]] = {}
        for table in self.tables.values():
            if table.above is not None:
                parts.setdefault(table.above, []).append(table)
        waiting = [oid]
        while waiting:
            for part in parts.get(waiting.pop(), ()):
                yield part
                if part.kind == "p":
                    waiting.append(part.oid)


_HIDDEN = """
SELECT pg_catalog.current_setting('track_counts') = 'on',
       EXISTS (SELECT FROM pg_catalog.pg_proc p
                WHERE p.pronamespace NOT IN ('pg_catalog'::regnamespace,
                                             'information_schema'::regnamespace)
                  AND (pg_catalog.strpos(pg_catalog.lower(p.prosrc), 'track_counts') > 0
                       OR pg_catalog.strpos(p.proconfig::text, 'track_counts') > 0))
"""


_COLUMNS = """
SELECT a.attrelid, pg_catalog.array_agg(pg_catalog.quote_ident(a.attname)),
       pg_catalog.array_agg(a.attnum::int4)
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped
   AND a.attrelid = ANY(%s::oid[])
 GROUP BY 1
"""

# Counted as the heap counts them, privileges or not.
_LARGE = """
SELECT sum(pg_stat_get_{x}tuples_inserted(c.oid) + pg_stat_get_{x}tuples_updated(c.oid)
           + pg_stat_get_{x}tuples_deleted(c.oid))::int8
  FROM pg_catalog.pg_class c
 WHERE c.oid IN ('pg_catalog.pg_largeobject'::regclass,
                 'pg_catalog.pg_largeobject_metadata'::regclass)
"""


def sight(connection: psycopg.Connection[Any], *, cumulative: bool = False) -> Sight:
    """Look at all tables of users now. Changes nothing and locks no table. Raises psycopg.Error.

    ``cumulative``: what all backends have reported, instead of what this one has not.
    """
    kind = "" if cumulative else "xact_"
    text = query("writes").replace("{x}", kind)
    tables: dict[int, Table] = {}
    indexes: dict[int, tuple[str, int]] = {}
    with aside(connection, canonical=True) as cursor:
        row = cursor.execute(_HIDDEN).fetchone()
        counts, hidden = row or (False, False)
        if cumulative:
            cursor.execute("SELECT pg_catalog.pg_stat_clear_snapshot()")
        for found in cursor.execute(text.encode()):
            if found[2] == "i":
                indexes[found[0]] = (found[1], found[3])
            else:
                tables[found[0]] = Table(*found)
        columns = {
            oid: dict(zip(names, numbers, strict=True))
            for oid, names, numbers in cursor.execute(_COLUMNS, [list(tables)])
        }
        large = cursor.execute(_LARGE.replace("{x}", kind).encode()).fetchone() or (0,)
    unknown = ""
    if not counts:
        unknown = "track_counts is off: the server does not count"
    elif hidden:
        unknown = "a function of this database names track_counts"
    return Sight(tables, indexes, unknown, columns, large[0])


def written(before: Sight, after: Sight) -> Writes:
    """Return what was written between two looks of one transaction (or two cumulative ones)."""
    unknown = before.unknown or after.unknown
    found: dict[int, TableWrite] = {}
    untouched = 0
    whole: list[tuple[Table, Table]] = []
    for oid in before.tables.keys() | after.tables.keys():
        was, now = before.tables.get(oid), after.tables.get(oid)
        if was is not None and now is not None and now.kind == "p":
            whole.append((was, now))
            continue
        write = _compared(was, now, unknown)
        if write is None:
            untouched += 1
        else:
            found[oid] = write
    for past, present in whole:
        earlier, later = ({t.oid for t in at.below(past.oid)} for at in (before, after))
        parts = [found[oid] for oid in earlier | later if oid in found]
        parts = [part for part in parts if not part.partitioned]
        if parts or earlier != later:
            found[past.oid] = summed(
                past.oid, present.name, past.name, parts, others=earlier != later
            )
        else:
            untouched += 1
    return Writes(
        tables=tuple(sorted(found.values(), key=lambda write: write.table)),
        untouched=untouched,
        large_objects=abs(after.large - before.large),
        unknown=unknown,
    )


def exchanged(before: Sight, after: Sight) -> Iterator[tuple[int, str, str]]:
    """Yield the names that mean something else now: the table's number, the column's name (empty:
    the table itself) and what happened, in words. Not those of a table that was made since, and
    took the place of one that is gone: that is told of the rows."""
    names = {table.name: oid for oid, table in before.tables.items()}
    for oid, now in after.tables.items():
        was = before.tables.get(oid)
        if was is None:
            continue
        if names.get(now.name, oid) != oid:
            yield oid, "", f"{now.name} is now what was {was.name}"
        numbers = before.columns.get(oid, {})
        for column, number in after.columns.get(oid, {}).items():
            if numbers.get(column, number) != number:
                what = f"{now.name}.{column}"
                yield oid, column, f"{what} is another column than the one that had this name"


_NOBODY = Table(0, "", "", 0, 0, 0, 0, None)


def _compared(was: Table | None, now: Table | None, unknown: str) -> TableWrite | None:
    """Return what happened to one table; None: nothing, and that is proven."""
    last = now or was or _NOBODY
    old, new = was or _NOBODY, now or _NOBODY
    figures = (new.inserted - old.inserted, new.updated - old.updated, new.deleted - old.deleted)
    state: WriteState
    if was is None:
        state = "came"
    elif now is None:
        state = "went"
    elif unknown or now.kind == "f":
        state = "unknown"
    elif was.file != now.file:
        state = "new file"
    elif min(figures) < 0:
        # TRUNCATE sets them back, and has made a new file; a reset of the statistics has not.
        state = "unknown"
    elif any(figures):
        state = "written"
    else:
        return None
    inserted, updated, deleted = (max(0, n) if now else 0 for n in figures)
    return TableWrite(
        oid=last.oid,
        table=last.name,
        before=was.name if was else "",
        state=state,
        inserted=inserted,
        updated=updated,
        deleted=deleted,
        partitioned=last.kind == "p",
        away=last.kind == "f",
    )


def flush(connection: psycopg.Connection[Any]) -> None:
    """Have this backend report what it counted as soon as its transaction is over; before version
    15 there is no such request, and nothing is done. Raises psycopg.Error."""
    if connection.info.server_version >= 150000:
        connection.execute("SELECT pg_catalog.pg_stat_force_next_flush()")


def new_files(before: Mapping[int, tuple[str, int]], after: Sight) -> dict[int, str]:
    """Return oid and name of the indexes that came, or have another file, since ``before``."""
    return {
        oid: name
        for oid, (name, file) in after.indexes.items()
        if oid not in before or before[oid][1] != file
    }
