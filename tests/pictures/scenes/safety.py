"""Screen 2: may we roll back, and what stands in the way."""

from __future__ import annotations

from rollback_tui.ui.screens.safety import SafetyScreen
from tests.pictures.scene import scene
from tests.pictures.still import Stage

REASON = "nobody reads that view any more"


@scene("good/safety", SafetyScreen)
async def safety(_: Stage) -> None:
    """We may: every check with its answer, the warnings open with evidence and remedy."""


@scene("bad/blocked", SafetyScreen)
async def safety_blocked(_: Stage) -> None:
    """We may not: somebody's view hangs on a column that goes. The cursor stands on that check; its
    evidence names the view, the remedy says what to do."""


@scene("bad/blocked", SafetyScreen)
async def safety_set_aside(t: Stage) -> None:
    """Setting the check aside needs a typed reason, which goes into the report; Cancel is there
    first."""
    await t.press("o")
    await t.type(REASON)


@scene("bad/aside", SafetyScreen)
async def safety_aside(t: Stage) -> None:
    """A check that was set aside is neither passed nor failed, and its reason is shown."""
    await t.select("#checks", "dependents")


@scene("busy/waiting", SafetyScreen)
async def safety_waiting(_: Stage) -> None:
    """We wait for writers: whom, since when, until when."""


@scene("caught/judged", SafetyScreen)
async def safety_leftover(_: Stage) -> None:
    """The rehearsal found that the way down of the second migration leaves something behind: that
    fails a check, with the two differences and the statements that would mend them."""


@scene("caught/judged", SafetyScreen)
async def safety_accept(t: Stage) -> None:
    """Accepting the schema's differences names each of them, and needs a typed reason."""
    await t.press("o")
    await t.type("the label is used nowhere")


@scene("good/safety", SafetyScreen, derived="that the checks are being judged")
async def safety_judging(t: Stage) -> None:
    """While the checks are judged, nothing is called safe."""
    await t.change(judging=True)
