"""The guardian: starts the worker, waits for it, and settles the run if it dies."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import msgspec

from rollback_tui.core.run_view import fold
from rollback_tui.embedded.children import command
from rollback_tui.run import journal as run_journal
from rollback_tui.run.control import remove_socket
from rollback_tui.run.request import RunRequest


def guard(request: RunRequest) -> None:
    """Run the worker to its end. When it ends without an outcome, settle.

    The guardian has no connection and does nothing while the worker lives, so that there is
    little in it that could fail. Signals are for the worker: they are passed on.
    """
    worker = subprocess.Popen(
        command("rollback_tui", "worker", "--carry-out"),
        stdin=subprocess.PIPE,
        cwd=request.project,
    )

    def pass_on(number: int, _: object) -> None:
        worker.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, pass_on)
    # What settles is loaded while the worker loads what runs, and before it is told what to do:
    # when it is needed, the disk or the installation may be what is wrong.
    from rollback_tui.run.settle import settle

    worker.communicate(msgspec.json.encode(request))
    records = run_journal.read(Path(request.folder) / run_journal.FILE_NAME)
    if records and fold(records).finished is None:
        settle(request)
    elif worker.returncode < 0:
        # Killed before there was a run, or when it was over: nothing else is left to be done.
        remove_socket(request.run)
