"""The guided path on the real demo, with the keyboard alone: walked by a test, and by
``python -m tests.screenshots`` for the pictures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg

from rollback_tui.cli.options import Common
from rollback_tui.cli.practise import recorded_demo
from rollback_tui.cli.session import Session
from rollback_tui.demo.scene import Demo
from rollback_tui.ui.app import RollbackApp
from rollback_tui.ui.operations import Choice
from tests.ui.fake import World
from tests.ui.steering import Terminal

Look = Callable[[str], None]
TARGET_VERSION = "20231218113000"
SECOND = TARGET_VERSION
"""The migration below the newest: its way down leaves an enum label and forgets a NOT NULL."""
BELOW_SECOND = "20231204160000"


@contextmanager
def demo_session(**run_settings: object) -> Iterator[tuple[Demo, Common, Session]]:
    """The demo as the command opens it, with some of its ``[run]`` settings changed."""
    with recorded_demo(None) as (scene, given):
        run = msgspec.structs.replace(given.settings.run, **run_settings)
        settings = msgspec.structs.replace(given.settings, run=run)
        changed = msgspec.structs.replace(given, settings=settings)
        session = Session(changed)
        try:
            session.target()
            yield scene, changed, session
        finally:
            session.close()


def drive(
    session: Session,
    script: Callable[[Terminal], Awaitable[None]],
    *,
    size: tuple[int, int],
    folder: Path | None = None,
    choice: Choice | None = None,
) -> RollbackApp:
    """Run ``script`` in a headless terminal on real operations; return the application."""
    app = RollbackApp(session, folder=folder, choice=choice)

    async def run() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await script(Terminal(app, pilot, World()))

    asyncio.run(run())
    return app


async def to_confirmation(t: Terminal, look: Look) -> None:
    """Look at the state, the checks and every statement; arm; stand before the texts."""
    await t.until("16/16 counted", "20240115103000", seconds=30)
    look("state")
    await t.press("n")
    await t.until("We may roll back", seconds=20)
    look("safety")
    await t.press("n")
    await t.until("3 destructive, 3 to review", seconds=20)
    for _ in range(3):
        await t.press("space")
    look("preview")
    for _ in range(9):
        await t.press("space")
    await t.until("all reviewed")
    await t.press("n")
    await t.until("You are about to roll back")
    await t.arm()


async def somebody_in_the_way(t: Terminal, dsn: str) -> tuple[float, float]:
    """Hold a lock from another session while the preview is open; return after how many seconds
    the statement says so, and after how many more it says so no longer."""
    await t.press("escape", "3")
    await t.until("11 statements")
    with psycopg.connect(dsn, application_name="backoffice") as other:
        other.execute("UPDATE users SET email = email WHERE id = 1")
        began = time.monotonic()
        await t.until("blocked now", "backoffice", f"✗ blocked {other.info.backend_pid}")
        appeared = time.monotonic() - began
        other.rollback()
        began = time.monotonic()
        while "backoffice" in t.text:
            await t.pilot.pause(0.05)
    return appeared, time.monotonic() - began


async def confirm(t: Terminal, look: Look, version: str = TARGET_VERSION) -> None:
    """Type what is asked for, the figure as it stands on the screen, and start."""
    await t.focus("#field-database")
    await t.type("shop")
    await t.press("enter")
    await t.type(version)
    await t.press("enter")
    await t.type(t.figure)
    await t.press("enter")
    await t.type("errors since the deploy")
    await t.until("ready: tab to Start")
    look("confirm")
    await t.focus("#confirm-yes")
    await t.press("enter")


async def answer_commit(t: Terminal) -> None:
    """Answer the gate's question with its second choice, and once more."""
    await t.focus("#choice-1")
    await t.press("enter")
    await t.until("Answer: commit?")
    await t.press("tab", "enter")


async def to_report(t: Terminal, look: Look) -> None:
    """Watch the run, answer the gate, read the proof and the report."""
    await t.until("The run asks", "Commit?", seconds=60)
    look("run")
    await answer_commit(t)
    await t.until("rolled back and verified", seconds=60)
    await t.press("n")
    await t.until("Schema restored", "Application healthy")
    t.app.clear_notifications()
    await t.pilot.pause()
    look("verify")
    await t.press("n")
    await t.until("Rollback of shop")
    look("report")


async def to_second(t: Terminal) -> None:
    """Choose two migrations, the older of which leaves something behind; rehearse; stand on the
    preview."""
    await t.until("16/16 counted", "1 State ✓", "↩ goes", seconds=60)
    await t.select("#migrations", SECOND)
    await t.press("enter")
    await t.until("back: 2 migrations")
    await t.press("3")
    await t.until("4 destructive, 4 to review", seconds=60)
    await t.arm()
    await t.press("r")
    await t.until("Rehearse on a scratch database?")
    await t.focus("#rehearse-schema")
    await t.press("enter")
    await t.until("leaves 2 objects behind", seconds=120)


async def accept(t: Terminal, look: Look) -> None:
    """Look at what is left behind, in full and as a check; accept it, review, stand before the
    texts."""
    await t.press("v")
    await t.until("The schema afterwards")
    look("schema")
    await t.press("escape", "2")
    await t.until("Schema comes back (failed)", seconds=60)
    await t.press("o")
    await t.until("Accept exactly these 2 differences?")
    look("schema-accept")
    await t.type("the label is used nowhere")
    await t.press("tab", "tab", "enter")
    await t.until("≈ accepted")
    await t.press("3", "m", *["space"] * 15)
    await t.until("all reviewed")
    await t.press("4")
    await t.until("You are about to roll back", "≈ leaves 2 objects behind")


async def to_ladder(t: Terminal, look: Look) -> None:
    """When the run has ended: the guide by hand, the application's logs, the ladder."""
    await t.press("5", "m")
    await t.until("Recovery by hand")
    look("by-hand")
    await t.press("escape", "l")
    await t.until("application logs", "INFO", seconds=60)
    look("logs")
    await t.press("escape", "u")
    await t.until("Restore the checkpoint beside", "written since", seconds=60)
    look("ladder")
