"""The history as people and spreadsheets read it: lines, tables of 80 columns, cells."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

import humanize

from rollback_tui.core.history.summary import Durations, Frequency, Group, Summary
from rollback_tui.core.history.trail import Entry
from rollback_tui.core.report import task
from rollback_tui.core.run_view import RunSummary
from rollback_tui.core.text import cells, printable, shorten

WIDTH = 80

_FORMULA = ("=", "+", "-", "@")
"""A spreadsheet takes a cell that begins with one of them for a formula, whoever wrote it."""


def cell(value: object) -> object:
    """Return a value as it is written into CSV: unknown is empty, lists are parted by blanks (of
    sentences: by `` | ``), and text that a spreadsheet would calculate begins with an apostrophe.

    >>> cell("=HYPERLINK(1)"), cell(-2.5), cell(None), cell(("20240101", "20240202"))
    ("'=HYPERLINK(1)", -2.5, '', '20240101 20240202')
    """
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        texts = [str(one) for one in value]
        value = (" | " if any(" " in text for text in texts) else " ").join(texts)
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def line(run: RunSummary) -> str:
    """Return one line of the history."""
    return printable(
        f"{run.run[:8]}  {run.started_at}  {run.outcome:<14}"
        f"  {humanize.precisedelta(run.seconds, format='%0.1f'):<28}"
        f"  {run.database}  {' '.join(run.versions)}"
        + ("" if run.proven else "  not all verifications passed")
        + (f"  ({task.of(run.task, run.recovers)})" if run.recovers else "")
    )


def summary_lines(found: Summary) -> Iterator[str]:
    """Yield the summary, at most 80 columns wide."""
    if not found.runs:
        yield "No runs."
        return
    span = f", {found.first[:10]} to {found.last[:10]}" if found.first and found.last else ""
    yield f"{_some(found.runs, 'run')}{span}"
    if found.proven_share is not None:
        yield (
            f"{found.rolled_back:,} rolled back, {found.proven:,} of them proven"
            f" ({found.proven_share:.0%}): every verification passed"
        )
    if found.aborted:
        yield f"{_some(found.aborted, 'run')} in which somebody asked for an abort"
    lost = "not known of every run" if found.rows_lost is None else f"{found.rows_lost:,}"
    yield f"rows lost: {lost}"
    yield from _frequencies("OUTCOME", found.outcomes)
    if any(one.name != "rollback" for one in found.tasks):
        yield from _frequencies("TASK", found.tasks)
    yield from _durations(found)
    yield from _frequencies("CHECK THAT FAILED", found.checks_failed)
    yield from _frequencies("CHECK SET ASIDE", found.overrides)
    yield from _frequencies("VERIFICATION THAT FAILED", found.verifications_failed)
    yield from _frequencies("VERIFICATION WITHOUT ANSWER", found.verifications_unknown)
    yield from _frequencies("ALERT AFTERWARDS", found.alerts)
    yield from _groups("DATABASE", found.by_database)
    yield from _groups("MONTH", found.by_month)


def _some(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def _padded(text: str, width: int) -> str:
    """``text`` in exactly ``width`` terminal cells."""
    short = shorten(text, width)
    return short + " " * (width - cells(short))


def _frequencies(title: str, found: Sequence[Frequency]) -> Iterator[str]:
    if found:
        yield ""
        yield f"{title:<48}{'RUNS':>8}"
        for one in found:
            yield f"{_padded(one.name or '(not known)', 48)}{one.runs:>8,}"


def _durations(found: Summary) -> Iterator[str]:
    named: list[tuple[str, Durations | None]] = [
        ("whole run", found.seconds),
        *((one.phase, one.seconds) for one in found.phases),
        ("door closed (downtime)", found.downtime),
    ]
    rows = [(name, seconds) for name, seconds in named if seconds is not None]
    if not rows:
        return
    yield ""
    yield f"{'SECONDS':<24}{'RUNS':>7}{'MEDIAN':>11}{'95 OF 100':>12}{'LONGEST':>12}  IN RUN"
    for name, one in rows:
        yield (
            f"{name:<24}{one.runs:>7,}{_brief(one.median):>11}{_brief(one.p95):>12}"
            f"{_brief(one.longest):>12}"
            f"  {printable(one.longest_run[:8])}"
        )
    if found.downtime is not None:
        yield f"downtime of all runs together: {_brief(found.downtime.total)} s" + (
            f"; of {_some(found.downtime_unknown, 'run')} it is not known"
            if found.downtime_unknown
            else ""
        )


def _groups(title: str, found: Sequence[Group]) -> Iterator[str]:
    yield ""
    yield f"{title:<32}{'RUNS':>8}{'ROLLED BACK':>13}{'FAILED':>8}{'DOWNTIME s':>13}"
    for one in found:
        yield (
            f"{_padded(one.name or '(not known)', 32)}{one.runs:>8,}{one.rolled_back:>13,}"
            f"{one.failed:>8,}{_downtime(one):>13}"
        )


def _brief(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds < 10 else f"{seconds:,.1f}"


def _downtime(group: Group) -> str:
    """What is not known is no zero."""
    if group.downtime_unknown == group.runs:
        return "not known"
    return _brief(group.downtime_seconds) + ("+?" if group.downtime_unknown else "")


def audit_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the decisions, each with a line of columns and what more there is to say below it, at
    most 80 columns wide."""
    yield f"{'WHEN (UTC)':<19}  {'RUN':<8}  {'WHAT':<26}  WHO"
    for one in entries:
        yield (
            f"{one.at:%Y-%m-%d %H:%M:%S}  {_padded(one.run[:8] or '-', 8)}"
            f"  {_padded(one.what, 26)}  {shorten(one.who or 'not known', 23)}"
        ).rstrip()
        for text in (one.detail, f"from {one.where}" if one.where else ""):
            yield from textwrap.wrap(
                printable(text), WIDTH, initial_indent=" " * 21, subsequent_indent=" " * 21
            )
