"""``monitor``: what is measured after a run, without a screen."""

from __future__ import annotations

import contextlib
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from rollback_tui.aftercare.attendant import presence
from rollback_tui.aftercare.watch import Watching
from rollback_tui.cli import monitor_text as text
from rollback_tui.cli import noted
from rollback_tui.cli.after import After
from rollback_tui.cli.attending import resume
from rollback_tui.cli.options import Common, common
from rollback_tui.cli.shapes import print_json, print_json_line
from rollback_tui.core.claim import who
from rollback_tui.core.errors import ConfigurationError, RollbackTuiError
from rollback_tui.core.monitoring.values import FILE_NAME, Ended
from rollback_tui.core.text import printable
from rollback_tui.run import feed, folder
from rollback_tui.run.request import operator

_OBEYED = 5.0
"""Seconds that --stop waits for its answer; a process looks each second whether it is to stop."""
_STARTED = 3.0
"""Seconds that is waited for a process that was started again."""


@click.command()
@click.argument("run", required=False)
@click.option(
    "--watch",
    type=click.FloatRange(min=0.5),
    metavar="SECONDS",
    help="Look again and again, until the monitoring ends or ctrl+c.",
)
@click.option("--samples", is_flag=True, help="Print all samples, a line of JSON each.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all readings as CSV.")
@click.option("--stop", is_flag=True, help="End the monitoring early; needs --reason.")
@click.option("--reason", default="", help="With --stop: why. It is kept.")
@common
def monitor(
    given: Common,
    run: str | None,
    watch: float | None,
    samples: bool,
    as_csv: bool,
    stop: bool,
    reason: str,
) -> None:
    """How database and application are since RUN (default: the newest that is monitored).

    Exit 0: no alert stands. 1: one does. 2: nothing is monitored, or nobody knows.
    """
    _one_of(watch is not None, samples, as_csv, stop)
    if stop and not reason.strip():
        raise ConfigurationError("--stop needs --reason TEXT", "Say why: it is in the report.")
    found = _find(given, run)
    if found is None:
        raise ConfigurationError(
            f"no run in {given.run_directory()}", "`rollback-tui history` lists them."
        )
    if stop:
        _stop(given, found, reason.strip())
        return
    after = After(given)
    look = _look(after, found, again=_look_after(given, found))
    if samples:
        for sample in look.watched.view.samples:
            print_json_line(text.sample_shape(sample))
    elif as_csv:
        text.write_csv(look.watched.view, sys.stdout)
    else:
        _show(given, look)
        with contextlib.suppress(KeyboardInterrupt):
            while watch is not None and _goes_on(look):
                time.sleep(watch)
                look = _look(after, found, again=False)
                if not given.as_json:
                    click.echo()
                _show(given, look)
    sys.exit(text.exit_code(look))


def _one_of(*given: bool) -> None:
    if sum(given) > 1:
        raise ConfigurationError(
            "--watch, --samples, --csv and --stop exclude each other", "Give one of them."
        )


def _find(given: Common, run: str | None) -> Path | None:
    """Return the folder of ``run``; without one, of the newest that is or was monitored, else of
    the newest; None where there is none. Raises ConfigurationError."""
    if run is not None:
        return feed.find(given.run_directory(), run)
    every = folder.folders(given.run_directory())
    watched = (one for one in every if (one / FILE_NAME).exists() or presence.is_attended(one))
    return next(watched, every[0] if every else None)


def _look_after(given: Common, found: Path) -> bool:
    """Start the process again that looks after the run, where it was killed, and wait until it is
    there; return whether that was needed. That it could not be is said, and stops nothing."""
    try:
        again = bool(resume(given, (found,)))
    except (RollbackTuiError, OSError) as error:
        why = error.summary if isinstance(error, RollbackTuiError) else error.strerror or "failed"
        click.echo(f"warning: the monitoring cannot go on: {printable(why)}", err=True)
        return False
    deadline = time.monotonic() + _STARTED
    while again and not presence.is_attended(found) and time.monotonic() < deadline:
        time.sleep(0.05)
    return again


def _look(after: After, found: Path, *, again: bool) -> text.Looked:
    return text.Looked(
        folder=found, watched=after.watched(found), now=datetime.now(UTC), started_again=again
    )


def _show(given: Common, look: text.Looked) -> None:
    if not given.as_json:
        for line in text.lines(look):
            click.echo(line)
        return
    # One document; of many, each is a line.
    context = click.get_current_context()
    many = context.params.get("watch") is not None
    (print_json_line if many else print_json)(text.shape(look))


def _goes_on(look: text.Looked) -> bool:
    """Whether there is more to come: it is monitored, or will be."""
    view = look.watched.view
    return view.ended is None and (look.watched.attended or look.watched.expected)


def _stop(given: Common, found: Path, reason: str) -> None:
    """Have the monitoring end, and wait until it has."""
    watching = Watching(found)
    view = watching.poll()
    run = found.name[16:]
    if view.ended is not None or not (
        view.begun or presence.is_attended(found) or presence.expected(found, datetime.now(UTC))
    ):
        raise ConfigurationError(
            f"run {run} is not monitored", "`rollback-tui monitor` shows what is."
        )
    presence.ask_to_stop(found, who(operator()), reason)
    noted.note(given, "monitoring stopped", reason, run=view.begun.run if view.begun else run)
    _look_after(given, found)
    ended = _ended(watching)
    if ended is None:
        click.echo("Asked for; who looks after the run next will do so.")
        sys.exit(2)
    if given.as_json:
        print_json(msgspec.to_builtins(ended))
    else:
        click.echo("The monitoring has ended. What is queued is still sent.")


def _ended(watching: Watching) -> Ended | None:
    """Wait for the end of the monitoring; None where it does not come."""
    deadline = time.monotonic() + _OBEYED
    while (ended := watching.poll().ended) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return ended
