"""ALTER TABLE: columns made, dropped, their defaults, identities and NOT NULL.

Locks and rewrites are those of ``tablecmds.c``, measured on PostgreSQL 15, 16 and 18.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollback_tui.core.model import Doomed
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
from rollback_tui.postgres.foresight.alter_work import AX, SRX, STORED, Work, leaves
from rollback_tui.postgres.foresight.calls import functions_of
from rollback_tui.postgres.foresight.catalog import Column, Constraint, Relation, Unsure
from rollback_tui.postgres.foresight.proof import condition, not_null, proves

_SERIAL = frozenset({"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"})


# --- ADD COLUMN ---------------------------------------------------------------------------------


def add_column(work: Work, command: Node) -> None:
    """ADD COLUMN: every row is written anew when its value must be computed row by row."""
    definition = child(child(command, "def"), "column_def")
    name = text(definition, "colname")
    if flag(command, "missing_ok") and name not in work.dropped_columns and work.column(name):
        return
    work.done()
    tables = work.reach()
    work.trail.change((t.oid for t in tables), [name])
    constraints = [child(item, "constraint") for item in children(definition, "constraints")]
    kinds = {text(constraint, "contype") for constraint in constraints}
    if work.table.kind == "c":
        return
    fills = _fills(work, definition, constraints)
    if fills:
        work.rewrite(tables)
        _count(work, constraints)
    work.unknown_rewrite |= fills is None and bool(leaves(tables))
    _restrict(work, tables, constraints, kinds, filled=fills is not False)


def _fills(work: Work, definition: Node, constraints: list[Node]) -> bool | None:
    """Whether each row must be given a value of its own: ``ATExecAddColumn``."""
    names = strings(children(child(definition, "type_name"), "names"))
    if names[-1:] and names[-1] in _SERIAL:
        return True
    for constraint in constraints:
        kind = text(constraint, "contype")
        if kind == "CONSTR_IDENTITY":
            return True
        if kind == "CONSTR_GENERATED":
            # Virtual columns (PostgreSQL 18) store nothing.
            return text(constraint, "generated_kind") != "v"
    if work.types.constrained(work.type_of(definition).oid):
        return True
    for constraint in constraints:
        if text(constraint, "contype") == "CONSTR_DEFAULT":
            return functions_of(work.catalog).volatile(constraint)
    return False


def _count(work: Work, constraints: list[Node]) -> None:
    """A sequence that a default asks for its next value, once a row, is locked for it."""
    for constraint in constraints:
        for kind, fields in each(constraint):
            if kind != "func_call" or strings(children(fields, "funcname"))[-1:] != ["nextval"]:
                continue
            for _, constant in each(fields):
                name = text(child(constant, "sval"), "sval")
                found = work.catalog.relation(name) if name else None
                if found is not None:
                    work.locks.take(found, "RowExclusive")


def _restrict(
    work: Work,
    tables: tuple[Relation, ...],
    constraints: list[Node],
    kinds: set[str],
    *,
    filled: bool,
) -> None:
    """Constraints of the new column: rows are read for them, but not for a NULL everywhere."""
    given = filled or "CONSTR_DEFAULT" in kinds
    for constraint in constraints:
        kind = text(constraint, "contype")
        if kind == "CONSTR_FOREIGN":
            parent = work.catalog.known(relation(child(constraint, "pktable")))
            referred = work.partitions(parent)
            work.locks.take_each(referred, SRX)
            work.trail.grow(t.oid for t in referred)
            work.trail.lean((t.oid for t in referred), None)
            if given and not flag(constraint, "skip_validation"):
                work.compare(leaves(tables), referred)
                work.check(tables)
        elif kind == "CONSTR_CHECK":
            work.check(tables)
        elif kind in ("CONSTR_UNIQUE", "CONSTR_PRIMARY"):
            work.check(tables if work.table.kind == "p" else (work.table,))
        elif kind == "CONSTR_NOTNULL" and not given:
            work.check(tables)
    if kinds & {"CONSTR_UNIQUE", "CONSTR_PRIMARY", "CONSTR_FOREIGN", "CONSTR_CHECK"}:
        work.trail.grow(t.oid for t in tables)


# --- DROP COLUMN --------------------------------------------------------------------------------


def drop_column(work: Work, command: Node) -> None:
    """DROP COLUMN: heirs lose it too, unless it is also their own or another parent's."""
    name = text(command, "name")
    column = work.column(name)
    if column is None:
        if flag(command, "missing_ok"):
            return
        raise Unsure(name)
    work.done()
    work.dropped_columns.add(name)
    work.drops.append(("column", work.part(name)))
    if work.table.kind == "c":
        work.drop_column(work.table, column.number)
        return
    if column.generated != "v":
        work.lose(True)
        work.doomed.append(Doomed(kind="column", relation=work.table.name, column=quote(name)))
    for table in _losing(work, work.table, name, {}):
        work.trail.ask_free(table.oid, name)
        work.trail.change([table.oid], [name])
        work.drop_column(table, work.catalog.columns(table.oid)[name].number)


def _losing(work: Work, table: Relation, name: str, taken: dict[int, int]) -> list[Relation]:
    """Return the tables that lose the column; lock those whose catalog rows change with it.

    ``taken``: from how many of its parents a table lost it so far. The last one counts.
    """
    found = [table]
    for heir in work.catalog.children_of(table.oid):
        work.locks.take(heir, AX)
        column = work.column(name, heir)
        if column is None or not work.recurse:
            continue
        taken[heir.oid] = taken.get(heir.oid, 0) + 1
        if column.inherited == taken[heir.oid] and not column.is_local:
            found += _losing(work, heir, name, taken)
    return found


# --- NOT NULL -----------------------------------------------------------------------------------


def set_not_null(work: Work, command: Node) -> None:
    """SET NOT NULL: rows are read unless it is so already, or a valid CHECK proves it."""
    name = text(command, "name")
    column = work.known_column(name)
    set_already = is_not_null(work, work.table, column)
    if set_already and (work.version >= 18 or work.table.kind == "p"):
        # ATPrepSetNotNull() until 17: only heirs may still be without it, partitions never.
        return
    require(work, work.reach(), name)


def require(work: Work, tables: Iterable[Relation], name: str) -> None:
    """A column becomes NOT NULL in ``tables``; what has it already is left alone."""
    open_tables = []
    for table in tables:
        column = work.column(name, table)
        if column is not None and not is_not_null(work, table, column):
            open_tables.append(table)
    if not open_tables:
        return
    work.done()
    work.trail.change((t.oid for t in open_tables), [name])
    work.check([t for t in open_tables if not _proven(work, t, name)])


def is_not_null(work: Work, table: Relation, column: Column) -> bool:
    """Whether a column is NOT NULL, and not only for new rows (NOT VALID, PostgreSQL 18)."""
    if not column.not_null:
        return False
    found = not_null_constraint(work, table, column)
    return found is None or found.validated


def _proven(work: Work, table: Relation, name: str) -> bool:
    conditions = [
        condition(c.definition)
        for c in work.catalog.constraints(table.oid).values()
        if c.type == "c" and c.validated
    ]
    return proves(conditions, not_null(name))


def drop_not_null(work: Work, command: Node) -> None:
    """DROP NOT NULL: since PostgreSQL 18 a constraint is dropped, and heirs are reached by it."""
    name = text(command, "name")
    column = work.known_column(name)
    work.trail.change((t.oid for t in work.family()), [name])
    if work.version < 18:
        tables = work.reach()
        columns = [work.column(name, t) for t in work.below()]
        if column.not_null or any(c is not None and c.not_null for c in columns if tables):
            work.done()
        return
    if not column.not_null:
        return
    work.done()
    for table in _freed(work, work.table, name, {}):
        found = not_null_constraint(work, table, work.catalog.columns(table.oid)[name])
        if found is not None:
            work.drop_constraint(found.oid)


def _freed(work: Work, table: Relation, name: str, taken: dict[int, int]) -> list[Relation]:
    """Return the tables whose column may be null again (18); lock those that keep the rule."""
    found = [table]
    for heir in work.catalog.children_of(table.oid):
        work.locks.take(heir, AX)
        column = work.column(name, heir)
        own = not_null_constraint(work, heir, column) if column and work.recurse else None
        if own is None:
            continue
        taken[heir.oid] = taken.get(heir.oid, 0) + 1
        if own.inherited == taken[heir.oid] and not own.is_local:
            found += _freed(work, heir, name, taken)
    return found


def not_null_constraint(work: Work, table: Relation, column: Column) -> Constraint | None:
    """Return the constraint that keeps a column from being null (PostgreSQL 18)."""
    for constraint in work.catalog.constraints(table.oid).values():
        if constraint.type == "n" and constraint.columns == (column.number,):
            return constraint
    return None


# --- defaults, identities, expressions ----------------------------------------------------------


def column_default(work: Work, command: Node) -> None:
    """SET and DROP DEFAULT: partitions and heirs too."""
    column = work.known_column(text(command, "name"))
    if child(command, "def") or column.has_default:
        work.done()
    work.reach()


def add_identity(work: Work, command: Node) -> None:
    """ADD GENERATED … AS IDENTITY: partitions too since PostgreSQL 17."""
    work.known_column(text(command, "name"))
    work.done()
    _identity_family(work)


def set_identity(work: Work, command: Node) -> None:
    """SET GENERATED, RESTART …: the column's own sequence is altered with it."""
    column = work.known_column(text(command, "name"))
    work.done()
    work.locks.take_each(work.catalog.sequences_of(work.table.oid, column.number), SRX)
    items = children(child(child(command, "def"), "list"), "items")
    if any(text(child(item, "def_elem"), "defname") == "generated" for item in items):
        _identity_family(work)


def drop_identity(work: Work, command: Node) -> None:
    """DROP IDENTITY: the sequence goes, and its counter with it."""
    column = work.known_column(text(command, "name"))
    if not column.identity:
        return
    work.done()
    work.lose(True)
    sequences = work.catalog.sequences_of(work.table.oid, column.number)
    work.locks.take_each(sequences, AX)
    work.trail.change([work.table.oid], [column.name])
    _identity_family(work)
    work.gone += [sequence.oid for sequence in sequences]


def _identity_family(work: Work) -> None:
    if work.version >= 17 and work.table.kind == "p":
        work.reach()


def set_expression(work: Work, command: Node) -> None:
    """SET EXPRESSION (PostgreSQL 17): a stored column is computed anew, a virtual one is not."""
    name = text(command, "name")
    column = work.known_column(name)
    work.done()
    tables = work.reach()
    if column.generated != "v":
        work.rewrite(tables)


def drop_expression(work: Work, command: Node) -> None:
    """DROP EXPRESSION: the values stay, as an ordinary column's."""
    column = work.known_column(text(command, "name"))
    if column.generated:
        work.done()
    elif not flag(command, "missing_ok"):
        raise Unsure(column.name)
    work.reach()


# --- settings of columns ------------------------------------------------------------------------


def column_setting(work: Work, command: Node) -> None:
    """SET STATISTICS and SET STORAGE reach what is below; compression and options do not."""
    work.done()
    if text(command, "name") and text(command, "subtype") in ("AT_SetStatistics", "AT_SetStorage"):
        work.known_column(text(command, "name"))
        if work.table.kind in (*STORED, "p", "f"):
            work.reach()
