"""``worker``: started by us only. The guardian, below it the worker itself, and what settles;
beside them what looks after the run."""

from __future__ import annotations

import os
import sys

import click
import msgspec

from rollback_tui.run.request import RunRequest


@click.command(hidden=True)
@click.option("--carry-out", is_flag=True, help="Be the worker, not its guardian.")
@click.option("--settle", "settling", is_flag=True, help="Settle the run of the request.")
def worker(carry_out: bool, settling: bool) -> None:
    """Read a request from standard input and see it through."""
    os.umask(0o077)
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=RunRequest)
    if carry_out:
        from rollback_tui.run.worker import work

        work(request)
    elif settling:
        from rollback_tui.cli.attending import have_looked_after
        from rollback_tui.run.settle import settle

        have_looked_after(request)
        settle(request, alone=True)
    else:
        _guard(request)


def _guard(request: RunRequest) -> None:
    """Guard the run, and what looks after it as long as that is needed."""
    from rollback_tui.aftercare.attendant.beside import Beside, charge_of
    from rollback_tui.run.guardian import guard

    charge = charge_of(request)
    beside = Beside(charge) if charge is not None else None
    guard(request)
    if beside is not None:
        beside.stay()
