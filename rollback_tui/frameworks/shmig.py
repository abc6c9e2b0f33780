"""shmig (https://github.com/mbucc/shmig), rules of version 1.1.

One file a migration, with an UP and a DOWN section, fed to psql. One row for each applied version
in ``shmig_version(version integer primary key, migrated_at timestamp)``. No lock of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
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
from rollback_tui.frameworks.sections import Section, Sectioned, Ways, lines

_FILE = re.compile(r"([0-9]+)-(.*)\.sql", re.ASCII | re.DOTALL)
_UP = "-- ====  UP  ===="
_DOWN = "-- ==== DOWN ===="


class Shmig(Sectioned):
    """shmig's files, order and version table."""

    name = "shmig"
    default_table = "shmig_version"
    file_pattern = "SECONDS-name.sql"
    about = About(
        title="shmig",
        site="https://github.com/mbucc/shmig",
        rules="1.1",
        scripts="`SECONDS-name.sql`, from the line `-- ==== DOWN ====` to the line "
        "`-- ====  UP  ====` or the end. shmig feeds it to psql, without the lines that begin "
        "with `--`; here they stay, being comments.",
        newest="The highest number in the table.",
        outside="none: psql commits each statement by itself unless the script has its own "
        "`BEGIN`; here all is one transaction wherever PostgreSQL allows it.",
        change="`DELETE FROM shmig_version WHERE version = …`, in the same transaction.",
        lock="none: shmig takes none.",
        tested="Recorded behaviour of 1.1.",
        refused=(
            "Commands of psql (`\\i`, `\\set` …), with their line.",
            "Marks other than the usual ones (`UP_MARK`, `DOWN_MARK` in `shmig.conf`).",
            "A file with several DOWN sections and an UP section between them.",
            "Two files with the same number.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """``version integer``, the key, and ``migrated_at timestamp without time zone``."""
        columns = {"version": "integer", "migrated_at": "timestamp without time zone"}
        return dict(shape.columns) == columns and shape.primary_key == ("version",)

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the files that begin with a number and ``-`` and end in ``.sql``, by the number.

        Raises FrameworkError when two files have the same number: shmig would run both sections
        of one into those of the other.
        """
        found: dict[int, MigrationFile] = {}
        for name in migration_files.names(directory):
            match = _FILE.fullmatch(name)
            if not match:
                continue
            version, path = int(match[1]), str(directory / name)
            if version in found:
                other = printable(Path(found[version].path).name)
                raise FrameworkError(
                    f"{other} and {printable(name)} both have version {version}",
                    "shmig cannot tell them apart: give one of them its own number.",
                )
            found[version] = MigrationFile(
                version=str(version), name=match[2], path=path, down_path=path
            )
        return tuple(file for _, file in sorted(found.items()))

    def history_sql(self, table: VersionTable) -> str:
        """All rows; the tool writes the time in UTC, into a column without zone."""
        return f"SELECT version, migrated_at FROM {table.quoted} ORDER BY version DESC"  # noqa: S608 - quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """Newest is the highest number (``order by version desc``)."""
        by_version = {file.version: file for file in files}
        applied = []
        for row in rows:
            file = by_version.get(str(row[0]))
            at = row[1]
            applied.append(
                AppliedMigration(
                    version=str(row[0]),
                    name=file.name if file else "",
                    applied_at=at.replace(tzinfo=UTC) if isinstance(at, datetime) else None,
                    path=file.path if file else None,
                )
            )
        return History(applied=tuple(applied))

    def ways(self, data: bytes) -> Ways:
        """Find the sections as its sed does: a mark is a whole line, exactly as written. With
        Windows ends of line it is none, because sed sees the carriage return."""
        return Ways(up=_section(data, _UP, _DOWN), down=_section(data, _DOWN, _UP))

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete the version's row (``postgresql_drop_version_sql``)."""
        return (f"DELETE FROM {table.quoted} WHERE version = {int(rolled_back.version)}",)  # noqa: S608 - quoted

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the version's row (``postgresql_bump_version_sql``); the time is its default."""
        return (f"INSERT INTO {table.quoted} (version) VALUES ({int(applied.version)})",)  # noqa: S608 - quoted


def _section(data: bytes, since: str, till: str) -> Section | str:
    """Return the one range from ``since`` to ``till``; a second ``since`` in it is a comment."""
    found: list[Section] = []
    start: int | None = None
    windows = 0
    for line in lines(data):
        mark = data[line.start : line.end].removesuffix(b"\n").decode(errors="surrogateescape")
        if mark == since and start is None:
            start = line.end
        elif mark == till and start is not None:
            found.append(Section(start, line.start))
            start = None
        elif mark == since + "\r":
            windows = windows or line.number
    if start is not None:
        found.append(Section(start, len(data)))
    if not found and windows:
        return (
            f"has Windows ends of line, with which shmig does not find the line '{since}' (line "
            f"{windows})"
        )
    if not found:
        return f"has no line '{since}'"
    if len(found) > 1:
        return f"has {len(found)} sections '{since}': bring them together into one"
    return found[0]
