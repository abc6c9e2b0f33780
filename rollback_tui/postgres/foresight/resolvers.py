"""Which function resolves which statement, by the kind of its node."""

from __future__ import annotations

from collections.abc import Callable

from rollback_tui.core.model import Effect
from rollback_tui.core.script.effects_other import PLAIN
from rollback_tui.core.script.tree import Node
from rollback_tui.postgres.foresight import (
    alter_names,
    alter_table,
    creates,
    drops,
    rows,
    upkeep,
)
from rollback_tui.postgres.foresight.catalog import Catalog

Resolver = Callable[[Catalog, Effect, Node], Effect]

_TOLD_BY_TEXT = (
    *PLAIN - {"create_seq_stmt", "create_foreign_table_stmt"},
    *("alter_enum_stmt", "alter_database_stmt", "alter_function_stmt", "alter_system_stmt"),
    *("grant_role_stmt", "alter_default_privileges_stmt", "create_role_stmt", "alter_role_stmt"),
    *("alter_role_set_stmt", "drop_role_stmt", "variable_set_stmt", "discard_stmt"),
    *("define_stmt", "createdb_stmt", "dropdb_stmt", "create_subscription_stmt"),
    *("create_table_space_stmt", "drop_table_space_stmt"),
)

RESOLVERS: dict[str, Resolver] = {
    **dict.fromkeys(_TOLD_BY_TEXT, upkeep.plain),
    "create_stmt": creates.table,
    "create_foreign_table_stmt": creates.table,
    "index_stmt": creates.index,
    "view_stmt": creates.view,
    "create_trig_stmt": creates.trigger,
    "rule_stmt": creates.on_table,
    "create_policy_stmt": creates.on_table,
    "alter_policy_stmt": creates.on_table,
    "create_stats_stmt": upkeep.as_named,
    "create_seq_stmt": creates.sequence,
    "alter_seq_stmt": creates.sequence,
    "create_extension_stmt": creates.extension,
    "create_schema_stmt": creates.schema,
    "create_publication_stmt": creates.publication,
    "alter_publication_stmt": creates.publication,
    "create_function_stmt": creates.function,
    "alter_domain_stmt": upkeep.alter_domain,
    "comment_stmt": upkeep.as_named,
    "grant_stmt": upkeep.grant,
    "vacuum_stmt": upkeep.vacuum,
    "reindex_stmt": upkeep.reindex,
    "cluster_stmt": upkeep.cluster,
    "refresh_mat_view_stmt": upkeep.refresh,
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
    "drop_subscription_stmt": drops.drop_subscription,
    "reassign_owned_stmt": drops.reassign_owned,
}
