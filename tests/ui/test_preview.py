"""What the preview says of a statement: what goes, what fails, who waits, what is kept."""

from __future__ import annotations

import msgspec
import pytest

from rollback_tui.core import events as ev
from rollback_tui.core.errors import ConnectionFailed
from tests.ui.fake import HOSTILE, World, plan
from tests.ui.samples import changed_plan, outlook, violation, waits
from tests.ui.steering import Terminal, drive
from tests.ui.test_guided_path import confirm, set_aside
from tests.ui.test_screens import FOLDER, UNSAFE


async def to_preview(t: Terminal) -> None:
    await t.until("1 State ✓")
    await t.press("3")
    await t.until("5 statements", "DROP VIEW")


def line_of(t: Terminal, index: int) -> str:
    """The row of a statement in the list."""
    rows = t.text.splitlines()
    return next(row for row in rows if row.startswith("│") and f"  {index} " in row[:8])


async def read(t: Terminal) -> str:
    """Give the text the room of the list, and go back."""
    await t.press("enter")
    await t.pilot.pause()
    shown = " ".join(t.text.replace("│", " ").split())
    await t.press("escape")
    return shown


def test_the_plan_is_read_while_it_is_still_being_counted(world: World) -> None:
    world.may_count.clear()

    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.press("3")
        await t.until("5 statements", "loses: being counted", "counting …")
        assert "5,321 rows" not in t.text
        await t.press("4")
        await t.until("what goes is still being counted")
        world.may_count.set()
        await t.until("5,321 rows")
        assert "loses: being counted" not in t.text and "counting …" not in t.text

    drive(world, script)


async def answered(t: Terminal, world: World) -> None:
    """Wait until who is in the way was asked, answered and shown once more: what the answer does
    not show when the next question is asked would be too late."""
    asked = world.way_asked
    while world.way_asked < asked + 2:
        await t.pilot.pause(0.05)
    await t.pilot.pause()


def test_a_blocker_appears_on_its_statement_and_vanishes_with_the_next_answers(
    world: World,
) -> None:
    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.until("nobody blocks it now")
        assert t.app.guide.walk.interval == 1
        world.the_way = (waits(3), waits(2, 3, pid=4800, behind=0, application="report"))
        await answered(t, world)
        assert "2 statements blocked now by backoffice (pid 4714)" in t.text
        assert ", +1 other" in t.text
        assert "✗ blocked 4714" in line_of(t, 3)
        assert "✗ blocked 4800" in line_of(t, 2)
        assert "blocked" not in line_of(t, 1)
        await t.press("down", "down")
        shown = await t.until("waits now for backoffice (shop, pid 4714): has RowExclusive on")
        assert "2 behind" in shown
        world.the_way = ()
        await answered(t, world)
        assert "blocked" not in t.text
        assert "nobody blocks it now" in t.text

    drive(world, script, size=(120, 40))


def test_who_is_in_the_way_is_asked_only_while_it_is_shown(world: World) -> None:
    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.pilot.pause(1.2)
        assert world.way_asked == 0
        world.the_way = (waits(3),)
        await t.press("2")
        await t.until("1 statement blocked now by backoffice")
        await t.press("1")
        await t.until("sessions 4")
        before = world.way_asked
        await t.pilot.pause(1.5)
        assert world.way_asked <= before + 1, "an answer may have been under way"

    drive(world, script)


def test_an_answer_that_does_not_come_is_stale_and_never_empty(world: World) -> None:
    world.the_way = (waits(3),)
    real = world.in_the_way

    def down(_: object) -> None:
        raise ConnectionFailed("the server does not answer", "Look at it.")

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.until("1 statement blocked now")
        world.in_the_way = down  # type: ignore[method-assign,assignment]
        await t.until("? stale since", "the server does not answer")
        assert "? was blocked" in line_of(t, 3)
        assert "blocks it now" not in t.text
        world.in_the_way = real  # type: ignore[method-assign]
        await t.until("1 statement blocked now")

    drive(world, script)


def test_before_the_first_answer_nobody_is_said_to_be_away(world: World) -> None:
    def down(_: object) -> None:
        raise ConnectionFailed("the server does not answer", "Look at it.")

    world.in_the_way = down  # type: ignore[method-assign,assignment]

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.until("not known who is in the way: the server does not answer")
        assert "blocks it now" not in t.text

    drive(world, script)


def test_the_text_says_what_hangs_on_it_who_uses_it_and_what_was_written(world: World) -> None:
    world.the_outlook = outlook()

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.press("down")
        await t.until("k keeps it in an archive: ~640 KiB, ~100 ms more")
        shown = await read(t)
        assert "takes along view public.open_tokens by CASCADE" in shown
        assert "+ 312 rows written since 20240115103000" in shown
        assert "to review: deletes_data, access_exclusive_lock" in shown
        assert "no query seen names it" not in shown, "what it drops is not known here"
        await t.press("down")
        await t.until("will fail: view public.active_users depends on public.users.verified_at")
        await t.until("still used by shop, 88,123 calls: SELECT verified_at FROM users")

    drive(world, script)


def test_what_could_not_be_found_out_is_said_to_be_unknown(world: World) -> None:
    world.the_outlook = outlook(
        dependents=None, mentions=None, keepable=None, unreadable=("permission denied",)
    )

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.until("? unknown: what depends on it; who still uses it (permission denied)")
        await t.press("k")
        await t.until("Not now: what could be kept could not be found out:")
        assert t.app.guide.walk.keep == frozenset()

    drive(world, script)


def test_an_outlook_that_failed_is_not_an_empty_one(world: World) -> None:
    def down(_: object) -> None:
        raise ConnectionFailed("the line was lost", "Look at it.")

    world.outlook = down  # type: ignore[method-assign,assignment]

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.until("? unknown: what depends on it, who still uses it: the line was lost")
        await t.press("K")
        await t.until("Not now: what could be kept is not known: the line")

    drive(world, script)


@pytest.mark.parametrize(
    ("more", "row", "said"),
    [
        ({}, "✗ will fail", "✗ will fail: 3 rows of public.users have NULL in email"),
        (
            {"after": 2},
            "? may fail",
            "3 rows of public.users have NULL in email now, but statement 2",
        ),
        ({"count": None, "why": "it took too long"}, "? may fail", "not counted: it took too long"),
    ],
)
def test_rows_that_make_it_fail(world: World, more: dict[str, object], row: str, said: str) -> None:
    broken = changed_plan(5, violations=(violation(**more),))
    world.make_plan = lambda _: broken

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.press("d", "d", "d", "d")
        await t.until("5 of 5")
        assert row in line_of(t, 5)
        assert said in await read(t)

    drive(world, script)


def test_no_row_that_breaks_it_is_no_failure(world: World) -> None:
    fine = changed_plan(5, violations=(violation(count=0),))
    world.make_plan = lambda _: fine

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.press("end", "up")
        await t.until("5 of 5")
        assert "fail" not in line_of(t, 5) and "will fail" not in t.text

    drive(world, script)


def test_a_statement_that_does_nothing_now_says_so(world: World) -> None:
    effect = msgspec.structs.replace(plan().statements[1].effect, no_op=True, resolved=True)
    nothing = changed_plan(2, effect=effect, loss=())
    world.make_plan = lambda _: nothing

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.press("down")
        await t.until("does nothing as things are now")
        assert "no-op now" in line_of(t, 2)

    drive(world, script)


def test_keeping_is_marked_and_given_to_the_run(world: World) -> None:
    world.the_outlook = outlook()

    async def script(t: Terminal) -> None:
        await t.until("1 State ✓")
        await t.press("2")
        await t.until("We may not roll back")
        for name in ("no_writers", "pooler"):
            await set_aside(t, name)
        await t.press("3")
        await t.until("3 to review")
        await t.press("k")
        await t.until("It loses no data: there is nothing to keep.")
        await t.press("down", "k")
        await t.until("K kept in an archive", "Kept in an archive: 5,321 rows")
        assert "K 5,321 rows" in line_of(t, 2)
        await t.press("k")
        assert t.app.guide.walk.keep == frozenset()
        await t.press("K")
        await t.until("Keeps what 2 of 3 statements remove, in an archive:")
        assert t.app.guide.walk.keep == {2, 3}
        await t.press("down", "down", "k")
        await t.until("It cannot be kept: it is a DO block.")
        await t.press("K")
        assert t.app.guide.walk.keep == frozenset()
        await t.press("K", "m", "home", "space", "space", "space", "space")
        await t.until("all reviewed")
        await t.press("n")
        await t.until("keeps      what 2 of 3 statements remove, in an archive", "not rehearsed")
        await t.arm()
        await confirm(t)
        await t.until("run: checkpoint")

    drive(world, script, size=(120, 40))
    assert world.keep == {2, 3}
    assert world.rehearsal_given is None


def test_what_was_kept_is_proven_and_can_be_put_back(world: World) -> None:
    world.begin(plan(), "a reason")
    world.happen(
        ev.RowsKept(
            statement=3,
            schema="rollback_archive_6f1c",
            table="rollback_archive_6f1c.s3",
            relation="public.users",
            column="verified_at",
            rows=1204,
            seconds=0.1,
        )
    )

    async def script(t: Terminal) -> None:
        await t.until("kept 1,204 values of public.users.verified_at")
        await t.press("5")
        await t.until("· kept", "stands when that commits")
        world.happen(ev.Committed(xid="7788"))
        world.happen(ev.RunFinished(outcome="rolled_back", summary="done", report="x"))
        world.past = (world.summary("rolled_back"),)
        await t.until("✓ kept", "$ rollback-tui archive restore 6f1c --confirm shop")
        await t.press("6")
        await t.until("kept 1 table in rollback_archive_6f1c. When it is applied again: ")

    drive(world, script, folder=FOLDER, size=(120, 40))


def test_marking_reviewed_acknowledges_the_hazards(world: World) -> None:
    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.press("down")
        await t.until("to review: deletes_data, access_exclusive_lock")
        await t.press("space", "up")
        await t.until("✓ acknowledged: deletes_data, access_exclusive_lock")
        await t.press("u")
        await t.until("DROP TABLE  to review")

    drive(world, script, size=(120, 40))


def test_help_lists_every_hazard(world: World) -> None:
    from rollback_tui.core.script.hazards import EXPLANATIONS

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.press("question_mark")
        await t.until("Help · 3 Preview")
        seen = t.text
        for _ in range(12):
            await t.press("pagedown")
            seen += t.text
        for word, meaning in EXPLANATIONS.items():
            assert word in seen, word
            assert meaning.split()[0] in seen

    drive(world, script, size=(120, 40))


def test_enter_gives_the_text_the_room_and_back(world: World) -> None:
    async def script(t: Terminal) -> None:
        await to_preview(t)
        pane = t.app.screen.query_one("#entry")
        small = pane.size.height
        await t.press("enter")
        await t.pilot.pause()
        assert pane.has_focus and pane.size.height > small
        assert t.app.guide.walk.reviewed == frozenset(), "enter never means yes"
        await t.press("space")
        assert t.app.guide.walk.reviewed == {1}
        await t.press("enter")
        await t.pilot.pause()
        assert t.app.screen.query_one("#entries").has_focus and pane.size.height == small

    drive(world, script)


def test_hostile_names_around_a_statement_are_shown_literally(world: World) -> None:
    world.the_way = (waits(1, 2, 3, application=HOSTILE, user=HOSTILE, relation=HOSTILE),)
    world.the_outlook = outlook(unreadable=(HOSTILE,), dependents=None)
    broken = changed_plan(1, violations=(violation(relation=HOSTILE, name=HOSTILE),))
    world.make_plan = lambda _: broken

    async def script(t: Terminal) -> None:
        await to_preview(t)
        await t.until("[/red]", "blocked now by")
        for keys in (["enter"], ["escape", "down"], ["down"], ["2"]):
            await t.press(*keys)
            await t.pilot.pause(0.2)
            assert "[/red]" in t.text
            assert not UNSAFE.search(t.text), t.text

    drive(world, script, size=(120, 40))


def test_all_keys_have_room_at_80_columns(world: World) -> None:
    async def script(t: Terminal) -> None:
        await to_preview(t)
        for key in ("space", "d next to read", "r rehearse", "k keep", "K keep all", "? help"):
            assert key in t.text
        assert all(len(row) <= 80 for row in t.text.splitlines())

    drive(world, script)
