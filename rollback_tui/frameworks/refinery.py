"""refinery (https://github.com/rust-db/refinery), rules of version 0.8.

Files ``V1__name.sql`` (in order) and ``U1__name.sql`` (in any order), or the same in Rust; one row
each in ``refinery_schema_history``. Rules from its source, MIT: ``refinery_core/src/traits``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import whole_files
from rollback_tui.frameworks.base import no_file
from rollback_tui.frameworks.no_down import NoDown, instead
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)

_FILE = re.compile(r"[UV]([0-9]+)__(\w+)\.(?:sql|rs)", re.ASCII)
_FRACTION = re.compile(r"(\.\d{6})\d+")
_FORWARD = (
    "a new `V…__name.sql` that undoes it, then `refinery migrate -e DATABASE_URL -p migrations`, or"
    " start the application that embeds it"
)


class Refinery(NoDown):
    """refinery's files, order and history table."""

    name = "refinery"
    default_table = "refinery_schema_history"
    default_directories: tuple[str, ...] = ("migrations", "src/migrations", "db/migrations")
    file_pattern = "V1__name.sql and U1__name.sql"
    forward = _FORWARD
    about = About(
        title="refinery",
        site="https://github.com/rust-db/refinery",
        rules="0.8",
        scripts="There are none: `V1__name.sql` and `U1__name.sql` have one direction.",
        newest="The row with the highest `version`, as a number.",
        outside="none: each migration has its transaction.",
        change="`DELETE FROM refinery_schema_history WHERE version = …`. Its next `migrate` then"
        " takes the file for pending.",
        lock="none: refinery takes none. The history table itself is locked.",
        tested="A table as its source makes it.",
        instead=instead(
            "refinery", _FORWARD, "Its row is deleted in the same transaction: it is pending again."
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """Four columns, of which the key is a number (``int8`` since version 0.9)."""
        columns = dict(shape.columns)
        return (
            columns.keys() == {"version", "name", "applied_on", "checksum"}
            and columns["version"] in ("integer", "bigint")
            and columns["applied_on"].startswith("character varying")
            and shape.primary_key == ("version",)
        )

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return its files in ``directory`` and below, in the order of their numbers."""
        found = []
        for name in whole_files.below(directory):
            match = _FILE.fullmatch(Path(name).name)
            if match:
                path = str(directory / name)
                version = str(int(match[1]))
                found.append(
                    MigrationFile(version=version, name=match[2], path=path, down_path=None)
                )
        return tuple(sorted(found, key=lambda file: int(file.version)))

    def history_sql(self, table: VersionTable) -> str:
        """All rows."""
        return f"SELECT version, name, applied_on FROM {table.quoted} ORDER BY version DESC"  # noqa: S608 - quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """Highest number first."""
        paths = {file.version: file.path for file in files}
        return History(
            applied=tuple(
                AppliedMigration(
                    version=str(version),
                    name=str(name or ""),
                    applied_at=_moment(at),
                    path=paths.get(str(version)),
                )
                for version, name, at in rows
            )
        )

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole file; one in Rust has no SQL that could be read."""
        if applied.path is None:
            return no_file(directory, applied.version)
        if applied.path.endswith(".rs"):
            return Missing(why=f"{printable(applied.path)} is Rust, not SQL")
        return whole_files.whole(directory, applied.path)

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete the row; the version is a number."""
        return (f"DELETE FROM {table.quoted} WHERE version = {int(rolled_back.version)}",)  # noqa: S608 - a number


def _moment(text: object) -> datetime | None:
    """Return what it wrote as RFC 3339, with nanoseconds."""
    try:
        found = datetime.fromisoformat(_FRACTION.sub(r"\1", str(text)))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None
