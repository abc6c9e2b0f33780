"""A down script that a person wrote and names with ``--script FILE``; and what is said where a tool
has no down migrations, so that somebody has to."""

from __future__ import annotations

from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files
from rollback_tui.frameworks.protocol import Missing

NAME = "script"
"""What stands for the framework in a plan when none is known."""


def place(project: Path, script: str) -> Path:
    """Return the file that is meant: a link that the operator names may lead anywhere, and what it
    leads to now is what is confirmed. ``project``: where a relative path starts."""
    path = project / script
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a link to itself: reading it says so
        return path


def given(path: Path) -> Source:
    """Return the whole file as a down migration; by the same rules as any migration file is read.

    Raises FrameworkError when there is none, or when it is not safe to read.
    """
    try:
        data = files.read(path.parent, path.name)
    except FileNotFoundError:
        raise FrameworkError(
            f"there is no script {printable(str(path))}",
            "Correct --script (or script under [migrations] in rollback.toml).",
        ) from None
    return Source(path=str(path), data=data, start=0, end=len(data))


def no_down(tool: str, version: str, *, forward: str, also: str = "") -> Missing:
    """Return what is said of a migration of a tool that has no way down, a line for each way out.

    ``forward``: how the tool itself goes on from here. ``also``: what else it can do.
    """
    return Missing(
        why="\n".join(
            (
                f"{tool} has no down migrations, so nothing takes {printable(version)} back",
                *((also,) if also else ()),
                "restore what was before: `rollback-tui checkpoint list`, then"
                " `rollback-tui checkpoint restore NAME --into NEW_DATABASE`; or your own backup",
                f"or fix forward: {forward}",
                "or write the SQL that takes it back, and have it rolled back by all the rules:"
                " `rollback-tui --script FILE`, or"
                " `rollback-tui run --script FILE --confirm DATABASE`",
            )
        )
    )


def instead(tool: str, forward: str, change: str) -> str:
    """Return the same for the page about all frameworks. ``change``: what becomes of the version
    when a script is given by hand."""
    return (
        f"{tool} has no down migrations. What you can do: bring back what was before"
        " (`rollback-tui checkpoint list`, `rollback-tui checkpoint restore NAME --into"
        " NEW_DATABASE`, or your own backup); fix forward"
        f" ({forward}); or write the SQL that takes the newest migration back and give it with"
        " `--script FILE`: it is planned, checked, previewed, rehearsed, confirmed, run and"
        f" verified like any down migration. {change}"
    )
