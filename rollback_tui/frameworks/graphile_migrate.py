"""graphile-migrate (https://github.com/graphile/migrate), rules of version 1.4.

Committed migrations are files ``000001.sql`` or ``000001-slug.sql`` in ``migrations/committed``,
each with the hash of the one before in its header; one row each in ``graphile_migrate.migrations``.
Rules from its source, MIT: ``src/migration.ts``, ``src/pgReal.ts``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks import whole_files
from rollback_tui.frameworks.base import no_file
from rollback_tui.frameworks.no_down import NoDown, instead
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import literal

_FILE = re.compile(r"([0-9]+)(?:-([-_a-zA-Z0-9]*))?\.sql", re.ASCII)
_HEADER = re.compile(rb"--! ([A-Z][a-zA-Z0-9_]*)(?::(.*))?\n")
_NO_TRANSACTION = re.compile(rb"--!\s*no-transaction\b")
_PLACEHOLDER = re.compile(rb"(?<!:):[A-Z][0-9A-Z_]+\b")
_COMMITTED = "committed"
_LOCK = 4727445306447283
_FORWARD = (
    "write what undoes it into `migrations/current.sql`, then `graphile-migrate commit` where you"
    " develop, and `graphile-migrate migrate` here"
)


class GraphileMigrate(NoDown):
    """graphile-migrate's files, order and table."""

    name = "graphile-migrate"
    default_table = "migrations"
    default_directories: tuple[str, ...] = ("migrations", "db/migrations", "database/migrations")
    file_pattern = "committed/000001.sql, committed/000001-slug.sql"
    version_column = "filename"
    forward = _FORWARD
    besides = (
        "(`graphile-migrate uncommit` runs nothing: it takes the file and the row away, where one"
        " develops)"
    )
    about = About(
        title="graphile-migrate",
        site="https://github.com/graphile/migrate",
        rules="1.4",
        scripts="There are none: a committed migration has one direction.",
        newest="The row with the highest `filename`, compared as text by the server.",
        outside="`--! no-transaction`, the first line below the header.",
        change="`DELETE FROM graphile_migrate.migrations WHERE filename = '…'`, as"
        " `graphile-migrate uncommit` does it. `graphile-migrate migrate` then takes the file for"
        " pending.",
        lock="`pg_try_advisory_lock(4727445306447283)`, held until the run ends.",
        tested="The real graphile-migrate 1.4 from npm.",
        instead=instead(
            "graphile-migrate",
            _FORWARD,
            "Its row is deleted in the same transaction: it is pending again.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """Exactly its four columns; the hash is the key."""
        return dict(shape.columns) == {
            "hash": "text",
            "previous_hash": "text",
            "filename": "text",
            "date": "timestamp with time zone",
        } and shape.primary_key == ("hash",)

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the files of ``committed``, in the order of their names. The table has the number
        and ``.sql``, without the slug."""
        here = directory if directory.name == _COMMITTED else directory / _COMMITTED
        if not here.is_dir():
            return ()
        found = []
        for name in migration_files.names(here):
            match = _FILE.fullmatch(name)
            if match:
                found.append(
                    MigrationFile(
                        version=f"{match[1]}.sql",
                        name=match[2] or "",
                        path=str(here / name),
                        down_path=None,
                    )
                )
        return tuple(sorted(found, key=lambda file: file.version))

    def history_sql(self, table: VersionTable) -> str:
        """All rows, in the order in which it looks for the last one."""
        return f"SELECT filename, date FROM {table.quoted} ORDER BY filename DESC"  # noqa: S608 - quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """Newest first, as the server ordered them."""
        known = {file.version: file for file in files}
        applied = []
        for version, at in rows:
            file = known.get(str(version))
            applied.append(
                AppliedMigration(
                    version=str(version),
                    name=file.name if file else "",
                    applied_at=at if isinstance(at, datetime) else None,
                    path=file.path if file else None,
                )
            )
        return History(applied=tuple(applied))

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the file below its header. What has placeholders is not read: their values are in
        its own configuration."""
        if applied.path is None:
            return no_file(directory, applied.version)
        path = Path(applied.path)
        found = whole_files.whole(path.parent, applied.path)
        if isinstance(found, Missing):
            return found
        start = _below_header(found.data)
        # It trims the body: blank lines before the mark do not count.
        body = found.data[start:].lstrip()
        if placeholder := _PLACEHOLDER.search(body):
            word = placeholder[0].decode()
            return Missing(why=f"{printable(path.name)} has the placeholder {word}")
        return Source(
            path=applied.path,
            data=found.data,
            start=start,
            end=found.end,
            transactional=not _NO_TRANSACTION.match(body),
        )

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the row with the hashes of the file's header. Raises FrameworkError."""
        data = b""
        if applied.path is not None:
            path = Path(applied.path)
            found = whole_files.whole(path.parent, applied.path)
            data = b"" if isinstance(found, Missing) else found.data
        header = {key.decode(): value.decode().strip() for key, value in _headers(data)}
        if not header.get("Hash") or not header.get("Previous"):
            raise FrameworkError(
                f"the file of {printable(applied.version)} has no header with its hashes",
                "Apply it with `graphile-migrate migrate`.",
            )
        before = "NULL" if header["Previous"] == "-" else literal(header["Previous"])
        values = f"{literal(header['Hash'])}, {before}, {literal(applied.version)}"
        return (f"INSERT INTO {table.quoted} (hash, previous_hash, filename) VALUES ({values})",)  # noqa: S608 - quoted

    def lock_sql(self, database: str, table: VersionTable) -> str | None:  # noqa: ARG002
        """Take the lock of ``graphile-migrate migrate``."""
        return f"SELECT pg_catalog.pg_try_advisory_lock({_LOCK})"


def _headers(data: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    place = 0
    while match := _HEADER.match(data, place):
        found.append((match[1], match[2] or b""))
        place = match.end()
    return found


def _below_header(data: bytes) -> int:
    """Return where the SQL begins: the header's lines stand at the very top."""
    place = 0
    while match := _HEADER.match(data, place):
        place = match.end()
    return place
