"""Which archives there are, and dropping one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from rollback_tui.core.text import printable
from rollback_tui.postgres.archive.contents import (
    FORMAT,
    MANIFEST,
    PREFIX,
    TABLE,
    Archive,
    ArchiveError,
    Item,
)
from rollback_tui.postgres.archive.values import Column, Counter
from rollback_tui.postgres.aside import aside, for_now, query

_FOLDER = re.compile(r"^\d{8}_\d{6}_(?=[0-9a-f]{8}$)")
"""What stands before the id in the name of a run's folder: when it began."""


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
        sql.Identifier(archive.schema, MANIFEST)
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
    if any(row["format"] != FORMAT or not TABLE.fullmatch(row["stored_in"]) for row in rows):
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
    """Return the archive of a run: its id, the beginning of it, the name of the run's folder, or
    the schema's name.

    Raises ArchiveError and psycopg.Error.
    """
    there = archives(connection)
    wanted = _FOLDER.sub("", run.lower()).removeprefix(PREFIX)
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
            tables = [item.table for item in archive.items if not item.table.endswith(MANIFEST)]
            for table in (*tables, f"{archive.schema}.{MANIFEST}"):
                connection.execute(f"DROP TABLE IF EXISTS {table}".encode())
            connection.execute(f"DROP SCHEMA {archive.schema}".encode())
    except psycopg.Error as error:
        why = printable(error.diag.message_primary or " ".join(str(error).split()))
        detail = printable(error.diag.message_detail or "")
        raise ArchiveError(
            f"{archive.schema} was not dropped: {why}" + (f" ({detail})" if detail else ""),
            "Look into the schema: something in it, or on it, is not ours.",
        ) from None
