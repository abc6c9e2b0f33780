"""Migrations that are code: what only the framework's own program can run.

Their down migration is captured (:mod:`rollback_tui.frameworks.captured`); here is what these
frameworks have in common: one file a migration, one row a version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.base import Base, no_file
from rollback_tui.frameworks.protocol import Kind, MigrationFile, Missing, VersionTable
from rollback_tui.frameworks.quoting import literal


class Code(Base):
    """Defaults of :class:`rollback_tui.frameworks.protocol.Capturing`."""

    name: str
    kind: Kind = "captured"
    environment: Mapping[str, str] = MappingProxyType({})
    given: Mapping[str, str] = MappingProxyType({})
    pattern: re.Pattern[str]
    """Of its files' names: group ``version`` as in the table, group ``name`` for people."""

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the files with the tool's names, oldest first by name."""
        found = []
        for name in migration_files.names(directory):
            match = self.pattern.fullmatch(name)
            if match:
                path = str(directory / name)
                found.append(
                    MigrationFile(
                        version=match["version"], name=match["name"], path=path, down_path=None
                    )
                )
        return tuple(found)

    def down(self, applied: AppliedMigration, directory: Path) -> Missing:
        """Return why it is not here."""
        return self._only_run(applied, directory, "down")

    def up(self, applied: AppliedMigration, directory: Path) -> Missing:
        """Return why it is not here."""
        return self._only_run(applied, directory, "up")

    def _only_run(self, applied: AppliedMigration, directory: Path, way: str) -> Missing:
        if applied.path is None:
            return no_file(directory, applied.version)
        file = printable(Path(applied.path).name)
        return Missing(why=f"the {way} migration in {file} is code, which only {self.name} can run")

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the version's row; what the server fills in by itself is left to it."""
        columns, values = self.version_column, literal(applied.version)
        return (f"INSERT INTO {table.quoted} ({columns}) VALUES ({values})",)  # noqa: S608 - quoted

    def own_tables(self, table: VersionTable) -> tuple[str, ...]:  # noqa: ARG002
        """Return nothing: there is only the version table."""
        return ()


def applied_of(
    versions: Sequence[AppliedMigration], files: Sequence[MigrationFile]
) -> tuple[AppliedMigration, ...]:
    """Return ``versions`` with the name and the path of their files."""
    known = {file.version: file for file in files}
    return tuple(
        AppliedMigration(
            version=one.version,
            name=known[one.version].name if one.version in known else one.name,
            applied_at=one.applied_at,
            path=known[one.version].path if one.version in known else None,
        )
        for one in versions
    )
