"""Every command line that a page shows is one that the program accepts."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from rollback_tui.cli import commands
from tests.docs.pages import PAGES, code, fenced, name_of, prose, text_of

PROGRAM = "rollback-tui"


def _arguments(line: str) -> list[list[str]]:
    """Return the arguments of each call of the program in a line of shell."""
    words = shlex.split(line, comments=True)
    calls: list[list[str]] = []
    taking = False
    for word in words:
        if word in ("&&", "||", "|", ";", ">"):
            taking = False
        elif not taking and Path(word).name == PROGRAM:
            taking = True
            calls.append([])
        elif taking:
            calls[-1].append(word)
    return calls


def parsed(arguments: list[str]) -> click.Context:
    """Parse as the program would, without calling anything. Raises click.UsageError."""
    if not arguments or arguments[0].startswith("-"):
        arguments = ["ui", *arguments]  # as the program itself does
    command: click.Command = commands
    context = click.Context(command, info_name=PROGRAM)
    while isinstance(command, click.Group):
        if command.name == "history" and (not arguments or arguments[0].startswith("-")):
            arguments = ["list", *arguments]  # likewise
        if command.name == "incident" and (not arguments or arguments[0] not in command.commands):
            arguments = ["show", *arguments]
        if not arguments:
            raise click.MissingParameter(ctx=context, param_type="command")
        name, found, arguments = command.resolve_command(context, arguments)
        assert found is not None
        command, context = found, click.Context(found, info_name=name, parent=context)
    return command.make_context(context.info_name, list(arguments), parent=context.parent)


def _shown(page: Path) -> list[list[str]]:
    """Whole commands, in blocks of shell."""
    lines = [line for block in fenced(text_of(page), "bash") for line in block.splitlines()]
    return [call for line in lines for call in _arguments(line)]


def _mentioned(page: Path) -> list[list[str]]:
    """Commands in the text: with the program's name, or a command's name and an option."""
    found = []
    for piece in code(prose(text_of(page))):
        words = shlex.split(piece) if piece.count("'") % 2 == 0 else piece.split()
        if words[:1] == [PROGRAM]:
            found.append(words[1:])
        elif (
            words
            and words[0] in commands.list_commands(click.Context(commands))
            and re.search(r" --\w", piece)
        ):
            found.append(words)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_in_a_block_is_complete(page: Path) -> None:
    for arguments in _shown(page):
        try:
            parsed(arguments)
        except click.UsageError as error:
            pytest.fail(f"{PROGRAM} {shlex.join(arguments)}: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_in_the_text_exists_with_its_options(page: Path) -> None:
    for arguments in _mentioned(page):
        try:
            parsed(arguments)
        except click.MissingParameter:
            continue  # in a sentence a command need not be complete
        except click.UsageError as error:
            pytest.fail(f"{PROGRAM} {shlex.join(arguments)}: {error.format_message()}")


def test_the_pages_do_show_commands() -> None:
    shown = [call for page in PAGES for call in _shown(page)]
    assert ["demo"] in shown
    assert len(shown) > 20


@pytest.mark.parametrize(
    "line",
    [
        "rollback-tui rollback --yes",
        "rollback-tui run --confirm app --force",
        "rollback-tui checkpoint shrink",
        "rollback-tui plan --steps many",
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    (arguments,) = _arguments(line)
    with pytest.raises(click.UsageError):
        parsed(arguments)
