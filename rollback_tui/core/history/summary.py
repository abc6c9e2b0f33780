"""What many runs come to together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from rollback_tui.core.history.filters import failed
from rollback_tui.core.history.metadata import PHASES, RunMetadata, seconds_of
from rollback_tui.core.value import Value

_MOST = 10
"""So many of each list of what happens most often."""


class Durations(Value, frozen=True, kw_only=True):
    """Some durations, in seconds."""

    runs: int
    """Of how many runs."""
    median: float
    p95: float
    """95 of 100 were not longer (nearest rank); with few runs it is the longest."""
    longest: float
    longest_run: str
    """Which run that was."""
    total: float


class PhaseDurations(Value, frozen=True, kw_only=True):
    """Of one phase, where it was needed and came to its end."""

    phase: str
    seconds: Durations


class Frequency(Value, frozen=True, kw_only=True):
    """How often something was."""

    name: str
    runs: int


class Group(Value, frozen=True, kw_only=True):
    """The runs of one database, or of one month."""

    name: str
    """``shop``, ``2026-03``; empty: not known."""
    runs: int
    rolled_back: int
    failed: int
    downtime_seconds: float
    """All of it together, of the runs of which it is known."""
    downtime_unknown: int
    """Of how many it is not."""


class Summary(Value, frozen=True, kw_only=True):
    """What the runs come to. Runs whose journal is damaged count as runs and nothing else."""

    runs: int
    first: str | None
    """When the oldest began: ISO 8601, UTC. None: there is none."""
    last: str | None
    outcomes: tuple[Frequency, ...]
    """The most frequent first."""
    tasks: tuple[Frequency, ...]
    rolled_back: int
    proven: int
    """Of these, those of which every verification passed."""
    proven_share: float | None
    """0 to 1; None: nothing was rolled back."""
    seconds: Durations | None
    """From the beginning of a run to its outcome; None: no run has one."""
    phases: tuple[PhaseDurations, ...]
    downtime: Durations | None
    """Of the runs that closed the door; None: none did."""
    downtime_unknown: int
    """Runs whose door is still closed, or whose journal does not say."""
    checks_failed: tuple[Frequency, ...]
    """Checks that failed, overridden or not, by the runs in which they did."""
    overrides: tuple[Frequency, ...]
    verifications_failed: tuple[Frequency, ...]
    verifications_unknown: tuple[Frequency, ...]
    aborted: int
    """Runs in which somebody asked for an abort."""
    alerts: tuple[Frequency, ...]
    """Metrics that raised an alert afterwards."""
    rows_lost: int | None
    """All together; None: of at least one run nobody knows."""
    by_database: tuple[Group, ...]
    by_month: tuple[Group, ...]


def summarise(runs: Sequence[RunMetadata]) -> Summary:
    """Return what ``runs`` come to together."""
    began = sorted(run.started_at for run in runs if run.started_at)
    done = [run for run in runs if run.task == "rollback" and run.outcome == "rolled_back"]
    proven = sum(run.proven and bool(run.verifications_passed) for run in done)
    lost = [run.rows_lost for run in runs]
    return Summary(
        runs=len(runs),
        first=began[0] if began else None,
        last=began[-1] if began else None,
        outcomes=_most((run.outcome for run in runs), None),
        tasks=_most((run.task for run in runs), None),
        rolled_back=len(done),
        proven=proven,
        proven_share=round(proven / len(done), 4) if done else None,
        seconds=_durations((run.seconds, run.run) for run in runs if run.finished_at),
        phases=_phases(runs),
        downtime=_durations(
            (run.downtime_seconds, run.run)
            for run in runs
            if run.door and run.downtime_seconds is not None
        ),
        downtime_unknown=sum(run.downtime_seconds is None for run in runs),
        checks_failed=_most(name for run in runs for name in run.checks_failed or ()),
        overrides=_most(name for run in runs for name in run.overrides or ()),
        verifications_failed=_most(name for run in runs for name in run.verifications_failed or ()),
        verifications_unknown=_most(
            name for run in runs for name in run.verifications_unknown or ()
        ),
        aborted=sum(bool(run.abort_asked) for run in runs),
        alerts=_most(name for run in runs for name in run.alerts or ()),
        rows_lost=None if None in lost else sum(rows or 0 for rows in lost),
        by_database=_groups(runs, lambda run: run.database),
        by_month=_groups(runs, lambda run: run.started_at[:7]),
    )


def _most(names: Iterable[str], most: int | None = _MOST) -> tuple[Frequency, ...]:
    ordered = sorted(Counter(names).items(), key=lambda one: (-one[1], one[0]))
    return tuple(Frequency(name=name, runs=count) for name, count in ordered[:most])


def _phases(runs: Sequence[RunMetadata]) -> tuple[PhaseDurations, ...]:
    found = []
    for phase in PHASES:
        seconds = [
            (taken, run.run) for run in runs if (taken := seconds_of(run, phase)) is not None
        ]
        durations = _durations(seconds)
        if durations is not None:
            found.append(PhaseDurations(phase=phase, seconds=durations))
    return tuple(found)


def _durations(measured: Iterable[tuple[float, str]]) -> Durations | None:
    ordered = sorted(measured)
    if not ordered:
        return None
    count = len(ordered)
    half = count // 2
    middle = [ordered[half][0]] if count % 2 else [ordered[half - 1][0], ordered[half][0]]
    return Durations(
        runs=count,
        median=round(sum(middle) / len(middle), 3),
        p95=round(ordered[math.ceil(0.95 * count) - 1][0], 3),
        longest=round(ordered[-1][0], 3),
        longest_run=ordered[-1][1],
        total=round(sum(seconds for seconds, _ in ordered), 3),
    )


def _groups(runs: Sequence[RunMetadata], of: Callable[[RunMetadata], str]) -> tuple[Group, ...]:
    names = sorted({of(run) for run in runs})
    return tuple(_group(name, [run for run in runs if of(run) == name]) for name in names)


def _group(name: str, runs: Sequence[RunMetadata]) -> Group:
    return Group(
        name=name,
        runs=len(runs),
        rolled_back=sum(run.outcome == "rolled_back" for run in runs),
        failed=sum(failed(run) for run in runs),
        downtime_seconds=round(sum(run.downtime_seconds or 0.0 for run in runs), 3),
        downtime_unknown=sum(run.downtime_seconds is None for run in runs),
    )
