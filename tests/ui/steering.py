"""Drive the application headless, and read what is on the screen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.events import Paste
from textual.pilot import Pilot

from rollback_tui.core.claim import Claim
from rollback_tui.ui.app import RollbackApp
from rollback_tui.ui.widgets.live_table import LiveTable
from tests.ui.fake import World

Script = Callable[["Terminal"], Awaitable[None]]


def figure(shown: str) -> str:
    """Return what has to be typed third, as somebody reads it off the confirmation."""
    found = re.search(r"(?:loses|removes) in all\s+(?:NOT COUNTED in )?([1-9][\d,]*)", shown)
    found = found or re.search(r"runs\s+([\d,]+) statement", shown)
    assert found is not None, shown
    return found[1]


class Terminal:
    """One headless terminal: keys in, text out."""

    def __init__(self, app: RollbackApp, pilot: Pilot[int], world: World) -> None:
        self.app = app
        self.pilot = pilot
        self.world = world

    @property
    def text(self) -> str:
        """Everything on the screen, line by line, after the line filters."""
        from textual.color import Color

        lines = []
        for strip in self.app.screen._compositor.render_strips():
            for line_filter in self.app.get_line_filters():
                strip = strip.apply_filter(line_filter, Color(0, 0, 0))
            lines.append(strip.text)
        return "\n".join(lines)

    @property
    def figure(self) -> str:
        """What has to be typed third."""
        return figure(self.text)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Put ``text`` into the focused field: the last character as a key, the rest pasted."""
        assert self.app.focused is not None
        self.app.focused.post_message(Paste(text[:-1]))
        await self.press(text[-1])

    async def until(self, *texts: str, seconds: float = 30) -> str:
        """Wait until every text is on the screen, and return the screen."""
        for _ in range(int(seconds / 0.05)):
            shown = self.text
            if all(text in shown for text in texts):
                return shown
            await asyncio.sleep(0.05)
            await self.pilot.pause()
        missing = [text for text in texts if text not in self.text]
        raise AssertionError(f"never on the screen: {missing}\n{self.text}")

    async def focus(self, selector: str) -> None:
        """Go to a widget with the tab key alone."""
        wanted = self.app.screen.query_one(selector)
        for _ in range(20):
            if self.app.focused is wanted:
                return
            await self.press("tab")
        raise AssertionError(f"tab never reaches {selector}")

    async def select(self, selector: str, key: str) -> None:
        """Put the cursor of a table on a row, with the arrow keys."""
        await self.focus(selector)
        table = self.app.screen.query_one(selector, LiveTable)
        await self.press("home")
        for _ in range(table.row_count):
            if table.current_key == key:
                return
            await self.press("down")
        raise AssertionError(f"{selector} has no row {key}")

    async def arm(self) -> None:
        await self.press("a")
        await self.until("Arm this terminal?")
        await self.press("tab", "enter")
        await self.until(" ARMED ")


def drive(
    world: World,
    script: Script,
    *,
    size: tuple[int, int] = (80, 24),
    folder: Path | None = None,
    claims: tuple[Claim, ...] = (),
    app: RollbackApp | None = None,
) -> RollbackApp:
    """Run ``script`` in a terminal of ``size``, and return the application afterwards."""
    app = app or RollbackApp(world, folder=folder, claims=claims)

    async def run() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await script(Terminal(app, pilot, world))

    asyncio.run(run())
    return app
