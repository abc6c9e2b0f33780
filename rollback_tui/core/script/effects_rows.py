"""What statements on rows do, and the functions they call: SELECT, INSERT, UPDATE, DELETE …"""

from __future__ import annotations

from rollback_tui.core.model import Doomed, Effect
from rollback_tui.core.script.effects_drop import version_table_hazard
from rollback_tui.core.script.forecast import forecast, merged, opaque
from rollback_tui.core.script.tree import (
    Node,
    child,
    children,
    enabled,
    flag,
    option,
    relation,
    strings,
    telling,
    text,
)

_WRITES = {
    "insert_stmt": "INSERT",
    "update_stmt": "UPDATE",
    "delete_stmt": "DELETE",
    "merge_stmt": "MERGE",
}
_TELLING = frozenset({*_WRITES, "common_table_expr", "range_var", "locking_clause", "func_call"})
# Built-in functions that change nothing outside the row they are computed for. Any other
# function may do anything, so that a statement that calls it cannot be forecast.
_PURE = frozenset(
    """abs age any_value array_agg array_append array_cat array_length array_position array_remove
    array_to_string avg bool_and bool_or btrim cardinality ceil ceiling char_length chr
    clock_timestamp concat concat_ws convert_from convert_to count current_database current_schema
    current_setting date_part date_trunc decode dense_rank encode every exp extract first_value
    floor format gen_random_uuid generate_series initcap json_agg json_array_elements
    json_build_array json_build_object json_object_agg jsonb_agg jsonb_array_elements
    jsonb_array_elements_text jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text
    jsonb_object_agg jsonb_object_keys jsonb_set jsonb_strip_nulls jsonb_typeof lag last_value lead
    left length localtime lower lpad ltrim make_date make_interval make_timestamp max md5 min mod
    now ntile num_nonnulls num_nulls octet_length overlay percentile_cont pg_column_size
    pg_get_expr pg_total_relation_size pg_typeof position pow power random rank regexp_match
    regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table repeat replace
    reverse right round row_number row_to_json row_number rpad rtrim sha256 sign split_part sqrt
    starts_with statement_timestamp strpos string_agg string_to_array substr substring sum timezone
    to_char to_date to_json to_jsonb to_number to_regclass to_timestamp to_tsvector
    transaction_timestamp translate trim trunc unnest upper uuidv4 uuidv7 version""".split()  # noqa: SIM905
)
_SEQUENCE = frozenset({"setval", "nextval"})


def rows(kind: str, node: Node) -> Effect:
    """SELECT, INSERT, UPDATE, DELETE or MERGE, with every write in its WITH, and its functions."""
    parts = [_write(kind, node)] if kind in _WRITES else []
    inside = telling(node, _TELLING)
    # Only WITH can hold further writes, but looking everywhere costs nothing.
    parts += [_write(inner, fields) for inner, fields in inside if inner in _WRITES]
    written = {part.objects[0] for part in parts if part.objects}
    readings = _read(kind, inside, written)
    title = _WRITES.get(kind, "SELECT")
    if kind == "select_stmt" and parts:
        title = f"SELECT (WITH {', '.join(dict.fromkeys(part.kind for part in parts))})"
    into = child(node, "into_clause")
    if into:
        title = "SELECT INTO"
        parts.append(forecast(title, [relation(child(into, "rel"))]))
    return merged(title, [*parts, readings, *_functions(inside)])


def _functions(inside: list[tuple[str, Node]]) -> list[Effect]:
    """Return the effects of the functions called anywhere in it that are not pure."""
    found: list[Effect] = []
    for kind, fields in inside:
        if kind != "func_call":
            continue
        parts = strings(children(fields, "funcname"))
        name = parts[-1] if parts else ""
        built_in = len(parts) == 1 or parts[0] == "pg_catalog"
        if built_in and name in _PURE:
            continue
        if built_in and name in _SEQUENCE:
            found.append(forecast(name, hazards=["not_rolled_back"]))
        elif built_in and name == "set_config":
            given = [child(child(i, "a_const"), "sval") for i in children(fields, "args")[:1]]
            setting = text(given[0], "sval") if given else ""
            found.append(forecast(name, session=[setting or "ALL"], hazards=["changes_session"]))
        else:
            found.append(opaque(name))
    return [_nameless(effect) for effect in found]


def _nameless(effect: Effect) -> Effect:
    # A function's transaction is its statement's: only a procedure could end it.
    return Effect(
        kind=effect.kind,
        rewrites=False,
        scans=effect.scans,
        loses_data=effect.loses_data,
        transactional=True,
        session=effect.session,
        hazards=effect.hazards,
        basis=effect.basis,
    )


def _write(kind: str, node: Node) -> Effect:
    name = relation(child(node, "relation"))
    loses = _loses(kind, node)
    hazards = version_table_hazard([name]) if kind == "delete_stmt" else []
    if kind in ("update_stmt", "delete_stmt") and not child(node, "where_clause"):
        hazards.append("every_row")
    return forecast(
        _WRITES[kind],
        [name],
        locks=[(name, "RowExclusive")],
        # Which way the planner takes to the rows it is to find is not in the text.
        scans=False if kind == "insert_stmt" else True if "every_row" in hazards else None,
        loses_data=loses,
        doomed=[Doomed(kind="rows", relation=name)] if loses else [],
        hazards=hazards,
    )


def _loses(kind: str, node: Node) -> bool:
    if kind == "insert_stmt":
        return text(child(node, "on_conflict_clause"), "action") == "ONCONFLICT_UPDATE"
    if kind == "merge_stmt":
        commands = {
            text(child(item, "merge_when_clause"), "command_type")
            for item in children(node, "merge_when_clauses")
        }
        return bool(commands & {"CMD_UPDATE", "CMD_DELETE"})
    return True


def _read(kind: str, inside: list[tuple[str, Node]], written: set[str]) -> Effect:
    """The relations that are only read, or locked row by row."""
    local = {text(fields, "ctename") for inner, fields in inside if inner == "common_table_expr"}
    names = [
        relation(fields)
        for inner, fields in inside
        if inner == "range_var"  # the targets of writes are in a field called "relation"
        and (text(fields, "schemaname") or text(fields, "relname") not in local)
    ]
    mode = "RowShare" if any(inner == "locking_clause" for inner, _ in inside) else "AccessShare"
    only = [name for name in dict.fromkeys(names) if name not in written]
    return forecast(
        "SELECT",
        only if kind == "select_stmt" and not written else [],
        locks=[(name, mode) for name in only],
        scans=None if only else False,
    )


def copy(node: Node) -> Effect:
    """COPY: rows in from, or out to, a file or a program of the server."""
    name = relation(child(node, "relation"))
    if flag(node, "is_program"):
        return opaque("COPY", [name])
    if flag(node, "is_from"):
        return forecast("COPY FROM", [name], locks=[(name, "RowExclusive")])
    parts = [forecast("COPY TO", [name], locks=[(name, "AccessShare")], scans=bool(name))]
    return merged("COPY TO", [*parts, *_query(child(node, "query"))])


def _query(node: Node) -> list[Effect]:
    return [
        rows(kind, fields)
        for kind, fields in node.items()
        if isinstance(fields, dict) and kind in (*_WRITES, "select_stmt")
    ]


def explain(node: Node) -> Effect:
    """EXPLAIN: does nothing by itself, but with ANALYZE all that its statement does."""
    inner = _query(child(node, "query"))
    if not enabled(option(node, "options", "analyze")):
        # Planning takes the locks of the statement all the same.
        locks = [(lock.relation, lock.mode) for effect in inner for lock in effect.locks]
        return forecast("EXPLAIN", locks=locks)
    return merged("EXPLAIN ANALYZE", inner) if inner else opaque("EXPLAIN ANALYZE")


def create_table_as(node: Node) -> Effect:
    """CREATE TABLE AS and CREATE MATERIALIZED VIEW: a query whose result is kept."""
    view = text(node, "objtype") == "OBJECT_MATVIEW"
    title = "CREATE MATERIALIZED VIEW" if view else "CREATE TABLE AS"
    name = relation(child(child(node, "into"), "rel"))
    query = _query(child(node, "query"))
    if not query:
        return opaque(title, [name])
    read = merged(title, query)
    made = forecast(title, [name], locks=[(lock.relation, lock.mode) for lock in read.locks])
    return merged(title, [made, _nameless(read)])
