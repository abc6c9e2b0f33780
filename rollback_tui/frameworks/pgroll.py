"""pgroll (https://pgroll.com), rules of version 0.14.

Migrations are lists of operations in JSON or YAML; one row each in ``pgroll.migrations``, of which
each names its parent. One that was started and not completed can be taken back by pgroll itself;
one that is complete cannot. Rules from its source, Apache-2.0: ``pkg/state/init.sql``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
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

_COLUMNS = {
    "schema": "name",
    "name": "text",
    "migration": "jsonb",
    "parent": "text",
    "done": "boolean",
    "resulting_schema": "jsonb",
}
_ENDINGS = (".json", ".yaml", ".yml")
_OURS = "rollback_tui"
"""Our own schema: its trigger sees that, too, when a run makes it."""

_FORWARD = (
    "a new migration file with the operations that undo it, then `pgroll start FILE --complete`"
)
_STAYS = (
    "pgroll itself enters what a script changes into pgroll.migrations, as an inferred migration"
    " (its event trigger does), and each row names the one before"
)


class Pgroll(NoDown):
    """pgroll's files, order and table."""

    name = "pgroll"
    default_table = "migrations"
    default_directories: tuple[str, ...] = ("migrations", "db/migrations", "pgroll")
    file_pattern = "name.json, name.yaml"
    version_stays = _STAYS
    forward = _FORWARD
    besides = "(`pgroll rollback` takes back only a migration that is active; this one is complete)"
    about = About(
        title="pgroll",
        site="https://pgroll.com",
        rules="0.14",
        scripts="There are none. While a migration is **active** (started, not completed), pgroll"
        " takes it back by itself: `pgroll rollback`.",
        newest="The row that is nobody's `parent`, of the schema `public` where it has several.",
        outside="none: its operations are no SQL.",
        change="Nothing: its event trigger enters what the script does as an inferred migration, so"
        " that its history says what was done by hand.",
        lock="none: pgroll takes none. Its table is locked.",
        tested="Tables and triggers as its source makes them.",
        refused=(
            "A migration that is active: `pgroll rollback` or `pgroll complete` comes first.",
        ),
        instead=instead(
            "pgroll, of a migration that is complete,",
            _FORWARD,
            "pgroll's own trigger enters it as an inferred migration; the table is otherwise left"
            " alone. The schema with the version's views (`public_NAME`) is yours to take care of"
            " in the script.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """By six of its columns; schema and name are the key."""
        columns = dict(shape.columns)
        return shape.primary_key == ("schema", "name") and all(
            columns.get(name) == kind for name, kind in _COLUMNS.items()
        )

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the JSON and YAML files, in file-name order."""
        return tuple(
            MigrationFile(
                version=Path(name).stem, name="", path=str(directory / name), down_path=None
            )
            for name in migration_files.names(directory)
            if name.endswith(_ENDINGS)
        )

    def history_sql(self, table: VersionTable) -> str:
        """All rows of all schemas; ``migration_type`` only where there is one."""
        kind = "migration_type" if "migration_type" in table.columns else "'pgroll'"
        return (
            f"SELECT schema, name, parent, done, created_at, {kind}"  # noqa: S608 - quoted
            f" FROM {table.quoted} ORDER BY created_at DESC, name DESC"
        )

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """From the row that is nobody's parent down to the first one."""
        schemas = {str(row[0]) for row in rows if str(row[5]) != "inferred"}
        schemas = schemas or {str(row[0]) for row in rows if str(row[0]) != _OURS}
        if len(schemas) > 1 and "public" not in schemas:
            named = printable(", ".join(sorted(schemas)))
            return History(
                applied=(),
                problem=f"pgroll has migrations of several schemas here ({named}), none of them"
                " public: which is meant cannot be told.",
            )
        schema = "public" if "public" in schemas else next(iter(schemas), "")
        mine = {str(row[1]): row for row in rows if str(row[0]) == schema}
        parents = {str(row[2]) for row in mine.values() if row[2] is not None}
        paths = {file.version: file.path for file in files}
        applied = []
        name = next((n for n in mine if n not in parents), None)
        while name is not None and name in mine:
            row = mine.pop(name)
            applied.append(
                AppliedMigration(
                    version=name,
                    name="" if row[5] == "pgroll" else str(row[5]),
                    # Older ones kept local time without a zone.
                    applied_at=_zoned(row[4]),
                    path=paths.get(name),
                )
            )
            if not row[3]:
                return History(applied=tuple(applied), problem=_active(name))
            name = None if row[2] is None else str(row[2])
        return History(applied=tuple(applied))

    def up(self, applied: AppliedMigration, directory: Path) -> Missing:
        """Return that its operations are no SQL."""
        if applied.path is None:
            return no_file(directory, applied.version)
        return Missing(why=f"{printable(Path(applied.path).name)} has operations of pgroll, no SQL")

    def version_change(
        self,
        table: VersionTable,  # noqa: ARG002
        rolled_back: AppliedMigration,  # noqa: ARG002
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Return nothing: see ``version_stays``."""
        return ()


def _active(name: str) -> str:
    return (
        f"migration {printable(name)} of pgroll is active: started, not completed. `pgroll"
        " rollback` takes it back at once, and loses what was written through its new version;"
        " `pgroll complete` finishes it."
    )


def _zoned(moment: object) -> datetime | None:
    return moment if isinstance(moment, datetime) and moment.tzinfo else None
