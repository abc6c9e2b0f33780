"""Names without a schema that mean another table to us than to the tool.

Where each tenant has a schema with tables and a version table of its own, the tool is called with
that schema first in ``search_path``. Our session has the role's: the script of one tenant would
then drop the tables of another one, or nothing, and the version would be taken away from the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import Plan, Statement
from rollback_tui.core.script.lexer import significant
from rollback_tui.core.text import printable
from rollback_tui.frameworks.quoting import identifier
from rollback_tui.postgres.aside import aside, query
from rollback_tui.postgres.connect import Connection

_SHOWN = 3


def refuse_other_schema(connection: Connection, plan: Plan, schema: str) -> None:
    """Raise FrameworkError when a script names something without a schema that is in ``schema``,
    where the version table is, and this session's ``search_path`` leads elsewhere.

    What follows a ``SET search_path`` of the script itself is not looked at: it says what it means.
    """
    with aside(connection) as cursor:
        cursor.execute(query("not_in_reach").encode(), {"schema": schema})
        there = {str(name) for (name,) in cursor.fetchall()}
    there -= {book.rpartition(".")[2].strip('"') for book in plan.books}
    if not there:
        return
    meant = dict.fromkeys(
        name
        for migration in plan.migrations
        for name in _bare_names(migration.script.statements if migration.script else ())
        if name in there
    )
    if not meant:
        return
    named = ", ".join(printable(identifier(name)) for name in list(meant)[:_SHOWN])
    shown = printable(identifier(schema))
    raise FrameworkError(
        f"the script names {named}{' …' if len(meant) > _SHOWN else ''} without a schema; there is"
        f" such in {shown}, where the version table is, but on this connection the name leads to"
        " another schema, or nowhere",
        f"Connect with options=-csearch_path={shown} in the DSN, if the tool migrates so; or name"
        " the schema in the script.",
    )


def _bare_names(statements: Sequence[Statement]) -> Iterator[str]:
    for statement in statements:
        if {"search_path", "ALL", "role", "session_authorization"} & {*statement.effect.session}:
            return
        yield from _names(statement.sql.encode().decode("latin-1"))


def _names(text: str) -> Iterator[str]:
    """Yield the words of ``text`` (latin-1) and its quoted names that follow no dot; those of a
    DO block and of a function's body too."""
    before = ""
    for token in significant(text, 0, len(text)):
        if token.startswith("$") and token.endswith("$") and len(token) > 1:
            tag = token.index("$", 1) + 1
            yield from _names(token[tag : len(token) - tag])
        elif before != ".":
            name = token[1:-1].replace('""', '"') if token.startswith('"') else token.lower()
            yield name.encode("latin-1", "replace").decode("utf-8", "replace")
        before = token
