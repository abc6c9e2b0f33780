"""Drive the real demo and keep what its screens were shown: ``python -m tests.screenshots record``.

Each drive is a demo of its own. What differs between two machines and says nothing is written in
familiar words: directories, ports, the name of the machine.
"""

from __future__ import annotations

import contextlib
import getpass
import re
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import psycopg

from rollback_tui.cli.session import Session
from rollback_tui.demo.scene import Demo
from rollback_tui.ui.moment import local_time, steady, utc_time
from tests.pictures.facts import DIRECTORY, Drive, Moment, save
from tests.ui.steering import Terminal
from tests.walk import (
    BELOW_SECOND,
    Look,
    accept,
    answer_commit,
    confirm,
    demo_session,
    drive,
    to_confirmation,
    to_second,
)

SIZE = (120, 40)
SENT = 15
"""So many of the SQL texts that the terminal sent are kept."""
LOGGED = 30
"""So many lines of the application's log are kept."""


class Camera:
    """Takes down what a terminal is shown."""

    def __init__(self, scene: Demo) -> None:
        self._scene = scene
        self._taken: dict[str, Moment] = {}

    def at(self, t: Terminal) -> Look:
        """Return what keeps the moment under a name."""

        def look(name: str) -> None:
            guide = t.app.guide
            walk, operations, logs = guide.walk, guide.operations, guide.logs
            self._taken[name] = Moment(
                walk=walk,
                steady=steady(),
                utc=utc_time(),
                local=local_time(),
                seen=len(guide.records),
                sql=operations.sql_log()[-SENT:],
                by_hand=operations.guide(walk.folder) if walk.folder and walk.finished else "",
                log_files=logs.files,
                log_lines=tuple(logs.lines[-LOGGED:]),
                records=tuple(guide.records),
            )
            print(f"  {name}")

        return look

    def keep(self, name: str) -> None:
        """Write all moments of a drive."""
        journals = {str(m.walk.folder): m.records for m in self._taken.values() if m.records}
        path = DIRECTORY / f"{name}.json"
        save(Drive(journals=journals, moments=self._taken), path)
        text = path.read_text(encoding="utf-8")
        for pattern, instead in _familiar(self._scene):
            text = re.sub(pattern, instead, text)
        path.write_text(text, encoding="utf-8")


def _familiar(scene: Demo) -> Iterator[tuple[str, str]]:
    """Yield what is volatile in a text, and what is written instead."""
    server = scene.server
    website = scene.url.rpartition(":")[2]
    yield _path(server.host), "db-1.shop.example"
    yield _path(scene.project), "/srv/shop"
    yield _path(server.directory), "/srv/postgresql"
    yield re.escape(str(server.bin)), "/usr/lib/postgresql/18/bin"
    yield re.escape(sys.executable), "/usr/bin/python3"
    yield rf"(127\.0\.0\.1|localhost):{website}\b", "shop.example"
    yield rf"\b{server.port}\b", "5432"
    yield rf"\b{re.escape(socket.gethostname())}\b", "jump-1"
    yield rf'"user": "{getpass.getuser()}"', '"user": "oncall"'
    yield rf"{getpass.getuser()} at jump-1", "oncall at jump-1"


def _path(path: Path | str) -> str:
    """Return the pattern of a path, also as Markdown has it, which escapes an underscore."""
    return re.escape(str(path)).replace("_", r"(?:\\\\)?_")


async def good(t: Terminal, look: Look, _: Demo) -> None:
    """A rollback as it should be; the gate asks. Afterwards it is brought back after all."""
    await to_confirmation(t, look)
    await confirm(t, look)
    await t.until("The run asks", "Commit?", seconds=60)
    look("gate")
    await answer_commit(t)
    await t.until("rolled back and verified", seconds=60)
    await t.press("n")
    await t.until("Schema restored", "Application healthy")
    await t.pilot.pause(1)
    look("done")
    await t.press("5", "u")
    await t.until("Apply the migrations again", "Restore the checkpoint", "written since")
    look("ladder")
    options = t.app.guide.walk.options or ()
    place, option = next((n, o) for n, o in enumerate(options) if o.rung == "dump")
    await t.press(*["down"] * place, "enter")
    await t.until("why, in")
    if option.confirm:
        await t.type(option.confirm)
        await t.press("enter")
    await t.type("the old code cannot be deployed")
    await t.focus("#yes")
    await t.press("enter")
    # The shop goes on selling until the door is closed: more is lost than was agreed to.
    await t.until("recovery of run", "The run asks", "would be lost", seconds=60)
    look("lose")
    await t.focus("#choice-1")
    await t.press("enter")
    await t.until("Answer: lose")
    await t.press("tab", "enter")
    await t.until("recovery of run", ": recovered", seconds=60)
    await t.pilot.pause(1)
    look("brought-back")


async def bad(t: Terminal, look: Look, scene: Demo) -> None:
    """Somebody's view hangs on a column that goes: the check fails; set aside all the same, the
    server refuses the statement, and nothing is changed."""
    with psycopg.connect(scene.dsn) as connection:
        connection.execute(
            "CREATE VIEW recently_verified AS SELECT id, verified_at FROM users"
            " WHERE verified_at > now() - interval '1 day'"
        )
    await t.until("16/16 counted", "1 State ✓", "↩ goes", seconds=30)
    await t.press("n")
    await t.until("We may not roll back", seconds=30)
    look("blocked")
    await t.select("#checks", "dependents")
    await t.press("o")
    await t.until("Set aside: ")
    await t.type("nobody reads that view any more")
    await t.press("tab", "tab", "enter")
    await t.until("We may roll back")
    await t.press("n")
    await t.until("to review", seconds=20)
    await t.press(*["space"] * 12)
    await t.until("all reviewed")
    await t.press("n")
    await t.until("You are about to roll back")
    look("aside")
    await t.arm()
    await confirm(t, lambda _: None)
    await t.until("run: unchanged", seconds=60)
    await t.pilot.pause(1)
    look("failed")


async def busy(t: Terminal, look: Look, scene: Demo) -> None:
    """The back office has a transaction open and waits for its operator; two others wait behind
    it. Then a rehearsal, on the checkpoint; what goes is kept."""
    with contextlib.ExitStack() as sessions:
        office = sessions.enter_context(_session(scene, "backoffice"))
        await t.until("16/16 counted", "1 State ✓", "↩ goes", seconds=30)
        office.execute("UPDATE users SET email = email WHERE id = 1")
        for name in ("nightly-job", "shop-admin"):
            other = sessions.enter_context(_session(scene, name))
            # Sent, and not waited for.
            other.pgconn.send_query(b"UPDATE users SET email = lower(email) WHERE id = 1")
        await t.until("backoffice", "nightly-job", "shop-admin", seconds=20)
        await t.pilot.pause(2.5)
        look("blocking")
        await t.press("2")
        await t.until("We may", seconds=30)
        await t.press("w")
        await t.pilot.pause(3)
        look("waiting")
        await t.press("w", "3")
        await t.until("3 destructive, 3 to review")
        await t.until("blocked now", seconds=10)
        look("in-the-way")
        office.rollback()
    await t.arm()
    await t.press("r")
    await t.until("Rehearse on a scratch database?")
    await t.focus("#rehearse-dump")
    await t.press("enter")
    await t.pilot.pause(1)
    look("rehearsing")
    await t.until("rehearsed on", seconds=120)
    await t.pilot.pause(0.5)
    look("rehearsed")
    await t.press("K")
    await t.pilot.pause(0.5)
    look("kept")


async def caught(t: Terminal, look: Look, _: Demo) -> None:
    """A way down that leaves something behind: foreseen, accepted, met again at the gate."""
    await to_second(t)
    await t.pilot.pause(0.5)
    look("leftover")
    await accept(t, lambda name: look("judged") if name == "schema-accept" else None)
    await confirm(t, lambda _: None, BELOW_SECOND)
    await t.until("verification accepted", seconds=120)
    await t.pilot.pause(1)
    look("done")


async def aborted(t: Terminal, look: Look, _: Demo) -> None:
    """Aborted at the gate: everything is rolled back."""
    await to_confirmation(t, lambda _: None)
    await confirm(t, lambda _: None)
    await t.until("The run asks", "Commit?", seconds=60)
    await t.press("x")
    await t.until("Abort this run?")
    await t.press("x")
    await t.until("run: unchanged", seconds=60)
    await t.pilot.pause(1)
    look("done")


async def unhealthy(t: Terminal, look: Look, _: Demo) -> None:
    """Committed and verified, but the application does not come back."""
    await to_confirmation(t, lambda _: None)
    await confirm(t, lambda _: None)
    await t.until("run: needs_operator", seconds=90)
    await t.pilot.pause(1)
    look("done")


@contextlib.contextmanager
def _session(scene: Demo, application: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A session of an application; left, it is ended, also while it waits."""
    connection = psycopg.connect(scene.app_dsn, application_name=application)
    try:
        yield connection
    finally:
        connection.pgconn.finish()


Script = Callable[[Terminal, Look, Demo], Awaitable[None]]


class Road(NamedTuple):
    """One drive: what is done, and what is set otherwise than in the demo."""

    script: Script
    gate: str = "commit"
    health: str = ""
    """A path of the website that is asked instead of its health."""


ROADS = {
    "good": Road(good, gate="ask"),
    "bad": Road(bad),
    "busy": Road(busy),
    "caught": Road(caught),
    "aborted": Road(aborted, gate="ask"),
    "unhealthy": Road(unhealthy, health="/no-such-page"),
}


def record(names: Sequence[str] = ()) -> None:
    """Record these drives; all, when none is named. Takes about half a minute each."""
    for name in names or tuple(ROADS):
        print(name)
        road = ROADS[name]
        with (
            demo_session(gate=road.gate) as (scene, common, session),
            contextlib.ExitStack() as end,
        ):
            if road.health:
                health = msgspec.structs.replace(
                    common.settings.health, url=scene.url + road.health, attempts=2
                )
                settings = msgspec.structs.replace(common.settings, health=health)
                session = Session(msgspec.structs.replace(common, settings=settings))
                end.callback(session.close)
            camera = Camera(scene)

            async def steered(
                t: Terminal, road: Road = road, camera: Camera = camera, scene: Demo = scene
            ) -> None:
                await road.script(t, camera.at(t), scene)
                await t.press("q")

            drive(session, steered, size=SIZE)
            camera.keep(name)
