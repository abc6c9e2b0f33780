"""What has to be typed is what the plan takes away, as it was counted, and never less."""

from __future__ import annotations

import msgspec
import pytest

from rollback_tui.core.confirmation import Fact, fact, toll
from rollback_tui.core.model import Loss, Plan, Statement
from tests.ui.fake import plan as shop


def losing(*losses: tuple[Loss, ...] | None) -> Plan:
    """A plan whose statements lose this, one after the other; None: nobody knows what."""

    def changed(statement: Statement) -> Statement:
        mine = losses[statement.index - 1] if statement.index <= len(losses) else ()
        effect = msgspec.structs.replace(
            statement.effect, loses_data=None if mine is None else bool(mine)
        )
        return msgspec.structs.replace(statement, effect=effect, loss=mine or ())

    return shop().with_statements(changed)


def rows(count: int | None, **more: object) -> Loss:
    values: dict[str, object] = {"kind": "rows", "relation": "public.t", "count": count, **more}
    return Loss(**values)  # type: ignore[arg-type]


def values(count: int | None) -> Loss:
    return Loss(kind="values", relation="public.t", column="c", count=count)


@pytest.mark.parametrize(
    ("losses", "asked", "said"),
    [
        (((rows(900),), (rows(87), values(12))), ("rows", 987), "987 rows, 12 values"),
        (((values(7431),), (values(7431),)), ("values", 14_862), "14,862 values"),
        (((rows(1, overwritten=True),),), ("overwritten rows", 1), "1 row overwritten"),
        # A number of rows would be less than the truth where part of it was not counted.
        (
            ((rows(900),), None),
            ("uncounted", 1),
            "NOT COUNTED in 1 statement; elsewhere 900 rows",
        ),
        (((rows(None),), (rows(None), rows(3))), ("uncounted", 2), None),
        ((None,), ("uncounted", 1), "NOT COUNTED in 1 statement"),
        # An empty table goes: counted, and nothing to type a number of.
        (((rows(0),),), ("statements", 5), "0 rows, 0 values"),
        ((), ("statements", 5), "no data"),
        (((rows(5, after=1),),), ("rows", 5), "5 rows (as of now)"),
    ],
)
def test_the_figure_is_the_largest_harm_that_is_known(
    losses: tuple[tuple[Loss, ...] | None, ...], asked: tuple[str, int], said: str | None
) -> None:
    made = losing(*losses)
    assert (fact(made).kind, fact(made).number) == asked
    if said is not None:
        assert toll(made).describe() == said


def test_what_is_kept_is_removed_and_not_lost() -> None:
    made = losing((rows(900),), (rows(87),))
    assert fact(made).question == "number of rows lost in all (see above)"
    kept = fact(made, {2})
    assert (kept.question, kept.number) == ("number of rows removed in all (see above)", 987)
    assert not fact(made, {4}).kept, "statement 4 takes nothing away"


def test_the_question_never_gives_the_answer_away() -> None:
    for losses in (((rows(987),),), ((values(987),),), (None,), ()):
        asked = fact(losing(*losses))
        assert not any(c.isdigit() for c in asked.question + asked.short)
        assert len(asked.question) <= 45
        assert len(asked.short) <= 29


@pytest.mark.parametrize(
    "typed",
    [
        "1234567",
        "1,234,567",
        "1 234 567",
        "1.234.567",
        "1'234'567",
        "1\u202f234\u202f567",
        " 1234567 ",
    ],
)
def test_it_may_be_written_as_people_write_numbers(typed: str) -> None:
    assert Fact(kind="rows", number=1_234_567).accepts(typed)


@pytest.mark.parametrize(
    "typed",
    sorted(
        {"", "1234568", "123456", "1,234.567", "12,34,567", "1234,567", "-1234567"}
        | {"01234567", "1e6", "١٢٣٤٥٦٧", "1,234,567" * 9, "unknown", "1234567\n1", "1234567 rows"}
    ),
)
def test_anything_else_is_not_the_same(typed: str) -> None:
    assert not Fact(kind="rows", number=1_234_567).accepts(typed)
