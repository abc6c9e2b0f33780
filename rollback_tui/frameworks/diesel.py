"""Diesel (https://diesel.rs), rules of version 2.2, read from its source.

A directory a migration, ``VERSION_name`` with ``up.sql`` and ``down.sql``; the version is what
stands before the first ``_``, without dashes. One row for each applied version in
``__diesel_schema_migrations(version varchar(50) primary key, run_on timestamp)``. No lock.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks.base import Base, no_file
from rollback_tui.frameworks.own_settings import text_at, toml_settings
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import literal
from rollback_tui.frameworks.search_path import elsewhere, refusal
from rollback_tui.frameworks.whole_files import (
    first_upwards,
    optional,
    relative,
    subdirectories,
    unique,
    whole,
)

_LEVELS = 4
"""So many directories above the migrations ``diesel.toml`` is looked for."""


class Diesel(Base):
    """Diesel's directories, order and version table."""

    name = "diesel"
    default_table = "__diesel_schema_migrations"
    default_directories: tuple[str, ...] = ("migrations", "db/migrations")
    file_pattern = "VERSION_name/down.sql"
    about = About(
        title="Diesel",
        site="https://diesel.rs",
        rules="2.2 (its source)",
        scripts="The whole file `VERSION_name/down.sql`, in the directory that `diesel.toml` names "
        "or in a usual one.",
        newest="The highest version, compared as text by the server, whenever it was applied. The "
        "initial setup, `00000000000000`, is a migration like any other.",
        outside="`run_in_transaction = false` in `metadata.toml`; a `metadata.toml` without that "
        "line means the same, as it does to Diesel.",
        change="`DELETE FROM __diesel_schema_migrations WHERE version = '…'`.",
        lock="none: Diesel takes none.",
        tested="Against its source; no program was run.",
        refused=(
            "Two directories with the same version.",
            "A version table in another schema than the one that comes first in the connection's "
            "`search_path`: Diesel creates and reads it without naming a schema.",
        ),
    )

    def configured_directories(self, project: Path) -> tuple[str, ...]:
        """``dir`` of ``[migrations_directory]`` in ``diesel.toml``."""
        named = text_at(toml_settings(project, "diesel.toml"), "migrations_directory", "dir")
        return (named,) if named else ()

    def recognises(self, shape: TableShape) -> bool:
        """``version varchar(50)``, the key, and ``run_on timestamp``."""
        columns = {name: kind.partition("(")[0] for name, kind in shape.columns}
        wanted = {"version": "character varying", "run_on": "timestamp without time zone"}
        return columns == wanted and shape.primary_key == ("version",)

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the directories with an ``up.sql`` or a ``down.sql``, in the order of their
        versions as text. Raises FrameworkError when two have the same version."""
        found = []
        for name in subdirectories(directory):
            up, down = (directory / name / f"{way}.sql" for way in ("up", "down"))
            if not up.is_file() and not down.is_file():
                continue
            version, _, title = name.partition("_")
            found.append(
                MigrationFile(
                    version=version.replace("-", ""),
                    name=title,
                    path=str(up if up.is_file() else down),
                    down_path=str(down) if down.is_file() else None,
                )
            )
        return unique(sorted(found, key=lambda file: file.version), "Diesel")

    def history_sql(self, table: VersionTable) -> str:
        """All rows, newest first as the server orders them."""
        return (
            f"SELECT version, run_on, {elsewhere(table)} FROM {table.quoted}"  # noqa: S608 - quoted
            " ORDER BY version DESC"
        )

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """The rows in their order. ``run_on`` is UTC: Diesel sets its sessions to that."""
        known = {file.version: file for file in files}
        applied = []
        problem = ""
        for version, when, schema in rows:
            problem = refusal("Diesel", schema)
            file = known.get(str(version))
            applied.append(
                AppliedMigration(
                    version=str(version),
                    name=file.name if file else "",
                    applied_at=when.replace(tzinfo=UTC) if isinstance(when, datetime) else None,
                    path=file.path if file else None,
                )
            )
        return History(applied=tuple(applied), problem=problem)

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole ``down.sql``."""
        return self._whole(applied, directory, "down")

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole ``up.sql``."""
        return self._whole(applied, directory, "up")

    def _whole(self, applied: AppliedMigration, directory: Path, way: str) -> Source | Missing:
        if applied.path is None:
            return no_file(directory, applied.version)
        place = Path(relative(directory, applied.path)).parent
        metadata = optional(directory, str(place / "metadata.toml"))
        script = whole(
            directory,
            str(directory / place / f"{way}.sql"),
            transactional=metadata is None or _in_transaction(metadata),
        )
        if isinstance(script, Missing):
            return Missing(
                why=f"{printable(str(place))} has no {way}.sql, so Diesel refuses it too"
            )
        return script

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the version; its time is the default, which in Diesel's sessions is UTC."""
        return (
            f"INSERT INTO {table.quoted} (version, run_on)"  # noqa: S608 - quoted
            f" VALUES ({literal(applied.version)}, now() AT TIME ZONE 'UTC')",
        )

    def stale_files(self, directory: Path) -> tuple[str, ...]:
        """The files with the schema that ``diesel.toml`` has Diesel write after each migration."""
        settings = first_upwards(directory, ("diesel.toml",), _LEVELS)
        if settings is None:
            return ()
        printed = toml_settings(settings.parent, settings.name).get("print_schema")
        named = (settings.parent / name for name in _file_names(printed))
        return tuple(str(path) for path in named if path.is_file())


def _in_transaction(metadata: bytes) -> bool:
    """Return what ``metadata.toml`` says, as Diesel reads it: what it cannot read does not count,
    and a file without the key says no (a Rust ``bool`` that is not there is false)."""
    try:
        value = tomllib.loads(metadata.decode()).get("run_in_transaction", False)
    except ValueError:
        return True
    return value if isinstance(value, bool) else True


def _file_names(printed: object) -> list[str]:
    """Return ``file`` of ``[print_schema]`` and of each ``[print_schema.name]``."""
    if not isinstance(printed, Mapping):
        return []
    tables = [printed, *(one for one in printed.values() if isinstance(one, Mapping))]
    return [name for table in tables if isinstance(name := table.get("file"), str)]
