"""In the parser's child: a DELETE, UPDATE or MERGE turned into queries of the rows it would touch.

The tree's own parts are put into the tree of a SELECT, which is then written out. What the query
changes (SET, RETURNING, the rows of an INSERT) is not among them, so that nothing of it is called.
Raises :class:`Unasked` for a statement whose rows cannot be asked for.
"""

from __future__ import annotations

from typing import Any

Message = Any

_REFUSED = {
    "CurrentOfExpr": "WHERE CURRENT OF takes the row from a cursor",
    "ParamRef": "it has parameters",
    "LockingClause": "it locks rows while it looks for them",
    "RangeTableSample": "it takes a random sample of rows",
}
_CHANGING = ("delete_stmt", "update_stmt", "merge_stmt")


class Unasked(Exception):
    """The rows cannot be asked for; the text says why."""


def touched(statement: Message, tools: Any) -> dict[str, object] | None:
    """Return the target's name and the two queries; None for what changes no rows that exist.

    ``statement`` is the node of a whole command. ``tools`` is the module
    :mod:`rollback_tui.parser.walking`, which the child loads by its path as it does this one.
    """
    kind, top = tools.opened(statement)
    if kind not in (*_CHANGING, "insert_stmt", "select_stmt"):
        return None
    writes = [(None, kind, top)] if _writes(kind, top) else []
    for item in top.with_clause.ctes:
        cte = item.common_table_expr
        inner, query = tools.opened(cte.ctequery)
        if _writes(inner, query):
            writes.append((cte.ctename, inner, query))
    if not writes:
        return None
    if len(writes) > 1:
        raise Unasked("it changes rows in several places at once")
    name, inner, query = writes[0]
    if inner == "insert_stmt":
        raise Unasked("which rows conflict with the new ones is not asked for")
    ctes = _ctes(top, name, query, tools)
    rows = _merged(query, tools) if inner == "merge_stmt" else _chosen(inner, query, tools)
    count, whole = _count(query, *rows), _whole(query, *rows, tools=tools)
    for made in (count, whole):
        if ctes.ctes:
            made.stmts[0].stmt.select_stmt.with_clause.CopyFrom(ctes)
    for found, _ in tools.kinds(count):
        if found in _REFUSED:
            raise Unasked(_REFUSED[found])
    return {
        "relation": tools.parts(query.relation),
        "count": _deparse(count),
        "rows": _deparse(whole),
        "uses": tools.uses(whole),
    }


def _writes(kind: str, query: Message) -> bool:
    """Whether it changes or removes rows that exist."""
    if kind == "insert_stmt":
        return bool(query.on_conflict_clause.target_list)
    return kind in _CHANGING


def _ctes(top: Message, name: str | None, query: Message, tools: Any) -> Message:
    """Return the WITH that the query needs: its own, and what comes before it in the statement."""
    found = type(top.with_clause)()
    found.CopyFrom(query.with_clause)
    if name is None:
        return found
    names = {item.common_table_expr.ctename for item in found.ctes}
    before = []
    for item in top.with_clause.ctes:
        cte = item.common_table_expr
        if cte.ctename == name:
            if top.with_clause.recursive:
                continue
            break
        if cte.ctename in names:
            raise Unasked("two of its WITH queries have one name")
        before.append(item)
    for item in before:
        if any(k == "RangeVar" and n.relname == name for k, n in tools.kinds(item)):
            raise Unasked("its WITH queries read each other")
    found.recursive = found.recursive or top.with_clause.recursive
    kept = [*before, *found.ctes]
    del found.ctes[:]
    found.ctes.extend(kept)
    return found


def _chosen(kind: str, query: Message, tools: Any) -> tuple[Message | None, Message | None]:
    """Return (WHERE, None) for a statement on one table, (None, SELECT of row ids) for a join."""
    others = query.using_clause if kind == "delete_stmt" else query.from_clause
    where = query.where_clause
    if not others:
        return where, None
    return None, _ids(query, others, [where], tools)


def _ids(query: Message, others: Any, conditions: list[Message], tools: Any) -> Message:
    """``SELECT DISTINCT t.tableoid, t.ctid FROM t, others WHERE conditions``."""
    target = _target(query, tools)
    made = _select(f"SELECT DISTINCT {target}.tableoid, {target}.ctid")
    made.from_clause.add().range_var.CopyFrom(query.relation)
    made.from_clause.extend(others)
    _where(made, conditions)
    return made


def _merged(query: Message, tools: Any) -> tuple[None, Message]:
    """Row ids of a MERGE: for each pair that matches, and each row without a match, the first WHEN
    whose condition holds decides; only UPDATE and DELETE touch the row."""
    clauses = [item.merge_when_clause for item in query.merge_when_clauses]
    found = []
    matched = _decided(clauses, "MERGE_WHEN_MATCHED", tools)
    if matched is not None:
        found.append(_ids(query, [query.source_relation], [query.join_condition, matched], tools))
    alone = _decided(clauses, "MERGE_WHEN_NOT_MATCHED_BY_SOURCE", tools)
    if alone is not None:
        template = _select("SELECT WHERE NOT EXISTS (SELECT)").where_clause
        inner = template.bool_expr.args[0].sub_link.subselect.select_stmt
        inner.from_clause.add().CopyFrom(query.source_relation)
        inner.where_clause.CopyFrom(query.join_condition)
        found.append(_ids(query, [], [template, alone], tools))
    if not found:
        raise Unasked("it only inserts rows")
    if len(found) == 1:
        return None, found[0]
    both = _select("SELECT 1 UNION SELECT 2")
    both.larg.CopyFrom(found[0])
    both.rarg.CopyFrom(found[1])
    return None, both


def _decided(clauses: list[Message], kind: str, tools: Any) -> Message | None:
    """Return a condition that holds where the clauses of ``kind`` touch the row; None: never."""
    case = _select("SELECT CASE WHEN true THEN true ELSE false END")
    expression = case.target_list[0].res_target.val
    pattern = type(expression)()
    pattern.CopyFrom(expression.case_expr.args[0])
    no = type(expression)()
    no.CopyFrom(expression.case_expr.defresult)
    del expression.case_expr.args[:]
    touches = False
    for clause in clauses:
        if tools.enum(clause, "match_kind") != kind:
            continue
        acts = tools.enum(clause, "command_type") in ("CMD_UPDATE", "CMD_DELETE")
        touches = touches or acts
        when = expression.case_expr.args.add()
        when.CopyFrom(pattern)
        if clause.condition.WhichOneof("node"):
            when.case_when.expr.CopyFrom(clause.condition)
        if not acts:
            when.case_when.result.CopyFrom(no)
    return expression if touches else None


def _count(query: Message, where: Message | None, ids: Message | None) -> Message:
    if ids is None:
        made = _parse("SELECT pg_catalog.count(*)")
        _on_target(made, query, where)
        return made
    made = _parse("SELECT pg_catalog.count(*) FROM (SELECT 1) AS touched")
    select = made.stmts[0].stmt.select_stmt
    select.from_clause[0].range_subselect.subquery.select_stmt.CopyFrom(ids)
    return made


def _whole(query: Message, where: Message | None, ids: Message | None, *, tools: Any) -> Message:
    target = _target(query, tools)
    if ids is None:
        made = _parse(f"SELECT {target}.*")
        _on_target(made, query, where)
        return made
    made = _parse(f"SELECT {target}.* WHERE ({target}.tableoid, {target}.ctid) IN (SELECT 1)")
    select = made.stmts[0].stmt.select_stmt
    select.from_clause.add().range_var.CopyFrom(query.relation)
    select.where_clause.sub_link.subselect.select_stmt.CopyFrom(ids)
    return made


def _on_target(made: Message, query: Message, where: Message | None) -> None:
    select = made.stmts[0].stmt.select_stmt
    select.from_clause.add().range_var.CopyFrom(query.relation)
    if where is not None and where.WhichOneof("node"):
        select.where_clause.CopyFrom(where)


def _target(query: Message, tools: Any) -> str:
    return str(tools.quoted(query.relation.alias.aliasname or query.relation.relname))


def _where(select: Message, conditions: list[Message]) -> None:
    given = [condition for condition in conditions if condition.WhichOneof("node")]
    if len(given) == 1:
        select.where_clause.CopyFrom(given[0])
    elif given:
        both = _select("SELECT WHERE true AND true").where_clause
        del both.bool_expr.args[:]
        both.bool_expr.args.extend(given)
        select.where_clause.CopyFrom(both)


def _select(text: str) -> Message:
    return _parse(text).stmts[0].stmt.select_stmt


def _parse(text: str) -> Message:
    import postgast

    return postgast.parse(text)


def _deparse(tree: Message) -> str:
    import postgast

    return str(postgast.deparse(tree))
