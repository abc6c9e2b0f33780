"""A plan: migrations, their scripts, statements, and what each statement does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import PurePath
from typing import Literal

import msgspec

from rollback_tui.core.value import Value


class AppliedMigration(Value, frozen=True, kw_only=True):
    """A version that the framework's table says is applied."""

    version: str
    name: str
    applied_at: datetime | None = None
    """None where the framework does not record it."""
    path: str | None = None
    """The file that holds it; None when the database knows a version that no file has."""


class Lock(Value, frozen=True, kw_only=True):
    """A lock that a statement takes on a relation, held to the end of the transaction."""

    relation: str
    mode: str
    """PostgreSQL's name without the suffix: ``AccessExclusive``."""


class Doomed(Value, frozen=True, kw_only=True):
    """Data that a statement removes, named so that it can be counted."""

    kind: Literal["table", "column", "rows"]
    """A whole table, the values of one column, or rows chosen by a WHERE."""
    relation: str
    """As written in the statement, quoted where needed."""
    column: str | None = None


class Loss(Value, frozen=True, kw_only=True):
    """How much data goes, counted."""

    kind: Literal["rows", "values"]
    relation: str
    column: str | None = None
    count: int | None = None
    """None: not counted. Never to be shown as zero."""
    basis: Literal["counted before", "counted in the run"] = "counted before"
    not_default: int | None = None
    """Of the values of a column, those that are not its default; None: not counted, or it has
    no constant default."""
    bytes: int | None = None
    """On disk, with indexes and TOAST, of a table that goes whole; None: not asked or not known."""
    after: int | None = None
    """Index of an earlier statement of the plan that changes it first: the count is that of now."""
    overwritten: bool = False
    """The rows stay; their former values go."""
    why: str = ""
    """Why it was not counted; empty when it was."""

    def describe(self) -> str:
        """Return it as words: ``1,204 values of public.users.verified_at``."""
        where = self.relation + (f".{self.column}" if self.column else "")
        number = "an unknown number of" if self.count is None else f"{self.count:,}"
        noun = self.kind[:-1] if self.count == 1 else self.kind
        return f"{number} {noun} of {where}" + (" (overwritten)" if self.overwritten else "")


class Violation(Value, frozen=True, kw_only=True):
    """Stored rows that a statement would fail on: it restores a rule that they break."""

    rule: Literal["not null", "unique", "check", "foreign key", "exclusion", "partition", "type"]
    """``type``: values that the new type of a column does not take (its length included)."""
    relation: str
    """Qualified and quoted where needed."""
    name: str
    """The column, the columns, or the constraint."""
    count: int | None
    """Rows that break it now; None: not counted. Never to be shown as zero."""
    after: int | None = None
    """Index of an earlier statement of the plan that changes this relation first: the count is
    that of now, and says nothing certain about the moment the statement runs."""
    why: str = ""
    """Why it was not counted; empty when it was."""

    @property
    def certain(self) -> bool:
        """Whether the statement will surely fail as things are now."""
        return bool(self.count) and self.after is None


class Touched(Value, frozen=True, kw_only=True):
    """The rows that a DELETE, UPDATE or MERGE would touch, as queries that change nothing."""

    relation: str
    """The table, as written in the statement."""
    count: str
    """A SELECT of one number: each row counts once, however often a join finds it."""
    rows: str
    """A SELECT of those rows whole, each once."""
    calls: tuple[str, ...] = ()
    """Functions that these queries call, as written."""


class Effect(Value, frozen=True, kw_only=True):
    """What a statement does. ``None`` is *unknown*, which is treated as dangerous.

    First it is what the text alone tells. Then the catalog is asked (``resolved``): names are
    qualified, and the relations that the statement does not name are among the locks.
    """

    kind: str
    """``DROP TABLE``, ``ALTER TABLE … DROP COLUMN``; ``unknown`` when it could not be read."""
    objects: tuple[str, ...] = ()
    locks: tuple[Lock, ...] = ()
    rewrites: bool | None = None
    scans: bool | None = None
    """Reads a whole table while it holds its lock."""
    loses_data: bool | None = None
    transactional: bool | None = None
    doomed: tuple[Doomed, ...] = ()
    cascade: bool = False
    if_exists: bool = False
    drops: tuple[tuple[str, str], ...] = ()
    """(object class, name as written) of all it drops: ``("column", "users.verified_at")``."""
    creates: tuple[tuple[str, str], ...] = ()
    """The same of what it makes; only indexes that are named, qualified where their table is."""
    retyped: tuple[tuple[str, str], ...] = ()
    """(relation, column), quoted where needed, of the columns whose type it changes."""
    collateral: tuple[tuple[str, str], ...] = ()
    """(object class, qualified name) of what CASCADE takes along beside ``drops``; only when
    resolved."""
    session: tuple[str, ...] = ()
    """Settings of the session that it changes: ``search_path``, ``role`` …"""
    no_op: bool = False
    """IF EXISTS of something that is not there (or IF NOT EXISTS of what is): it does nothing
    as things are now. Only when resolved."""
    resolved: bool = False
    """The target's catalog was asked."""
    hazards: tuple[str, ...] = ()
    """Words of :mod:`rollback_tui.core.script.hazards`."""
    basis: Literal["forecast", "measured", "unknown"] = "forecast"


class Statement(Value, frozen=True, kw_only=True):
    """One SQL statement of a script: exactly the slice that will be executed."""

    index: int
    """From 1, through the whole plan."""
    start: int
    end: int
    """Byte offsets in the script's file."""
    line: int
    """From 1, in the script's file."""
    sql: str
    effect: Effect
    loss: tuple[Loss, ...] = ()
    violations: tuple[Violation, ...] = ()
    touched: Touched | None = None
    """Of a DELETE, UPDATE or MERGE whose rows can be asked for beforehand."""

    @property
    def dangerous(self) -> bool:
        """Whether the operator must review it: it loses data, or nobody knows."""
        return self.effect.loses_data is not False


class Problem(Value, frozen=True, kw_only=True):
    """Something in a script that stops it, or that the operator should know."""

    line: int
    offset: int
    """Byte offset in the file."""
    summary: str
    remedy: str = ""
    rule: str = ""
    """``transaction_control``, ``psql_command``, ``copy_from_stdin``,
    ``copy_to_stdout``, ``encoding``, ``unterminated``, ``framework_marker``,
    ``changes_lexing``, ``template``, ``too_large``, ``boundaries`` (a doubt) …"""


class Script(Value, frozen=True, kw_only=True):
    """The exact bytes of one down migration, split."""

    path: str
    """The file in which the migration is."""
    sha256: str
    """Of the bytes that the statements are slices of."""
    size: int
    statements: tuple[Statement, ...]
    transactional: bool
    wrapper_removed: bool = False
    """An own-line BEGIN … COMMIT around the whole was taken off."""
    problems: tuple[Problem, ...] = ()
    doubts: tuple[Problem, ...] = ()
    """Where a second reading (sqlparse's) puts the statements' ends elsewhere."""
    read_twice: bool = False
    """There was a second reading: the script was short enough for it."""
    origin: str = ""
    """As of :class:`rollback_tui.core.script.source.Source`: who made the text when it is not the
    file's own, and then the lines of its statements are lines of that text. Empty: the file."""
    file_sha256: str = ""
    """SHA-256 (hex) of the file at ``path`` when the text was made from it; empty otherwise."""
    nothing_to_undo: str = ""
    """Why it may have no statement: its up migration has none either. Empty: it must have one."""


class Migration(Value, frozen=True, kw_only=True):
    """One applied migration of the plan, with the script that takes it back."""

    version: str
    name: str
    applied_at: datetime | None
    script: Script | None
    """None: no down migration exists."""
    why_no_script: str = ""
    version_change: tuple[str, ...] = ()
    """The SQL that takes the version out of the framework's table, after the script."""
    capturable: bool = False
    """There is no script because only the framework's own program can run it, and what it sends has
    not been captured yet."""


class Plan(Value, frozen=True, kw_only=True):
    """What will be rolled back, newest first."""

    framework: str
    version_table: str
    """Qualified and quoted where needed; empty: no framework is known."""
    directory: str
    current: str | None
    """The newest applied version; None when nothing is applied."""
    goal: str | None
    """The version that will be current afterwards; None: no migration at all."""
    migrations: tuple[Migration, ...]
    applied: tuple[AppliedMigration, ...]
    """All that is applied now, newest first by the framework's own rule."""
    stale_files: tuple[str, ...] = ()
    """Files such as ``db/schema.sql`` that will no longer tell the truth."""
    notes: tuple[str, ...] = ()
    direction: Literal["down", "up"] = "down"
    """``up``: migrations that were rolled back are applied again, ``migrations`` the oldest first,
    each with its up script; ``goal`` is then newer than ``current``."""
    by_hand: str = ""
    """The file that was given by hand (``--script``) and takes the newest migration back; empty:
    the scripts are the framework's own."""
    version_stays: str = ""
    """Why no version is changed: no framework is known (then ``version_table`` and ``directory``
    are empty, ``applied`` is, and ``current`` and ``goal`` say nothing), or its table is left
    alone. Whether the run was committed is then not to be read from any version. Empty: the
    version is changed."""
    transaction_lock: tuple[str, ...] = ()
    """Statements that take the framework's own lock at the beginning of the transaction, where it
    keeps one in a table."""
    own_tables: tuple[str, ...] = ()
    """The framework's own tables beside its version table, those there may be: qualified, and
    quoted where needed."""

    @property
    def current_words(self) -> str:
        """The version before, for people; never that there is none where nobody knows."""
        return (self.current or "no migration") if self.version_table else "an unknown version"

    @property
    def goal_words(self) -> str:
        """The version afterwards, likewise."""
        return (self.goal or "no migration") if self.version_table else "an unknown version"

    @property
    def asked_for(self) -> str:
        """What the operator types besides the database's name: the version that is current
        afterwards, ``none`` when no migration is left; where no version changes, the name of the
        script's file."""
        if self.version_stays:
            return PurePath(self.by_hand).name
        return self.goal if self.goal is not None else "none"

    @property
    def applied_after(self) -> tuple[str, ...]:
        """The versions that are applied when the plan is done, newest first."""
        before = tuple(m.version for m in self.applied)
        if self.version_stays:
            return before
        if self.direction == "up":
            return (*(m.version for m in reversed(self.migrations)), *before)
        return before[len(self.migrations) :]

    @property
    def books(self) -> tuple[str, ...]:
        """The version table and the framework's other own tables; none where it is not known."""
        return tuple(filter(None, (self.version_table, *self.own_tables)))

    @property
    def bookkeeping(self) -> tuple[str, ...]:
        """The SQL, besides the scripts, that writes into the framework's own tables."""
        changes = (text for m in self.migrations for text in m.version_change)
        return (*self.transaction_lock, *changes)

    @property
    def statements(self) -> tuple[Statement, ...]:
        """All statements of all scripts, in the order of execution."""
        return tuple(s for m in self.migrations if m.script for s in m.script.statements)

    def with_statements(self, change: Callable[[Statement], Statement]) -> Plan:
        """Return the plan with each statement changed."""

        def changed(migration: Migration) -> Migration:
            if migration.script is None:
                return migration
            statements = tuple(change(s) for s in migration.script.statements)
            script = msgspec.structs.replace(migration.script, statements=statements)
            return msgspec.structs.replace(migration, script=script)

        migrations = tuple(changed(m) for m in self.migrations)
        return msgspec.structs.replace(self, migrations=migrations)

    @property
    def losses(self) -> tuple[Loss, ...]:
        """All counted losses, in the order of execution."""
        return tuple(loss for statement in self.statements for loss in statement.loss)

    @property
    def transactional(self) -> bool:
        """Whether all of it can run in one transaction."""
        return all(
            m.script is None
            or (
                m.script.transactional
                and all(s.effect.transactional is not False for s in m.script.statements)
            )
            for m in self.migrations
        )

    @property
    def sha256(self) -> str:
        """What the operator confirms: scripts by their hashes, and the version change."""
        parts = [self.framework, self.version_table, self.goal or ""]
        if self.by_hand:
            parts += ["by hand", self.by_hand, self.version_stays]
        for migration in self.migrations:
            parts += [migration.version, migration.script.sha256 if migration.script else "none"]
            parts += migration.version_change
        parts += self.transaction_lock
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()
