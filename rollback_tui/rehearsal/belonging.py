"""Whose the relations are that a statement names: the application's, the tool's own, or the
catalog's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import psycopg

from rollback_tui.core.script.tree import Node, children, each, opened, quote, strings, text
from rollback_tui.postgres.connect import Connection

Owner = Literal["version", "own", "catalog", "application"]

_RELATION = """
SELECT c.oid::bigint, n.nspname::text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = pg_catalog.to_regclass(%s)
"""
_FUNCTION = """
SELECT coalesce(bool_and(n.nspname = 'pg_catalog' AND p.provolatile <> 'v'), false),
       coalesce(bool_and(p.prorettype = 'pg_catalog.void'::pg_catalog.regtype), false)
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE p.proname = %s AND CASE WHEN %s = ''
       THEN pg_catalog.pg_function_is_visible(p.oid) ELSE n.nspname = %s END
"""
_CATALOGS = ("pg_catalog", "information_schema", "pg_toast")
_RELATIONS = {
    *("OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"),
    *("OBJECT_INDEX", "OBJECT_SEQUENCE"),
}


def named(tree: Node) -> tuple[str, ...]:
    """Return the relations that a statement names, as it writes them; not those of its WITH."""
    own = {text(node, "ctename") for kind, node in each(tree) if kind == "common_table_expr"}
    found: dict[str, None] = {}
    for _, node in each(tree):
        name, schema = text(node, "relname"), text(node, "schemaname")
        if name and (schema or name not in own):
            found[".".join(quote(part) for part in (schema, name) if part)] = None
    kind, fields = opened(tree)
    if kind == "drop_stmt" and text(fields, "remove_type") in _RELATIONS:
        for item in children(fields, "objects"):
            parts = strings(children(opened(item)[1], "items"))
            found[".".join(map(quote, parts))] = None
    return tuple(found)


def called(tree: Node) -> tuple[tuple[str, str], ...]:
    """Return (schema or nothing, name) of the functions that a statement calls by name."""
    found: dict[tuple[str, str], None] = {}
    for kind, node in each(tree):
        if kind == "func_call":
            *schema, name = strings(children(node, "funcname")) or [""]
            found[(".".join(schema), name)] = None
    return tuple(found)


class Belonging:
    """Looks names up in the scratch database, with the search_path that a session had."""

    def __init__(self, connection: Connection, version_table: str, own: Sequence[str]) -> None:
        """``version_table`` and ``own`` are quoted and qualified. ``connection`` is in autocommit,
        and nobody else uses it. Raises psycopg.Error."""
        self._connection = connection
        self._path: tuple[str, ...] = ()
        self._known: dict[str, Owner] = {}
        found = {name: self._asked(name) for name in (version_table, *own)}
        self._version = found[version_table]
        self._own = {row[0] for row in found.values() if row is not None}

    def under(self, path: tuple[str, ...]) -> None:
        """Look names up as after these statements, which set the session's search_path."""
        if path == self._path:
            return
        self._path = path
        self._known.clear()
        self._connection.execute("RESET search_path")
        for statement in path:
            self._connection.execute(statement.encode())

    def of(self, name: str) -> Owner:
        """Return whose the relation of this name is; one that is not there is the application's,
        for the tool's own tables stay."""
        if name not in self._known:
            self._known[name] = self._owner(self._asked(name))
        return self._known[name]

    def owners(self, tree: Node) -> set[Owner]:
        """Return whose relations a statement names."""
        return {self.of(name) for name in named(tree)}

    def only_asks(self, function: tuple[str, str]) -> bool:
        """Whether the function is the server's own and does nothing: it is not volatile."""
        return self._function(function)[0]

    def answers_nothing(self, function: tuple[str, str]) -> bool:
        """Whether the function returns void, so that nobody can use its answer."""
        return self._function(function)[1]

    def _owner(self, row: tuple[int, str] | None) -> Owner:
        if row is None:
            return "application"
        if self._version is not None and row[0] == self._version[0]:
            return "version"
        if row[0] in self._own:
            return "own"
        return "catalog" if row[1] in _CATALOGS else "application"

    def _asked(self, name: str) -> tuple[int, str] | None:
        try:
            row = self._connection.execute(_RELATION, [name]).fetchone()
        except psycopg.errors.ProgrammingError:
            return None  # no name of a relation
        return None if row is None else (int(row[0]), str(row[1]))

    def _function(self, function: tuple[str, str]) -> tuple[bool, bool]:
        schema, name = function
        row = self._connection.execute(_FUNCTION, [name, schema, schema]).fetchone()
        return (bool(row[0]), bool(row[1])) if row else (False, False)
