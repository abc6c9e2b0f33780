"""golang-migrate (https://github.com/golang-migrate/migrate), rules of version 4.19.

A pair of files a migration, ``V_name.up.sql`` and ``V_name.down.sql``. The table
``schema_migrations(version bigint primary key, dirty boolean)`` has ONE row: the newest version.
That everything older is applied as well is its assumption, and therefore ours.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.base import Base, no_file
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.whole_files import NumberedPairs

_FILE = re.compile(r"([0-9]+)_(.*)\.(down|up)\.(.*)", re.ASCII)
_LARGEST = 2**64 - 1
_LOCK_SALT = 1486364155
_NOTHING = -1
"""What it stores when the very first migration failed on its way down."""


class GolangMigrate(Base):
    """golang-migrate's files, order and version table."""

    name = "golang-migrate"
    default_table = "schema_migrations"
    # The tool has no default (-path is compulsory): these are what projects use.
    default_directories: tuple[str, ...] = (
        "migrations",
        "db/migrations",
        "db/migration",
        "database/migrations",
        "sql/migrations",
        "internal/db/migrations",
    )
    file_pattern = "VERSION_name.up.sql and VERSION_name.down.sql"
    about = About(
        title="golang-migrate",
        site="https://github.com/golang-migrate/migrate",
        rules="4.19",
        scripts="The whole file `VERSION_name.down.sql`.",
        newest="The version in the table. Every file with a lower number counts as applied, as it "
        "does for the tool.",
        outside="none.",
        change="`TRUNCATE`, then `INSERT` of the version below with `dirty = false`. Below the "
        "first migration the table stays empty.",
        lock="The advisory locks of its command line and of its library, held until the run ends.",
        tested="Recorded behaviour of 4.19.",
        refused=(
            "A table marked **dirty**: what is in the schema is then not known. The message says "
            "what to repair and which `migrate force` to call.",
            "More than one row in the version table.",
            "Two files with the same version and direction.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """Exactly ``version bigint`` and ``dirty boolean``."""
        return dict(shape.columns) == {"version": "bigint", "dirty": "boolean"}

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the pairs, in the order of their versions as numbers: ``9`` before ``10``.

        Raises FrameworkError when two files claim the same version and direction, as the tool
        itself does.
        """
        pairs = NumberedPairs(
            "up", "down", "golang-migrate refuses that as well: give one of them its own version."
        )
        titles: dict[int, str] = {}
        for name in migration_files.names(directory):
            match = _FILE.fullmatch(name)
            if not match or int(match[1]) > _LARGEST:
                continue
            version, direction = int(match[1]), match[3]
            pairs.add(version, direction, name)
            titles.setdefault(version, match[2])
        return pairs.files(directory, titles)

    def history_sql(self, table: VersionTable) -> str:
        """All rows; there should be one, or none."""
        return f"SELECT version, dirty FROM {table.quoted}"  # noqa: S608 - the name is quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """The row's version and every file below it, newest first by number."""
        if not rows:
            return History(applied=())
        version, dirty = max((int(str(row[0])), bool(row[1])) for row in rows)
        applied = [
            AppliedMigration(version=file.version, name=file.name, path=file.path)
            for file in files
            if int(file.version) <= version
        ]
        if version > _NOTHING and str(version) not in {m.version for m in applied}:
            applied.append(AppliedMigration(version=str(version), name=""))
        applied.sort(key=lambda migration: int(migration.version), reverse=True)
        return History(applied=tuple(applied), problem=_problem(len(rows), version, dirty))

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole ``.down.sql`` file.

        It has no mark for scripts that cannot run in a transaction. Where it is missing the tool
        itself takes the version away and leaves the schema; we do not.
        """
        return self._whole(applied, directory, "down")

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole ``.up.sql`` file."""
        return self._whole(applied, directory, "up")

    def _whole(
        self, applied: AppliedMigration, directory: Path, direction: Literal["up", "down"]
    ) -> Source | Missing:
        version = printable(applied.version)
        file = next((f for f in self.files(directory) if f.version == applied.version), None)
        if file is None:
            return no_file(directory, applied.version)
        missing = Missing(
            why=f"version {version} has no .{direction}.sql file beside"
            f" {printable(Path(file.path).name)}"
        )
        # A pair without its up file is shown by its down file.
        up_path = None if file.path == file.down_path else file.path
        path = file.down_path if direction == "down" else up_path
        if path is None:
            return missing
        try:
            data = migration_files.read(directory, Path(path).name)
        except FileNotFoundError:
            return missing
        return Source(path=path, data=data, start=0, end=len(data))

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,  # noqa: ARG002
        previous: AppliedMigration | None,
    ) -> tuple[str, ...]:
        """Empty the table and write the version below; below the first one it stays empty.

        The tool also writes (previous, true) before the script: a mark for a failure half-way,
        which in one transaction nobody could ever see.
        """
        truncate = f"TRUNCATE {table.quoted}"
        if previous is None:
            return (truncate,)
        values = f"VALUES ({int(previous.version)}, false)"
        insert = f"INSERT INTO {table.quoted} (version, dirty) {values}"
        return (truncate, insert)

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Empty the table and write the version (``SetVersion`` of its driver).

        The tool also writes (version, true) before the script, as on the way down.
        """
        values = f"VALUES ({int(applied.version)}, false)"
        return (
            f"TRUNCATE {table.quoted}",
            f"INSERT INTO {table.quoted} (version, dirty) {values}",
        )

    def lock_sql(self, database: str, table: VersionTable) -> str | None:
        """Take the advisory locks of its command line and of its library.

        The command line hashes the path of the URL, which has a leading ``/``; the library, when
        it is handed an open connection, hashes ``current_database()``, which has none.
        """
        keys = (lock_key(f"/{database}", table), lock_key(database, table))
        return "SELECT " + " AND ".join(f"pg_try_advisory_lock({key})" for key in keys)


def lock_key(database: str, table: VersionTable) -> int:
    """Return the key of the advisory lock, as ``GenerateAdvisoryLockId`` computes it.

    CRC-32 of schema, table and database name, joined by NUL; times a salt, in 32 bits unsigned.
    """
    text = "\0".join((table.schema, table.name, database))
    return zlib.crc32(text.encode()) * _LOCK_SALT % 2**32


def _problem(rows: int, version: int, dirty: bool) -> str:
    if rows > 1:
        return (
            f"The version table has {rows} rows; golang-migrate keeps exactly one there. Find out "
            "who wrote them, and leave only the row of the version that is really applied."
        )
    if version < _NOTHING:
        return (
            f"The version table says {version}, which golang-migrate never writes. Find out which "
            "version is really applied, and say so with `migrate force VERSION`."
        )
    if dirty and version == _NOTHING:
        return (
            "The version table is marked dirty with no version: the first migration failed on its "
            "way down. Bring the schema by hand to where nothing is applied, or back to the first "
            "version; then say so with `migrate force -1` or `migrate force VERSION`."
        )
    if dirty:
        return (
            f"The version table is marked dirty at {version}: golang-migrate failed in the middle "
            f"of going up to {version}, or down to it, so what is in the schema is not known. "
            "Complete or undo that migration by hand, then say which version is applied with "
            "`migrate force VERSION`."
        )
    return ""
