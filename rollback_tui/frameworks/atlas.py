"""Atlas Community (https://atlasgo.io), versioned migrations, rules of version 0.3x.

One file a migration, ``VERSION_name.sql``, and one row each in
``atlas_schema_revisions.atlas_schema_revisions``. ``atlas migrate down`` is no part of the
community build. Rules from its source, Apache-2.0: ``cmd/atlas/internal/migrate``,
``sql/postgres/driver.go``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable, shorten
from rollback_tui.frameworks import files as migration_files
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

_COLUMNS = {
    "version": "character varying",
    "description": "character varying",
    "type": "bigint",
    "applied": "bigint",
    "total": "bigint",
    "executed_at": "timestamp with time zone",
    "hash": "character varying",
}
_OWN = ".atlas_cloud_identifier"
"""A row that is no revision: it names the table for Atlas Cloud."""

_LOCK = "atlas_migrate_execute"
_FORWARD = (
    "`atlas migrate new NAME`, write what undoes it there, `atlas migrate hash`, then"
    ' `atlas migrate apply --url "$DATABASE_URL"`'
)


class Atlas(NoDown):
    """Atlas' files, order and revision table."""

    name = "atlas"
    default_table = "atlas_schema_revisions"
    default_directories: tuple[str, ...] = (
        "migrations",
        "db/migrations",
        "ent/migrate/migrations",
        "atlas/migrations",
    )
    file_pattern = "VERSION_name.sql"
    forward = _FORWARD
    besides = (
        "(`atlas migrate down` plans a way back by itself, but it is no part of the community"
        " build, and what it plans is not this)"
    )
    about = About(
        title="Atlas",
        site="https://atlasgo.io",
        rules="0.38 (Community)",
        scripts="There are none in `VERSION_name.sql`. `atlas migrate down`, where there is a"
        " license for it, makes up a way back from the schema by itself.",
        newest="The row with the highest `version`, compared as text by the server.",
        outside="`-- atlas:txmode none`, of the file as a whole.",
        change="`DELETE FROM atlas_schema_revisions.atlas_schema_revisions WHERE version = '…'`:"
        " what `atlas migrate set` does with all that is newer. `atlas migrate apply` then takes"
        " the file for pending.",
        lock="The advisory lock of `atlas migrate apply`, by its usual name, held until the run"
        " ends.",
        tested="A table as its source makes it.",
        refused=(
            "A revision that failed: fewer statements are applied than the file has, or the table"
            " has an error. The message says how many, and which command goes on.",
        ),
        instead=instead(
            "Atlas Community",
            _FORWARD,
            "Its revision is deleted in the same transaction, as `atlas migrate set` would.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """By seven of its columns; ``version`` is the key."""
        columns = dict(shape.columns)
        return shape.primary_key == ("version",) and all(
            columns.get(name) == kind for name, kind in _COLUMNS.items()
        )

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the files that end in ``.sql``, in file-name order: what comes before the first
        underscore is the version."""
        found = []
        for name in migration_files.names(directory):
            if not name.endswith(".sql"):
                continue
            version, _, title = name.removesuffix(".sql").partition("_")
            path = str(directory / name)
            found.append(MigrationFile(version=version, name=title, path=path, down_path=None))
        return tuple(found)

    def history_sql(self, table: VersionTable) -> str:
        """All revisions; the server's own collation orders them for Atlas, too."""
        return (
            "SELECT version, description, applied, total, error, executed_at"  # noqa: S608 - quoted
            f" FROM {table.quoted} WHERE version <> '{_OWN}' ORDER BY version DESC"
        )

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """Newest first, as the server ordered them."""
        paths = {file.version: file.path for file in files}
        applied = tuple(
            AppliedMigration(
                version=str(version),
                name=str(description or ""),
                applied_at=at if isinstance(at, datetime) else None,
                path=paths.get(str(version)),
            )
            for version, description, _, _, _, at in rows
        )
        problem = ""
        for place, (version, _, done, total, error, _) in enumerate(rows):
            if error or int(str(done)) < int(str(total)):
                below = applied[place + 1].version if place + 1 < len(applied) else ""
                problem = _failed(str(version), f"{done} of {total}", str(error or ""), below)
                break
        return History(applied=applied, problem=problem)

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole file. One with a delimiter of its own is not read."""
        if applied.path is None:
            return no_file(directory, applied.version)
        path = Path(applied.path)
        try:
            data = migration_files.read(path.parent, path.name)
        except FileNotFoundError:
            return Missing(why=f"{printable(applied.path)} does not exist")
        directives = dict(_DIRECTIVE.findall(data))
        if b"delimiter" in directives:
            return Missing(
                why=f"{printable(path.name)} has a delimiter of its own, not a semicolon"
            )
        return Source(
            path=applied.path,
            data=data,
            start=0,
            end=len(data),
            transactional=directives.get(b"txmode") != b"none",
        )

    def lock_sql(self, database: str, table: VersionTable) -> str | None:  # noqa: ARG002
        """Take the lock of ``atlas migrate apply``: FNV-1 (32 bits) of its name."""
        return f"SELECT pg_catalog.pg_try_advisory_lock({_fnv1(_LOCK)})"


_DIRECTIVE = re.compile(rb"^--[ \t]*atlas:(\w+)[ \t]+(\S+)", re.MULTILINE)


def _failed(version: str, done: str, error: str, below: str) -> str:
    why = f" ({shorten(error, 120)})" if error else ""
    set_ = f"`atlas migrate set {printable(below)}`" if below else "empty its revision table"
    return (
        f"revision {printable(version)} of Atlas failed: {done} statements are applied{why}."
        " Correct the file and go on with `atlas migrate apply`; or undo by hand what is applied"
        f" of it, and {set_}."
    )


def _fnv1(text: str) -> int:
    """Return FNV-1 with 32 bits, Go's ``fnv.New32``."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value * 0x01000193) % 2**32 ^ byte
    return value
