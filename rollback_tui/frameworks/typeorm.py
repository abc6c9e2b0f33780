"""TypeORM (https://typeorm.io), rules of versions 0.3 and 1.

One class a migration, in TypeScript or JavaScript; ``migrations(id, timestamp, name)`` has a row
for each, with the class's name. Only TypeORM can run them: they are captured.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.code import Code, applied_of
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import identifier, literal

_TIMESTAMP = re.compile(r"[0-9]{13}$")


class TypeOrm(Code):
    """TypeORM's files, order and version table."""

    name = "typeorm"
    default_table = "migrations"
    default_directories: tuple[str, ...] = (
        "src/migrations",
        "src/migration",
        "migrations",
        "migration",
        "dist/migrations",
    )
    file_pattern = "TIMESTAMP-Name.ts"
    pattern = re.compile(r"(?P<version>[0-9]{13})-(?P<name>\w+)(?<!\.d)\.(?:[cm]?[jt]s)")
    command: tuple[str, ...] = ("node_modules/.bin/typeorm",)
    status_command: tuple[str, ...] = ("migration:show", "-d", "data-source.js")
    down_command: tuple[str, ...] = ("migration:revert", "-d", "data-source.js")
    about = About(
        title="TypeORM",
        site="https://typeorm.io",
        rules="0.3 and 1.1",
        scripts="Classes in TypeScript or JavaScript. What `typeorm migration:revert -d "
        "data-source.js` sends to a scratch copy of the schema is captured. Name your data source "
        "in `status_command` and `down_command`; it must connect to where `DATABASE_URL` or "
        "`PGHOST` … say. Where it does not, this is noticed before anything is run, and refused.",
        newest="The highest `id`.",
        outside="`transaction = false` in the class: what cannot run in a transaction is "
        "recognised in what was captured.",
        change="`DELETE FROM migrations WHERE timestamp = … AND name = '…'`, as captured.",
        lock="none: it takes none.",
        tested="The real TypeORM 0.3 from npm.",
        refused=("A down migration that reads the application's rows: the scratch copy has none.",),
    )

    def recognises(self, shape: TableShape) -> bool:
        """``id integer``, ``timestamp bigint``, ``name varchar``."""
        return shape.columns == (
            ("id", "integer"),
            ("timestamp", "bigint"),
            ("name", "character varying"),
        )

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the files, each under the name that its class has by TypeORM's own template: the
        file's name and then its timestamp."""
        found = []
        for name in migration_files.names(directory):
            match = self.pattern.fullmatch(name)
            if match:
                path = str(directory / name)
                version = match["name"] + match["version"]
                found.append(
                    MigrationFile(version=version, name=match["name"], path=path, down_path=None)
                )
        return tuple(found)

    def history_sql(self, table: VersionTable) -> str:
        """All names, newest first."""
        return f"SELECT name FROM {table.quoted} ORDER BY id DESC"  # noqa: S608 - the name is quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """The highest ``id`` first (``getLatestExecutedMigration``).

        The table has no time of applying: the timestamp is that of the migration's making.
        """
        return History(
            applied=applied_of(
                [AppliedMigration(version=str(row[0]), name="") for row in rows], files
            )
        )

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete the row by its name."""
        name = literal(rolled_back.version)
        return (f"DELETE FROM {table.quoted} WHERE name = {name}",)  # noqa: S608 - quoted

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the row; its timestamp is the end of the class's name."""
        match = _TIMESTAMP.search(applied.version)
        values = f"{match.group() if match else 0}, {literal(applied.version)}"
        return (f'INSERT INTO {table.quoted} ("timestamp", name) VALUES ({values})',)  # noqa: S608 - quoted

    def own_tables(self, table: VersionTable) -> tuple[str, ...]:
        """``typeorm_metadata``, which describes generated columns and views."""
        return (f"{identifier(table.schema)}.typeorm_metadata",)
