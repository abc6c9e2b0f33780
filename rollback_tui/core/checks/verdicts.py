"""How a judgement is written down: one question, one answer, its evidence and its remedy."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rollback_tui.core.facts import Facts
from rollback_tui.core.model import CheckResult, CheckStatus
from rollback_tui.core.text import shorten

_LISTED = 20
_WIDTH = 200


class Question(msgspec.Struct, frozen=True):
    """One safety question. ``fixed``: a typed reason cannot set a failure aside."""

    name: str
    title: str
    fixed: bool = False

    def passed(self, summary: str, evidence: Iterable[str] = ()) -> CheckResult:
        """The answer is good."""
        return self._result("pass", summary, evidence, "", overridable=not self.fixed)

    def warned(self, summary: str, evidence: Iterable[str], remedy: str) -> CheckResult:
        """The operator should know; it does not stand in the way."""
        return self._result("warn", summary, evidence, remedy, overridable=not self.fixed)

    def failed(self, summary: str, evidence: Iterable[str], remedy: str) -> CheckResult:
        """It stands in the way."""
        return self._result("fail", summary, evidence, remedy, overridable=not self.fixed)

    def unknown(self, facts: Facts, fact: str, summary: str, remedy: str) -> CheckResult:
        """``fact`` could not be found out, which stands in the way like a failure.

        It can be set aside even where a failure cannot: otherwise there would be no way on.
        """
        reasons = [line for line in facts.unreadable if line.startswith(f"{fact}:")]
        return self.unknown_because(summary, reasons, remedy)

    def unknown_because(self, summary: str, evidence: Iterable[str], remedy: str) -> CheckResult:
        """As ``unknown``, where it is not a single fact that is missing."""
        return self._result("unknown", summary, evidence, remedy, overridable=True)

    def _result(
        self,
        status: CheckStatus,
        summary: str,
        evidence: Iterable[str],
        remedy: str,
        *,
        overridable: bool,
    ) -> CheckResult:
        return CheckResult(
            name=self.name,
            title=self.title,
            status=status,
            summary=shorten(summary, _WIDTH),
            evidence=listed(evidence),
            remedy=remedy,
            overridable=overridable,
        )


def listed(lines: Iterable[str]) -> tuple[str, ...]:
    """Return ``lines`` printable and short, and how many more there are."""
    every = [shorten(line, _WIDTH) for line in lines]
    if len(every) <= _LISTED:
        return tuple(every)
    return (*every[:_LISTED], f"… and {len(every) - _LISTED:,} more")


def some(number: int, noun: str, plural: str = "") -> str:
    """``1 row``, ``1,204 rows``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
