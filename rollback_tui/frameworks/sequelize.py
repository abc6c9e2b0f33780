"""Sequelize (sequelize-cli), rules of version 6.

One JavaScript file a migration; ``"SequelizeMeta"(name)`` has a row for each, with the file's whole
name. Only sequelize-cli can run them: they are captured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
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

_TARGET = {"use_env_variable": "DATABASE_URL"}
_CONFIG = json.dumps(dict.fromkeys(("development", "test", "staging", "production"), _TARGET))


class Sequelize(Code):
    """Sequelize's files, order and version table."""

    name = "sequelize"
    default_table = "SequelizeMeta"
    default_directories: tuple[str, ...] = ("migrations", "db/migrations", "src/migrations")
    file_pattern = "TIMESTAMP-name.js"
    # umzug's pattern in sequelize-cli's migrator; definitions of types are no migrations.
    pattern = re.compile(r"(?!.*\.d\.ts$)(?P<version>(?:[0-9]+-)?(?P<name>.*)\.(?:cjs|js|cts|ts))")
    version_column = "name"
    command: tuple[str, ...] = ("node_modules/.bin/sequelize-cli",)
    status_command: tuple[str, ...] = ("db:migrate:status", "--config", "{directory}/config.json")
    down_command: tuple[str, ...] = (
        *("db:migrate:undo", "--name", "{version}"),
        *("--config", "{directory}/config.json"),
    )
    # The project's own configuration may name a database; this one names the variable.
    given = MappingProxyType({"config.json": _CONFIG})
    about = About(
        title="Sequelize",
        site="https://sequelize.org",
        rules="sequelize-cli 6",
        scripts="JavaScript files. What `sequelize-cli db:migrate:undo --name NAME` sends to a "
        "scratch copy of the schema is captured. It is called with a configuration that knows only "
        "`DATABASE_URL`; where yours says more that matters (`dialectOptions`, another table), "
        "name your own calls as `status_command` and `down_command`.",
        newest="The highest **file name**, compared as text.",
        outside="none: sequelize-cli opens no transaction at all. We do.",
        change="`DELETE FROM \"SequelizeMeta\" WHERE name = '…'`, as captured.",
        lock="none: it takes none.",
        tested="The real sequelize-cli 6 from npm.",
        refused=("A down migration that reads the application's rows: the scratch copy has none.",),
    )

    def recognises(self, shape: TableShape) -> bool:
        """One column ``name``, varchar, the primary key; with timestamps where so configured."""
        names = [name for name, _ in shape.columns]
        return names in (["name"], ["name", "createdAt", "updatedAt"]) and shape.primary_key == (
            "name",
        )

    def history_sql(self, table: VersionTable) -> str:
        """All names, with the time where there is one."""
        when = '"createdAt"' if "createdAt" in table.columns else "NULL"
        return f"SELECT name, {when} FROM {table.quoted}"  # noqa: S608 - the name is quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """The highest name first (umzug's storage asks for ``ORDER BY name``)."""
        found = [
            AppliedMigration(
                version=str(name), name="", applied_at=at if isinstance(at, datetime) else None
            )
            for name, at in rows
        ]
        found.sort(key=lambda one: one.version.encode(), reverse=True)
        return History(applied=applied_of(found, files))

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the row, with both times where there are such columns."""
        (plain,) = super().applied_change(table, applied)
        if "createdAt" not in table.columns:
            return (plain,)
        plain = plain.replace("(name)", '(name, "createdAt", "updatedAt")', 1)
        return (plain.removesuffix(")") + ", now(), now())",)
