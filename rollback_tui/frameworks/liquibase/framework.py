"""Liquibase (https://www.liquibase.com), rules of version 4.28.

A changeset is an entry of a changelog (XML, YAML, JSON, formatted SQL), and what takes it back is
in it or derived by Liquibase from what it does; so ``liquibase rollback-count-sql`` is asked,
through a read-only address. One row for each changeset in ``databasechangelog``, which has no key,
and one row in ``databasechangeloglock``, which is Liquibase's lock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable, shorten
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.base import Base, no_file
from rollback_tui.frameworks.liquibase import changelog as liquibase_changelog
from rollback_tui.frameworks.liquibase import output as liquibase_output
from rollback_tui.frameworks.liquibase.call import (
    CHANGELOG,
    Call,
    Printed,
    ask,
    lock_name,
    offline_rows,
)
from rollback_tui.frameworks.liquibase.changelog import normal
from rollback_tui.frameworks.program import Program
from rollback_tui.frameworks.protocol import (
    About,
    History,
    Kind,
    Made,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import identifier, literal

_IDLE = ("tagDatabase", "empty", "output")
"""Descriptions of changesets that do nothing in the database begin so."""
_MARKED = " (MARK_RAN: it was never executed)"
_COLUMNS_TEXT = "id author filename dateexecuted orderexecuted exectype md5sum"
_COLUMNS = frozenset(_COLUMNS_TEXT.split())


class Liquibase(Base):
    """Liquibase's changesets, their order and its tables."""

    name = "liquibase"
    kind: Kind = "printed"
    command = ("liquibase",)
    needs_database = True
    default_table = "databasechangelog"
    beside: tuple[str, ...] = ("databasechangeloglock",)
    default_directories: tuple[str, ...] = (".",)
    file_pattern = "a changelog in XML, YAML, JSON or formatted SQL"
    about = About(
        title="Liquibase",
        site="https://www.liquibase.com",
        rules="4.28",
        scripts="`liquibase rollback-count-sql` prints them: the program is called in the project,"
        " with a read-only way to the target, whatever `liquibase.properties` says of the database."
        f" Which changelog: `changeLogFile` there, or `{CHANGELOG}` under"
        " `[migrations.environment]`, or the one of the project that is called `master`, `root` or"
        " `changelog`. A version is `file::id::author`, as Liquibase shows it.",
        newest="Latest `dateexecuted`, then highest `orderexecuted`.",
        outside="`runInTransaction: false` of the changeset, in each format.",
        change="`DELETE FROM databasechangelog WHERE ID = '…' AND AUTHOR = '…' AND FILENAME ="
        " '…'`, as printed, but in the transaction of the script.",
        lock="the row of `databasechangeloglock` is locked in the run's transaction: a Liquibase"
        " that starts meanwhile waits. One that says `locked` stops the run.",
        tested="The real Liquibase 4.28 from npm",
        refused=(
            "A changeset without rollback, and without one that Liquibase can derive (`sql`,"
            " `insert`, `dropTable` …); those below it are not printed then. Of one with an empty"
            " rollback (`--rollback not required`) it is said that what it did stays.",
            "A changeset that was marked as run without being executed (`MARK_RAN`): Liquibase"
            " would undo what it never did.",
            "A row whose changelog file, or whose changeset in it, is not in the project. Liquibase"
            " passes over it and takes an older one back instead.",
            "`databasechangeloglock` says `locked`: somebody migrates, or a dead run left it"
            " (`liquibase release-locks`).",
            "A lock table that is not called like the version table with `lock` behind it.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """All columns that it has had since version 2; newer versions have more."""
        return {name for name, _ in shape.columns} >= _COLUMNS

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the changelogs below ``directory``: how many changesets are in them, only
        Liquibase knows."""
        return tuple(
            MigrationFile(
                version=path.relative_to(directory).as_posix(),
                name=path.name,
                path=str(path),
                down_path=str(path),
            )
            for path in liquibase_changelog.changelogs(directory)
        )

    def history_sql(self, table: VersionTable) -> str:
        """All rows in the order in which Liquibase reads them, each with who holds its lock."""
        holder = (
            "(SELECT concat_ws(' since ', coalesce(lockedby, 'somebody'), lockgranted)"  # noqa: S608 - quoted
            f" FROM {_lock_table(table)} WHERE locked LIMIT 1)"
        )
        told = "description" if "description" in table.columns else "NULL"
        return (
            f"SELECT id, author, filename, exectype, {told}, {holder} FROM {table.quoted}"  # noqa: S608 - quoted
            " ORDER BY dateexecuted, orderexecuted"
        )

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """Newest first. When it was applied is not known: Liquibase writes local time without a
        zone. Of two rows with the same name the newer one counts."""
        filenames = [str(row[2]) for row in rows]
        places = liquibase_changelog.placed(filenames, [Path(f.path) for f in files])
        applied: dict[str, AppliedMigration] = {}
        for id_, author, filename, kind, told, _ in reversed(rows):
            version = f"{filename}::{id_}::{author}"
            path = places.get(str(filename))
            applied.setdefault(
                version,
                AppliedMigration(
                    version=version,
                    name=(str(told or "")) + (_MARKED if kind == "MARK_RAN" else ""),
                    path=str(path) if path else None,
                ),
            )
        holder = rows[0][5] if rows else None
        return History(applied=tuple(applied.values()), problem=_locked(holder) if holder else "")

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Liquibase prints it."""
        return _asked_for(applied, directory)

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Liquibase prints it."""
        return _asked_for(applied, directory)

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete its row. A name with more than two ``::`` can be taken apart in several ways: its
        row is found by the whole of it."""
        parts = rolled_back.version.split("::")
        if len(parts) == 3:
            filename, id_, author = parts
            return (liquibase_output.deletion(table, id_, author, filename),)
        whole = f"filename || '::' || id || '::' || author = {literal(rolled_back.version)}"
        return (f"DELETE FROM {table.quoted} WHERE {whole}",)  # noqa: S608 - quoted

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Only Liquibase knows the checksum that belongs into its row. Raises FrameworkError."""
        raise FrameworkError(
            f"the row of {printable(applied.version)} in {table.quoted} is written by Liquibase",
            "Apply it with `liquibase update`.",
        )

    def transaction_lock(self, table: VersionTable) -> tuple[str, ...]:
        """Lock the row of its lock table, unless that says that somebody has it.

        Liquibase takes its lock by an UPDATE of that row in a transaction of its own
        (``StandardLockService.acquireLock``): it waits for ours, and then finds the row as it was.
        """
        lock = _lock_table(table)
        words = literal("Liquibase holds its lock: it migrates, or a dead run left it there")
        return (
            f"DO $lock$ BEGIN PERFORM 1 FROM {lock} FOR UPDATE;"
            f" IF EXISTS (SELECT FROM {lock} WHERE locked) THEN"
            f" RAISE EXCEPTION USING ERRCODE = 'lock_not_available', MESSAGE = {words},"
            " HINT = 'liquibase release-locks';"
            " END IF; END $lock$",
        )

    def print_down(
        self,
        chosen: Sequence[AppliedMigration],
        remaining: Sequence[AppliedMigration],  # noqa: ARG002 - Liquibase reads its table
        table: VersionTable,
        directory: Path,
        program: Program,
    ) -> tuple[Made | Missing, ...]:
        """Ask Liquibase once for all of ``chosen``. Raises FrameworkError."""
        if not any(_askable(one) for one in chosen):
            return tuple(_unasked(one, directory) for one in chosen)
        call = Call("rollback-count-sql", (f"--count={len(chosen)}",))
        printed = ask(call, chosen, table, directory, program)
        return tuple(
            one if isinstance(one, Missing) else _made(one, printed, directory, call.shown)
            for one in _until_stopped(chosen, printed, directory)
        )

    def print_up(
        self,
        again: Sequence[AppliedMigration],
        below: Sequence[AppliedMigration],
        table: VersionTable,
        directory: Path,
        program: Program,
    ) -> tuple[Made | Missing, ...]:
        """Ask Liquibase once for all that is not ``below``, without a database: it is given a file
        with the rows instead. Raises FrameworkError."""
        if not any(_askable(one) for one in again):
            return tuple(_unasked(one, directory) for one in again)
        call = Call("update-sql", (), offline_rows(below))
        printed = ask(call, again, table, directory, program)
        return tuple(
            one if isinstance(one, Missing) else _made(one, printed, directory, call.shown)
            for one in _until_stopped(again, printed, directory)
        )


def _until_stopped(
    asked: Sequence[AppliedMigration], printed: Printed, directory: Path
) -> Iterator[AppliedMigration | Missing]:
    """Yield those of ``asked`` that Liquibase came to, in the order in which it goes through them;
    for the others, why there is nothing."""
    stopped = printed.cut.stopped_at
    beyond = False
    for one in asked:
        if beyond:
            yield Missing(
                why=f"Liquibase stopped at {printable(stopped)} ({printed.why}) and printed nothing"
                " for what comes after it"
            )
        elif not _askable(one):
            yield _unasked(one, directory)
        elif stopped and normal(one.version) == stopped:
            beyond = True
            yield Missing(why=f"Liquibase cannot print it: {printed.why}")
        else:
            yield one


def _made(
    migration: AppliedMigration, printed: Printed, directory: Path, shown: str
) -> Made | Missing:
    name = printable(migration.version)
    part = printed.cut.parts.get(normal(migration.version))
    if part is None:
        return Missing(
            why=f"Liquibase passes over {name}: the changelog that it is called with has no such"
            " changeset, or not for these contexts and labels"
        )
    path = Path(migration.path or "")
    try:
        data = migration_files.read(path.parent, path.name)
    except FileNotFoundError:
        return no_file(directory, migration.version)
    sql = part.sql
    if sql and printed.cut.search_path:
        sql = f"SET search_path TO {printed.cut.search_path};\n{sql}"
    text = sql.encode()
    source = Source(
        path=str(path),
        data=text,
        start=0,
        end=len(text),
        transactional=liquibase_changelog.in_transaction(path, part.author, part.id),
        origin=f"printed by `{shown}`",
        file_sha256=hashlib.sha256(data).hexdigest(),
        nothing_to_undo="" if sql else _why_nothing(migration),
    )
    return Made(source=source, version_change=(part.change,))


def _why_nothing(migration: AppliedMigration) -> str:
    """Return why there is no SQL, as far as Liquibase's own description of the changeset tells."""
    if not migration.name or migration.name.startswith(_IDLE):
        return "Liquibase has nothing to execute for it"
    return f"its changelog has an empty rollback: what it did ({shorten(migration.name, 60)}) stays"


def _askable(migration: AppliedMigration) -> bool:
    return migration.path is not None and not migration.name.endswith(_MARKED)


def _asked_for(migration: AppliedMigration, directory: Path) -> Missing:
    if _askable(migration):
        return Missing(why="Liquibase prints it when it is asked")
    return _unasked(migration, directory)


def _unasked(migration: AppliedMigration, directory: Path) -> Missing:
    if migration.path is None:
        return no_file(directory, migration.version)
    return Missing(
        why=f"{printable(migration.version)} was marked as run (MARK_RAN) without being executed:"
        " its rollback would undo what it never did. If it must go, take its row out of the table"
        " by hand"
    )


def _locked(holder: object) -> str:
    return (
        f"Liquibase's lock is taken by {printable(str(holder))}: somebody migrates right now, or a"
        " run that died left it there. Wait for it; if nobody migrates, `liquibase release-locks`."
    )


def _lock_table(table: VersionTable) -> str:
    return f"{identifier(table.schema)}.{identifier(lock_name(table))}"
