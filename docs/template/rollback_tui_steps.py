"""The migration tool "steps", for rollback_tui: a template that works.

Steps is as small as a tool can be, and made up. A file a migration, ``NUMBER_name.sql``: what
stands below the line ``-- undo`` takes it back. The table ``steps_done(number integer primary key,
done_at timestamptz)`` has a row for each that is applied. Replace each rule by your tool's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
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

_FILE = re.compile(r"([0-9]+)_(.*)\.sql", re.ASCII)
_UNDO = re.compile(rb"^-- undo\r?$", re.MULTILINE)


class Steps(Base):
    """Its files, its order and its version table. What :class:`Base` says already is left out."""

    name = "steps"
    default_table = "steps_done"
    default_directories = ("steps",)
    file_pattern = "NUMBER_name.sql"
    version_column = "number"
    about = About(
        title="Steps",
        site="",
        rules="1.0",
        scripts="`NUMBER_name.sql`, everything below the line `-- undo`.",
        newest="The highest number.",
        outside="none.",
        change="`DELETE FROM steps_done WHERE number = …`.",
        lock="none: it takes none.",
        tested="The runner in its own test.",
        refused=("A file with two lines `-- undo`.",),
    )

    def recognises(self, shape: TableShape) -> bool:
        """By names and types of the columns; the table may be called otherwise."""
        wanted = {"number": "integer", "done_at": "timestamp with time zone"}
        return dict(shape.columns) == wanted and shape.primary_key == ("number",)

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Oldest first, by the tool's own order: numbers as numbers."""
        found = []
        for name in migration_files.names(directory):
            match = _FILE.fullmatch(name)
            if match:
                path = str(directory / name)
                # The version as it is in the table: there it is a number, so 007 is 7.
                version = str(int(match[1]))
                found.append(
                    MigrationFile(version=version, name=match[2], path=path, down_path=path)
                )
        return tuple(sorted(found, key=lambda file: int(file.version)))

    def history_sql(self, table: VersionTable) -> str:
        """The one SELECT; ``quoted`` has the schema, and quotes where they are needed."""
        return f"SELECT number, done_at FROM {table.quoted}"

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """Newest first, by the tool's own rule. A version without a file stays in the list:
        what is older must not be rolled back as if it were not there."""
        by_version = {file.version: file for file in files}
        applied = []
        for number, done_at in sorted(rows, key=lambda row: int(str(row[0])), reverse=True):
            file = by_version.get(str(number))
            applied.append(
                AppliedMigration(
                    version=str(number),
                    name=file.name if file else "",
                    applied_at=done_at if isinstance(done_at, datetime) else None,
                    path=file.path if file else None,
                )
            )
        return History(applied=tuple(applied))

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """What stands below the line."""
        return self._part(applied, directory, down=True)

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """What stands above it: a rehearsal applies it again."""
        return self._part(applied, directory, down=False)

    def _part(self, applied: AppliedMigration, directory: Path, *, down: bool) -> Source | Missing:
        if applied.path is None:
            return no_file(directory, applied.version)
        name = Path(applied.path).name
        try:
            data = migration_files.read(directory, name)
        except FileNotFoundError:
            return Missing(why=f"{name} does not exist")
        marks = list(_UNDO.finditer(data))
        if len(marks) != 1:
            # What the tool would not take, we do not take either; and an empty part is no error
            # here: whoever splits the script sees that it has no statement.
            return Missing(why=f"{name} has {len(marks) or 'no'} lines '-- undo'")
        start, end = (marks[0].end(), len(data)) if down else (0, marks[0].start())
        return Source(path=applied.path, data=data, start=start, end=end)

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """What the tool writes when it has applied one. ``version_change`` is in Base."""
        values = f"({int(applied.version)}, now())"
        return (f"INSERT INTO {table.quoted} (number, done_at) VALUES {values}",)
