"""What the schema will be like, from the rehearsal to the confirmation; and what proving costs."""

from __future__ import annotations

import msgspec
import pytest

from rollback_tui.core import events as ev
from rollback_tui.core.model import CheckResult, Verification
from rollback_tui.core.proof import Contents, ProofCost
from rollback_tui.core.run_view import RunView
from rollback_tui.ui.requests import Failure
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.proof_items import items
from rollback_tui.ui.widgets.proof_lines import (
    cost_in_full,
    cost_line,
    mark,
    used,
    verification_lines,
)
from rollback_tui.ui.widgets.schema_lines import (
    foreseen_words,
    in_full,
    mending_sql,
    verdict_words,
)
from tests.core.example import view
from tests.ui.fake import World, plan
from tests.ui.samples import LABEL, LOST_VIEW, clean, foreseen, rehearsal
from tests.ui.steering import Terminal, drive
from tests.ui.test_guided_path import set_aside
from tests.ui.test_preview import to_preview
from tests.ui.test_rehearsal import begin

MENDS = "ALTER TABLE public.users ALTER COLUMN email SET NOT NULL;"


def test_it_is_in_sight_judged_accepted_and_forgotten_when_it_is_another_one(
    world: World,
) -> None:
    world.the_rehearsal = rehearsal(foreseen=foreseen())

    async def script(t: Terminal) -> None:
        await to_preview(t)
        assert "schema afterwards: ? not known: rehearse with r" in t.text
        assert world.judged_with == [None]
        await begin(t)
        await t.until("schema afterwards: ✗ leaves 2 objects behind — see Safety (2), or v")
        await t.press("v")
        shown = await t.until("The schema afterwards", "the recorded baseline of 20240110090000")
        assert "should be  text NOT NULL" in shown and "c copies what would mend it" in shown
        await t.press("c")
        assert t.app.clipboard == MENDS
        await t.press("escape", "2")
        shown = await t.until("Schema restored (failed)", "proof: ~0.2 s of downtime, at most 60 s")
        assert world.judged_with[-1] is not None, "the checks are judged again, with the rehearsal"
        await t.select("#checks", "schema_restored")
        await t.press("o")
        await t.until("Accept exactly these 2 differences?", "any other", "is enum (sad,")
        await t.type("mood is used nowhere")
        await t.press("tab", "tab", "enter")
        await t.until("≈ accepted  Schema restored")
        for name in ("no_writers", "pooler"):
            await set_aside(t, name)
        await t.press("3")
        await t.until("≈ leaves 2 objects behind, accepted: mood is used")
        await t.press("m", "down", "space", "space", "space", "4")
        await t.until("proof adds ~0.2 s of downtime, at most 60 s", "≈ leaves 2 objects behind")
        # Other differences are not what was accepted.
        world.the_rehearsal = rehearsal(foreseen=foreseen(leftover=(LOST_VIEW, LABEL)))
        await t.press("escape", "3", "r")
        await t.until("Rehearse on a scratch database?")
        await t.focus("#rehearse-schema")
        await t.press("enter")
        await t.until("counts no more", "✗ leaves 2 objects behind")
        await t.press("4")
        await t.until("Step 4 is blocked: 1 check stands in the way")

    drive(world, script)


@pytest.mark.parametrize(
    ("kind", "words", "tone"),
    [
        ("identical", "✓ identical with the recorded baseline", "good"),
        ("equivalent", "≈ equivalent to the recorded baseline (1 note)", "good"),
        ("unknown", "? no baseline: rollback-tui baseline record", "warn"),
    ],
)
def test_each_verdict_has_its_own_glyph_and_words(kind: str, words: str, tone: str) -> None:
    said = verdict_words(clean(kind))
    assert said[0].startswith(words) and said[1] == tone


def test_drift_is_not_this_runs_doing_and_not_green() -> None:
    verdict = clean("drift", drift=(LOST_VIEW,))
    assert verdict_words(verdict) == ("! drift: 1 object differed before already", "warn")
    shown = in_full(verdict).plain
    assert "Different before already" in shown and "missing" in shown


def test_what_the_configuration_declares_says_so() -> None:
    found = rehearsal(foreseen=foreseen())
    declared = CheckResult(name="schema_restored", title="", status="warn", summary="")
    walk = Walk(plan=plan(), rehearsal=found, checks=(declared,))
    assert foreseen_words(walk)[0].endswith("accepted: declared in the configuration")
    # While it is being judged, what stands there is of an earlier rehearsal.
    again = msgspec.structs.replace(walk, judging=True)
    assert foreseen_words(again) == ("✗ leaves 2 objects behind", "bad")


def test_a_rehearsal_that_did_not_come_to_its_end_tells_nothing() -> None:
    walk = Walk(plan=plan(), rehearsal=rehearsal(failure="statement 3 failed"))
    words, tone = foreseen_words(walk)
    assert words.startswith("? not known") and tone == "warn"


def test_the_verdict_in_full_has_what_mends_and_why_something_cannot_be() -> None:
    verdict = foreseen(unsure=True)
    shown = in_full(verdict, accepted="mood is used nowhere").plain
    assert f"mend with  {MENDS}" in shown and "a label of an enum cannot be removed" in shown
    assert "≈ accepted: mood is used nowhere" in shown
    assert "may have differed already" in " ".join(shown.split())
    assert "order of columns differs: public.users" in shown
    assert mending_sql(verdict) == MENDS


# --- what proving costs ---------------------------------------------------------------------------


def cost(**more: object) -> ProofCost:
    values: dict[str, object] = {
        "budget_seconds": 60.0,
        "estimated_seconds": 75.0,
        "counted": ("public.users",),
        "fingerprinted": ("public.users",),
        "others": 17,
        "beyond": ("public.events",),
        "basis": "measured on this server",
    }
    return ProofCost(**{**values, **more})  # type: ignore[arg-type]


def test_what_is_not_reached_is_said_before_and_the_cost_is_bounded() -> None:
    walk = Walk(proof_cost=cost())
    assert "~01:00 of downtime, at most 60 s" in cost_line(walk).plain, "never more than the budget"
    assert "1 NOT reached" in cost_line(walk).plain
    assert "their contents stay unknown: public.events" in cost_in_full(walk).plain
    unknown = Walk(proof_cost=cost(estimated_seconds=None, beyond=()))
    assert "nobody knows how long, at most 60 s" in cost_line(unknown).plain
    failed = Walk(proof_failure=Failure(summary="no answer"))
    assert "? not known what proving costs: no answer" in cost_line(failed).plain


def verification(verdict: str, **more: object) -> Verification:
    return Verification(name="schema", title="Schema", verdict=verdict, summary="2 left", **more)  # type: ignore[arg-type]


def test_accepted_is_never_shown_as_passed() -> None:
    assert mark(verification("fail", accepted="mood is used nowhere"))[:2] == ("≈", "accepted")
    assert mark(verification("fail"))[:2] == ("✗", "fail")
    assert mark(verification("unknown", accepted="x"))[:2] == ("?", "unknown")


def contents(table: str, fingerprint: str, **more: object) -> Contents:
    return Contents(
        table=table,
        columns=("id",),
        rows=3 if fingerprint else None,
        fingerprint=fingerprint,
        **more,  # type: ignore[arg-type]
    )


def test_contents_before_and_after_are_compared_and_not_read_is_unknown() -> None:
    before = ev.ContentsTaken(
        when="before",
        seconds=0.5,
        contents=(contents("a", "1"), contents("b", "2"), contents("c", "", why="no time left")),
    )
    after = ev.ContentsTaken(
        when="after", seconds=0.5, contents=(contents("a", "1"), contents("b", "3"))
    )
    [(_, _, title, text)] = [i for i in items(view(before)) if i[0] == "contents"]
    assert title == "contents: 1 unknown, 2 before"
    [(_, mark_of, title, text)] = [i for i in items(view(before, after)) if i[0] == "contents"]
    assert title == "contents: 1 same, 1 differs, 1 unknown" and mark_of[1] == "warn"
    assert "no time left" in text.plain and "≠ differs" in text.plain


def test_the_budget_counts_what_was_read_before_and_the_phase_that_verifies() -> None:
    shown = view(
        ev.ProofPlanned(cost=cost()),
        ev.ContentsTaken(when="before", contents=(), seconds=0.5),
        ev.PhaseStarted(phase="verify"),
    )
    began = next(p.started for p in shown.phases if p.phase == "verify")
    assert began is not None
    assert used(shown, began + 2.0) == pytest.approx(2.5)
    assert used(RunView(), 9.0) == 0.0


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_verifications_arrive_on_the_console_and_accepted_ones_have_their_reason(
    world: World, size: tuple[int, int]
) -> None:
    from pathlib import Path

    world.begin(plan(), "a reason")
    world.drain()
    world.execute()

    async def script(t: Terminal) -> None:
        await t.until("5 of 5 done")
        world.happen(
            ev.SchemaForeseen(verdict=foreseen(), accepted="mood is used nowhere"),
            ev.ProofPlanned(cost=cost()),
            ev.PhaseFinished(phase="execute", status="done", seconds=0.3),
            ev.PhaseStarted(phase="verify"),
            ev.VerificationJudged(
                verification=verification(
                    "fail", accepted="foreseen and accepted: unused", seconds=0.12
                )
            ),
        )
        shown = await t.until("verifications ≈1", "of 60 s used", "≈ Schema  120 ms  foreseen and")
        assert "5 of 5 done" in shown
        assert ("DROP VIEW" in shown) == (size[1] > 30), "no room for the statements too"
        await t.press("5")
        shown = await t.until("accepted beforehand: 2", "≈ accepted")
        assert "✓" not in verification_lines(t.app.guide.walk.view or RunView()).plain
        world.gate()
        world.finish()
        await t.until("run: rolled_back")
        await t.press("4")
        await t.until("5 of 5 done")

    drive(world, script, folder=Path("/srv/rollback_runs/run-1"), size=size)
