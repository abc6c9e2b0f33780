"""Code of users that a statement runs without calling it: nobody can tell what it does.

Rules of domains, defaults, CHECK constraints, operators, casts, ``row.function``; and functions of
users that bear the name of one of PostgreSQL's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from rollback_tui.core.model import Effect
from rollback_tui.core.script.tree import Node, child, children, each, strings
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.foresight.catalog import Catalog, Unsure

_NAMES = {
    "func_call": ("call", "funcname"),
    "column_ref": ("field", "fields"),
    "a_indirection": ("field", "indirection"),
    "a_expr": ("operator", "name"),
    "type_name": ("type", "names"),
}
"""Kind of node → what its last word may name, and the field that has the words."""


_MAKES = {
    "create_domain_stmt": ("domainname",),
    "alter_domain_stmt": ("type_name",),
    "define_stmt": ("defnames",),
    "create_cast_stmt": (),
}
"""Statements that make something which runs code, and the fields with its name."""


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

    def calls(self, node: Node) -> bool:
        """Whether a statement runs code that may change the schema: of users, or of an extension,
        as far as the statement names it."""
        if self.named(node):
            return True
        return any(
            ("extension", words[-1]) in self._words
            for kind, fields in each({"statement": node})
            if kind == "func_call" and (words := strings(children(fields, "funcname")))
        )

    def note(self, catalog: Catalog, effect: Effect, kind: str, node: Node) -> None:
        """Take in what a statement makes, or has hung on tables, before the next one."""
        if kind == "create_function_stmt":
            name = strings(children(node, "funcname"))[-1:]
            self._words |= {(what, word) for word in name for what in ("call", "field")}
        elif not (self.named(node) or (kind in _MAKES and self._made_of(node))):
            return
        elif kind == "alter_table_stmt":
            self._hang(catalog, effect.objects)
        elif kind in _MAKES:
            words = [w for field in _MAKES[kind] for w in strings(children(node, field))[-1:]]
            words += strings(children(child(child(node, "targettype"), "type_name"), "names"))[-1:]
            self._words |= {(what, w) for w in words for what in ("operator", "type", "call")}

    def _made_of(self, node: Node) -> bool:
        """Whether CREATE OPERATOR, AGGREGATE or CAST names such a function as its own."""
        words = [
            name
            for _, fields in each({"statement": node})
            for field in ("names", "objname")
            for name in strings(children(fields, field))[-1:]
        ]
        return any(("call", word) in self._words for word in words)

    def _hang(self, catalog: Catalog, names: Sequence[str]) -> None:
        for name in names:
            try:
                found = catalog.relation(name)
            except Unsure:
                continue  # nor will a later statement find it
            tables = [found, *catalog.descendants_of(found.oid)] if found else []
            self._tables |= {(what, t.oid) for t in tables for what in ("insert", "write")}

    def written(self, table: int, *, inserted: bool) -> bool:
        """Whether a row that is inserted into or updated in a table sets some off."""
        return ("write", table) in self._tables or (inserted and ("insert", table) in self._tables)


_KNOWN: WeakKeyDictionary[Catalog, Code] = WeakKeyDictionary()


def code_of(catalog: Catalog) -> Code:
    """Return the users' code of the target that ``catalog`` is of; always the same object."""
    if catalog not in _KNOWN:
        _KNOWN[catalog] = Code(catalog)
    return _KNOWN[catalog]
