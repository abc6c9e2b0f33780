"""Plain pairs of SQL files, for home-grown schemes and the many small tools.

Whoever uses one of these names the version table; a row of it is an applied version. The names of
files that are understood are few and fixed: a file whose name could mean two things would be run
for the wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.base import Base, no_file
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import identifier, literal
from rollback_tui.frameworks.whole_files import relative, subdirectories, whole

UP_WORDS = ("up", "do", "deploy")
DOWN_WORDS = ("down", "undo", "rollback", "revert")
_WORD = "|".join((*UP_WORDS, *DOWN_WORDS))
_NAMED = re.compile(rf"(?P<stem>.+)(?P<mark>[._-])(?P<word>{_WORD})\.sql")
_PLAIN = re.compile(r"(?P<stem>.+)\.sql")
_KEYS = re.compile(
    r"character varying(\(\d+\))?|character\(\d+\)|text|smallint|integer|bigint|numeric(\(.*\))?"
)


class _Half(NamedTuple):
    """One file of a pair."""

    stem: str
    down: bool
    path: str
    """Relative to the migrations directory."""


class Pairs(Base):
    """Pairs of files by their names, and a table with a row a version."""

    name = "pairs"
    default_table = ""
    default_directories: tuple[str, ...] = ("migrations", "db/migrations", "sql/migrations")
    file_pattern = (
        "NAME.up.sql and NAME.down.sql, up/NAME.sql and down/NAME.sql, or NAME/up.sql and "
        "NAME/down.sql"
    )
    about = About(
        title="Plain pairs",
        site="https://www.postgresql.org/docs/current/sql.html",
        rules="those of this page",
        scripts="Only when asked for: `--framework pairs`, with `table` under `[migrations]`. The "
        "down file of a migration NAME is `NAME.down.sql`; or `NAME_down.sql` or `NAME-down.sql` "
        "when there is an up file to it; or `down/NAME.sql`; or `NAME/down.sql`. For `down` there "
        "may also be `undo`, `rollback` or `revert`; its up file is called the same with `up`, "
        "`do` or `deploy`, or is just `NAME.sql`. In the table stands the whole NAME, or the name "
        "of the file, or the digits with which it begins (as a number: `3` is `0003_users`).",
        newest="The latest time, where `time_column` is configured, and of several with the same "
        "the highest version; otherwise the highest version. Numbers in it count as numbers: "
        "`v1.10` is newer than `v1.9`.",
        outside="none. A script with a statement that no transaction may hold is run statement by "
        "statement.",
        change="`DELETE FROM table WHERE version_column = '…'`. The column is the one that is "
        "configured as `version_column`; the only one; or the one called `version`.",
        lock="none: nobody's is known.",
        tested="Against these rules.",
        refused=(
            "A table in which the version's column is not certain.",
            "Two files for the same direction of one NAME; two NAMEs that begin with the digits "
            "that are in the table.",
            "A file whose directory says one way and its name the other: `down/NAME.up.sql`.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """Any table with a column that could be a version: it was named."""
        return any(_KEYS.fullmatch(kind) for _, kind in shape.columns)

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the pairs, oldest first by their names with numbers as numbers.

        Their ``version`` is the whole NAME: which part of it is in the table only
        :meth:`history` can tell. Raises FrameworkError for two files of one direction.
        """
        pairs: dict[str, dict[bool, str]] = {}
        for half in _halves(directory):
            pair = pairs.setdefault(half.stem, {})
            if half.down in pair:
                way = "down" if half.down else "up"
                raise FrameworkError(
                    f"{printable(pair[half.down])} and {printable(half.path)} are both the {way} "
                    f"migration of {printable(half.stem)}",
                    "Rename one of them, or take it out of the directory.",
                )
            pair[half.down] = half.path
        found = []
        for stem, pair in pairs.items():
            down = str(directory / pair[True]) if True in pair else None
            up = str(directory / pair[False]) if False in pair else None
            found.append(
                MigrationFile(
                    version=stem,
                    name=re.sub(r"^\d+[._-]?", "", stem, flags=re.ASCII) or stem,
                    path=up or down or "",
                    down_path=down,
                )
            )
        return tuple(sorted(found, key=lambda file: _order(file.version)))

    def history_sql(self, table: VersionTable) -> str:
        """All versions as text, their times, and the places that these times give them.

        Raises FrameworkError when the version's column is not certain.
        """
        column = identifier(_column(table))
        when = identifier(table.time_column) if table.time_column else "NULL::timestamptz"
        return (
            f"SELECT {column}::text, {when}, dense_rank() OVER (ORDER BY {when} NULLS FIRST)"  # noqa: S608 - quoted
            f" FROM {table.quoted} WHERE {column} IS NOT NULL"
        )

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """The latest first; of the same time, or without times, the highest version."""
        applied = []
        problem = ""
        for version, when, _ in sorted(
            rows, key=lambda row: (int(str(row[2])), _order(str(row[0]))), reverse=True
        ):
            mine = _files_of(str(version), files)
            if len(mine) > 1:
                named = " and ".join(printable(Path(file.path).name) for file in mine)
                problem = (
                    f"{named} both could be the applied version {printable(str(version))}: give "
                    "one of them other digits, or rename it."
                )
            file = mine[0] if mine else None
            timed = isinstance(when, datetime) and when.tzinfo is not None
            applied.append(
                AppliedMigration(
                    version=str(version),
                    name=file.name if file else "",
                    applied_at=when if timed and isinstance(when, datetime) else None,
                    path=file.path if file else None,
                )
            )
        return History(applied=tuple(applied), problem=problem)

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole down file."""
        return self._whole(applied, directory, down=True)

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the whole up file."""
        return self._whole(applied, directory, down=False)

    def _whole(self, applied: AppliedMigration, directory: Path, *, down: bool) -> Source | Missing:
        if applied.path is None:
            return no_file(directory, applied.version)
        here = relative(directory, applied.path)
        halves = list(_halves(directory))
        stem = next((half.stem for half in halves if half.path == here), None)
        mine = next((h.path for h in halves if h.stem == stem and h.down is down), None)
        if stem is None or mine is None:
            way = "down" if down else "up"
            return Missing(why=f"{printable(here)} has no {way} file beside it ({_expected(way)})")
        return whole(directory, str(directory / mine))

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete the version's row. Raises FrameworkError when its column is not certain."""
        column, version = identifier(_column(table)), literal(rolled_back.version)
        return (f"DELETE FROM {table.quoted} WHERE {column} = {version}",)  # noqa: S608 - quoted

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the version, and the time where there is a column for it; other columns get their
        defaults. Raises FrameworkError when the version's column is not certain."""
        columns, values = identifier(_column(table)), literal(applied.version)
        if table.time_column:
            columns += f", {identifier(table.time_column)}"
            values += ", clock_timestamp()"
        return (f"INSERT INTO {table.quoted} ({columns}) VALUES ({values})",)  # noqa: S608 - quoted


def _column(table: VersionTable) -> str:
    """Return the name of the column with the version. Raises FrameworkError."""
    if table.version_column:
        return table.version_column
    others = [name for name in table.columns if name != table.time_column]
    if len(others) == 1:
        return others[0]
    if "version" in others:
        return "version"
    named = ", ".join(printable(name) for name in others)
    raise FrameworkError(
        f"which column of {printable(table.quoted)} has the version is not certain: {named}",
        "Say it in rollback.toml: version_column under [migrations].",
    )


def _halves(directory: Path) -> list[_Half]:
    """Return every file that is an up or a down migration. Raises FrameworkError for one whose
    directory says another way than its name."""
    here = migration_files.names(directory)
    found = [half for name in here if (half := _half(name, here))]
    for place in subdirectories(directory):
        for name in migration_files.names(directory / place):
            path = f"{place}/{name}"
            word = name.removesuffix(".sql")
            if place in (*UP_WORDS, *DOWN_WORDS):
                down, dotted = place in DOWN_WORDS, _dotted(name)
                match = dotted or _PLAIN.fullmatch(name)
                if dotted and (dotted["word"] in DOWN_WORDS) is not down:
                    raise FrameworkError(
                        f"{printable(path)} says two things: its directory one way, its name the"
                        " other",
                        "Rename it, or put it into the other directory.",
                    )
                if match:
                    found.append(_Half(match["stem"], down, path))
            elif name.endswith(".sql") and word in (*UP_WORDS, *DOWN_WORDS):
                found.append(_Half(place, word in DOWN_WORDS, path))
    return found


def _half(name: str, here: Sequence[str]) -> _Half | None:
    """Return what the file ``name`` is, among the files ``here``; None when it is no SQL file.

    ``0003_slow_down.sql`` is a migration called *slow down*, unless there is another file that it
    can be the way back of: a mark that is a letter of names counts only with its counterpart.
    """
    match = _NAMED.fullmatch(name)
    if match:
        stem, mark, down = match["stem"], match["mark"], match["word"] in DOWN_WORDS
        others = {f"{stem}{mark}{word}.sql" for word in (UP_WORDS if down else DOWN_WORDS)}
        if down:
            others.add(f"{stem}.sql")
        if mark == "." or not others.isdisjoint(here):
            return _Half(stem, down, name)
    plain = _PLAIN.fullmatch(name)
    return _Half(plain["stem"], False, name) if plain else None


def _dotted(name: str) -> re.Match[str] | None:
    match = _NAMED.fullmatch(name)
    return match if match and match["mark"] == "." else None


def _files_of(version: str, files: Sequence[MigrationFile]) -> list[MigrationFile]:
    """Return the files that the table's ``version`` may mean: by their whole name, or else by the
    digits with which they begin."""
    named = [f for f in files if version in (f.version, f"{f.version}.sql", Path(f.path).name)]
    if named or not version.isascii() or not version.isdigit():
        return named
    return [
        file
        for file in files
        if (digits := re.match(r"\d+", file.version, re.ASCII)) and int(digits[0]) == int(version)
    ]


def _order(version: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts numbers in ``version`` as numbers."""
    return [
        (0, int(part), "") if part[0] in "0123456789" else (1, 0, part)
        for part in re.findall(r"[0-9]+|[^0-9]+", version)
    ]


def _expected(way: str) -> str:
    return f"expected NAME.{way}.sql, {way}/NAME.sql or NAME/{way}.sql"
