"""What tools without down migrations have in common: nothing takes a migration back but what a
person wrote, and that is said with what can be done instead."""

from __future__ import annotations

from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.text import printable
from rollback_tui.frameworks.base import Base
from rollback_tui.frameworks.protocol import About, Kind, Missing, VersionTable


class NoDown(Base):
    """Defaults of a framework of the kind ``none``."""

    kind: Kind = "none"
    about: About
    forward: str
    """How the tool itself goes on from here, with its commands."""
    besides: str = ""
    """What else it can do; a line of its own."""

    def down(self, applied: AppliedMigration, directory: Path) -> Missing:  # noqa: ARG002
        """Return that there is none, and a line for each thing that can be done instead."""
        title = self.about.title
        return Missing(
            why="\n".join(
                (
                    f"{title} has no down migrations: it cannot take {printable(applied.version)}"
                    " back",
                    *((self.besides,) if self.besides else ()),
                    "either bring back what was there before: `rollback-tui checkpoint list`, then"
                    " `rollback-tui checkpoint restore NAME --into NEW_DATABASE`; or your own"
                    " backup",
                    f"or fix forward: {self.forward}",
                    "or write the SQL that takes it back into FILE: `rollback-tui --script FILE`,"
                    " without a screen `rollback-tui run --script FILE --confirm DATABASE`",
                )
            )
        )

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:  # noqa: ARG002
        """Return nothing: what it enters holds a checksum that only it makes."""
        return ()


def instead(title: str, forward: str, change: str) -> str:
    """Return the same for the page about all frameworks. ``change``: what becomes of the version
    when a script is given by hand."""
    return (
        f"{title} has no down migrations. Bring back what was there before (`rollback-tui"
        " checkpoint list`, `rollback-tui checkpoint restore NAME --into NEW_DATABASE`, or your own"
        f" backup); or fix forward: {forward}; or write the SQL that takes the newest migration"
        " back, and give it with `--script FILE`: it is planned, checked, previewed, rehearsed,"
        f" confirmed, run and verified like any down migration. {change}"
    )
