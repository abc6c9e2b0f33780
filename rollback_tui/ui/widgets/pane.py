"""What every question and every pane above a step shares: help, the SQL log, and the commands are
one key away there too."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import BindingType
from textual.screen import ModalScreen

from rollback_tui.ui.keys import binder

T = TypeVar("T")

_bind = binder("pane")


class Pane(ModalScreen[T]):
    """Stands above a step until it is answered or closed. Where a field has the focus, what is
    typed goes into the field, and ``ctrl+p`` leads to all of this."""

    NAME: ClassVar[str] = "A question"
    """What help calls it."""
    HELP: ClassVar[str] = ""
    """What it is for, and what to do now."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _bind("L", "sql_log", "SQL log", "Every SQL text that was sent", name="sql", show=False),
        _bind("question_mark", "help", "help", "What this is, and its keys", show=False),
        _bind("colon", "app.palette", "commands", "Commands by name", name="commands", show=False),
    ]

    @property
    def help_name(self) -> str:
        """What help calls it."""
        return self.NAME

    def unavailable(self, action: str) -> str:  # noqa: ARG002 - most can always be done
        """Return why ``action`` does nothing now; empty when it works."""
        return ""

    def action_sql_log(self) -> None:
        """Show the SQL that was sent."""
        # Both need this class themselves.
        from rollback_tui.ui.screens.sql_log import show_sql_log

        show_sql_log(self.app)

    def action_help(self) -> None:
        """Show what this is for, and its keys."""
        from rollback_tui.ui.screens.help import show_help

        show_help(self)

    def action_decline(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
