"""Reading a parse tree that came as a plain dict (protobuf's JSON form of PostgreSQL's nodes).

A node is ``{"alter_table_stmt": {…}}``: one key, its kind. Fields that are false, zero or empty
are absent. All accessors tolerate any shape and give an empty value instead of raising.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

Node = Mapping[str, object]

# pg_get_keywords() of PostgreSQL 18 where catcode is not 'U': what quote_ident() quotes.
_KEYWORDS = frozenset(
    """all analyse analyze and any array as asc asymmetric authorization between bigint binary
    bit boolean both case cast char character check coalesce collate collation column
    concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user dec decimal default deferrable
    desc distinct do else end except exists extract false fetch float for foreign freeze from
    full grant greatest group grouping having ilike in initially inner inout int integer
    intersect interval into is isnull join json json_array json_arrayagg json_exists
    json_object json_objectagg json_query json_scalar json_serialize json_table json_value
    lateral leading least left like limit localtime localtimestamp merge_action national
    natural nchar none normalize not notnull null nullif numeric offset on only or order out
    outer overlaps overlay placing position precision primary real references returning right
    row select session_user setof similar smallint some substring symmetric system_user table
    tablesample then time timestamp to trailing treat trim true union unique user using values
    varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement
    xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable""".split()  # noqa: SIM905
)
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")
# The grammar turns these spellings into pg_catalog names; the operator knows the spelling.
_SPELLED = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "bpchar": "character",
    "varchar": "character varying",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "timetz": "time with time zone",
    "time": "time without time zone",
}


def child(node: Node, key: str) -> Node:
    """Return the node in a field; empty when there is none."""
    value = node.get(key)
    return value if isinstance(value, dict) else {}


def children(node: Node, key: str) -> list[Node]:
    """Return the nodes of a list field."""
    value = node.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(node: Node, key: str) -> str:
    """Return a string or enumeration field; empty when absent."""
    value = node.get(key)
    return value if isinstance(value, str) else ""


def flag(node: Node, key: str) -> bool:
    """Return a boolean field."""
    return node.get(key) is True


def opened(node: Node) -> tuple[str, Node]:
    """Return the kind and the fields of a node; an empty kind when it is none."""
    for kind, fields in node.items():
        if isinstance(fields, dict):
            return kind, fields
    return "", {}


def each(root: object) -> Iterator[tuple[str, Node]]:
    """Yield (field or kind, fields) of every node below ``root``, without recursion."""
    # Plain dicts only, as JSON gives them: asking for Mapping takes five times as long, and this
    # is where the time of a long script goes.
    stack: list[object] = [root]
    pop = stack.pop
    while stack:
        at = pop()
        if isinstance(at, dict):
            for key, value in at.items():
                if isinstance(value, dict):
                    yield key, value
                    stack.append(value)
                elif isinstance(value, list):
                    stack.append(value)
        elif isinstance(at, list):
            stack += reversed(at)


def telling(root: object, kinds: Collection[str]) -> list[tuple[str, Node]]:
    """Return what ``each`` yields of these kinds, in one quick walk that passes constants by.

    In a script that brings rows back nine nodes in ten are constants, and nothing is in them.
    """
    found: list[tuple[str, Node]] = []
    stack: list[object] = [root]
    while stack:
        at = stack.pop()
        if isinstance(at, dict):
            for key, value in at.items():
                if isinstance(value, dict):
                    if key == "a_const":
                        continue
                    if key in kinds:
                        found.append((key, value))
                    stack.append(value)
                elif isinstance(value, list):
                    stack.append(value)
        elif isinstance(at, list):
            stack += reversed(at)
    return found


def quote(name: str) -> str:
    """Return an identifier as ``quote_ident`` would write it."""
    if _PLAIN.match(name) and name not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def relation(range_var: Node) -> str:
    """Return a RangeVar's name, qualified as it was written. Empty when there is none."""
    parts = (text(range_var, "schemaname"), text(range_var, "relname"))
    return ".".join(quote(part) for part in parts if part)


def relations(node: Node, key: str) -> list[str]:
    """Return the names in a list of RangeVars."""
    return [relation(child(item, "range_var")) for item in children(node, key)]


def strings(items: list[Node]) -> list[str]:
    """Return the values of a list of String nodes."""
    return [text(child(item, "string"), "sval") for item in items if "string" in item]


def dotted(parts: list[str]) -> str:
    """Return name parts as one qualified name."""
    return ".".join(quote(part) for part in parts)


def type_name(node: Node) -> str:
    """Return a TypeName: ``integer``, ``public.colour[]``. Modifiers are left out."""
    parts = strings(children(node, "names"))
    spelled = len(parts) == 2 and parts[0] == "pg_catalog"
    name = _SPELLED.get(parts[1], quote(parts[1])) if spelled else dotted(parts)
    return name + "[]" * len(children(node, "array_bounds"))


def routine(node: Node) -> str:
    """Return an ObjectWithArgs: ``public.f(integer, text)``, or ``f`` without arguments."""
    name = dotted(strings(children(node, "objname")))
    if flag(node, "args_unspecified"):
        return name
    arguments = [type_name(child(item, "type_name")) for item in children(node, "objargs")]
    return f"{name}({', '.join(arguments)})"


def named(node: Node) -> str:
    """Return the name of any object node: a list, a string, a type or a routine."""
    kind, fields = opened(node)
    if kind == "object_with_args":
        return routine(fields)
    if kind == "type_name":
        return type_name(fields)
    if kind == "range_var":
        return relation(fields)
    if kind == "list":
        return dotted(strings(children(fields, "items")))
    if kind == "string":
        return quote(text(fields, "sval"))
    return ""


def option(node: Node, key: str, name: str) -> Node | None:
    """Return the DefElem called ``name`` in a list of options; None when it is not there."""
    for item in children(node, key):
        element = child(item, "def_elem")
        if text(element, "defname") == name:
            return element
    return None


def enabled(element: Node | None) -> bool:
    """Return whether an option is on: named without a value, or with a true one."""
    if element is None:
        return False
    kind, value = opened(child(element, "arg"))
    if not kind:
        return True
    if kind == "integer":
        return value.get("ival", 0) != 0
    if kind == "boolean":
        return flag(value, "boolval")
    return text(value, "sval").lower() in ("true", "on", "yes", "1", "t", "y")
