"""The screens on a made-up world, in a process of their own: ``python -m tests.terminal.program
CALLS KIND``.

Each look at the sessions appends a byte to the file CALLS. KIND: ``still`` (nothing ever changes),
``ageing`` (every session is a second older each time) or ``stirring`` (every query is another one).
"""

from __future__ import annotations

import itertools
import os
import sys
from datetime import timedelta

import msgspec

from rollback_tui.cli.terminal import shown
from rollback_tui.core.model import Activity
from rollback_tui.ui.app import RollbackApp
from tests.ui.fake import T0, World, activity, session

SESSIONS = 40


def world(calls: str, kind: str) -> World:
    """Return a world of forty sessions that behaves so."""
    made = World()
    log = os.open(calls, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    count = itertools.count(1)
    sessions = tuple(
        session(4000 + n, "shop-web", "active", f"SELECT {n}", query_age=10.0 + n)
        for n in range(SESSIONS)
    )

    def look() -> Activity:
        number = next(count)
        os.write(log, b".")
        more = number if kind != "still" else 0
        seen = tuple(
            msgspec.structs.replace(
                one,
                query_age=(one.query_age or 0.0) + more,
                query=f"SELECT {number * 7919 + one.pid} " * 9 if kind == "stirring" else one.query,
            )
            for one in sessions
        )
        return activity(seen, T0 + timedelta(seconds=number), 1000)

    made.activity = look  # type: ignore[method-assign]
    return made


if __name__ == "__main__":
    sys.exit(shown(RollbackApp(world(*sys.argv[1:]))))
