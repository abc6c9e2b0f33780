"""Step 6 after the run: the checklist, the incident report, and who was told."""

from __future__ import annotations

from pathlib import Path

import msgspec

from rollback_tui.core.notices import Dropped, Post
from rollback_tui.ui.after import After
from rollback_tui.ui.told_words import told, undelivered_line
from tests.ui.fake import HOSTILE, World, plan
from tests.ui.fake_after import BEGUN, follow_ups, post
from tests.ui.steering import Terminal, drive

FOLDER = Path("/srv/rollback_runs/20260314_031209_ab12cd34")


def world(*, read_only: bool = False) -> World:
    made = World(read_only=read_only)
    made.begin(plan(), "the deploy failed")
    made.drain()
    made.execute()
    made.gate()
    made.finish()
    return made


def test_follow_ups_are_ticked_with_a_key_and_kept_with_who_and_a_note() -> None:
    shop = world()

    async def script(t: Terminal) -> None:
        await t.until("run: rolled_back")
        await t.press("6", "f")
        shown = await t.until("Follow-ups of run ab12cd34", "1 of 5 done", "[x]", "done by kim")
        assert shown.count("[ ]") == 4
        assert "note: the new column was read before the deploy" in shown
        await t.press("down", "space")
        await t.until("2 of 5 done")
        await t.press("space")
        await t.until("1 of 5 done", "open again by kim")
        await t.press("e")
        await t.until("A note to this follow-up", "Update the procedures")
        await t.press("escape")
        assert shop.after.ticked == [("procedures", True, ""), ("procedures", False, "")]
        await t.press("e")
        await t.until("A note to this follow-up")
        await t.type("in the wiki")
        # Enter in the field goes to Cancel.
        await t.press("enter", "tab", "enter")
        await t.until("note: in the wiki")
        assert shop.after.ticked[-1] == ("procedures", False, "in the wiki")
        await t.press("f")
        await t.until("follow-ups. Tab: the runs")

    drive(shop, script, folder=FOLDER)
    assert "MainThread" not in shop.after.threads


def test_none_of_many_ticks_is_lost_and_what_cannot_be_kept_is_said() -> None:
    shop = world()

    async def script(t: Terminal) -> None:
        await t.until("run: rolled_back")
        await t.press("6", "f")
        await t.until("1 of 5 done")
        # Faster than any answer.
        await t.press("down", "space", "down", "space", "down", "space", "down", "space")
        await t.until("5 of 5 done")
        assert {key for key, done, _ in shop.after.ticked if done} == {
            item.key for item in follow_ups()[1:]
        }
        shop.after.down = "the tick cannot be kept: no space left"
        await t.press("space")
        await t.until("the tick cannot be kept: no space left")
        assert "5 of 5 done" in t.text

    drive(shop, script, folder=FOLDER, size=(60, 20))


def test_a_terminal_that_only_looks_ticks_nothing() -> None:
    shop = world(read_only=True)

    async def script(t: Terminal) -> None:
        await t.until("run: rolled_back")
        await t.press("6", "f")
        await t.until("1 of 5 done", "READ-ONLY terminal")
        for key in ("space", "e"):
            await t.press(key)
            await t.until("Not now: this terminal was started read-only.")

    drive(shop, script, folder=FOLDER)
    assert shop.after.ticked == []


def test_the_incident_report_takes_the_place_of_the_other_and_names_its_files() -> None:
    shop = world()
    shop.after.text = f"# Incident\n\nThe shop was down for 6 s. {HOSTILE}\n"
    shop.after.the_post = post()

    async def script(t: Terminal) -> None:
        await t.until("run: rolled_back")
        await t.press("6")
        told = "! 1 notification not delivered yet: on-call (connection refused), 4 tries"
        await t.until("Rolled back and", told)
        await t.press("i")
        shown = await t.until("The shop was down for 6 s.", "incident.md, incident.html and")
        assert "→ i rollback report, f follow-ups" in shown
        assert "\x1b" not in shown
        assert "Rolled back and" not in shown
        assert shop.after.written == 1
        await t.press("r")
        await t.until("The shop was down")
        await t.press("i")
        await t.until("Rolled back and")
        assert shop.after.written == 2
        await t.press("t")
        await t.until("Who was told of run ab12cd34", "✓ chat", "! not delivered yet: on-call")
        shop.after.the_post = post(pending=False)
        shown = await t.until("✓ on-call")
        assert "Who was told of run ab12cd34" in shown
        await t.press("escape")
        shop.after.down = "the journal is damaged"
        await t.press("i")
        await t.until("the journal is damaged Look at the run's folder.", "i rollback report")

    drive(shop, script, folder=FOLDER)


def test_where_there_are_few_lines_the_report_has_them() -> None:
    shop = world()
    shop.past = tuple(shop.summary("rolled_back") for _ in range(9))

    async def script(t: Terminal) -> None:
        await t.until("run: rolled_back")
        await t.press("6")
        await t.until("Rolled back and")
        report, runs = t.app.screen.query_one("#report"), t.app.screen.query_one("#runs")
        assert report.content_size.height >= 4
        read = runs.size.height
        await t.press("shift+tab")
        await t.until("Rolled back and")
        assert runs.has_focus
        assert runs.size.height > read

    drive(shop, script, folder=FOLDER, size=(60, 20))


def test_while_no_report_is_shown_these_keys_say_so() -> None:
    shop = World()
    shop.past = (shop.summary("rolled_back"),)

    async def script(t: Terminal) -> None:
        await t.until("public.orders", "may we roll back?")
        await t.press("6")
        await t.until("Choose a run with enter.")
        for key in ("i", "f", "w", "t"):
            await t.press(key)
            await t.until("Not now: no report is shown.")

    drive(shop, script)


def after(found: Post | None) -> After:
    return After(folder=FOLDER, post=found)


def test_who_was_told_says_what_arrived_what_did_not_and_what_was_given_up() -> None:
    everything = told(after(post(pending=False))).plain
    assert "✓ on-call" in everything
    assert "at attempt 5" in everything
    pending = post()
    notice = msgspec.structs.replace(pending.notices[0], title=HOSTILE)
    dropped = Dropped(id=notice.id, place="on-call", at=BEGUN, why="no longer configured")
    said = told(after(msgspec.structs.replace(pending, notices=(notice,), dropped=(dropped,))))
    assert "✗ on-call  given up: no longer configured" in said.plain
    assert "\x1b" not in said.plain
    assert "Nobody was told" in told(after(Post())).plain
    assert "not known yet" in told(None).plain


def test_one_line_says_what_has_not_arrived() -> None:
    assert undelivered_line(None, 80) is None
    assert undelivered_line(after(post(pending=False)), 80) is None
    untried = msgspec.structs.replace(post(), attempts=())
    said = undelivered_line(after(untried), 80)
    assert said is not None
    assert said.plain == " ! 2 notifications not delivered yet: chat (not tried yet), and 1 other"
    for found in (post(), untried):
        narrow = undelivered_line(after(found), 60)
        assert narrow is not None
        assert narrow.cell_length <= 60
        assert (", and 1 other" in narrow.plain) == (found is untried)


def test_what_waits_for_what_came_before_it_says_so() -> None:
    first = msgspec.structs.replace(post(), attempts=())
    later = msgspec.structs.replace(first.notices[0], id="alert", title="Alert")
    said = told(after(msgspec.structs.replace(first, notices=(*first.notices, later)))).plain
    assert said.count("not delivered yet: on-call (after what did not arrive)") == 1
    assert said.index("after what did not arrive") < said.index("(not tried yet)")
