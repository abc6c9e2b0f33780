"""What a migration framework must be able to tell us. One module implements it for each tool.

A framework only reads files and returns values and SQL text. It never speaks to a server: the
caller runs ``history_sql`` and ``version_change``, so that all SQL goes through one door.

There are four kinds, by where the down migration comes from:

- ``files``: it is in a file. :class:`Framework` is all they need. Where some of the files are code
  that only the tool can run, they have what :class:`Capturing` has as well.
- ``printed``: the tool's own program prints it when asked (:class:`Printing`).
- ``captured``: the tool can only run it. It runs it on a scratch copy of the schema behind our
  gateway, and what it sent is the script (:class:`Capturing`).
- ``none``: the tool has no down migrations. Its history is read, and that is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from rollback_tui.core.model import AppliedMigration, Value
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.program import Program
from rollback_tui.frameworks.quoting import identifier

Kind = Literal["files", "printed", "captured", "none"]


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
    columns: tuple[str, ...] = ()
    """Names of its columns: older versions of a tool have fewer."""
    version_column: str = ""
    """``[migrations] version_column``: for tools of which we do not know it."""
    time_column: str = ""
    """``[migrations] time_column``: the same for when a version was applied."""

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
    capturable: bool = False
    """The tool can run it, and has not been asked yet: it can be captured. ``down`` of the kind
    ``files`` says so of code, and of nothing else that is missing."""


class About(Value, frozen=True, kw_only=True):
    """What people are told of a framework: its part of ``docs/frameworks.md``. Markdown, one or a
    few sentences each."""

    title: str
    """As the tool spells itself: ``node-pg-migrate``."""
    site: str
    """Address of its home."""
    rules: str
    """The version whose behaviour the rules were taken from: ``2.36``."""
    scripts: str
    """Where the down migration comes from: files, marks, sections."""
    newest: str
    """Which applied migration is the newest, by the tool's own rule."""
    outside: str
    """Its mark for what must not run in a transaction; ``none``."""
    change: str
    """What is written into its tables on the way down, and when."""
    lock: str
    """The lock of its own that is held meanwhile; ``none: …``."""
    tested: str
    """With which program of which version; or against what record."""
    refused: tuple[str, ...] = ()
    """What is refused, and why: one sentence each."""
    instead: str = ""
    """Of the kind ``none``: what the operator can do."""


class Framework(Protocol):
    """A migration tool: how its files, its version table and its order are read."""

    name: str
    """As in ``--framework``: ``dbmate``."""
    kind: Kind
    about: About
    default_table: str
    """Name of the version table when nobody configured another; empty: it has none of its own,
    and is only taken when it is named."""
    beside: tuple[str, ...]
    """Tables of the tool that stand in the same schema and tell it from others that have a version
    table of the same shape: ``("ar_internal_metadata",)``. All must be there."""
    default_directories: tuple[str, ...]
    """Where its migrations usually are, relative to the project, most usual first."""
    file_pattern: str
    """What its files are called, in words for an error message: ``VERSION_name.sql``."""
    version_stays: str
    """Why its table is left alone when a script is given by hand: ``version_change`` then returns
    nothing. Empty: the table is changed as usual."""

    def configured_directories(self, project: Path) -> tuple[str, ...]:
        """Return the directories, relative to ``project``, that the tool's own configuration there
        names; empty when it names none, and the usual ones are looked in."""

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
        after it, that leave the version table as the framework's own ``up`` would leave it; nothing
        where only the tool itself can: it is then not applied again by us."""

    def stale_files(self, directory: Path) -> tuple[str, ...]:
        """Return existing files that describe the schema and will be out of date afterwards."""

    def lock_sql(self, database: str, table: VersionTable) -> str | None:
        """Return the SELECT of one boolean that takes the framework's own lock for this session
        without waiting (false: somebody migrates right now); None when the tool takes none.

        Advisory locks belong to one database: it must be run in ``database``, under the name
        that the framework knows.
        """

    def transaction_lock(self, table: VersionTable) -> tuple[str, ...]:
        """Return the statements that take the framework's own lock at the beginning of the
        transaction, so that it is gone with it: a row in its lock table, inserted and deleted
        again; ``LOCK TABLE``. The version table itself is locked in any case. Run one by one, each
        may wait up to the lock timeout."""

    def own_tables(self, table: VersionTable) -> tuple[str, ...]:
        """Return the quoted names of the tables that are the tool's own besides ``table``, where
        there are such: no migration makes them, so a schema without them lacks nothing; a scratch
        copy gets their rows; and what is written into them is no part of a script."""


class Made(Value, frozen=True, kw_only=True):
    """A migration script that the framework's own program made."""

    source: Source
    """``origin`` and ``file_sha256`` are set; what changes the tool's own tables is not in it."""
    version_change: tuple[str, ...]
    """What the program would do to its own tables, to be run one by one after the script, in the
    same transaction."""


class Printing(Framework, Protocol):
    """A framework whose own program prints the script when it is asked.

    ``down`` and ``up`` of such a framework return :class:`Missing`: they are not asked.
    """

    command: tuple[str, ...]
    """The program when nobody configured one: ``("alembic",)``."""
    needs_database: bool
    """Whether the program connects to print. It then gets a read-only address of our gateway."""

    def print_down(
        self,
        chosen: Sequence[AppliedMigration],
        remaining: Sequence[AppliedMigration],
        table: VersionTable,
        directory: Path,
        program: Program,
    ) -> tuple[Made | Missing, ...]:
        """Return for each of ``chosen`` (newest first) what takes it back. ``remaining``: what is
        then still applied, newest first. Raises FrameworkError when the program fails."""

    def print_up(
        self,
        again: Sequence[AppliedMigration],
        below: Sequence[AppliedMigration],
        table: VersionTable,
        directory: Path,
        program: Program,
    ) -> tuple[Made | Missing, ...]:
        """Return for each of ``again`` (oldest first) what applies it when ``below`` (newest
        first) is applied. Raises FrameworkError when the program fails."""


class Capturing(Framework, Protocol):
    """A framework that only runs its down migrations: what it sends is captured.

    ``down`` of the kind ``captured`` returns :class:`Missing`: it is not asked. Of the kind
    ``files`` it is, and only what it calls ``capturable`` is captured; what changes the version
    table is then ``version_change`` as for the files.

    In the commands and in ``environment`` ``{version}`` and ``{name}`` stand for the newest applied
    migration's; ``{migrations}`` for their directory as the project sees it; ``{table}`` and
    ``{schema}`` for the version table's, without quotes; ``{directory}`` for a directory of ours
    that is gone after the call.
    """

    status_command: tuple[str, ...]
    """A call that connects, reads the version table and changes nothing: it proves that the tool
    goes where it is told, before the next one is called."""
    down_command: tuple[str, ...]
    """The call that takes back the newest applied migration and no other."""

    environment: Mapping[str, str]
    """Variables with which it writes nothing into the project."""

    given: Mapping[str, str]
    """Files (name, text) that are put into ``{directory}`` before the call."""
