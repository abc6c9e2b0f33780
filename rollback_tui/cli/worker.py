"""``worker``: started by us only. The guardian, and below it the worker itself."""

from __future__ import annotations

import os
import sys

import click
import msgspec

from rollback_tui.run.request import RunRequest


@click.command(hidden=True)
@click.option("--carry-out", is_flag=True, help="Be the worker, not its guardian.")
def worker(carry_out: bool) -> None:
    """Read a request from standard input and see it through."""
    os.umask(0o077)
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=RunRequest)
    if carry_out:
        from rollback_tui.run.worker import work

        work(request)
    else:
        from rollback_tui.run.guardian import guard

        guard(request)
