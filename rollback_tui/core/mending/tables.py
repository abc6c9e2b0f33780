"""Tables and sequences: made, dropped, given their properties back."""

from __future__ import annotations

from collections.abc import Iterator

from rollback_tui.core.mending.actions import Action, Stage
from rollback_tui.core.mending.columns import (
    column_of,
    defined,
    properties,
    sequence_clauses,
    sequence_options,
)
from rollback_tui.core.mending.names import Named, named
from rollback_tui.core.mending.words import clauses, option_changes, options, setting
from rollback_tui.core.schema import Difference, SchemaSnapshot

_CLAUSES = (
    "foreign",
    "partitioned",
    "unlogged",
    "partition by",
    "partition of",
    "inherits",
    "of",
    "access method",
    "tablespace",
    "row level security enabled",
    "row level security forced",
    "replica identity",
    "with",
    "server",
    "options",
)


def mend_table(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes one table as it should be; its columns, when it is made or dropped, too."""
    table = named(difference.object)
    if difference.before is None:
        foreign = "foreign" in clauses(difference.after or "", _CLAUSES)
        yield Action(
            difference.object,
            Stage.DROP_TABLE,
            (f"DROP {'FOREIGN ' if foreign else ''}TABLE {table.name}",),
            "" if foreign else "its rows go for good",
            table.name,
            _references(table, found),
        )
    elif difference.after is None:
        yield from _made(difference, table, wanted)
    else:
        yield from _altered(
            difference,
            table,
            clauses(difference.before, _CLAUSES),
            clauses(difference.after, _CLAUSES),
        )


def _references(table: Named, snapshot: SchemaSnapshot) -> str:
    """What a table needs other tables and types for."""
    return "\n".join(
        definition
        for name, definition in snapshot.objects.items()
        if name == f"table {table.name}"
        or (name.startswith("column ") and named(name).table == table.name)
    )


def _made(difference: Difference, table: Named, wanted: SchemaSnapshot) -> Iterator[Action]:
    should = clauses(difference.before or "", _CLAUSES)
    if "options" in should:
        yield Action(
            difference.object, Stage.UNKNOWN, why="options of a foreign table are kept hashed"
        )
        return
    columns = [
        column
        for name in wanted.column_order.get(table.name) or _unordered(table, wanted)
        if (column := column_of(f"{table.name}.{_quoted(name, table, wanted)}", wanted))
    ]
    local = [c for c in columns if not c.inherited]
    if "partition of" in should:
        parent, _, bound = _partition(should["partition of"])
        inner = f" PARTITION OF {parent} {bound}"
    elif "of" in should:
        inner = f" OF {should['of']}"
    else:
        inner = f" ({', '.join(defined(c, wanted) for c in local)})"
    sql = (
        f"CREATE {'FOREIGN ' if 'foreign' in should else ''}"
        f"{'UNLOGGED ' if 'unlogged' in should else ''}TABLE {table.name}{inner}"
    )
    if "inherits" in should:
        sql += f" INHERITS ({should['inherits']})"
    if "partition by" in should:
        sql += f" PARTITION BY {should['partition by']}"
    if "server" in should:
        sql += f" SERVER {should['server']}"
    if "access method" in should:
        sql += f" USING {should['access method']}"
    if "with" in should:
        items = ", ".join(setting(n, v) for n, v in options(should["with"]).items())
        sql += f" WITH ({items})"
    if "tablespace" in should:
        sql += f" TABLESPACE {should['tablespace']}"
    after = [s for c in columns for s in properties(c, None)]
    yield Action(
        difference.object,
        Stage.CREATE_TABLE,
        (sql, *after),
        ""
        if "foreign" in should
        else "its rows are gone: only a checkpoint or an archive has them",
        table.name,
        _references(table, wanted),
    )
    yield from _settings(difference, table, should, {})


def _unordered(table: Named, wanted: SchemaSnapshot) -> Iterator[str]:
    """Yield the columns of a table whose order is not known."""
    for name in wanted.objects:
        if name.startswith(f"column {table.name}."):
            yield name.removeprefix(f"column {table.name}.")


def _quoted(name: str, table: Named, wanted: SchemaSnapshot) -> str:
    """Return a column's name as the objects have it: the order may have it without quotes."""
    if f"column {table.name}.{name}" in wanted.objects:
        return name
    return '"' + name.replace('"', '""') + '"'


def _partition(text: str) -> tuple[str, str, str]:
    """``parent``, a blank, ``FOR VALUES …`` or ``DEFAULT``."""
    for word in (" FOR VALUES ", " DEFAULT"):
        place = text.find(word)
        if place >= 0:
            return text[:place], " ", text[place + 1 :]
    return text, " ", ""


def _altered(
    difference: Difference, table: Named, should: dict[str, str], is_: dict[str, str]
) -> Iterator[Action]:
    alter = f"ALTER TABLE {table.name}"
    for kind in ("foreign", "partitioned", "partition by", "of", "server", "options"):
        if should.get(kind) != is_.get(kind):
            yield Action(
                difference.object,
                Stage.UNKNOWN,
                why=f"{kind}: such a table must be made anew, and its rows copied",
            )
            return
    sql: list[str] = []
    whys: list[str] = []
    if ("unlogged" in should) != ("unlogged" in is_):
        sql.append(f"{alter} SET {'UNLOGGED' if 'unlogged' in should else 'LOGGED'}")
        whys.append("writes the table anew under ACCESS EXCLUSIVE")
    sql += _family(table, should, is_)
    if should.get("access method") != is_.get("access method"):
        sql.append(f"{alter} SET ACCESS METHOD {should.get('access method', 'heap')}")
        whys.append("writes the table anew; PostgreSQL 15 or newer")
    if should.get("tablespace") != is_.get("tablespace"):
        sql.append(f"{alter} SET TABLESPACE {should.get('tablespace', 'pg_default')}")
        whys.append("copies the table under ACCESS EXCLUSIVE")
    sql += option_changes(alter, should.get("with", ""), is_.get("with", ""))
    if sql:
        yield Action(difference.object, Stage.ALTER_TABLE, tuple(sql), "; ".join(whys))
    yield from _settings(difference, table, should, is_)


def _family(table: Named, should: dict[str, str], is_: dict[str, str]) -> Iterator[str]:
    """Parents that are no longer, or should be again."""
    if should.get("partition of") != is_.get("partition of"):
        if "partition of" in is_:
            yield f"ALTER TABLE {_partition(is_['partition of'])[0]} DETACH PARTITION {table.name}"
        if "partition of" in should:
            parent, _, bound = _partition(should["partition of"])
            yield f"ALTER TABLE {parent} ATTACH PARTITION {table.name} {bound}"
    wanted_parents = [p for p in should.get("inherits", "").split(", ") if p]
    parents = [p for p in is_.get("inherits", "").split(", ") if p]
    for parent in parents:
        if parent not in wanted_parents:
            yield f"ALTER TABLE {table.name} NO INHERIT {parent}"
    for parent in wanted_parents:
        if parent not in parents:
            yield f"ALTER TABLE {table.name} INHERIT {parent}"


def _settings(
    difference: Difference, table: Named, should: dict[str, str], is_: dict[str, str]
) -> Iterator[Action]:
    """What needs the table's indexes and policies: comes last."""
    alter = f"ALTER TABLE {table.name}"
    sql: list[str] = []
    for clause, on, off in (
        ("row level security enabled", "ENABLE ROW LEVEL SECURITY", "DISABLE ROW LEVEL SECURITY"),
        ("row level security forced", "FORCE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY"),
    ):
        if (clause in should) != (clause in is_):
            sql.append(f"{alter} {on if clause in should else off}")
    if should.get("replica identity") != is_.get("replica identity"):
        how = should.get("replica identity", "default")
        what, _, index = how.rpartition(" ")
        bare = index.rpartition(".")[2]
        sql.append(
            f"{alter} REPLICA IDENTITY "
            + (f"USING INDEX {bare}" if what == "using index" else how.upper())
        )
    if sql:
        yield Action(difference.object, Stage.SETTINGS, tuple(sql))


def mend_sequence(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes one sequence as it should be; those of identity columns come and go with
    the column."""
    name = named(difference.object).name
    should = sequence_clauses(difference.before or "")
    is_ = sequence_clauses(difference.after or "")
    if difference.before is None:
        owner = is_.get("identity of") or is_.get("owned by")
        if owner and f"column {owner}" not in wanted.objects:
            return  # it goes with its column
        if "identity of" not in is_:
            yield Action(
                difference.object, Stage.DROP_SEQUENCE, (f"DROP SEQUENCE {name}",), "", name
            )
        return
    if "identity of" in should and "identity of" not in is_:
        return  # made with its column
    numbers = sequence_options(should)
    kind = "" if should.get("as") == is_.get("as") and difference.after else f" AS {should['as']}"
    if difference.after is None:
        unlogged = "UNLOGGED " if "unlogged" in should else ""
        yield Action(
            difference.object,
            Stage.CREATE_SEQUENCE,
            (f"CREATE {unlogged}SEQUENCE {name}{kind} {numbers}",),
            "it begins anew: set it behind the highest number that was given out (setval)",
            name,
        )
    elif numbers != sequence_options(is_) or kind:
        yield Action(
            difference.object,
            Stage.ALTER_TABLE,
            (f"ALTER SEQUENCE {name}{kind} {numbers}",),
        )
    if should.get("owned by") != is_.get("owned by"):
        owner = should.get("owned by", "NONE")
        # Only between a sequence and a table of the same owner: after both have theirs.
        yield Action(
            difference.object, Stage.COMMENTS, (f"ALTER SEQUENCE {name} OWNED BY {owner}",)
        )
    if found.objects.get(difference.object) and ("unlogged" in should) != ("unlogged" in is_):
        logged = "UNLOGGED" if "unlogged" in should else "LOGGED"
        yield Action(difference.object, Stage.ALTER_TABLE, (f"ALTER SEQUENCE {name} SET {logged}",))
