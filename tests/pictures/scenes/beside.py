"""Before the six screens: a run of this database has no outcome."""

from __future__ import annotations

import msgspec

from rollback_tui.core.claim import Claim, ClaimState
from rollback_tui.ui.screens.beside import BesideScreen
from tests.pictures.scene import scene
from tests.pictures.still import Stage


def _claim(t: Stage, state: ClaimState) -> Claim:
    """The recorded run, as it would be found had it been left in the middle."""
    started = t.moment.whole().view
    assert started is not None
    assert started.started is not None
    begun = started.started
    return Claim(
        run=begun.run,
        folder=begun.folder,
        target=begun.target,
        operator=msgspec.structs.replace(begun.operator, user="kim", sudo_user=""),
        since=t.moment.records[0].at,
        state=state,
        phase="execute",
        door_closed=True,
        quiet_seconds=40.0,
        worker_pid=begun.worker_pid,
    )


@scene("good/gate", BesideScreen, derived="that nobody waited for its end")
async def beside_dead(t: Stage) -> None:
    """A run of this database was left without an outcome and nothing works on it: its door is
    closed. Settle is offered, Leave is focused."""
    await t.change(claims=(_claim(t, "dead"),), folder=None, view=None, environment="production")


@scene("good/gate", BesideScreen, derived="that somebody else started it")
async def beside_running(t: Stage) -> None:
    """A run of this database is at work: attach shows it, and nothing else can begin."""
    await t.change(claims=(_claim(t, "running"),), folder=None, view=None)
