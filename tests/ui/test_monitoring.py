"""What is watched after a run: on step 5, in its own pane, in the header, and on a new terminal."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from rollback_tui.core.monitoring.values import (
    METRICS,
    Cleared,
    Ended,
    Gap,
    Metric,
    MonitorView,
    Sampled,
)
from rollback_tui.core.text import cells
from rollback_tui.ui import glyphs
from rollback_tui.ui.after import After
from rollback_tui.ui.aftercare import Watched
from rollback_tui.ui.metric_course import course, stood
from rollback_tui.ui.requests import Failure
from rollback_tui.ui.watch_words import in_full, rule_words, state_of, watch_line
from rollback_tui.ui.widgets.metric_chart import MetricChart, picture
from tests.ui.fake import HOSTILE, World, plan
from tests.ui.fake_after import (
    BEGUN,
    INTERVAL,
    alarming,
    alert,
    begun,
    ended,
    healthy,
    samples,
)
from tests.ui.steering import Terminal, drive

FOLDER = Path("/srv/rollback_runs/20260314_031209_ab12cd34")
OLDER = Path("/srv/rollback_runs/20260313_021100_8c3038d4")
NOW = BEGUN + timedelta(seconds=INTERVAL * 68 + 4)
"""Four seconds after the 68th sample."""


def after(view: MonitorView, *, attended: bool = True, why_not: str = "") -> After:
    """Return what is known where ``view`` was measured."""
    watched = Watched(
        view=view,
        attended=attended,
        expected=view.ended is None and not why_not,
        why_not=why_not,
    )
    return After(folder=FOLDER, watched=watched)


def at(number: float) -> datetime:
    """Return when sample ``number`` was taken."""
    return BEGUN + timedelta(seconds=INTERVAL * number)


def line_of(known: After, width: int = 80, now: datetime = NOW) -> str:
    said = watch_line(known, now, width, key_id="verify.monitoring")
    return said.plain if said is not None else ""


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Local time is UTC here, and it is a moment after the 68th sample."""
    monkeypatch.setattr(
        "rollback_tui.ui.watch_words.at",
        lambda when, *, seconds=False: when.strftime("%H:%M:%S" if seconds else "%H:%M"),
    )
    monkeypatch.setattr("rollback_tui.ui.widgets.metric_chart.at", lambda *_, **__: "03:12")
    for module in ("screens.verify", "screens.monitoring", "screens.state"):
        monkeypatch.setattr(f"rollback_tui.ui.{module}.utc_time", lambda: NOW)


# --- one metric -----------------------------------------------------------------------------------

SLOW: Metric = "query_performance"
SOME_UNKNOWN = MonitorView(
    begun=begun(unjudged=(SLOW,)),
    samples=samples(68, unknown={"error_rate": "no health URL", "response_time": "no health URL"}),
)
NO_STANDBY: dict[Metric, str] = {"replication_lag": "no standby"}
ALONE = MonitorView(begun=begun(nothing=NO_STANDBY), samples=samples(68, nothing=NO_STANDBY))


@pytest.mark.parametrize(
    ("metric", "known", "glyph", "words"),
    [
        ("error_rate", after(healthy()), "✓", "ok"),
        ("error_rate", after(alarming()), "✗", "ALERT since 03:22"),
        ("error_rate", after(ended(alarming())), "✗", "ALERT at the end"),
        ("error_rate", after(healthy(), attended=False), "?", "not watched now"),
        ("error_rate", after(healthy(10)), "?", "not watched now"),
        ("error_rate", after(healthy(0)), "·", "not measured yet"),
        (
            "error_rate",
            after(SOME_UNKNOWN),
            "?",
            "unknown",
        ),
        (
            SLOW,
            after(MonitorView(begun=begun(unjudged=(SLOW,)), samples=samples(68))),
            "–",
            "not judged",
        ),
        (SLOW, after(healthy()), "✓", "ok"),
        ("replication_lag", after(ALONE), "–", "no standby"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_metric_is_well_only_where_it_was_measured_judged_and_now(
    metric: Metric, known: After, glyph: str, words: str
) -> None:
    state = state_of(known, metric, NOW)
    assert (state.glyph, state.words) == (glyph, words)
    assert (state.tone == "good") == (glyph == "✓")


def test_a_reading_made_of_too_few_is_not_judged() -> None:
    view = healthy()
    last = view.samples[-1]
    few = tuple(
        msgspec.structs.replace(one, counted=3) if one.metric == SLOW else one
        for one in last.readings
    )
    known = after(
        msgspec.structs.replace(
            view, samples=(*view.samples[:-1], Sampled(at=last.at, readings=few))
        )
    )
    assert state_of(known, SLOW, NOW).words == "too few to judge"
    assert "judged from 20 on" in rule_words(view, SLOW)


def test_the_words_of_a_metric_say_rule_source_alerts_and_evidence() -> None:
    view = alarming()
    evidence = ("http://shop/health answered 500",)
    raised = msgspec.structs.replace(view.standing[0], evidence=evidence)
    view = msgspec.structs.replace(view, standing=(raised,), raised=(raised,))
    said = in_full(after(view), "error_rate", NOW).plain
    assert "alerts above 4 %: 0.8 of 5 %, the level in [monitor.levels] error_rate" in said
    assert "before the run 0.2 %" in said
    assert "by health probes, of 5" in said
    assert "alert 03:22:55 – it stands, at worst 14" in said
    assert "http://shop/health answered 500" in said
    nothing = MonitorView(begun=begun(unjudged=(SLOW,)), samples=samples(3))
    said = in_full(after(nothing), SLOW, at(3)).plain
    assert "not judged: what was usual is not known: pg_stat_statements is not installed" in said
    assert "before the run not known: pg_stat_statements is not installed" in said


def test_what_others_wrote_is_printable() -> None:
    view = MonitorView(
        begun=begun(),
        samples=samples(3, {"error_rate": lambda _: None}, {"deadlocks": HOSTILE}),
        standing=(alert("lock_waits", 6, at(2), evidence=(HOSTILE,)),),
    )
    for metric in METRICS:
        said = in_full(after(view), metric, at(3)).plain
        assert "\x1b" not in said, metric
        assert "‮" not in said, metric


# --- one line -------------------------------------------------------------------------------------

OVER = Cleared(at=at(60), metric="error_rate", value=0.002, seconds=285)
CAME_BACK = msgspec.structs.replace(alarming(), standing=(), cleared=(OVER,))
LINES = {
    "well": (after(healthy()), " ✓ Watched until 05:12 (1 h 42 min left), 13 metrics, no alert"),
    "some unknown": (
        after(SOME_UNKNOWN),
        " ? Watched until 05:12 (1 h 42 min left), 13 metrics, 2 unknown, 1 not judged, no alert",
    ),
    "well, no standby": (
        after(ALONE),
        " ✓ Watched until 05:12 (1 h 42 min left), 12 metrics, no alert",
    ),
    "done, no standby": (after(ended(ALONE)), " ✓ Watched until 05:12, no alert"),
    "one over": (after(CAME_BACK), "no alert now, 1 over"),
    "alert": (after(alarming()), " ✗ 1 alert: error_rate 10"),
    "nobody": (after(healthy(), attended=False), " ? nobody watches since 03:29: w, then r starts"),
    "alert and nobody": (after(alarming(), attended=False), " ✗ 1 alert: error_rate"),
    "late": (after(healthy(40)), " ? no sample since 03:22"),
    "begins": (after(MonitorView()), " ▸ The monitoring begins"),
    "not monitored": (
        after(MonitorView(), attended=False, why_not="the run was refused"),
        " · not monitored: the run was refused",
    ),
    "looked after, and not monitored": (
        after(MonitorView(), why_not="the run was refused"),
        " · not monitored: the run was refused",
    ),
    "done": (after(ended(healthy())), " ✓ Watched until 05:12, no alert"),
    "done, one over": (after(ended(CAME_BACK)), " ! Watched until 05:12, 1 alert, all over"),
    "done, unknown": (after(ended(SOME_UNKNOWN)), " ! Watched until 05:12, no alert"),
    "done, alert": (after(ended(alarming())), "(at the end, 05:12)"),
    "stopped": (
        after(ended(healthy(), at(68), by="kim", reason="all is well")),
        " ! Watching was stopped at 03:29 by kim: all is well, no alert",
    ),
    "with a gap": (
        after(ended(msgspec.structs.replace(healthy(), gaps=(Gap(at=at(30), since=at(10)),)))),
        "no alert, not measured for 5 min",
    ),
    "damaged": (
        After(folder=FOLDER, failure=Failure(summary="monitoring.jsonl is damaged")),
        " ? the monitoring cannot be read: monitoring.jsonl is damaged",
    ),
}
GREEN = {"well", "done", "well, no standby", "done, no standby"}


@pytest.mark.parametrize("name", LINES)
def test_the_line_says_how_it_stands_and_is_green_only_when_all_is_known(name: str) -> None:
    known, words = LINES[name]
    assert words in line_of(known, 100)
    assert line_of(known).startswith(" ✓") == (name in GREEN)
    if name == "alert and nobody":
        assert all(cells(row) <= 100 for row in line_of(known, 100).splitlines())
    else:
        assert all(cells(row) <= 80 for row in line_of(known, 80).splitlines())
    if name == "alert and nobody":
        assert " ? nobody watches since 03:29" in line_of(known)


def test_before_the_first_sample_nothing_is_well() -> None:
    said = watch_line(after(MonitorView(begun=begun())), at(0.5), 80, key_id=None)
    assert said is not None
    assert said.plain == " ▸ Watched until 05:12 (1 h 59 min left), nothing measured yet"


def test_what_has_no_room_is_left_out_and_what_is_unknown_stays() -> None:
    over = msgspec.structs.replace(SOME_UNKNOWN, raised=(alert("lock_waits", 6, at(2)),))
    for width in range(60, 120):
        for view in (SOME_UNKNOWN, over):
            said = line_of(after(view), width)
            assert len(said.splitlines()) == 1
            assert cells(said) <= max(width, 72)
            assert "2 unknown, 1 not judged, no alert" in said
            assert said.startswith(" ? Watched until 05:12")


def test_when_it_has_ended_nothing_is_well_now() -> None:
    for view in (healthy(), CAME_BACK):
        over = after(ended(view))
        said = [state_of(over, metric, at(200)).words for metric in METRICS]
        assert set(said) <= {"ok at the end", "1 alert, over"}
        assert ("1 alert, over" in said) == (view is CAME_BACK)


def test_another_run_on_the_database_ends_it() -> None:
    over = msgspec.structs.replace(healthy(), ended=Ended(at=at(40), why="another run"))
    assert "Watched until 03:22, when another run began, no alert" in line_of(after(over))


# --- its course -----------------------------------------------------------------------------------


def test_where_nobody_measured_the_course_has_a_gap() -> None:
    first = samples(20, {"error_rate": lambda n: None if n in (5, 6) else 0.01})
    again = samples(20, since=at(40))
    view = MonitorView(begun=begun(), samples=(*first, *again))
    found = course(view, "error_rate")
    assert found is not None
    assert [(run[0][0], run[-1][0]) for run in found.runs] == [
        (15.0, 75.0),
        (120.0, 300.0),
        (615.0, 900.0),
    ]
    assert (found.threshold, found.usual, found.until) == (pytest.approx(0.04), 0.002, 900.0)


def test_an_alert_is_marked_for_as_long_as_it_stood() -> None:
    again = alert("error_rate", 0.3, at(62))
    view = msgspec.structs.replace(CAME_BACK, raised=(*CAME_BACK.raised, again), standing=(again,))
    found = course(view, "error_rate")
    assert found is not None
    assert found.alerts == ((15.0 * 41, 15.0 * 60), (15.0 * 62, 15.0 * 68))
    first, second = stood(view, "error_rate")
    assert (first.over, second.over) == (at(60), None)
    assert first.worst == pytest.approx(0.14, abs=0.01)
    assert course(view, "deadlocks") is not None
    assert course(MonitorView(begun=begun()), "deadlocks") is None


@pytest.mark.parametrize("shown", ["unicode", "console", "ascii"])
def test_the_chart_shows_line_threshold_usual_and_alerts(shown: glyphs.Glyphs) -> None:
    glyphs.choose(shown)
    try:
        for size in ((74, 8), (112, 20), (40, 5), (20, 4)):
            drawn = picture(course(alarming(), "error_rate"), *size)
            assert len(drawn) == size[1]
            assert all(cells(row.plain) <= size[0] for row in drawn)
            text = "\n".join(row.plain for row in drawn)
            assert "!!" in text
            dashes = 3 * ("╌" if shown == "unicode" else "-")
            assert dashes in text
            # Below what the marks mean: the line itself.
            assert any(dashes in row.plain for row in drawn[1:])
            assert "4 %" in text
            if shown == "ascii":
                assert text.isascii()
        colours = {str(span.style) for row in drawn for span in row.spans}
        assert len(colours) >= 3
    finally:
        glyphs.choose("unicode")


def test_the_chart_of_what_was_never_measured_says_so() -> None:
    view = MonitorView(begun=begun(), samples=samples(9, unknown={"error_rate": "no health URL"}))
    assert "could never be measured" in picture(course(view, "error_rate"), 74, 8)[0].plain
    assert "nothing was measured yet" in picture(None, 74, 8)[0].plain


def test_a_long_course_keeps_its_peak() -> None:
    peak = samples(480, {"response_time": lambda n: 3.0 if n == 333 else 0.08})
    found = course(MonitorView(begun=begun(), samples=peak), "response_time")
    text = "\n".join(row.plain for row in picture(found, 60, 8))
    assert "3 s" in text


# --- on the screens -------------------------------------------------------------------------------


def world(view: MonitorView, **more: bool) -> World:
    """Return one whose run has ended, and what is watched of it."""
    made = World(**more)
    made.begin(plan(), "the deploy failed")
    made.drain()
    made.execute()
    made.gate()
    made.finish()
    made.after.watch(view)
    return made


def test_an_alert_is_in_the_header_of_every_step_and_its_course_one_key_away() -> None:
    shop = world(alarming())

    async def script(t: Terminal) -> None:
        await t.until(" ALERT error_rate ")
        for step in ("4", "6", "5"):
            await t.press(step)
            await t.until(" ALERT error_rate ")
        await t.until("✗ 1 alert: error_rate", "An alert stands: w shows it")
        await t.press("w")
        # What is wrong is marked first.
        shown = await t.until("Monitoring of run ab12cd34", "alerts above 4 %", "!!!!!", "╌╌╌")
        assert "ALERT since 03:22" in shown
        await t.press("down")
        await t.until("✓ ok, ", "response_time", "alerts above 800 ms")
        drawn: list[object] = []
        chart = t.app.screen.query_one("#metric-chart", MetricChart)
        chart.refresh = lambda *regions, **_: drawn.append(regions)  # type: ignore[method-assign,assignment,return-value]
        for _ in range(5):
            t.app.screen._tick()  # type: ignore[attr-defined]
        assert drawn == [], "nothing was new"
        shop.after.watch(
            msgspec.structs.replace(
                alarming(), samples=samples(69, {"response_time": lambda n: 0.9 * (n > 67)})
            )
        )
        await t.until("✓ ok, 900 ms  response_time")
        assert drawn
        assert () not in drawn, "all of it was painted again"
        await t.press("s")
        await t.until("Stop watching run ab12cd34 early?", "It would go on until 05:12")
        await t.press("escape")
        assert shop.after.stopped == []
        await t.press("s")
        await t.until("Stop watching run ab12cd34 early?")
        await t.type("we deploy the fix now")
        await t.press("enter")
        assert t.app.focused is not None
        assert t.app.focused.id == "no"
        await t.press("tab", "enter")
        await t.until("(at the end, 03:12)", "ALERT at the end")
        assert shop.after.stopped == [(FOLDER, "we deploy the fix now")]
        await t.press("w")
        await t.until("run: rolled_back")

    drive(shop, script, folder=FOLDER)
    assert "MainThread" not in shop.after.threads


def test_what_is_unknown_says_why_and_nobody_there_is_started_again() -> None:
    shop = world(SOME_UNKNOWN)
    shop.after.watch(SOME_UNKNOWN, attended=False)

    async def script(t: Terminal) -> None:
        await t.until("run: rolled_back")
        await t.press("5")
        await t.until("? nobody watches since 03:29: w, then r starts it again")
        await t.until("Nobody looks after the run: w, then r.")
        await t.press("w")
        shown = await t.until("database answers", "not watched now")
        assert "✓" not in shown[shown.index("metric") :].split("! ")[0]
        await t.press("down")
        await t.until("? unknown: no health URL  error_rate")
        await t.press("r")
        await t.until("Watched until 05:12")
        assert shop.after.resumed == [FOLDER]
        await t.press("r")
        await t.until("Not now: somebody looks after the run already.")

    drive(shop, script, folder=FOLDER, size=(120, 40))


def test_where_there_is_nothing_to_be_measured_nothing_is_asked_for() -> None:
    async def script(t: Terminal) -> None:
        await t.until("run: rolled_back")
        await t.press("5", "w")
        shown = await t.until("standby lag")
        row = next(text for text in shown.splitlines() if "standby lag" in text)
        assert row.split("standby lag")[1].split("no standby")[0].split() == [
            "–",
            "–",
            ">",
            "24",
            "s",
        ]
        await t.press("end")
        await t.until("– no standby  replication_lag", "alerts above 24 s")

    drive(world(ALONE), script, folder=FOLDER, size=(120, 40))


def test_a_terminal_that_only_looks_stops_and_starts_nothing() -> None:
    shop = world(healthy(), read_only=True)
    shop.after.the_newest = OLDER
    shop.after.attended = False

    async def script(t: Terminal) -> None:
        await t.until("run: rolled_back")
        await t.press("5", "w")
        shown = await t.until("Monitoring of run ab12cd34", "nobody watches")
        assert "stop early" not in shown
        assert "start again" not in shown
        for key in ("s", "r"):
            await t.press(key)
            await t.until("Not now: this terminal was started read-only.")

    drive(shop, script, folder=FOLDER, size=(60, 20))
    assert (shop.after.stopped, shop.after.resumed) == ([], [])


def test_a_run_that_was_chosen_in_step_6_shows_its_own_and_a_damaged_file_is_said() -> None:
    shop = world(healthy())
    shop.past = (*shop.past, msgspec.structs.replace(shop.past[0], folder=str(OLDER), run="8c30"))

    async def script(t: Terminal) -> None:
        await t.until("run: rolled_back")
        await t.press("6")
        await t.select("#runs", str(OLDER))
        await t.press("enter")
        await t.until(f"in {OLDER}")
        await t.press("w")
        await t.until("Monitoring of run 8c3038d4", "13 metrics, no alert")
        assert OLDER in shop.after.asked
        shop.after.down = "monitoring.jsonl holds a line that is not ours"
        await t.until("? the monitoring cannot be read: monitoring.jsonl holds a line")

    drive(shop, script, folder=FOLDER)


def test_a_new_terminal_says_which_run_is_looked_after_and_has_it_gone_on_with() -> None:
    shop = World()
    shop.after.the_newest = OLDER
    shop.after.watch(alarming(), attended=False)

    async def script(t: Terminal) -> None:
        await t.until("✗ run 8c3038d4 is watched until 05:12; 1 alert: error_rate  w shows it")
        assert shop.after.resumed == [OLDER]
        assert "no run" in t.text
        await t.press("w")
        await t.until("Monitoring of run 8c3038d4", "alerts above 4 %")
        await t.press("escape")
        shop.after.watch(ended(healthy()), attended=False, expected=False)
        await t.until("· run 8c3038d4 was watched until 05:12", seconds=15)

    drive(shop, script)


def test_without_such_a_run_a_new_terminal_is_as_ever() -> None:
    async def script(t: Terminal) -> None:
        await t.until("public.orders", "may we roll back?")
        await t.press("w")
        await t.until("Not now: no run of this project is looked after.")
        assert "watched" not in t.text

    drive(World(), script)
