"""``run``: the same run without a screen."""

from __future__ import annotations

import contextlib
import sys

import click

from rollback_tui.cli import keeping, noted
from rollback_tui.cli.beforehand import as_typed, rehearse_first, rehearsed
from rollback_tui.cli.beside import refuse
from rollback_tui.cli.following import follow, leave, printer
from rollback_tui.cli.options import Common, common, how_far
from rollback_tui.cli.resuming import plan_left, said_yes
from rollback_tui.cli.session import Session
from rollback_tui.core.errors import ConfigurationError, RunRefused
from rollback_tui.core.model import Plan
from rollback_tui.core.rehearsal import Source
from rollback_tui.core.text import printable
from rollback_tui.run.request import Resumption
from rollback_tui.ui.operations import Choice


@click.command()
@click.option("--confirm", required=True, metavar="DATABASE", help="Name of the database, typed.")
@click.option("--reason", default="", help="Why; kept in journal and report.")
@click.option(
    "--trigger",
    default="",
    help="What made it necessary: an alert, a failed deploy; for the incident report.",
)
@click.option("--yes", is_flag=True, help="Do not ask for the target version as well.")
@click.option(
    "--override",
    multiple=True,
    metavar="CHECK=REASON",
    help="Set a failed check aside, with a reason. Repeatable.",
)
@click.option(
    "--statement-by-statement",
    "stepwise",
    is_flag=True,
    help="Say yes to a script that cannot be one transaction: what is done stays done.",
)
@click.option(
    "--resume", metavar="RUN", help="Go on where that run stopped, which went by statements."
)
@click.option(
    "--skip", type=int, multiple=True, metavar="N", help="With --resume: statement N is done."
)
@click.option(
    "--redo", type=int, multiple=True, metavar="N", help="With --resume: send statement N again."
)
@click.option(
    "--keep",
    multiple=True,
    metavar="N|all",
    help="Copy what statement N removes into an archive first. Repeatable; all: of every one.",
)
@rehearse_first
@how_far
@common
@noted.refusals("run")
def run(
    given: Common,
    choice: Choice,
    confirm: str,
    reason: str,
    trigger: str,
    yes: bool,
    override: tuple[str, ...],
    stepwise: bool,
    resume: str | None,
    skip: tuple[int, ...],
    redo: tuple[int, ...],
    keep: tuple[str, ...],
    source: Source | None,
) -> None:
    """Roll back now. Ctrl+C asks for an abort, which is obeyed until COMMIT."""
    overrides = reasons(override)
    if (skip or redo) and resume is None:
        raise ConfigurationError("--skip and --redo go with --resume", "Name the run.")
    if source is not None and resume is not None:
        raise ConfigurationError(
            "what is half done cannot be rehearsed", "Give --rehearse or --resume, not both."
        )
    refuse(given)
    with contextlib.closing(Session(given)) as session:
        target = session.target()
        if confirm != target.database:
            raise RunRefused(
                f"--confirm says {confirm}, but this is {target.database}",
                "Check --dsn; then type the name of the database you mean.",
            )
        resumption: Resumption | None = None
        if resume is None:
            plan = session.plan(choice)
            said_yes(plan, stepwise=stepwise)
        else:
            plan, resumption = plan_left(given, session, resume, skip, redo)
        kept = keeping.chosen(keep, plan, resumption.skip if resumption else ())
        keeping.agreed(given, plan, kept)
        if not yes:
            _ask_for_version(plan)
        rehearsal = rehearsed(session, plan, source)
        folder = session.start(
            plan,
            as_typed(overrides, rehearsal),
            reason,
            attended=False,
            stepwise_confirmed=not plan.transactional,
            resume=resumption,
            keep=kept,
            rehearsal=rehearsal,
            trigger=trigger,
        )
    leave(given, folder, follow(folder, printer(given.as_json)))


def reasons(texts: tuple[str, ...]) -> dict[str, str]:
    """Return the reason of each ``--override``, by check. Raises ConfigurationError."""
    found: dict[str, str] = {}
    for text in texts:
        name, _, why = text.partition("=")
        if len(why.strip()) < 10:
            raise ConfigurationError(
                f"--override {name} needs a reason of ten characters or more",
                "Write --override 'no_writers=the batch job may be ended'.",
            )
        found[name.strip()] = why.strip()
    return found


def _ask_for_version(plan: Plan) -> None:
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "nobody can type the target version: there is no terminal", "Add --yes."
        )
    goal = plan.asked_for
    versions = ", ".join(m.version for m in plan.migrations)
    if plan.version_stays:
        what = "the name of the script's file"
        said = f"Runs {plan.by_hand}, given by hand. No version is changed."
    else:
        what, said = "the version afterwards", f"The version afterwards is {goal}."
        said = f"Rolls back {versions}. {said}"
    click.echo(printable(said), err=True)
    if click.prompt(f"Type {what}", err=True) != goal:
        raise RunRefused(f"that is not {what}", "Look at the plan again.")
