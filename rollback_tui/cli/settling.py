"""``settle``: an interrupted run is finished, in this process. Apart from ``run``, whose terminal
needs nothing of what a run is made of."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from rollback_tui.cli.attending import have_looked_after
from rollback_tui.cli.beside import settle_request
from rollback_tui.cli.following import say_outcome
from rollback_tui.cli.noted import note
from rollback_tui.cli.options import Common, common
from rollback_tui.cli.plain_output import echo_json
from rollback_tui.core.model import EXIT_CODES
from rollback_tui.run import claims, feed
from rollback_tui.run.settle import settle as finish_interrupted


@click.command()
@click.argument("run_id", metavar="RUN", required=False)
@common
def settle(given: Common, run_id: str | None) -> None:
    """Finish an interrupted run: open the door, and say what the database holds."""
    folder = _to_settle(given, run_id)
    note(given, "settle asked for", run=folder.name[16:])
    request = settle_request(given, folder)
    finished = finish_interrupted(request, alone=True)
    have_looked_after(request)
    if given.as_json:
        echo_json(msgspec.json.encode(finished))
    else:
        say_outcome(finished)
    sys.exit(EXIT_CODES[finished.outcome])


def _to_settle(given: Common, run_id: str | None) -> Path:
    """Without an id: the newest run that has no outcome, and not one that was begun after it."""
    if run_id is None:
        for claim in claims.without_outcome(given.run_directory()):
            return Path(claim.folder)
    return feed.find(given.run_directory(), run_id)
