"""tern (https://github.com/jackc/tern), rules of version 2.4.

One file a migration, the way up above ``---- create above / drop below ----`` and the way down
below it. The table ``schema_version(version integer primary key)`` has ONE row: the number of the
newest applied migration. The numbers have no gaps, so everything below it is applied as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.sections import GO_SPACE, Section, Sectioned, Ways, line_of

_FILE = re.compile(r"([0-9]+)_(.+)\.sql", re.ASCII)
_LARGEST = 2**31 - 1
_DIVIDER = b"---- create above / drop below ----"
_OUTSIDE = re.compile(r"(?:\A|(?<=\n))---- tern: disable-tx ----(?=\n|\Z)")
_TEMPLATE = b"{{"
_LOCK = 9628173550095224
"""``lockNum`` of its ``migrate.go``."""
_UNKNOWN_VERSIONS = 1000
"""So many versions above the newest file are believed; more is not what tern wrote."""


class Tern(Sectioned):
    """tern's files, order and version table."""

    name = "tern"
    default_table = "schema_version"
    # The tool's default is the working directory: these are what projects use.
    default_directories: tuple[str, ...] = (
        "migrations",
        "db/migrations",
        "postgresql/migrations",
        "sql/migrations",
        "internal/db/migrations",
    )
    file_pattern = "NUMBER_name.sql"
    about = About(
        title="tern",
        site="https://github.com/jackc/tern",
        rules="2.4",
        scripts="`NUMBER_name.sql`, everything below the first `---- create above / drop below "
        "----`, wherever that stands.",
        newest="The number in the table. Everything below it counts as applied, as it does for "
        "tern.",
        outside="`---- tern: disable-tx ----` as a line of its own, for each direction by itself.",
        change="`UPDATE schema_version SET version = …` to the number below, in the same "
        "transaction.",
        lock="Its advisory lock (9628173550095224), held until the run ends.",
        tested="Recorded behaviour of 2.4.",
        refused=(
            "A section with `{{`, with the line: it is a template, and what tern would put there "
            "comes from its configuration, its environment or other files.",
            "A version table that has not exactly one row.",
            "Two files with the same number.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """One column ``version integer``; before 2.3.6 it was no primary key."""
        return shape.columns == (("version", "integer"),)

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the files that begin with a number and end in ``.sql``, in the numbers' order.

        Raises FrameworkError when two have the same number, as tern does.
        """
        found: dict[int, MigrationFile] = {}
        for name in migration_files.names(directory):
            match = _FILE.fullmatch(name)
            if not match or not 1 <= int(match[1]) <= _LARGEST:
                continue
            version, path = int(match[1]), str(directory / name)
            if version in found:
                other = printable(Path(found[version].path).name)
                raise FrameworkError(
                    f"{other} and {printable(name)} both have the number {version}",
                    "tern refuses that as well: give one of them its own number.",
                )
            found[version] = MigrationFile(
                version=str(version), name=match[2], path=path, down_path=path
            )
        return tuple(file for _, file in sorted(found.items()))

    def history_sql(self, table: VersionTable) -> str:
        """All rows; there should be one."""
        return f"SELECT version FROM {table.quoted}"  # noqa: S608 - the name is quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """The row's number and all numbers below it, newest first."""
        if len(rows) != 1:
            return History(
                applied=(),
                problem=f"The version table has {len(rows)} rows; tern keeps exactly one there. "
                "Find out which number is really applied, and leave one row with it (0: nothing).",
            )
        current = int(str(rows[0][0]))
        by_version = {file.version: file for file in files}
        newest = max((int(file.version) for file in files), default=0)
        if not 0 <= current <= newest + _UNKNOWN_VERSIONS:
            return History(
                applied=(),
                problem=f"The version table says {current}, and the highest number of a file is "
                f"{newest}: tern refuses that. Find out what is really applied, and say so with "
                "`tern override-version`.",
            )
        applied = []
        for version in range(current, 0, -1):
            file = by_version.get(str(version))
            applied.append(
                AppliedMigration(
                    version=str(version),
                    name=file.name if file else "",
                    path=file.path if file else None,
                )
            )
        return History(applied=tuple(applied))

    def ways(self, data: bytes) -> Ways:
        """Cut at the first divider, as ``LoadMigrations`` does."""
        divider = data.find(_DIVIDER)
        if divider < 0:
            return Ways(
                up=_section(data, 0, len(data)),
                down="has no '---- create above / drop below ----', which makes it irreversible "
                "to tern",
            )
        return Ways(
            up=_section(data, 0, divider),
            down=_section(data, divider + len(_DIVIDER), len(data)),
        )

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Write the number below; below the first one that is 0."""
        return (f"UPDATE {table.quoted} SET version = {int(rolled_back.version) - 1}",)  # noqa: S608 - quoted

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Write the migration's number."""
        return (f"UPDATE {table.quoted} SET version = {int(applied.version)}",)  # noqa: S608 - quoted

    def lock_sql(self, database: str, table: VersionTable) -> str | None:  # noqa: ARG002
        """Take the lock for which ``MigrateTo`` waits with ``pg_advisory_lock``."""
        return f"SELECT pg_try_advisory_lock({_LOCK})"


def _section(data: bytes, start: int, end: int) -> Section | str:
    template = data.find(_TEMPLATE, start, end)
    if template >= 0:
        return (
            f"has a template ('{{{{') in line {line_of(data, template)}, which tern fills in from "
            "its configuration, its environment or other files: put what it stands for into a "
            "copy of the file, or roll back with tern"
        )
    # tern looks for its mark after it has taken the white space off both ends.
    text = data[start:end].decode(errors="surrogateescape").strip(GO_SPACE)
    return Section(start, end, transactional=_OUTSIDE.search(text) is None)
