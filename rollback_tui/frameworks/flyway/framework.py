"""Flyway (https://github.com/flyway/flyway), rules of version 10 (its source, Community core).

``V3__x.sql`` and the undo file ``U3__x.sql``; a row for each migration in
``flyway_schema_history``, in the order of ``installed_rank``. Community has no ``undo``: what it
understands afterwards is that the row is gone. An advisory lock keeps two Flyways apart.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks.base import Base, no_file
from rollback_tui.frameworks.flyway.history import COLUMNS, read_history
from rollback_tui.frameworks.flyway.settings import (
    FlywaySettings,
    locations,
    number,
    settings_for,
)
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import literal
from rollback_tui.frameworks.search_path import elsewhere
from rollback_tui.frameworks.whole_files import below, contents, optional, relative, unique, whole

_LOCK = 0x466C79776179
"""``Flyway``, its letters as bytes."""


class Flyway(Base):
    """Flyway's files, order and history table."""

    name = "flyway"
    default_table = "flyway_schema_history"
    default_directories: tuple[str, ...] = (
        "sql",
        "db/migration",
        "src/main/resources/db/migration",
        "migrations",
    )
    file_pattern = "V3__name.sql and U3__name.sql"
    about = About(
        title="Flyway",
        site="https://github.com/flyway/flyway",
        rules="10 (its source, Community core)",
        scripts="The undo file `U3__name.sql`, in the directory of the migrations or anywhere "
        "below it. Prefixes, separator, suffixes, encoding and placeholders are taken from a "
        "`flyway.toml` or `flyway.conf` beside the migrations or up to six directories above; what "
        "only the command line, the environment or an application's own configuration says is not "
        "seen. Callbacks (`beforeUndo.sql`, `afterEachUndo.sql` …) are **not** run.",
        newest="The highest `installed_rank` of a versioned migration that succeeded and was not "
        "deleted or undone since. When it was applied is not shown: the time is in the time zone "
        "of the machine that migrated. Repeatable migrations have no version, and no way back. A "
        "baseline ends the list: what it stands for was there before.",
        outside="`executeInTransaction=false` in `U3__name.sql.conf`, or in Flyway's configuration "
        "for all.",
        change="The row is **deleted**: `flyway info` then says *Pending*, and `migrate` applies "
        "it again. (Flyway's own undo, which is not part of Community, adds a row of type "
        "`UNDO_SQL`; Community cannot read a table with such a row.)",
        lock="The advisory lock that Flyway takes for this table, 77431708279161 plus Java's hash "
        'of `"schema"."table"`, held until the run ends.',
        tested="Recorded behaviour of Flyway Community 10, and its source; no program was run.",
        refused=(
            "A row with `success = false`: see `flyway repair`.",
            "A placeholder (`${…}`) in the undo file while placeholders are replaced: Flyway "
            "replaces them everywhere, in strings and comments as well.",
            "An undo file that its `.conf` says is not to be executed (`shouldExecute`), or that "
            "is not UTF-8.",
            "Two files with the same version and prefix.",
            "A history table in another schema than the one that comes first in the connection's "
            "`search_path`: Flyway puts it first.",
        ),
    )

    def configured_directories(self, project: Path) -> tuple[str, ...]:
        """The ``locations`` in the ``flyway.toml`` or ``flyway.conf`` of the project. What Java
        finds on its class path is in ``src/main/resources``."""
        return locations(project)

    def recognises(self, shape: TableShape) -> bool:
        """The ten columns that it has had since version 4."""
        return (
            {name for name, _ in shape.columns} == COLUMNS
            and dict(shape.columns)["success"] == "boolean"
            and shape.primary_key == ("installed_rank",)
        )

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the versioned migrations and undo files, in the order of their versions, part by
        part as numbers: ``1.10`` is newer than ``1.9``, and ``1.0`` is ``1``.

        Raises FrameworkError when two files have the same version and prefix.
        """
        settings = settings_for(directory)
        found: dict[str, list[MigrationFile]] = {"V": [], "U": []}
        for name in below(directory):
            parsed = settings.parse(Path(name).name)
            if parsed:
                kind, version, title = parsed
                path = str(directory / name)
                found[kind].append(
                    MigrationFile(version=version, name=title, path=path, down_path=None)
                )
        undo = {number(file.version): file.path for file in _unique(found["U"])}
        done = {number(file.version): file for file in _unique(found["V"])}
        every = [
            MigrationFile(
                version=file.version, name=file.name, path=file.path, down_path=undo.get(at)
            )
            for at, file in done.items()
        ]
        # An undo file alone: its migration may be a Java class.
        every += [
            MigrationFile(version=file.version, name=file.name, path=file.path, down_path=file.path)
            for file in found["U"]
            if number(file.version) not in done
        ]
        return tuple(sorted(every, key=lambda file: number(file.version) or ()))

    def history_sql(self, table: VersionTable) -> str:
        """All rows, in the order of their ranks."""
        return (
            "SELECT installed_rank, version, description, type, success,"  # noqa: S608 - quoted
            f" {elsewhere(table)} FROM {table.quoted} ORDER BY installed_rank"
        )

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """What is applied and not undone, the highest rank first."""
        return read_history(rows, files)

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole undo file; Missing as well for what Flyway would not run as it is."""
        version = printable(applied.version)
        if applied.path is None:
            if any(number(f.version) == number(applied.version) for f in self.files(directory)):
                return Missing(
                    why=f"version {version} is a baseline: it stands for what was there before, "
                    "and nothing takes that back"
                )
            return no_file(directory, applied.version)
        file = self._file(applied, directory)
        if file is None or file.down_path is None:
            undo = settings_for(directory).undo_prefix
            return Missing(
                why=f"version {version} has no undo file ({printable(undo)}{version}__….sql) in "
                f"{printable(str(directory))} or below it"
            )
        return _script(directory, file.down_path)

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole versioned migration."""
        file = self._file(applied, directory) if applied.path else None
        if file is None:
            return no_file(directory, applied.version)
        if file.path == file.down_path:
            return Missing(
                why=f"version {printable(applied.version)} has only an undo file: its migration "
                "may be a Java class"
            )
        return _script(directory, file.path)

    def _file(self, applied: AppliedMigration, directory: Path) -> MigrationFile | None:
        wanted = number(applied.version)
        return next((f for f in self.files(directory) if number(f.version) == wanted), None)

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete the row that counts: of one version that was undone and applied again, the last.

        Community has no undo to compare with; it was recorded that it takes this for *pending*.
        """
        version = literal(rolled_back.version)
        return (
            f"DELETE FROM {table.quoted} WHERE installed_rank = (SELECT max(installed_rank)"  # noqa: S608 - quoted
            f" FROM {table.quoted} WHERE version = {version} AND success"
            " AND type NOT IN ('DELETE', 'UNDO_SQL', 'UNDO_JDBC', 'UNDO_SCRIPT'))",
        )

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the row (``addAppliedMigration``) with the next rank; how long it took is 0.

        Raises FrameworkError when the file is gone, whose checksum belongs into the row.
        """
        checksum = checksum_of(contents(applied))
        path = Path(applied.path or "")
        columns = (
            "installed_rank, version, description, type, script, checksum, installed_by,"
            " execution_time, success"
        )
        return (
            f"INSERT INTO {table.quoted} ({columns}) SELECT coalesce(max(installed_rank), 0) + 1,"  # noqa: S608 - quoted
            f" {literal(applied.version)}, {literal(applied.name)}, 'SQL',"
            f" {literal(path.name)}, {checksum}, current_user, 0, true FROM {table.quoted}",
        )

    def lock_sql(self, database: str, table: VersionTable) -> str | None:  # noqa: ARG002
        """Take the lock of ``PostgreSQLAdvisoryLockTemplate``; the transactional one, which newer
        versions take, has the same key."""
        return f"SELECT pg_try_advisory_lock({lock_key(table)})"


def lock_key(table: VersionTable) -> int:
    """Return the key of the lock: a constant plus Java's hash of the quoted name of the table."""
    parts = (part.replace('"', '""') for part in (table.schema, table.name))
    return _LOCK + java_hash(".".join(f'"{part}"' for part in parts))


def java_hash(text: str) -> int:
    """Return ``String.hashCode()``: 31 times what came before, plus the next UTF-16 unit, in 32
    bits with a sign."""
    data = text.encode("utf-16-be")
    value = 0
    for at in range(0, len(data), 2):
        value = (31 * value + int.from_bytes(data[at : at + 2])) & 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value


def checksum_of(data: bytes) -> int:
    """Return the CRC-32 of the lines without their ends and without a byte order mark, in 32 bits
    with a sign (``ChecksumCalculator``)."""
    lines = re.split(rb"\r\n|\r|\n", data.removeprefix(b"\xef\xbb\xbf"))
    value = zlib.crc32(b"".join(lines))
    return value - 2**32 if value >= 2**31 else value


def _unique(files: Sequence[MigrationFile]) -> tuple[MigrationFile, ...]:
    """Return ``files`` when their versions differ as Flyway compares them. Raises FrameworkError.

    Each version is written as one for that: ``1.0`` and ``1`` are the same.
    """
    plain = [
        MigrationFile(
            version=".".join(map(str, number(file.version) or ())),
            name=file.name,
            path=file.path,
            down_path=None,
        )
        for file in files
    ]
    unique(plain, "Flyway")
    return tuple(files)


def _script(directory: Path, path: str) -> Source | Missing:
    """Return the whole file, unless Flyway would not run these bytes as they are."""
    name = relative(directory, path)
    settings = settings_for(directory).for_script(optional(directory, f"{name}.conf"))
    shown = printable(name)
    if settings.should_execute != "true":
        return Missing(why=f"{shown}.conf says shouldExecute={printable(settings.should_execute)}")
    if settings.encoding.upper().replace("_", "-") not in ("UTF-8", "UTF8"):
        return Missing(
            why=f"{shown} is {printable(settings.encoding)} by its configuration, not UTF-8"
        )
    script = whole(directory, path, transactional=settings.in_transaction)
    if isinstance(script, Source):
        line = _placeholder(script.data, settings)
        if line:
            return Missing(
                why=f"{shown}, line {line}: {printable(settings.placeholder_prefix)} begins a "
                "placeholder, which Flyway would replace; put in a copy of the file what it stands "
                "for, or say placeholderReplacement=false in its .conf if it stands for itself"
            )
    return script


def _placeholder(data: bytes, settings: FlywaySettings) -> int:
    """Return the line of the first placeholder; 0 when nothing would be replaced."""
    if not settings.placeholders:
        return 0
    at = data.find(settings.placeholder_prefix.encode())
    return data.count(b"\n", 0, at) + 1 if at >= 0 else 0
