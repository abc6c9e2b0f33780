"""Make the pictures in screenshots/ from the real demo: ``python -m tests.screenshots``.

SVG always; PNG too where rsvg-convert (librsvg) is installed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import psycopg

from rollback_tui.ui.operations import Choice
from tests.ui.steering import Terminal
from tests.walk import (
    BELOW_SECOND,
    Look,
    accept,
    confirm,
    demo_session,
    drive,
    to_confirmation,
    to_ladder,
    to_report,
    to_second,
)

DIRECTORY = Path(__file__).parent.parent / "screenshots"
SIZES = ((80, 24), (120, 40))


def camera(t: Terminal, size: tuple[int, int]) -> Look:
    """Return what takes a picture under a name."""

    def look(name: str) -> None:
        path = DIRECTORY / f"{name}-{size[0]}x{size[1]}.svg"
        svg = t.app.export_screenshot(title="rollback-tui")
        # Without it, librsvg drops the blanks at the edges of a text.
        svg = svg.replace("<text ", '<text xml:space="preserve" ')
        path.write_text(svg, encoding="utf-8")
        if shutil.which("rsvg-convert"):
            png = path.with_suffix(".png")
            subprocess.run(["rsvg-convert", "--zoom=1", "-o", png, path], check=True)
        print(path)

    return look


def good(size: tuple[int, int]) -> None:
    """A rollback that goes as it should; the gate asks, so that there is time for a picture."""
    with demo_session(gate="ask") as (_, _, session):

        async def script(t: Terminal) -> None:
            look = camera(t, size)
            await to_confirmation(t, look)
            await confirm(t, look)
            await to_report(t, look)
            await t.press("5", "u")
            await t.until("Apply the migrations again", "Restore the checkpoint", seconds=60)
            look("recovery")
            await t.press("escape", "m")
            await t.until("Where things stand", seconds=20)
            look("by-hand")
            await t.press("escape", "l")
            await t.until("shop.log", "GET /", seconds=20)
            look("logs")
            await t.press("escape", "q")

        drive(session, script, size=size)


def bad(size: tuple[int, int]) -> None:
    """Somebody's view hangs on a column that goes: the check fails; set aside all the same, the
    server refuses the statement, and nothing is changed."""
    with demo_session() as (scene, _, session):
        with psycopg.connect(scene.dsn) as connection:
            connection.execute(
                "CREATE VIEW recently_verified AS SELECT id, verified_at FROM users"
                " WHERE verified_at > now() - interval '1 day'"
            )

        async def script(t: Terminal) -> None:
            look = camera(t, size)
            await t.until("16/16 counted", seconds=30)
            await t.press("n")
            await t.until("We may not roll back", seconds=20)
            await t.select("#checks", "dependents")
            look("safety-blocked")
            await t.press("o")
            await t.until("Set aside: ")
            await t.type("for the picture")
            await t.press("tab", "tab", "enter")
            await t.until("We may roll back")
            await t.press("n")
            await t.until("to review", seconds=20)
            await t.press(*["space"] * 12)
            await t.until("all reviewed")
            await t.press("n")
            await t.until("You are about to roll back")
            await t.arm()
            await confirm(t, lambda _: None)
            await t.until("run: unchanged", seconds=60)
            look("run-failed")
            await t.press("q")

        drive(session, script, size=size)


def told(size: tuple[int, int]) -> None:
    """What the preview says of a statement: somebody in its way, a rehearsal, what is kept."""
    with demo_session() as (scene, _, session), psycopg.connect(scene.dsn) as backoffice:

        async def script(t: Terminal) -> None:
            look = camera(t, size)
            await t.until("16/16 counted", "1 State ✓", "↩ goes", seconds=30)
            await t.press("3")
            await t.until("3 destructive, 3 to review", "nobody blocks it now", seconds=20)
            backoffice.execute("SET application_name = 'backoffice'")
            backoffice.execute("UPDATE users SET email = email WHERE id = 1")
            await t.until("blocked now", "blocked", seconds=10)
            await t.press("d")
            look("preview-blocked")
            backoffice.rollback()
            await t.arm()
            await t.press("r")
            await t.until("Rehearse on a scratch database?")
            look("rehearse")
            await t.focus("#rehearse-dump")
            await t.press("enter")
            await t.until("rehearsed on", seconds=120)
            await t.pilot.pause(0.5)
            look("preview-rehearsed")
            await t.press("K")
            t.app.clear_notifications()
            await t.press("enter")
            await t.pilot.pause(0.5)
            look("preview-kept")
            await t.press("q")

        drive(session, script, size=size)


def left(size: tuple[int, int]) -> None:
    """Two migrations: the way down of the second leaves a label and forgets a NOT NULL."""
    with demo_session() as (_, _, session):

        async def script(t: Terminal) -> None:
            look = camera(t, size)
            await t.until("16/16 counted", "1 State ✓", seconds=60)
            await t.press("3")
            await t.until("4 destructive, 4 to review", seconds=60)
            await t.arm()
            await t.press("r")
            await t.until("Rehearse on a scratch database?")
            await t.focus("#rehearse-schema")
            await t.press("enter")
            await t.until("leaves 2 objects behind", seconds=120)
            await t.press("v")
            await t.until("The schema afterwards")
            t.app.clear_notifications()
            await t.pilot.pause(0.5)
            look("schema-afterwards")
            await t.press("escape", "2")
            await t.until("We may not roll back", seconds=60)
            await t.select("#checks", "schema_restored")
            await t.pilot.pause(0.5)
            look("safety-leftover")
            await t.press("q")

        drive(session, script, size=size, choice=Choice(steps=2))


def caught(size: tuple[int, int]) -> None:
    """A way down that leaves something behind: foreseen, accepted, met again at the gate; then what
    could undo the run, the guide by hand and the application's logs."""
    with demo_session() as (_, _, session):

        async def script(t: Terminal) -> None:
            look = camera(t, size)
            await to_second(t)
            t.app.clear_notifications()
            await t.pilot.pause(0.3)
            look("preview-leftover")
            await accept(t, look)
            await confirm(t, lambda _: None, BELOW_SECOND)
            await t.until("verification accepted", seconds=120)
            t.app.clear_notifications()
            await t.pilot.pause(0.3)
            look("run-accepted")
            await to_ladder(t, look)
            await t.press("escape", "q")

        drive(session, script, size=size)


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for chosen in SIZES:
        good(chosen)
        bad(chosen)
        told(chosen)
        caught(chosen)
        left(chosen)
