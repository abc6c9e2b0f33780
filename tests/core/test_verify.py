"""The verifications: what passes, what fails, and that unknown is neither."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rollback_tui.core import verify
from rollback_tui.core.model import RowChange
from tests.core.example import plan, verification

# --- rows -----------------------------------------------------------------------------------------


def test_rows_within_the_tolerance_pass_with_exact_numbers() -> None:
    result, changes = verify.rows_verification(
        {"a": 1000, "b": 5}, {"a": 990, "b": 5}, frozenset(), 0.99
    )
    assert result.verdict == "pass"
    assert result.evidence == ("a: 1,000 → 990 (-10)",)
    assert changes == (
        RowChange(table="a", before=1000, after=990),
        RowChange(table="b", before=5, after=5),
    )


def test_a_table_below_the_tolerance_fails() -> None:
    result, _ = verify.rows_verification({"a": 1000}, {"a": 989}, frozenset(), 0.99)
    assert result.verdict == "fail"
    assert result.evidence == ("a: 1,000 → 989 (-11)",)


def test_a_table_that_is_gone_fails_unless_the_plan_drops_it() -> None:
    before, after = {"a": 10, "b": 3}, {"a": 10}
    assert verify.rows_verification(before, after, frozenset(), 0.0)[0].verdict == "fail"
    result, changes = verify.rows_verification(before, after, {"b"}, 0.99)
    assert result.verdict == "pass"
    assert result.evidence == ("b: dropped by the plan, had 3 rows",)
    assert RowChange(table="b", before=3, after=None) in changes


@pytest.mark.parametrize(("before", "after"), [(None, 10), (10, None), (None, None)])
def test_a_table_that_was_not_counted_is_unknown(before: int | None, after: int | None) -> None:
    result, _ = verify.rows_verification(
        {"a": before, "b": 1}, {"a": after, "b": 1}, frozenset(), 0.99
    )
    assert result.verdict == "unknown"
    assert "a: not counted" in result.evidence[0]


def test_failing_is_stronger_than_not_knowing() -> None:
    result, _ = verify.rows_verification({"a": None, "b": 10}, {"a": 1, "b": 0}, frozenset(), 0.99)
    assert result.verdict == "fail"


def test_rows_that_the_plan_deletes_are_expected() -> None:
    result, _ = verify.rows_verification({"a": 100}, {"a": 40}, frozenset(), 0.99, {"a": 60})
    assert result.verdict == "pass"
    result, _ = verify.rows_verification({"a": 100}, {"a": 20}, frozenset(), 0.99, {"a": 60})
    assert result.verdict == "fail"


def test_a_new_table_is_no_loss() -> None:
    result, _ = verify.rows_verification({}, {"a": 4}, frozenset(), 0.99)
    assert (result.verdict, result.evidence) == ("pass", ("a: new, 4 rows",))


# --- the other questions ------------------------------------------------------------------------


def test_foreign_keys() -> None:
    assert verify.foreign_keys_verification([("a", 0), ("b", 0)]).verdict == "pass"
    broken = verify.foreign_keys_verification([("a", 0), ("b", 3), ("c", None)])
    assert broken.verdict == "fail"
    assert broken.evidence[0] == "b: 3 rows without counterpart"
    for missing in (None, "permission denied", ValueError("permission denied")):
        unknown = verify.foreign_keys_verification([("a", 0), ("b", missing)])
        assert unknown.verdict == "unknown"
        assert "1 of 2 foreign keys not checked" in unknown.summary
        assert unknown.evidence[0].startswith("b: not checked")


def test_the_version_must_be_the_goal_and_nothing_else_may_be_missing() -> None:
    assert verify.version_verification(["2", "1"], plan()).verdict == "pass"
    assert verify.version_verification(list(plan().applied[1:]), plan()).verdict == "pass"
    assert verify.version_verification(None, plan()).verdict == "unknown"
    still = verify.version_verification(["3", "2", "1"], plan())
    assert still.verdict == "fail"
    assert "still applied: 3" in still.evidence
    missing = verify.version_verification(["2"], plan())
    assert missing.verdict == "fail"
    assert "no longer applied: 1" in missing.evidence
    assert verify.version_verification([], plan()).verdict == "fail"
    first = replace(plan(), applied=plan().applied[:1], goal=None)
    assert verify.version_verification([], first).verdict == "pass"


def test_indexes() -> None:
    assert verify.indexes_verification((), ()).verdict == "pass"
    assert verify.indexes_verification((), ("public.i",)).verdict == "fail"
    assert verify.indexes_verification(None, ("public.i",)).verdict == "fail"
    assert verify.indexes_verification((), None).verdict == "unknown"
    old = verify.indexes_verification(("public.i",), ("public.i",))
    assert old.verdict == "pass"
    assert "before the run already" in old.evidence[0]
    assert verify.indexes_verification(("public.i",), ("public.i", "public.j")).verdict == "fail"


def test_sequences() -> None:
    behind = {"s": "s: would next give 2, t.a already holds 2"}
    assert verify.sequences_verification({}, {}).verdict == "pass"
    assert verify.sequences_verification(None, {}).verdict == "pass"
    assert verify.sequences_verification({}, None).verdict == "unknown"
    assert verify.sequences_verification({}, behind).verdict == "fail"
    assert verify.sequences_verification({}, behind).evidence == (behind["s"],)
    old = verify.sequences_verification(behind, behind)
    assert old.verdict == "pass"
    assert "before the run already" in old.evidence[0]


def test_another_transaction_id_means_the_script_ended_it() -> None:
    assert verify.transaction_verification("771", "771").verdict == "pass"
    assert verify.transaction_verification("771", "772").verdict == "fail"
    assert verify.transaction_verification("771", None).verdict == "unknown"


def test_the_gate_stops_at_a_failure_and_not_at_an_unknown() -> None:
    good, bad, blind = (verification(v, v) for v in ("pass", "fail", "unknown"))
    assert verify.gate([good, blind]) == "passed"
    assert verify.gate([good, blind, bad]) == "failed"
    assert verify.gate([]) == "failed"


def test_evidence_of_a_thousand_lines_is_capped() -> None:
    evidence = verify.limited([str(n) for n in range(1000)])
    assert len(evidence) == 41
    assert evidence[-1] == "… and 960 more"


def test_a_table_that_grew_is_not_said_to_have_lost_rows() -> None:
    judged, _ = verify.rows_verification(
        {"v": 5, "w": 7}, {"v": 7, "w": 5}, frozenset(), 0.99, {"v": 2, "w": 2}
    )
    assert judged.evidence == ("v: 5 → 7 (+2)", "w: 7 → 5 (-2), 2 deleted by the plan")
