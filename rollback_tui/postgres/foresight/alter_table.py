"""ALTER TABLE resolved against the catalog: every command, and what they do together.

ALTER INDEX, VIEW, MATERIALIZED VIEW, SEQUENCE, FOREIGN TABLE and composite TYPE have the same
tree. Lock modes are those of ``AlterTableGetLockLevel``; the forecast from the text has them, and
the strongest one of the statement holds for the table and for all that it recurses to.
"""

from __future__ import annotations

from collections.abc import Callable

from rollback_tui.core.lock_modes import strongest
from rollback_tui.core.model import Effect
from rollback_tui.core.script.tree import Node, child, children, flag, relation, text
from rollback_tui.postgres.foresight import (
    alter_columns,
    alter_constraints,
    alter_partitions,
    alter_settings,
)
from rollback_tui.postgres.foresight.alter_attributes import attribute
from rollback_tui.postgres.foresight.alter_trail import trail_of
from rollback_tui.postgres.foresight.alter_types import alter_type
from rollback_tui.postgres.foresight.alter_work import STORED, Work
from rollback_tui.postgres.foresight.answer import nothing, resolved
from rollback_tui.postgres.foresight.catalog import Catalog, Relation, Unsure
from rollback_tui.postgres.foresight.unseen import code_of

_TOLD_BY_TEXT = frozenset({"may_fail_on_data", "narrows_values"})
"""Hazards that the text alone must fear, and the catalog decides."""


def resolve(catalog: Catalog, effect: Effect, fields: Node) -> Effect:
    """Resolve one ALTER TABLE. Raises Unsure when the catalog of now does not tell."""
    name = relation(child(fields, "relation"))
    table = catalog.relation(name)
    if table is None:
        if flag(fields, "missing_ok"):
            return nothing(effect)
        raise Unsure(name)
    trail = trail_of(catalog)
    try:
        return _resolve(catalog, table, effect, fields)
    except Unsure:
        trail.lose_track([table.oid, *(t.oid for t in catalog.descendants_of(table.oid))])
        raise
    finally:
        trail.settle()


def _resolve(catalog: Catalog, table: Relation, effect: Effect, fields: Node) -> Effect:
    mode = strongest(lock.mode for lock in effect.locks if lock.relation == _named(fields))
    work = Work(catalog, table, mode, recurse=flag(child(fields, "relation"), "inh"))
    for command in _in_order(fields):
        subtype = text(command, "subtype")
        judge = attribute if table.kind == "c" else _JUDGES.get(subtype)
        if judge is None:
            raise Unsure(subtype)
        judge(work, command)
    collateral = work.follow(cascade=effect.cascade)
    rewrites = any(t.kind in STORED for t in work.rewritten.values())
    locks = work.locks.taken
    work.leave()
    kept = (h for h in effect.hazards if h not in _TOLD_BY_TEXT)
    unseen = _runs_unseen(work, fields)
    if unseen:
        work.hazards.add("cannot_forecast")
    return resolved(
        effect,
        objects=tuple(dict.fromkeys(work.objects)),
        locks=locks,
        rewrites=True if rewrites else None if work.unknown_rewrite else False,
        scans=True if work.scanned or rewrites else None if work.unknown_scan else False,
        loses_data=(work.loses or None) if unseen else work.loses,
        doomed=tuple(work.doomed),
        drops=tuple(work.drops),
        retyped=tuple(work.retyped),
        collateral=collateral,
        no_op=not work.effective,
        hazards=tuple(dict.fromkeys((*kept, *sorted(work.hazards)))) if work.effective else (),
    )


def _runs_unseen(work: Work, fields: Node) -> bool:
    """Whether rows are computed or checked by code of users: a default, USING, a rule, a domain."""
    code = code_of(work.catalog)
    if not (work.rewritten or work.unknown_rewrite or work.scanned or work.unknown_scan):
        return False
    return code.named(fields) or any(code.written(oid, inserted=False) for oid in work.rewritten)


def _named(fields: Node) -> str:
    return relation(child(fields, "relation"))


def _in_order(fields: Node) -> list[Node]:
    """Return the commands in the order of their passes: what is dropped goes first."""
    commands = [child(item, "alter_table_cmd") for item in children(fields, "cmds")]
    return sorted(commands, key=lambda c: _PASSES.get(text(c, "subtype"), 3))


_PASSES = {"AT_DropColumn": 0, "AT_DropConstraint": 0, "AT_AlterColumnType": 1, "AT_AddColumn": 2}
"""``AlterTablePass`` in ``tablecmds.c``, as far as it matters here."""

Judge = Callable[[Work, Node], None]

_JUDGES: dict[str, Judge] = {
    "AT_AddColumn": alter_columns.add_column,
    "AT_DropColumn": alter_columns.drop_column,
    "AT_ColumnDefault": alter_columns.column_default,
    "AT_SetNotNull": alter_columns.set_not_null,
    "AT_DropNotNull": alter_columns.drop_not_null,
    "AT_AddIdentity": alter_columns.add_identity,
    "AT_SetIdentity": alter_columns.set_identity,
    "AT_DropIdentity": alter_columns.drop_identity,
    "AT_SetExpression": alter_columns.set_expression,
    "AT_DropExpression": alter_columns.drop_expression,
    "AT_SetStatistics": alter_columns.column_setting,
    "AT_SetOptions": alter_columns.column_setting,
    "AT_ResetOptions": alter_columns.column_setting,
    "AT_SetStorage": alter_columns.column_setting,
    "AT_SetCompression": alter_columns.column_setting,
    "AT_AlterColumnType": alter_type,
    "AT_AddConstraint": alter_constraints.add_constraint,
    "AT_DropConstraint": alter_constraints.drop_constraint,
    "AT_AlterConstraint": alter_constraints.alter_constraint,
    "AT_ValidateConstraint": alter_constraints.validate,
    "AT_ReplicaIdentity": alter_constraints.replica_identity,
    "AT_ClusterOn": alter_constraints.cluster_on,
    **dict.fromkeys(
        (
            *("AT_EnableTrig", "AT_EnableTrigAll", "AT_EnableTrigUser", "AT_EnableAlwaysTrig"),
            *("AT_EnableReplicaTrig", "AT_DisableTrig", "AT_DisableTrigAll", "AT_DisableTrigUser"),
        ),
        alter_constraints.trigger_state,
    ),
    "AT_ChangeOwner": alter_settings.owner,
    "AT_SetLogged": alter_settings.persistence,
    "AT_SetUnLogged": alter_settings.persistence,
    "AT_SetAccessMethod": alter_settings.access_method,
    "AT_SetTableSpace": alter_settings.tablespace,
    **dict.fromkeys(
        (
            *("AT_DropCluster", "AT_SetRelOptions", "AT_ResetRelOptions", "AT_GenericOptions"),
            *("AT_EnableRule", "AT_EnableAlwaysRule", "AT_EnableReplicaRule", "AT_DisableRule"),
            *("AT_EnableRowSecurity", "AT_DisableRowSecurity", "AT_ForceRowSecurity"),
            *("AT_NoForceRowSecurity", "AT_AlterColumnGenericOptions", "AT_AddOf", "AT_DropOf"),
            "AT_DropOids",
        ),
        alter_settings.plain,
    ),
    "AT_AttachPartition": alter_partitions.attach,
    "AT_DetachPartition": alter_partitions.detach,
    "AT_DetachPartitionFinalize": alter_partitions.finalize,
    "AT_AddInherit": alter_partitions.inherit,
    "AT_DropInherit": alter_partitions.inherit,
}
