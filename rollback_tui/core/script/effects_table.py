"""What ALTER TABLE does (and ALTER INDEX, VIEW, SEQUENCE, which share its tree).

Lock modes are those of ``AlterTableGetLockLevel`` in PostgreSQL's ``tablecmds.c``, measured on
15, 16 and 18; of several commands each takes its own, and the relation is held by the strongest.
"""

from __future__ import annotations

from collections.abc import Callable

from rollback_tui.core.model import Doomed, Effect
from rollback_tui.core.script.effects_drop import object_class, version_table_hazard
from rollback_tui.core.script.forecast import forecast, merged, opaque
from rollback_tui.core.script.tree import (
    Node,
    child,
    children,
    each,
    flag,
    quote,
    relation,
    strings,
    text,
)

_AX, _SUX, _SRX = "AccessExclusive", "ShareUpdateExclusive", "ShareRowExclusive"

# subtype → (words, lock mode, rewrites, loses data, hazards)
_Row = tuple[str, str, bool | None, bool | None, tuple[str, ...]]
_PROTECTION = ("drops_protection",)
_SIMPLE: dict[str, _Row] = {
    "AT_ColumnDefault": ("ALTER COLUMN DEFAULT", _AX, False, False, ()),
    "AT_DropNotNull": ("DROP NOT NULL", _AX, False, False, ()),
    "AT_SetNotNull": (
        "SET NOT NULL",
        _AX,
        False,
        False,
        ("full_scan_under_lock", "may_fail_on_data"),
    ),
    "AT_SetExpression": ("SET EXPRESSION", _AX, None, False, ("derived_data",)),
    "AT_DropExpression": ("DROP EXPRESSION", _AX, False, False, ()),
    "AT_SetStatistics": ("SET STATISTICS", _SUX, False, False, ()),
    "AT_SetOptions": ("SET COLUMN OPTIONS", _SUX, False, False, ()),
    "AT_ResetOptions": ("RESET COLUMN OPTIONS", _SUX, False, False, ()),
    "AT_SetStorage": ("SET STORAGE", _AX, False, False, ()),
    "AT_SetCompression": ("SET COMPRESSION", _AX, False, False, ()),
    "AT_ChangeOwner": ("OWNER TO", _AX, False, False, ("changes_privileges",)),
    "AT_ClusterOn": ("CLUSTER ON", _SUX, False, False, ()),
    "AT_DropCluster": ("SET WITHOUT CLUSTER", _SUX, False, False, ()),
    "AT_SetLogged": ("SET LOGGED", _AX, None, False, ()),
    "AT_SetUnLogged": ("SET UNLOGGED", _AX, None, False, ("lost_at_crash",)),
    "AT_SetAccessMethod": ("SET ACCESS METHOD", _AX, None, False, ()),
    "AT_SetTableSpace": ("SET TABLESPACE", _AX, None, False, ()),
    "AT_EnableTrig": ("ENABLE TRIGGER", _SRX, False, False, ()),
    "AT_EnableTrigAll": ("ENABLE TRIGGER", _SRX, False, False, ()),
    "AT_EnableTrigUser": ("ENABLE TRIGGER", _SRX, False, False, ()),
    "AT_EnableAlwaysTrig": ("ENABLE ALWAYS TRIGGER", _SRX, False, False, ()),
    "AT_EnableReplicaTrig": ("ENABLE REPLICA TRIGGER", _SRX, False, False, _PROTECTION),
    "AT_DisableTrig": ("DISABLE TRIGGER", _SRX, False, False, _PROTECTION),
    "AT_DisableTrigAll": ("DISABLE TRIGGER", _SRX, False, False, _PROTECTION),
    "AT_DisableTrigUser": ("DISABLE TRIGGER", _SRX, False, False, _PROTECTION),
    "AT_EnableRule": ("ENABLE RULE", _AX, False, False, ()),
    "AT_EnableAlwaysRule": ("ENABLE ALWAYS RULE", _AX, False, False, ()),
    "AT_EnableReplicaRule": ("ENABLE REPLICA RULE", _AX, False, False, _PROTECTION),
    "AT_DisableRule": ("DISABLE RULE", _AX, False, False, _PROTECTION),
    "AT_DropOids": ("SET WITHOUT OIDS", _AX, False, False, ()),
    "AT_AddOf": ("OF", _AX, False, False, ()),
    "AT_DropOf": ("NOT OF", _AX, False, False, ()),
    "AT_ReplicaIdentity": ("REPLICA IDENTITY", _AX, False, False, ()),
    "AT_EnableRowSecurity": ("ENABLE ROW LEVEL SECURITY", _AX, False, False, ()),
    "AT_DisableRowSecurity": ("DISABLE ROW LEVEL SECURITY", _AX, False, False, _PROTECTION),
    "AT_ForceRowSecurity": ("FORCE ROW LEVEL SECURITY", _AX, False, False, ()),
    "AT_NoForceRowSecurity": ("NO FORCE ROW LEVEL SECURITY", _AX, False, False, _PROTECTION),
    "AT_GenericOptions": ("OPTIONS", _AX, False, False, ()),
    "AT_AlterColumnGenericOptions": ("ALTER COLUMN OPTIONS", _AX, False, False, ()),
    "AT_AddIdentity": ("ADD IDENTITY", _AX, False, False, ()),
    "AT_SetIdentity": ("SET IDENTITY", _AX, False, False, ()),
    "AT_DropIdentity": ("DROP IDENTITY", _AX, False, True, ("drops_protection",)),
}

# Storage parameters whose change lets writers go on (``reloptions.c``).
_LIGHT_OPTIONS = ("autovacuum_", "vacuum_", "log_autovacuum_", "toast_tuple_target")
_LIGHT_NAMES = frozenset({"fillfactor", "parallel_workers", "n_distinct", "deduplicate_items"})
# pg_catalog types that are always built in; a domain, which the tree cannot tell from another
# type, may hold constraints and so rewrite the table.
_BUILT_IN = frozenset(
    """bool bytea cidr date float4 float8 inet int2 int4 int8 json jsonb macaddr money name oid
    point text timestamptz timetz tsquery tsvector uuid xml""".split()  # noqa: SIM905
)
_SERIAL = frozenset({"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"})
_VOLATILE = frozenset(
    {
        "random",
        "gen_random_uuid",
        "clock_timestamp",
        "nextval",
        "timeofday",
        "uuidv4",
        "uuidv7",
        "uuid_generate_v4",
    }
)
_STABLE = frozenset({"now", "transaction_timestamp", "statement_timestamp", "current_setting"})


def alter_table(node: Node) -> Effect:
    """ALTER TABLE, INDEX, VIEW, MATERIALIZED VIEW, SEQUENCE, FOREIGN TABLE or composite TYPE."""
    what = object_class(text(node, "objtype")).upper()
    table = relation(child(node, "relation"))
    parts = [
        _command(table, what, child(item, "alter_table_cmd")) for item in children(node, "cmds")
    ]
    words = list(dict.fromkeys(part.kind for part in parts))
    shown = ", ".join(words[:3]) + (" …" if len(words) > 3 else "")
    hazards = version_table_hazard([table]) if any(part.drops for part in parts) else []
    head = forecast("", [table], if_exists=flag(node, "missing_ok"), hazards=hazards)
    return merged(f"ALTER {what} … {shown}", [head, *parts])


def _command(table: str, what: str, command: Node) -> Effect:
    subtype = text(command, "subtype")
    if what == "TYPE":
        return _attribute(table, command)
    special = _SPECIAL.get(subtype)
    if special:
        return special(table, command)
    row = _SIMPLE.get(subtype)
    if row is None:
        return opaque(subtype.removeprefix("AT_"))
    words, mode, rewrites, loses, hazards = row
    # What is rewritten is read for it, and SET NOT NULL reads unless a CHECK proves it.
    scans = None if "full_scan_under_lock" in hazards else rewrites
    return forecast(
        words,
        locks=[(table, mode)],
        rewrites=rewrites,
        scans=scans,
        loses_data=loses,
        if_exists=flag(command, "missing_ok"),
        hazards=hazards,
    )


def _attribute(table: str, command: Node) -> Effect:
    """An attribute of a composite type: its values lie in the columns of other tables."""
    subtype = text(command, "subtype")
    adds = subtype == "AT_AddColumn"
    words = {"AT_AddColumn": "ADD", "AT_DropColumn": "DROP"}.get(subtype, "ALTER") + " ATTRIBUTE"
    return forecast(
        words,
        locks=[(table, _AX)],
        rewrites=None,
        loses_data=False if adds else None,
        drops=[("column", f"{table}.{quote(text(command, 'name'))}")]
        if subtype == "AT_DropColumn"
        else [],
        cascade=text(command, "behavior") == "DROP_CASCADE",
        if_exists=flag(command, "missing_ok"),
    )


def _drop_column(table: str, command: Node) -> Effect:
    column = quote(text(command, "name"))
    return forecast(
        "DROP COLUMN",
        locks=[(table, _AX)],
        loses_data=True,
        doomed=[Doomed(kind="column", relation=table, column=column)],
        drops=[("column", f"{table}.{column}")],
        cascade=text(command, "behavior") == "DROP_CASCADE",
        if_exists=flag(command, "missing_ok"),
    )


def _drop_constraint(table: str, command: Node) -> Effect:
    cascade = text(command, "behavior") == "DROP_CASCADE"
    return forecast(
        "DROP CONSTRAINT",
        locks=[(table, _AX)],
        drops=[("constraint", f"{table}.{quote(text(command, 'name'))}")],
        cascade=cascade,
        if_exists=flag(command, "missing_ok"),
        hazards=["drops_protection"],
    )


def _add_column(table: str, command: Node) -> Effect:
    column = child(child(command, "def"), "column_def")
    constraints = [child(item, "constraint") for item in children(column, "constraints")]
    kinds = {text(constraint, "contype") for constraint in constraints}
    locks = [(table, _AX)]
    hazards = []
    for constraint in constraints:
        if text(constraint, "contype") == "CONSTR_FOREIGN":
            locks.append((relation(child(constraint, "pktable")), _SRX))
    given = kinds & {"CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"}
    if kinds & {"CONSTR_CHECK", "CONSTR_UNIQUE", "CONSTR_PRIMARY"}:
        hazards.append("full_scan_under_lock")
    if "CONSTR_FOREIGN" in kinds and given:
        hazards += ["full_scan_under_lock", "may_fail_on_data"]
    if "CONSTR_NOTNULL" in kinds and not given:
        hazards += ["full_scan_under_lock", "may_fail_on_data"]
    fills = _fills(column, constraints)
    if fills and flag(command, "missing_ok"):
        fills = None  # IF NOT EXISTS: it may be there already
    return forecast(
        "ADD COLUMN",
        locks=locks,
        rewrites=fills,
        scans=fills,
        hazards=hazards,
    )


def _fills(column: Node, constraints: list[Node]) -> bool | None:
    """Whether every row is written anew: a value that differs from row to row must be stored."""
    parts = strings(children(child(column, "type_name"), "names"))
    if parts[-1:] and parts[-1] in _SERIAL:
        return True
    answer: bool | None = False
    if parts[:1] != ["pg_catalog"] and not (len(parts) == 1 and parts[0] in _BUILT_IN):
        answer = None
    for constraint in constraints:
        kind = text(constraint, "contype")
        if kind == "CONSTR_IDENTITY":
            return True
        if kind == "CONSTR_GENERATED":
            # Virtual columns (PostgreSQL 18) store nothing.
            return text(constraint, "generated_kind") != "v"
        if kind == "CONSTR_DEFAULT":
            called = _called(constraint)
            if called & _VOLATILE:
                return True
            if called - _STABLE:
                answer = None
    return answer


def _called(node: Node) -> set[str]:
    return {
        ".".join(strings(children(fields, "funcname"))).removeprefix("pg_catalog.")
        for kind, fields in each(node)
        if kind == "func_call"
    }


def _alter_type(table: str, command: Node) -> Effect:
    return forecast(
        "ALTER COLUMN TYPE",
        locks=[(table, _AX)],
        rewrites=None,
        scans=None,
        loses_data=None,
        retyped=[(table, quote(text(command, "name")))],
        hazards=["narrows_values", "may_fail_on_data"],
    )


def _add_constraint(table: str, command: Node) -> Effect:
    constraint = child(child(command, "def"), "constraint")
    kind = text(constraint, "contype")
    words = {
        "CONSTR_FOREIGN": "ADD FOREIGN KEY",
        "CONSTR_CHECK": "ADD CHECK",
        "CONSTR_UNIQUE": "ADD UNIQUE",
        "CONSTR_PRIMARY": "ADD PRIMARY KEY",
        "CONSTR_EXCLUSION": "ADD EXCLUDE",
        "CONSTR_NOTNULL": "ADD NOT NULL",
    }.get(kind, "ADD CONSTRAINT")
    unchecked = flag(constraint, "skip_validation") or bool(text(constraint, "indexname"))
    # A primary key made of an index still needs columns without nulls.
    nulls = kind == "CONSTR_PRIMARY" and unchecked
    hazards = [] if unchecked and not nulls else ["full_scan_under_lock", "may_fail_on_data"]
    locks = [(table, _AX)]
    if kind == "CONSTR_FOREIGN":
        locks = [(table, _SRX), (relation(child(constraint, "pktable")), _SRX)]
    return forecast(words, locks=locks, scans=None if nulls else False, hazards=hazards)


def _validate(table: str, _: Node) -> Effect:
    # One that is valid already is not looked at again.
    return forecast(
        "VALIDATE CONSTRAINT",
        locks=[(table, _SUX)],
        scans=None,
        hazards=["may_fail_on_data", "full_scan_under_lock"],
    )


def _alter_constraint(table: str, command: Node) -> Effect:
    definition = child(command, "def")
    change = child(definition, "atalter_constraint") or child(definition, "constraint")
    enforces = flag(change, "alter_enforceability")
    off = enforces and not flag(change, "is_enforced")
    # ENFORCED (PostgreSQL 18) reads the rows again; NOT ENFORCED lets any row in.
    return forecast(
        "ALTER CONSTRAINT",
        locks=[(table, _AX)],
        hazards=_PROTECTION
        if off
        else ("full_scan_under_lock", "may_fail_on_data")
        if enforces
        else (),
    )


def _options(table: str, command: Node) -> Effect:
    items = children(child(child(command, "def"), "list"), "items")
    names = [text(child(item, "def_elem"), "defname") for item in items]
    light = all(name in _LIGHT_NAMES or name.startswith(_LIGHT_OPTIONS) for name in names)
    words = "RESET" if text(command, "subtype") == "AT_ResetRelOptions" else "SET"
    return forecast(f"{words} ({', '.join(names)})", locks=[(table, _SUX if light else _AX)])


def _attach(table: str, command: Node) -> Effect:
    part = relation(child(child(child(command, "def"), "partition_cmd"), "name"))
    return forecast(
        "ATTACH PARTITION",
        [part],
        locks=[(table, _SUX), (part, _AX)],
        scans=None,
        hazards=["full_scan_under_lock", "may_fail_on_data"],
    )


def _detach(table: str, command: Node) -> Effect:
    cmd = child(child(command, "def"), "partition_cmd")
    part = relation(child(cmd, "name"))
    slow = flag(cmd, "concurrent")
    mode = _SUX if slow else _AX
    # The rows stay in the partition, but whoever reads the parent no longer sees them.
    return forecast(
        "DETACH PARTITION CONCURRENTLY" if slow else "DETACH PARTITION",
        [part],
        locks=[(table, mode), (part, _AX)],
        scans=None,  # tables that refer to the parent are read
        loses_data=None,
        transactional=not slow,
    )


def _finalize(table: str, command: Node) -> Effect:
    part = relation(child(child(child(command, "def"), "partition_cmd"), "name"))
    return forecast(
        "DETACH PARTITION FINALIZE",
        [part],
        locks=[(table, _SUX), (part, _AX)],
        transactional=None,
    )


def _inherit(table: str, command: Node) -> Effect:
    parent = relation(child(child(command, "def"), "range_var"))
    adds = text(command, "subtype") == "AT_AddInherit"
    return forecast(
        "INHERIT" if adds else "NO INHERIT",
        locks=[(table, _AX), (parent, _SUX if adds else "AccessShare")],
        loses_data=False if adds else None,
    )


_SPECIAL: dict[str, Callable[[str, Node], Effect]] = {
    "AT_DropColumn": _drop_column,
    "AT_DropConstraint": _drop_constraint,
    "AT_AddColumn": _add_column,
    "AT_AlterColumnType": _alter_type,
    "AT_AddConstraint": _add_constraint,
    "AT_AlterConstraint": _alter_constraint,
    "AT_ValidateConstraint": _validate,
    "AT_SetRelOptions": _options,
    "AT_ResetRelOptions": _options,
    "AT_AttachPartition": _attach,
    "AT_DetachPartition": _detach,
    "AT_DetachPartitionFinalize": _finalize,
    "AT_AddInherit": _inherit,
    "AT_DropInherit": _inherit,
}
