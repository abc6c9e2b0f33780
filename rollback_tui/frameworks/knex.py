"""Knex (https://knexjs.org), rules of version 3.

One JavaScript or TypeScript file a migration; ``knex_migrations`` has a row for each, with the
file's whole name. Only Knex can run them: they are captured.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from rollback_tui.core.model import AppliedMigration
from rollback_tui.frameworks.code import Code, applied_of
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import identifier, literal

_LOCKED = (
    "Knex's migration lock is taken: a deploy is migrating right now, or one died and left the lock"
    " behind. Wait until it has ended; if there is none, release it with `knex migrate:unlock`."
)


class Knex(Code):
    """Knex's files, order and version table."""

    name = "knex"
    default_table = "knex_migrations"
    default_directories: tuple[str, ...] = ("migrations", "db/migrations", "src/migrations")
    file_pattern = "TIMESTAMP_name.js"
    pattern = re.compile(
        r"(?P<version>[0-9]+_(?P<name>.*)\.(?:js|cjs|mjs|ts|cts|mts|co|coffee|eg|iced|ls|litcoffee))"
    )
    version_column = "name"
    command: tuple[str, ...] = ("node_modules/.bin/knex",)
    status_command: tuple[str, ...] = ("migrate:list",)
    down_command: tuple[str, ...] = ("migrate:down", "{version}")
    about = About(
        title="Knex",
        site="https://knexjs.org",
        rules="3",
        scripts="JavaScript or TypeScript files. What `knex migrate:down NAME` sends to a scratch "
        "copy of the schema is captured. The knexfile must connect to where `DATABASE_URL` or "
        "`PGHOST` … say; where it does not, this is noticed before anything is run, and refused.",
        newest="The highest `id`. A batch is not kept together: `--steps` counts migrations.",
        outside="`exports.config = { transaction: false }`: what cannot run in a transaction is "
        "recognised in what was captured.",
        change="`DELETE FROM knex_migrations WHERE name = '…'`, as captured.",
        lock="The row of `knex_migrations_lock`, locked in the transaction: another Knex waits.",
        tested="The real Knex 3 from npm.",
        refused=(
            "A down migration that reads the application's rows: the scratch copy has none.",
            "A lock that is taken: a deploy is running, or `knex migrate:unlock` is needed.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """``id``, ``name``, ``batch``, ``migration_time``."""
        return [name for name, _ in shape.columns] == ["id", "name", "batch", "migration_time"]

    def history_sql(self, table: VersionTable) -> str:
        """All rows, each with whether the lock is taken."""
        taken = f"(SELECT coalesce(max(is_locked), 0) <> 0 FROM {_lock_table(table)})"  # noqa: S608 - quoted
        return f"SELECT name, migration_time, {taken} FROM {table.quoted} ORDER BY id DESC"  # noqa: S608 - quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """The highest ``id`` first (``listCompleted`` of its migrator)."""
        found = [
            AppliedMigration(
                version=str(name),
                name="",
                applied_at=when if isinstance(when, datetime) else None,
            )
            for name, when, _ in rows
        ]
        return History(
            applied=applied_of(found, files),
            problem=_LOCKED if any(taken for _, _, taken in rows) else "",
        )

    def own_tables(self, table: VersionTable) -> tuple[str, ...]:
        """The lock table."""
        return (_lock_table(table),)

    def transaction_lock(self, table: VersionTable) -> tuple[str, ...]:
        """Lock the row of its lock table, and leave it as it is: another Knex, which takes its lock
        by an UPDATE of that row, waits until we are done (``Migrator._lockMigrations``)."""
        return (f"SELECT is_locked FROM {_lock_table(table)} FOR UPDATE",)  # noqa: S608 - quoted

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the row, in a batch of its own."""
        values = f"{literal(applied.version)}, coalesce(max(batch), 0) + 1, now()"
        return (
            f"INSERT INTO {table.quoted} (name, batch, migration_time)"  # noqa: S608 - quoted
            f" SELECT {values} FROM {table.quoted}",
        )


def _lock_table(table: VersionTable) -> str:
    return f"{identifier(table.schema)}.{identifier(table.name + '_lock')}"
