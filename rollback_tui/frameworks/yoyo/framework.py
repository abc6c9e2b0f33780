"""yoyo-migrations (https://ollycope.com/software/yoyo/), rules of version 9.

A migration is ``ID.sql`` with ``ID.rollback.sql`` beside it, or a program ``ID.py``. What is
applied stands in ``_yoyo_migration``, what ever happened in ``_yoyo_log``, and whoever migrates
puts a row into ``yoyo_lock``.
"""

from __future__ import annotations

import getpass
import hashlib
import heapq
import os
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
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
from rollback_tui.frameworks.quoting import identifier, literal
from rollback_tui.frameworks.yoyo import files as yoyo_files
from rollback_tui.frameworks.yoyo.files import Said

_ROLLBACK = ".rollback.sql"
_TEMPORARY = "_tmp_yoyonew"
"""Begins the name of what `yoyo new` is still editing."""
_HOOK = "post-apply"
"""Begins the name of what runs after each `apply`, and is never recorded."""
_WHERE = (
    "--batch",
    "--config={directory}/yoyo.ini",
    "--migration-table={table}",
    "{migrations}",
)
_CONFIGURATION = "[DEFAULT]\ndatabase = %(DATABASE_URL)s\n"
_NOW = "(clock_timestamp() AT TIME ZONE 'UTC')"


class YoyoFile(MigrationFile, frozen=True, kw_only=True):
    """A migration file, with what decides its place."""

    depends: tuple[str, ...]
    unreadable: str


class Yoyo(Base):
    """yoyo's files, order and tables."""

    name = "yoyo"
    default_table = "_yoyo_migration"
    file_pattern = "ID.sql with ID.rollback.sql, or ID.py"
    command: tuple[str, ...] = ("yoyo",)
    # As every call of yoyo it takes and gives back the lock.
    status_command: tuple[str, ...] = ("list", *_WHERE)
    down_command: tuple[str, ...] = ("rollback", *_WHERE)
    environment: Mapping[str, str] = MappingProxyType({})
    # The project's own configuration may name a database; and on the command line everybody would
    # see the password.
    given: Mapping[str, str] = MappingProxyType({"yoyo.ini": _CONFIGURATION})
    about = About(
        title="yoyo-migrations",
        site="https://ollycope.com/software/yoyo/",
        rules="9.0",
        scripts="The whole file `ID.rollback.sql`; of `ID.py`, which is not executed for "
        "that, the strings of its `step(…)` calls, the last step first, where it has nothing else. "
        "Of an `ID.py` that has, what `yoyo rollback` sends to a scratch copy of the schema is "
        "captured; yoyo then takes psycopg2, and the `search_path` of the role and the database. "
        "For psycopg 3, change what it is told: `[migrations] environment`, `DATABASE_URL = "
        '"postgresql+psycopg://{user}:{password}@{host}:{port}/{database}"`.',
        newest="yoyo's own order backwards: by the file's name, but never before what it depends "
        "on (`-- depends:`, `__depends__`). When something was applied does not matter.",
        outside="`-- transactional: false` at the top of `ID.sql` (not of the rollback file), "
        "`__transactional__ = False` in `ID.py`.",
        change="A row in `_yoyo_log` (`rollback`, with user and host name as this machine calls "
        "itself), and `DELETE FROM _yoyo_migration` by the hash of the id, in the transaction of "
        "the script; yoyo does it after its COMMIT.",
        lock="Its row in `yoyo_lock`, inserted and deleted in the transaction: a yoyo that starts "
        "meanwhile waits. A row that is there already stops the run before it begins. What runs "
        "outside a transaction runs without it.",
        tested="The real yoyo-migrations 9.0.0 from PyPI.",
        refused=(
            "A migration without a rollback file: yoyo itself would forget it, and leave the "
            "schema as it is.",
            "A Python file whose steps read the application's rows: the scratch copy has none.",
            "An order that nobody can say: a migration that depends on one of which there is no "
            "file, or that does not plainly say on what.",
            "`post-apply` hooks are not run: yoyo runs them after `apply` only.",
        ),
    )

    def configured_directories(self, project: Path) -> tuple[str, ...]:
        """``sources`` in ``yoyo.ini``."""
        return yoyo_files.sources(project)

    def recognises(self, shape: TableShape) -> bool:
        """``migration_hash``, the key, ``migration_id`` and ``applied_at_utc`` (since yoyo 6)."""
        found = [(name, kind.partition("(")[0]) for name, kind in shape.columns]
        return shape.primary_key == ("migration_hash",) and found == [
            ("migration_hash", "character varying"),
            ("migration_id", "character varying"),
            ("applied_at_utc", "timestamp without time zone"),
        ]

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the migrations, in the order of their files' names.

        Raises FrameworkError when two files have the same id.
        """
        found: dict[str, MigrationFile] = {}
        names = sorted(migration_files.names(directory))
        for name in names:
            path = Path(name)
            if path.suffix not in (".py", ".sql") or name.startswith((_TEMPORARY, _HOOK)):
                continue
            if name.endswith(_ROLLBACK):
                continue
            if path.stem in found:
                other = printable(Path(found[path.stem].path).name)
                raise FrameworkError(
                    f"{other} and {printable(name)} are both the migration {printable(path.stem)}",
                    "yoyo refuses that as well: rename one of them.",
                )
            said = yoyo_files.read(migration_files.read(directory, name), path)
            down = name if path.suffix == ".py" else path.stem + _ROLLBACK
            found[path.stem] = YoyoFile(
                version=path.stem,
                name=path.stem.partition("-")[2] or path.stem,
                path=str(directory / name),
                down_path=str(directory / down) if down in names else None,
                depends=said.depends,
                unreadable=said.unreadable,
            )
        return tuple(found.values())

    def history_sql(self, table: VersionTable) -> str:
        """All rows."""
        columns = "migration_hash, migration_id, applied_at_utc"
        return f"SELECT {columns} FROM {table.quoted} ORDER BY migration_id"  # noqa: S608 - quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """yoyo's order backwards (``to_rollback``).

        yoyo passes over a row without a file in silence; here it stands where its file would, so
        that nobody rolls back what is older without seeing it.
        """
        by_hash = {yoyo_files.hash_of(file.version): file for file in files}
        applied: dict[str, AppliedMigration] = {}
        problem = ""
        for migration_hash, migration_id, applied_at in rows:
            file = by_hash.get(str(migration_hash))
            version = file.version if file else str(migration_id)
            if not file and yoyo_files.hash_of(version) != migration_hash:
                problem = (
                    f"The row of {printable(version)} in the version table has the hash of another "
                    "name, so yoyo would not find it. Find out who wrote it, and correct it."
                )
            applied[version] = AppliedMigration(
                version=version,
                name=file.name if file else "",
                applied_at=_utc(applied_at),
                path=file.path if file else None,
            )
        known = {file.version: file for file in files if isinstance(file, YoyoFile)}
        order, wrong = _order(applied, known)
        newest_first = tuple(applied[version] for version in reversed(order))
        return History(applied=newest_first, problem=problem or wrong)

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the rollback file, or what the steps of a Python file say."""
        return self._script(applied, directory, "rollback")

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the migration itself, in the same way."""
        return self._script(applied, directory, "apply")

    def _script(
        self, applied: AppliedMigration, directory: Path, direction: Literal["apply", "rollback"]
    ) -> Source | Missing:
        names = [f"{applied.version}{suffix}" for suffix in (".sql", ".py")]
        for path in (directory / name for name in names):
            try:
                data = migration_files.read(directory, path.name)
            except FileNotFoundError:
                continue
            said = yoyo_files.read(data, path)
            if said.unreadable:
                return Missing(why=said.unreadable)
            if path.suffix == ".py":
                return _of_steps(said, data, path, direction)
            if direction == "rollback":
                path = path.with_name(applied.version + _ROLLBACK)
                try:
                    data = migration_files.read(directory, path.name)
                except FileNotFoundError:
                    return Missing(why=f"there is no {printable(path.name)} beside {names[0]}")
            return Source(
                path=str(path),
                data=data,
                start=0,
                end=len(data),
                transactional=said.transactional,
            )
        return no_file(directory, applied.version)

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Log it and delete its row (``rollback_one``)."""
        where = f"migration_hash = {literal(yoyo_files.hash_of(rolled_back.version))}"
        return (
            _logged(table, rolled_back.version, "rollback"),
            f"DELETE FROM {table.quoted} WHERE {where}",  # noqa: S608 - quoted
        )

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Log it and insert its row (``apply_one``)."""
        named = f"{literal(yoyo_files.hash_of(applied.version))}, {literal(applied.version)}"
        return (
            _logged(table, applied.version, "apply"),
            f"INSERT INTO {table.quoted} (migration_hash, migration_id, applied_at_utc) "  # noqa: S608
            f"VALUES ({named}, {_NOW})",
        )

    def lock_sql(self, database: str, table: VersionTable) -> str | None:  # noqa: ARG002
        """Ask whether its lock is free; it is taken in the transaction.

        A row in the table would outlive us: whoever takes it for longer than a transaction leaves
        it there when it dies, and nobody can migrate until somebody calls `yoyo break-lock`.
        """
        return f"SELECT NOT EXISTS (SELECT FROM {_beside(table, 'yoyo_lock')})"  # noqa: S608 - quoted

    def own_tables(self, table: VersionTable) -> tuple[str, ...]:
        """Its log, its lock, and the version of these tables."""
        return tuple(_beside(table, name) for name in ("_yoyo_log", "_yoyo_version", "yoyo_lock"))

    def transaction_lock(self, table: VersionTable) -> tuple[str, ...]:
        """Insert its row, and delete it again: the key stays taken until the transaction ends."""
        lock = _beside(table, "yoyo_lock")
        return (
            f"INSERT INTO {lock} (locked, ctime, pid) VALUES (1, {_NOW}, pg_backend_pid())",  # noqa: S608 - quoted
            f"DELETE FROM {lock} WHERE locked = 1 AND pid = pg_backend_pid()",  # noqa: S608 - quoted
        )


def _of_steps(said: Said, data: bytes, path: Path, direction: str) -> Source | Missing:
    if said.steps is None:
        return Missing(
            why=f"{printable(path.name)} is a program: {said.code} is more than a plain "
            "step('…', '…'), and its SQL is known only when it runs",
            capturable=direction == "rollback",
        )
    if direction == "rollback":
        text = yoyo_files.script([step.rollback for step in reversed(said.steps)])
        order = ", the last step first"
    else:
        text = yoyo_files.script([step.apply for step in said.steps])
        order = ""
    return Source(
        path=str(path),
        data=text,
        start=0,
        end=len(text),
        transactional=said.transactional,
        origin=f"the strings of its steps{order}",
        file_sha256=hashlib.sha256(data).hexdigest(),
    )


def _order(
    applied: Mapping[str, object], files: Mapping[str, YoyoFile]
) -> tuple[tuple[str, ...], str]:
    """Return the applied versions in yoyo's order (``topological_sort``): always the one whose
    file's name is lowest of those that depend on nothing that is still to come. And what is wrong
    with it, empty when nothing is."""
    problem = ""
    waits: dict[str, set[str]] = {}
    for version in applied:
        file = files.get(version)
        if file and file.unreadable:
            problem = problem or f"yoyo could not go on: {file.unreadable}. Correct that file."
        for other in file.depends if file else ():
            if other not in files:
                problem = problem or (
                    f"{printable(version)} depends on {printable(other)}, of which there is no "
                    "file here: yoyo itself cannot go on. Is this the code that was deployed?"
                )
        waits[version] = {v for v in (file.depends if file else ()) if v in applied}
    ready = [(_key(version, files), version) for version in waits if not waits[version]]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        _, first = heapq.heappop(ready)
        order.append(first)
        for version, others in waits.items():
            if first in others:
                others.remove(first)
                if not others:
                    heapq.heappush(ready, (_key(version, files), version))
    left = sorted(set(waits) - set(order))
    if left:
        named = printable(", ".join(left))
        problem = problem or f"{named} depend on each other in a circle, which yoyo refuses too."
    return (*order, *left), problem


def _key(version: str, files: Mapping[str, YoyoFile]) -> str:
    return Path(files[version].path).name if version in files else f"{version}.sql"


def _logged(table: VersionTable, version: str, operation: str) -> str:
    """Return what `get_log_data` and `log_migration` enter. The id is any UUID; the host is what
    the machine calls itself: yoyo asks DNS for more, which may not answer tonight."""
    values = (
        f"gen_random_uuid()::text, {literal(yoyo_files.hash_of(version))}, {literal(version)}, "
        f"'{operation}', {literal(_user())}, {literal(socket.gethostname())}, {_NOW}"
    )
    columns = "id, migration_hash, migration_id, operation, username, hostname, created_at_utc"
    return f"INSERT INTO {_beside(table, '_yoyo_log')} ({columns}) VALUES ({values})"  # noqa: S608


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user anywhere
        return str(os.getuid())


def _beside(table: VersionTable, name: str) -> str:
    """Return another table of yoyo, quoted. All of them are made in the same schema."""
    return f"{identifier(table.schema)}.{name}"


def _utc(value: object) -> datetime | None:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None
