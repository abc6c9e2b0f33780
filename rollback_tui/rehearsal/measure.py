"""What one statement does, measured on the scratch database while it runs.

Everything is asked of the statement's own session, inside its own transaction: the locks it holds
(``pg_locks``), the files of its relations (``pg_class.relfilenode``), what it read and wrote
(``pg_stat_get_xact_…``), and what went (an event trigger, where our role may make one; the
difference of two listings of the catalog elsewhere). Nothing asked here takes a lock on a user's
relation, and every name is qualified: a script may have changed ``search_path`` or its role.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import psycopg
from psycopg.rows import tuple_row

from rollback_tui.core.lock_modes import stronger
from rollback_tui.core.model import Lock, Statement
from rollback_tui.core.rehearsal import Measured, RowsChanged
from rollback_tui.core.text import printable
from rollback_tui.postgres import counts
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.execute import Answer, execute
from rollback_tui.rehearsal import drops

COUNT_SECONDS = 10.0
"""For counting the rows that a DROP or TRUNCATE is about to remove."""

_USERS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"

# pg_stat_get_xact_…: what this session counted and has not reported yet. Within a transaction
# nothing is reported, so a difference is what happened in between (pgstat_relation.c).
_RELATION = """
SELECT c.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
       c.relkind, c.relfilenode,
       pg_catalog.pg_stat_get_xact_numscans(c.oid),
       pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid),
       pg_catalog.pg_stat_get_xact_tuples_updated(c.oid),
       pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""
_ALL = f"{_RELATION} WHERE c.relkind IN ('r','p','v','m','S','f','i','I') AND {_USERS}"
_SOME = f"{_ALL} AND c.oid = ANY (%s::pg_catalog.oid[])"
_HELD = """
SELECT l.relation, pg_catalog.replace(l.mode, 'Lock', '')
  FROM pg_catalog.pg_locks l
 WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted
   AND l.relation >= 16384
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d
                      WHERE d.datname = pg_catalog.current_database())
"""
_TRUNCATED = ("TRUNCATE TABLE",)
"""Its command tag."""
_WITH_ROWS = frozenset("rp")
_TABLES = frozenset("rm")
"""Kinds of relation that have rows of their own in files of their own."""


class _Relation(NamedTuple):
    """One relation as the catalog and the session's own counters have it."""

    oid: int
    name: str
    kind: str
    file: int
    scans: int
    inserted: int
    updated: int
    deleted: int


class Gauge:
    """Measures the statements of one open transaction, one after the other.

    Locks are held to the end of a transaction: what an earlier statement holds cannot be seen as
    new. So ``Measured.locks`` has, for each relation, the strongest mode held after the statement
    where that is stronger than what was held before; :attr:`held` says what was. (To measure a
    statement by itself, give it a transaction of its own; ``ROLLBACK TO SAVEPOINT`` releases its
    locks too, but undoes what it did.)
    """

    def __init__(self, connection: Connection, *, superuser: bool) -> None:
        """``connection`` is in a transaction that the caller began and will end.

        ``superuser`` says that it may make an event trigger, which tells exactly what is dropped;
        it vanishes with the transaction. Without, two listings of the catalog are compared.
        Raises psycopg.Error.
        """
        self._connection = connection
        self._known = {r.oid: r for r in _relations(connection, _ALL)}
        self._held = _held(connection)
        self._drops: drops.Trigger | drops.Listing = (
            drops.Trigger(connection) if superuser else drops.Listing(connection)
        )

    @property
    def held(self) -> Mapping[str, str]:
        """The strongest mode held on each relation now, by its qualified name."""
        return {
            self._known[oid].name: mode for oid, mode in self._held.items() if oid in self._known
        }

    def overlook(self) -> None:
        """What this session did until now was not the next statement's doing."""
        self._known = {r.oid: r for r in _relations(self._connection, _ALL)}
        self._held = _held(self._connection)

    def run(self, statement: Statement) -> Measured:
        """Execute ``statement`` and return what it did; what fails is returned, not raised.

        After a failure the transaction is lost, and so is what could have been measured. Raises
        psycopg.OperationalError when the connection is lost.
        """
        counted = self._count(statement)
        if isinstance(self._drops, drops.Trigger) and drops.takes_language(statement):
            self._drops.remove()
            self._drops = drops.Listing(self._connection)
        self._drops.before(statement)
        done = _execute(self._connection, statement, transactional=True)
        if isinstance(done, Measured):
            return done
        held = _held(self._connection)
        found = {
            r.oid: r for r in _relations(self._connection, _SOME, sorted({*held, *counted} - {0}))
        }
        counting = _counting(self._connection)
        before = self._known
        measured = Measured(
            index=statement.index,
            seconds=done.seconds,
            transactional=True,
            locks=_taken(before, self._held, held),
            rewritten=_rewritten(before, found, done.command_tag),
            scanned=_scanned(before, found, done.command_tag) if counting else None,
            dropped=self._drops.since(statement),
            listed=isinstance(self._drops, drops.Listing),
            changed=_changed(before, found, counted, done.command_tag) if counting else None,
            rows=done.rows,
            notices=done.notices,
        )
        self._known = {oid: r for oid, r in before.items() if oid not in held} | found
        self._held = held
        return measured

    def _count(self, statement: Statement) -> dict[int, int | None]:
        """Count what DROP and TRUNCATE erase the counters of, by the relation's oid."""
        effect = statement.effect
        if not any(d.kind == "table" for d in effect.doomed) and not effect.cascade:
            return {}
        losses = counts.losses(self._connection, statement, COUNT_SECONDS, in_run=True)
        touched = {loss.relation for loss in losses}
        # Counting is a scan too: what it added to the counters is no deed of the statement's.
        oids = [r.oid for r in self._known.values() if r.name in touched]
        self._known |= {r.oid: r for r in _relations(self._connection, _SOME, oids)}
        rows = {loss.relation: loss.count for loss in losses if loss.kind == "rows"}
        counted = (r for r in self._known.values() if r.kind in _WITH_ROWS and r.name in rows)
        return {r.oid: rows[r.name] for r in counted}


def run_alone(connection: Connection, statement: Statement) -> Measured:
    """Execute in autocommit what cannot run in a transaction, and return what it did.

    Its locks are gone when it ends, and so are the session's counters: None. What was dropped
    is told by two listings of the catalog. Raises psycopg.OperationalError when the connection
    is lost.
    """
    before = {r.oid: r for r in _relations(connection, _ALL)}
    listing = drops.Listing(connection)
    done = _execute(connection, statement, transactional=False)
    if isinstance(done, Measured):
        return done
    after = {r.oid: r for r in _relations(connection, _ALL)}
    return Measured(
        index=statement.index,
        seconds=done.seconds,
        transactional=False,
        locks=None,
        rewritten=_rewritten(before, after, done.command_tag),
        scanned=None,
        dropped=listing.since(statement),
        listed=True,
        changed=None,
        rows=done.rows,
        notices=done.notices,
    )


def _execute(
    connection: Connection, statement: Statement, *, transactional: bool
) -> Answer | Measured:
    """Execute it; a failure is a measurement without figures."""
    began = time.monotonic()
    try:
        return execute(connection, statement.sql)
    except psycopg.Error as error:
        if connection.closed or connection.broken:
            raise
        return Measured(
            index=statement.index,
            seconds=time.monotonic() - began,
            transactional=transactional,
            locks=None,
            rewritten=None,
            scanned=None,
            dropped=None,
            changed=None,
            rows=None,
            failed=printable(error.diag.message_primary or str(error)),
            sqlstate=error.sqlstate or "",
        )


def _relations(
    connection: Connection, text: str, oids: Iterable[int] | None = None
) -> list[_Relation]:
    """Never prepared: DISCARD or DEALLOCATE in a script would take what was prepared away."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        given = None if oids is None else [list(oids)]
        return [_Relation(*row) for row in cursor.execute(text.encode(), given, prepare=False)]


def _held(connection: Connection) -> dict[int, str]:
    """Return the strongest mode this session holds on each relation that is no catalog."""
    held: dict[int, str] = {}
    with connection.cursor(row_factory=tuple_row) as cursor:
        for oid, mode in cursor.execute(_HELD.encode(), prepare=False):
            held[oid] = stronger(held.get(oid), mode)
    return held


def _counting(connection: Connection) -> bool:
    """Whether the server counts at all: ``track_counts``."""
    row = connection.execute(
        "SELECT pg_catalog.current_setting('track_counts')", prepare=False
    ).fetchone()
    return row is not None and row[0] == "on"


def _taken(
    known: Mapping[int, _Relation], before: Mapping[int, str], after: Mapping[int, str]
) -> tuple[Lock, ...]:
    """What is held more strongly than before, on relations that were there before."""
    taken = [
        Lock(relation=known[oid].name, mode=mode)
        for oid, mode in after.items()
        if oid in known and before.get(oid) != mode
    ]
    return tuple(sorted(taken, key=lambda lock: lock.relation))


def _rewritten(
    before: Mapping[int, _Relation], after: Mapping[int, _Relation], tag: str
) -> tuple[str, ...]:
    """Tables and materialised views with new files. TRUNCATE's are new and empty: no rewrite."""
    return _tables(before, after, tag, lambda was, now: was.file != now.file)


def _scanned(
    before: Mapping[int, _Relation], after: Mapping[int, _Relation], tag: str
) -> tuple[str, ...]:
    """Tables read from end to end. TRUNCATE builds its indexes anew, from an empty table."""
    return _tables(before, after, tag, lambda was, now: now.scans > was.scans)


def _tables(
    before: Mapping[int, _Relation],
    after: Mapping[int, _Relation],
    tag: str,
    changed: Callable[[_Relation, _Relation], bool],
) -> tuple[str, ...]:
    """Tables that were there before and that ``changed`` is true of; of TRUNCATE none."""
    if tag in _TRUNCATED:
        return ()
    return tuple(
        sorted(
            before[oid].name
            for oid, now in after.items()
            if oid in before and now.kind in _TABLES and changed(before[oid], now)
        )
    )


def _changed(
    before: Mapping[int, _Relation],
    after: Mapping[int, _Relation],
    counted: Mapping[int, int | None],
    tag: str,
) -> tuple[RowsChanged, ...] | None:
    """Rows written, of tables that were there before; None when they could not be counted."""
    changed = []
    for oid, old in before.items():
        new = after.get(oid)
        # A partitioned table has no file of its own; its number is that of all its partitions.
        fresh = new is None or new.file != old.file or (old.kind == "p" and tag in _TRUNCATED)
        emptied = oid in counted and fresh
        if emptied:
            number = counted[oid]
            if number is None:
                return None
            figures = (0, 0, number)
        elif new is None:
            continue
        else:
            figures = (
                max(0, new.inserted - old.inserted),
                max(0, new.updated - old.updated),
                max(0, new.deleted - old.deleted),
            )
        if any(figures):
            changed.append(
                RowsChanged(
                    relation=old.name,
                    inserted=figures[0],
                    updated=figures[1],
                    deleted=figures[2],
                )
            )
    return tuple(sorted(changed, key=lambda rows: rows.relation))
