"""``history``: past runs, what they come to together, whether their journals are whole, and who
decided what."""

from __future__ import annotations

import csv
import functools
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from rollback_tui.aftercare import decisions
from rollback_tui.aftercare.past_runs import past_runs
from rollback_tui.cli.noted import note
from rollback_tui.cli.options import Command, Common, common
from rollback_tui.cli.shapes import print_json
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.history import shown, trail
from rollback_tui.core.history.filters import OUTCOMES, Filters, moment
from rollback_tui.core.history.metadata import COLUMNS
from rollback_tui.core.history.summary import summarise
from rollback_tui.core.text import printable
from rollback_tui.postgres import history_view
from rollback_tui.run import feed, journal
from rollback_tui.run import folder as run_folder
from rollback_tui.run.audit import Audit, audit_heads, audits

FIRST_COLUMNS = (
    *("run", "started_at", "database", "versions", "outcome", "seconds", "folder", "task"),
    *("recovers", "proven"),
)
"""Of CSV: as they have always been. The others follow them."""


class _Listing(click.Group):
    """A group that lists when no command is named, with all options of the list."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Listing)
def history() -> None:
    """Past and running runs, newest first.

    Without a command: the list, with all options of `history list`.
    """


def filtered(command: Command) -> Command:
    """Add the options that choose runs, as one ``filters``."""

    @click.option(
        "--outcome", multiple=True, type=click.Choice(OUTCOMES), help="Only these. Repeatable."
    )
    @click.option("--task", type=click.Choice(("rollback", "recover", "reapply")))
    @click.option("--database", default="", metavar="NAME")
    @click.option("--environment", default="", metavar="NAME")
    @click.option("--version", default="", help="Only those that had this version in their plan.")
    @click.option("--operator", default="", metavar="USER", help="Also who became that by sudo.")
    @click.option("--since", metavar="TIME", help="2026-03-01, 2026-03-01T03:14 (UTC), 36h, 7d.")
    @click.option("--until", metavar="TIME", help="The same; only those that began before.")
    @click.option("--failed", is_flag=True, help="Only those that did not do what was wanted.")
    @click.option("--limit", type=click.IntRange(min=1), help="At most so many, the newest.")
    @functools.wraps(command)
    def with_filters(
        *args: Any,
        outcome: tuple[str, ...],
        task: str | None,
        since: str | None,
        until: str | None,
        **options: Any,
    ) -> Any:
        names = ("database", "environment", "version", "operator", "failed", "limit")
        chosen = {name: options.pop(name) for name in names}
        begin, end = _span(since, until)
        filters = Filters(outcomes=outcome, task=task or "", since=begin, until=end, **chosen)
        return command(*args, filters=filters, **options)

    return with_filters


def _span(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Raises ConfigurationError for what is no time, and for a span that nothing can be in."""
    now = datetime.now(UTC)
    begin = moment(since, now, "--since") if since else None
    end = moment(until, now, "--until") if until else None
    if begin is not None and end is not None and begin >= end:
        raise ConfigurationError(
            f"--since {since} is not before --until {until}", "No run can be between them."
        )
    return begin, end


@history.command("list")
@filtered
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a row and all columns of each.")
@common
def list_(given: Common, filters: Filters, as_csv: bool) -> None:
    """Past and running runs, newest first; with --json or --csv all that is known of each."""
    directory = given.run_directory()
    _one_shape(given, as_csv=as_csv)
    if given.as_json:
        print_json(msgspec.to_builtins(list(past_runs(directory, filters))))
    elif as_csv:
        columns = (*FIRST_COLUMNS, *(name for name in COLUMNS if name not in FIRST_COLUMNS))
        _print_csv(
            columns,
            ([getattr(run, name) for name in columns] for run in past_runs(directory, filters)),
        )
    else:
        some = False
        for past in feed.chosen(directory, filters):
            click.echo(shown.line(past.summary))
            some = True
        if not some:
            such = "" if filters == Filters() else "such "
            click.echo(printable(f"No {such}runs in {directory}."))


def _one_shape(given: Common, *, as_csv: bool) -> None:
    if given.as_json and as_csv:
        raise ConfigurationError("--json and --csv say two different things", "Give one of them.")


def _print_csv(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([shown.cell(value) for value in row])


@history.command()
@filtered
@common
def summary(given: Common, filters: Filters) -> None:
    """What the runs come to together: outcomes, durations, downtime, what fails most often."""
    found = summarise(list(past_runs(given.run_directory(), filters)))
    if given.as_json:
        print_json(msgspec.to_builtins(found))
    else:
        for line in shown.summary_lines(found):
            click.echo(line)


# --- whether all of it is whole -----------------------------------------------------------------


@history.command()
@click.argument("run", required=False)
@click.option("--all", "every", is_flag=True, help="Of every run, not of the newest alone.")
@click.option(
    "--unanchored-ok",
    is_flag=True,
    help="Exit 0 also where nothing speaks against a file, but nothing outside of it speaks for"
    " it: of a run that committed nothing there is no row. Not where nobody could be asked.",
)
@common
def verify(given: Common, run: str | None, every: bool, unanchored_ok: bool) -> None:
    """Check the journal of RUN (default: the newest) against itself and the run's row in the
    database, and the audit log against itself and the journals. Exit 0 only when all are intact."""
    if run is not None and every:
        raise ConfigurationError("RUN and --all say two different things", "Give one of them.")
    directory = given.run_directory()
    folders = run_folder.folders(directory)
    # Without any run there may still be a log.
    meant = folders if every or not (run or folders) else (feed.find(directory, run),)
    checked = list(audits((one / journal.FILE_NAME for one in meant), given.connect))
    log = decisions.verify(directory, audit_heads(folders))
    if given.as_json:
        print_json(
            {
                "runs": [
                    {"journal": str(path)} | msgspec.to_builtins(one) for path, one in checked
                ],
                "audit_log": {"path": str(directory / decisions.FILE_NAME)}
                | msgspec.to_builtins(log),
            }
        )
    else:
        _print_checked(checked, log, directory / decisions.FILE_NAME)
    allowed = {"intact", "empty"} | ({"not anchored"} if unanchored_ok else set())
    well = {one.verdict for _, one in checked} | {log.verdict} <= allowed
    sys.exit(0 if well and all(one.asked for _, one in checked) else 1)


def _print_checked(
    checked: Sequence[tuple[Path, Audit]], log: decisions.LogCheck, path: Path
) -> None:
    for where, one in checked:
        click.echo(f"{printable(str(where))}: {one.verdict}")
        # Of many, what is as it should be needs no words.
        for line in one.evidence if len(checked) == 1 or one.verdict != "intact" else ():
            click.echo(f"  {line}")
    click.echo(f"{printable(str(path))}: {log.verdict}")
    for line in log.evidence:
        click.echo(f"  {line}")
    if len(checked) > 1:
        counts = [
            f"{sum(one.verdict == verdict for _, one in checked):,} {verdict}"
            for verdict in ("intact", "not anchored", "altered")
        ]
        click.echo(f"{len(checked):,} journals: {', '.join(counts)}")


# --- who decided what -----------------------------------------------------------------------------


@history.command("audit")
@click.argument("run", required=False)
@click.option("--since", metavar="TIME", help="2026-03-01, 2026-03-01T03:14 (UTC), 36h, 7d.")
@click.option("--until", metavar="TIME", help="The same.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@common
def audit_(
    given: Common, run: str | None, since: str | None, until: str | None, as_csv: bool
) -> None:
    """Every decision of people, in order: who, what, when, from where (default: of all runs, and
    what concerns none). Exit 1 when something could not be read."""
    _one_shape(given, as_csv=as_csv)
    begin, end = _span(since, until)
    found, problems = _entries(given.run_directory(), run)
    entries = [
        one for one in found if (begin is None or one.at >= begin) and (end is None or one.at < end)
    ]
    if given.as_json:
        print_json(msgspec.to_builtins(entries))
    elif as_csv:
        _print_csv(
            ("when", "who", "from", "what", "detail", "run"),
            (
                (one.at.isoformat(), one.who, one.where, one.what, one.detail, one.run)
                for one in entries
            ),
        )
    else:
        for line in shown.audit_lines(entries):
            click.echo(line)
    for problem in problems:
        click.echo(f"warning: {printable(problem)}", err=True)
    sys.exit(1 if problems else 0)


def _entries(directory: Path, run: str | None) -> tuple[tuple[trail.Entry, ...], list[str]]:
    """Return the decisions of a run or of all, and what could not be read. Raises
    ConfigurationError."""
    folders = run_folder.folders(directory) if run is None else (feed.find(directory, run),)
    found: list[trail.Entry] = []
    problems = []
    for folder in folders:
        try:
            found += trail.of_journal(journal.read(folder / journal.FILE_NAME))
        except journal.JournalDamaged as error:
            problems.append(error.summary)
    try:
        log = trail.of_log(decisions.read(directory))
        short = folders[0].name[16:] if run is not None else ""
        found += [one for one in log if not short or one.run[:8] == short]
    except decisions.DecisionsDamaged as error:
        problems.append(error.summary)
    return trail.in_order(found), problems


# --- the view in the target -----------------------------------------------------------------------


@history.command()
@click.option("--create", is_flag=True, help="Make it in the target, or replace it.")
@common
def view(given: Common, create: bool) -> None:
    """Print the SQL of the view rollback_tui.history over the runs that were committed; with
    --create make it, as the role that connects."""
    limit = given.settings.run.lock_timeout_seconds
    if not create:
        script = history_view.script(limit)
        if given.as_json:
            print_json({"view": history_view.VIEW, "sql": script})
        else:
            click.echo(script, nl=False)
        return
    with given.connect() as connection:
        database = connection.info.dbname
        new = history_view.create(connection, limit)
    note(given, "view made" if new else "view replaced", f"{history_view.VIEW} in {database}")
    if given.as_json:
        print_json({"view": history_view.VIEW, "database": database, "new": new})
    else:
        done = "made" if new else "replaced"
        click.echo(printable(f"{history_view.VIEW} in {database}: {done}; GRANT SELECT as needed"))
