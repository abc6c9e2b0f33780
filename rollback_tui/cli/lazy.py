"""Command groups that load a command when it is used, and not to list its name.

What most commands import takes longer than what they do; ``--help``, ``--version`` and a command
that was mistyped need none of it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click


class Later(NamedTuple):
    """A command that is not loaded yet."""

    module: str
    """Where it is."""
    attribute: str
    """The name of the command there."""
    help: str
    """The first sentence of its help, as the list of commands shows it."""
    hidden: bool = False
    """Not in that list: the program itself starts it."""

    def load(self) -> click.Command:
        """Import its module and return it."""
        found: click.Command = getattr(importlib.import_module(self.module), self.attribute)
        return found


class LazyGroup(click.Group):
    """A group with commands that are loaded on their first use, beside its own."""

    def __init__(self, *arguments: Any, later: Mapping[str, Later], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.later = later

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands; none is loaded for it."""
        return sorted({*super().list_commands(ctx), *self.later})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, loaded; None where there is none of this name."""
        later = self.later.get(cmd_name)
        return later.load() if later else super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands as every group does, with the help that is in the table."""
        told = {name: self._told(ctx, name) for name in self.list_commands(ctx)}
        shown = {name: command for name, command in told.items() if not command.hidden}
        width = formatter.width - 6 - max(map(len, shown))
        rows = [(name, command.get_short_help_str(width)) for name, command in shown.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _told(self, ctx: click.Context, name: str) -> click.Command:
        """Return what can be told of a command without loading it."""
        later = self.later.get(name)
        if later is not None:
            return click.Command(name, help=later.help, hidden=later.hidden)
        found = super().get_command(ctx, name)
        if found is None:
            raise KeyError(name)
        return found
