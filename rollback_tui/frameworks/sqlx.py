"""sqlx (https://github.com/launchbadge/sqlx), rules of version 0.8, read from its source.

``V_name.up.sql`` and ``V_name.down.sql``; a simple migration, ``V_name.sql``, has no way back. One
row for each applied version in ``_sqlx_migrations(version bigint primary key, description,
installed_on, success, checksum, execution_time)``. Its library takes an advisory lock.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.base import Base, no_file
from rollback_tui.frameworks.own_settings import text_at, toml_settings
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import literal
from rollback_tui.frameworks.whole_files import NumberedPairs, contents, whole

_FILE = re.compile(r"(\d+)_(.*)\.sql", re.ASCII | re.DOTALL)
_LARGEST = 2**63 - 1
_NO_TRANSACTION = b"-- no-transaction"
_LOCK_SALT = 0x3D32AD9E
_COLUMNS = {
    "version": "bigint",
    "description": "text",
    "installed_on": "timestamp with time zone",
    "success": "boolean",
    "checksum": "bytea",
    "execution_time": "bigint",
}


class Sqlx(Base):
    """sqlx's files, order and version table."""

    name = "sqlx"
    default_table = "_sqlx_migrations"
    default_directories: tuple[str, ...] = ("migrations", "db/migrations")
    file_pattern = "VERSION_name.up.sql and VERSION_name.down.sql"
    about = About(
        title="sqlx",
        site="https://github.com/launchbadge/sqlx",
        rules="0.8 (its source)",
        scripts="The whole file `VERSION_name.down.sql`, in the directory that `sqlx.toml` names "
        "or in a usual one.",
        newest="The highest version in the table. A simple migration (`VERSION_name.sql`) is "
        "passed over by `sqlx migrate revert`, which then reverts an older one; here it counts, "
        "and stops the rollback, for it has no way back.",
        outside="`-- no-transaction` as the very first bytes of the down file.",
        change="`DELETE FROM _sqlx_migrations WHERE version = …`.",
        lock="The advisory lock of its library, 0x3d32ad9e times the CRC-32 of the database's "
        "name, held until the run ends.",
        tested="Against its source; no program was run.",
        refused=(
            "A row with `success = false`: what is in the schema is then not known.",
            "Two files with the same version and direction.",
        ),
    )

    def configured_directories(self, project: Path) -> tuple[str, ...]:
        """``migrations-dir`` of ``[migrate]`` in ``sqlx.toml``."""
        named = text_at(toml_settings(project, "sqlx.toml"), "migrate", "migrations-dir")
        return (named,) if named else ()

    def recognises(self, shape: TableShape) -> bool:
        """The six columns with their types."""
        return dict(shape.columns) == _COLUMNS and shape.primary_key == ("version",)

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the migrations, in the order of their versions as numbers.

        Raises FrameworkError when two files claim the same version and direction: sqlx would take
        one of them by chance.
        """
        pairs = NumberedPairs("up", "down", "Give one of them its own version.")
        titles: dict[int, str] = {}
        for name in migration_files.names(directory):
            match = _FILE.fullmatch(name)
            if not match or int(match[1]) > _LARGEST:
                continue
            title = match[2]
            way = "down" if title.endswith(".down") else "up"
            pairs.add(int(match[1]), way, name)
            titles.setdefault(int(match[1]), title.removesuffix(".down").removesuffix(".up"))
        return pairs.files(directory, titles)

    def history_sql(self, table: VersionTable) -> str:
        """All rows, newest first."""
        return (
            f"SELECT version, description, installed_on, success FROM {table.quoted}"  # noqa: S608 - quoted
            " ORDER BY version DESC"
        )

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """Every row is applied, or half applied: then sqlx does not go on, and neither do we."""
        known = {file.version: file for file in files}
        applied, failed = [], []
        for version, title, when, success in rows:
            file = known.get(str(version))
            applied.append(
                AppliedMigration(
                    version=str(version),
                    name=file.name if file else str(title),
                    applied_at=when if isinstance(when, datetime) else None,
                    path=file.path if file else None,
                )
            )
            if not success:
                failed.append(str(version))
        return History(applied=tuple(applied), problem=_problem(failed))

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole ``.down.sql`` file."""
        file = next((f for f in self.files(directory) if f.version == applied.version), None)
        if file is None:
            return no_file(directory, applied.version)
        if file.down_path is None:
            name = Path(file.path).name
            simple = "" if name.endswith(".up.sql") else ": it is a simple migration"
            return Missing(
                why=f"version {printable(applied.version)} has no .down.sql file beside "
                f"{printable(name)}{simple}"
            )
        return _read(directory, file.down_path)

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole ``.up.sql`` file, or the one of a simple migration."""
        file = next((f for f in self.files(directory) if f.version == applied.version), None)
        if file is None:
            return no_file(directory, applied.version)
        if file.path == file.down_path:
            return Missing(
                why=f"version {printable(applied.version)} has no .up.sql file beside "
                f"{printable(Path(file.path).name)}"
            )
        return _read(directory, file.path)

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete the version's row (``revert`` of its driver)."""
        version = int(rolled_back.version)
        return (f"DELETE FROM {table.quoted} WHERE version = {version}",)  # noqa: S608 - quoted

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the row (``apply`` of its driver). How long it took, which the tool writes after
        COMMIT, stays at the -1 that it writes first.

        Raises FrameworkError when the file is gone, whose SHA-384 belongs into the row.
        """
        data = contents(applied)
        match = _FILE.fullmatch(Path(applied.path or "").name)
        title = match[2].removesuffix(".up") if match else applied.name
        checksum = f"decode('{hashlib.sha384(data).hexdigest()}', 'hex')"
        values = f"{int(applied.version)}, {literal(title.replace('_', ' '))}, true, {checksum}, -1"
        columns = "version, description, success, checksum, execution_time"
        return (f"INSERT INTO {table.quoted} ({columns}) VALUES ({values})",)  # noqa: S608 - quoted

    def stale_files(self, directory: Path) -> tuple[str, ...]:
        """What ``cargo sqlx prepare`` keeps of queries and their types beside the migrations."""
        kept = (directory.parent / name for name in (".sqlx", "sqlx-data.json"))
        return tuple(str(path) for path in kept if path.exists())

    def lock_sql(self, database: str, table: VersionTable) -> str | None:  # noqa: ARG002
        """Take the advisory lock of its library (``generate_lock_id``)."""
        return f"SELECT pg_try_advisory_lock({lock_key(database)})"


def lock_key(database: str) -> int:
    """Return the key of the lock: a salt times the CRC-32 (IEEE) of the database's name."""
    return _LOCK_SALT * zlib.crc32(database.encode())


def _read(directory: Path, path: str) -> Source | Missing:
    script = whole(directory, path)
    if isinstance(script, Source) and script.data.startswith(_NO_TRANSACTION):
        return msgspec.structs.replace(script, transactional=False)
    return script


def _problem(failed: Sequence[str]) -> str:
    if not failed:
        return ""
    named = ", ".join(failed)
    return (
        f"Version {named} is marked as not successful: sqlx failed in the middle of it, so what is "
        "in the schema is not known, and sqlx itself refuses to go on. Complete or undo it by "
        "hand; then set success to true in its row, or delete the row."
    )
