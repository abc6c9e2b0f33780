"""The points at which something is made to go wrong: read from a list, and taken from a run."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

LISTS = Path(__file__).parent / "points"

_ONLY_TOLD = {
    "phase_started",
    "phase_finished",
    "sql_sent",
    "check_judged",
    "proof_planned",
    "verification_judged",
    "impact_measured",
    "statement_started",
    "statement_finished",
    "loss_counted",
    "rows_compared",
    "version_changed",
}
"""Facts that nobody judges by: the moment before one and the moment after it are the same."""


_OF_NO_INTEREST = (
    "sql_sent: COMMENT ON COLUMN",
    "sql_sent: COMMENT ON SCHEMA",
    "sql_sent: COMMENT ON TABLE",
    "sql_sent: REVOKE",
)
"""Words about the run's own table, between making it and using it, in the one transaction."""


def listed(scenario: str) -> list[str]:
    """The points of a scenario, in order, as they are written down."""
    return (LISTS / f"{scenario}.txt").read_text("utf-8").splitlines()


def recorded(path: Path) -> list[str]:
    """The points of the run that was recorded in ``path``, those that are one moment merged.

    A new moment begins when something was done, when a fact was written that settling reads, and
    with each phase, because an exception takes another way there. Of one moment the last point
    stands for all.
    """
    moment, phase = 0, ""
    found: list[tuple[tuple[int, str], str]] = []
    for line in path.read_text("utf-8").splitlines():
        at = json.loads(line)
        when, _, name = str(at["point"]).partition(" ")
        if name.startswith(_OF_NO_INTEREST):
            continue
        kind = name.partition(":")[0].partition(" ")[0]
        told = kind in _ONLY_TOLD or when != "after"
        moment += bool(at["acts"]) + (not told) + (when == "during")
        if kind in ("phase_started", "phase_finished") and when == "after":
            phase = name if kind == "phase_started" else ""
        found.append(((moment, phase), at["point"]))
        moment += when == "during"
    return [list(same)[-1][1] for _, same in itertools.groupby(found, key=lambda each: each[0])]
