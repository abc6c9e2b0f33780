"""goose (https://github.com/pressly/goose), rules of version 3.27.

One file a migration, with ``-- +goose Up`` and ``-- +goose Down`` sections, or a migration written
in Go. Rows of ``goose_db_version(id, version_id bigint, is_applied boolean, tstamp timestamp)`` in
the order of ``id``; the first has version 0 and stands for the empty database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable, shorten
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.sections import GO_SPACE, Line, Section, Sectioned, Ways, lines
from rollback_tui.frameworks.session_time import as_everybody

_FILE = re.compile(r"\+?([0-9]+)_(.*)\.(sql|go)", re.ASCII | re.DOTALL)
_LARGEST = 2**63 - 1
_LOCK = 4097083626
"""``DefaultLockID`` of its package ``lock``."""

_STARTING, _IN_UP, _IN_DOWN = "before the sections", "Up", "Down"

# What ENVSUB ON replaces, by the grammar of the library that does it: a backslash keeps itself and
# what follows a second one; "$(" and a "$" at the end of the line stay; all else that begins with
# "$" is replaced ("$$" and "\$" by "$") or refused.
_REPLACED = re.compile(r"\\\\|\$\(|\\\$|\$\$|\$(?:\{[^}]*\}?|\w+|.)")


class Goose(Sectioned):
    """goose's files, order and version table."""

    name = "goose"
    default_table = "goose_db_version"
    # The tool's default is the working directory: these are what projects use.
    default_directories: tuple[str, ...] = (
        "migrations",
        "db/migrations",
        "sql/migrations",
        "sql/schema",
        "database/migrations",
        "internal/database/migrations",
        "internal/db/migrations",
    )
    file_pattern = "VERSION_name.sql or VERSION_name.go"
    about = About(
        title="goose",
        site="https://github.com/pressly/goose",
        rules="3.27",
        scripts="`VERSION_name.sql`, everything below the line `-- +goose Down`. `-- +goose "
        "StatementBegin` and `StatementEnd` are read over: where a statement ends is decided by "
        "PostgreSQL's rules, not by lines that end in `;`, so that a last statement without `;` "
        "is taken.",
        newest="The version whose newest row has the highest `id`: what was applied last goes "
        "first, out of the order of the numbers as well. Times are taken to be in the time zone "
        "that sessions have here; not shown where only this client asks for another (`PGTZ`).",
        outside="`-- +goose NO TRANSACTION` anywhere in the file, for both directions.",
        change="`DELETE FROM goose_db_version WHERE version_id = …`, in the same transaction. "
        "The row of version 0 stays.",
        lock="The advisory lock that its library takes when it is told to (4097083626), held "
        "until the run ends. The command line takes none.",
        tested="Recorded behaviour of 3.27.",
        refused=(
            "Migrations written in Go: only the program that was built with them can run them.",
            "`${NAME}` or `$NAME` below `-- +goose ENVSUB ON`, with the line: goose takes the "
            "value from its own environment.",
            "A file that goose itself refuses: unknown or indented `+goose` lines, Down without "
            "Up, two Up lines, SQL before Up, a `StatementBegin` that nothing ends.",
            "Two files with the same version.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """``id``, ``version_id bigint``, ``is_applied boolean`` and ``tstamp``."""
        columns = dict(shape.columns)
        return (
            columns.keys() == {"id", "version_id", "is_applied", "tstamp"}
            and columns["version_id"] == "bigint"
            and columns["is_applied"] == "boolean"
        )

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the ``.sql`` and ``.go`` files that begin with a number, in its order.

        Raises FrameworkError when two have the same version, as goose does.
        """
        found: dict[int, MigrationFile] = {}
        for name in migration_files.names(directory):
            match = _FILE.fullmatch(name)
            if not match or name.endswith("_test.go"):
                continue
            version = int(match[1])
            if not 1 <= version <= _LARGEST:
                continue
            if version in found:
                other = printable(Path(found[version].path).name)
                raise FrameworkError(
                    f"{other} and {printable(name)} both have version {version}",
                    "goose refuses that as well: give one of them its own version.",
                )
            path = str(directory / name)
            found[version] = MigrationFile(
                version=str(version),
                name=match[2],
                path=path,
                down_path=path if match[3] == "sql" else None,
            )
        return tuple(file for _, file in sorted(found.items()))

    def history_sql(self, table: VersionTable) -> str:
        """All rows, the newest first. The time has no zone: it was that of goose's session, which
        has the server's unless somebody set another; as ours has."""
        when = as_everybody("tstamp::timestamp with time zone")
        columns = f"version_id, is_applied, {when}"
        return f"SELECT {columns} FROM {table.quoted} ORDER BY id DESC"  # noqa: S608 - quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """Of each version only the newest row counts: versions of goose before 2.4.4 added a row
        with ``is_applied = false`` on the way down instead of deleting."""
        by_version = {file.version: file for file in files}
        seen = {"0"}
        applied = []
        for version, is_applied, at in ((str(row[0]), row[1], row[2]) for row in rows):
            if version in seen:
                continue
            seen.add(version)
            if not is_applied:
                continue
            file = by_version.get(version)
            applied.append(
                AppliedMigration(
                    version=version,
                    name=file.name if file else "",
                    applied_at=at if isinstance(at, datetime) else None,
                    path=file.path if file else None,
                )
            )
        return History(applied=tuple(applied))

    def _section(
        self, applied: AppliedMigration, directory: Path, *, down: bool
    ) -> Source | Missing:
        if applied.path and applied.path.endswith(".go"):
            return Missing(
                why=f"{printable(Path(applied.path).name)} is a migration written in Go, which "
                "only the program that was built with it can run: roll it back with that program, "
                "or give what it does as SQL with --script FILE"
            )
        return super()._section(applied, directory, down=down)

    def ways(self, data: bytes) -> Ways:
        """Find the sections as ``ParseSQLMigration`` does."""
        reading = _Reading(len(data))
        for line in lines(data):
            refused = reading.read(line)
            if refused:
                why = f"has {refused} in line {line.number}, which goose refuses"
                return Ways(up=why, down=why)
        return reading.ways()

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete all rows of the version (``DeleteVersion``)."""
        return (f"DELETE FROM {table.quoted} WHERE version_id = {int(rolled_back.version)}",)  # noqa: S608 - quoted

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert a row; id and time are its defaults (``InsertVersion``)."""
        values = f"VALUES ({int(applied.version)}, true)"
        return (f"INSERT INTO {table.quoted} (version_id, is_applied) {values}",)

    def lock_sql(self, database: str, table: VersionTable) -> str | None:  # noqa: ARG002
        """Take the lock of its ``NewPostgresSessionLocker``, which programs that migrate at their
        start ask for."""
        return f"SELECT pg_try_advisory_lock({_LOCK})"


class _Reading:
    """goose's state machine, as far as sections go."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._state = _STARTING
        self._begun = 0
        """Line of a StatementBegin that has not ended; 0: none."""
        self._up = 0
        self._down: int | None = None
        self._down_line = 0
        self._transactional = True
        self._replacing = False
        self._replaced: dict[str, str] = {}

    def read(self, line: Line) -> str:
        """Take in the next line. Returns what goose would refuse in it, or nothing."""
        stripped = line.text.strip(GO_SPACE)
        if stripped.startswith("--"):
            return self._annotation(line) if "+goose" in line.text else ""
        if self._state == _STARTING:
            return "SQL before '-- +goose Up'" if stripped else ""
        found = _replaced(line.text) if self._replacing else ""
        if found and self._state not in self._replaced:
            self._replaced[self._state] = (
                f"has {printable(shorten(found, 40))} in line {line.number}, which goose replaces"
                " by what its own environment has (ENVSUB ON): put that into a copy of the file,"
                " or roll back with goose"
            )
        return ""

    def ways(self) -> Ways:
        """Return what was found, after the last line."""
        why = ""
        if self._state == _STARTING:
            why = "has no '-- +goose Up' line, so goose does not take it for a migration"
        elif self._begun:
            why = (
                f"has no '-- +goose StatementEnd' after the StatementBegin in line {self._begun},"
                " which goose refuses"
            )
        if why:
            return Ways(up=why, down=why)
        end = self._size if self._down is None else self._down_line
        up: Section | str = Section(self._up, end, self._transactional)
        down: Section | str = "has no '-- +goose Down' line"
        if self._down is not None:
            down = Section(self._down, self._size, self._transactional)
        return Ways(up=self._replaced.get(_IN_UP, up), down=self._replaced.get(_IN_DOWN, down))

    def _annotation(self, line: Line) -> str:
        if line.text.startswith((" ", "\t")):
            return "an indented '+goose' line"
        text = line.text.replace("--", "").replace("+goose", "", 1).strip(GO_SPACE)
        known: dict[str, Callable[[Line], str]] = {
            "up": self._enter_up,
            "down": self._enter_down,
            "statementbegin": self._begin,
            "statementend": self._end,
            "no transaction": self._no_transaction,
            "envsub on": self._envsub_on,
            "envsub off": self._envsub_off,
        }
        read = known.get(text.casefold())
        return read(line) if read else f"the unknown mark '+goose {printable(shorten(text, 40))}'"

    def _enter_up(self, line: Line) -> str:
        if self._state != _STARTING:
            return "a second '-- +goose Up'"
        self._state, self._up = _IN_UP, line.end
        return ""

    def _enter_down(self, line: Line) -> str:
        if self._state == _STARTING:
            return "'-- +goose Down' before '-- +goose Up'"
        if self._state == _IN_DOWN:
            return "a second '-- +goose Down'"
        if self._begun:
            return "'-- +goose Down' before '-- +goose StatementEnd'"
        self._state, self._down, self._down_line = _IN_DOWN, line.end, line.start
        return ""

    def _begin(self, line: Line) -> str:
        if self._state == _STARTING or self._begun:
            return "'-- +goose StatementBegin' where none may be"
        self._begun = line.number
        return ""

    def _end(self, _line: Line) -> str:
        if not self._begun:
            return "'-- +goose StatementEnd' where none was begun"
        self._begun = 0
        return ""

    def _no_transaction(self, _line: Line) -> str:
        self._transactional = False
        return ""

    def _envsub_on(self, _line: Line) -> str:
        self._replacing = True
        return ""

    def _envsub_off(self, _line: Line) -> str:
        self._replacing = False
        return ""


def _replaced(text: str) -> str:
    """Return the first thing in a line that ENVSUB ON would replace, or nothing."""
    found = (match[0] for match in _REPLACED.finditer(text))
    return next((each for each in found if each not in ("\\\\", "$(")), "")
