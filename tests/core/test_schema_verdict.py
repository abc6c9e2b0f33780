"""Whose doing a difference is, and what of it was agreed to."""

from __future__ import annotations

import msgspec
import pytest

from rollback_tui.core.mending import mend
from rollback_tui.core.schema import SchemaSnapshot, diff
from rollback_tui.core.schema_verdict import (
    SchemaVerdict,
    declared,
    evidence,
    summary,
    undeclared,
    unforeseen,
    verdict,
)
from rollback_tui.run.verifying.schema import judged

GOAL = SchemaSnapshot(
    objects={
        "table public.users": "",
        "column public.users.email": "character varying(80)\nnot null",
        "index public.users_email": "CREATE INDEX users_email ON public.users USING brin (email)",
        "comment on table public.users": "people",
        "type public.mood": "enum 'a'",
    },
    column_order={"public.users": ("id", "email")},
)


def changed(
    base: SchemaSnapshot, order: tuple[str, ...] = ("id", "email"), **changes: str | None
) -> SchemaSnapshot:
    """``base`` with other definitions, by the last word of the object's name; None: gone."""
    objects = dict(base.objects)
    for word, definition in changes.items():
        kind, _, name = word.partition("_")
        key = f"{kind} public.{name.replace('__', '.')}"
        objects.pop(key, None)
        if definition is not None:
            objects[key] = definition
    return SchemaSnapshot(objects=objects, column_order={"public.users": order})


CURRENT = changed(GOAL, type_mood="enum 'a', 'b'", table_more="")
"""What the newest migration is meant to make of the goal."""


def of(
    after: SchemaSnapshot,
    before: SchemaSnapshot = CURRENT,
    current: SchemaSnapshot | None = CURRENT,
) -> SchemaVerdict:
    """The verdict on ``after``."""
    return verdict(after, GOAL, before=before, current=current, origin="recorded", version="1")


def names(found: SchemaVerdict) -> tuple[list[str], list[str]]:
    """What is left over, and what had drifted."""
    return [d.object for d in found.leftover], [d.object for d in found.drift]


def test_without_a_baseline_it_is_unknown_and_says_what_to_do() -> None:
    found = verdict(GOAL, None, before=CURRENT, current=CURRENT, origin="none", version="1", why="")
    assert (found.kind, found.origin) == ("unknown", "none")
    assert "rollback-tui baseline record" in summary(found)
    assert judged(found).verdict == "unknown"


def test_identical_and_equivalent_pass() -> None:
    assert of(GOAL).kind == "identical"
    moved = changed(GOAL, order=("email", "id"))
    objects = {k: v for k, v in moved.objects.items() if not k.startswith("comment")}
    found = of(SchemaSnapshot(objects=objects, column_order=moved.column_order))
    assert (found.kind, len(found.notes)) == ("equivalent", 2)
    assert judged(found).verdict == "pass"


def test_what_nobody_could_read_is_not_called_identical() -> None:
    found = of(msgspec.structs.replace(GOAL, unread=("user mapping for app on server far",)))
    assert found.kind == "equivalent"
    assert found.notes == (
        "not compared, this role may not read it: user mapping for app on server far",
    )


def test_what_is_not_undone_is_left_over_though_the_run_did_not_touch_it() -> None:
    """The label was there before the run and is there after it: the migration made it."""
    found = of(changed(GOAL, type_mood="enum 'a', 'b'"))
    assert names(found) == (["type public.mood"], [])
    assert (found.kind, found.unsure, found.entangled) == ("leftover", False, ())


def test_what_was_so_before_and_is_no_migrations_is_drift() -> None:
    by_hand = {"index_by_hand": "CREATE INDEX by_hand ON public.users (email)"}
    found = of(changed(GOAL, **by_hand), before=changed(CURRENT, **by_hand))
    assert names(found) == ([], ["index public.by_hand"])
    assert (found.kind, judged(found).verdict) == ("drift", "pass")
    assert "not this run's doing" in "\n".join(evidence(found))
    gone = of(
        changed(GOAL, index_users_email=None), before=changed(CURRENT, index_users_email=None)
    )
    assert names(gone) == ([], ["index public.users_email"])


def test_what_the_run_changed_is_its_own_though_it_had_drifted() -> None:
    drifted = {"column_users__email": "text"}
    found = of(changed(GOAL, column_users__email="integer"), before=changed(CURRENT, **drifted))
    assert names(found) == (["column public.users.email"], [])
    assert found.entangled == ("column public.users.email",)
    assert "before the run already" in "\n".join(evidence(found))
    # As it should be again, by whatever way: no difference at all.
    assert of(GOAL, before=changed(CURRENT, **drifted)).kind == "identical"


def test_a_migration_that_was_meant_to_change_it_excuses_nothing() -> None:
    """It had drifted, and the down script was to bring it back and did not."""
    left = changed(GOAL, type_mood="enum 'a', 'c'")
    found = of(left, before=changed(CURRENT, type_mood="enum 'a', 'c'"))
    assert names(found) == (["type public.mood"], [])
    assert found.entangled == ("type public.mood",)


def test_without_the_current_baseline_nothing_is_excused_and_it_says_so() -> None:
    by_hand = {"table_by_hand": ""}
    found = of(changed(GOAL, **by_hand), before=changed(CURRENT, **by_hand), current=None)
    assert (found.kind, found.unsure) == ("leftover", True)
    assert "there is no baseline of the current version" in "\n".join(evidence(found))
    # What the run itself made cannot have been there before.
    assert not of(changed(GOAL, **by_hand), current=None).unsure


def test_both_together() -> None:
    by_hand = {"table_by_hand": ""}
    found = of(
        changed(GOAL, type_mood="enum 'a', 'b'", **by_hand), before=changed(CURRENT, **by_hand)
    )
    assert names(found) == (["type public.mood"], ["table public.by_hand"])
    assert found.kind == "leftover"
    assert "1 object drifted before" in summary(found)


def test_a_version_table_that_came_after_the_baseline_is_nobodys_leftover() -> None:
    table = {
        "table public.versions": "",
        "column public.versions.version": "text",
        "constraint public.versions.versions_pkey": "PRIMARY KEY (version)",
    }
    after = SchemaSnapshot(objects=GOAL.objects | table, column_order=GOAL.column_order)
    found = verdict(
        after,
        GOAL,
        before=after,
        current=None,
        origin="recorded",
        version="",
        bookkeeping=("public.versions",),
    )
    assert found.kind == "identical"


def test_for_more_differences_than_anybody_reads_nothing_is_derived() -> None:
    many = SchemaSnapshot(objects={f"table public.t{n}": "" for n in range(501)})
    (one,) = mend(diff(GOAL, many), wanted=GOAL, found=many)
    assert (one.sql, "no statements are derived" in one.why) == ((), True)


# --- what was agreed to -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ((), 3),
        (("type public.mood",), 2),
        (("table public.more",), 1),
        (("* public.m*",), 0),
        (("*",), 0),
        (("",), 3),
        (("table public.mor",), 3),
        (("table public_more",), 3),
    ],
)
def test_what_the_configuration_declares(patterns: tuple[str, ...], left: int) -> None:
    """With a table that was left behind its columns are declared as well."""
    after = changed(CURRENT, column_more__id="integer")
    differences = diff(GOAL, after)
    assert len(differences) == 3
    assert len(undeclared(differences, patterns)) == left
    assert len(declared(differences, patterns)) == 3 - left


def test_only_exactly_what_was_foreseen_goes_through_the_gate() -> None:
    met = diff(GOAL, CURRENT)
    assert unforeseen(met, met, ()) == ()
    assert unforeseen(met, met[:1], ()) == met[1:]
    other = diff(GOAL, changed(CURRENT, type_mood="enum 'a', 'b', 'c'"))
    assert [d.object for d in unforeseen(other, met, ())] == ["type public.mood"]


def test_the_gate_names_first_what_nobody_foresaw() -> None:
    foreseen = of(CURRENT)
    accepted = judged(foreseen, foreseen=foreseen.leftover, reason="known")
    assert (accepted.verdict, accepted.accepted) == ("fail", "foreseen and accepted: known")
    worse = of(changed(CURRENT, table_surprise=""))
    stopped = judged(worse, foreseen=foreseen.leftover, reason="known")
    assert (stopped.verdict, stopped.accepted) == ("fail", "")
    assert stopped.evidence[0] == "nobody foresaw or accepted: left behind: table public.surprise"
    partly = judged(worse, declarations=("* public.*",))
    assert partly.accepted == "declared in [verify] accept: 3 objects"
