"""``recover``: the ladder of an earlier run, and taking one of its rungs."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import get_args

import click
import humanize
import msgspec

from rollback_tui.cli import noted
from rollback_tui.cli.beside import refuse
from rollback_tui.cli.following import follow, leave, printer
from rollback_tui.cli.options import Common, common
from rollback_tui.cli.session import Session
from rollback_tui.cli.shapes import print_json
from rollback_tui.cli.terminal import open_screens
from rollback_tui.cli.undoing import agreed_rows
from rollback_tui.core.errors import ConfigurationError, RunRefused
from rollback_tui.core.recovery import RecoveryOption, Rung
from rollback_tui.core.text import printable
from rollback_tui.run import feed
from rollback_tui.run.recovery.earlier import read_earlier

_TAKEN = tuple(rung for rung in get_args(Rung) if rung != "external")


@click.command()
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--rung", type=click.Choice(_TAKEN), help="Take this way back.")
@click.option(
    "--confirm",
    metavar="TEXT",
    help="What the list says must be typed: the database's name, or `lose N rows`, where N may be"
    " larger than what was counted.",
)
@click.option("--reason", default="", help="Why; kept in journal and report.")
@click.option("--yes", is_flag=True, help="Do not ask for anything: --confirm must be given.")
@common
@noted.refusals("recovery")
def recover(
    given: Common,
    run: str | None,
    rung: str | None,
    confirm: str | None,
    reason: str,
    yes: bool,
) -> None:
    """How RUN (default: the newest) could be undone: the recovery console, or a list where there
    is no terminal; with --rung, do it."""
    folder = feed.find(given.run_directory(), run)
    if rung is None:
        if confirm is not None or yes:
            raise ConfigurationError("--confirm and --yes go with --rung", "Name the rung.")
        if not given.as_json and sys.stdin.isatty() and sys.stdout.isatty():
            sys.exit(open_screens(given, folder=folder, console=True))
        with contextlib.closing(Session(given)) as session:
            _list(given, folder, session.recovery_options(folder))
        return
    refuse(given)
    with contextlib.closing(Session(given)) as session:
        session.target()
        options = session.recovery_options(folder)
        option = next(o for o in options if o.rung == rung)
        if option.obstacle:
            raise RunRefused(option.obstacle, option.remedy)
        typed = confirm if confirm is not None else _asked(option, yes=yes)
        made = session.undo(
            folder, option, reason=reason, agreed=agreed_rows(option, typed), attended=False
        )
    leave(given, made, follow(made, printer(given.as_json)))


def _asked(option: RecoveryOption, *, yes: bool) -> str:
    if yes or not sys.stdin.isatty():
        raise ConfigurationError(
            "nobody confirms what would be lost", f"Add --confirm {_word(option.confirm)}."
        )
    for line in _lines(option):
        click.echo(printable(line), err=True)
    return str(click.prompt(f"Type {printable(option.confirm)!r}", err=True))


def _word(text: str) -> str:
    return f'"{text}"' if " " in text else text


def _list(given: Common, folder: Path, options: tuple[RecoveryOption, ...]) -> None:
    begun = read_earlier(folder).begun
    if given.as_json:
        print_json(
            {
                "run": begun.run,
                "database": begun.target.database,
                "options": [shape(option) for option in options],
            }
        )
        return
    click.echo(printable(f"How run {begun.run[:8]} of {begun.target.database} could be undone:"))
    for option in options:
        click.echo("")
        for line in _lines(option):
            click.echo(printable(line))
        if not option.obstacle and option.rung != "external":
            click.echo(
                printable(
                    f"  rollback-tui recover {begun.run[:8]} --rung {option.rung}"
                    f" --confirm {_word(option.confirm)}"
                )
            )


def _lines(option: RecoveryOption) -> list[str]:
    lines = [f"{option.rung}: {option.title}"]
    if option.obstacle:
        lines.append(f"  not possible: {option.obstacle}")
        return lines + ([f"  → {option.remedy}"] if option.remedy else [])
    seconds = option.estimated_seconds
    lines += [
        f"  restores {option.restores}",
        f"  takes about {humanize.precisedelta(round(seconds))} ({option.basis or 'estimate'})"
        if seconds is not None
        else "  nobody can say how long it takes",
        f"  loses {_loss(option)}",
    ]
    for one in option.lost or ():
        rows = "an unknown number of rows" if one.rows is None else f"{one.rows:,} rows"
        lines.append(f"    {one.table}: {rows} ({one.basis})")
    return lines + [f"  $ {command}" for command in option.commands]


def _loss(option: RecoveryOption) -> str:
    lost = option.lost_rows
    if lost is None:
        return "writes since then, and nobody knows how many"
    if lost == 0:
        return "no row that was written since"
    return f"{lost:,} rows written since; counted exactly before anything is replaced"


def shape(option: RecoveryOption) -> dict[str, object]:
    """Return a rung as the plain values of ``recover --json``."""
    plain: dict[str, object] = msgspec.to_builtins(option)
    return plain | {"lost_rows": option.lost_rows}
