"""Owners, grants, comments, schemas, extensions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rollback_tui.core.mending.actions import Action, Stage
from rollback_tui.core.mending.names import named
from rollback_tui.core.mending.words import literal
from rollback_tui.core.schema import Difference, SchemaSnapshot

_WORDS = {
    "materialised view": "MATERIALIZED VIEW",
    "foreign-data wrapper": "FOREIGN DATA WRAPPER",
    "text search configuration": "TEXT SEARCH CONFIGURATION",
    "text search dictionary": "TEXT SEARCH DICTIONARY",
}
_GRANTED = {
    "view": "TABLE",
    "materialised view": "TABLE",
    "aggregate": "FUNCTION",
    "server": "FOREIGN SERVER",
    "foreign-data wrapper": "FOREIGN DATA WRAPPER",
}
_LINE = re.compile(r'(without )?("(?:[^"]|"")*"|\S+) ([A-Z ]+?)( grantable)?(?: by (.+))?$')


def mend_owner(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what gives an object its owner back."""
    target = named(difference.object).name
    if difference.before is None or target not in wanted.objects:
        return  # it goes with its object
    key = named(target)
    kind = _WORDS.get(key.kind, key.kind.upper())
    name = key.name
    if key.kind == "sequence" and _linked(found.objects.get(target, "")):
        return  # it has the owner of its table, always
    yield Action(
        difference.object,
        Stage.GRANTS,
        (f"ALTER {kind} {name} OWNER TO {difference.before}",),
    )


def _linked(sequence: str) -> bool:
    return "\nowned by " in sequence or "\nidentity of " in sequence


def mend_grants(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what gives and takes rights until they are as they should be."""
    del found
    target = named(named(difference.object).name)
    if difference.before is None and not _stands(target.kind, target.name, wanted):
        return
    should, are = _rights(difference.before), _rights(difference.after)
    foreign = [line for line in (should | are) if line[4]]
    if foreign:
        yield Action(
            difference.object,
            Stage.UNKNOWN,
            why="rights were passed on by others than the owner: grant them as those roles",
        )
        return
    on, column = _on(target.kind, target.name)
    sql: list[str] = []
    for without, role, privilege, grantable, _ in sorted(are - should):
        what = f"{privilege}{column}"
        if without:
            if (True, role, privilege, grantable, "") not in should:
                sql.append(f"GRANT {what} ON {on} TO {role}")
        else:
            sql.append(f"REVOKE {what} ON {on} FROM {role}")
    for without, role, privilege, grantable, _ in sorted(should - are):
        what = f"{privilege}{column}"
        if without:
            sql.append(f"REVOKE {what} ON {on} FROM {role}")
        else:
            option = " WITH GRANT OPTION" if grantable else ""
            sql.append(f"GRANT {what} ON {on} TO {role}{option}")
    yield Action(difference.object, Stage.COMMENTS, tuple(sql))


def _stands(kind: str, name: str, wanted: SchemaSnapshot) -> bool:
    return f"{kind} {name}" in wanted.objects or name.startswith("pg_catalog.")


_Right = tuple[bool, str, str, bool, str]


def _rights(definition: str | None) -> set[_Right]:
    """Return (without, role, privilege, grantable, grantor) of each line."""
    found: set[_Right] = set()
    for line in (definition or "").split("\n"):
        match = _LINE.match(line)
        if match:
            without, role, privilege, grantable, by = match.groups()
            found.add((bool(without), role, privilege, bool(grantable), by or ""))
    return found


def after_change_of_owner(
    object_: str, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> tuple[Difference, ...]:
    """Return how grants on an object and its columns would differ once its owner is as it should
    be: what its present owner was granted becomes the new owner's then."""
    old = found.objects.get(f"owner of {object_}")
    new = wanted.objects.get(f"owner of {object_}")
    if old is None or new is None or old == new:
        return ()
    column = f"grants on column {named(object_).name}."
    keys = [
        key
        for key in dict.fromkeys((*wanted.objects, *found.objects))
        if key == f"grants on {object_}" or key.startswith(column)
    ]
    then: list[Difference] = []
    for key in keys:
        lines = (found.objects.get(key) or "").split("\n")
        renamed = sorted({_of(line, old, new) for line in lines if line})
        then.append(
            Difference(object=key, before=wanted.objects.get(key), after="\n".join(renamed) or None)
        )
    return tuple(then)


def _of(line: str, old: str, new: str) -> str:
    match = _LINE.match(line)
    if match is None or match.group(2) != old:
        return line
    return line[: match.start(2)] + new + line[match.end(2) :]


_BORN = {
    "table": "tables",
    "view": "tables",
    "materialised view": "tables",
    "sequence": "sequences",
    "function": "functions",
    "procedure": "functions",
    "aggregate": "functions",
    "type": "types",
    "schema": "schemas",
}


def born_with(object_: str, wanted: SchemaSnapshot, found: SchemaSnapshot) -> tuple[str, ...]:
    """Return what takes back the grants that an object gets from default privileges when it is
    made again, and should not have."""
    key = named(object_)
    kind = _BORN.get(key.kind)
    if kind is None:
        return ()
    should = _rights(wanted.objects.get(f"grants on {object_}"))
    owner = wanted.objects.get(f"owner of {object_}")
    on, _ = _on(key.kind, key.name)
    sql: list[str] = []
    for name, definition in found.objects.items():
        match = _DEFAULTS.match(named(name).name) if name.startswith("default grants ") else None
        if match is None or match.group(3) != kind:
            continue
        if match.group(2) not in (None, key.parts[0]):
            continue
        for without, role, privilege, _, _ in sorted(_rights(definition)):
            kept = any(r == role and p == privilege and not w for w, r, p, _, _ in should)
            if not without and not kept and role != owner:
                sql.append(f"REVOKE {privilege} ON {on} FROM {role}")
    return tuple(dict.fromkeys(sql))


def _on(kind: str, name: str) -> tuple[str, str]:
    """Return what rights are granted on, and the column that follows each of them."""
    if kind == "column":
        parts = named(f"column {name}")
        return parts.table, f" ({parts.last})"
    return f"{_GRANTED.get(kind, kind.upper())} {name}", ""


_DEFAULTS = re.compile(r'of ("(?:[^"]|"")*"|\S+)(?: in schema (.+))? on ([a-z ]+)$')


def mend_default_grants(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes default privileges as they should be."""
    del wanted, found
    match = _DEFAULTS.match(named(difference.object).name)
    if match is None:
        yield Action(difference.object, Stage.UNKNOWN, why="its name was not understood")
        return
    role, schema, kind = match.groups()
    alter = f"ALTER DEFAULT PRIVILEGES FOR ROLE {role}"
    alter += f" IN SCHEMA {schema}" if schema else ""
    should, are = _rights(difference.before), _rights(difference.after)
    sql: list[str] = []
    for without, grantee, privilege, _, _ in sorted(are - should):
        verb, to = ("GRANT", "TO") if without else ("REVOKE", "FROM")
        sql.append(f"{alter} {verb} {privilege} ON {kind.upper()} {to} {grantee}")
    for without, grantee, privilege, grantable, _ in sorted(should - are):
        verb, to = ("REVOKE", "FROM") if without else ("GRANT", "TO")
        option = " WITH GRANT OPTION" if grantable and not without else ""
        sql.append(f"{alter} {verb} {privilege} ON {kind.upper()} {to} {grantee}{option}")
    yield Action(difference.object, Stage.GRANTS, tuple(sql))


_COMMENTED = {
    "table column": "COLUMN",
    "view column": "COLUMN",
    "materialized view column": "COLUMN",
    "foreign table column": "COLUMN",
    "composite type column": "COLUMN",
    "table constraint": "CONSTRAINT",
    "domain constraint": "CONSTRAINT",
    "statistics object": "STATISTICS",
    "foreign-data wrapper": "FOREIGN DATA WRAPPER",
}
"""``pg_identify_object``'s words for what DDL calls otherwise."""
_KINDS = (
    *_COMMENTED,
    "materialized view",
    "foreign table",
    "event trigger",
    "access method",
    "operator class",
    "operator family",
    "text search configuration",
    "text search dictionary",
    "text search parser",
    "text search template",
)


def mend_comment(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what writes a comment again, or takes it away."""
    del found
    target = named(difference.object).name
    kind = next((k for k in _KINDS if target.startswith(f"{k} ")), target.partition(" ")[0])
    name = target[len(kind) + 1 :]
    if difference.before is None and not _mentioned(name, wanted):
        return
    if kind == "domain constraint":
        constraint, _, domain = name.partition(" on ")
        name = f"{constraint} ON DOMAIN {domain}"
    elif kind in ("table constraint", "trigger", "rule", "policy"):
        of, _, table = name.partition(" on ")
        name = f"{of} ON {table}"
    elif kind in ("operator class", "operator family"):
        of, _, method = name.partition(" USING ")
        name = f"{of} USING {method}"
    word = _COMMENTED.get(kind, kind.upper())
    text = "NULL" if not difference.before else literal(difference.before)
    yield Action(difference.object, Stage.COMMENTS, (f"COMMENT ON {word} {name} IS {text}",))


def _mentioned(name: str, wanted: SchemaSnapshot) -> bool:
    """Whether the commented object stays: a comment goes with what is dropped."""
    plain = name.partition("(")[0].partition(" on ")[2] or name.partition("(")[0]
    return any(plain in object_ for object_ in wanted.objects if not object_.startswith("comment "))


def mend_schema(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes or drops a schema."""
    del wanted, found
    name = named(difference.object).name
    if difference.before is None:
        yield Action(difference.object, Stage.DROP_SCHEMA, (f"DROP SCHEMA {name}",))
    else:
        yield Action(difference.object, Stage.CREATE_SCHEMA, (f"CREATE SCHEMA {name}",))


def mend_extension(
    difference: Difference, wanted: SchemaSnapshot, found: SchemaSnapshot
) -> Iterator[Action]:
    """Yield what makes, moves or drops an extension."""
    del wanted, found
    name = named(difference.object).name
    if difference.before is None:
        yield Action(
            difference.object,
            Stage.DROP_EXTENSION,
            (f"DROP EXTENSION {name}",),
            "fails while a column, an index or a function uses it, which is as it should be",
        )
        return
    schema = difference.before.removeprefix("schema ")
    if difference.after is None:
        yield Action(
            difference.object,
            Stage.CREATE_EXTENSION,
            (f"CREATE EXTENSION {name} SCHEMA {schema}",),
            "may need a superuser",
        )
    else:
        yield Action(
            difference.object,
            Stage.ALTER_TABLE,
            (f"ALTER EXTENSION {name} SET SCHEMA {schema}",),
        )
