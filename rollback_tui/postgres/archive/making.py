"""Copying what a statement is about to remove, in the transaction that removes it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from rollback_tui.core.model import Statement
from rollback_tui.postgres.archive.contents import (
    FORMAT,
    MANIFEST,
    MARK,
    Item,
    Origin,
    Send,
    schema_of,
)
from rollback_tui.postgres.archive.sql_text import literal, put
from rollback_tui.postgres.archive.values import Source
from rollback_tui.postgres.aside import CANONICAL, aside, for_now


def make(
    connection: psycopg.Connection[Any],
    statement: Statement,
    found: Sequence[Source],
    origin: Origin,
    send: Send,
) -> tuple[tuple[Item, float], ...]:
    """Copy ``found`` in the open transaction; return what was kept, each with its seconds.

    The tables are locked against writers first. What the statement itself chooses is asked for
    with the session's settings, in which its names and constants mean what they mean to it; the
    rest as the role that the run has and with settings of our own. All settings are as before
    when it returns. Raises psycopg.Error, and whatever ``send`` raises; then the transaction has
    to be rolled back.
    """
    if not found:
        return ()
    made = []
    path = _path(connection)
    with _as_ourselves(connection):
        _ensure(connection, origin, send)
        for source in found:
            began = time.monotonic()
            if source.kind != "sequence":
                # Writers are kept out until the statement itself has run.
                alone = "ONLY " if source.alone else ""
                send(f"LOCK TABLE {alone}{source.relation} IN SHARE ROW EXCLUSIVE MODE")
            item = _copy(connection, statement, source, origin, send, path)
            made.append((item, time.monotonic() - began))
    return tuple(made)


def _path(connection: psycopg.Connection[Any]) -> str:
    """The session's ``search_path``, in which "$user" is the role that the script has taken."""
    row = connection.execute(
        "SELECT pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ')"
        " FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) AS name"
    ).fetchone()
    return str(row[0] or "") if row else ""


def _as_ourselves(connection: psycopg.Connection[Any]) -> Any:
    """A script may have taken another role, which may not make anything, or not read all."""
    return for_now(connection, {"session_authorization": None, "role": None, "row_security": "off"})


_GRANTEES = """
SELECT DISTINCT coalesce((SELECT pg_catalog.quote_ident(r.rolname) FROM pg_catalog.pg_roles r
                           WHERE r.oid OPERATOR(pg_catalog.=) g.grantee), 'PUBLIC')
FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) g
WHERE n.nspname OPERATOR(pg_catalog.=) %s AND g.grantee OPERATOR(pg_catalog.<>) n.nspowner
"""


def _ensure(connection: psycopg.Connection[Any], origin: Origin, send: Send) -> None:
    """Make schema and manifest, unless an earlier statement of this run did."""
    schema = schema_of(origin.run)
    there = connection.execute("SELECT pg_catalog.to_regnamespace(%s)", [schema]).fetchone()
    if there is not None and there[0] is not None:
        return
    purpose = (
        f"{MARK}{origin.run}: what its statements removed."
        f" See rollback-tui archive list, restore {origin.run[:8]}, drop {origin.run[:8]}."
    )
    send(f"CREATE SCHEMA {schema}")
    # ALTER DEFAULT PRIVILEGES may have given something to the application, or to everybody; who
    # cannot look into the schema has no use of what it may do with the tables in it.
    for (role,) in connection.execute(_GRANTEES, [schema]).fetchall():
        send(f"REVOKE ALL ON SCHEMA {schema} FROM {role}")
    send(put("COMMENT ON SCHEMA {schema} IS {it}", schema=schema, it=literal(purpose)))
    send(
        f"""CREATE TABLE {schema}.{MANIFEST} (
    item pg_catalog.int4 PRIMARY KEY,
    format pg_catalog.int4 NOT NULL,
    statement pg_catalog.int4 NOT NULL,
    statement_kind pg_catalog.text NOT NULL,
    kind pg_catalog.text NOT NULL,
    relation pg_catalog.text NOT NULL,
    column_name pg_catalog.text,
    key_columns pg_catalog.text[] NOT NULL,
    columns pg_catalog.jsonb NOT NULL,
    stored_in pg_catalog.text NOT NULL,
    rows pg_catalog.int8 NOT NULL,
    owner pg_catalog.text NOT NULL,
    sequences pg_catalog.jsonb NOT NULL,
    run pg_catalog.uuid NOT NULL,
    version pg_catalog.text NOT NULL,
    script_sha256 pg_catalog.text NOT NULL,
    tool_version pg_catalog.text NOT NULL,
    created_at pg_catalog.timestamptz NOT NULL
)"""
    )


def _copy(
    connection: psycopg.Connection[Any],
    statement: Statement,
    source: Source,
    origin: Origin,
    send: Send,
    path: str,
) -> Item:
    schema = schema_of(origin.run)
    highest = put("SELECT coalesce(pg_catalog.max(item), 0) FROM {schema}.manifest", schema=schema)
    last = connection.execute(highest.encode()).fetchone()
    number = (last[0] if last else 0) + 1
    table = f"{schema}.{MANIFEST}"
    rows = 1
    if source.kind != "sequence":
        table = f"{schema}.statement_{statement.index}_item_{number}"
        rows = _fill(connection, source, table, send, path)
    item = Item(
        item=number,
        statement=statement.index,
        statement_kind=statement.effect.kind,
        kind=source.kind,
        relation=source.relation,
        column=source.column,
        key=source.key,
        columns=source.columns,
        table=table,
        rows=rows,
        owner=source.owner,
        counters=source.counters,
        version=origin.version,
    )
    send(_manifest_row(item, origin))
    return item


def _fill(
    connection: psycopg.Connection[Any], source: Source, table: str, send: Send, path: str
) -> int:
    """Copy the rows; return how many there are."""
    wanted = ", ".join(column.kept_as for column in source.columns)
    made = "CREATE TABLE {table} AS SELECT {wanted} FROM {rows}"
    if not source.query:
        whole = f"{'ONLY ' if source.alone else ''}{source.relation}"
        if source.column:
            # IS NOT NULL would be false of a row type that has a null in it.
            whole += f" WHERE {source.column} IS DISTINCT FROM NULL"
        with for_now(connection, CANONICAL):
            return send(put(made, table=table, wanted=wanted, rows=whole))
    chosen = f"(\n{source.query}\n) AS kept"
    if not any(column.as_text for column in source.columns):
        with for_now(connection, {"search_path": path}):
            return send(put(made, table=table, wanted=wanted, rows=chosen))
    # How a value is written as text depends on settings that must be ours, and which rows are
    # chosen on those of the script: one after the other.
    names, first = ", ".join(column.name for column in source.columns), f"{table}_as_it_is"
    with for_now(connection, {"search_path": path}):
        send(put(made, table=first, wanted=names, rows=chosen))
    with for_now(connection, CANONICAL):
        rows = send(put(made, table=table, wanted=wanted, rows=first))
        send(f"DROP TABLE {first}")
    return rows


def _manifest_row(item: Item, origin: Origin) -> str:
    columns = [{"name": c.name, "type": c.type, "as_text": c.as_text} for c in item.columns]
    values = [
        item.item,
        FORMAT,
        item.statement,
        item.statement_kind,
        item.kind,
        item.relation,
        item.column,
        list(item.key),
        msgspec.json.encode(columns).decode(),
        item.table,
        item.rows,
        item.owner,
        msgspec.json.encode(item.counters).decode(),
        origin.run,
        item.version,
        origin.script_sha256,
        origin.tool_version,
    ]
    return put(
        "INSERT INTO {schema}.manifest VALUES ({values}, pg_catalog.transaction_timestamp())",
        schema=schema_of(origin.run),
        values=sql.SQL(", ").join(map(literal, values)),
    )


def gone(connection: psycopg.Connection[Any], tables: Sequence[str]) -> tuple[str, ...]:
    """Return those of ``tables`` that are not there any more. Raises psycopg.Error."""
    with aside(connection, canonical=True) as cursor:
        rows = cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL",
            [list(tables)],
        ).fetchall()
    return tuple(row[0] for row in rows)
