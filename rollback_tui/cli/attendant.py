"""``attendant``: started by us only. Looks after one run; with ``--guarded`` below a process that
starts it again when it is killed."""

from __future__ import annotations

import os
import signal
import sys

import click
import msgspec

from rollback_tui.aftercare.charge import Charge


@click.command(hidden=True)
@click.option("--guarded", is_flag=True, help="Be the process that starts it again.")
def attendant(guarded: bool) -> None:
    """Read what is to be looked after from standard input, and do so."""
    os.umask(0o077)
    # Whatever else this machine has to do comes first: the run itself above all.
    os.nice(5)
    charge = msgspec.json.decode(sys.stdin.buffer.read(), type=Charge)
    if guarded:
        from rollback_tui.aftercare.attendant.guard import guard

        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        guard(charge)
        return
    from rollback_tui.aftercare.attendant.course import attend
    from rollback_tui.aftercare.attendant.guard import BUSY

    if not attend(charge):
        sys.exit(BUSY)
