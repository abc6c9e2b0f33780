"""What a statement does, forecast from its parse tree alone.

What the text does not surely tell is ``None``, never a confident wrong answer. Locks are named
for the relations that the statement names; the catalog knows the rest (a table's indexes,
foreign-key parents, partitions, what CASCADE takes along).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rollback_tui.core.model import Effect
from rollback_tui.core.script import effects_create, effects_drop, effects_other, effects_rows
from rollback_tui.core.script.effects_table import alter_table
from rollback_tui.core.script.forecast import merged, opaque, unknown_effect
from rollback_tui.core.script.tree import Node, child, children, opened

__all__ = ["effect", "unknown_effect"]


def effect(tree: Mapping[str, object]) -> Effect:
    """Return the forecast for one statement.

    ``tree`` is its node, as protobuf's ``MessageToDict(…, preserving_proto_field_name=True)``
    writes it: ``{"drop_stmt": {…}}``. A kind of statement that is not known here gives an
    effect of which everything is unknown. Never raises.
    """
    kind, fields = opened(tree)
    if not kind:
        return unknown_effect()
    if kind in _ROWS:
        return effects_rows.rows(kind, fields)
    if kind == "declare_cursor_stmt":
        return merged("DECLARE", [effect(child(fields, "query"))])
    if kind == "create_schema_stmt":
        elements = [effect(item) for item in children(fields, "schema_elts")]
        return merged("CREATE SCHEMA", [effects_create.create_schema(fields), *elements])
    judge = _JUDGES.get(kind)
    if judge:
        return judge(fields)
    return effects_other.harmless(kind, fields) or opaque(effects_other.title(kind))


_ROWS = frozenset({"select_stmt", "insert_stmt", "update_stmt", "delete_stmt", "merge_stmt"})
_JUDGES: dict[str, Callable[[Node], Effect]] = {
    "alter_table_stmt": alter_table,
    "drop_stmt": effects_drop.drop,
    "truncate_stmt": effects_drop.truncate,
    "drop_owned_stmt": effects_drop.drop_owned,
    "dropdb_stmt": effects_drop.drop_database,
    "drop_subscription_stmt": effects_drop.drop_subscription,
    **effects_create.JUDGES,
    **effects_other.JUDGES,
    "copy_stmt": effects_rows.copy,
    "explain_stmt": effects_rows.explain,
    "create_table_as_stmt": effects_rows.create_table_as,
}
