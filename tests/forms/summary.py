"""How many forms were compared, printed when the tests have ended."""

from __future__ import annotations

from collections import Counter

import pytest

PROPERTY = "statement form"


def note(request: pytest.FixtureRequest, major: int, *, agrees: bool) -> None:
    """One form was executed on a server of this version."""
    request.node.user_properties.append((PROPERTY, [major, agrees]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of forms by server version, and how many disagreed."""
    agreed: Counter[int] = Counter()
    executed: Counter[int] = Counter()
    for kind in ("passed", "failed"):
        for report in terminalreporter.getreports(kind):
            for name, value in report.user_properties:
                if name == PROPERTY and report.when == "call":
                    executed[value[0]] += 1
                    agreed[value[0]] += value[1]
    if executed:
        terminalreporter.section("statement forms: forecast against measurement")
    for major in sorted(executed, reverse=True):
        terminalreporter.line(
            f"PostgreSQL {major}: {executed[major]} forms executed, {agreed[major]} as forecast"
        )
