"""Prisma Migrate (https://www.prisma.io), rules of version 6 (recorded, and its engine's source).

A directory a migration, ``TS_name`` with ``migration.sql``. Prisma has no way back: a ``down.sql``
beside it is a convention that teams follow by hand. A row for each attempt to apply one in
``_prisma_migrations``. An advisory lock, the same for all databases.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks.base import Base, no_file
from rollback_tui.frameworks.own_settings import json_settings, text_at
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import literal
from rollback_tui.frameworks.search_path import elsewhere, refusal
from rollback_tui.frameworks.whole_files import contents, relative, subdirectories, whole

_LOCK = 72707369
_COLUMNS = {
    "id": "character varying",
    "checksum": "character varying",
    "finished_at": "timestamp with time zone",
    "migration_name": "character varying",
    "logs": "text",
    "rolled_back_at": "timestamp with time zone",
    "started_at": "timestamp with time zone",
    "applied_steps_count": "integer",
}
_DIFF = (
    "`prisma migrate diff` can write one, from the schema as it is now to the schema.prisma of the "
    "version below"
)
_WAYS = (
    f"either put a down.sql there: {_DIFF}",
    "or write the SQL that takes it back into FILE: `rollback-tui --script FILE`, without a screen "
    "`rollback-tui run --script FILE --confirm DATABASE`",
    "or bring back what was there before: `rollback-tui checkpoint list`, then `rollback-tui "
    "checkpoint restore NAME --into NEW_DATABASE`; or your own backup",
    "or fix forward with a new migration",
)
_INSTEAD = (
    f"{_DIFF}; a script from anywhere is taken with --script FILE; or go back with a backup, "
    "or forward with a new migration"
)


class Prisma(Base):
    """Prisma's directories, order and table."""

    name = "prisma"
    default_table = "_prisma_migrations"
    default_directories: tuple[str, ...] = ("prisma/migrations", "prisma/schema/migrations")
    file_pattern = "TIMESTAMP_name/migration.sql and TIMESTAMP_name/down.sql"
    about = About(
        title="Prisma",
        site="https://www.prisma.io",
        rules="6",
        scripts="The whole file `TIMESTAMP_name/down.sql` beside `migration.sql`. Prisma itself "
        f"neither makes nor runs such a file. Where there is none: {_INSTEAD}.",
        newest="The migration that was started last, of those that were finished and not marked "
        "as rolled back: the order in which Prisma's engine lists its table.",
        outside="none: Prisma sends each file as one query.",
        change="The row is **deleted**: `prisma migrate status` then says that the migration has "
        "not been applied, and `migrate deploy` applies it again. (To set `rolled_back_at`, as "
        "`migrate resolve` does for a failed one, makes `status` wrong.) Rows of earlier attempts "
        "that are marked as rolled back stay.",
        lock="Prisma's advisory lock, 72707369, held until the run ends.",
        tested="Recorded behaviour of Prisma 6, and its engine's source; no program was run.",
        refused=(
            "A migration that was started and neither finished nor rolled back: it failed, or is "
            "running. See `prisma migrate resolve`.",
            "A table in another schema than the one that comes first in the connection's "
            "`search_path`: Prisma puts the one of its URL there.",
        ),
    )

    def configured_directories(self, project: Path) -> tuple[str, ...]:
        """Beside the schema that ``package.json`` names; ``prisma.config.ts`` is code."""
        named = text_at(json_settings(project, "package.json"), "prisma", "schema")
        if not named:
            return ()
        schema = Path(named)
        return (str((schema.parent if schema.suffix == ".prisma" else schema) / "migrations"),)

    def recognises(self, shape: TableShape) -> bool:
        """The eight columns with their types."""
        columns = {name: kind.partition("(")[0] for name, kind in shape.columns}
        return columns == _COLUMNS and shape.primary_key == ("id",)

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the directories with a ``migration.sql`` or a ``down.sql``, by name."""
        found = []
        for name in subdirectories(directory):
            up, down = directory / name / "migration.sql", directory / name / "down.sql"
            if up.is_file() or down.is_file():
                stamp, _, title = name.partition("_")
                found.append(
                    MigrationFile(
                        version=name,
                        name=title or stamp,
                        path=str(up if up.is_file() else down),
                        down_path=str(down) if down.is_file() else None,
                    )
                )
        return tuple(found)

    def history_sql(self, table: VersionTable) -> str:
        """All rows that are not marked as rolled back, newest first."""
        return (
            f"SELECT migration_name, finished_at, {elsewhere(table)} FROM {table.quoted}"  # noqa: S608 - quoted
            " WHERE rolled_back_at IS NULL ORDER BY started_at DESC, migration_name DESC"
        )

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """Finished is applied; what is not finished has failed, or is running."""
        known = {file.version: file for file in files}
        applied: dict[str, AppliedMigration] = {}
        failed, moved = "", ""
        for name, finished, schema in rows:
            version = str(name)
            moved = refusal("Prisma", schema)
            if not isinstance(finished, datetime):
                failed = version
                continue
            file = known.get(version)
            applied.setdefault(
                version,
                AppliedMigration(
                    version=version,
                    name=file.name if file else version.partition("_")[2],
                    applied_at=finished,
                    path=file.path if file else None,
                ),
            )
        return History(applied=tuple(applied.values()), problem=_problem(failed) or moved)

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole ``down.sql``; and when there is none, what can be done."""
        if applied.path is None:
            return no_file(directory, applied.version)
        place = Path(relative(directory, applied.path)).parent
        script = whole(directory, str(directory / place / "down.sql"))
        if isinstance(script, Missing):
            return Missing(
                why="\n".join(
                    (
                        f"{printable(str(place))} has no down.sql, and Prisma has no down "
                        "migrations of its own",
                        *_WAYS,
                    )
                )
            )
        return script

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole ``migration.sql``."""
        if applied.path is None:
            return no_file(directory, applied.version)
        place = Path(relative(directory, applied.path)).parent
        return whole(directory, str(directory / place / "migration.sql"))

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete the row that counts. Prisma has no such change of its own; it was recorded that
        it takes this for *not applied*."""
        name = literal(rolled_back.version)
        return (
            f"DELETE FROM {table.quoted} WHERE migration_name = {name}"  # noqa: S608 - quoted
            " AND rolled_back_at IS NULL",
        )

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the row as the engine leaves it: started, one step done, finished.

        Raises FrameworkError when the file is gone, whose SHA-256 belongs into the row.
        """
        checksum = hashlib.sha256(contents(applied)).hexdigest()
        columns = "id, checksum, migration_name, started_at, finished_at, applied_steps_count"
        return (
            f"INSERT INTO {table.quoted} ({columns}) VALUES (gen_random_uuid()::text,"  # noqa: S608 - quoted
            f" '{checksum}', {literal(applied.version)}, clock_timestamp(), clock_timestamp(), 1)",
        )

    def stale_files(self, directory: Path) -> tuple[str, ...]:
        """``schema.prisma``, which describes the newest version and which nobody rewrites."""
        schema = directory.parent / "schema.prisma"
        return (str(schema),) if schema.is_file() else ()

    def lock_sql(self, database: str, table: VersionTable) -> str | None:  # noqa: ARG002
        """Take the lock that ``migrate deploy`` and ``migrate dev`` take."""
        return f"SELECT pg_try_advisory_lock({_LOCK})"


def _problem(failed: str) -> str:
    if not failed:
        return ""
    name = printable(failed)
    return (
        f"Prisma began the migration {name} and did not finish it: it failed, or is running right "
        "now, and what is in the schema is not known. Complete or undo it by hand; then say which "
        f"with `prisma migrate resolve --applied {name}` or `--rolled-back {name}`."
    )
