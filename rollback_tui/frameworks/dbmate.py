"""dbmate (https://github.com/amacneil/dbmate), rules of version 2.36.

One file a migration, with a ``-- migrate:up`` and a ``-- migrate:down`` section. One row for each
applied version in ``schema_migrations(version varchar primary key)``. No lock of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import literal
from rollback_tui.frameworks.sections import Section, Sectioned, Ways

_FILE = re.compile(r"([0-9]+)(.*)\.sql", re.ASCII)

# The directives as dbmate's own expressions find them. White space is spelled out because Go's
# \s is these five characters, and Python's has one more (\v). It may span lines there as well:
# "--" on one line and "migrate:down" on the next is a directive to dbmate.
_S = rb"[\t\n\f\r ]"
_END = rb"(?:" + _S + rb"*$|" + _S + rb"+[^\t\n\f\r ])"
_UP = re.compile(rb"^--" + _S + rb"*migrate:up" + _END, re.MULTILINE)
_DOWN = re.compile(rb"^--" + _S + rb"*migrate:down" + _END, re.MULTILINE)
_DIRECTIVE = re.compile(rb"--" + _S + rb"*migrate:(?:up|down)")
_BLANK_OR_COMMENT = re.compile(rb"[\t\n\f\r ]*(?:--.*)?", re.DOTALL)


class Dbmate(Sectioned):
    """dbmate's files, order and version table."""

    name = "dbmate"
    default_table = "schema_migrations"
    default_directories: tuple[str, ...] = ("db/migrations",)
    file_pattern = "VERSION_name.sql"
    about = About(
        title="dbmate",
        site="https://github.com/amacneil/dbmate",
        rules="2.36",
        scripts="`VERSION_name.sql`, everything below the line `-- migrate:down`.",
        newest="The applied migration whose **file name** is highest, compared as text: `9_x.sql` "
        "is newer than `10_x.sql`.",
        outside="`-- migrate:down transaction:false`, for each direction by itself.",
        change="`DELETE FROM schema_migrations WHERE version = '…'`.",
        lock="none: dbmate takes none.",
        tested="The real dbmate 2 from npm.",
        refused=(
            "A file without a `-- migrate:up` line, or with statements before it.",
            "A file with more than one `-- migrate:up` or `-- migrate:down` line.",
            "Two files with the same version.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """One column ``version``, varchar, the primary key. Rails' table has the same shape."""
        return (
            len(shape.columns) == 1
            and shape.columns[0][0] == "version"
            # varchar(255) was what dbmate 1 made
            and re.fullmatch(r"character varying(\(\d+\))?", shape.columns[0][1]) is not None
            and shape.primary_key == ("version",)
        )

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the files that begin with digits and end in ``.sql``, in file-name order."""
        found = []
        for name in migration_files.names(directory):
            match = _FILE.fullmatch(name)
            if match:
                path = str(directory / name)
                found.append(
                    MigrationFile(
                        version=match[1],
                        name=match[2].removeprefix("_") or name,
                        path=path,
                        down_path=path,
                    )
                )
        return tuple(found)

    def history_sql(self, table: VersionTable) -> str:
        """All versions."""
        return f"SELECT version FROM {table.quoted} ORDER BY version"  # noqa: S608 - the name is quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """Newest is the applied *file* with the highest name, compared as text: ``9`` is newer
        than ``10``.

        A version without a file, which dbmate passes over in silence, stands where its file
        would: to roll back what is older than it would be out of order, and nobody would know.
        """
        by_version: dict[str, list[MigrationFile]] = {}
        for file in files:
            by_version.setdefault(file.version, []).append(file)
        applied: list[tuple[bytes, AppliedMigration]] = []
        problem = ""
        for row in rows:
            version = str(row[0])
            candidates = by_version.get(version, [])
            if len(candidates) > 1:
                named = " and ".join(printable(Path(c.path).name) for c in candidates)
                problem = (
                    f"{named} have the same version {printable(version)}: "
                    "dbmate cannot tell them apart. Give one of them its own version."
                )
            file_ = max(candidates, key=_file_name, default=None)
            applied.append(
                (
                    _file_name(file_) if file_ else version.encode(),
                    AppliedMigration(
                        version=version,
                        name=file_.name if file_ else "",
                        path=file_.path if file_ else None,
                    ),
                )
            )
        applied.sort(key=lambda pair: pair[0], reverse=True)
        return History(applied=tuple(migration for _, migration in applied), problem=problem)

    def ways(self, data: bytes) -> Ways:
        """Each direction is what stands below its directive, without that line itself."""
        found = _directives(data)
        if isinstance(found, str):
            return Ways(up=found, down=found)
        up, down = found
        return Ways(up=_section(data, up, down), down=_section(data, down, len(data)))

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert the version's row (``InsertMigration`` of its driver)."""
        return (f"INSERT INTO {table.quoted} (version) VALUES ({literal(applied.version)})",)  # noqa: S608 - quoted

    def stale_files(self, directory: Path) -> tuple[str, ...]:
        """``db/schema.sql``, which dbmate rewrites at each migration and each rollback."""
        schema = directory.parent / "schema.sql"
        return (str(schema),) if schema.is_file() else ()


def _file_name(file: MigrationFile) -> bytes:
    """Return the key of dbmate's order: Go compares names by their bytes."""
    return Path(file.path).name.encode(errors="surrogateescape")


def _directives(data: bytes) -> tuple[int, int] | str:
    """Return where the up line and the down line begin; or why dbmate would not take the file.

    The refusals are dbmate's own: a file that it would not roll back, we do not either.
    """
    ups = [match.start() for match in _UP.finditer(data)]
    if not ups:
        return "has no '-- migrate:up' line, so dbmate does not take it for a migration"
    if not all(_BLANK_OR_COMMENT.fullmatch(line) for line in data[: ups[0]].split(b"\n")):
        return "has statements before its '-- migrate:up' line, which dbmate refuses"
    # What stands before the first up line is a comment to dbmate, a down line as well.
    downs = [match.start() for match in _DOWN.finditer(data, ups[0])]
    if not downs:
        return "has no '-- migrate:down' section"
    if len(ups) > 1:
        # dbmate applies the first pair, records the version, and then fails on recording it a
        # second time: what such a file left in the database cannot be known from the file.
        return (
            f"has {len(ups)} '-- migrate:up' sections; dbmate records its version with the first "
            "one, so how much of the file is applied cannot be known"
        )
    if len(downs) > 1:
        return "has more than one '-- migrate:down' line, which dbmate refuses"
    return ups[0], downs[0]


def _section(data: bytes, directive: int, end: int) -> Section:
    transactional = _options(data[directive:]).get("transaction") != "false"
    return Section(_below(data, directive), end, transactional)


def _below(data: bytes, directive: int) -> int:
    """Return where the line after a directive begins.

    Of a directive broken over two lines the second one stays in the section, as it does for
    dbmate, which sends it outside of any comment: the server will say that it is no SQL.
    """
    line_end = re.compile(rb"[\r\n]").search(data, directive)
    end = line_end.end() if line_end else len(data)
    return end + 1 if data[end - 1 : end + 1] == b"\r\n" else end


def _options(section: bytes) -> dict[str, str]:
    """Return the ``key:value`` words of a section's first line, as dbmate reads them."""
    line = section.split(b"\n", 1)[0]
    words = _DIRECTIVE.sub(b"", line, count=1).decode(errors="replace").strip()
    pairs = [word.split(":") for word in re.split(r"[\t\n\f\r ]+", words)]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
