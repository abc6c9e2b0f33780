"""Screen 3: every statement that will run."""

from __future__ import annotations

import msgspec

from rollback_tui.ui.requests import Failure
from rollback_tui.ui.screens.preview import PreviewScreen
from rollback_tui.ui.walk import CaptureUnderway
from tests.pictures.scene import scene
from tests.pictures.still import Stage


@scene("good/preview", PreviewScreen)
async def preview(t: Stage) -> None:
    """Half way through reading: what is marked and what is not, and the statement under the cursor
    with its lock, its loss and its hazards."""
    await t.press("d")


@scene("bad/aside", PreviewScreen)
async def preview_dependents(t: Stage) -> None:
    """A statement that is going to fail says so, and which view hangs on what it drops."""
    await t.press("home", *["down"] * 7)


@scene("busy/in-the-way", PreviewScreen)
async def preview_blocked(t: Stage) -> None:
    """Somebody is in the way now: who stands above the list, and at each statement that waits."""
    await t.press("d")


@scene("busy/in-the-way", PreviewScreen)
async def rehearse(t: Stage) -> None:
    """What to rehearse on, with what each choice can tell and what it costs."""
    await t.change(armed=True)
    await t.press("r")


@scene("busy/rehearsing", PreviewScreen)
async def preview_rehearsing(_: Stage) -> None:
    """A rehearsal goes on: what it does now, since when, and how it is stopped."""


@scene("busy/rehearsed", PreviewScreen)
async def preview_rehearsed(t: Stage) -> None:
    """After a rehearsal the effects are measured, and say so; the schema that comes out is as it
    should be."""
    await t.press("d")


@scene("busy/rehearsed", PreviewScreen)
async def rehearsal(t: Stage) -> None:
    """The rehearsal in full."""
    await t.press("R")


@scene("busy/kept", PreviewScreen)
async def preview_kept(t: Stage) -> None:
    """What the statements remove is kept in an archive: which, and what that costs."""
    await t.press("d")


@scene("caught/leftover", PreviewScreen)
async def preview_leftover(_: Stage) -> None:
    """Two migrations go back, and the schema afterwards is not as it should be: that stands on the
    border above the statement."""


@scene("caught/leftover", PreviewScreen)
async def schema_afterwards(t: Stage) -> None:
    """The schema afterwards, in full: what is left behind, against which baseline, and the
    statements that would mend it."""
    await t.press("v")


@scene("good/preview", PreviewScreen, derived="a framework that only runs its down migrations")
async def preview_capturing(t: Stage) -> None:
    """The tool's own program is at work on a scratch copy: what it does now, and since when."""
    underway = CaptureUnderway(since=t.moment.steady - 7.0, words="knex migrate:down, 1 of 1")
    await t.change(capturing=underway, armed=True)


@scene("good/preview", PreviewScreen, derived="that there is no script")
async def preview_no_way_back(t: Stage) -> None:
    """A migration without a way back: why, and the three ways on."""
    assert t.walk.plan is not None
    plan = t.walk.plan
    bare = tuple(
        msgspec.structs.replace(m, script=None, why_no_script="its file has no down part")
        for m in plan.migrations
    )
    await t.change(plan=msgspec.structs.replace(plan, migrations=bare), reviewed=frozenset())


@scene("good/preview", PreviewScreen, derived="that the outlook could not be found out")
async def preview_unknown(t: Stage) -> None:
    """What stands around the plan could not be found out: it is called unknown, never a tick."""
    failure = Failure(summary="permission denied for view pg_stat_activity", remedy="")
    await t.change(outlook=None, outlook_failure=failure, way=None, way_stale=failure.summary)
    await t.press("d")
