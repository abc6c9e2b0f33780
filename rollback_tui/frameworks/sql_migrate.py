"""sql-migrate (https://github.com/rubenv/sql-migrate), rules of version 1.8.

One file a migration, with ``-- +migrate Up`` and ``-- +migrate Down`` sections. One row for each
applied file in ``gorp_migrations(id text primary key, applied_at timestamp with time zone)``; the
id is the name of the file. No lock of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from rollback_tui.core.plan import AppliedMigration
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import literal
from rollback_tui.frameworks.sections import Section, Sectioned, Ways, lines

_MARK = "-- +migrate "
_NUMBER = re.compile(r"([0-9]+).*", re.ASCII)

_Direction = Literal["Up", "Down"]
_DIRECTIONS: dict[str, _Direction] = {"Up": "Up", "Down": "Down"}


class SqlMigrate(Sectioned):
    """sql-migrate's files, order and version table."""

    name = "sql-migrate"
    default_table = "gorp_migrations"
    # The first is the tool's own default (`dir` in dbconfig.yml).
    default_directories: tuple[str, ...] = (
        "migrations",
        "db/migrations",
        "migrations/postgres",
        "database/migrations",
        "sql/migrations",
    )
    version_column: str = "id"
    file_pattern = "NAME.sql"
    about = About(
        title="sql-migrate",
        site="https://github.com/rubenv/sql-migrate",
        rules="1.8",
        scripts="`NAME.sql`, the section below the line `-- +migrate Down`. `-- +migrate "
        "StatementBegin` and `StatementEnd` are read over: where a statement ends is decided by "
        "PostgreSQL's rules, not by lines that end in `;`. A last statement without `;` is "
        "therefore taken, and lines that begin with `-- ` inside a string stay in it.",
        newest="The applied file whose name is last: names that begin with a number come first, in "
        "the order of the numbers; then the others, as text. (sql-migrate's own `down` first "
        "*applies* what is pending below that; here it stays pending.)",
        outside="`-- +migrate Down notransaction`, for each direction by itself.",
        change="`DELETE FROM gorp_migrations WHERE id = '…'`.",
        lock="none: sql-migrate takes none.",
        tested="The real sql-migrate from Debian (of December 2019, reports no version).",
        refused=(
            "A file without `-- +migrate` lines, and one with a `StatementBegin` that nothing "
            "ends, as sql-migrate does.",
            "A file with several Down sections and something else between them.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """``id text`` (the key) and ``applied_at timestamp with time zone``."""
        return dict(shape.columns) == {
            "id": "text",
            "applied_at": "timestamp with time zone",
        } and shape.primary_key == ("id",)

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return all files whose name ends in ``.sql``, oldest first."""
        found = []
        for name in sorted(migration_files.names(directory), key=_order):
            if name.endswith(".sql"):
                path = str(directory / name)
                title = re.sub(r"\A[0-9]+[-_]", "", name.removesuffix(".sql"))
                found.append(
                    MigrationFile(version=name, name=title or name, path=path, down_path=path)
                )
        return tuple(found)

    def history_sql(self, table: VersionTable) -> str:
        """All rows."""
        return f"SELECT id, applied_at FROM {table.quoted}"  # noqa: S608 - the name is quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """Newest is the last by the order of the ids, not by time.

        The tool's own `down` first *applies* every older file that is still pending. We do not:
        what is not applied stays so.
        """
        by_id = {file.version: file for file in files}
        applied = []
        for row in sorted(rows, key=lambda row: _order(str(row[0])), reverse=True):
            file = by_id.get(str(row[0]))
            applied.append(
                AppliedMigration(
                    version=str(row[0]),
                    name=file.name if file else "",
                    applied_at=row[1] if isinstance(row[1], datetime) else None,
                    path=file.path if file else None,
                )
            )
        return History(applied=tuple(applied))

    def ways(self, data: bytes) -> Ways:
        """Find the sections as ``sqlparse.ParseMigration`` does: marks begin a line, are written
        exactly so, and count wherever they stand, in a string or a function body as well."""
        found: dict[_Direction, list[list[int]]] = {"Up": [], "Down": []}
        outside: set[_Direction] = set()
        current: _Direction | None = None
        begun = 0
        for line in lines(data):
            if not line.text.startswith(_MARK):
                continue
            words = line.text[len(_MARK) :].split()
            if not words:
                return _both(
                    f"has an incomplete '-- +migrate' in line {line.number}, which sql-migrate"
                    " refuses"
                )
            if words[0] in _DIRECTIONS:
                direction = _DIRECTIONS[words[0]]
                if direction != current:  # else one section goes on over a mere comment
                    if current:
                        found[current][-1][1] = line.start
                    found[direction].append([line.end, len(data)])
                current = direction
                if "notransaction" in words[1:]:
                    outside.add(direction)
            elif words[0] == "StatementBegin" and current:
                begun = begun or line.number
            elif words[0] == "StatementEnd":
                begun = 0
        if begun:
            return _both(
                f"has no '-- +migrate StatementEnd' after the StatementBegin in line {begun}, which"
                " sql-migrate refuses"
            )
        if current is None:
            return _both(
                "has neither a '-- +migrate Up' nor a '-- +migrate Down' line, which sql-migrate"
                " refuses"
            )
        return Ways(
            up=_one("Up", found["Up"], "Up" not in outside),
            down=_one("Down", found["Down"], "Down" not in outside),
        )

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the file's row (``executor.Insert`` of its ``applyMigrations``)."""
        values = f"VALUES ({literal(applied.version)}, now())"
        return (f"INSERT INTO {table.quoted} (id, applied_at) {values}",)


def _order(identity: str) -> tuple[bool, int, bytes]:
    """Return the key of ``Migration.Less``: with a number before without, by the number, then by
    the bytes of the whole name."""
    number = _NUMBER.fullmatch(identity)
    name = identity.encode(errors="surrogateescape")
    return (number is None, int(number[1]) if number else 0, name)


def _one(direction: _Direction, found: list[list[int]], transactional: bool) -> Section | str:
    if not found:
        return f"has no '-- +migrate {direction}' line"
    if len(found) > 1:
        return (
            f"has {len(found)} '-- +migrate {direction}' sections with something else between "
            "them: bring them together into one"
        )
    return Section(found[0][0], found[0][1], transactional)


def _both(why: str) -> Ways:
    return Ways(up=why, down=why)
