"""``incident``: the incident report of a run, its checklist, and its way to an issue tracker."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from rollback_tui.aftercare import checklist, incident_files
from rollback_tui.aftercare.charge import Charge
from rollback_tui.cli import noted
from rollback_tui.cli.options import Common, common
from rollback_tui.cli.shapes import print_json
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.follow_ups import FollowUp
from rollback_tui.core.history.asker import who
from rollback_tui.core.incident import incident_html, incident_json, incident_markdown
from rollback_tui.core.report import words
from rollback_tui.core.text import printable
from rollback_tui.run import feed
from rollback_tui.run import folder as run_folder
from rollback_tui.run.request import operator


class _Showing(click.Group):
    """A group that shows when no command is named, with all options of ``show``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take what is no command of the group as what ``show`` is given."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Showing)
def incident() -> None:
    """The incident report of a run (default: the newest), and its follow-ups.

    Without a command: the report, with all options of `incident show`.
    """


@incident.command("show")
@click.argument("run", required=False)
@click.option(
    "--format",
    "format_",
    type=click.Choice(("markdown", "html", "json")),
    default=None,
    help="What is printed.  [default: markdown]",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    metavar="FILE",
    help="Write it there instead, whole or not at all, for you alone to read (0600).",
)
@common
def show_(given: Common, run: str | None, format_: str | None, output: Path | None) -> None:
    """Print the report as it is now: from the journal, the monitoring, and what was ticked."""
    if given.as_json and format_ not in (None, "json"):
        raise ConfigurationError(
            f"--json and --format {format_} say two different things", "Give one of them."
        )
    wanted = "json" if given.as_json else format_ or "markdown"
    report = incident_files.incident(_folder(given, run))
    if output is None and wanted == "json":
        print_json(incident_json(report))
        return
    made = {"markdown": incident_markdown, "html": incident_html, "json": incident_files.as_json}
    text = made[wanted](report)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        run_folder.write(output, text)
    except OSError as error:
        raise ConfigurationError(
            f"{output} cannot be written: {error.strerror}", "Name a file in a directory of yours."
        ) from None
    click.echo(printable(f"{output}: written"), err=True)


@incident.command("write")
@click.argument("run", required=False)
@common
def write_(given: Common, run: str | None) -> None:
    """Write the report as it is now into the run's folder: Markdown, HTML and JSON."""
    paths = incident_files.write(_folder(given, run))
    if given.as_json:
        print_json({name: str(path) for name, path in msgspec.structs.asdict(paths).items()})
        return
    for path in (paths.markdown, paths.html, paths.json):
        click.echo(printable(str(path)))


@incident.command("follow-ups")
@click.argument("run", required=False)
@common
def follow_ups_(given: Common, run: str | None) -> None:
    """What is left to be done, each with the key by which it is ticked."""
    _told(given, checklist.follow_ups(_folder(given, run)))


@incident.command("tick")
@click.argument("run", metavar="RUN")
@click.argument("key", metavar="KEY")
@click.option("--note", default="", help="What came of it; kept with the tick.")
@click.option("--undo", is_flag=True, help="Take the tick back.")
@common
def tick_(given: Common, run: str, key: str, note: str, undo: bool) -> None:
    """Tick KEY of RUN's follow-ups off, as whoever is at this terminal."""
    folder = _folder(given, run)
    by = who(operator())
    _told(given, checklist.tick(folder, key, done=not undo, by=by, note=note))


@incident.command("deliver")
@click.argument("run", required=False)
@common
def deliver_(given: Common, run: str | None) -> None:
    """Hand the report over to [incident] deliver, also when it was delivered before.

    Exit 0: it took it; 1: it did not.
    """
    folder = _folder(given, run)
    if not given.settings.incident.deliver.configured:
        raise ConfigurationError(
            "nothing is configured that takes an incident report",
            "Set a command or a url in [incident.deliver] of rollback.toml.",
        )
    charge = Charge(folder=str(folder), project=str(given.project), dsn="", settings=given.settings)
    ran = incident_files.deliver(charge, by_hand=True)
    noted.note(
        given, "incident report delivered by hand", ran.summary, run=folder.name[16:], ok=ran.ok
    )
    if given.as_json:
        plain = msgspec.to_builtins(ran)
        print_json({key: plain[key] for key in ("ok", "seconds", "summary")})
    else:
        result = "delivered" if ran.ok else "NOT delivered"
        click.echo(printable(f"{folder.name}: {result}: {ran.summary}"))
    sys.exit(0 if ran.ok else 1)


def _folder(given: Common, run: str | None) -> Path:
    return feed.find(given.run_directory(), run).resolve()


def _told(given: Common, items: tuple[FollowUp, ...]) -> None:
    if given.as_json:
        print_json(msgspec.to_builtins(items))
        return
    if not items:
        click.echo("Nothing is left to be done.")
    for item in items:
        click.echo(printable(f"[{'x' if item.done else ' '}] {item.key}: {item.text}"))
        if item.at is not None:
            note = f": {item.note}" if item.note else ""
            click.echo(printable(f"    {item.touched} {words.moment(item.at)} by {item.by}{note}"))
