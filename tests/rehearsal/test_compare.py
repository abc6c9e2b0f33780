"""Differences between forecast and measurement, in words."""

from __future__ import annotations

import msgspec
import pytest

from rollback_tui.core.model import Effect, Lock, Loss, Statement
from rollback_tui.core.rehearsal import Dropped, Measured, RowsChanged
from rollback_tui.rehearsal.compare import differences, rows_differ

AX, SUX, RX = "AccessExclusive", "ShareUpdateExclusive", "RowExclusive"

FORECAST = Effect(
    kind="ALTER TABLE … DROP COLUMN",
    locks=(Lock(relation="public.t", mode=AX),),
    rewrites=False,
    scans=False,
    loses_data=True,
    transactional=True,
    drops=(("column", "public.t.a"),),
    resolved=True,
    hazards=("deletes_data", "access_exclusive_lock"),
)
MEASURED = Measured(
    index=1,
    seconds=0.1,
    transactional=True,
    locks=(Lock(relation="public.t", mode=AX),),
    rewritten=(),
    scanned=(),
    dropped=(Dropped(kind="table column", name="public.t.a", collateral=False),),
    changed=(),
    rows=None,
)


def _measured(**changes: object) -> Measured:
    return msgspec.structs.replace(MEASURED, **changes)


def _forecast(**changes: object) -> Effect:
    return msgspec.structs.replace(FORECAST, **changes)


def test_what_agrees_has_no_differences() -> None:
    assert differences(FORECAST, MEASURED, {}) == ()


@pytest.mark.parametrize(
    ("measured", "held", "words"),
    [
        ({"locks": ()}, {}, "did not lock public.t: AccessExclusive had been forecast"),
        ({"locks": ()}, {"public.t": AX}, None),
        ({"locks": ()}, {"public.t": RX}, "did not lock public.t"),
        (
            {"locks": (Lock(relation="public.t", mode=SUX),)},
            {},
            "locked public.t less strongly than forecast: ShareUpdateExclusive, not Acc",
        ),
        (
            {"locks": (*MEASURED.locks, Lock(relation="public.p", mode=AX))},
            {},
            "locked public.p (AccessExclusive): that was not forecast",
        ),
        ({"rewritten": ("public.t",)}, {}, "wrote public.t anew: no rewrite had been forecast"),
        ({"scanned": ("public.t",)}, {}, "read all of public.t: no scan had been forecast"),
        (
            {
                "dropped": (
                    *(MEASURED.dropped or ()),
                    Dropped(kind="view", name="public.v", collateral=True),
                )
            },
            {},
            "dropped view public.v: that was not forecast",
        ),
        ({"dropped": ()}, {}, "did not drop column public.t.a: that had been forecast"),
        ({"locks": None, "dropped": None, "rewritten": None, "scanned": None}, {}, None),
        ({"failed": "no", "locks": None}, {}, None),
    ],
)
def test_each_difference_is_said(
    measured: dict[str, object], held: dict[str, str], words: str | None
) -> None:
    found = differences(FORECAST, _measured(**measured), held)
    assert [text[: len(words)] for text in found] == [words] if words else found == ()


def test_a_stronger_lock_and_a_missing_rewrite_are_said() -> None:
    effect = _forecast(locks=(Lock(relation="public.t", mode=SUX),), rewrites=True)
    assert differences(effect, MEASURED, {}) == (
        "locked public.t more strongly than forecast: AccessExclusive, not ShareUpdateExclusive",
        "wrote no table anew: a rewrite had been forecast",
    )


def test_what_was_not_known_is_no_difference() -> None:
    unknown = Effect(kind="DO", basis="unknown", hazards=("cannot_forecast",))
    measured = _measured(rewritten=("public.t",), scanned=("public.t",))
    assert differences(unknown, measured, {}) == ()


def test_rows_other_than_counted_are_said() -> None:
    statement = Statement(
        index=1,
        start=0,
        end=1,
        line=1,
        sql="x",
        effect=FORECAST,
        loss=(
            Loss(kind="rows", relation="public.t", count=3),
            Loss(kind="rows", relation="public.u", count=None),
            Loss(kind="values", relation="public.t", column="a", count=9),
        ),
    )
    changed = (RowsChanged(relation="public.t", inserted=0, updated=1, deleted=1),)
    assert rows_differ(statement, _measured(changed=changed)) == (
        "2 rows of public.t went, 3 had been counted",
    )
    changed = (RowsChanged(relation="public.t", inserted=0, updated=0, deleted=3),)
    assert rows_differ(statement, _measured(changed=changed)) == ()
    assert rows_differ(statement, _measured(changed=None)) == ()
