"""``report`` and ``guide``: a run that was, and what to do after it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from rollback_tui.cli.options import Common, common
from rollback_tui.cli.shapes import print_json
from rollback_tui.core.report import report_json, report_markdown
from rollback_tui.core.run_view import fold
from rollback_tui.core.text import printable
from rollback_tui.run import feed, journal
from rollback_tui.run.audit import audit
from rollback_tui.run.by_hand import guide as by_hand


@click.command()
@click.argument("run", required=False)
@click.option(
    "--verify",
    is_flag=True,
    help="Instead, check the journal, also against the run's row in the database. "
    "Exit 0 only when it is intact and the row says so.",
)
@common
def report(given: Common, run: str | None, verify: bool) -> None:
    """One report in Markdown or JSON (default: of the newest run)."""
    folder = feed.find(given.run_directory(), run)
    if verify:
        _verify(given, folder)
    view = fold(journal.read(folder / journal.FILE_NAME))
    if given.as_json:
        print_json(report_json(view))
    else:
        click.echo(report_markdown(view))


@click.command()
@click.argument("run", required=False)
@common
def guide(given: Common, run: str | None) -> None:
    """How to bring the database back by hand: a run's own paths, names and commands.

    Needs no connection. The same is RECOVERY.md in the run's folder. Default: the newest run.
    """
    folder = feed.find(given.run_directory(), run)
    text = by_hand.guide(fold(journal.read(folder / journal.FILE_NAME)), given.settings)
    if given.as_json:
        print_json({"folder": str(folder), "guide": text})
    else:
        click.echo(text, nl=False)


def _verify(given: Common, folder: Path) -> NoReturn:
    """Say whether the journal is the one that was written; unknown is not intact."""
    found = audit(folder / journal.FILE_NAME, given.connect)
    if given.as_json:
        print_json({"journal": str(folder / journal.FILE_NAME)} | msgspec.to_builtins(found))
    else:
        click.echo(f"{printable(str(folder / journal.FILE_NAME))}: {found.verdict}")
        for line in found.evidence:
            click.echo(f"  {line}")
    sys.exit(0 if found.verdict == "intact" else 1)
