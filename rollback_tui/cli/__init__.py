"""The command line: the composition root, the only place that knows every layer.

Exit codes: 0 rolled back (or: all is well) · 1 refused (or: not safe) · 2 usage or configuration
· 3 unchanged · 4 recovered · 5 needs_operator · 70 a fault of this program itself.
"""

from __future__ import annotations

import sys

import click

from rollback_tui import __version__
from rollback_tui.cli.lazy import Later, LazyGroup
from rollback_tui.cli.plain_output import prepare
from rollback_tui.core.errors import RollbackTuiError, RunRefused, RunUnfinished
from rollback_tui.core.text import printable

_HERE = "rollback_tui.cli"

COMMANDS = {
    "ui": Later(f"{_HERE}.terminal", "ui", "Open the screens.", hidden=True),
    "state": Later(f"{_HERE}.look", "state", "What the database is doing now."),
    "plan": Later(f"{_HERE}.look", "plan", "What would be rolled back, statement by statement."),
    "check": Later(
        f"{_HERE}.look",
        "check",
        "The safety checks; exit 0 when it is safe to roll back, 1 when not.",
    ),
    "rehearse": Later(
        f"{_HERE}.rehearse",
        "rehearse",
        "Execute the plan on a scratch database and measure it; the target is only read.",
    ),
    "capture": Later(
        f"{_HERE}.capture",
        "capture",
        "For frameworks that only run their down migrations: have them do so on a scratch copy, and"
        " keep what they send as the script.",
    ),
    "run": Later(f"{_HERE}.rollback", "run", "Roll back now."),
    "settle": Later(
        f"{_HERE}.settling",
        "settle",
        "Finish an interrupted run: open the door, and say what the database holds.",
    ),
    "recover": Later(
        f"{_HERE}.recover",
        "recover",
        "How RUN (default: the newest) could be undone: the recovery console, or a list where there"
        " is no terminal; with --rung, do it.",
    ),
    "attach": Later(
        f"{_HERE}.terminal",
        "attach",
        "The console of a run that goes on, or of one that has ended (default: the newest).",
    ),
    "monitor": Later(
        f"{_HERE}.monitor",
        "monitor",
        "How database and application are since RUN (default: the newest that is monitored).",
    ),
    "history": Later(f"{_HERE}.history", "history", "Past and running runs, newest first."),
    "report": Later(
        f"{_HERE}.past", "report", "One report in Markdown or JSON (default: of the newest run)."
    ),
    "incident": Later(
        f"{_HERE}.incident",
        "incident",
        "The incident report of a run (default: the newest), and its follow-ups.",
    ),
    "guide": Later(
        f"{_HERE}.past",
        "guide",
        "How to bring the database back by hand: a run's own paths, names and commands.",
    ),
    "checkpoint": Later(f"{_HERE}.checkpoints", "checkpoint", "Restorable copies of the target."),
    "baseline": Later(
        f"{_HERE}.baseline",
        "baseline",
        "The schema that a version is supposed to have: what a rollback is compared with.",
    ),
    "archive": Later(
        f"{_HERE}.archive",
        "archive",
        "What runs kept of the data that they removed (run --keep).",
    ),
    "notify": Later(
        f"{_HERE}.notify",
        "notify",
        "Who is told of a run: test it, see what was told, try again what did not arrive.",
    ),
    "doctor": Later(
        f"{_HERE}.doctor",
        "doctor",
        "Tools, versions, privileges, terminal, configuration: what works and what does not.",
    ),
    "demo": Later(
        f"{_HERE}.practise",
        "demo",
        "An embedded PostgreSQL with a shop under load, ready to be rolled back.",
    ),
    "attendant": Later(
        f"{_HERE}.attendant",
        "attendant",
        "Read what is to be looked after from standard input, and do so.",
        hidden=True,
    ),
    "worker": Later(
        f"{_HERE}.worker",
        "worker",
        "Read a request from standard input and see it through.",
        hidden=True,
    ),
}
"""Every command, with the help that the list of them shows: a test compares it with theirs."""


class _Group(LazyGroup):
    """A group that opens the screens when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "--version")):
            args = ["ui", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Group, later=COMMANDS, context_settings={"help_option_names": ["--help"]})
@click.version_option(__version__, prog_name="rollback-tui")
def commands() -> None:
    """A guided, verified rollback of a PostgreSQL migration.

    Without a command: the screens. Every screen has a plain command too.
    """


def _code(error: RollbackTuiError) -> int:
    if isinstance(error, RunUnfinished):
        return 5
    return 1 if isinstance(error, RunRefused) else 2


def _from_the_server() -> tuple[type[Exception], ...]:
    """Return the class of the server's errors; none where nothing has loaded psycopg, for then
    there was no server either. It takes longer to import than all that is here."""
    psycopg = sys.modules.get("psycopg")
    return (psycopg.Error,) if psycopg else ()


def main() -> None:
    """Run the command line; every known error is one line and a remedy."""
    prepare()
    try:
        commands(prog_name="rollback-tui")
    except RollbackTuiError as error:
        click.echo(f"error: {printable(error.summary)}", err=True)
        if error.remedy:
            click.echo(f"  → {printable(error.remedy)}", err=True)
        sys.exit(_code(error))
    except _from_the_server() as error:
        # Where nobody expected one: the server's own words are better than a traceback.
        click.echo(f"error: {printable(' '.join(str(error).split()))}", err=True)
        click.echo("  → The server said so. `rollback-tui state` shows how it is now.", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - a traceback's last line may hold a password
        from rollback_tui.ui.crash import FAULT, told

        click.echo(told(error), err=True)
        sys.exit(FAULT)
