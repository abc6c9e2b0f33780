"""Ruby on Rails (ActiveRecord), rules of 6.1 to 8.0.

One Ruby file a migration; ``schema_migrations(version varchar)`` has a row for each, beside
``ar_internal_metadata``. Only Rails can run them: they are captured.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from rollback_tui.core.model import AppliedMigration
from rollback_tui.frameworks.code import Code, applied_of
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import identifier

_SALT = 2053462845
"""``ActiveRecord::Migrator::MIGRATOR_SALT``."""


class Rails(Code):
    """Rails' files, order and version table."""

    name = "rails"
    default_table = "schema_migrations"
    beside: tuple[str, ...] = ("ar_internal_metadata",)
    default_directories: tuple[str, ...] = ("db/migrate",)
    file_pattern = "VERSION_name.rb"
    pattern = re.compile(r"(?P<version>[0-9]+)_(?P<name>[_a-z0-9]*)(?:\.[_a-z0-9]*)?\.rb", re.ASCII)
    command: tuple[str, ...] = ("bin/rails",)
    status_command: tuple[str, ...] = ("db:migrate:status",)
    down_command: tuple[str, ...] = ("db:migrate:down", "VERSION={version}")
    # After each migration Rails writes db/schema.rb anew, from the database it is connected to.
    environment = MappingProxyType({"SCHEMA": "{directory}/schema.rb", "DISABLE_SPRING": "1"})
    about = About(
        title="Rails (ActiveRecord)",
        site="https://guides.rubyonrails.org/active_record_migrations.html",
        rules="6.1 to 8.0",
        scripts="Ruby files in `db/migrate`. What `bin/rails db:migrate:down VERSION=…` sends to a "
        "scratch copy of the schema is captured.",
        newest="The highest version as a number.",
        outside="`disable_ddl_transaction!`: what cannot run in a transaction is recognised in "
        "what was captured.",
        change="`DELETE FROM schema_migrations WHERE version = '…'`, as captured.",
        lock="Its advisory lock (CRC-32 of the database name, salted), held until the run ends.",
        tested="The real ActiveRecord 6.1 of Debian.",
        refused=("A down migration that reads the application's rows: the scratch copy has none.",),
    )

    def recognises(self, shape: TableShape) -> bool:
        """One column ``version``, varchar; whether ``ar_internal_metadata`` is beside it tells it
        from dbmate's. Its primary key came with Rails 5."""
        return (
            len(shape.columns) == 1
            and shape.columns[0][0] == "version"
            and shape.columns[0][1].startswith("character varying")
        )

    def history_sql(self, table: VersionTable) -> str:
        """All versions."""
        return f"SELECT version FROM {table.quoted}"  # noqa: S608 - the name is quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """The highest number first; what is no number, which Rails reads as 0, last."""
        found = [AppliedMigration(version=str(row[0]), name="") for row in rows]
        found.sort(key=lambda one: (_number(one.version), one.version), reverse=True)
        return History(applied=applied_of(found, files))

    def stale_files(self, directory: Path) -> tuple[str, ...]:
        """``db/schema.rb`` and ``db/structure.sql``, one of which Rails writes anew each time."""
        return tuple(
            str(path)
            for name in ("schema.rb", "structure.sql")
            if (path := directory.parent / name).is_file()
        )

    def lock_sql(self, database: str, table: VersionTable) -> str | None:  # noqa: ARG002
        """``ActiveRecord::Migrator#generate_migrator_advisory_lock_id``."""
        return f"SELECT pg_try_advisory_lock({zlib.crc32(database.encode()) * _SALT})"

    def own_tables(self, table: VersionTable) -> tuple[str, ...]:
        """``ar_internal_metadata``."""
        return (f"{identifier(table.schema)}.ar_internal_metadata",)


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0
