"""``rollback-tui`` and ``rollback-tui attach``: the screens."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollback_tui.aftercare.unheard import behind_the_screens
from rollback_tui.cli.first_look import FirstLook
from rollback_tui.cli.options import Common, common, how_far
from rollback_tui.cli.secrets import hide_passwords
from rollback_tui.config import load_screen
from rollback_tui.core.errors import ConfigurationError, RollbackTuiError
from rollback_tui.core.model import EXIT_CODES
from rollback_tui.core.text import printable
from rollback_tui.ui.crash import FAULT
from rollback_tui.ui.operations import Choice

if TYPE_CHECKING:
    from rollback_tui.core.events import RunFinished
    from rollback_tui.ui.app import RollbackApp

REFUSED = 0.1
"""Seconds, once the screens are loaded, in which a server may still refuse us with one clear line:
most have by then. Later it is said on the screens, which try again."""
AHEAD = 0.1
"""Seconds that loading the screens waits for the first answers: a server nearby has given them by
then, and they are read while the screens are loaded."""
CLOSED = 1.0
"""Seconds that the end of the screens waits for the connections to close."""
NO_TERMINALS = ("", "dumb", "unknown")
"""Values of ``TERM`` that promise nothing, not even that the cursor can be moved."""


@click.command(hidden=True)
@how_far
@common
def ui(given: Common, choice: Choice) -> None:
    """Open the screens."""
    sys.exit(open_screens(given, choice=choice))


@click.command()
@click.argument("run", required=False)
@click.option(
    "--lines",
    is_flag=True,
    help="Print what happens, a line each, instead of the screens (with --json an event each)."
    " It only looks: Ctrl+C leaves, and the run goes on.",
)
@common
def attach(given: Common, run: str | None, lines: bool) -> None:
    """The console of a run that goes on, or of one that has ended (default: the newest)."""
    from rollback_tui.run import feed

    folder = feed.find(given.run_directory(), run)
    if not (lines or given.as_json):
        sys.exit(open_screens(given, folder=folder))
    from rollback_tui.cli.following import look_on, printer, say_outcome

    finished = look_on(folder, printer(given.as_json))
    if not given.as_json:
        say_outcome(finished)
    sys.exit(EXIT_CODES[finished.outcome])


def why_no_screens() -> str:
    """Return why the screens cannot be shown here; empty when they can."""
    for name, stream in (
        ("standard input", sys.stdin),
        ("standard output", sys.stdout),
        # The screens are drawn there: whoever reads the output gets the last lines only.
        ("standard error", sys.stderr),
    ):
        if stream is None or stream.closed or not stream.isatty():
            return f"the screens need a terminal, and {name} is none"
    kind = os.environ.get("TERM", "")
    if kind in NO_TERMINALS:
        return (
            f"the screens need a terminal that can move its cursor, and TERM is {kind or 'not set'}"
        )
    return ""


def need_screens(instead: str = "`state`, `plan`, `check` and `run --confirm DATABASE`") -> None:
    """Raise ConfigurationError where the screens cannot be shown; ``instead``: the commands that
    do the same without them."""
    if reason := why_no_screens():
        remedy = f"Use {instead} without one."
        if reason.startswith("the screens need a terminal that"):
            remedy = (
                f"Set TERM to what your terminal is (xterm-256color, linux …), or use {instead}."
            )
        raise ConfigurationError(reason, remedy)


def open_screens(
    given: Common,
    *,
    folder: Path | None = None,
    choice: Choice | None = None,
    console: bool = False,
    passing: bool = False,
) -> int:
    """Run the screens and return the exit code; with ``console`` the recovery console of the run in
    ``folder`` opens as soon as that has its outcome. ``passing``: server, project and run end with
    the screens.

    Without a folder the target is asked while the screens are loaded, so that a wrong password is
    one clear line and not a screen; a server that takes its time is waited for on the screen. Not
    so beside an unfinished run, which may be why nobody can connect. Raises ConnectionFailed,
    ConfigurationError for keys that cannot be and without a terminal, and there, beside such a run,
    RunRefused or RunUnfinished.
    """
    claims = given.claims() if folder is None else ()
    if claims and why_no_screens():
        from rollback_tui.cli.beside import no_screen

        raise no_screen(claims[0])
    if folder is None:
        need_screens()
    else:
        need_screens(f"`report {folder.name[16:]}` and `history`")
    # Nothing of what is loaded now is garbage: to look for some takes a tenth of the start. The
    # screens look for it again as soon as all of them are loaded.
    gc.disable()
    # Only now, when it is needed: what a session needs takes a tenth of a second to import.
    from rollback_tui.cli.session import Session

    hide_passwords(given.dsn)
    session = Session(given)
    first_look = FirstLook()
    if folder is None and not claims:
        session.begin(first_look.show)
        session.early.wait(AHEAD)
    # Textual takes a third of one.
    from rollback_tui.ui.app import RollbackApp
    from rollback_tui.ui.first_run import due
    from rollback_tui.ui.looks import looks

    here = looks(load_screen(given.settings.screen))
    try:
        if folder is None and not claims and (refused := session.early.failure(REFUSED)):
            raise refused
        app = RollbackApp(
            session,
            folder=folder,
            choice=choice,
            claims=claims,
            console=console,
            looks=here,
            # What ends with the screens does not outlive the connection either.
            note=None if passing else due(),
        )
        first_look.end()
        with behind_the_screens():
            return shown(app, passing=passing)
    finally:
        # It may wait for a server that does not answer; leaving does not.
        closing = threading.Thread(target=session.close, daemon=True)
        closing.start()
        closing.join(CLOSED)
        gc.enable()


def shown(app: RollbackApp, *, passing: bool = False) -> int:
    """Run ``app`` in this terminal; when the screen is restored say what goes on, or how it ended,
    in lines that can be copied. Return the exit code."""
    code = app.run_here()
    # The terminal may be gone: then there is nobody to be told.
    with contextlib.suppress(OSError):
        if what := app.cleaning_up:
            click.echo(f"Removing {what}, 15 s at most … Ctrl+C: do not wait.")
    removed = app.ended()
    with contextlib.suppress(OSError):
        if not removed:
            click.echo("It may still be there: `rollback-tui doctor` names it.")
        walk = app.guide.walk
        if walk.settling:
            click.echo("Settling goes on without this terminal. Its outcome: rollback-tui history")
        finished = _finished(app)
        if finished is not None:
            from rollback_tui.cli.following import say_outcome

            say_outcome(finished)
            if finished.report and not passing:
                click.echo(printable(f"Report: {finished.report}"))
            for words in () if passing else _watched_on(app):
                click.echo(printable(words))
            code = EXIT_CODES[finished.outcome]
        elif walk.running and passing:
            click.echo("The run goes on no longer: the demo ends with its terminal.")
        elif walk.running and walk.folder is not None:
            run = walk.folder.name[16:]
            if walk.worker == "dead":
                click.echo(f"Nothing works on the run. Finish it: rollback-tui settle {run}")
            else:
                click.echo(
                    f"The run goes on without this terminal. See it: rollback-tui attach {run}"
                )
    if app.failed:
        return FAULT
    return code if isinstance(code, int) else (app.return_code or 0)


def _watched_on(app: RollbackApp) -> tuple[str, ...]:
    from rollback_tui.ui.after import after_of
    from rollback_tui.ui.watch_elsewhere import watched_on

    walk = app.guide.walk
    return watched_on(after_of(walk, walk.folder))


def _finished(app: RollbackApp) -> RunFinished | None:
    """Return the outcome of the run that was followed, also when it came while we left."""
    walk = app.guide.walk
    if walk.view is not None and walk.view.finished is not None:
        return walk.view.finished
    if walk.folder is not None:
        from rollback_tui.core.run_view import fold
        from rollback_tui.run import journal

        with contextlib.suppress(OSError, ValueError, RollbackTuiError):
            return fold(journal.read(walk.folder / journal.FILE_NAME)).finished
    return None
