"""What a run kept: schema ``rollback_archive_<run>`` of the target, made in the transaction that
removed the data, so that both are there or neither.

Each thing that was kept is one table, and one row of the table ``manifest``. Nothing in it depends
on a type, a collation or a table of the application, so nothing of the application is kept from
being dropped, and no CASCADE reaches it. It is in no comparison and no count of this tool; a dump
has it. Statements for a migration framework's own tables find nothing there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Statement, Value
from rollback_tui.core.text import printable
from rollback_tui.postgres.archive_sql import literal, put
from rollback_tui.postgres.archive_values import Column, Counter, Kind, Source
from rollback_tui.postgres.aside import CANONICAL, aside, for_now, query

PREFIX = "rollback_archive_"
MARK = "rollback-tui archive of run "
"""How the comment on each archive's schema begins; the run's id follows."""

FORMAT = 1
_MANIFEST = "manifest"
_TABLE = re.compile(rf"{PREFIX}[0-9a-f]{{8}}\.(manifest|statement_\d+_item_\d+)")
"""What a manifest may name as a table of its own."""

Send = Callable[[str], int]
"""Sends one statement that changes something, and returns how many rows it was about."""


class ArchiveError(RollbackTuiError):
    """An archive cannot be read, restored or dropped; nothing was changed."""


class Origin(Value, frozen=True, kw_only=True):
    """Of what run and script the data is."""

    run: str
    """UUID."""
    tool_version: str
    version: str
    """Of the migration."""
    script_sha256: str


class Item(Value, frozen=True, kw_only=True):
    """One thing that was kept: a row of the manifest."""

    item: int
    """From 1, in the order in which they were kept."""
    statement: int
    statement_kind: str
    kind: Kind
    relation: str
    """Where it came from, qualified and quoted where needed."""
    column: str | None
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    table: str
    """Where it is, qualified: of a sequence, the manifest itself."""
    rows: int
    owner: str
    counters: tuple[Counter, ...]
    version: str

    def describe(self) -> str:
        """Return it as words: ``42 values of public.users.verified_at``."""
        kept = Source(kind=self.kind, relation=self.relation, column=self.column)
        return kept.describe(self.rows)


class Archive(Value, frozen=True, kw_only=True):
    """One archive of the target."""

    schema: str
    run: str
    """UUID."""
    owner: str
    bytes: int
    created_at: datetime | None = None
    items: tuple[Item, ...] = ()
    problem: str = ""
    """Why its manifest could not be read; empty when it could."""

    @property
    def versions(self) -> tuple[str, ...]:
        """The migrations whose data it holds."""
        return tuple(dict.fromkeys(item.version for item in self.items))


def schema_of(run: str) -> str:
    """Return the name of the schema for a run (UUID)."""
    return f"{PREFIX}{run[:8]}"


# --- making -------------------------------------------------------------------------------------


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
        f"""CREATE TABLE {schema}.{_MANIFEST} (
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
    table = f"{schema}.{_MANIFEST}"
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


# --- looking, dropping ----------------------------------------------------------------------------


def archives(connection: psycopg.Connection[Any]) -> tuple[Archive, ...]:
    """Return the archives of this database, newest first. Raises psycopg.Error."""
    with aside(connection, canonical=True) as cursor:
        rows = cursor.execute(query("archives").encode()).fetchall()
    found = []
    for schema, run, owner, trusted, size in rows:
        archive = Archive(schema=schema, run=run, owner=owner, bytes=size)
        if trusted:
            found.append(_read(connection, archive))
        else:
            # What it holds may be views that call functions of its owner with our rights.
            why = f"it belongs to {printable(owner)}, not to this role"
            found.append(msgspec.structs.replace(archive, problem=why))
    epoch = datetime.min
    return tuple(
        sorted(
            found,
            key=lambda a: a.created_at.replace(tzinfo=None) if a.created_at else epoch,
            reverse=True,
        )
    )


def _read(connection: psycopg.Connection[Any], archive: Archive) -> Archive:
    text = sql.SQL("SELECT * FROM {} ORDER BY item").format(
        sql.Identifier(archive.schema, _MANIFEST)
    )
    try:
        with aside(connection, canonical=True) as plain:
            cursor = plain.connection.cursor(row_factory=dict_row)
            rows = cursor.execute(text).fetchall()
    except psycopg.Error as error:
        if connection.broken:
            raise
        why = printable(error.diag.message_primary or " ".join(str(error).split()))
        return msgspec.structs.replace(archive, problem=why)
    if any(row["format"] != FORMAT or not _TABLE.fullmatch(row["stored_in"]) for row in rows):
        return msgspec.structs.replace(
            archive, problem="it was made by another version of rollback-tui"
        )
    return msgspec.structs.replace(
        archive,
        created_at=min((row["created_at"] for row in rows), default=None),
        items=tuple(_item(row) for row in rows),
    )


def _item(row: dict[str, Any]) -> Item:
    return Item(
        item=row["item"],
        statement=row["statement"],
        statement_kind=row["statement_kind"],
        kind=row["kind"],
        relation=row["relation"],
        column=row["column_name"],
        key=tuple(row["key_columns"]),
        columns=msgspec.convert(row["columns"], tuple[Column, ...]),
        table=row["stored_in"],
        rows=row["rows"],
        owner=row["owner"],
        counters=msgspec.convert(row["sequences"], tuple[Counter, ...]),
        version=row["version"],
    )


def find(connection: psycopg.Connection[Any], run: str) -> Archive:
    """Return the archive of a run: its id, the beginning of it, or the schema's name.

    Raises ArchiveError and psycopg.Error.
    """
    there = archives(connection)
    wanted = run.lower().removeprefix(PREFIX)
    found = [a for a in there if wanted and a.run.startswith(wanted)]
    if len(found) != 1:
        known = ", ".join(a.run[:8] for a in there) or "there is none in this database"
        raise ArchiveError(
            f"no archive of run {run}" if not found else f"{run} may be several archives",
            f"See `rollback-tui archive list`: {known}.",
        )
    return found[0]


def drop(
    connection: psycopg.Connection[Any],
    archive: Archive,
    *,
    limits: Mapping[str, str] | None = None,
) -> None:
    """Drop an archive, for good. What somebody else put into its schema, or made to depend on it,
    stops that. ``limits`` are settings for the transaction. Raises ArchiveError; nothing was
    changed then."""
    if archive.problem:
        raise ArchiveError(
            f"{archive.schema} was not dropped: {archive.problem}", "Drop it by hand, as its owner."
        )
    try:
        with connection.transaction(), for_now(connection, dict(limits or {})):
            tables = [item.table for item in archive.items if not item.table.endswith(_MANIFEST)]
            for table in (*tables, f"{archive.schema}.{_MANIFEST}"):
                connection.execute(f"DROP TABLE IF EXISTS {table}".encode())
            connection.execute(f"DROP SCHEMA {archive.schema}".encode())
    except psycopg.Error as error:
        why = printable(error.diag.message_primary or " ".join(str(error).split()))
        detail = printable(error.diag.message_detail or "")
        raise ArchiveError(
            f"{archive.schema} was not dropped: {why}" + (f" ({detail})" if detail else ""),
            "Look into the schema: something in it, or on it, is not ours.",
        ) from None
