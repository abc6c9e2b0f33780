"""``history``, ``report`` and ``guide``: runs that were, and what to do after them."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import NoReturn

import click
import humanize
import msgspec

from rollback_tui.cli.options import Common, common
from rollback_tui.cli.shapes import print_json
from rollback_tui.core.report import report_json, report_markdown, task
from rollback_tui.core.run_view import fold
from rollback_tui.core.text import printable
from rollback_tui.run import feed, journal
from rollback_tui.run.audit import audit
from rollback_tui.run.by_hand import guide as by_hand


@click.command()
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@common
def history(given: Common, as_csv: bool) -> None:
    """Past and running runs, newest first."""
    runs = feed.history(given.run_directory())
    if given.as_json:
        print_json(msgspec.to_builtins(runs))
        return
    if as_csv:
        rows = csv.writer(sys.stdout)
        columns = "run started_at database versions outcome seconds folder task recovers proven"
        rows.writerow(columns.split())
        for run in runs:
            versions = " ".join(run.versions)
            rows.writerow(
                [
                    run.run,
                    run.started_at,
                    run.database,
                    versions,
                    run.outcome,
                    run.seconds,
                    run.folder,
                    run.task,
                    run.recovers,
                    run.proven,
                ]
            )
        return
    if not runs:
        click.echo(f"No runs in {given.run_directory()}.")
    for run in runs:
        click.echo(
            printable(
                f"{run.run[:8]}  {run.started_at}  {run.outcome:<14}"
                f"  {humanize.precisedelta(run.seconds, format='%0.1f'):<28}"
                f"  {run.database}  {' '.join(run.versions)}"
                + ("" if run.proven else "  not all verifications passed")
                + (f"  ({task.of(run.task, run.recovers)})" if run.recovers else "")
            )
        )


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
