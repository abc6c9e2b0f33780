"""The same screens in other terminals: small, large, light, without colours, without Unicode."""

from __future__ import annotations

from rollback_tui.ui.screens.preview import PreviewScreen
from rollback_tui.ui.screens.run import RunScreen
from rollback_tui.ui.screens.safety import SafetyScreen
from rollback_tui.ui.screens.state import StateScreen
from tests.pictures.scene import NARROW, scene
from tests.pictures.scenes.run import asks, watched
from tests.pictures.still import Stage

_EXTREMES = ((60, 20), (200, 60))


@scene("busy/blocking", StateScreen, sizes=_EXTREMES)
async def state_any_size(_: Stage) -> None:
    """The smallest terminal shows what is needed, the largest uses its room."""


@scene("busy/in-the-way", PreviewScreen, sizes=_EXTREMES)
async def preview_any_size(t: Stage) -> None:
    """The statements on the smallest and the largest terminal."""
    await t.press("d")


@scene("good/gate", RunScreen, sizes=_EXTREMES)
async def run_any_size(t: Stage) -> None:
    """The gate's question on the smallest and the largest terminal."""
    await watched(t, asks)


@scene("busy/blocking", StateScreen, sizes=((40, 10),))
async def too_small_any_size(t: Stage) -> None:
    """A window too small for any screen says so, and what goes on."""
    await t.open()
    await t.until("needs 60")


@scene("bad/blocked", SafetyScreen, sizes=(NARROW,), terminal="light")
async def safety_light(_: Stage) -> None:
    """On a light ground."""


@scene("bad/blocked", SafetyScreen, sizes=(NARROW,), terminal="contrast")
async def safety_contrast(_: Stage) -> None:
    """With high contrast."""


@scene("bad/blocked", SafetyScreen, sizes=(NARROW,), terminal="contrast-light")
async def safety_contrast_light(_: Stage) -> None:
    """With high contrast on a light ground."""


@scene("bad/blocked", SafetyScreen, sizes=(NARROW,), terminal="sixteen colours")
async def safety_sixteen_colours(_: Stage) -> None:
    """With the terminal's own sixteen colours."""


@scene("bad/blocked", SafetyScreen, sizes=(NARROW,), terminal="no colours")
async def safety_no_colours(_: Stage) -> None:
    """With NO_COLOR: every status has its glyph and its word, and the focus has its frame."""


@scene("bad/blocked", SafetyScreen, sizes=(NARROW,), terminal="ascii")
async def safety_ascii(_: Stage) -> None:
    """With LANG=C: no character above 0x7E, and everything still says what it says."""


@scene("busy/blocking", StateScreen, sizes=(NARROW,), terminal="console")
async def state_console(_: Stage) -> None:
    """On the Linux console: its few characters, its sixteen colours."""
