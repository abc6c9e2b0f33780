"""Screen 1: what the database is doing, and how far back."""

from __future__ import annotations

from datetime import timedelta

from rollback_tui.ui.requests import Failure
from rollback_tui.ui.screens.state import StateScreen
from tests.pictures.scene import scene
from tests.pictures.still import Stage

OFFICE = "backoffice"


@scene("good/state", StateScreen)
async def state(_: Stage) -> None:
    """The shop in full swing: its sessions, its tables with exact rows, the applied migrations;
    the newest one is chosen, and the line above the keys says what comes next."""


@scene("busy/blocking", StateScreen)
async def state_blocking(_: Stage) -> None:
    """Trouble comes first: two sessions wait behind one that does nothing and has a transaction
    open; who waits for whom stands in the row."""


@scene("good/state", StateScreen, derived="that the server stopped answering")
async def state_stale(t: Stage) -> None:
    """The link is lost: since when what is shown is old, and why, stands across the screen."""
    assert t.walk.refreshed_at is not None
    await t.change(
        refreshed_at=t.walk.refreshed_at - timedelta(seconds=41),
        stale="no answer from the server yet",
    )


@scene("good/state", StateScreen, derived="the refused password")
async def state_no_connection(t: Stage) -> None:
    """The password is wrong at the start: the server's words, and that nothing is known."""
    await t.change(
        target=None,
        activity=None,
        tables=None,
        plan=None,
        checks=None,
        refreshed_at=None,
        history=None,
        stale='password authentication failed for user "shop_owner"',
    )


@scene("good/state", StateScreen, derived="that no version table was found")
async def state_no_plan(t: Stage) -> None:
    """No migration tool is recognised: why there is no plan, and what helps, in full on top."""
    failure = Failure(
        summary="this database has no version table of a known framework",
        remedy="Is it the right database? If the table has a name of its own, say so in"
        " rollback.toml: table under [migrations]. SQL written by hand needs no framework:"
        " --script FILE.",
    )
    await t.change(plan=None, checks=None, plan_failure=failure)


@scene("good/state", StateScreen, derived="production")
async def state_production(t: Stage) -> None:
    """Production is said in red with the word, and so is that this terminal is armed."""
    await t.change(environment="production", armed=True)


@scene("busy/blocking", StateScreen)
async def state_tree(t: Stage) -> None:
    """The tree of locks: who holds what the others wait for, and who waits behind whom."""
    await t.press("V", "V")


@scene("busy/blocking", StateScreen)
async def state_groups(t: Stage) -> None:
    """The connections grouped by application."""
    await t.press("V")


@scene("busy/kept", StateScreen)
async def state_trends(t: Stage) -> None:
    """Small charts of the last minutes: connections, transactions and rows written a second."""
    await t.press("t")


@scene("busy/blocking", StateScreen)
async def state_session(t: Stage) -> None:
    """One session in full: since when, what it waits for, the whole query."""
    await t.press("enter")


@scene("busy/blocking", StateScreen)
async def state_end_session(t: Stage) -> None:
    """To end a session asks with who it is and what is lost; leaving it alone is focused."""
    await t.change(armed=True)
    await t.press("K")


@scene("busy/blocking", StateScreen)
async def state_filter(t: Stage) -> None:
    """Only the sessions that match what is typed."""
    await t.press("slash", *"update")


@scene("good/state", StateScreen, derived="the pause")
async def state_paused(t: Stage) -> None:
    """Paused: what is shown is old on purpose, and says since when."""
    assert t.walk.refreshed_at is not None
    await t.change(paused=True, refreshed_at=t.walk.refreshed_at - timedelta(seconds=17))
