"""In the parser's child: reading PostgreSQL's nodes as postgast gives them (protobuf messages).

Needs nothing but the standard library and postgast: see :mod:`rollback_tui.parser.child`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Message = Any
"""A protobuf message; the generated classes have no usable types."""

_COMPARING = {
    "AEXPR_BETWEEN": (">=", "<="),
    "AEXPR_NOT_BETWEEN": ("<", ">"),
    "AEXPR_BETWEEN_SYM": (">=", "<="),
    "AEXPR_NOT_BETWEEN_SYM": ("<", ">"),
}


def opened(node: Message) -> tuple[str, Message]:
    """Return the kind of a node and what is in it; an empty kind when there is nothing."""
    kind = node.WhichOneof("node")
    return (kind, getattr(node, kind)) if kind else ("", None)


def kinds(root: Message) -> Iterator[tuple[str, Message]]:
    """Yield (kind, node) of ``root`` and all below it, in the order of the text where the tree has
    it. ``kind`` is the message's own name: ``FuncCall``."""
    stack: list[Message] = [root]
    while stack:
        at = stack.pop()
        yield at.DESCRIPTOR.name, at
        below: list[Message] = []
        for field, value in at.ListFields():
            if field.message_type is None:
                continue
            below += value if isinstance(value, Iterable) else [value]
        stack += reversed(below)


def strings(nodes: Iterable[Message]) -> list[str]:
    """Return the values of String nodes."""
    return [node.string.sval for node in nodes if node.WhichOneof("node") == "string"]


def parts(range_var: Message) -> list[str]:
    """Return the parts of a RangeVar's name as they are, unquoted."""
    return [part for part in (range_var.schemaname, range_var.relname) if part]


def quoted(name: str) -> str:
    """Return a name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def enum(message: Message, field: str) -> str:
    """Return the name of an enumeration's value."""
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    return str(descriptor.enum_type.values_by_number[getattr(message, field)].name)


def uses(root: Message) -> dict[str, list[list[str]]]:
    """Return what the query or expression calls on: functions, operators and relations, each as
    the parts of its name. Names of its own WITH are no relations."""
    own = {node.ctename for kind, node in kinds(root) if kind == "CommonTableExpr"}
    functions: list[list[str]] = []
    operators: list[list[str]] = []
    relations: list[list[str]] = []
    for kind, node in kinds(root):
        if kind == "FuncCall":
            functions.append(strings(node.funcname))
        elif kind == "A_Expr":
            compared = _COMPARING.get(enum(node, "kind"))
            operators += [[name] for name in compared] if compared else [strings(node.name)]
        elif kind == "SubLink" and node.oper_name:
            operators.append(strings(node.oper_name))
        elif kind == "SortBy" and node.use_op:
            operators.append(strings(node.use_op))
        elif kind == "RangeVar" and (node.schemaname or node.relname not in own):
            relations.append(parts(node))
    return {
        "functions": _once(functions),
        "operators": _once(operators),
        "relations": _once(relations),
    }


def constant(root: Message) -> bool:
    """Return whether an expression has the same value always and everywhere, by its text: no
    column, no function, and none of CURRENT_DATE and its kind."""
    changing = {"ColumnRef", "FuncCall", "SQLValueFunction", "SubLink", "ParamRef"}
    return not any(kind in changing for kind, _ in kinds(root))


def _once(names: list[list[str]]) -> list[list[str]]:
    return [list(name) for name in dict.fromkeys(tuple(name) for name in names if name)]
