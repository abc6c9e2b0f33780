"""``worker``: started by us only. The guardian, below it the worker itself, and what settles."""

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
        from rollback_tui.run.settle import settle

        settle(request, alone=True)
    else:
        from rollback_tui.run.guardian import guard

        guard(request)
