"""What CREATE does to what is there already: the relations it locks and reads."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from rollback_tui.core.model import Effect
from rollback_tui.core.script.effects_drop import object_class
from rollback_tui.core.script.forecast import forecast, opaque
from rollback_tui.core.script.tree import (
    Node,
    child,
    children,
    dotted,
    each,
    enabled,
    flag,
    option,
    quote,
    relation,
    relations,
    strings,
    text,
)

_AX, _SUX, _SRX = "AccessExclusive", "ShareUpdateExclusive", "ShareRowExclusive"


def _create_table(node: Node) -> Effect:
    """The new table itself is nobody's yet; its foreign keys and parents are locked."""
    parents = relations(node, "inh_relations")
    partition = bool(child(node, "partbound"))
    locks = [(name, _AX if partition else _SUX) for name in parents]
    for kind, fields in each(children(node, "table_elts")):
        if kind == "constraint" and text(fields, "contype") == "CONSTR_FOREIGN":
            locks.append((relation(child(fields, "pktable")), _SRX))
        elif kind == "table_like_clause":
            locks.append((relation(child(fields, "relation")), "AccessShare"))
    name = relation(child(node, "relation"))
    return forecast("CREATE TABLE", [name], locks=locks)


def _create_index(node: Node) -> Effect:
    table = relation(child(node, "relation"))
    slow = flag(node, "concurrent")
    unique = " UNIQUE" if flag(node, "unique") else ""
    hazards = [] if slow else ["full_scan_under_lock"]
    effect = forecast(
        f"CREATE{unique} INDEX{' CONCURRENTLY' if slow else ''}",
        [table],
        locks=[(table, _SUX if slow else "Share")],
        transactional=not slow,
        hazards=[*hazards, *(["may_fail_on_data"] if unique else [])],
    )
    return msgspec.structs.replace(effect, creates=_index(node))


def _index(node: Node) -> tuple[tuple[str, str], ...]:
    """An index lies in the schema of its table, and only that can be named."""
    name = text(node, "idxname")
    schema = text(child(node, "relation"), "schemaname")
    return (("index", dotted([schema, name] if schema else [name])),) if name else ()


def _create_view(node: Node) -> Effect:
    name = relation(child(node, "view"))
    replaces = flag(node, "replace")
    return forecast(
        "CREATE OR REPLACE VIEW" if replaces else "CREATE VIEW",
        [name],
        locks=[(name, _AX)] if replaces else [],
    )


def _create_trigger(node: Node) -> Effect:
    table = relation(child(node, "relation"))
    return forecast("CREATE TRIGGER", [table], locks=[(table, _SRX)])


def _on_table(words: str, key: str) -> Callable[[Node], Effect]:
    def judge(node: Node) -> Effect:
        table = relation(child(node, key))
        return forecast(words, [table], locks=[(table, _AX)])

    return judge


def _create_function(node: Node) -> Effect:
    what = "PROCEDURE" if flag(node, "is_procedure") else "FUNCTION"
    replace = "OR REPLACE " if flag(node, "replace") else ""
    return forecast(f"CREATE {replace}{what}", [dotted(strings(children(node, "funcname")))])


def _create_statistics(node: Node) -> Effect:
    tables = relations(node, "relations")
    return forecast("CREATE STATISTICS", tables, locks=[(name, _SUX) for name in tables])


def _create_extension(node: Node) -> Effect:
    """The extension's own script runs, and nobody here knows what is in it."""
    return opaque("CREATE EXTENSION", [quote(text(node, "extname"))])


def _create_subscription(node: Node) -> Effect:
    """Makes a slot on the other server, unless told not to: then not in a transaction."""
    asked = option(node, "options", "create_slot") or option(node, "options", "connect")
    known = asked is not None and not enabled(asked)
    name = quote(text(node, "subname"))
    return forecast("CREATE SUBSCRIPTION", [name], transactional=known)


def _outside(words: str, key: str) -> Callable[[Node], Effect]:
    def judge(node: Node) -> Effect:
        return forecast(words, [quote(text(node, key))], transactional=False)

    return judge


def create_schema(node: Node) -> Effect:
    """CREATE SCHEMA without the statements that may be inside it."""
    name = text(node, "schemaname") or text(child(node, "authrole"), "rolename")
    return forecast("CREATE SCHEMA", [quote(name)])


def _define(node: Node) -> Effect:
    what = object_class(text(node, "kind")).upper()
    replace = "OR REPLACE " if flag(node, "replace") else ""
    return forecast(f"CREATE {replace}{what}", [dotted(strings(children(node, "defnames")))])


def _publication(words: str) -> Callable[[Node], Effect]:
    def judge(node: Node) -> Effect:
        tables = [
            relation(child(fields, "relation"))
            for kind, fields in each(children(node, "pubobjects"))
            if kind == "pubtable"
        ]
        name = quote(text(node, "pubname"))
        return forecast(words, [name], locks=[(table, _SUX) for table in tables])

    return judge


JUDGES: dict[str, Callable[[Node], Effect]] = {
    "create_stmt": _create_table,
    "define_stmt": _define,
    "create_publication_stmt": _publication("CREATE PUBLICATION"),
    "alter_publication_stmt": _publication("ALTER PUBLICATION"),
    "index_stmt": _create_index,
    "view_stmt": _create_view,
    "create_trig_stmt": _create_trigger,
    "rule_stmt": _on_table("CREATE RULE", "relation"),
    "create_policy_stmt": _on_table("CREATE POLICY", "table"),
    "alter_policy_stmt": _on_table("ALTER POLICY", "table"),
    "create_function_stmt": _create_function,
    "create_stats_stmt": _create_statistics,
    "create_extension_stmt": _create_extension,
    "create_subscription_stmt": _create_subscription,
    "createdb_stmt": _outside("CREATE DATABASE", "dbname"),
    "create_table_space_stmt": _outside("CREATE TABLESPACE", "tablespacename"),
    "drop_table_space_stmt": _outside("DROP TABLESPACE", "tablespacename"),
}
