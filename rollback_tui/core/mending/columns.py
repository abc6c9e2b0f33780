"""Columns: added, dropped, altered back."""

from __future__ import annotations

from collections.abc import Iterator

from rollback_tui.core.mending.actions import Action, Stage
from rollback_tui.core.mending.names import Named, mentions, named
from rollback_tui.core.mending.words import clauses, noted, option_changes
from rollback_tui.core.schema import Difference, SchemaSnapshot

_CLAUSES = (
    "collate",
    "not null",
    "identity always",
    "identity by default",
    "inherited",
    "storage",
    "compression",
    "statistics",
    "with",
    "options",
    "default",
    "generated always as",
)
_SEQUENCE = (
    "unlogged",
    "as",
    "start",
    "increment",
    "minvalue",
    "maxvalue",
    "cache",
    "cycle",
    "owned by",
    "identity of",
)


class Column:
    """One column as a snapshot describes it."""

    def __init__(self, name: str, definition: str) -> None:
        found = clauses(definition, _CLAUSES)
        self.named = Named("column", name)
        self.type = found.get("", "")
        self.collation = found.get("collate", "")
        self.not_null = "not null" in found
        self.identity = (
            "ALWAYS"
            if "identity always" in found
            else ("BY DEFAULT" if "identity by default" in found else "")
        )
        self.inherited = "inherited" in found
        self.default = found.get("default", "")
        self.generated = found.get("generated always as", "")
        self.storage = found.get("storage", "")
        self.compression = found.get("compression", "")
        self.statistics = found.get("statistics", "")
        self.options = found.get("with", "")
        self.foreign = found.get("options", "")

    @property
    def full_type(self) -> str:
        """The type with its collation."""
        return f"{self.type} COLLATE {self.collation}" if self.collation else self.type


def column_of(name: str, snapshot: SchemaSnapshot) -> Column | None:
    """Return the column ``public.t.c``; None when it is not there."""
    definition = snapshot.objects.get(f"column {name}")
    return None if definition is None else Column(name, definition)


def defined(column: Column, wanted: SchemaSnapshot, *, null: bool = False) -> str:
    """Return the column as CREATE TABLE and ADD COLUMN write it; ``null``: without its NOT NULL."""
    parts = [column.named.last, column.full_type]
    if column.default:
        parts.append(f"DEFAULT {column.default}")
    if column.generated:
        parts.append(f"GENERATED ALWAYS AS {column.generated.replace(' stored', ' STORED')}")
    if column.identity:
        parts.append(
            f"GENERATED {column.identity} AS IDENTITY{_identity_options(column.named.name, wanted)}"
        )
    if column.not_null and not null and not named_not_null(column, wanted):
        parts.append("NOT NULL")
    return " ".join(parts)


def named_not_null(column: Column, snapshot: SchemaSnapshot) -> str:
    """Return the NOT NULL constraint that bears a name of its own (18+); empty: there is none."""
    prefix = f"constraint {column.named.table}."
    for name, definition in snapshot.objects.items():
        if name.startswith(prefix):
            ddl, _ = noted(definition)
            if ddl in (f"NOT NULL {column.named.last}", f"NOT NULL {column.named.last} NO INHERIT"):
                return named(name).last
    return ""


def properties(column: Column, other: Column | None) -> Iterator[str]:
    """Yield what of a column is set apart from its definition, where ``other`` has it otherwise."""
    alter = f"ALTER TABLE {column.named.table} ALTER COLUMN {column.named.last}"
    if column.storage != (other.storage if other else ""):
        yield f"{alter} SET STORAGE {column.storage.upper() or 'DEFAULT'}"
    if column.compression != (other.compression if other else ""):
        yield f"{alter} SET COMPRESSION {column.compression or 'default'}"
    if column.statistics != (other.statistics if other else ""):
        yield f"{alter} SET STATISTICS {column.statistics or '-1'}"
    yield from option_changes(alter, column.options, other.options if other else "")


def mend_column(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes one column as it should be."""
    name = named(difference.object).name
    should, is_ = column_of(name, wanted), column_of(name, found)
    table = f"table {named(difference.object).table}"
    if table not in wanted.objects and table not in found.objects:
        yield from _of_view(difference, should or Column(name, ""), is_ or Column(name, ""))
    elif should is None and is_ is not None:
        yield _dropped(difference, is_)
    elif should is not None and is_ is None:
        yield _added(difference, should, wanted)
    elif should is not None and is_ is not None:
        yield from _altered(difference, should, is_, wanted, found)


def _of_view(difference: Difference, should: Column, is_: Column) -> Iterator[Action]:
    """A view's column has its type from the query; only its default and its like are its own."""
    sql = [*properties(should, is_)]
    if should.default != is_.default:
        how = f"SET DEFAULT {should.default}" if should.default else "DROP DEFAULT"
        sql.append(f"ALTER TABLE {should.named.table} ALTER COLUMN {should.named.last} {how}")
    yield Action(difference.object, Stage.SETTINGS, tuple(sql))


def _dropped(difference: Difference, column: Column) -> Action:
    if column.inherited:
        return Action(difference.object, Stage.UNKNOWN, why="it goes with its parent's column")
    return Action(
        difference.object,
        Stage.DROP_COLUMN,
        (f"ALTER TABLE {column.named.table} DROP COLUMN {column.named.last}",),
        "its values go for good, and so does every index and constraint on it",
    )


def _added(difference: Difference, column: Column, wanted: SchemaSnapshot) -> Action:
    table, name = column.named.table, column.named.last
    if column.inherited:
        return Action(difference.object, Stage.UNKNOWN, why="it comes with its parent's column")
    why = "its values are gone: only a checkpoint or an archive has them"
    late = column.not_null and not (column.default or column.generated or column.identity)
    sql = [f"ALTER TABLE {table} ADD COLUMN {defined(column, wanted, null=late)}"]
    if late and not named_not_null(column, wanted):
        sql.append(f"ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL")
        why += "; where there are rows, fill it before SET NOT NULL"
    return Action(
        difference.object,
        Stage.ALTER_COLUMN,
        (*sql, *properties(column, None)),
        why,
        text=column.type,
    )


def _altered(
    difference: Difference,
    should: Column,
    is_: Column,
    wanted: SchemaSnapshot,
    found: SchemaSnapshot,
) -> Iterator[Action]:
    alter = f"ALTER TABLE {should.named.table} ALTER COLUMN {should.named.last}"
    if should.inherited != is_.inherited:
        yield Action(
            difference.object,
            Stage.UNKNOWN,
            why="whether a column is inherited is settled by ALTER TABLE … INHERIT of its table",
        )
        return
    if should.foreign != is_.foreign:
        yield Action(
            difference.object, Stage.UNKNOWN, why="options of a foreign column are kept hashed"
        )
        return
    if should.generated != is_.generated:
        yield _regenerated(difference, should, is_, wanted)
        return
    sql: list[str] = []
    whys: list[str] = []
    if is_.identity and not should.identity:
        sql.append(f"{alter} DROP IDENTITY")
    retyped = should.full_type != is_.full_type
    if is_.default and (retyped or not should.default):
        sql.append(f"{alter} DROP DEFAULT")
    if retyped:
        sql.append(f"{alter} TYPE {should.full_type} USING {should.named.last}::{should.type}")
        whys.append(
            "every row is checked and may be written anew under ACCESS EXCLUSIVE; a value that does"
            " not fit makes it fail or is cut"
        )
        if users := _views_of(should.named.table, found):
            whys.append(f"drop {', '.join(users)} before and create them again after")
    if should.default and (should.default != is_.default or retyped):
        sql.append(f"{alter} SET DEFAULT {should.default}")
    if should.not_null != is_.not_null and not named_not_null(should, wanted):
        sql.append(f"{alter} {'SET' if should.not_null else 'DROP'} NOT NULL")
        if should.not_null:
            whys.append("fails while a row holds NULL there: fill those first")
    if should.identity and should.identity != is_.identity:
        sql.append(
            f"{alter} SET GENERATED {should.identity}"
            if is_.identity
            else f"{alter} ADD GENERATED {should.identity} AS IDENTITY"
            f"{_identity_options(should.named.name, wanted)}"
        )
    sql += properties(should, is_)
    yield Action(
        difference.object,
        Stage.ALTER_COLUMN,
        tuple(sql),
        "; ".join(whys),
        text=f"{should.type} {should.default}",
    )


def _regenerated(
    difference: Difference, should: Column, is_: Column, wanted: SchemaSnapshot
) -> Action:
    table, name = should.named.table, should.named.last
    if not should.generated and should.type == is_.type:
        sql = [f"ALTER TABLE {table} ALTER COLUMN {name} DROP EXPRESSION"]
        if should.default:
            sql.append(f"ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {should.default}")
        return Action(difference.object, Stage.ALTER_COLUMN, tuple(sql))
    return Action(
        difference.object,
        Stage.ALTER_COLUMN,
        (
            f"ALTER TABLE {table} DROP COLUMN {name}",
            f"ALTER TABLE {table} ADD COLUMN {defined(should, wanted)}",
            *properties(should, None),
        ),
        "the column is dropped and made again: its stored values are computed anew, and indexes on"
        " it must be made again",
    )


def _identity_options(name: str, wanted: SchemaSnapshot) -> str:
    for other, definition in wanted.objects.items():
        if other.startswith("sequence "):
            found = clauses(definition, _SEQUENCE)
            if found.get("identity of") == name:
                return f" (SEQUENCE NAME {named(other).name} {sequence_options(found)})"
    return ""


def sequence_options(found: dict[str, str]) -> str:
    """Return a sequence's numbers as DDL writes them."""
    return (
        f"START WITH {found['start']} INCREMENT BY {found['increment']}"
        f" MINVALUE {found['minvalue']} MAXVALUE {found['maxvalue']} CACHE {found['cache']}"
        + (" CYCLE" if "cycle" in found else " NO CYCLE")
    )


def sequence_clauses(definition: str) -> dict[str, str]:
    """Return a sequence's definition, taken apart."""
    return clauses(definition, _SEQUENCE)


def _views_of(table: str, found: SchemaSnapshot) -> list[str]:
    """Return the views and rules that may keep a column's type from being changed."""
    bare = table.rpartition(".")[2]
    return [
        name
        for name, definition in found.objects.items()
        if name.startswith(("view ", "materialised view ", "rule ", "policy "))
        and (mentions(definition, table) or mentions(definition, bare))
    ]
