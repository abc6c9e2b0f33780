"""What hangs on a table: constraints, indexes, statistics, triggers, rules, policies."""

from __future__ import annotations

from collections.abc import Iterator

from rollback_tui.core.mending.actions import Action, Stage
from rollback_tui.core.mending.columns import column_of
from rollback_tui.core.mending.names import Named, named
from rollback_tui.core.mending.words import clauses, note, noted, option_changes
from rollback_tui.core.schema import Difference, SchemaSnapshot

_FOREIGN = "FOREIGN KEY"
_WITH_PARENT = "it comes and goes with its parent's"


def mend_constraint(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes one constraint of a table or a domain as it should be."""
    key = named(difference.object)
    should, notes = noted(difference.before or "")
    is_, found_notes = noted(difference.after or "")
    domain = f"type {key.table}" in (found.objects.keys() | wanted.objects.keys())
    alter = f"ALTER {'DOMAIN' if domain else 'TABLE'} {key.table}"
    if "inherited" in (*notes, *found_notes) or _partition_index(notes, found_notes):
        yield Action(difference.object, Stage.UNKNOWN, why=_WITH_PARENT)
        return
    if difference.before is not None and should == is_:
        yield from _constraint_settings(difference, key, notes, found_notes)
        return
    if should and should == is_.removesuffix(" NOT VALID"):
        yield Action(
            difference.object,
            Stage.CREATE_CONSTRAINT,
            (f"{alter} VALIDATE CONSTRAINT {key.last}",),
            "reads every row; fails on one that breaks it",
        )
        return
    if is_ and _plain_not_null(is_, key, wanted):
        column = is_.split()[2]
        plain = f"{key.parts[1].strip(chr(34))}_{column.strip(chr(34))}_not_null"
        yield Action(
            difference.object,
            Stage.ALTER_TABLE,
            (f"{alter} RENAME CONSTRAINT {key.last} TO {_quoted(plain)}",),
        )
        return
    if is_:
        stage = Stage.DROP_FOREIGN_KEY if is_.startswith(_FOREIGN) else Stage.DROP_CONSTRAINT
        why = (
            "foreign keys that refer to it must be dropped before"
            if is_.startswith(("PRIMARY KEY", "UNIQUE"))
            else ""
        )
        yield Action(difference.object, stage, (f"{alter} DROP CONSTRAINT {key.last}",), why)
    if should:
        yield from _constraint_made(difference, key, alter, should, notes)


def _constraint_made(
    difference: Difference, key: Named, alter: str, should: str, notes: tuple[str, ...]
) -> Iterator[Action]:
    stage = Stage.CREATE_FOREIGN_KEY if should.startswith(_FOREIGN) else Stage.CREATE_CONSTRAINT
    why = "" if should.endswith("NOT VALID") else "reads every row; fails on one that breaks it"
    yield Action(difference.object, stage, (f"{alter} ADD CONSTRAINT {key.last} {should}",), why)
    yield from _constraint_settings(difference, key, notes, ())


def _constraint_settings(
    difference: Difference, key: Named, notes: tuple[str, ...], found_notes: tuple[str, ...]
) -> Iterator[Action]:
    index = f"{key.parts[0]}.{key.last}"
    yield from _index_settings(difference, index, key.table, notes, found_notes)


def _plain_not_null(definition: str, key: Named, wanted: SchemaSnapshot) -> bool:
    """Whether it is a NOT NULL (18+) that should be there under the server's own name."""
    words = definition.split()
    if words[:2] != ["NOT", "NULL"] or len(words) != 3:
        return False
    column = column_of(f"{key.table}.{words[2]}", wanted)
    return column is not None and column.not_null


def _quoted(name: str) -> str:
    plain = name.replace("_", "a").isalnum() and name == name.lower() and not name[0].isdigit()
    return name if plain else '"' + name.replace('"', '""') + '"'


def _partition_index(*all_notes: tuple[str, ...]) -> bool:
    return any(note(notes, "index partition of") is not None for notes in all_notes)


# --- indexes --------------------------------------------------------------------------------------


def mend_index(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes one index as it should be."""
    name = named(difference.object).name
    should, notes = noted(difference.before or "")
    is_, found_notes = noted(difference.after or "")
    parent = note(found_notes, "partition of") or note(notes, "partition of")
    table = _table_of(should or is_)
    new_table = f"table {table}" in wanted.objects and f"table {table}" not in found.objects
    if parent and (f"index {parent}" not in wanted.objects or not should or new_table):
        yield Action(difference.object, Stage.UNKNOWN, why=_WITH_PARENT)
        return
    on_view = f"materialised view {table}" in (wanted.objects.keys() | found.objects.keys())
    create = Stage.CREATE_ON_VIEW if on_view else Stage.CREATE_INDEX
    if should == is_:
        yield from _index_settings(difference, name, table, notes, found_notes)
        return
    if is_:
        yield Action(difference.object, Stage.DROP_INDEX, (f"DROP INDEX {name}",))
    if should:
        # Without ONLY the index of a partitioned table takes those of its partitions as its own.
        yield Action(
            difference.object,
            create,
            (should.replace(" ON ONLY ", " ON ", 1),),
            "blocks writes while it is built: outside a transaction CREATE INDEX CONCURRENTLY does"
            " not",
            name,
            "\n".join(_partitions(name, wanted)),
        )
        yield from _index_settings(difference, name, table, notes, ())


def _partitions(index: str, wanted: SchemaSnapshot) -> Iterator[str]:
    """Yield the indexes that are its partitions: it takes them as its own when they are there."""
    for name, definition in wanted.objects.items():
        if name.startswith("index ") and note(noted(definition)[1], "partition of") == index:
            yield named(name).name


def _index_settings(
    difference: Difference,
    index: str,
    table: str,
    notes: tuple[str, ...],
    found_notes: tuple[str, ...],
) -> Iterator[Action]:
    sql: list[str] = []
    if "invalid" in found_notes and "invalid" not in notes:
        sql.append(f"REINDEX INDEX {index}")
    if (space := note(notes, "tablespace")) != note(found_notes, "tablespace"):
        sql.append(f"ALTER INDEX {index} SET TABLESPACE {space or 'pg_default'}")
    sql += option_changes(
        f"ALTER INDEX {index}", note(notes, "with") or "", note(found_notes, "with") or ""
    )
    if ("clustered" in notes) != ("clustered" in found_notes):
        bare = index.rpartition(".")[2]
        sql.append(
            f"ALTER TABLE {table} CLUSTER ON {bare}"
            if "clustered" in notes
            else f"ALTER TABLE {table} SET WITHOUT CLUSTER"
        )
    figures = [n for n in notes if n.startswith("statistics of ") and n not in found_notes]
    for text in figures:
        column, _, target = text.removeprefix("statistics of ").partition(" ")
        sql.append(f"ALTER INDEX {index} ALTER COLUMN {column} SET STATISTICS {target}")
    for text in found_notes:
        column = text.removeprefix("statistics of ").partition(" ")[0]
        if text.startswith("statistics of ") and not any(
            n.startswith(f"statistics of {column} ") for n in notes
        ):
            sql.append(f"ALTER INDEX {index} ALTER COLUMN {column} SET STATISTICS -1")
    if sql:
        yield Action(difference.object, Stage.SETTINGS, tuple(sql))


def _table_of(definition: str) -> str:
    """Return the table of an index's definition, which the server writes qualified."""
    after = definition.partition(" ON ")[2].removeprefix("ONLY ")
    return after.partition(" USING ")[0]


def mend_statistics(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes one statistics object as it should be."""
    del wanted, found
    name = named(difference.object).name
    should, notes = noted(difference.before or "")
    is_, found_notes = noted(difference.after or "")
    if is_ and is_ != should:
        yield Action(difference.object, Stage.DROP_INDEX, (f"DROP STATISTICS {name}",))
    if should and is_ != should:
        yield Action(difference.object, Stage.CREATE_INDEX, (should,))
        found_notes = ()
    target, is_target = note(notes, "statistics"), note(found_notes, "statistics")
    if should and target != is_target:
        text = f"ALTER STATISTICS {name} SET STATISTICS {target or '-1'}"
        yield Action(difference.object, Stage.SETTINGS, (text,))


# --- triggers, rules, policies --------------------------------------------------------------------

_FIRES = {
    "disabled": "DISABLE",
    "enabled replica": "ENABLE REPLICA",
    "enabled always": "ENABLE ALWAYS",
}


def mend_trigger(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes one trigger or rule as it should be."""
    del wanted, found
    key = named(difference.object)
    kind = key.kind.upper()
    should, notes = noted(difference.before or "")
    is_, found_notes = noted(difference.after or "")
    if is_ and is_ != should:
        yield Action(
            difference.object, Stage.DROP_HANGING, (f"DROP {kind} {key.last} ON {key.table}",)
        )
    if should and is_ != should:
        yield Action(difference.object, Stage.CREATE_HANGING, (should,))
        found_notes = ()
    if should and notes != found_notes:
        how = _FIRES[notes[0]] if notes else "ENABLE"
        yield Action(
            difference.object,
            Stage.SETTINGS,
            (f"ALTER TABLE {key.table} {how} {kind} {key.last}",),
        )


def mend_internal_triggers(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what switches the triggers of foreign keys on again. All triggers of the table are, so
    those that should be off go off again."""
    table = named(difference.object).name
    if difference.before is not None:
        yield Action(
            difference.object,
            Stage.UNKNOWN,
            why="internal triggers are switched off only by DISABLE TRIGGER ALL, which leaves"
            " foreign keys unchecked: look why that was so",
        )
        return
    off: list[str] = []
    for name, definition in wanted.objects.items():
        key = named(name)
        if key.kind == "trigger" and key.table == table:
            _, notes = noted(definition)
            if notes and name in found.objects:
                off.append(f"ALTER TABLE {table} {_FIRES[notes[0]]} TRIGGER {key.last}")
    yield Action(
        difference.object,
        Stage.SETTINGS,
        (f"ALTER TABLE {table} ENABLE TRIGGER ALL", *off),
        "as a superuser; rows written meanwhile were not checked by the foreign keys",
    )


_POLICY = ("as", "for", "to", "using", "with check")


def mend_policy(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes one row-level security policy as it should be."""
    del wanted, found
    key = named(difference.object)
    if difference.after is not None:
        yield Action(
            difference.object, Stage.DROP_HANGING, (f"DROP POLICY {key.last} ON {key.table}",)
        )
    if difference.before is None:
        return
    should = clauses(difference.before, _POLICY)
    sql = f"CREATE POLICY {key.last} ON {key.table}"
    for clause in _POLICY:
        if clause in should:
            text = should[clause].upper() if clause in ("as", "for") else should[clause]
            sql += f" {clause.upper()} {text}"
    yield Action(difference.object, Stage.CREATE_HANGING, (sql,))
