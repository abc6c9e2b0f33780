"""Flyway's history table: what of its rows is applied, and what failed."""

from __future__ import annotations

from collections.abc import Sequence

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.text import printable
from rollback_tui.frameworks.flyway.settings import number
from rollback_tui.frameworks.protocol import History, MigrationFile
from rollback_tui.frameworks.search_path import refusal

COLUMNS = frozenset(
    {
        "installed_rank",
        "version",
        "description",
        "type",
        "script",
        "checksum",
        "installed_by",
        "installed_on",
        "execution_time",
        "success",
    }
)
"""Of the table, since version 4."""

_BASELINES = frozenset({"BASELINE", "SQL_BASELINE", "JDBC_BASELINE", "SCRIPT_BASELINE"})


def read_history(rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
    """Return what is applied, newest first, from the rows (installed_rank, version, description,
    type, success, schema of the table when it is not the current one) in the order of their ranks.

    As ``MigrationInfoServiceImpl`` reads them: a row of type DELETE takes its version away, and so
    does one of an undo, until it is applied again. A baseline is an entry of its own, without a
    file; it takes away all that is below it.
    """
    known = {number(file.version): file for file in files}
    applied: list[AppliedMigration] = []
    problem, moved = "", ""
    for _, version, description, kind, success, schema in rows:
        moved = refusal("Flyway", schema)
        title = str(description)
        if not success:
            problem = problem or _failed(version, title)
        elif version is None or kind == "SCHEMA":
            continue
        elif kind == "DELETE" or str(kind).startswith("UNDO"):
            gone = number(str(version))
            applied = [one for one in applied if number(one.version) != gone]
        elif kind in _BASELINES:
            applied = [AppliedMigration(version=str(version), name=f"baseline: {title}")]
        else:
            file = known.get(number(str(version)))
            path = file.path if file else None
            applied.append(AppliedMigration(version=str(version), name=title, path=path))
    return History(applied=tuple(reversed(applied)), problem=problem or moved)


def _failed(version: object, title: str) -> str:
    what = "the repeatable migration" if version is None else f"version {printable(str(version))}"
    return (
        f"Flyway's history says that {what} ({printable(title)}) failed: what is in the schema is "
        "not known, and Flyway itself refuses to go on. Undo by hand what it left, then call "
        "`flyway repair`, which takes the row away."
    )
