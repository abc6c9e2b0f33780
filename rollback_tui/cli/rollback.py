"""``run``: the same run without a screen."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from rollback_tui.cli import keeping
from rollback_tui.cli.beforehand import as_typed, rehearse_first, rehearsed
from rollback_tui.cli.beside import refuse, settle_request
from rollback_tui.cli.options import Common, common, how_far
from rollback_tui.cli.resuming import plan_left, said_yes
from rollback_tui.cli.session import Session
from rollback_tui.core.errors import ConfigurationError, RunRefused, RunUnfinished
from rollback_tui.core.events import Record, RunFinished
from rollback_tui.core.model import EXIT_CODES, Plan
from rollback_tui.core.rehearsal import Source
from rollback_tui.core.report import log_line
from rollback_tui.core.text import inert_json, printable
from rollback_tui.run import claims, feed
from rollback_tui.run.control import ControlUnavailable
from rollback_tui.run.feed import RunFeed
from rollback_tui.run.journal import flat
from rollback_tui.run.request import Resumption
from rollback_tui.run.settle import settle as finish_interrupted
from rollback_tui.ui.operations import Choice

_POLL_SECONDS = 0.1
_GUARDIAN_SECONDS = 10.0


@click.command()
@click.option("--confirm", required=True, metavar="DATABASE", help="Name of the database, typed.")
@click.option("--reason", default="", help="Why; kept in journal and report.")
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
def run(
    given: Common,
    choice: Choice,
    confirm: str,
    reason: str,
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
        )
    sys.exit(EXIT_CODES[follow(folder, printer(given.as_json)).outcome])


@click.command()
@click.argument("run_id", metavar="RUN", required=False)
@common
def settle(given: Common, run_id: str | None) -> None:
    """Finish an interrupted run: open the door, and say what the database holds."""
    folder = _to_settle(given, run_id)
    finished = finish_interrupted(settle_request(given, folder), alone=True)
    if given.as_json:
        click.echo(inert_json(msgspec.json.encode(finished)))
    else:
        say_outcome(finished)
    sys.exit(EXIT_CODES[finished.outcome])


def say_outcome(finished: RunFinished) -> None:
    """Print the outcome, and the commands that come next, each a line to copy."""
    click.echo(printable(f"{finished.outcome}: {finished.summary}"))
    for command in finished.next_commands:
        click.echo(f"  {printable(command)}")


def _to_settle(given: Common, run_id: str | None) -> Path:
    """Without an id: the newest run that has no outcome, and not one that was begun after it."""
    if run_id is None:
        for claim in claims.without_outcome(given.run_directory()):
            return Path(claim.folder)
    return feed.find(given.run_directory(), run_id)


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
    goal = plan.goal or "none"
    versions = ", ".join(m.version for m in plan.migrations)
    click.echo(printable(f"Rolls back {versions}. The version afterwards is {goal}."), err=True)
    if click.prompt("Type the version afterwards", err=True) != goal:
        raise RunRefused("that is not the target version", "Look at the plan again.")


def printer(as_json: bool) -> Callable[[Record], None]:
    """Return what prints a run's events: one JSON document a line, or one line of the log."""
    if as_json:
        return lambda record: click.echo(inert_json(msgspec.json.encode(flat(record))))
    return lambda record: click.echo(log_line(record))


def follow(folder: Path, show: Callable[[Record], None]) -> RunFinished:
    """Show a run's events until its outcome. Raises RunUnfinished when nobody works on it, or when
    the operator leaves."""
    with contextlib.closing(RunFeed(folder, unattended=True)) as run_feed:
        run_feed.take_controls()
        return _follow(run_feed, show)


def _follow(run_feed: RunFeed, show: Callable[[Record], None]) -> RunFinished:
    dead_since: float | None = None
    told = False
    while True:
        try:
            for record in run_feed.poll():
                show(record)
                if isinstance(record.event, RunFinished):
                    return record.event
            state, now = run_feed.state(), time.monotonic()
            dead_since = (dead_since or now) if state == "dead" else None
            # The guardian needs a moment between a dead worker and its own lock.
            if dead_since is not None and now - dead_since > _GUARDIAN_SECONDS:
                raise RunUnfinished(
                    "the run's worker and guardian are gone, and it has no outcome",
                    f"rollback-tui settle {run_feed.folder.name[16:]}",
                )
            if state == "stopped" and not told:
                click.echo(
                    "no sign of life: the run's process exists but does not answer", err=True
                )
            told = state == "stopped"
            time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            _ask_for_abort(run_feed)


def _ask_for_abort(run_feed: RunFeed) -> None:
    """Ask for an abort. A second Ctrl+C while nobody answers leaves, and does not call it
    refused: raises RunUnfinished."""
    try:
        try:
            click.echo(f"abort: {run_feed.abort()}", err=True)
        except ControlUnavailable as error:
            click.echo(f"abort: {printable(error.summary)}", err=True)
    except KeyboardInterrupt:
        raise RunUnfinished(
            "the run goes on without this terminal",
            f"rollback-tui attach {run_feed.folder.name[16:]}",
        ) from None
