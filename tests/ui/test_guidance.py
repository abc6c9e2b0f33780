"""Every state of every step has one sentence that names a key, a reason or what is waited for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from rollback_tui.cli import options
from rollback_tui.cli import session as world_session
from rollback_tui.core import events as ev
from rollback_tui.core.claim import Controls
from rollback_tui.core.run_view import RunView, fold
from rollback_tui.core.text import cells
from rollback_tui.run import launch
from rollback_tui.survey import counting
from rollback_tui.ui.after import After
from rollback_tui.ui.aftercare import Watched
from rollback_tui.ui.hints import Seen, first_blocked, hint
from rollback_tui.ui.operations import Limits
from rollback_tui.ui.requests import Failure
from rollback_tui.ui.waits import ORDER, wait, waits
from rollback_tui.ui.walk import STEPS, CaptureUnderway, Underway, Walk, blocked
from rollback_tui.ui.widgets.status_bar import steps_line
from tests.ui.fake import CHECKS, HOSTILE, World, check, plan, target
from tests.ui.fake_after import alarming, healthy, post

LONG = "something that takes very many words to say " * 8
FAILED = Failure(summary=LONG + HOSTILE, remedy=LONG)
FOLDER = Path("/srv/rollback_runs/20260314_031209_ab12cd34")
DANGEROUS = frozenset(s.index for s in plan().statements if s.dangerous)
KNOWN = Walk(target=target(), plan=plan())
READY = msgspec.structs.replace(KNOWN, checks=CHECKS[:2], reviewed=DANGEROUS)
EVERY_TOPIC = dict.fromkeys(ORDER, 100.0)


def run_of(*acts: Callable[[World], None]) -> RunView:
    """A run as far as these acts of its worker bring it."""
    world = World()
    world.begin(plan(), "a reason")
    for act in acts:
        act(world)
    return fold(world.records)


def running(view: RunView | None, **more: object) -> Walk:
    values = {"folder": FOLDER, "view": view, "controls": Controls(mine=True), "armed": True}
    return msgspec.structs.replace(READY, **{**values, **more})  # type: ignore[arg-type]


def before_the_run() -> Iterator[tuple[str, Walk]]:
    change = msgspec.structs.replace
    yield "nothing known", Walk()
    yield "no server", Walk(stale=LONG)
    yield "connected", Walk(target=target())
    yield "planning", Walk(target=target(), planning=True)
    yield "not understood", Walk(target=target(), plan_failure=FAILED)
    yield "nothing applied", change(KNOWN, plan=change(plan(), migrations=(), applied=()))
    yield "by hand", change(KNOWN, plan=change(plan(), by_hand="/srv/back.sql"))
    yield "counting", change(KNOWN, counting=True)
    yield "not judged", KNOWN
    yield "judging", change(KNOWN, judging=True)
    yield "judging failed", change(KNOWN, checks_failure=FAILED)
    yield "in the way", change(KNOWN, checks=CHECKS)
    never = check("not_standby", LONG, "fail", overridable=False)
    yield "never set aside", change(KNOWN, checks=(never,))
    yield "waiting for writers", change(KNOWN, checks=CHECKS, waiting_since=1, waiting_until=61)
    yield "not reviewed", change(KNOWN, checks=CHECKS[:2])
    yield "rehearsing", change(READY, rehearsing=Underway(source="dump", since=1, words=LONG))
    yield "capturing", change(READY, capturing=CaptureUnderway(since=1, words=LONG))
    wanted = change(plan().migrations[0], script=None, capturable=True)
    yield "to capture", change(READY, plan=change(plan(), migrations=(wanted,)))
    gone = change(plan().migrations[0], script=None, why_no_script=LONG)
    yield "no script", change(READY, plan=change(plan(), migrations=(gone,)))
    yield "ready", READY
    yield "ready and armed", change(READY, armed=True)
    yield "started read-only", change(READY, read_only=True)
    yield "starting", change(READY, armed=True, starting=True)
    yield "not started", change(READY, armed=True, start_failure=FAILED)
    yield "paused", change(READY, paused=True)
    yield "stale", change(READY, stale=LONG)


def during_the_run() -> Iterator[tuple[str, Walk]]:
    yield "no event yet", running(None)
    yield "journal unreadable", running(None, feed_failure=FAILED)
    yield "checkpoint", running(run_of())
    yield "draining", running(run_of(World.drain))
    yield "executing", running(run_of(World.drain, World.execute))
    asking = run_of(World.drain, World.execute, World.gate)
    yield "asking", running(asking)
    yield "asking, not armed", running(asking, armed=False)
    yield "asking, attached", running(asking, attached=True, target=None, plan=None)
    elsewhere = Controls(mine=False, holder=LONG, since="03:12")
    yield "looking on", running(asking, controls=elsewhere)
    yield "free controls", running(asking, controls=Controls(mine=False))
    yield "unknown controls", running(asking, controls=None)
    yield "read-only", running(asking, controls=Controls(mine=False), read_only=True)
    yield "stopped", running(run_of(World.drain), worker="stopped")
    yield "no worker", running(run_of(World.drain), worker="dead")
    aborted = run_of(World.drain, lambda w: w.happen(ev.AbortAsked()))
    yield "abort asked", running(aborted)
    late = run_of(lambda w: w.happen(ev.PhaseStarted(phase="commit")))
    yield "too late", running(late)
    done = run_of(World.drain, World.execute, World.gate, World.finish)
    yield "rolled back", running(done, report="# Report", report_folder=FOLDER)
    yield "attached and ended", running(done, attached=True, target=None, plan=None)
    yield "report unread", running(done)
    yield "report unreadable", running(done, report_failure=FAILED)
    yield "failed", running(run_of(World.drain, World.execute, World.fail))
    yield "recovery starting", running(done, recovering=True)
    for name, aftercare in (
        ("watched", Watched(view=healthy(), attended=True, expected=True)),
        ("an alert stands", Watched(view=alarming(), attended=True, expected=True)),
        ("nobody watches", Watched(view=healthy(), attended=False, expected=True)),
    ):
        after = After(folder=FOLDER, watched=aftercare, post=post())
        yield name, running(done, report="# R", report_folder=FOLDER, afters=(after,))
    refused = ev.RunFinished(outcome="refused", summary="no", report="")
    yield "refused", running(run_of(lambda w: w.happen(refused)))


STATES = [*before_the_run(), *during_the_run()]
KEY = re.compile(
    r"(?<![\w'’])(?:[a-zA-Z?/]|[1-6]|esc|enter|tab|space|ctrl\+[a-z]|↑ ↓)(?![\w'’])", re.IGNORECASE
)
REASON = re.compile(r"[Bb]locked: .{8}|at most|no limit|by itself|safe point|waiting for")


@pytest.mark.parametrize(("name", "walk"), STATES, ids=[name for name, _ in STATES])
def test_one_sentence_names_a_key_a_reason_or_a_wait(name: str, walk: Walk) -> None:
    for begun in ({}, EVERY_TOPIC):
        for step in range(1, 7):
            said, kind = hint(walk, step, Seen(width=80, now=104.0, begun=begun))
            where = f"{name}, step {step}: {said}"
            assert 3 + cells(said) <= 80, where
            assert said[-1] in ".?", where
            assert "\n" not in said and "\x1b" not in said, where
            assert KEY.search(said) or REASON.search(said), where
            if kind == "wait":
                assert REASON.search(said) or "stops it" in said or "minute" in said, where


@pytest.mark.parametrize(("name", "walk"), STATES, ids=[name for name, _ in STATES])
def test_the_steps_fit_and_say_why_the_first_blocked_one_is(name: str, walk: Walk) -> None:
    number, reason = first_blocked(walk)
    for width in (60, 80, 120, 200):
        for step in range(1, 7):
            said = steps_line(walk, step, width)
            assert said.cell_length <= width, (name, width, said.plain)
            assert f"▸{step} " in said.plain
            for other, title in enumerate(STEPS, 1):
                shut = f"{other} {title}{' ' if width > 76 else ''}·"
                assert bool(blocked(walk, other)) == (shut in said.plain), (name, said.plain)
        if number and width >= 120:
            assert f"{number} waits: {reason[:15]}" in said.plain, name


def test_before_the_run_the_next_blocked_step_says_why_where_one_stands() -> None:
    for name, walk in before_the_run():
        for step in range(1, 4):
            reason = blocked(walk, step + 1)
            said, kind = hint(walk, step)
            assert not reason or kind in ("blocked", "wait"), (name, step, said)


def test_whatever_is_waited_for_says_what_since_when_and_until_when() -> None:
    busy = Walk(
        planning=True,
        counting=True,
        judging=True,
        starting=True,
        settling=True,
        recovering=True,
        rehearsing=Underway(source="schema", since=100.0, words="statement 3 of 11"),
        capturing=CaptureUnderway(since=100.0, words="asking the tool"),
        asking_options=100.0,
    )
    found = {one.topic: one for one in waits(busy, EVERY_TOPIC, Limits())}
    found["follow"] = wait(running(None), "follow", EVERY_TOPIC, Limits())  # type: ignore[assignment]
    assert set(found) == set(ORDER)
    for one in found.values():
        words = one.words(163.0)
        assert words.startswith("01:03 "), words
        assert re.search(r"(at most \d+ s|\d+ s at most|no limit[:;] .{8})", words), words
        assert cells(words) <= 76, words


def test_what_the_screens_say_of_limits_is_what_the_world_keeps() -> None:
    says = Limits()
    assert says.counting == counting.SECONDS
    assert says.start == launch._START_SECONDS
    assert says.table == world_session._COUNT_SECONDS
    assert says.answer == options.ANSWER_SECONDS
