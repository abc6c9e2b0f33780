"""Any other tool, by configuration: its table is named, its history read, its calls captured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.code import Code
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import identifier, literal


class Other(Code):
    """A tool that only its configuration describes. Taken only when it is named."""

    name = "other"
    default_table = ""
    default_directories: tuple[str, ...] = ("migrations", "db/migrations", "db/migrate")
    file_pattern = "any file with the version in its name"
    pattern = re.compile(r"(?P<version>(?P<name>[^.].*))")
    command: tuple[str, ...] = ()
    status_command: tuple[str, ...] = ()
    down_command: tuple[str, ...] = ()
    about = About(
        title="other",
        site="",
        rules="none of its own",
        scripts="Any tool whose down migration only it can run. Named with `framework = "
        '"other"`; `table`, `version_column`, `command`, `status_command` and `down_command` must '
        "be configured. What the down command sends to a scratch copy of the schema is captured.",
        newest="The latest `time_column` where one is named; otherwise the highest version, "
        "numbers as numbers.",
        outside="What cannot run in a transaction is recognised in what was captured.",
        change="What the tool itself does to the table, as captured; with `--script`, the row with "
        "the version is deleted.",
        lock="none: it is not known. The version table is locked in any case.",
        tested="A migration runner of a few lines, written for the test.",
        refused=(
            "A version that no file, or more than one, has in its name.",
            "A down migration that reads the application's rows: the scratch copy has none.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:  # noqa: ARG002
        """Any table: it is named."""
        return True

    def history_sql(self, table: VersionTable) -> str:
        """The configured columns. Raises FrameworkError when the table does not have them."""
        version = _column(table, table.version_column, "version_column")
        when = _column(table, table.time_column, "time_column") if table.time_column else "NULL"
        return f"SELECT {version}::text, {when} FROM {table.quoted}"  # noqa: S608 - quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """By time where it is known, then by version."""
        found = []
        for version, when in rows:
            file = _file(str(version), files)
            found.append(
                AppliedMigration(
                    version=str(version),
                    name=file.name if file else "",
                    applied_at=when if isinstance(when, datetime) else None,
                    path=file.path if file else None,
                )
            )
        found.sort(key=_newest, reverse=True)
        return History(applied=tuple(found))

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return all files that are not hidden: which is whose is told by the version."""
        return tuple(
            MigrationFile(version=name, name=name, path=str(directory / name), down_path=None)
            for name in migration_files.names(directory)
            if not name.startswith(".")
        )

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete the row with the version."""
        column = _column(table, table.version_column, "version_column")
        version = literal(rolled_back.version)
        return (f"DELETE FROM {table.quoted} WHERE {column}::text = {version}",)  # noqa: S608 - quoted

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the version; what the server fills in by itself is left to it."""
        column = _column(table, table.version_column, "version_column")
        return (f"INSERT INTO {table.quoted} ({column}) VALUES ({literal(applied.version)})",)  # noqa: S608 - quoted


def _column(table: VersionTable, name: str, key: str) -> str:
    """Return the configured column, quoted. Raises FrameworkError."""
    if name in table.columns:
        return identifier(name)
    columns = printable(", ".join(table.columns))
    if not name:
        raise FrameworkError(
            f"which column of {printable(table.quoted)} has the version is not configured",
            f"Name it in rollback.toml: [migrations] {key} = … (its columns: {columns}).",
        )
    raise FrameworkError(
        f"{printable(table.quoted)} has no column {printable(name)}",
        f"Correct [migrations] {key} in rollback.toml; its columns are {columns}.",
    )


def _file(version: str, files: Sequence[MigrationFile]) -> MigrationFile | None:
    """Return the one file that has ``version`` in its name, not inside of a longer number or word;
    None when there is none, or more than one."""
    whole = re.compile(rf"(?<![A-Za-z0-9]){re.escape(version)}(?![A-Za-z0-9])")
    found = [file for file in files if whole.search(file.name)]
    return found[0] if len(found) == 1 else None


def _newest(applied: AppliedMigration) -> tuple[float, tuple[tuple[int, str], ...]]:
    when = applied.applied_at.timestamp() if applied.applied_at else 0.0
    parts = re.findall(r"([0-9]+)|([^0-9]+)", applied.version)
    return when, tuple((int(number), "") if number else (-1, text) for number, text in parts)
