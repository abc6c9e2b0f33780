"""Commands are loaded when they are used; the list of them says what they say themselves."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from rollback_tui import __version__
from rollback_tui.cli import commands
from rollback_tui.cli.checkpoints import checkpoint
from rollback_tui.cli.lazy import Later, LazyGroup

GROUPS = {"": commands, "checkpoint": checkpoint}


def _later() -> Iterator[tuple[str, Later]]:
    for group in GROUPS.values():
        assert isinstance(group, LazyGroup)
        yield from group.later.items()


@pytest.mark.parametrize(("name", "later"), list(_later()), ids=lambda one: str(one)[:12])
def test_the_table_says_what_the_command_says(name: str, later: Later) -> None:
    command = later.load()
    assert (name, later.help, later.hidden) == (
        command.name,
        command.get_short_help_str(1000),
        command.hidden,
    )


@pytest.mark.parametrize("path", GROUPS)
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_list_is_the_one_that_click_writes(path: str, columns: int) -> None:
    group = GROUPS[path]
    context = click.Context(group, info_name="it", terminal_width=columns)
    names = group.list_commands(context)
    loaded = {name: group.get_command(context, name) for name in names}
    plain = click.Group(
        commands={name: command for name, command in loaded.items() if command},
        help=group.help,
        params=group.params,
        context_settings=group.context_settings,
    )
    assert len(plain.commands) == len(names) > 5
    expected = plain.get_help(click.Context(plain, info_name="it", terminal_width=columns))
    assert group.get_help(context) == expected


def test_an_unknown_command_is_a_wrong_usage() -> None:
    done = CliRunner().invoke(commands, ["roll"])
    assert done.exit_code == 2
    assert "No such command 'roll'" in done.output


def test_the_version_is_the_one_that_is_installed() -> None:
    done = CliRunner().invoke(commands, ["--version"], prog_name="rollback-tui")
    assert done.output == f"rollback-tui, version {__version__}\n"
    assert importlib.metadata.version("rollback-tui") == __version__
