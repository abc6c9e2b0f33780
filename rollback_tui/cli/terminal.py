"""``rollback-tui`` and ``rollback-tui attach``: the screens."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click

from rollback_tui.cli.beside import no_screen
from rollback_tui.cli.following import say_outcome
from rollback_tui.cli.options import Common, common, how_far
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.run import feed
from rollback_tui.ui.operations import Choice


@click.command(hidden=True)
@how_far
@common
def ui(given: Common, choice: Choice) -> None:
    """Open the screens."""
    sys.exit(open_screens(given, choice=choice))


@click.command()
@click.argument("run", required=False)
@common
def attach(given: Common, run: str | None) -> None:
    """The console of a run that goes on, or of one that has ended (default: the newest)."""
    folder = feed.find(given.run_directory(), run)
    sys.exit(open_screens(given, folder=folder))


def open_screens(
    given: Common,
    *,
    folder: Path | None = None,
    choice: Choice | None = None,
    console: bool = False,
) -> int:
    """Run the screens and return the exit code; with ``console`` the recovery console of the run in
    ``folder`` opens as soon as that has its outcome.

    Without a folder the target is asked first, so that a wrong password is one clear line and
    not a screen; except beside an unfinished run, which may be why nobody can connect. Raises
    ConfigurationError without a terminal, and there, beside such a run, RunRefused or
    RunUnfinished.
    """
    claims = given.claims() if folder is None else ()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        if claims:
            raise no_screen(claims[0])
        raise ConfigurationError(
            "the screens need a terminal",
            "Use `state`, `plan`, `check` and `run --confirm DATABASE` without one.",
        )
    # Textual takes a third of a second to import: only now, when it is needed.
    from rollback_tui.cli.session import Session
    from rollback_tui.ui.app import RollbackApp

    session = Session(given)
    try:
        if folder is None and not claims:
            session.target()
        app = RollbackApp(session, folder=folder, choice=choice, claims=claims, console=console)
        code = app.run(mouse=False)
        app.ended()
    finally:
        session.close()
    # The terminal may be gone: then there is nobody to be told.
    with contextlib.suppress(OSError):
        if app.guide.walk.settling:
            click.echo("Settling goes on without this terminal. Its outcome: rollback-tui history")
        view = app.guide.walk.view
        if view is not None and view.finished is not None:
            # On the screens the commands are wrapped; here they can be copied.
            say_outcome(view.finished)
        elif app.running_folder is not None:
            run = app.running_folder.name[16:]
            if app.guide.walk.worker == "dead":
                click.echo(f"Nothing works on the run. Finish it: rollback-tui settle {run}")
            else:
                click.echo(
                    f"The run goes on without this terminal. See it: rollback-tui attach {run}"
                )
    return code if isinstance(code, int) else (app.return_code or 0)
