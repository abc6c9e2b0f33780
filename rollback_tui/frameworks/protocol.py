"""What a migration framework must be able to tell us. One module implements it for each tool.

A framework only reads files and returns values and SQL text. It never speaks to a server: the
caller runs ``history_sql`` and ``version_change``, so that all SQL goes through one door.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rollback_tui.core.model import AppliedMigration, Value
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.quoting import identifier


class TableShape(Value, frozen=True, kw_only=True):
    """A table of the target as the catalog describes it."""

    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    """(name, type as ``format_type`` prints it: ``character varying``, ``bigint``), in order."""
    primary_key: tuple[str, ...]
    """Column names; empty when there is none."""


class VersionTable(Value, frozen=True, kw_only=True):
    """The table in which a framework keeps what is applied."""

    schema: str
    name: str

    @property
    def quoted(self) -> str:
        """``schema.name``, each part in double quotes only where it needs them."""
        return f"{identifier(self.schema)}.{identifier(self.name)}"


class MigrationFile(Value, frozen=True, kw_only=True):
    """One migration of the migrations directory."""

    version: str
    """As the framework writes it into its table."""
    name: str
    """For people: the file's name without version and suffixes."""
    path: str
    """The file that is shown for it: the one file, or the up file of a pair."""
    down_path: str | None
    """The file with the down migration; None when no file can hold one."""


class History(Value, frozen=True, kw_only=True):
    """What is applied, and whether the framework itself would go on from here."""

    applied: tuple[AppliedMigration, ...]
    """Newest first, by the framework's own rule."""
    problem: str = ""
    """Why nothing may be rolled back from this state (and what helps); empty: nothing wrong."""


class Missing(Value, frozen=True, kw_only=True):
    """There is no such migration script."""

    why: str


class Framework(Protocol):
    """A migration tool: how its files, its version table and its order are read."""

    name: str
    """As in ``--framework``: ``dbmate``."""
    default_table: str
    """Name of the version table when nobody configured another."""
    default_directories: tuple[str, ...]
    """Where its migrations usually are, relative to the project, most usual first."""
    file_pattern: str
    """What its files are called, in words for an error message: ``VERSION_name.sql``."""

    def recognises(self, shape: TableShape) -> bool:
        """Whether a table of this shape can be its version table (its name does not matter)."""

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the migrations in ``directory``, oldest first by its own rule.

        Raises FrameworkError when the directory cannot be read or contradicts itself.
        """

    def history_sql(self, table: VersionTable) -> str:
        """Return the one SELECT whose rows :meth:`history` understands."""

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """Return what is applied, from the rows of :meth:`history_sql` and the files."""

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the down migration: the whole file's bytes, and which of them are it.

        A down migration without an effective statement is returned as it is: whoever splits the
        script sees that. Raises FrameworkError when the file is not safe to read.
        """

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the up migration, in the same way: whoever rehearses applies it again to see
        whether the schema comes back."""

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,
    ) -> tuple[str, ...]:
        """Return the statements, to be run one by one in the transaction of the down migration
        and after it, that leave the version table as the framework itself would leave it.

        ``previous`` is the migration that is then the newest; None when none is left.
        """

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Return the statements, to be run one by one in the transaction of the up migration and
        after it, that leave the version table as the framework's own ``up`` would leave it."""

    def stale_files(self, directory: Path) -> tuple[str, ...]:
        """Return existing files that describe the schema and will be out of date afterwards."""

    def lock_sql(self, database: str, table: VersionTable) -> str | None:
        """Return the SELECT of one boolean that takes the framework's own lock for this session
        without waiting (false: somebody migrates right now); None when the tool takes none.

        Advisory locks belong to one database: it must be run in ``database``, under the name
        that the framework knows.
        """
