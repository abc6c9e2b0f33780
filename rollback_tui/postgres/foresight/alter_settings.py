"""ALTER TABLE: owner, persistence, storage, options: what is the whole relation's."""

from __future__ import annotations

from rollback_tui.core.script.tree import Node, child, text
from rollback_tui.postgres.foresight.alter_work import AX, STORED, Work
from rollback_tui.postgres.foresight.catalog import Catalog, Relation, Unsure

_UNLOGGED = {"AT_SetLogged": "p", "AT_SetUnLogged": "u"}


def plain(work: Work, _: Node) -> None:
    """A command that changes the relation's own row, and touches nothing else."""
    work.done()


def persistence(work: Work, command: Node) -> None:
    """SET LOGGED and SET UNLOGGED: a new file, when it is not so already.

    Its indexes are written anew with it, and since PostgreSQL 15 the sequences it owns.
    """
    _again(work, "persistence")
    if work.table.persistence == _UNLOGGED[text(command, "subtype")]:
        return
    work.done()
    work.rewrite([work.table])
    if work.version >= 15:
        work.locks.take_each(work.catalog.sequences_of(work.table.oid), AX)


def _again(work: Work, what: str) -> None:
    """An earlier statement of the plan may have changed it already: then nobody knows.

    No column has such a name: a name cannot hold a NUL.
    """
    name = f"{what}\0"
    work.trail.ask(work.table.oid, name)
    work.trail.change([work.table.oid], [name])


def access_method(work: Work, command: Node) -> None:
    """SET ACCESS METHOD: a new file, when it is another one; DEFAULT since PostgreSQL 17."""
    row = work.catalog.cursor.execute(
        "SELECT oid FROM pg_am"
        " WHERE amname = coalesce(nullif(%s, ''), current_setting('default_table_access_method'))",
        [text(command, "name")],
    ).fetchone()
    if row is None:
        raise Unsure(text(command, "name"))
    _again(work, "method")
    if row[0] == work.table.method:
        return
    work.done()
    work.rewrite([work.table])


def tablespace(work: Work, command: Node) -> None:
    """SET TABLESPACE: the file is copied, when it lies elsewhere; indexes stay where they are."""
    row = work.catalog.cursor.execute(
        "SELECT s.oid, d.dattablespace FROM pg_tablespace s, pg_database d"
        " WHERE s.spcname = %s AND d.datname = current_database()",
        [text(command, "name")],
    ).fetchone()
    if row is None:
        raise Unsure(text(command, "name"))
    _again(work, "tablespace")
    if row[0] == (work.table.tablespace or row[1]):
        return
    work.done()
    if work.table.kind in STORED:
        work.rewritten[work.table.oid] = work.table


def owner(work: Work, command: Node) -> None:
    """OWNER TO: indexes and owned sequences change with the table."""
    give(work.catalog, work, child(command, "newowner"))


def give(catalog: Catalog, work: Work, role: Node) -> None:
    """Lock what changes its owner; nothing when it is the owner already. Raises Unsure."""
    row = catalog.cursor.execute(_ROLE[text(role, "roletype")], [text(role, "rolename")]).fetchone()
    if row is None:
        raise Unsure(text(role, "rolename"))
    _again(work, "owner")
    if row[0] == work.table.owner:
        return
    work.done()
    if work.table.kind in (*STORED, "p"):
        work.locks.take_indexes(work.table, AX)
    if work.table.kind in (*STORED, "p", "f"):
        work.locks.take_each(catalog.sequences_of(work.table.oid), AX)


_NAMED = "SELECT oid FROM pg_roles WHERE rolname = %s"
_ROLE = {
    "ROLESPEC_CSTRING": _NAMED,
    "ROLESPEC_CURRENT_USER": "SELECT oid FROM pg_roles WHERE rolname = current_user AND %s = ''",
    "ROLESPEC_CURRENT_ROLE": "SELECT oid FROM pg_roles WHERE rolname = current_user AND %s = ''",
    "ROLESPEC_SESSION_USER": "SELECT oid FROM pg_roles WHERE rolname = session_user AND %s = ''",
}


def typed_tables(catalog: Catalog, table: Relation) -> list[Relation]:
    """Return the tables that are OF a composite type."""
    return [r for r in catalog.all() if r.of_type and r.of_type == table.row_type]
