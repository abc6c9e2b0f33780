"""``capture``: the scripts of a framework that only runs its down migrations."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click
import msgspec

from rollback_tui.cli.beside import warn
from rollback_tui.cli.options import Common, common, how_far
from rollback_tui.cli.session import Session
from rollback_tui.cli.shapes import print_json
from rollback_tui.cli.stopping import stop_asked
from rollback_tui.core.text import printable, shorten
from rollback_tui.frameworks.captured import Capture, Captures
from rollback_tui.ui.operations import Choice

_SQL_WIDTH = 90


@click.command()
@how_far
@common
def capture(given: Common, choice: Choice) -> None:
    """For frameworks that only run their down migrations: have them do so on a scratch copy, and
    keep what they send as the script.

    Exit 0: each has a script now. 1: one of them is no script. 2: nothing could be captured.
    """

    def said(line: str) -> None:
        if not given.as_json:
            click.echo(f"  … {line}", err=True)

    with contextlib.closing(Session(given)) as session, stop_asked() as stop:
        session.target()
        warn(given)
        found = session.capture(choice, said, stop)
    if given.as_json:
        print_json(msgspec.to_builtins(found))
    else:
        for line in lines(found):
            click.echo(line)
    sys.exit(1 if any(one.refused for one in found.made) else 0)


def lines(found: Captures) -> Iterator[str]:
    """Yield what was captured as text, printable."""
    for note in found.notes:
        yield f"note: {printable(note)}"
    for one in found.made:
        yield from _one(one)
        yield ""
    if all(not one.refused for one in found.made):
        yield "`rollback-tui plan` shows it as what will be rolled back."


def _one(one: Capture) -> Iterator[str]:
    yield printable(f"{one.version}, by `{one.command}` on a scratch copy of {one.database}:")
    if one.refused:
        yield f"  NO SCRIPT: {printable(one.refused)}"
    for number, statement in enumerate(one.statements, 1):
        yield f"  {number:>3}  {shorten(statement, _SQL_WIDTH)}"
    for statement in one.version_change:
        yield f"       version table: {shorten(statement, _SQL_WIDTH)}"
    if one.left_out:
        yield f"  left out ({len(one.left_out)}):"
    reasons: dict[str, list[str]] = {}
    for statement, why in one.left_out:
        reasons.setdefault(why, []).append(statement)
    for why, statements in reasons.items():
        yield f"    {printable(why)}:"
        for statement in dict.fromkeys(statements):
            times = statements.count(statement)
            yield f"      {shorten(statement, _SQL_WIDTH)}" + (f"  ×{times}" if times > 1 else "")
