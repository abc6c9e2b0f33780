"""Make the pictures in screenshots/ from the real demo: ``python -m tests.screenshots``.

SVG always; PNG too where rsvg-convert (librsvg) is installed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import psycopg

from tests.ui.steering import Terminal
from tests.walk import Look, confirm, demo_session, drive, to_confirmation, to_report

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
            await t.press("q")

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


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for chosen in SIZES:
        good(chosen)
        bad(chosen)
        told(chosen)
