"""What a statement dropped, told by the server itself or by comparing two listings.

An event trigger hears of every object, and whether the statement named it (``original``) or it
went because it depends on such a one and CASCADE allowed it (``normal``). What simply belongs to
a dropped object (its indexes, constraints, types) goes with it and is not told separately; its
partitions are, because they hold rows of their own.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from psycopg.rows import tuple_row

from rollback_tui.core.model import Statement
from rollback_tui.core.rehearsal import Dropped
from rollback_tui.core.script.identity import is_part
from rollback_tui.postgres.connect import Connection

_SETTING = "rollback_tui.dropped"

# SECURITY DEFINER: the script may have changed to a role with no rights of its own. The function's
# own search_path is undone at its end; the setting lasts to the end of the transaction.
_FUNCTION = """
CREATE FUNCTION pg_temp.rollback_tui_dropped() RETURNS pg_catalog.event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM set_config('rollback_tui.dropped',
    (coalesce(nullif(current_setting('rollback_tui.dropped', true), ''), '[]')::jsonb
      || coalesce((SELECT jsonb_agg(jsonb_build_array(object_type, object_identity, original))
                     FROM pg_event_trigger_dropped_objects()
                    WHERE (original OR normal OR object_type IN ('table', 'foreign table'))
                      AND NOT is_temporary), '[]'))::text, true);
END $$
"""


_MEMBERS = b"""
SELECT i.type, i.identity
  FROM pg_catalog.pg_depend d,
       LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) i
 WHERE d.deptype = 'e'
"""
"""What belongs to extensions: it goes with them, and is named by them."""


class Trigger:
    """Hears of what is dropped through an event trigger; for superusers, in a transaction."""

    def __init__(self, connection: Connection) -> None:
        """Make the function and the trigger. Raises psycopg.Error."""
        self._connection = connection
        connection.execute(_FUNCTION.encode(), prepare=False)
        connection.execute(
            "CREATE EVENT TRIGGER rollback_tui_dropped ON sql_drop"
            " EXECUTE FUNCTION pg_temp.rollback_tui_dropped()",
            prepare=False,
        )
        self._members: frozenset[tuple[str, str]] = frozenset()

    def before(self, statement: Statement) -> None:
        """Prepare for a statement: where it may drop an extension, learn what belongs to it."""
        kinds = {kind for kind, _ in (*statement.effect.drops, *statement.effect.collateral)}
        if kinds & {"extension", "schema"} or statement.effect.kind == "DROP OWNED":
            with self._connection.cursor(row_factory=tuple_row) as cursor:
                rows = cursor.execute(_MEMBERS, prepare=False).fetchall()
            self._members = frozenset((kind, name) for kind, name in rows)

    def since(self, statement: Statement) -> tuple[Dropped, ...] | None:  # noqa: ARG002
        """Return what was dropped since the last time, and forget it.

        None when the trigger is gone: DISCARD TEMP takes it away, ``event_triggers`` (17+) and
        ``session_replication_role`` silence it.
        """
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(
                "SELECT pg_catalog.current_setting(%s, true),"
                " EXISTS (SELECT FROM pg_catalog.pg_event_trigger"
                "          WHERE evtname = 'rollback_tui_dropped')"
                " AND coalesce(pg_catalog.current_setting('event_triggers', true), 'on') = 'on'"
                " AND pg_catalog.current_setting('session_replication_role') <> 'replica',"
                " pg_catalog.set_config(%s, '', true)",
                [_SETTING, _SETTING],
                prepare=False,
            ).fetchone()
        if row is None or not row[1]:
            return None
        return _whole(
            [
                Dropped(kind=kind, name=name, collateral=not original)
                for kind, name, original in json.loads(row[0] or "[]")
            ],
            self._members,
        )

    def remove(self) -> None:
        """Take the trigger away, before a statement that it would stand in the way of."""
        self._connection.execute("DROP EVENT TRIGGER rollback_tui_dropped", prepare=False)
        self._connection.execute("DROP FUNCTION pg_temp.rollback_tui_dropped()", prepare=False)


def _whole(found: list[Dropped], members: frozenset[tuple[str, str]]) -> tuple[Dropped, ...]:
    """Leave out what is a part of something else that went, and a default that was named."""
    gone = [(item.kind, item.name) for item in found]
    if any(kind == "extension" for kind, _ in gone):
        found = [item for item in found if (item.kind, item.name) not in members]
    return tuple(
        item
        for item in found
        if not (item.collateral and is_part(item.kind, item.name, gone))
        and item.kind not in ("publication relation", "publication namespace")
        and (item.collateral or item.kind != "default value")
    )


def takes_language(statement: Statement) -> bool:
    """Whether the statement drops the language that the trigger's function is written in."""
    return any(name.lower() == "plpgsql" for _, name in statement.effect.drops)


class _Object(NamedTuple):
    """One object of the catalog: its class and identity, and the relation it is a column of."""

    oid: int
    number: int
    """Of a column; 0 for all else."""
    kind: str
    name: str
    table: str


# Identities as pg_identify_object() writes them, which is too slow for every column.
_LISTING = """
WITH users AS (
  SELECT oid, nspname FROM pg_catalog.pg_namespace
   WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), relation AS (
  SELECT c.oid, c.relkind, c.relnamespace,
         pg_catalog.format('%I.%I', u.nspname, c.relname) AS name
    FROM pg_catalog.pg_class c JOIN users u ON u.oid = c.relnamespace
   WHERE c.relkind IN ('r','p','v','m','f','c','i','I')
)
SELECT r.oid, 0, CASE r.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
            WHEN 'f' THEN 'foreign table' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index'
            ELSE 'table' END, r.name, ''
  FROM relation r WHERE r.relkind <> 'c'
UNION ALL
SELECT r.oid, a.attnum,
       CASE r.relkind WHEN 'v' THEN 'view column' WHEN 'f' THEN 'foreign table column'
            WHEN 'c' THEN 'composite type column' ELSE 'table column' END,
       pg_catalog.format('%s.%I', r.name, a.attname), r.name
  FROM pg_catalog.pg_attribute a JOIN relation r ON r.oid = a.attrelid
 WHERE a.attnum > 0 AND NOT a.attisdropped AND r.relkind NOT IN ('i','I')
UNION ALL
SELECT p.oid, 0,
       CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
       pg_catalog.format('%I.%I(%s)', u.nspname, p.proname,
         (SELECT pg_catalog.string_agg(pg_catalog.format_type(a.type, NULL), ',' ORDER BY a.place)
            FROM pg_catalog.unnest(p.proargtypes) WITH ORDINALITY a(type, place))), ''
  FROM pg_catalog.pg_proc p JOIN users u ON u.oid = p.pronamespace
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                      AND d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT t.oid, 0, 'type', pg_catalog.format('%I.%I', u.nspname, t.typname), ''
  FROM pg_catalog.pg_type t JOIN users u ON u.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
 WHERE t.typcategory <> 'A' AND t.typtype <> 'm' AND (c.oid IS NULL OR c.relkind = 'c')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                      AND d.objid = t.oid AND d.deptype = 'e')
UNION ALL
SELECT u.oid, 0, 'schema', pg_catalog.quote_ident(u.nspname), '' FROM users u
UNION ALL
SELECT e.oid, 0, 'extension', pg_catalog.quote_ident(e.extname), '' FROM pg_catalog.pg_extension e
"""


class Listing:
    """Compares what the catalog lists before and after; for every role."""

    def __init__(self, connection: Connection) -> None:
        """Read the first listing. Raises psycopg.Error."""
        self._connection = connection
        self._before = self._read()

    def before(self, statement: Statement) -> None:
        """Nothing is to be prepared: the listing of now was read when the last one ended."""

    def _read(self) -> dict[tuple[int, int, str], _Object]:
        """By what stays the same when an object is renamed."""
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            rows = [_Object(*row) for row in cursor.execute(_LISTING.encode(), prepare=False)]
        return {(row.oid, row.number, row.kind): row for row in rows}

    def since(self, statement: Statement) -> tuple[Dropped, ...] | None:
        """Return what is no longer listed.

        Columns of what went are left out, and indexes that the statement does not name: whether
        one simply belonged to a column or a constraint that went is not in a listing.
        """
        before, self._before = self._before, self._read()
        gone = [item for key, item in before.items() if key not in self._before]
        whole = {item.name for item in gone if not item.number}
        # A constraint's index has its name and goes with it.
        named = {_last(n) for kind, n in statement.effect.drops if kind != "constraint"}
        return tuple(
            Dropped(kind=o.kind, name=o.name, collateral=_last(o.name) not in named)
            for o in sorted(gone, key=lambda item: (item.kind, item.name))
            if o.table not in whole and (o.kind != "index" or _last(o.name) in named)
        )


def _last(name: str) -> str:
    """The last part of a name, without arguments: enough to tell what a statement named."""
    return re.sub(r"\(.*", "", name).rsplit(".", 1)[-1]
