"""Screen 1: the views of the sessions, the charts, and what is asked before a session is ended."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from textual.events import Key

from rollback_tui.core.model import Activity, PreparedTransaction
from rollback_tui.ui.widgets.live_table import LiveTable
from rollback_tui.ui.widgets.session_views import SessionViews
from tests.ui.fake import SESSIONS, T0, World, session
from tests.ui.steering import Terminal, drive

BEGAN = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
PREPARED = PreparedTransaction(gid="tx-2024", owner="shop", age=4000.0, blocks=(4801,))
MORE = (
    session(
        4801,
        "reports",
        "active",
        "SELECT count(*)\n  FROM public.orders\n WHERE state = 'paid'",
        query_age=33.0,
        blocked_by=(4713, 0),
        lock="AccessShare on public.orders",
        lock_age=31.5,
    ),
    session(4802, "reports", "active", "SELECT 7", user="analyst", query_age=12.0),
    session(4803, "reports", "active", "SELECT 7", leader_pid=4802, backend_type="parallel worker"),
    session(4806, "pg_dump", "active", "COPY public.orders TO stdout", query_age=200.0),
    session(4807, "root-tool", "active", "SELECT 8", superuser=True, query_age=0.1),
    session(4808, "", "active", "", backend_type="walsender", query_age=0.1),
)


@pytest.fixture
def busy() -> World:
    """A queue of three behind two transactions, one of them without a session."""
    world = World()
    world.sessions = tuple(
        msgspec.structs.replace(s, backend_start=BEGAN) for s in (*SESSIONS, *MORE)
    )
    plain = world.activity
    world.activity = lambda: msgspec.structs.replace(  # type: ignore[method-assign]
        plain(), prepared=(PREPARED,)
    )
    return world


def pids(text: str) -> list[str]:
    """The pids of the list, from top to bottom."""
    return re.findall(r"^│ +(?:└ )?(\d{4}|prepared|–) ", text, re.MULTILINE)


def test_the_views_of_one_list(busy: World) -> None:
    async def script(t: Terminal) -> None:
        shown = await t.until("sessions 9 and 1 without a session · trouble first")
        assert "v [all 10] running 6  waiting 2  blocking 3  tree  groups" in shown
        assert pids(shown)[:4] == ["4714", "–", "4713", "4801"]
        assert "blocks 2" in shown and "by 4714" in shown and "by 4713 +1" in shown
        assert "[+1 workers] SELECT" in await _below(t, "4802")
        await t.select("#sessions", "4801")
        await t.press("v")
        shown = await t.until("running 6 of 10 · queries at work · longest query")
        assert pids(shown)[:3] == ["4806", "4801", "4802"]
        table = t.app.screen.query_one("#sessions", LiveTable)
        assert table.current_key == "4801", "the session under the cursor stays under it"
        await t.press("v")
        shown = await t.until("waiting 2 of 10 · those that wait for a lock")
        assert pids(shown) == ["4801", "4713"]
        await t.press("v")
        shown = await t.until("blocking 3 of 10 · those that others wait for · most behind")
        assert pids(shown) == ["4714", "–", "4713"]
        assert re.findall(r"blocks (\d)", shown) == ["2", "1", "1"]
        await t.press("v")
        shown = await t.until("lock tree 4 · who waits stands below")
        assert re.search(r"│ 4714 .*\n│   └ 4713 .*\n│     └ 4801 .*\n│ prepared +tx-2024", shown)
        await t.press("s")
        await t.until("Not now: the tree has its own order")
        await t.press("V", "V", "V", "V")
        await t.until("sessions 9 and 1")
        await t.press("V")
        await t.until("groups · connections by application")

    drive(busy, script)


async def _below(t: Terminal, pid: str) -> str:
    """The line of a session further down."""
    await t.select("#sessions", pid)
    return next(row for row in t.text.splitlines() if f" {pid} " in row)


def test_groups_lead_to_their_sessions(busy: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("sessions 9")
        assert "g group by" not in t.text
        await t.press("g")
        await t.until("Not now: v leads to the groups")
        await t.press("V")
        shown = await t.until("8 groups · connections by application (g) · most first", "g group")
        assert re.search(r"shop-web +2 +1 +0 +0 +0 ", shown)
        assert re.search(r"backoffice +1 +0 +1 +0 +1 +01:35", shown)
        await t.press("C")
        await t.until("Not now: this terminal is READ-ONLY")
        await t.press("g")
        shown = await t.until("2 groups · connections by user (g)")
        assert re.search(r"shop +9 ", shown) and re.search(r"analyst +1 ", shown)
        await t.select("#groups", "analyst")
        await t.press("enter")
        shown = await t.until("sessions 1 · trouble first · filter “analyst”")
        assert pids(shown) == ["4802"]
        await t.press("escape")
        await t.until("sessions 9")

    drive(busy, script)


def test_details_say_all_of_it(busy: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("sessions 9")
        await t.select("#sessions", "4713")
        await t.press("enter")
        shown = await t.until("pid 4713 (shop-worker, shop)", "behind       pid 4714 (backoffice")
        assert "before       pid 4801 (reports, shop), active" in shown
        assert "open for 2.0 s, writes" in shown
        assert "since 2026-03-14 01:00:00" in shown
        await t.press("escape")
        await t.select("#sessions", "4801")
        await t.press("enter")
        shown = await t.until("lock         AccessShare on public.orders, for 31.5 s")
        assert "             prepared transaction tx-2024, transaction 1:06:40" in shown
        # As it was written, with its lines.
        assert re.search(r"SELECT count\(\*\) +│?.*\n.*  FROM public.orders", shown)
        await t.press("escape", "home", "down", "enter")
        await t.until("prepared transaction tx-2024", "COMMIT PREPARED or ROLLBACK PREPARED")

    drive(busy, script, size=(100, 40))


def test_what_is_not_looked_at_does_not_look_current(busy: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("sessions 9", "3/3 counted")
        await t.press("p")
        await t.until(" PAUSED, of ", "PAUSED (p) at ")
        await t.press("p", "t")
        await t.until("connections")
        busy.down = "no route to host"
        shown = await t.until("stale since", "no route to host", "OLD, of ")
        for place in (r"^ OLD, of \d\d:\d\d:\d\d · 15/100", r"OLD, of [\d:]+ · sessions 9"):
            assert re.search(place, shown, re.MULTILINE), place
        assert re.search(r"connections .*OLD", shown), "the charts too"
        await t.press("t")
        await t.until("· tables 3/3")
        busy.down = ""
        await t.until(" 15/100 connections · 2 writers")
        for _ in range(40):
            if "OLD" not in t.text:
                break
            await t.pilot.pause(0.1)
        assert "OLD" not in t.text

    drive(busy, script)


def test_a_view_without_a_line_says_so(world: World) -> None:
    world.sessions = (
        session(4901, "shop", "idle", "COMMIT"),
        session(4902, "shop", "", "", user="somebody"),
    )

    async def script(t: Terminal) -> None:
        await t.until("sessions 2 · trouble first")
        assert "nobody" not in t.text
        for words in (
            "nobody runs a query, as far as may be seen; 1 hidden",
            "nobody waits for a lock",
            "nobody is waited for",
            "nobody waits for a lock",
        ):
            await t.press("v")
            await t.until(f"│ {words} ")
        await t.press("v", "v")
        await t.until("   4901  shop")
        t.app.screen.query_one(SessionViews).words = "nowhere"
        await t.press("v")
        await t.until("│ nothing matches “nowhere”; esc takes the filter away ")
        world.sessions = (session(4901, "shop", "active", "SELECT 1"),)
        await t.press("escape")
        await t.until("   4901  shop")
        assert "nothing matches" not in t.text and "nobody" not in t.text

    drive(world, script, size=(60, 20))


def test_two_thousand_sessions_are_all_there(world: World) -> None:
    world.sessions = tuple(session(10_000 + n, f"shop-{n % 7}", "idle", "") for n in range(2_000))

    async def script(t: Terminal) -> None:
        await t.until("sessions 2,000 · trouble first")
        await t.press("end")
        await t.until("11999")
        await t.press("slash")
        await t.type("11202")
        await t.until("sessions 1 ·", "filter “11202”")

    drive(world, script, size=(120, 40))


# --- ending -----------------------------------------------------------------------------------


def test_a_writer_is_ended_only_by_its_typed_pid(busy: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("sessions 9")
        await t.arm()
        await t.select("#sessions", "4714")
        await t.press("K")
        shown = await t.until("End this session?", "type the pid: 4714", "type 4714 to go on")
        for words in (
            "pid 4714 (backoffice, shop) from 10.0.0.7",
            "idle in tx for 01:30 · transaction open for 01:35",
            "UPDATE public.orders SET note = 'x'",
            "2 sessions wait behind it.",
            "What its transaction has written is rolled back.",
        ):
            assert words in shown
        await t.press("enter", "tab", "tab", "enter")
        assert busy.signals == [], "without the pid neither enter nor a button does anything"
        await t.press("escape", "K")
        await t.until("type the pid: 4714")
        await t.type("4713")
        await t.until("✗ not 4714")
        await t.press("backspace", "4")
        await t.until("✓ tab goes to the buttons")
        await t.press("enter")
        assert busy.signals == []
        await t.press("tab", "tab", "enter")
        await t.until("pid 4714 signalled to end")

    drive(busy, script)
    assert busy.signals == [("terminate", 4714)]


@pytest.mark.parametrize(
    ("pid", "words"),
    [("4806", "It is a BACKUP by its name"), ("4808", "It is a REPLICATION connection")],
)
def test_a_backup_and_a_replica_are_warned_of(busy: World, pid: str, words: str) -> None:
    async def script(t: Terminal) -> None:
        await t.until("sessions 9")
        await t.arm()
        await t.select("#sessions", pid)
        await t.press("K")
        await t.until(words, f"type the pid: {pid}")
        await t.press("escape", "C")
        await t.until("Cancel this query?", words, f"type the pid: {pid}")

    drive(busy, script)
    assert busy.signals == []


def test_what_may_not_be_ended_is_refused_before_asking(busy: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("sessions 9")
        await t.arm()
        await t.select("#sessions", "4807")
        await t.press("K")
        await t.until("Not pid 4807", "only a superuser may")
        await t.select("#sessions", "prepared:tx-2024")
        await t.press("K")
        await t.until("Not prepared transaction tx-2024")
        await t.select("#sessions", "4712")
        await t.press("C")
        await t.until("nothing to cancel")
        assert "Leave it" not in t.text

    drive(busy, script, size=(120, 40))


def test_a_session_that_is_gone_or_has_begun_something_is_not_hit(busy: World) -> None:
    def change(pid: int, **changes: object) -> None:
        busy.sessions = tuple(
            msgspec.structs.replace(s, **changes) if s.pid == pid else s for s in busy.sessions
        )

    async def script(t: Terminal) -> None:
        await t.until("sessions 9")
        await t.arm()
        await t.select("#sessions", "4712")
        await t.press("K")
        await t.until("It has no transaction open.")
        change(4712, state="active", transaction_age=0.2, writing=True)
        await t.until("3 writers")
        await t.press("tab", "enter")
        await t.until("Not sent to pid 4712: it has begun something meanwhile")
        # The same pid, another session: the server is asked for the one that was seen.
        await t.select("#sessions", "4711")
        await t.press("p", "K")
        # Whoever ran no transaction when it was paused may write by now.
        await t.until("This is PAUSED, of ", "type the pid: 4711", "End pid 4711")
        change(4711, backend_start=BEGAN + timedelta(hours=1))
        await t.press("tab", "tab", "enter", "escape")
        assert not any("gone" in line for line in t.text.splitlines())
        await t.press("K")
        await t.type("4711")
        await t.press("tab", "tab", "enter")
        await t.until("pid 4711 was gone already: nothing was sent")
        busy.may_not_signal = "Only members of that role may."
        await t.select("#sessions", "4802")
        await t.press("p")
        await t.until("sessions 9 and 1 without a session · trouble")
        await t.press("C", "tab", "enter")
        await t.until("pid 4802: not allowed to cancel its query. Only members of that role may.")

    drive(busy, script, size=(120, 40))
    assert busy.signals == []


def test_words_that_come_with_the_key_of_the_filter_are_no_keys(busy: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("sessions 9")
        await t.arm()
        # As one read of the terminal brings them: nobody waits between them.
        for name in ("/", *"qpaKC/"):
            t.app.post_message(Key({"/": "slash"}.get(name, name), name))
        await t.until("sessions 0 · trouble first · filter “qpaKC/”")
        assert len(t.app.screen_stack) == 2
        assert not t.app.guide.walk.paused

    drive(busy, script)


def test_only_the_session_that_was_looked_at_is_hit(busy: World) -> None:
    def change(pid: int, **changes: object) -> None:
        busy.sessions = tuple(
            msgspec.structs.replace(s, **changes) if s.pid == pid else s for s in busy.sessions
        )

    async def script(t: Terminal) -> None:
        await t.until("sessions 9")
        await t.arm()
        await t.select("#sessions", "4711")
        table = t.app.screen.query_one("#sessions", LiveTable)
        busy.sessions = tuple(s for s in busy.sessions if s.pid != 4711)
        await t.until("sessions 8")
        assert table.current_key != "4711"
        # It went while the hand was on its way to the key.
        await t.press("K", "tab", "tab", "enter")
        await t.until("pid 4711 has left the list just now")
        assert len(t.app.screen_stack) == 2, "no question was asked of the one that came there"
        await t.select("#sessions", "4802")
        await t.press("C")
        await t.until("Cancel the query of 4802")
        change(4802, query="SELECT 9")
        await t.until("SELECT 9")
        await t.press("tab", "enter")
        await t.until("Not sent to pid 4802: it runs another query by now")
        # In a transaction, which had written nothing when that was agreed to.
        change(4802, transaction_age=333.0)
        await t.until("05:33")
        await t.press("K")
        await t.until("it has written nothing yet")
        change(4802, transaction_age=334.0, writing=True)
        await t.until("3 writers")
        await t.type("4802")
        await t.press("tab", "tab", "enter")
        await t.until("Not sent to pid 4802: it has begun something meanwhile")

    drive(busy, script, size=(130, 40))
    assert busy.signals == []


# --- charts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "beside"), [((80, 24), False), ((200, 60), True)])
def test_the_charts(busy: World, size: tuple[int, int], beside: bool) -> None:
    clock = [0.0]
    plain = busy.activity

    def activity() -> Activity:
        clock[0] += 4.0
        return msgspec.structs.replace(
            plain(), taken_at=T0 + timedelta(seconds=clock[0]), rows_written=int(clock[0] * 300)
        )

    busy.activity = activity  # type: ignore[method-assign]

    async def script(t: Terminal) -> None:
        await t.until("sessions 9", "3/3 counted")
        await t.press("minus", "t")
        shown = await t.until("collecting, 5 s a step")
        assert ("tables 3/3 counted" in shown) is beside
        shown = await t.until("tx/s 10", "rows written/s 300", "-5 min", "now", "█")
        assert "connections 15" in shown
        await t.press("p")
        await t.pilot.pause(0.6)
        before = t.text
        painted = []
        chart = t.app.screen.query_one("#trend-transactions")
        chart.refresh = lambda *regions, **_: painted.append(regions)  # type: ignore[method-assign]
        t.app.screen.show_now()  # type: ignore[attr-defined]
        await t.pilot.pause(0.3)
        assert painted == [] and t.text == before, "an equal picture is not painted again"
        await t.press("t")
        await t.until("tables 3/3 counted")
        assert "-5 min" not in t.text

    drive(busy, script, size=size)


def test_plotext_is_imported_for_the_charts_only() -> None:
    import subprocess
    import sys

    code = (
        "import sys, rollback_tui.ui.app, rollback_tui.ui.screens.state;"
        "sys.exit('plotext' in ' '.join(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_chart_is_drawn_with_what_the_terminal_has() -> None:
    from rollback_tui.ui import glyphs
    from rollback_tui.ui.widgets.session_cells import brief
    from rollback_tui.ui.widgets.trends import _draw, short

    values = [1.0, None, 3.0, 4.0, 2.0, 900.0] * 5
    for form, ascii_only in (("ascii", True), ("console", True), ("unicode", False)):
        glyphs.choose(form)  # type: ignore[arg-type]
        try:
            drawn = _draw(values, 60, 26, 7)
        finally:
            glyphs.choose("unicode")
        assert all(row.isascii() for row in drawn) is ascii_only
        assert len(drawn) == 7 and all(len(row) <= 26 for row in drawn)
        assert drawn[0].startswith("900") and drawn[-1].split() == ["-5", "min", "now"]
        assert "\x1b" not in "".join(drawn), "no colour says anything"
    assert [short(n) for n in (0.25, 7.0, 1234, 56789, 2.5e6)] == [
        "0.2",
        "7",
        "1.2k",
        "57k",
        "2.5M",
    ]
    assert [brief(n) for n in (None, 95.2, 4000, 720_000)] == ["", "01:35", "1h06m", "8d08h"]
