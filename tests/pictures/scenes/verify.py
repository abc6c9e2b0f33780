"""Screen 5: the proof, and the ways back."""

from __future__ import annotations

from rollback_tui.ui.screens.ladder import RecoveryConsole
from rollback_tui.ui.screens.log_pane import LogPane
from rollback_tui.ui.screens.verify import VerifyScreen
from tests.pictures.scene import scene
from tests.pictures.scenes.run import asks, watched
from tests.pictures.still import Stage


@scene("good/done", VerifyScreen)
async def verify(_: Stage) -> None:
    """Everything that was proven, one by one, with its evidence."""


@scene("good/gate", VerifyScreen)
async def verify_asks(t: Stage) -> None:
    """The gate's question stands beside the proofs that it is about."""
    await watched(t, asks)


@scene("caught/done", VerifyScreen)
async def verify_accepted(t: Stage) -> None:
    """What was accepted beforehand is named as that, with who accepted what and why."""
    await t.press("down")


@scene("bad/failed", VerifyScreen)
async def verify_unchanged(_: Stage) -> None:
    """After a failed statement: the proof that the database is as it was, and what to type next."""


@scene("unhealthy/done", VerifyScreen)
async def verify_unhealthy(_: Stage) -> None:
    """Committed and verified, but the application does not answer as it should: it needs somebody,
    and says what to do."""


@scene("good/ladder", RecoveryConsole)
async def ladder(_: Stage) -> None:
    """What could undo the run: each rung with what it restores, how long that takes, and which
    writes since then it would lose."""


@scene("good/ladder", RecoveryConsole)
async def ladder_take(t: Stage) -> None:
    """Taking a rung: what it costs, the text that must be typed, and a reason."""
    options = t.walk.options or ()
    place, option = next((n, o) for n, o in enumerate(options) if o.rung == "dump")
    await t.press(*["down"] * place, "enter")
    if option.confirm:
        await t.type(option.confirm)
        await t.press("enter")


@scene("good/done", VerifyScreen)
async def by_hand(t: Stage) -> None:
    """How to go on without this tool, with this run's own paths and commands."""
    await t.press("m")


@scene("good/done", LogPane)
async def logs(_: Stage) -> None:
    """The application's log files, followed; where the COMMIT was is marked."""


@scene("good/brought-back", VerifyScreen)
async def verify_recovered(_: Stage) -> None:
    """The database is back as it was before: every step of the recovery, with its proof."""
