"""In the parser's child: what a statement demands of the rows that are stored. Expressions are
written out as SQL.

The answers are the demands of :mod:`rollback_tui.core.demand`, as JSON would have them; names are
lists of unquoted parts.
"""

from __future__ import annotations

from typing import Any

Message = Any
Answer = dict[str, object]

_SERIAL = frozenset({"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"})
# They never give NULL, so that a NOT NULL column may have them as its default.
_NEVER_NULL = frozenset(
    """now random gen_random_uuid uuidv4 uuidv7 uuid_generate_v4 uuid_generate_v1 clock_timestamp
    nextval transaction_timestamp statement_timestamp""".split()  # noqa: SIM905
)


def demands(statement: Message, tools: Any) -> list[Answer]:
    """Return what ``statement``, the node of a whole command, demands; ``tools`` is the module
    :mod:`rollback_tui.parser.walking`."""
    kind, fields = tools.opened(statement)
    if kind == "alter_table_stmt" and tools.enum(fields, "objtype") == "OBJECT_TABLE":
        return _altered(fields, tools)
    if kind == "index_stmt" and fields.unique:
        return _indexed(fields, tools)
    if kind == "alter_domain_stmt":
        return _domain(fields, tools)
    return []


def _definition(command: Message) -> Message:
    """``def`` is a keyword of Python's."""
    return getattr(command, "def")


# --- ALTER TABLE ----------------------------------------------------------------------------------


class _Table:
    """What all demands of one ALTER TABLE share."""

    def __init__(self, fields: Message, tools: Any) -> None:
        self.tools = tools
        self.relation = tools.parts(fields.relation)
        self.only = not fields.relation.inh
        commands = [item.alter_table_cmd for item in fields.cmds]
        self.commands = [(tools.enum(command, "subtype"), command) for command in commands]
        self.retyped = {c.name for kind, c in self.commands if kind == "AT_AlterColumnType"}
        self.added = [
            self._added(command) for kind, command in self.commands if kind == "AT_AddColumn"
        ]

    def _added(self, command: Message) -> Answer:
        column = _definition(command).column_def
        tools = self.tools
        default, computed = None, False
        for item in column.constraints:
            kind = tools.enum(item.constraint, "contype")
            if kind == "CONSTR_DEFAULT":
                default = item.constraint.raw_expr
            computed = computed or kind in ("CONSTR_IDENTITY", "CONSTR_GENERATED")
        names = tools.strings(column.type_name.names)
        serial = len(names) == 1 and names[0] in _SERIAL
        return {
            "column": column.colname,
            "type": "" if serial else _type(column.type_name),
            "default": "" if default is None else _expression(default),
            "computed": computed or serial,
            "unless_there": command.missing_ok,
            "uses": tools.uses(default) if default is not None else _nothing(),
        }

    def demand(self, rule: str, columns: list[str], **more: object) -> Answer:
        """Return one demand with what is common to all."""
        return {
            "rule": rule,
            "relation": self.relation,
            "only": self.only,
            "columns": columns,
            "added": list(self.added),
            "retyped": bool(self.retyped & set(columns)),
            **more,
        }


def _nothing() -> dict[str, list[list[str]]]:
    return {"functions": [], "operators": [], "relations": []}


def _altered(fields: Message, tools: Any) -> list[Answer]:
    table = _Table(fields, tools)
    found: list[Answer] = []
    for kind, command in table.commands:
        definition = _definition(command)
        if kind == "AT_SetNotNull":
            found.append(table.demand("not null", [command.name]))
        elif kind == "AT_AddColumn":
            column = definition.column_def
            for item in column.constraints:
                if not _harmless(table, column.colname, item.constraint):
                    found += _constraint(table, item.constraint, column.colname)
        elif kind == "AT_AddConstraint":
            found += _constraint(table, definition.constraint, "")
        elif kind == "AT_ValidateConstraint":
            found.append(table.demand("validate", [], constraint=command.name))
        elif kind == "AT_AlterColumnType":
            found.append(_retyped(table, command))
        elif kind == "AT_AttachPartition":
            part = tools.parts(definition.partition_cmd.name)
            found.append(
                table.demand("other", [], broken="partition", why="the partition's bounds")
                | {"relation": part, "constraint": ".".join(table.relation)}
            )
    return found


def _harmless(table: _Table, column: str, constraint: Message) -> bool:
    """A column that the server fills row by row keeps its own NOT NULL and UNIQUE."""
    kind = table.tools.enum(constraint, "contype")
    added = next(a for a in table.added if a["column"] == column)
    if kind == "CONSTR_NOTNULL":
        called = {name[-1] for name in added["uses"]["functions"]}  # type: ignore[index]
        return bool(added["computed"]) or bool(called and called <= _NEVER_NULL)
    return kind in ("CONSTR_UNIQUE", "CONSTR_PRIMARY") and bool(added["computed"])


def _constraint(table: _Table, constraint: Message, column: str) -> list[Answer]:
    """Return what a constraint demands, of the table or (``column``) of an added column."""
    tools = table.tools
    kind = tools.enum(constraint, "contype")
    common: Answer = {
        "constraint": constraint.conname,
        "unchecked": constraint.skip_validation,
        "inline": bool(column),
    }
    keys = [column] if column else tools.strings(constraint.keys)
    if kind == "CONSTR_NOTNULL":
        return [table.demand("not null", keys, **common)]
    if kind == "CONSTR_CHECK":
        if not constraint.is_enforced:
            return []
        return [_check(table, constraint, common)]
    if kind in ("CONSTR_UNIQUE", "CONSTR_PRIMARY"):
        return _unique(table, constraint, keys, common)
    if kind == "CONSTR_FOREIGN":
        return _foreign(table, constraint, column, common) if constraint.is_enforced else []
    if kind == "CONSTR_EXCLUSION":
        return [table.demand("other", [], broken="exclusion", why="an EXCLUDE rule", **common)]
    return []


def _check(table: _Table, constraint: Message, common: Answer) -> Answer:
    expression = constraint.raw_expr
    return table.demand(
        "check",
        _mentioned(expression, table.tools),
        **common,
        expression=_expression(expression),
        here_only=constraint.is_no_inherit,
        uses=table.tools.uses(expression),
    )


def _unique(table: _Table, constraint: Message, keys: list[str], common: Answer) -> list[Answer]:
    primary = table.tools.enum(constraint, "contype") == "CONSTR_PRIMARY"
    if constraint.indexname:
        # The index is unique already; a primary key's columns must be NOT NULL besides.
        by_index = table.demand("not null", [], **common, index=constraint.indexname)
        return [by_index] if primary else []
    found = [table.demand("not null", [key], **common) for key in keys if primary]
    if constraint.without_overlaps:
        return [
            *found,
            table.demand("other", keys, broken="unique", why="WITHOUT OVERLAPS", **common),
        ]
    quoted = [table.tools.quoted(key) for key in keys]
    nulls = constraint.nulls_not_distinct
    found.append(table.demand("unique", keys, **common, keys=quoted, nulls_equal=nulls))
    return found


def _foreign(table: _Table, constraint: Message, column: str, common: Answer) -> list[Answer]:
    tools = table.tools
    keys = [column] if column else tools.strings(constraint.fk_attrs)
    if getattr(constraint, "fk_with_period", False):
        return [table.demand("other", keys, broken="foreign key", why="PERIOD", **common)]
    return [
        table.demand(
            "foreign key",
            keys,
            **common,
            other=tools.parts(constraint.pktable),
            other_columns=tools.strings(constraint.pk_attrs),
            full=constraint.fk_matchtype == "f",
        )
    ]


def _retyped(table: _Table, command: Message) -> Answer:
    column = _definition(command).column_def
    using = column.raw_default
    given = bool(using.WhichOneof("node"))
    demand = table.demand(
        "type",
        [command.name],
        type=_type(column.type_name),
        type_name=table.tools.strings(column.type_name.names),
        using=_expression(using) if given else "",
        casts=_casts(using, command.name, table.tools) if given else [],
        uses=table.tools.uses(using) if given else _nothing(),
    )
    return demand | {"retyped": False}


def _casts(node: Message, column: str, tools: Any) -> list[str] | None:
    """Return the types of ``column::a::b``, the innermost first; None for any other expression."""
    kind, fields = tools.opened(node)
    if kind == "column_ref":
        names = tools.strings(fields.fields)
        return [] if names[-1:] == [column] and len(names) == len(fields.fields) else None
    if kind == "type_cast":
        inner = _casts(fields.arg, column, tools)
        return None if inner is None else [*inner, _type(fields.type_name)]
    return None


# --- indexes and domains -------------------------------------------------------------------------


def _indexed(fields: Message, tools: Any) -> list[Answer]:
    keys: list[str] = []
    columns: list[str] = []
    for item in fields.index_params:
        element = item.index_elem
        key = tools.quoted(element.name) if element.name else f"({_expression(element.expr)})"
        columns += [element.name] if element.name else _mentioned(element.expr, tools)
        collation = tools.strings(element.collation)
        if collation:
            key += " COLLATE " + ".".join(tools.quoted(part) for part in collation)
        keys.append(key)
    where = fields.where_clause
    predicate = bool(where.WhichOneof("node"))
    whole = type(fields)()
    whole.index_params.extend(fields.index_params)
    whole.where_clause.CopyFrom(where)
    return [
        {
            "rule": "unique",
            "relation": tools.parts(fields.relation),
            "only": not fields.relation.inh,
            "columns": [*columns, *(_mentioned(where, tools) if predicate else [])],
            "constraint": fields.idxname,
            "keys": keys,
            "where": _expression(where) if predicate else "",
            "nulls_equal": fields.nulls_not_distinct,
            "operator_classes": [
                tools.strings(item.index_elem.opclass)[-1]
                for item in fields.index_params
                if item.index_elem.opclass
            ],
            "uses": tools.uses(whole),
        }
    ]


def _domain(fields: Message, tools: Any) -> list[Answer]:
    domain = tools.strings(fields.type_name)
    common: Answer = {"rule": "domain", "relation": domain, "columns": []}
    if fields.subtype == "O":
        return [common]
    if fields.subtype == "V":
        return [common | {"constraint": fields.name, "validates": True}]
    constraint = getattr(fields, "def").constraint
    if fields.subtype != "C":
        return []
    common |= {"constraint": constraint.conname, "unchecked": constraint.skip_validation}
    if tools.enum(constraint, "contype") == "CONSTR_NOTNULL":
        return [common]
    expression = constraint.raw_expr
    return [common | {"expression": _expression(expression), "uses": tools.uses(expression)}]


# --- SQL of parts ---------------------------------------------------------------------------------


def _mentioned(expression: Message, tools: Any) -> list[str]:
    """Return the columns that an expression names, as far as it names any."""
    names = [
        tools.strings(node.fields)[-1]
        for kind, node in tools.kinds(expression)
        if kind == "ColumnRef" and tools.strings(node.fields)
    ]
    return list(dict.fromkeys(names))


def _expression(node: Message) -> str:
    """Return an expression as SQL: what a SELECT of it says behind its first word."""
    import postgast

    tree = postgast.parse("SELECT 1")
    tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val.CopyFrom(node)
    return str(postgast.deparse(tree)).removeprefix("SELECT ")


def _type(type_name: Message) -> str:
    import postgast

    tree = postgast.parse("SELECT NULL::int")
    value = tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val
    value.type_cast.type_name.CopyFrom(type_name)
    return str(postgast.deparse(tree)).removeprefix("SELECT NULL::")
