"""Code of users that a statement runs without calling it: nobody can tell what it does.

Rules of domains, defaults, CHECK constraints, operators, casts, ``row.function``; and functions of
users that bear the name of one of PostgreSQL's own.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from rollback_tui.core.script.tree import Node, children, each, strings
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.foresight.catalog import Catalog

_NAMES = {
    "func_call": ("call", "funcname"),
    "column_ref": ("field", "fields"),
    "a_indirection": ("field", "indirection"),
    "a_expr": ("operator", "name"),
    "type_name": ("type", "names"),
}
"""Kind of node → what its last word may name, and the field that has the words."""


class Code:
    """What of a database is users' code, read once."""

    def __init__(self, catalog: Catalog) -> None:
        """Read it. Raises psycopg.Error."""
        rows = catalog.cursor.execute(query("foresight_code").encode()).fetchall()
        self._words = {(what, word) for what, _, word in rows if word is not None}
        self._tables = {(what, table) for what, table, _ in rows if table is not None}

    def named(self, node: Node) -> bool:
        """Whether a word in a statement may set some off."""
        if not self._words:
            return False
        for kind, fields in each({"statement": node}):
            what, field = _NAMES.get(kind, ("", ""))
            words = strings(children(fields, field)) if what else []
            if words and (what, words[-1]) in self._words:
                return True
        return False

    def written(self, table: int, *, inserted: bool) -> bool:
        """Whether a row that is inserted into or updated in a table sets some off."""
        return ("write", table) in self._tables or (inserted and ("insert", table) in self._tables)


_KNOWN: WeakKeyDictionary[Catalog, Code] = WeakKeyDictionary()


def code_of(catalog: Catalog) -> Code:
    """Return the users' code of the target that ``catalog`` is of; always the same object."""
    if catalog not in _KNOWN:
        _KNOWN[catalog] = Code(catalog)
    return _KNOWN[catalog]
