"""What most frameworks have in common, so that a module says only what is its own."""

from __future__ import annotations

from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.text import printable
from rollback_tui.frameworks.protocol import Kind, Missing, VersionTable
from rollback_tui.frameworks.quoting import identifier, literal


class Base:
    """Defaults of :class:`rollback_tui.frameworks.protocol.Framework`: no lock, no side files, one
    row a version in a column ``version``."""

    kind: Kind = "files"
    beside: tuple[str, ...] = ()
    default_directories: tuple[str, ...] = ("migrations", "db/migrations")
    version_column: str = "version"
    version_stays: str = ""

    def configured_directories(self, project: Path) -> tuple[str, ...]:  # noqa: ARG002
        """Return nothing: no configuration of its own is read."""
        return ()

    def stale_files(self, directory: Path) -> tuple[str, ...]:  # noqa: ARG002
        """Return nothing: it writes no file."""
        return ()

    def lock_sql(self, database: str, table: VersionTable) -> str | None:  # noqa: ARG002
        """Return None: it takes no lock for a session."""
        return None

    def transaction_lock(self, table: VersionTable) -> tuple[str, ...]:  # noqa: ARG002
        """Return nothing: it takes no lock in a transaction."""
        return ()

    def own_tables(self, table: VersionTable) -> tuple[str, ...]:
        """Return what stands ``beside``."""
        return tuple(f"{identifier(table.schema)}.{name}" for name in self.beside)

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete the version's row."""
        version = literal(rolled_back.version)
        return (f"DELETE FROM {table.quoted} WHERE {self.version_column} = {version}",)  # noqa: S608 - quoted


def no_file(directory: Path, version: str) -> Missing:
    """Return what is said of an applied version that no file has."""
    return Missing(
        why=f"no file in {printable(str(directory))} has version {printable(version)}; the code "
        "that is checked out here is not the code that was deployed"
    )
