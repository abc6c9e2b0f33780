"""ALTER TYPE … ATTRIBUTE: a composite type, and the tables that are made of it (``OF``)."""

from __future__ import annotations

from rollback_tui.core.model import Doomed
from rollback_tui.core.script.tree import Node, child, flag, quote, text
from rollback_tui.postgres.foresight.alter_settings import give, typed_tables
from rollback_tui.postgres.foresight.alter_work import AX, Work, leaves
from rollback_tui.postgres.foresight.catalog import Unsure
from rollback_tui.postgres.foresight.column_types import Typed


def attribute(work: Work, command: Node) -> None:
    """ADD, DROP or ALTER ATTRIBUTE, or OWNER TO; with CASCADE typed tables follow.

    Columns of the type in other tables keep their bytes: what is added reads as null, and what is
    dropped is no longer read. The server refuses to change the type of an attribute in use.
    """
    subtype = text(command, "subtype")
    if subtype == "AT_ChangeOwner":
        give(work.catalog, work, child(command, "newowner"))
        return
    definition = child(child(command, "def"), "column_def")
    name = text(command, "name") or text(definition, "colname")
    column = None if subtype == "AT_AddColumn" else work.column(name)
    if column is None and subtype != "AT_AddColumn":
        if flag(command, "missing_ok"):
            return
        raise Unsure(name)
    work.done()
    tables = typed_tables(work.catalog, work.table)
    work.locks.take_each(tables, AX)
    work.trail.change((t.oid for t in (work.table, *tables)), [name])
    if subtype == "AT_DropColumn" and column is not None:
        _drop(work, name, column.number)
    elif subtype == "AT_AlterColumnType" and column is not None:
        new = work.types.of(child(definition, "type_name"))
        if work.types.rewritten(Typed(column.type, column.modifier), [new]):
            work.rewrite(tables)
            work.lose(None)


def _drop(work: Work, name: str, number: int) -> None:
    work.drops.append(("column", work.part(name)))
    work.drop_column(work.table, number)
    tables = typed_tables(work.catalog, work.table)
    for table in leaves(tables):
        work.doomed.append(Doomed(kind="column", relation=table.name, column=quote(name)))
        work.drop_column(table, work.known_column(name, table).number)
    used = work.catalog.cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE NOT a.attisdropped AND c.relkind IN ('r', 'm')"
        " AND a.atttypid IN (SELECT unnest(ARRAY[t.oid, t.typarray])"
        " FROM pg_type t WHERE t.typrelid = %s))",
        [work.table.oid],
    ).fetchone()
    work.lose(bool(tables) or bool(used and used[0]))
