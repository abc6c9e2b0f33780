"""The real screens, shown recorded facts: nothing is asked, nothing moves, the clock stands still.

One application for all scenes of a size, so that a picture costs a screen and not a start; each
scene gets a screen that nobody has touched.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from textual.color import Color
from textual.pilot import Pilot
from textual.screen import Screen

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.events import Record
from rollback_tui.ui import glyphs, moment
from rollback_tui.ui.app import RollbackApp
from rollback_tui.ui.guide import Guide
from rollback_tui.ui.looks import Looks
from rollback_tui.ui.requests import Failure, Requests
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.watching import Watching
from tests.pictures.drawing import Piece, pieces, svg
from tests.pictures.facts import Moment
from tests.pictures.terminals import COLOURS
from tests.ui.fake import World
from tests.ui.steering import Terminal

T = TypeVar("T")


class AtOnce(Requests):
    """Questions are answered where they are asked: no thread, no later."""

    def ask(
        self,
        topic: str,  # noqa: ARG002 - the name is the protocol's
        call: Callable[[], T],
        accept: Callable[[T], None],
        fail: Callable[[Failure], None],
    ) -> None:
        """Call, and take the answer in."""
        try:
            value = call()
        except RollbackTuiError as error:
            fail(Failure(summary=error.summary, remedy=error.remedy))
        else:
            accept(value)


class StillGuide(Guide):
    """Knows what was recorded, and asks nothing by itself."""

    shown: tuple[Record, ...] = ()

    def begin(self) -> None:
        """Ask nothing."""

    def tick(self) -> None:
        """Nothing is due."""

    @property
    def records(self) -> Sequence[Record]:
        """The recorded ones."""
        return self.shown


class StillWorld(World):
    """Answers what a key asks for, with what was recorded."""

    moment: Moment | None = None

    def sql_log(self) -> tuple[str, ...]:
        """What the terminal had sent."""
        return self.moment.sql if self.moment else ()

    def guide(self, folder: Path) -> str:  # noqa: ARG002
        """The guide as it was."""
        return self.moment.by_hand if self.moment else ""


def still(looks: Looks) -> tuple[RollbackApp, StillGuide, StillWorld]:
    """Return the application, with a guide that stands still and the world that it may ask."""
    world = StillWorld()
    before = os.environ.pop("NO_COLOR", None)
    if looks.depth == "none":
        # Textual asks the environment.
        os.environ["NO_COLOR"] = "1"
    try:
        app = RollbackApp(world, looks=looks)
    finally:
        os.environ.pop("NO_COLOR", None)
        if before is not None:
            os.environ["NO_COLOR"] = before
    guide = StillGuide(world, app.guide.walk, app._deliver, app._changed, app.say)
    guide.requests = AtOnce(app._deliver)
    app.guide = guide
    return app, guide, world


class Stage(Terminal):
    """One scene being set: the walk, and the keys that were pressed."""

    def __init__(
        self, app: RollbackApp, pilot: Pilot[int], world: StillWorld, guide: StillGuide
    ) -> None:
        super().__init__(app, pilot, world)
        self.world: StillWorld = world
        self._guide = guide
        self.moment: Moment

    @property
    def walk(self) -> Walk:
        """What is shown."""
        return self.app.guide.walk

    def begin(self, moment: Moment, screen: Callable[[], Screen[Any]]) -> None:
        """Take ``moment``, to be shown on a ``screen`` that nobody has touched. It opens when
        something is done on it: until then changing the walk costs nothing."""
        self.moment = moment
        self.world.moment = moment
        self._guide.shown = moment.records
        # It remembers which step was up before: here every screen is the first.
        self._guide.watching = Watching(self._guide)
        self._guide.logs.files = moment.log_files
        self._guide.logs.lines = list(moment.log_lines)
        self._guide.walk = moment.whole()
        self._screen: Callable[[], Screen[Any]] | None = screen

    async def open(self) -> None:
        """Show the screen, unless it is open already."""
        if self._screen is not None:
            screen, self._screen = self._screen(), None
            walk = self.walk
            # The one before is not shown again.
            await self.app.switch_screen(screen)
            await self.pilot.pause()
            # To come to a screen may forget what is too old to be shown there.
            await self._show(walk)

    async def change(self, **changes: Any) -> None:
        """Show the walk with ``changes``: what the demo does not come to by itself."""
        await self._show(msgspec.structs.replace(self.walk, **changes))

    async def _show(self, walk: Walk) -> None:
        same = self._guide.walk == walk
        self._guide.walk = walk
        if self._screen is None and not same:
            self.app._changed(walk)
            await self.pilot.pause()

    async def journal(self, records: Sequence[Record], **changes: Any) -> None:
        """Show the run as it was when only ``records`` were there."""
        self.moment = msgspec.structs.replace(self.moment, records=tuple(records))
        self._guide.shown = self.moment.records
        walk = msgspec.structs.replace(self.walk, **changes)
        view = msgspec.structs.replace(self.moment, walk=walk).whole().view
        await self._show(msgspec.structs.replace(walk, view=view))

    async def press(self, *keys: str) -> None:
        """Press keys on the open screen, when it stands still: nobody is faster than it."""
        if self._screen is not None:
            await self.open()
            await self.settled()
        await super().press(*keys)

    async def focus(self, selector: str) -> None:
        """Go to a widget of the open screen."""
        await self.press()
        await super().focus(selector)

    async def clear(self) -> None:
        """Close everything that was opened on the screen."""
        self.app.clear_notifications()
        self.app.note = None
        while len(self.app.screen_stack) > 2:
            await self.app.pop_screen()

    async def settled(self) -> list[Piece]:
        """Return what stands on the screen when everything that was asked for is there."""
        await self.pilot.pause()
        # Some texts are laid out in a thread.
        await self.app.workers.wait_for_complete()
        # A button that was pressed looks so for a moment.
        while any(screen.query(".-active") for screen in self.app.screen_stack):
            await self.pilot.pause(0.05)
        before: list[Piece] = []
        for _ in range(20):
            await self.pilot.pause()
            now = self.pieces()
            if now == before:
                # On a busy machine a layout may still be under way.
                await self.pilot.pause(0.02)
                if self.pieces() == now:
                    return now
            before = now
        raise AssertionError("the screen does not come to rest")

    def pieces(self) -> list[Piece]:
        """Return what stands on the screen, after the filters."""
        lines = []
        for strip in self.app.screen._compositor.render_strips():
            for line_filter in self.app.get_line_filters():
                strip = strip.apply_filter(line_filter, Color(0, 0, 0))
            lines.append(list(strip))
        return list(pieces(lines, COLOURS))


@contextmanager
def standing(at: Moment) -> Iterator[None]:
    """Let it be that moment for the screens."""

    class Stopped:
        """Both of the standard library's names that ``moment`` asks."""

        @staticmethod
        def monotonic() -> float:
            return at.steady

        @staticmethod
        def now(zone: object = None) -> datetime:
            return at.local if zone is None else at.utc

    clocks = vars(moment)
    known = {name: clocks[name] for name in ("time", "datetime")}
    clocks.update(time=Stopped, datetime=Stopped)
    zone = os.environ.get("TZ")
    os.environ["TZ"] = _zone(at)
    time.tzset()
    try:
        yield
    finally:
        clocks.update(known)
        os.environ.pop("TZ")
        if zone is not None:
            os.environ["TZ"] = zone
        time.tzset()


def _zone(at: Moment) -> str:
    """Return the zone in which it was recorded, as POSIX has it: east of UTC is negative."""
    minutes = round((at.local - at.utc.replace(tzinfo=None)).total_seconds() / 60)
    hours, left = divmod(abs(minutes), 60)
    return f"<here>{'-' if minutes >= 0 else '+'}{hours:02}:{left:02}"


Play = Callable[[Stage], Awaitable[None]]


class Wanted(NamedTuple):
    """A picture that is to be made."""

    moment: Moment
    screen: Callable[[], Screen[Any]]
    play: Play
    title: str


class Projector:
    """One application of one size and looks. It lives in a task of its own, because what Textual
    knows by context must not change between two pictures."""

    def __init__(self, size: tuple[int, int], looks: Looks) -> None:
        self._size = size
        self._looks = looks
        self._wanted: asyncio.Queue[tuple[Wanted, asyncio.Future[str]] | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def picture(self, wanted: Wanted) -> str:
        """Return the SVG."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._wanted.put_nowait((wanted, answer))
        both: list[asyncio.Future[Any]] = [self._task, answer]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            self._task.result()
        return await answer

    async def close(self) -> None:
        """End the application."""
        if self._task is not None and not self._task.done():
            self._wanted.put_nowait(None)
            await self._task

    async def _run(self) -> None:
        app, guide, world = still(self._looks)
        async with app.run_test(size=self._size, notifications=True) as pilot:
            stage = Stage(app, pilot, world, guide)
            while (request := await self._wanted.get()) is not None:
                wanted, answer = request
                glyphs.choose(self._looks.glyphs)
                try:
                    with standing(wanted.moment):
                        stage.begin(wanted.moment, wanted.screen)
                        await wanted.play(stage)
                        await stage.open()
                        shown = await stage.settled()
                        # Before the answer: whoever asked goes on at once when it is there.
                        await stage.clear()
                except Exception as error:  # noqa: BLE001 - the asker gets it
                    answer.set_exception(error)
                    # The next picture gets an application in which nothing went wrong.
                    return
                else:
                    answer.set_result(svg(shown, self._size, wanted.title))
                finally:
                    glyphs.choose("unicode")
