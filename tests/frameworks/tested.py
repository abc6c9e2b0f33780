"""Which frameworks were tested with their real program, and which were not, and why: printed at
the end, so that nobody takes a test that was skipped for one that passed."""

from __future__ import annotations

from collections import defaultdict

import pytest

from rollback_tui.frameworks.registry import FRAMEWORKS
from tests.frameworks import installed

PROPERTY = "real program"

PROGRAMS = {
    "alembic": "alembic",
    "db-migrate": "db-migrate",
    "dbmate": "dbmate",
    "django-admin": "django",
    "graphile-migrate": "graphile-migrate",
    "knex": "knex",
    "node-liquibase": "liquibase",
    "node-pg-migrate": "node-pg-migrate",
    "postgrator": "postgrator",
    "rake": "rails",
    "sequelize-cli": "sequelize",
    "sql-migrate": "sql-migrate",
    "sqitch": "sqitch",
    "typeorm": "typeorm",
    "yoyo": "yoyo",
}
"""Program → the framework that it is the real program of."""


def note(report: pytest.TestReport) -> None:
    """Write into the report which programs the test has asked for; it goes to the process that
    prints."""
    # A fixture asks before the test itself is reported.
    report.user_properties.extend((PROPERTY, name) for name in dict.fromkeys(installed.asked_for))
    if report.when == "teardown":
        installed.asked_for.clear()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line for each framework whose program a test has asked for."""
    passed: dict[str, int] = defaultdict(int)
    other: dict[str, str] = {}
    for kind in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(kind):
            # What failed before any test ran (a file that cannot be imported) has asked for none.
            if not isinstance(report, pytest.TestReport):
                continue
            names = {PROGRAMS.get(str(v)) for k, v in report.user_properties if k == PROPERTY}
            for name in names - {None}:
                assert name is not None
                if kind == "passed":
                    passed[name] += report.when == "call"
                else:
                    other[name] = f"{kind.upper()}: {_reason(report)}"
    if not passed and not other:
        return
    terminalreporter.section("frameworks, with their real programs")
    names = sorted({*passed, *other})
    width = max(map(len, names))
    for name in names:
        count = f"{passed[name]} test{'' if passed[name] == 1 else 's'} passed"
        said = [count if passed[name] else "", other.get(name, "")]
        terminalreporter.line(f"{name:<{width}}  {'; '.join(part for part in said if part)}")
    rest = sorted(set(FRAMEWORKS) - {*passed, *other} - set(PROGRAMS.values()))
    missed = sorted(set(PROGRAMS.values()) & set(FRAMEWORKS) - {*passed, *other})
    terminalreporter.line(f"against the record of what the tool does: {', '.join(rest)}")
    if missed:
        terminalreporter.line(f"not asked for by the tests that ran: {', '.join(missed)}")


def _reason(report: pytest.TestReport) -> str:
    """Return why it was skipped, or which test it is."""
    if report.skipped and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return report.nodeid
