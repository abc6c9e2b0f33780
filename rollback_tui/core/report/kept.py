"""What a run kept of the data that it removed: where it is, and how it comes back."""

from __future__ import annotations

import shlex

from rollback_tui.core.events import RowsKept
from rollback_tui.core.report import words
from rollback_tui.core.report.pieces import code, fenced, table
from rollback_tui.core.run_view import RunView
from rollback_tui.core.text import markdown


def kept(view: RunView) -> tuple[RowsKept, ...]:
    """Return what is in the run's archive: nothing unless it was committed, and was not replaced
    by a recovery. Of a plan that goes statement by statement, each is committed by itself."""
    if view.outcome == "recovered" or not (view.committed or view.steps is not None):
        return ()
    return view.kept


def in_words(event: RowsKept) -> str:
    """Return what was kept: ``42 values of public.users.verified_at``."""
    if event.table.endswith(".manifest"):
        return f"the last number of {event.relation}"
    if event.column is None:
        return f"{words.some(event.rows, 'row')} of {event.relation}"
    return f"{words.some(event.rows, 'value')} of {event.relation}.{event.column}"


def restore_command(view: RunView) -> str:
    """Return what gives all of it back."""
    return _command(view, "restore")


def drop_command(view: RunView) -> str:
    """Return what removes the archive for good."""
    return _command(view, "drop")


def _command(view: RunView, verb: str) -> str:
    if view.started is None:
        return ""
    database = shlex.quote(view.started.target.database)
    return f"rollback-tui archive {verb} {view.started.run[:8]} --confirm {database}"


def section(view: RunView) -> list[str]:
    """Return the section of the report; empty when nothing was to be kept."""
    items = kept(view)
    if view.outcome == "recovered" and view.kept and view.swapped is not None:
        return [
            "## Kept",
            "",
            "The database was brought back as it was, so that nothing has to be restored. What"
            f" the run had kept is in the failed database {code(view.swapped.kept)}.",
        ]
    if not items:
        return []
    lines = table(
        ("Statement", "What", "Where", "Time"),
        [
            (
                str(item.statement),
                markdown(in_words(item)),
                code(item.table),
                words.seconds(item.seconds),
            )
            for item in items
        ],
    )
    return [
        "## Kept",
        "",
        *lines,
        "",
        "When the migration has been applied again, this gives it back, all or nothing:",
        "",
        *fenced(restore_command(view), "sh"),
        "",
        "When nobody needs it any more:",
        "",
        *fenced(drop_command(view), "sh"),
    ]
