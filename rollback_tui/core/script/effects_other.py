"""What the statements do that are neither CREATE, ALTER TABLE, DROP nor about rows."""

from __future__ import annotations

from collections.abc import Callable

from rollback_tui.core.lock_modes import MODES
from rollback_tui.core.model import Effect
from rollback_tui.core.script.effects_drop import object_class
from rollback_tui.core.script.forecast import forecast, opaque
from rollback_tui.core.script.tree import (
    Node,
    child,
    children,
    dotted,
    enabled,
    flag,
    named,
    opened,
    option,
    quote,
    relation,
    relations,
    strings,
    text,
)

_AX, _SUX, _SRX = "AccessExclusive", "ShareUpdateExclusive", "ShareRowExclusive"
_RELATIONS = frozenset(
    {"table", "view", "materialized view", "index", "sequence", "foreign table", "column"}
)


# --- statements that change nothing stored and lock no table ------------------------------------

_HARMLESS = {
    "create_enum_stmt": "CREATE TYPE",
    "composite_type_stmt": "CREATE TYPE",
    "create_range_stmt": "CREATE TYPE",
    "create_domain_stmt": "CREATE DOMAIN",
    "create_seq_stmt": "CREATE SEQUENCE",
    "create_event_trig_stmt": "CREATE EVENT TRIGGER",
    "create_cast_stmt": "CREATE CAST",
    "create_conversion_stmt": "CREATE CONVERSION",
    "create_op_class_stmt": "CREATE OPERATOR CLASS",
    "create_op_family_stmt": "CREATE OPERATOR FAMILY",
    "create_transform_stmt": "CREATE TRANSFORM",
    "create_fdw_stmt": "CREATE FOREIGN DATA WRAPPER",
    "create_foreign_server_stmt": "CREATE SERVER",
    "create_foreign_table_stmt": "CREATE FOREIGN TABLE",
    "create_user_mapping_stmt": "CREATE USER MAPPING",
    "variable_show_stmt": "SHOW",
    "notify_stmt": "NOTIFY",
    "listen_stmt": "LISTEN",
    "unlisten_stmt": "UNLISTEN",
    "constraints_set_stmt": "SET CONSTRAINTS",
    "deallocate_stmt": "DEALLOCATE",
    "prepare_stmt": "PREPARE",
    "close_portal_stmt": "CLOSE",
    "check_point_stmt": "CHECKPOINT",
    "drop_user_mapping_stmt": "DROP USER MAPPING",
    "alter_user_mapping_stmt": "ALTER USER MAPPING",
    "alter_foreign_server_stmt": "ALTER SERVER",
    "alter_fdw_stmt": "ALTER FOREIGN DATA WRAPPER",
    "alter_event_trig_stmt": "ALTER EVENT TRIGGER",
    "alter_collation_stmt": "ALTER COLLATION",
    "alter_operator_stmt": "ALTER OPERATOR",
    "alter_op_family_stmt": "ALTER OPERATOR FAMILY",
    "alter_type_stmt": "ALTER TYPE",
    "alter_tsdictionary_stmt": "ALTER TEXT SEARCH DICTIONARY",
    "alter_tsconfiguration_stmt": "ALTER TEXT SEARCH CONFIGURATION",
    "alter_database_set_stmt": "ALTER DATABASE SET",
    "alter_stats_stmt": "ALTER STATISTICS",
}
# Where the statements above keep the name of what they make or change.
_NAMES = ("type_name", "domainname", "defnames", "dict_name", "cfgname")


def harmless(kind: str, node: Node) -> Effect | None:
    """Return the effect of a statement that loses nothing, locks no table; None for others."""
    words = _HARMLESS.get(kind)
    if words is None:
        return None
    lists = [dotted(strings(children(node, key))) for key in _NAMES]
    ranges = [relation(child(node, key)) for key in ("sequence", "typevar")]
    return forecast(words, [*lists, *ranges])


PLAIN = frozenset(_HARMLESS)
"""Kinds of statements whose text tells everything: they change nothing stored, lock no relation."""


def title(kind: str) -> str:
    """Return words for a node's kind: ``alter_op_family_stmt`` → ``ALTER OP FAMILY``."""
    return kind.removesuffix("_stmt").replace("_", " ").upper()


# --- ALTER --------------------------------------------------------------------------------------


def _rename(node: Node) -> Effect:
    what = object_class(text(node, "rename_type"))
    table = relation(child(node, "relation"))
    if not table:
        name = named(child(node, "object")) or quote(text(node, "subname"))
        return forecast(f"ALTER {what.upper()} … RENAME", [name])
    # ALTER INDEX … RENAME has been light since PostgreSQL 12.
    mode = _SUX if what == "index" else _AX
    of = "" if what in _RELATIONS - {"column"} else f" {what.upper()}"
    words = "ALTER TABLE" if of else f"ALTER {what.upper()}"
    return forecast(
        f"{words} … RENAME{of}",
        [table],
        locks=[(table, mode)],
        if_exists=flag(node, "missing_ok"),
    )


def _set_schema(node: Node) -> Effect:
    what = object_class(text(node, "object_type")).upper()
    table = relation(child(node, "relation"))
    return forecast(
        f"ALTER {what} … SET SCHEMA",
        [table or named(child(node, "object"))],
        locks=[(table, _AX)],
        if_exists=flag(node, "missing_ok"),
    )


def _owner(node: Node) -> Effect:
    what = object_class(text(node, "object_type")).upper()
    name = named(child(node, "object"))
    return forecast(f"ALTER {what} … OWNER TO", [name], hazards=["changes_privileges"])


def _alter_enum(node: Node) -> Effect:
    name = dotted(strings(children(node, "type_name")))
    if text(node, "old_val"):
        return forecast("ALTER TYPE … RENAME VALUE", [name])
    return forecast("ALTER TYPE … ADD VALUE", [name], hazards=["new_value_unusable"])


def _alter_domain(node: Node) -> Effect:
    name = dotted(strings(children(node, "type_name")))
    subtype = text(node, "subtype")
    words = {
        "T": "DEFAULT",
        "N": "DROP NOT NULL",
        "O": "SET NOT NULL",
        "C": "ADD CONSTRAINT",
        "X": "DROP CONSTRAINT",
        "V": "VALIDATE CONSTRAINT",
    }.get(subtype, "")
    checked = subtype in ("O", "C", "V") and not flag(
        child(child(node, "def"), "constraint"), "skip_validation"
    )
    hazards = ["full_scan_under_lock", "may_fail_on_data", "blocks_writes"] if checked else []
    if subtype in ("X", "N"):
        hazards = ["drops_protection"]
    constraint = f"{name}.{quote(text(node, 'name'))}"
    # Its users are locked against writes while they are checked, and only the catalog knows them.
    return forecast(
        f"ALTER DOMAIN … {words}".rstrip(),
        [name],
        drops=[("constraint", constraint)] if subtype == "X" else [],
        hazards=hazards,
        locks_known=not checked,
    )


def _alter_sequence(node: Node) -> Effect:
    name = relation(child(node, "sequence"))
    # RESTART makes a new file for the sequence, and so is undone by ROLLBACK, unlike setval().
    restarts = option(node, "options", "restart") is not None
    return forecast(
        "ALTER SEQUENCE",
        [name],
        locks=[(name, _SRX)],
        rewrites=False,
        loses_data=None if restarts else False,
        if_exists=flag(node, "missing_ok"),
    )


def _alter_database(node: Node) -> Effect:
    moves = option(node, "options", "tablespace") is not None
    name = quote(text(node, "dbname"))
    return forecast("ALTER DATABASE", [name], transactional=not moves)


def _comment(node: Node) -> Effect:
    what = object_class(text(node, "objtype"))
    kind, fields = opened(child(node, "object"))
    parts = strings(children(fields, "items")) if kind == "list" else []
    within = what in ("column", "constraint", "trigger", "policy", "rule")
    table = dotted(parts[:-1] if within else parts)
    # A constraint, trigger, policy or rule is itself locked, its table only looked at.
    mode = _SUX if what in _RELATIONS else "AccessShare"
    locks = [(table, mode)] if within or what in _RELATIONS else []
    return forecast("COMMENT", [table or named(child(node, "object"))], locks=locks)


def _grant(node: Node) -> Effect:
    # PostgreSQL 18 takes AccessShare on the relation; 13 to 17 lock nothing.
    words = "GRANT" if flag(node, "is_grant") else "REVOKE"
    names = [named(item) for item in children(node, "objects")]
    return forecast(words, names, hazards=["changes_privileges"])


def _privileges(words: str) -> Callable[[Node], Effect]:
    return lambda _: forecast(words, hazards=["changes_privileges"])


# --- upkeep, session and the rest ---------------------------------------------------------------


def _vacuum(node: Node) -> Effect:
    names = [
        relation(child(child(item, "vacuum_relation"), "relation"))
        for item in children(node, "rels")
    ]
    if not flag(node, "is_vacuumcmd"):
        return forecast("ANALYZE", names, locks=[(name, _SUX) for name in names])
    full = enabled(option(node, "options", "full"))
    return forecast(
        "VACUUM FULL" if full else "VACUUM",
        names,
        locks=[(name, _AX if full else _SUX) for name in names],
        rewrites=full,
        transactional=False,
    )


def _reindex(node: Node) -> Effect:
    kind = text(node, "kind").removeprefix("REINDEX_OBJECT_")
    name = relation(child(node, "relation")) or quote(text(node, "name"))
    slow = enabled(option(node, "params", "concurrently"))
    single = kind in ("INDEX", "TABLE")
    mode = _SUX if slow else ("Share" if kind == "TABLE" else _AX)
    return forecast(
        f"REINDEX {kind}{' CONCURRENTLY' if slow else ''}",
        [name],
        locks=[(name, mode)] if single else [],
        # Of a partitioned table or index it cannot run in a transaction; the name does not tell.
        transactional=None if single and not slow else False,
        hazards=[] if slow else ["full_scan_under_lock"],
    )


def _cluster(node: Node) -> Effect:
    name = relation(child(node, "relation"))
    return forecast(
        "CLUSTER",
        [name],
        locks=[(name, _AX)],
        rewrites=True,
        transactional=None if name else False,
    )


def _refresh(node: Node) -> Effect:
    name = relation(child(node, "relation"))
    slow = flag(node, "concurrent")
    return forecast(
        f"REFRESH MATERIALIZED VIEW{' CONCURRENTLY' if slow else ''}",
        [name],
        locks=[(name, "Exclusive" if slow else _AX)],
        rewrites=not slow,
        hazards=["derived_data"],
    )


def _lock(node: Node) -> Effect:
    number = node.get("mode")
    known = isinstance(number, int) and 0 < number <= len(MODES)
    mode = MODES[number - 1] if known and isinstance(number, int) else _AX
    names = relations(node, "relations")
    return forecast("LOCK TABLE", names, locks=[(name, mode) for name in names])


def _set(node: Node) -> Effect:
    kind = text(node, "kind")
    words = "RESET" if "RESET" in kind else "SET"
    name = text(node, "name") or "ALL"
    return forecast(words, [name], session=[name], hazards=["changes_session"])


def _discard(node: Node) -> Effect:
    everything = text(node, "target") == "DISCARD_ALL"
    return forecast(
        "DISCARD", session=["ALL"], transactional=not everything, hazards=["changes_session"]
    )


def _transaction(node: Node) -> Effect:
    words = title(text(node, "kind").removeprefix("TRANS_STMT_").lower())
    return Effect(
        kind=words,
        transactional=False,
        basis="unknown",
        hazards=("cannot_forecast", "not_transactional"),
    )


def _call(node: Node) -> Effect:
    return opaque("CALL", [dotted(strings(children(child(node, "funccall"), "funcname")))])


JUDGES: dict[str, Callable[[Node], Effect]] = {
    "alter_system_stmt": lambda _: forecast("ALTER SYSTEM", transactional=False),
    "rename_stmt": _rename,
    "alter_object_schema_stmt": _set_schema,
    "alter_owner_stmt": _owner,
    "alter_enum_stmt": _alter_enum,
    "alter_domain_stmt": _alter_domain,
    "alter_seq_stmt": _alter_sequence,
    "alter_database_stmt": _alter_database,
    "alter_function_stmt": lambda node: forecast(
        "ALTER FUNCTION", [named({"object_with_args": child(node, "func")})]
    ),
    "comment_stmt": _comment,
    "grant_stmt": _grant,
    "grant_role_stmt": _privileges("GRANT ROLE"),
    "alter_default_privileges_stmt": _privileges("ALTER DEFAULT PRIVILEGES"),
    "create_role_stmt": _privileges("CREATE ROLE"),
    "alter_role_stmt": _privileges("ALTER ROLE"),
    "alter_role_set_stmt": _privileges("ALTER ROLE SET"),
    "drop_role_stmt": _privileges("DROP ROLE"),
    "reassign_owned_stmt": _privileges("REASSIGN OWNED"),
    "vacuum_stmt": _vacuum,
    "reindex_stmt": _reindex,
    "cluster_stmt": _cluster,
    "refresh_mat_view_stmt": _refresh,
    "lock_stmt": _lock,
    "variable_set_stmt": _set,
    "discard_stmt": _discard,
    "transaction_stmt": _transaction,
    "do_stmt": lambda _: opaque("DO"),
    "call_stmt": _call,
    "execute_stmt": lambda node: opaque("EXECUTE", [quote(text(node, "name"))]),
}
