"""What is the same on every screen: arming, help, the SQL log, leaving."""

from __future__ import annotations

from pathlib import Path

from rollback_tui.ui.screens.preview import PreviewScreen
from rollback_tui.ui.screens.state import StateScreen
from tests.pictures.scene import scene
from tests.pictures.still import Stage


@scene("good/state", StateScreen)
async def arm(t: Stage) -> None:
    """Arming says what it makes possible; staying read-only is focused."""
    await t.press("a")


@scene("good/state", StateScreen)
async def help_state(t: Stage) -> None:
    """Help: what this screen is for, and every key that works on it."""
    await t.press("question_mark")


@scene("good/preview", PreviewScreen)
async def help_preview(t: Stage) -> None:
    """The preview's help also explains the words for hazards."""
    await t.press("question_mark")
    await t.press("end")


@scene("good/done", StateScreen)
async def sql_log(t: Stage) -> None:
    """Every SQL text that this terminal sent, one key away on every screen."""
    await t.press("L")


@scene("good/preview", PreviewScreen)
async def leave(t: Stage) -> None:
    """Leaving says what would be forgotten; staying is focused."""
    await t.press("q")


@scene("good/preview", PreviewScreen)
async def palette(t: Stage) -> None:
    """Every command by name, with its key; one that cannot be used now says why."""
    await t.press("ctrl+p")


@scene("good/state", StateScreen)
async def first_start(t: Stage) -> None:
    """At the first start, outside tmux: that a run goes on without this terminal, and how to get
    back to it."""
    t.app.note = Path("/srv/nowhere")
    await t.open()
