"""The fault matrix as a table, printed when the tests have ended; also under xdist, where the
figures come back with the reports."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tests.faults import points

PROPERTY = "fault matrix"
_FAULTS = (
    "kill worker",
    "exception",
    "server stop",
    "kill both",
    "SIGTERM",
    "SIGHUP terminal",
)


def figure(seconds: float, limit: float) -> str:
    """Return how long it took, in words, and whether that was longer than it usually may."""
    return f"{seconds:.2f} s" + (f" (over {limit:g} s)" if seconds > limit else "")


def note(request: pytest.FixtureRequest, fault: str, outcome: str, figure: str) -> None:
    """Keep one cell of the table: what came of ``fault`` at the point that is tested."""
    test = request.node.callspec.params
    scenario = test.get("scenario", "settle" if "settling" in request.node.name else "plain")
    request.node.user_properties.append(
        (PROPERTY, [scenario, test["point"], fault, outcome, figure])
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the cases noted: outcome, and seconds until an application wrote again."""
    cells: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for report in (r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind)):
        for name, value in report.user_properties:
            if name == PROPERTY and report.when == "call":
                scenario, point, fault, outcome, figure = value
                bad = " FAILED" if report.failed else ""
                cells[scenario, point][fault] = f"{outcome} {figure}{bad}"
    if not cells:
        return
    terminalreporter.section("fault matrix: outcome, seconds until an application wrote again")
    widths = [
        max(len(fault), *(len(row.get(fault, "")) for row in cells.values())) for fault in _FAULTS
    ]
    for scenario in sorted({scenario for scenario, _ in cells}):
        order = points.listed(scenario)
        rows = {point: cells[scenario, point] for point in order if (scenario, point) in cells}
        first = max(map(len, rows))
        head = "  ".join(f"{fault:<{width}}" for fault, width in zip(_FAULTS, widths, strict=True))
        terminalreporter.line(f"{scenario:<{first}}  {head}")
        for point, row in rows.items():
            line = "  ".join(
                f"{row.get(fault, ''):<{width}}"
                for fault, width in zip(_FAULTS, widths, strict=True)
            )
            terminalreporter.line(f"{point:<{first}}  {line}".rstrip())
