"""In the parser's child: the names that mean something else after a statement, so that what a later
statement says of them cannot be looked up now.
"""

from __future__ import annotations

from typing import Any

Message = Any
Answer = dict[str, object]


def changes(statement: Message, tools: Any) -> list[Answer]:
    """Return the names that mean something else after ``statement``: what it makes, renames, or
    gives another type."""
    kind, fields = tools.opened(statement)
    if kind == "create_stmt":
        return [{"what": "relation", "name": tools.parts(fields.relation)}]
    if kind == "create_table_as_stmt":
        return [{"what": "relation", "name": tools.parts(fields.into.rel)}]
    if kind == "view_stmt":
        return [{"what": "relation", "name": tools.parts(fields.view)}]
    if kind == "select_stmt" and fields.into_clause.rel.relname:
        return [{"what": "relation", "name": tools.parts(fields.into_clause.rel)}]
    if kind == "create_enum_stmt":
        labels = tools.strings(fields.vals)
        return [{"what": "type", "name": tools.strings(fields.type_name), "labels": labels}]
    if kind in ("alter_enum_stmt", "composite_type_stmt", "create_domain_stmt"):
        return [{"what": "type", "name": _named(kind, fields, tools)}]
    if kind == "alter_domain_stmt":
        return [{"what": "type", "name": tools.strings(fields.type_name)}]
    if kind == "rename_stmt":
        return _renamed(fields, tools)
    if kind == "alter_object_schema_stmt":
        return _moved(fields, tools)
    if kind == "alter_table_stmt":
        return _columns(fields, tools)
    return []


def _named(kind: str, fields: Message, tools: Any) -> list[str]:
    if kind == "alter_enum_stmt":
        return list(tools.strings(fields.type_name))
    if kind == "create_domain_stmt":
        return list(tools.strings(fields.domainname))
    return list(tools.parts(fields.typevar))


def _renamed(fields: Message, tools: Any) -> list[Answer]:
    what = tools.enum(fields, "rename_type")
    if what == "OBJECT_COLUMN":
        relation = tools.parts(fields.relation)
        return [
            {"what": "column", "name": [*relation, fields.subname]},
            {"what": "column", "name": [*relation, fields.newname], "former": fields.subname},
        ]
    if what in ("OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW"):
        old = tools.parts(fields.relation)
        return [
            {"what": "relation", "name": old},
            {"what": "relation", "name": [*old[:-1], fields.newname]},
        ]
    if what in ("OBJECT_TYPE", "OBJECT_DOMAIN"):
        old = tools.strings(fields.object.list.items)
        return [
            {"what": "type", "name": old},
            {"what": "type", "name": [*old[:-1], fields.newname]},
        ]
    return []


def _moved(fields: Message, tools: Any) -> list[Answer]:
    if fields.relation.relname:
        old = tools.parts(fields.relation)
        new = [fields.newschema, fields.relation.relname]
        return [{"what": "relation", "name": name} for name in (old, new)]
    old = tools.strings(fields.object.list.items)
    names = (old, [fields.newschema, *old[-1:]])
    return [{"what": "type", "name": name} for name in names if old]


def _columns(fields: Message, tools: Any) -> list[Answer]:
    relation = tools.parts(fields.relation)
    found: list[Answer] = []
    for item in fields.cmds:
        command = item.alter_table_cmd
        subtype = tools.enum(command, "subtype")
        if subtype == "AT_AddColumn":
            column = getattr(command, "def").column_def.colname
            found.append({"what": "column", "name": [*relation, column]})
        elif subtype in ("AT_DropColumn", "AT_AlterColumnType", "AT_SetExpression"):
            found.append({"what": "column", "name": [*relation, command.name]})
    return found
