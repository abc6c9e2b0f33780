"""Which function resolves which statement, by the kind of its node."""

from __future__ import annotations

from collections.abc import Callable

from rollback_tui.core.model import Effect
from rollback_tui.core.script.tree import Node
from rollback_tui.postgres.foresight import alter_names, alter_table, drops, rows
from rollback_tui.postgres.foresight.catalog import Catalog

Resolver = Callable[[Catalog, Effect, Node], Effect]

RESOLVERS: dict[str, Resolver] = {
    **{kind: rows.statement(kind) for kind in (*rows.WRITES, "select_stmt")},
    "create_table_as_stmt": rows.create_table_as,
    "explain_stmt": rows.explain,
    "prepare_stmt": rows.prepare,
    "lock_stmt": rows.lock,
    "copy_stmt": rows.copy,
    "alter_table_stmt": alter_table.resolve,
    "rename_stmt": alter_names.rename,
    "alter_object_schema_stmt": alter_names.set_schema,
    "alter_owner_stmt": alter_names.owner,
    "drop_stmt": drops.drop,
    "truncate_stmt": drops.truncate,
    "drop_owned_stmt": drops.drop_owned,
    "reassign_owned_stmt": drops.reassign_owned,
}
