"""postgrator (https://github.com/rickbergfalk/postgrator), rules of version 8.

``NNN.do.name.sql`` and ``NNN.undo.name.sql``; one row for each applied version in
``schemaversion(version bigint primary key, name, md5, run_at)``, and a row 0 that always stays.
Older versions of the tool made the table without the last columns. No lock, no transaction.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
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
from rollback_tui.frameworks.session_time import as_everybody
from rollback_tui.frameworks.whole_files import NumberedPairs, contents, relative, whole

# The parts are what stands between dots; of the name only the first part counts.
_FILE = re.compile(r"(\d+)\.(do|undo)(?:\.([^.]*)[^/]*)?\.(sql|js|mjs|cjs)", re.ASCII)
_COLUMNS = {
    "version": {"bigint", "integer"},
    "name": {"text"},
    "md5": {"text"},
    "run_at": {"timestamp with time zone"},
}


class Postgrator(Base):
    """postgrator's files, order and version table."""

    name = "postgrator"
    default_table = "schemaversion"
    default_directories: tuple[str, ...] = ("migrations", "db/migrations", "src/migrations")
    file_pattern = "NNN.do.name.sql and NNN.undo.name.sql"
    about = About(
        title="postgrator",
        site="https://github.com/rickbergfalk/postgrator",
        rules="8.0",
        scripts="The whole file `NNN.undo.name.sql`, in the migrations directory itself.",
        newest="The highest version in the table. postgrator itself would also run the undo file "
        "of a lower version that was never applied; here only what is in the table is applied.",
        outside="none: postgrator sends each file as one query and opens no transaction of its "
        "own. Here file and version change are one transaction, unless a statement cannot be.",
        change="`DELETE FROM schemaversion WHERE version = …`; the row with version 0 stays.",
        lock="none: postgrator takes none.",
        tested="The real postgrator 8.0 with postgrator-cli 9.1 from npm.",
        refused=(
            "An undo migration in a `.js`, `.mjs` or `.cjs` file: it is code.",
            "Two files with the same version and action, as postgrator itself does.",
        ),
    )

    def configured_directories(self, project: Path) -> tuple[str, ...]:
        """That of ``migrationPattern`` in a ``.postgratorrc`` or ``.postgratorrc.json`` with JSON:
        ``db/*`` is ``db``. Patterns that say more than that are not read."""
        for name in (".postgratorrc.json", ".postgratorrc"):
            directory, _, files = text_at(
                json_settings(project, name), "migrationPattern"
            ).rpartition("/")
            if directory and files in ("*", "*.sql") and not set(directory) & set("*?[]{}()!"):
                return (directory,)
        return ()

    def recognises(self, shape: TableShape) -> bool:
        """A number ``version`` as the key, and of ``name``, ``md5`` and ``run_at`` those that the
        tool had when it made the table. The version alone could be anybody's: then the name must
        be postgrator's."""
        columns = dict(shape.columns)
        return (
            columns.keys() <= _COLUMNS.keys()
            and all(kind in _COLUMNS[name] for name, kind in columns.items())
            and shape.primary_key == ("version",)
            and ("md5" in columns or shape.name == self.default_table)
        )

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the migrations, in the order of their versions as numbers.

        Raises FrameworkError when two files claim the same version and action, as the tool does.
        """
        pairs = NumberedPairs(
            "do", "undo", "postgrator refuses that as well: give one of them its own version."
        )
        titles: dict[int, str] = {}
        for name in migration_files.names(directory):
            match = _FILE.fullmatch(name)
            if not match or int(match[1]) == 0:
                continue
            version, action = int(match[1]), match[2]
            pairs.add(version, action, name)
            titles[version] = titles.get(version) or match[3] or ""
        return pairs.files(directory, titles)

    def history_sql(self, table: VersionTable) -> str:
        """All versions but the row 0, newest first.

        ``run_at`` was written as UTC without saying so, and read by the server in the time zone of
        the tool's session: taken apart in ours, which is the server's default as well, it is UTC
        again; unknown where our client asks for another.
        """
        when = "run_at AT TIME ZONE current_setting('TimeZone') AT TIME ZONE 'UTC'"
        when = as_everybody(when) if "run_at" in table.columns else "NULL::timestamptz"
        title = "name" if "name" in table.columns else "NULL::text"
        return (
            f"SELECT version, {title}, {when} FROM {table.quoted}"  # noqa: S608 - quoted
            " WHERE version > 0 ORDER BY version DESC"
        )

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """Every row is applied; the highest number is the newest."""
        known = {file.version: file for file in files}
        applied = []
        for version, title, when in sorted(rows, key=lambda row: -int(str(row[0]))):
            file = known.get(str(version))
            applied.append(
                AppliedMigration(
                    version=str(version),
                    name=str(title or "") or (file.name if file else ""),
                    applied_at=when if isinstance(when, datetime) else None,
                    path=file.path if file else None,
                )
            )
        return History(applied=tuple(applied))

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole ``.undo.`` file."""
        file = self._file(applied, directory)
        if isinstance(file, Missing):
            return file
        if file.down_path is None:
            return Missing(
                why=f"version {printable(applied.version)} has no .undo. file beside "
                f"{printable(Path(file.path).name)}"
            )
        return _sql(directory, file.down_path)

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole ``.do.`` file."""
        file = self._file(applied, directory)
        if isinstance(file, Missing):
            return file
        if file.path == file.down_path:
            return Missing(
                why=f"version {printable(applied.version)} has no .do. file beside "
                f"{printable(Path(file.path).name)}"
            )
        return _sql(directory, file.path)

    def _file(self, applied: AppliedMigration, directory: Path) -> MigrationFile | Missing:
        found = next((f for f in self.files(directory) if f.version == applied.version), None)
        return found or no_file(directory, applied.version)

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete the version's row; the row 0 is never one of them."""
        version = int(rolled_back.version)
        return (f"DELETE FROM {table.quoted} WHERE version = {version}",)  # noqa: S608 - quoted

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the row that the tool would: its time is UTC, without saying so.

        Raises FrameworkError when the file is gone, whose MD5 belongs into the row.
        """
        match = _FILE.fullmatch(Path(applied.path or "").name)
        values = {
            "version": str(int(applied.version)),
            "name": literal((match[3] or "") if match else applied.name),
            # The tool compares it, and hashes no code.
            "md5": literal(hashlib.md5(contents(applied), usedforsecurity=False).hexdigest()),
            "run_at": "(clock_timestamp() AT TIME ZONE 'UTC')::timestamptz",
        }
        columns = [name for name in values if name in table.columns or name == "version"]
        written = ", ".join(values[name] for name in columns)
        return (f"INSERT INTO {table.quoted} ({', '.join(columns)}) VALUES ({written})",)  # noqa: S608 - quoted


def _sql(directory: Path, path: str) -> Source | Missing:
    if not path.endswith(".sql"):
        name = printable(relative(directory, path))
        return Missing(why=f"{name} is code, which only postgrator can run")
    return whole(directory, path)
