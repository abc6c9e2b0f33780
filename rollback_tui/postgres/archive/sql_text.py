"""SQL of the archives, put together from parts that the server itself has quoted."""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql


def put(template: LiteralString, **parts: object) -> str:
    """Return ``template`` with its ``{parts}`` filled in.

    A text goes in as it is: it must be SQL, made by us or quoted by the server (``quote_ident``,
    ``format_type``, ``pg_get_expr``). A value that is to be a constant comes as a Composable.
    """
    return (
        sql.SQL(template)
        .format(
            **{
                name: part if isinstance(part, sql.Composable) else sql.SQL(str(part))
                for name, part in parts.items()
            }
        )
        .as_string(None)
    )


def literal(value: object) -> sql.Literal:
    """Return a value as a constant, for :func:`put`."""
    return sql.Literal(value)
