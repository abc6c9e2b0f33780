"""node-pg-migrate (https://github.com/salsita/node-pg-migrate), rules of version 9.

One file a migration: SQL with ``-- Up Migration`` and ``-- Down Migration`` sections, or JavaScript
or TypeScript. One row for each applied migration in ``pgmigrations(id serial primary key, name
varchar(255), run_on timestamp)``; the name is that of the file without its extension.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import literal
from rollback_tui.frameworks.sections import Section, Sectioned, Ways
from rollback_tui.frameworks.session_time import as_everybody

_CODE = (".js", ".ts", ".cjs", ".mjs", ".cts", ".mts")
_WHERE = (
    "--migrations-dir={migrations}",
    "--migrations-table={table}",
    "--schema={schema}",
    # What was applied last goes first, whatever its number: as where the files are read.
    "--no-check-order",
)
_LOCK = 7241865325823964
"""``PG_MIGRATE_LOCK_ID`` of its runner."""

# JavaScript's white space and ends of line: Python's \s and ^ are others.
_NEWLINES = "\n\r\u2028\u2029"
_SPACE = f"{_NEWLINES}\t\v\f \u00a0\u1680\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_NEWLINE = re.compile(f"[{_NEWLINES}]")
_UP = re.compile(f"up[{_SPACE}]+migration", re.IGNORECASE | re.ASCII)
_DOWN = re.compile(f"down[{_SPACE}]+migration", re.IGNORECASE | re.ASCII)


class NodePgMigrate(Sectioned):
    """node-pg-migrate's files, order and version table."""

    name = "node-pg-migrate"
    default_table = "pgmigrations"
    default_directories: tuple[str, ...] = ("migrations", "db/migrations", "database/migrations")
    file_pattern = "NUMBER_name.sql, or .js and .ts"
    version_column: str = "name"
    command: tuple[str, ...] = ("node_modules/.bin/node-pg-migrate",)
    # No call of it only shows what is applied. `up 0` reads the version table and takes the first 0
    # of what is pending (`getMigrationsToRun`); with --dry-run, whatever else it might take would
    # be printed. It makes a version table where it finds none, as every call of it does.
    status_command: tuple[str, ...] = ("up", "0", "--dry-run", *_WHERE)
    down_command: tuple[str, ...] = ("down", "1", *_WHERE)
    environment: Mapping[str, str] = MappingProxyType({})
    given: Mapping[str, str] = MappingProxyType({})
    about = About(
        title="node-pg-migrate",
        site="https://github.com/salsita/node-pg-migrate",
        rules="9.0",
        scripts="`NUMBER_name.sql`, from the line `-- Down Migration` to `-- Up Migration` or the "
        "end; or `NUMBER_name.down.sql` where the tool was told to take pairs (loader `sql`). The "
        "tool sets `search_path` to its `--schema` (`public` unless told otherwise); here that of "
        "the role and the database counts, so where the migrations live in another schema, say so "
        "in the address: `options=-csearch_path=NAME`. Of `.js` and `.ts` files, what "
        "`node-pg-migrate down 1` sends to a scratch copy of the schema is captured; it is called "
        "with `--schema` of the version table, so where the migrations live in another one, name "
        "your own calls as `status_command` and `down_command`.",
        newest="The last by `run_on`, then `id`: what was applied last goes first. Times are taken "
        "to be in the time zone that sessions have here; not shown where only this client asks for "
        "another (`PGTZ`).",
        outside="none in SQL files.",
        change="`DELETE FROM pgmigrations WHERE name = '…'`, in the same transaction.",
        lock="Its advisory lock (7241865325823964), held until the run ends.",
        tested="The real node-pg-migrate 9 from npm.",
        refused=(
            "A migration in JavaScript or TypeScript that reads the application's rows: the "
            "scratch copy has none.",
            "Two files with the same name but for the extension, when that is applied.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """``id``, ``name`` and ``run_on timestamp``. db-migrate's table has the same shape."""
        columns = dict(shape.columns)
        return (
            columns.keys() == {"id", "name", "run_on"}
            and columns["name"].startswith("character varying")
            and columns["run_on"] == "timestamp without time zone"
        )

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the SQL, JavaScript and TypeScript files, by the number they begin with.

        ``X.up.sql`` and ``X.down.sql`` are one migration ``X``.
        """
        names = [name for name in migration_files.names(directory) if not name.startswith(".")]
        found = []
        for name in sorted(names, key=_order):
            path = Path(name)
            down: str | None = name
            if path.suffix in _CODE:
                down = None
            elif path.suffix != ".sql":
                continue
            version = path.stem
            if version.endswith(".down") and f"{version[:-5]}.up.sql" in names:
                continue
            if version.endswith(".up"):
                version = version[:-3]
                down = f"{version}.down.sql" if f"{version}.down.sql" in names else None
            found.append(
                MigrationFile(
                    version=version,
                    name=re.sub(r"\A[0-9]+[-_]", "", version) or version,
                    path=str(directory / name),
                    down_path=str(directory / down) if down else None,
                )
            )
        return tuple(found)

    def history_sql(self, table: VersionTable) -> str:
        """All rows, the newest first. The time has no zone: it was that of the tool's session,
        which has the server's unless somebody set another; as ours has."""
        order = "ORDER BY run_on DESC, id DESC"
        when = as_everybody("run_on::timestamp with time zone")
        return f"SELECT name, {when} FROM {table.quoted} {order}"  # noqa: S608 - quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """As the rows are ordered."""
        by_version: dict[str, list[MigrationFile]] = {}
        for file in files:
            by_version.setdefault(file.version, []).append(file)
        applied = []
        problem = ""
        for row in rows:
            version = str(row[0])
            candidates = by_version.get(version, [])
            if len(candidates) > 1:
                named = " and ".join(printable(Path(c.path).name) for c in candidates)
                problem = (
                    f"{named} are both called {printable(version)}: node-pg-migrate cannot tell "
                    "them apart. Take away the one that was not applied."
                )
            found = candidates[0] if candidates else None
            applied.append(
                AppliedMigration(
                    version=version,
                    name=found.name if found else "",
                    applied_at=row[1] if isinstance(row[1], datetime) else None,
                    path=found.path if found else None,
                )
            )
        return History(applied=tuple(applied), problem=problem)

    def _section(
        self, applied: AppliedMigration, directory: Path, *, down: bool
    ) -> Source | Missing:
        name = Path(applied.path).name if applied.path else ""
        if name.endswith(_CODE):
            return Missing(
                why=f"{printable(name)} is a program, which only node-pg-migrate can run",
                capturable=down,
            )
        if name == f"{applied.version}.up.sql":
            return self._whole(applied, directory, "down" if down else "up")
        return super()._section(applied, directory, down=down)

    def _whole(
        self, applied: AppliedMigration, directory: Path, direction: Literal["up", "down"]
    ) -> Source | Missing:
        """Return one file of a pair."""
        name = f"{applied.version}.{direction}.sql"
        try:
            data = migration_files.read(directory, name)
        except FileNotFoundError:
            return Missing(why=f"{printable(str(directory / name))} does not exist")
        return Source(path=str(directory / name), data=data, start=0, end=len(data))

    def ways(self, data: bytes) -> Ways:
        """Find the sections as ``getActions`` does: the first mark of each direction counts, in
        whatever case, wherever a line begins with it. The mark itself is in the section."""
        text = data.decode(errors="surrogateescape")

        found = [_mark(text, word) for word in (_UP, _DOWN)]
        up, down = (
            at if at is None else len(text[:at].encode(errors="surrogateescape")) for at in found
        )
        end = len(data)
        return Ways(
            # Without its mark the way up is the whole file, the way down included.
            up=Section(0, end)
            if up is None
            else Section(up, end if down is None or down < up else down),
            down="has no '-- Down Migration' line, without which node-pg-migrate takes nothing back"
            if down is None
            else Section(down, end if up is None or up < down else up),
        )

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the migration's row (``_getMarkAsRun``)."""
        values = f"VALUES ({literal(applied.version)}, NOW())"
        return (f"INSERT INTO {table.quoted} (name, run_on) {values}",)

    def lock_sql(self, database: str, table: VersionTable) -> str | None:  # noqa: ARG002
        """Take the lock that it takes itself, in the same words."""
        return f"SELECT pg_try_advisory_lock({_LOCK})"


def _mark(text: str, words: re.Pattern[str]) -> int | None:
    """Return where the first match of ``^\\s*--[\\s-]*WORDS`` begins (flags ``im``), or None.

    That expression itself would take hours for a file with a million blank lines or dashes.
    """
    for match in words.finditer(text):
        begin = match.start()
        while begin and (text[begin - 1] == "-" or text[begin - 1] in _SPACE):
            begin -= 1
        before = text[begin : match.start()]
        at: int | None = 0 if begin == 0 else _next_line(before, 0)
        while at is not None:
            dash = before.find("-", at)
            if dash < 0:
                break
            if before.startswith("--", dash):
                return begin + at
            at = _next_line(before, dash)
    return None


def _next_line(text: str, position: int) -> int | None:
    newline = _NEWLINE.search(text, position)
    return newline.end() if newline else None


def _order(name: str) -> tuple[float, str]:
    """Return the key of its order: the number that the name begins with, of which one with 17
    digits is a date and time in UTC, down to milliseconds; then the name."""
    digits = re.match(r"[0-9]*", name, re.ASCII)
    number = digits[0] if digits else ""
    if len(number) == 17:
        day = "-".join((number[:4], number[4:6], number[6:8]))
        time = ":".join((number[8:10], number[10:12], number[12:14]))
        try:
            at = datetime.fromisoformat(f"{day}T{time}.{number[14:]}+00:00")
        except ValueError:
            return (0, name)
        return (at.timestamp() * 1000, name)
    return (int(number or 0), name)
