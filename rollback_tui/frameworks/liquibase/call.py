"""How the ``liquibase`` program is called: with our address, and with nothing that leads elsewhere.

``liquibase.properties`` of the project is read by Liquibase itself (what it says of schemas,
contexts and parameters holds), but the address is ours: a variable comes before that file, and a
setting for the one command before one for all of them. Nothing is written into the project.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.text import printable
from rollback_tui.frameworks.liquibase import changelog as liquibase_changelog
from rollback_tui.frameworks.liquibase import output as liquibase_output
from rollback_tui.frameworks.liquibase.changelog import normal
from rollback_tui.frameworks.liquibase.output import Cut
from rollback_tui.frameworks.program import NOWHERE, Program, ProgramFailed
from rollback_tui.frameworks.protocol import VersionTable
from rollback_tui.frameworks.quoting import identifier

CHANGELOG = "LIQUIBASE_COMMANDCHANGELOG_FILE"
_LONG_AGO = "2000-01-01T00:00:00.0"
_CSV = (
    *("ID", "AUTHOR", "FILENAME", "DATEEXECUTED", "ORDEREXECUTED", "EXECTYPE", "MD5SUM"),
    *("DESCRIPTION", "COMMENTS", "TAG", "LIQUIBASE", "CONTEXTS", "LABELS", "DEPLOYMENT_ID"),
)


class Call(NamedTuple):
    """A command of Liquibase."""

    name: Literal["rollback-count-sql", "update-sql"]
    arguments: tuple[str, ...]
    rows: str | None = None
    """Instead of a database: what is applied, as Liquibase's CSV."""

    @property
    def shown(self) -> str:
        """As a person would type it."""
        return " ".join(("liquibase", self.name, *self.arguments))


class Printed(NamedTuple):
    """What it printed."""

    cut: Cut
    why: str
    """In Liquibase's words, why it stopped; empty: it did not."""


def ask(
    call: Call,
    asked: Sequence[AppliedMigration],
    table: VersionTable,
    directory: Path,
    program: Program,
) -> Printed:
    """Call Liquibase. Raises FrameworkError when it fails before the first changeset."""
    before, after = _changelog_arguments(asked, directory, program)
    with tempfile.TemporaryDirectory(prefix="rollback_tui-") as name:
        output, rows = Path(name) / "output.sql", Path(name) / "databasechangelog.csv"
        url = (program.address or NOWHERE).jdbc + "?sslmode=disable"
        if call.rows is not None:
            rows.write_text(call.rows, encoding="utf-8")
            url = f"offline:postgresql?changeLogFile={rows}&outputLiquibaseSql=all"
        failed: ProgramFailed | None = None
        try:
            program.run(
                f"--output-file={output}",
                f"--liquibase-schema-name={table.schema}",
                f"--database-changelog-table-name={table.name}",
                f"--database-changelog-lock-table-name={lock_name(table)}",
                *before,
                call.name,
                *call.arguments,
                *after,
                extra=_variables(call, url, program),
            )
        except ProgramFailed as error:
            failed = error
        text = output.read_text(encoding="utf-8") if output.is_file() else ""
    cut = liquibase_output.cut(text, table, up=call.name == "update-sql")
    if failed and not cut.stopped_at:
        raise failed
    default = _default_schema(program)
    if call.rows is not None and default:
        # Without a database it sets nothing, and SQL that it did not write has no schema.
        cut = cut._replace(search_path=identifier(default))
    return Printed(cut, _words(failed) if failed else "")


def lock_name(table: VersionTable) -> str:
    """Return the name of the lock table that goes with ``table``: whoever names one otherwise
    names the other in the same way."""
    return table.name + ("LOCK" if table.name.isupper() else "lock")


def _changelog_arguments(
    asked: Sequence[AppliedMigration], directory: Path, program: Program
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the arguments before and after the command that say which changelog it is: none where
    the project says it. Raises FrameworkError."""
    given = program.environment
    if (
        CHANGELOG in given
        or "LIQUIBASE_DEFAULTS_FILE" in given
        or "changelogfile" in liquibase_changelog.properties(program.project)
    ):
        return (), ()
    # A logicalFilePath says nothing of where names begin; another one may.
    places = [(_file_of(one), Path(one.path)) for one in asked if one.path]
    filename, path = next((p for p in places if p[1].match(normal(p[0]))), places[0])
    root = liquibase_changelog.root(directory, filename, path)
    place = (
        ()
        if "LIQUIBASE_SEARCH_PATH" in given
        else (f"--search-path={root.search_path.absolute()}",)
    )
    return place, (f"--changelog-file={root.name}",)


def _file_of(migration: AppliedMigration) -> str:
    """Return the name of its changelog: as much of the version as is the end of its path."""
    parts = migration.version.split("::")
    names = ["::".join(parts[:count]) for count in range(len(parts) - 2, 0, -1)]
    path = f"/{Path(migration.path or '').as_posix()}"
    return next((name for name in names if path.endswith(f"/{normal(name)}")), names[-1])


def _default_schema(program: Program) -> str:
    given = program.environment.get("LIQUIBASE_COMMAND_DEFAULT_SCHEMA_NAME", "")
    return given or liquibase_changelog.properties(program.project).get("defaultschemaname", "")


def _variables(call: Call, url: str, program: Program) -> Mapping[str, str]:
    """Return where it may connect. A setting for the one command comes before one for all, and a
    variable before ``liquibase.properties``: so both are set."""
    address = program.address or NOWHERE
    command = call.name.replace("-", "_").upper()
    values = {"URL": url, "USERNAME": address.user, "PASSWORD": address.password}
    return {
        f"LIQUIBASE_COMMAND_{prefix}{name}": value
        for prefix in ("", f"{command}_")
        for name, value in values.items()
    }


def offline_rows(applied: Sequence[AppliedMigration]) -> str:
    """Return what is applied as the file that an offline Liquibase keeps instead of its table
    (``OfflineChangeLogHistoryService``). Raises FrameworkError for a name that is not clear."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(_CSV)
    for order, one in enumerate(reversed(applied), 1):
        parts = one.version.split("::")
        if len(parts) != 3:
            raise FrameworkError(
                f"{printable(one.version)} can be taken apart in several ways",
                "Apply what is above it with `liquibase update`.",
            )
        filename, id_, author = parts
        writer.writerow((id_, author, filename, _LONG_AGO, order, "EXECUTED", *[""] * 8))
    return text.getvalue()


def _words(error: ProgramFailed) -> str:
    """Return what is wrong, of all that it says."""
    start = "Unexpected error running Liquibase: "
    said = error.words.partition(start)[2] or error.words
    return said.partition(" · ")[0]
