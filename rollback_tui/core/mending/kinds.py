"""Types: enums, domains, composites, ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rollback_tui.core.mending.actions import Action, Stage
from rollback_tui.core.mending.columns import Column
from rollback_tui.core.mending.names import mentions, named
from rollback_tui.core.mending.words import clauses, strings
from rollback_tui.core.schema import Difference, SchemaSnapshot

_DOMAIN = ("domain", "collate", "not null", "default")


def mend_type(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes one type as it should be."""
    name = named(difference.object).name
    should, is_ = difference.before, difference.after
    if should is None:
        text = is_ or ""
        yield Action(
            difference.object,
            Stage.DROP_TYPE,
            (f"DROP {'DOMAIN' if text.startswith('domain ') else 'TYPE'} {name}",),
            "",
            name,
            text,
        )
    elif is_ is None:
        made = _made(name, should)
        yield Action(
            difference.object,
            Stage.CREATE_TYPE if made else Stage.UNKNOWN,
            (made,) if made else (),
            "" if made else "a base type is made by the extension or the C code that it belongs to",
            name,
            should,
        )
    elif should.startswith("enum") and is_.startswith("enum"):
        yield from _enum(difference, name, strings(should), strings(is_), wanted, found)
    elif should.startswith("domain ") and is_.startswith("domain "):
        yield from _domain(difference, name, should, is_)
    elif should.startswith("composite") and is_.startswith("composite"):
        yield from _composite(difference, name, should, is_)
    else:
        yield Action(
            difference.object,
            Stage.UNKNOWN,
            why="it cannot be altered so: make it anew under another name, change what uses it,"
            " then drop this one and rename the new one",
        )


def _made(name: str, definition: str) -> str:
    """Return the statement that makes a type; empty where none can be derived."""
    lines = definition.split("\n")
    if definition.startswith("enum"):
        return f"CREATE TYPE {name} AS ENUM ({definition.removeprefix('enum').strip()})"
    if definition.startswith("domain "):
        found = clauses(definition, _DOMAIN)
        return (
            f"CREATE DOMAIN {name} AS {found['domain']}"
            + (f" COLLATE {found['collate']}" if "collate" in found else "")
            + (f" DEFAULT {found['default']}" if "default" in found else "")
            + (" NOT NULL" if "not null" in found else "")
        )
    if definition.startswith("composite"):
        attributes = ", ".join(_attribute(line) for line in lines[1:])
        return f"CREATE TYPE {name} AS ({attributes})"
    if definition.startswith("range"):
        known = {
            "subtype": "SUBTYPE",
            "multirange": "MULTIRANGE_TYPE_NAME",
            "subtype_opclass": "SUBTYPE_OPCLASS",
            "collation": "COLLATION",
            "subtype_diff": "SUBTYPE_DIFF",
        }
        found = clauses(definition, [*known, "canonical"])
        if "canonical" in found:
            return ""
        items = [f"{word} = {found[key]}" for key, word in known.items() if key in found]
        return f"CREATE TYPE {name} AS RANGE ({', '.join(items)})"
    if definition == "shell":
        return f"CREATE TYPE {name}"
    return ""


def _attribute(line: str) -> str:
    name, kind, collation = _split_attribute(line)
    return f"{name} {kind}" + (f" COLLATE {collation}" if collation else "")


def _split_attribute(line: str) -> tuple[str, str, str]:
    """Return name, type and collation of a line of a composite type."""
    if line.startswith('"'):
        end = line.find('" ')
        while line[end - 1 : end + 1] == '""':
            end = line.find('" ', end + 1)
        name, rest = line[: end + 1], line[end + 2 :]
    else:
        name, _, rest = line.partition(" ")
    kind, _, collation = rest.partition(" collate ")
    return name, kind, collation


# --- enums --------------------------------------------------------------------------------------


def _enum(
    difference: Difference,
    name: str,
    should: Sequence[str],
    are: Sequence[str],
    wanted: SchemaSnapshot,
    found: SchemaSnapshot,
) -> Iterator[Action]:
    left = [label for label in are if label not in should]
    kept = [label for label in are if label in should]
    in_order = kept == [label for label in should if label in are]
    if not left and in_order:
        yield Action(difference.object, Stage.CREATE_TYPE, tuple(_added(name, should, are)))
        return
    named_ = ", ".join(left)
    reason = (
        f"a label cannot be removed from an enum ({named_}): it takes a type without it, and"
        if left
        else "the order of labels cannot be changed: it takes a new type, and"
    )
    users = _users(name, found)
    if users:
        yield Action(
            difference.object,
            Stage.UNKNOWN,
            why=f"{reason} each column changed to that with ALTER COLUMN … TYPE … USING …::text::"
            f"…, only while no row uses the label; what names the type must be made anew as well:"
            f" {', '.join(users[:5])}",
        )
        return
    sql, tables = _swapped(name, should, wanted, found)
    yield Action(
        difference.object,
        Stage.SWAP_TYPE,
        sql,
        f"{reason} each column changed to it. Fails where a row uses a label that goes; writes anew"
        f" under ACCESS EXCLUSIVE: {', '.join(tables) or 'no table'}",
    )


def _added(name: str, should: Sequence[str], are: Sequence[str]) -> Iterator[str]:
    """Yield the statements that add missing labels, each beside one that is there by then."""
    there = list(are)
    for place, label in enumerate(should):
        if label in there:
            continue
        first = f" BEFORE {there[0]}" if there else ""
        where = f" AFTER {should[place - 1]}" if place else first
        yield f"ALTER TYPE {name} ADD VALUE {label}{where}"
        there.append(label)


def _users(name: str, found: SchemaSnapshot) -> list[str]:
    """Return what names the type besides columns: it would keep the old one."""
    hits: list[str] = []
    for other, definition in found.objects.items():
        kind = named(other).kind
        if kind in ("column", "grants on", "owner of", "comment on", "table"):
            continue
        if other != f"type {name}" and (mentions(definition, name) or mentions(other, name)):
            hits.append(other)
    return hits


def _swapped(
    name: str, should: Sequence[str], wanted: SchemaSnapshot, found: SchemaSnapshot
) -> tuple[tuple[str, ...], list[str]]:
    """Return the statements that put a new type in place of an old one, and the tables changed."""
    schema, _, bare = name.rpartition(".")
    old = f'{bare[:-1]}__old"' if bare.endswith('"') else f"{bare}__old"
    sql = [
        f"ALTER TYPE {name} RENAME TO {old}",
        f"CREATE TYPE {name} AS ENUM ({', '.join(should)})",
    ]
    tables: list[str] = []
    for key, definition in found.objects.items():
        # What has another type in the baseline was changed before this, or goes.
        if not key.startswith("column ") or key not in wanted.objects:
            continue
        column = Column(key.removeprefix("column "), wanted.objects[key])
        if column.inherited or column.type not in (name, f"{name}[]"):
            continue
        if Column(column.named.name, definition).type not in (name, f"{name}[]"):
            continue
        alter = f"ALTER TABLE {column.named.table} ALTER COLUMN {column.named.last}"
        many = "[]" if column.type.endswith("[]") else ""
        if column.default:
            sql.append(f"{alter} DROP DEFAULT")
        sql.append(f"{alter} TYPE {name}{many} USING {column.named.last}::text{many}::{name}{many}")
        if column.default:
            sql.append(f"{alter} SET DEFAULT {column.default}")
        tables.append(column.named.table)
    sql.append(f"DROP TYPE {schema}.{old}" if schema else f"DROP TYPE {old}")
    return tuple(sql), list(dict.fromkeys(tables))


# --- domains and composites -----------------------------------------------------------------------


def _domain(difference: Difference, name: str, should: str, is_: str) -> Iterator[Action]:
    wanted, found = clauses(should, _DOMAIN), clauses(is_, _DOMAIN)
    if (wanted["domain"], wanted.get("collate")) != (found["domain"], found.get("collate")):
        yield Action(
            difference.object,
            Stage.UNKNOWN,
            why="the type below a domain cannot be changed: make it anew under another name and"
            " change the columns that use it",
        )
        return
    sql: list[str] = []
    if wanted.get("default") != found.get("default"):
        default = wanted.get("default")
        how = f"SET DEFAULT {default}" if default else "DROP DEFAULT"
        sql.append(f"ALTER DOMAIN {name} {how}")
    if ("not null" in wanted) != ("not null" in found):
        how = "SET" if "not null" in wanted else "DROP"
        sql.append(f"ALTER DOMAIN {name} {how} NOT NULL")
    yield Action(difference.object, Stage.ALTER_TABLE, tuple(sql))


def _composite(difference: Difference, name: str, should: str, is_: str) -> Iterator[Action]:
    wanted = [_split_attribute(line) for line in should.split("\n")[1:]]
    found = [_split_attribute(line) for line in is_.split("\n")[1:]]
    types, are = {n: (t, c) for n, t, c in wanted}, {n: (t, c) for n, t, c in found}
    sql = [f"ALTER TYPE {name} DROP ATTRIBUTE {n}" for n in are if n not in types]
    for attribute, (kind, collation) in types.items():
        full = f"{kind} COLLATE {collation}" if collation else kind
        if attribute not in are:
            sql.append(f"ALTER TYPE {name} ADD ATTRIBUTE {attribute} {full}")
        elif are[attribute] != (kind, collation):
            sql.append(f"ALTER TYPE {name} ALTER ATTRIBUTE {attribute} TYPE {full}")
    kept = [n for n, _, _ in found if n in types]
    added = [n for n in types if n not in are]
    if kept + added != list(types):
        yield Action(
            difference.object,
            Stage.UNKNOWN,
            why="the order of attributes cannot be changed: the type must be made anew",
        )
        return
    yield Action(
        difference.object,
        Stage.ALTER_TABLE,
        tuple(sql),
        "not while a table has a column of this type",
    )
