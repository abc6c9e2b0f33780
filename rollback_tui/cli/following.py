"""A run seen from a command that has no screen: its events, its outcome, and how it is left."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from rollback_tui.aftercare.attendant import presence
from rollback_tui.cli.options import Common
from rollback_tui.cli.plain_output import echo_json
from rollback_tui.core.errors import RunUnfinished
from rollback_tui.core.events import Record, RunFinished
from rollback_tui.core.model import EXIT_CODES
from rollback_tui.core.report import log_line
from rollback_tui.core.text import printable
from rollback_tui.run.control import ControlUnavailable
from rollback_tui.run.feed import RunFeed
from rollback_tui.run.journal import flat

_POLL_SECONDS = 0.1
_GUARDIAN_SECONDS = 10.0


def printer(as_json: bool) -> Callable[[Record], None]:
    """Return what prints a run's events: one JSON document a line, or one line of the log."""
    if as_json:
        return lambda record: echo_json(msgspec.json.encode(flat(record)))
    return lambda record: click.echo(log_line(record))


def follow(folder: Path, show: Callable[[Record], None]) -> RunFinished:
    """Show a run's events until its outcome. Raises RunUnfinished when nobody works on it, or when
    the operator leaves."""
    with contextlib.closing(RunFeed(folder, unattended=True)) as run_feed:
        run_feed.take_controls()
        return _follow(run_feed, show, lambda: _ask_for_abort(run_feed))


def look_on(folder: Path, show: Callable[[Record], None]) -> RunFinished:
    """Show a run's events from the first one to its outcome and take nothing: whoever is at the
    controls stays there. Raises RunUnfinished as :func:`follow` does; Ctrl+C only leaves."""
    with contextlib.closing(RunFeed(folder, unattended=True)) as run_feed:
        return _follow(run_feed, show, lambda: _leave(run_feed))


def _follow(
    run_feed: RunFeed, show: Callable[[Record], None], interrupted: Callable[[], None]
) -> RunFinished:
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
            interrupted()


def _ask_for_abort(run_feed: RunFeed) -> None:
    """Ask for an abort. A second Ctrl+C while nobody answers leaves, and does not call it
    refused: raises RunUnfinished."""
    try:
        try:
            click.echo(f"abort: {run_feed.abort()}", err=True)
        except ControlUnavailable as error:
            click.echo(f"abort: {printable(error.summary)}", err=True)
    except KeyboardInterrupt:
        _leave(run_feed)


def _leave(run_feed: RunFeed) -> NoReturn:
    raise RunUnfinished(
        "the run goes on without this terminal",
        f"rollback-tui attach {run_feed.folder.name[16:]}",
    ) from None


def leave(given: Common, folder: Path, finished: RunFinished) -> NoReturn:
    """Exit with the code of the outcome; say before, to a person, that the run is watched on."""
    touched = finished.outcome != "refused" and given.settings.monitor.seconds > 0
    if touched and not given.as_json and presence.is_attended(folder):
        click.echo(f"Watched without this terminal: rollback-tui monitor {folder.name[16:]}")
    sys.exit(EXIT_CODES[finished.outcome])


def say_outcome(finished: RunFinished) -> None:
    """Print the outcome, and the commands that come next, each a line to copy."""
    click.echo(printable(f"{finished.outcome}: {finished.summary}"))
    for command in finished.next_commands:
        click.echo(f"  {printable(command)}")
