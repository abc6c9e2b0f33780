"""Verdicts on what changed and what did not, without a database."""

from __future__ import annotations

import msgspec

from rollback_tui.core import proving
from rollback_tui.core.elsewhere import Announced, elsewhere
from rollback_tui.core.model import Verification
from rollback_tui.core.schema import Difference
from rollback_tui.core.verify import rows_verification, sequences_verification
from rollback_tui.core.writes import TableWrite, Writes

UPDATED = TableWrite(oid=1, table="public.a", before="public.a", state="written", updated=2)
QUIET = Writes(tables=(), untouched=7)


def written(*tables: TableWrite) -> Writes:
    return Writes(tables=tables, untouched=7)


def compared(**more: object) -> proving.Compared:
    values = {"table": "public.a", "before": "1", "after": "1", "rows_before": 3, "rows_after": 3}
    return msgspec.convert({**values, **more}, proving.Compared)


def contents(writes: Writes, *found: proving.Compared) -> Verification:
    return proving.contents_verification(writes, found, foreseen=set(), uncompared=set())


def test_contents_that_are_the_same_pass_and_others_fail() -> None:
    assert contents(written(UPDATED), compared()).verdict == "pass"
    assert contents(written(UPDATED), compared(after="2")).verdict == "fail"
    assert contents(written(UPDATED), compared(rows_after=4)).verdict == "fail"
    assert contents(written(UPDATED), compared(after="", why="no time")).verdict == "unknown"
    assert contents(written(UPDATED)).verdict == "unknown"


def test_what_nobody_wrote_needs_no_reading() -> None:
    found = contents(QUIET, compared(after="", why="no time"))
    assert found.verdict == "pass"
    assert "no row written in 7 tables" in found.summary


def test_with_nobody_counting_only_what_was_read_passes() -> None:
    unknown = msgspec.structs.replace(UPDATED, state="unknown", updated=0)
    nobody = Writes(tables=(unknown,), untouched=0, unknown="track_counts is off")
    assert contents(nobody, compared()).verdict == "pass"
    assert contents(nobody).verdict == "unknown"


def nothing_else(writes: Writes, **more: object) -> Verification:
    values: dict[str, object] = {"written": writes, "rows": (), "schema": (), "unsure": ()}
    return proving.nothing_else_verification(by="the forecast", **{**values, **more})  # type: ignore[arg-type]


def test_a_surprise_fails_unless_nobody_could_have_known() -> None:
    assert nothing_else(QUIET).verdict == "pass"
    assert nothing_else(written(UPDATED), rows=(UPDATED,)).verdict == "fail"
    found = nothing_else(written(UPDATED), rows=(UPDATED,), unsure=("statement 2 (DO)",))
    assert found.verdict == "unknown"
    assert found.evidence[0] == "written: public.a: 2 rows updated"
    assert nothing_else(QUIET, unsure=("statement 2 (DO)",)).verdict == "pass"
    blind = Writes(tables=(), untouched=0, unknown="track_counts is off")
    assert nothing_else(blind).verdict == "unknown"


def test_what_was_rehearsed_and_did_not_happen_fails() -> None:
    gone = Difference(object="table public.a", before="x", after=None)
    found = nothing_else(QUIET, missing=(gone,))
    assert found.verdict == "fail"
    assert "did not change" in found.evidence[0]


def test_rows_that_need_no_counting() -> None:
    found, changes = rows_verification(
        {"a": None, "b": None},
        {"a": None, "b": None},
        set(),
        0.99,
        untouched={"a"},
        none_gone={"b"},
    )
    assert found.verdict == "pass"
    assert [c.untouched for c in changes] == [True, False]
    found, _ = rows_verification({"a": None}, {"a": None}, set(), 0.99)
    assert found.verdict == "unknown"


def test_a_sequence_set_back_fails_whatever_else_was_said() -> None:
    fine = sequences_verification({}, {})
    assert proving.moved_back((), fine) == fine
    assert proving.moved_back(("s: 9, now 5",), fine).verdict == "fail"
    assert proving.moved_back((), fine, unread=2).verdict == "unknown"


def test_a_constraint_that_became_looser_fails_and_an_old_one_does_not() -> None:
    loose = {1: ("public.a.c", "NOT VALID")}
    assert proving.constraints_verification({}, loose).verdict == "fail"
    assert proving.constraints_verification(loose, loose).verdict == "pass"
    assert proving.constraints_verification({}, loose, new={1}).verdict == "pass"


def test_what_is_still_there_fails() -> None:
    assert proving.gone_verification(2, []).verdict == "pass"
    found = proving.gone_verification(2, ["table public.a"])
    assert (found.verdict, found.evidence) == ("fail", ("still there: table public.a",))


def changed(name: str, before: str | None = "x", after: str | None = "y") -> Difference:
    return Difference(object=name, before=before, after=after)


def left(plan: Announced, *differences: Difference) -> list[str]:
    return [d.object for d in elsewhere(differences, plan)]


def test_a_change_belongs_to_what_is_named_and_to_nothing_with_a_similar_name() -> None:
    plan = Announced(named=frozenset({"public.users", "mood"}))
    assert left(plan, changed("column public.users.email"), changed("type public.mood")) == []
    others = ["table public.users2", "type audit.mood", "column public.user.s", "table audit.users"]
    assert left(plan, *map(changed, others)) == others


def test_an_index_belongs_to_its_table_and_a_view_does_not() -> None:
    plan = Announced(named=frozenset({"public.users"}))
    index = "CREATE INDEX i ON public.users (id)"
    assert left(plan, changed("index public.i", None, index)) == []
    view = "SELECT id FROM public.users"
    assert left(plan, changed("view public.v", view, f"{view} LIMIT 1")) == ["view public.v"]


def test_the_owner_of_what_is_announced_follows_it() -> None:
    plan = Announced(named=frozenset({"public.users"}))
    index = "CREATE SEQUENCE s OWNED BY public.users.id"
    found = [
        changed("sequence public.s", index, None),
        changed("owner of sequence public.s", "a", None),
    ]
    assert left(plan, *found) == []
    assert left(plan, changed("owner of table public.b")) == ["owner of table public.b"]


def test_what_is_only_written_differently_after_a_renaming_is_no_surprise() -> None:
    plan = Announced(named=frozenset({"public.users"}), renamed=frozenset({("email", "mail")}))
    view = changed(
        "view public.v", "SELECT u.email FROM users u", "SELECT u.mail AS email FROM users u"
    )
    assert left(plan, view) == []
    other = changed("view public.v", "SELECT u.email FROM users u", "SELECT u.phone FROM users u")
    assert left(plan, other) == ["view public.v"]
