"""RENAME and SET SCHEMA of relations, their columns and constraints; triggers, policies, rules."""

from __future__ import annotations

from rollback_tui.core.model import Effect
from rollback_tui.core.script.effects_drop import object_class
from rollback_tui.core.script.tree import Node, child, flag, relation, text
from rollback_tui.postgres.foresight.alter_settings import typed_tables
from rollback_tui.postgres.foresight.alter_trail import trail_of
from rollback_tui.postgres.foresight.answer import Locks, nothing, resolved
from rollback_tui.postgres.foresight.catalog import Catalog, Relation, Unsure

_AX, _SUX = "AccessExclusive", "ShareUpdateExclusive"


def rename(catalog: Catalog, effect: Effect, fields: Node) -> Effect:
    """Resolve ``ALTER … RENAME``. Raises Unsure."""
    name = relation(child(fields, "relation"))
    if not name:
        return _unlocked(effect, fields)
    table = catalog.relation(name)
    if table is None:
        return _missing(effect, fields)
    what = object_class(text(fields, "rename_type"))
    locks = Locks(catalog)
    locks.take(table, _mode(fields, table))
    if what in ("column", "attribute"):
        _column(catalog, locks, table, fields)
    elif what == "constraint":
        _constraint(catalog, locks, table, fields)
    elif what in ("trigger", "policy", "rule"):
        # The server still calls it by its old name when it goes with a column.
        trail_of(catalog).lean([table.oid], None)
    trail_of(catalog).settle()
    if what == "trigger" and table.kind == "p" and catalog.version >= 150000:
        # Since 15 the triggers that partitions have from it are renamed too.
        locks.take_each(catalog.descendants_of(table.oid), _AX)
    found = resolved(effect, objects=(table.name,), locks=locks.taken, rewrites=False, scans=False)
    if what not in ("column", "attribute", "constraint", "trigger", "policy", "rule"):
        catalog.renamed(table.oid, plain=text(fields, "newname"))
    elif what == "constraint":
        catalog.renamed(_index_of(catalog, table, fields), plain=text(fields, "newname"))
    return found


def set_schema(catalog: Catalog, effect: Effect, fields: Node) -> Effect:
    """Resolve ``ALTER … SET SCHEMA``: sequences that belong to the table move too.

    Raises Unsure.
    """
    name = relation(child(fields, "relation"))
    if not name:
        return _unlocked(effect, fields)
    table = catalog.relation(name)
    if table is None:
        return _missing(effect, fields)
    locks = Locks(catalog)
    locks.take(table, _AX)
    trail_of(catalog).ask_known(table.oid)
    schema = text(fields, "newschema")
    same = table.schema == schema
    sequences = () if same else catalog.sequences_of(table.oid)
    locks.take_each(sequences, _AX)
    found = resolved(
        effect,
        objects=(table.name,),
        locks=locks.taken,
        rewrites=False,
        scans=False,
        no_op=same,
    )
    indexes = (i.oid for i in catalog.indexes_of(table.oid))
    for oid in (table.oid, *indexes, *(s.oid for s in sequences)):
        catalog.renamed(oid, schema=schema)
    return found


def owner(_: Catalog, effect: Effect, fields: Node) -> Effect:
    """Resolve ``ALTER … OWNER TO`` of what is no relation: nothing is locked. Raises Unsure."""
    return _unlocked(effect, fields)


def _unlocked(effect: Effect, fields: Node) -> Effect:
    """A function, a type, a schema …: no relation is locked. Raises Unsure with IF EXISTS."""
    if flag(fields, "missing_ok"):
        raise Unsure(effect.kind)
    return resolved(effect, locks=(), rewrites=False, scans=False)


def _missing(effect: Effect, fields: Node) -> Effect:
    """IF EXISTS of what is not there does nothing; otherwise the statement would fail."""
    if not flag(fields, "missing_ok"):
        raise Unsure(effect.kind)
    return nothing(effect)


def _mode(fields: Node, table: Relation) -> str:
    """ALTER INDEX of an index is light since PostgreSQL 12; ALTER TABLE of one is not."""
    light = text(fields, "rename_type") == "OBJECT_INDEX" and table.kind in ("i", "I")
    return _SUX if light else _AX


def _recurses(fields: Node) -> bool:
    """Whether it is not said to be ONLY for this table."""
    return flag(child(fields, "relation"), "inh")


def _column(catalog: Catalog, locks: Locks, table: Relation, fields: Node) -> None:
    """A column is renamed in all that is below, and in the tables that are of the type."""
    name = text(fields, "subname")
    below: tuple[Relation, ...] = ()
    if _recurses(fields):
        below = catalog.descendants_of(table.oid)
    typed = tuple(typed_tables(catalog, table)) if table.kind == "c" else ()
    trail = trail_of(catalog)
    trail.ask(table.oid, name)
    if name not in catalog.columns(table.oid):
        raise Unsure(name)
    locks.take_each((*below, *typed), _AX)
    oids = [t.oid for t in (table, *below, *typed)]
    trail.change(oids, [name, text(fields, "newname")])
    if catalog.columns(table.oid)[name].generated:
        # The server still calls it by its old name when it goes with what it is computed from.
        trail.lean(oids, None)


def _index_of(catalog: Catalog, table: Relation, fields: Node) -> int:
    """Return the index that a constraint is kept by; 0 when it is kept by none."""
    found = catalog.constraints(table.oid).get(text(fields, "subname"))
    return found.index_oid if found is not None and found.type in ("p", "u", "x") else 0


def _constraint(catalog: Catalog, locks: Locks, table: Relation, fields: Node) -> None:
    """The index of a key has its name; a CHECK has one name in all that is below."""
    name = text(fields, "subname")
    trail = trail_of(catalog)
    trail.ask(table.oid, name)
    found = catalog.constraints(table.oid).get(name)
    if found is None:
        raise Unsure(name)
    if found.type in ("p", "u", "x"):
        locks.take(catalog.by_oid(found.index_oid), _SUX)
    elif found.type in ("c", "n") and not found.no_inherit and _recurses(fields):
        locks.take_each(catalog.descendants_of(table.oid), _AX)
    oids = [table.oid, *(t.oid for t in catalog.descendants_of(table.oid))]
    trail.change(oids, [name, text(fields, "newname")])
    # The server still calls it by its old name when it goes with a column or a key.
    if found.type == "f":
        trail.lean([found.parent], None)
    columns = catalog.columns(table.oid).values()
    trail.lean(oids, [c.name for c in columns if c.number in found.columns])
