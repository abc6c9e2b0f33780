"""ALTER TABLE: constraints made, dropped, changed and validated.

Locks are those of ``tablecmds.c``, measured on PostgreSQL 15, 16 and 18. Since 18 ADD CONSTRAINT
locks all that is below the table first, whatever the constraint is.
"""

from __future__ import annotations

from rollback_tui.core.script.tree import (
    Node,
    child,
    children,
    each,
    flag,
    relation,
    strings,
    text,
)
from rollback_tui.postgres.foresight.alter_columns import require
from rollback_tui.postgres.foresight.alter_work import AS, AX, RS, SRX, SUX, S, Work, leaves
from rollback_tui.postgres.foresight.catalog import Constraint, ForeignKey, Relation, Unsure

_KEYS = {"CONSTR_UNIQUE": "u", "CONSTR_PRIMARY": "p", "CONSTR_EXCLUSION": "x"}


# --- ADD ----------------------------------------------------------------------------------------


def add_constraint(work: Work, command: Node) -> None:
    """ADD CONSTRAINT of any kind."""
    constraint = child(child(command, "def"), "constraint")
    kind = text(constraint, "contype")
    below = work.below()
    if work.version >= 18:
        work.reach()
    if kind == "CONSTR_NOTNULL":
        _add_not_null(work, constraint)
        return
    work.done()
    if kind == "CONSTR_CHECK":
        _add_check(work, constraint)
    elif kind == "CONSTR_FOREIGN":
        _add_foreign_key(work, constraint)
    elif kind in _KEYS:
        _add_key(work, constraint, kind)
    else:
        raise Unsure(kind)
    tables = (work.table, *below)
    work.trail.change((t.oid for t in tables), [text(constraint, "conname")])
    if kind in _KEYS or kind == "CONSTR_FOREIGN":
        work.trail.grow(t.oid for t in tables)
    work.trail.lean((t.oid for t in tables), _named(constraint))


def _named(constraint: Node) -> list[str] | None:
    """Return the columns that a constraint is about; None when it does not say so plainly."""
    keys = ("keys", "fk_attrs", "including")
    named = [name for key in keys for name in strings(children(constraint, key))]
    references = (fields for kind, fields in each(constraint) if kind == "column_ref")
    named += [n for fields in references for n in strings(children(fields, "fields"))]
    return None if text(constraint, "indexname") or not named else named


def _add_check(work: Work, constraint: Node) -> None:
    own = flag(constraint, "is_no_inherit")
    tables = (work.table,) if own else work.reach()
    if not flag(constraint, "skip_validation"):
        work.check(tables)


def _add_not_null(work: Work, constraint: Node) -> None:
    """ADD NOT NULL column (PostgreSQL 18)."""
    names = strings(children(constraint, "keys"))
    if len(names) != 1:
        raise Unsure("NOT NULL")
    own = flag(constraint, "is_no_inherit")
    tables = (work.table,) if own else work.reach()
    if flag(constraint, "skip_validation"):
        work.done()
        work.trail.change((t.oid for t in tables), names)
    else:
        require(work, tables, names[0])
    if text(constraint, "conname"):
        work.done()


def _add_foreign_key(work: Work, constraint: Node) -> None:
    parent = work.catalog.known(relation(child(constraint, "pktable")))
    referred = work.partitions(parent)
    referring = work.partitions(work.table) if work.recurse else (work.table,)
    work.locks.take_each(referring, work.mode)
    work.locks.take_each(referred, SRX)
    work.trail.grow(t.oid for t in referred)
    work.trail.lean((t.oid for t in referred), None)
    if not flag(constraint, "skip_validation"):
        work.compare(leaves(referring), referred)
        work.check(referring)


def _add_key(work: Work, constraint: Node, kind: str) -> None:
    """PRIMARY KEY, UNIQUE and EXCLUDE: an index is built, or one that is there taken for it."""
    ready = text(constraint, "indexname")
    names = strings(children(constraint, "keys"))
    if ready:
        index = work.catalog.known(_beside(work.table, ready))
        renamed = text(constraint, "conname") not in ("", ready)
        work.locks.take(index, SUX if renamed else AS)
        if renamed:
            work.renamed[index.oid] = text(constraint, "conname")
        found = work.catalog.index(index.oid)
        by_number = {c.number: c.name for c in work.catalog.columns(work.table.oid).values()}
        names = [by_number[n] for n in found.columns if n in by_number] if found else []
    if kind == "CONSTR_PRIMARY":
        for name in names:
            _key_column(work, name)
    if ready:
        return
    tables = work.partitions(work.table) if work.recurse else (work.table,)
    if work.version < 18 and work.table.kind == "p":
        work.locks.take_each((t for t in tables if t is not work.table), S)
    work.check(tables)


def _key_column(work: Work, name: str) -> None:
    """A column of a primary key becomes NOT NULL; heirs are reached even when it is already."""
    column = work.column(name)
    if column is None:
        return  # made by the same statement
    if column.not_null and (work.table.kind == "p" or work.version >= 18):
        return
    require(work, work.reach(), name)


def _beside(table: Relation, index: str) -> str:
    """Return the name of an index, which is always in its table's schema."""
    return table._replace(plain=index).name


# --- DROP ---------------------------------------------------------------------------------------


def drop_constraint(work: Work, command: Node) -> None:
    """DROP CONSTRAINT: both tables of a foreign key, and those that refer to a dropped key."""
    name = text(command, "name")
    if work.table.kind == "p":
        # ATCheckPartitionsNotInUse() comes before anything is looked up.
        work.reach()
    constraint = work.constraint(name)
    if constraint is None:
        if flag(command, "missing_ok"):
            return
        raise Unsure(name)
    work.done()
    work.drops.append(("constraint", work.part(name)))
    if constraint.type in ("p", "u"):
        work.trail.ask_free(work.table.oid, None)
    for table in _freed(work, work.table, constraint, {}):
        work.trail.change([table.oid], [name])
        own = work.catalog.constraints(table.oid)[name]
        if own.type == "n":
            work.trail.change([table.oid], _columns(work, table, own))
        work.drop_constraint(own.oid)


def _freed(
    work: Work, table: Relation, constraint: Constraint, taken: dict[int, int]
) -> list[Relation]:
    """Return the tables whose constraint goes; lock those whose catalog rows change with it.

    The constraints of partitions that hang on a key go by their dependency instead.
    """
    found = [table]
    if constraint.type not in ("c", "n") or constraint.no_inherit:
        return found
    for heir in work.catalog.children_of(table.oid):
        work.locks.take(heir, AX)
        own = work.constraint(constraint.name, heir)
        if own is None or not work.recurse:
            continue
        taken[heir.oid] = taken.get(heir.oid, 0) + 1
        if own.inherited == taken[heir.oid] and not own.is_local:
            found += _freed(work, heir, own, taken)
    return found


def _columns(work: Work, table: Relation, constraint: Constraint) -> list[str]:
    columns = work.catalog.columns(table.oid).values()
    return [c.name for c in columns if c.number in constraint.columns]


# --- ALTER and VALIDATE -------------------------------------------------------------------------


def alter_constraint(work: Work, command: Node) -> None:
    """ALTER CONSTRAINT: deferrability; since PostgreSQL 18 also whether it is enforced."""
    change = child(child(command, "def"), "atalter_constraint") or child(
        child(command, "def"), "constraint"
    )
    name = text(change, "conname")
    constraint = work.constraint(name)
    if constraint is None:
        raise Unsure(name)
    work.done()
    enforces = flag(change, "alter_enforceability")
    for key in _keys_below(work, constraint.oid):
        referring, referred = work.refers(key)
        work.locks.take(referring, work.mode)
        if enforces and referred is not None and referring is not None:
            work.locks.take(referred, AX)
            if flag(change, "is_enforced"):
                work.compare(leaves([referring]), [referred])
                work.check([referring])
    if constraint.type == "n":
        work.reach()


def _keys_below(work: Work, oid: int) -> list[ForeignKey]:
    """Return a foreign key and those that partitions have from it."""
    found = [
        key
        for table in (work.table, *work.below())
        for key in work.catalog.foreign_keys_from(table.oid)
        if oid in (key.oid, key.inherited_from)
    ]
    deeper = [k for key in found if key.oid != oid for k in _keys_below(work, key.oid)]
    return list(dict.fromkeys([*found, *deeper]))


def validate(work: Work, command: Node) -> None:
    """VALIDATE CONSTRAINT: reads the rows; one that is valid already is left alone."""
    name = text(command, "name")
    constraint = work.constraint(name)
    if constraint is None:
        raise Unsure(name)
    if constraint.validated:
        return
    work.done()
    work.trail.change((t.oid for t in work.family()), [name])
    if constraint.type != "f":
        own = constraint.no_inherit
        work.check((work.table,) if own else work.reach())
        return
    for key in _keys_below(work, constraint.oid):
        referring, referred = work.refers(key)
        if referring is None or referred is None:
            raise Unsure(name)
        work.locks.take(referring, work.mode)
        work.locks.take(referred, RS)
        if not key.validated and referring.kind != "p":
            work.compare([referring], work.partitions(referred))
            work.check([referring])


# --- triggers, rules, row security, replica identity --------------------------------------------


def trigger_state(work: Work, command: Node) -> None:
    """ENABLE and DISABLE TRIGGER: row triggers of a partitioned table are its partitions' too."""
    work.done()
    name = text(command, "name")
    if work.table.kind != "p" or not work.recurse:
        return
    rows = work.catalog.cursor.execute(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = %s AND tgtype & 1 = 1"
        " AND (%s OR NOT tgisinternal)",
        [work.table.oid, text(command, "subtype").endswith("All")],
    ).fetchall()
    if any(not name or name == row[0] for row in rows):
        work.reach()


def use_index(mode: str, work: Work, name: str) -> None:
    """A command names an index of the table: it is locked too."""
    work.done()
    work.locks.take(work.catalog.known(_beside(work.table, name)), mode)


def replica_identity(work: Work, command: Node) -> None:
    """REPLICA IDENTITY USING INDEX locks the index against changes."""
    work.done()
    name = text(child(child(command, "def"), "replica_identity_stmt"), "name")
    if name:
        use_index(S, work, name)


def cluster_on(work: Work, command: Node) -> None:
    """CLUSTER ON: marks an index; nothing is moved."""
    use_index(SUX, work, text(command, "name"))
