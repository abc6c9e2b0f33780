"""The same screens in other terminals: small, large, light."""

from __future__ import annotations

from rollback_tui.ui.screens.run import RunScreen
from rollback_tui.ui.screens.state import StateScreen
from tests.pictures.scene import NARROW, scene
from tests.pictures.scenes.run import _asks, _watched
from tests.pictures.still import Stage


@scene("busy/blocking", StateScreen, sizes=((60, 20), (200, 60)))
async def state_any_size(_: Stage) -> None:
    """The smallest terminal shows what is needed, the largest uses its room."""


@scene("good/gate", RunScreen, sizes=((60, 20), (200, 60)))
async def run_any_size(t: Stage) -> None:
    """The gate's question on the smallest and the largest terminal."""
    await _watched(t, _asks)


@scene("busy/blocking", StateScreen, sizes=(NARROW,), terminal="light")
async def state_light(_: Stage) -> None:
    """On a light terminal."""
