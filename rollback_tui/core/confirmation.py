"""The one fact that the operator reads off the screen and types: how much goes.

A name can be typed from memory, and a version copied from a ticket. How many rows are lost is only
known to whoever has looked at this plan, as it was counted just now.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Literal

from rollback_tui.core.model import Plan
from rollback_tui.core.value import Value

Kind = Literal["rows", "overwritten rows", "values", "uncounted", "statements"]

# A whole number as people write it: 1234, or in groups of three with one kind of mark between
# them: comma, full stop, apostrophe, underscore, or any of the blanks (a narrow or hard one
# arrives by pasting). Numbers of rows have no decimals, so 1.234 can only be a thousand.
_GROUPED = re.compile(r"[0-9]{1,3}(?:([,.'’_ \u00a0\u2009\u202f])[0-9]{3})(?:\1[0-9]{3})*")
_MARKS = re.compile(r"[^0-9]")
_LONGEST = 40
"""Characters of a typed number that are looked at at all."""


class Fact(Value, frozen=True, kw_only=True):
    """What is asked, and what the answer is."""

    kind: Kind
    """``uncounted``: statements of which nobody counted all that they lose. They come before any
    number of rows: that number would be less than the truth."""
    number: int
    """The answer."""
    kept: bool = False
    """Part of it goes into an archive: it leaves its tables, and is not lost."""

    @property
    def question(self) -> str:
        """What to type, without the answer, which is to be read where the losses stand."""
        return {
            "rows": f"number of rows {self._gone} in all (see above)",
            "overwritten rows": "number of rows overwritten (see above)",
            "values": f"number of values {self._gone} in all (see above)",
            "uncounted": "number of statements NOT COUNTED (see above)",
            "statements": "number of statements that run (see above)",
        }[self.kind]

    @property
    def short(self) -> str:
        """The same for a narrow screen, 26 characters at most."""
        return {
            "rows": f"rows {self._gone}, in all",
            "overwritten rows": "rows overwritten, in all",
            "values": f"values {self._gone}, in all",
            "uncounted": "statements not counted",
            "statements": "statements that run",
        }[self.kind]

    @property
    def _gone(self) -> str:
        return "removed" if self.kept else "lost"

    def accepts(self, typed: str) -> bool:
        """Return whether ``typed`` is the answer: 1234, 1,234, 1 234, 1.234; nothing else.

        >>> Fact(kind="rows", number=1234).accepts(" 1 234 ")
        True
        >>> Fact(kind="rows", number=1234).accepts("12,34")
        False
        """
        text = typed.strip()
        if len(text) > _LONGEST:
            return False
        if not (text.isascii() and text.isdigit()) and not _GROUPED.fullmatch(text):
            return False
        # 007 is no way to write seven: whoever typed that copied something else.
        return _MARKS.sub("", text) == str(self.number)


class Toll(Value, frozen=True, kw_only=True):
    """All losses of a plan in one line; statements whose loss nobody counted are never zero."""

    rows: int = 0
    overwritten: int = 0
    """Rows that stay, and whose former values go."""
    values: int = 0
    uncounted: int = 0
    """Statements of which nobody counted all that they lose."""
    destructive: int = 0
    """Statements that lose data, or of which nobody knows."""
    shifting: bool = False
    """An earlier statement of the plan changes first what was counted: the numbers are of now."""

    @property
    def counted(self) -> str:
        """The numbers, as they stand on the screen: ``987 rows, 14,862 values``; empty without
        any."""
        parts = [
            _of(self.rows, "row"),
            _of(self.overwritten, "row") + " overwritten" if self.overwritten else "",
            _of(self.values, "value"),
        ]
        said = ", ".join(part for part in parts if part)
        return f"{said} (as of now)" if said and self.shifting else said

    def describe(self) -> str:
        """Return it in words."""
        if not self.uncounted:
            if not self.destructive:
                return "no data"
            return self.counted or "0 rows, 0 values"
        unknown = f"NOT COUNTED in {_of(self.uncounted, 'statement')}"
        return f"{unknown}; elsewhere {self.counted}" if self.counted else unknown


def toll(plan: Plan) -> Toll:
    """Return what ``plan`` takes away, as it was counted."""
    rows = overwritten = values = uncounted = destructive = 0
    shifting = False
    for statement in plan.statements:
        if not statement.dangerous:
            continue
        destructive += 1
        uncounted += not statement.loss or any(loss.count is None for loss in statement.loss)
        for loss in statement.loss:
            number = loss.count or 0
            shifting = shifting or (loss.count is not None and loss.after is not None)
            if loss.kind == "values":
                values += number
            elif loss.overwritten:
                overwritten += number
            else:
                rows += number
    return Toll(
        rows=rows,
        overwritten=overwritten,
        values=values,
        uncounted=uncounted,
        destructive=destructive,
        shifting=shifting,
    )


def fact(plan: Plan, keep: Set[int] = frozenset()) -> Fact:
    """Return what has to be typed for ``plan``; ``keep``: statements whose removed rows or values
    go into an archive first."""
    taken = toll(plan)
    kept = any(s.index in keep and s.dangerous for s in plan.statements)
    found: tuple[tuple[Kind, int], ...] = (
        ("uncounted", taken.uncounted),
        ("rows", taken.rows),
        ("overwritten rows", taken.overwritten),
        ("values", taken.values),
    )
    for kind, number in found:
        if number:
            return Fact(kind=kind, number=number, kept=kept)
    return Fact(kind="statements", number=len(plan.statements))


def _of(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if number else ""
