"""The key events of a run and of the hours after it, each one line. What comes in rows of the same
kind (checks, many statements, verifications that passed) is one line together."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rollback_tui.core import events as ev
from rollback_tui.core.follow_ups import FollowUp, Ticked
from rollback_tui.core.incident.after import afterwards
from rollback_tui.core.incident.course import moment
from rollback_tui.core.incident.values import Moment
from rollback_tui.core.model import CheckStatus
from rollback_tui.core.monitoring.values import MonitorView
from rollback_tui.core.notices import Post
from rollback_tui.core.report import words
from rollback_tui.core.report.afterwards import is_afterwards
from rollback_tui.core.run_view import RunView

_EACH = 12
"""As many statements are told one by one; more are told together, failures apart."""

_Row = ev.CheckJudged | ev.StatementFinished | ev.StatementSkipped | ev.VerificationJudged


def timeline(
    records: Sequence[ev.Record],
    view: RunView,
    *,
    monitoring: MonitorView,
    post: Post,
    ticks: Iterable[Ticked],
    items: Iterable[FollowUp],
) -> tuple[Moment, ...]:
    """Return all moments in their order; those of the journal stay in the journal's."""
    later = sorted(
        afterwards(view.started_at, monitoring, post, ticks, items), key=lambda one: one.at
    )
    # A clock that was set back must not put a run's own facts out of their order.
    newest: datetime | None = None
    journal: list[tuple[datetime, int, Moment]] = []
    for one in _of_the_run(records, view):
        newest = one.at if newest is None else max(newest, one.at)
        journal.append((newest, 0, one))
    merged = heapq.merge(journal, ((one.at, 1, one) for one in later), key=lambda each: each[:2])
    return tuple(one for _, _, one in merged)


def _of_the_run(records: Sequence[ev.Record], view: RunView) -> Iterator[Moment]:
    many = len(view.statements) > _EACH
    row: list[ev.Record] = []
    for record in records:
        if _in_a_row(record.event, many=many):
            if row and type(row[-1].event) is not type(record.event):
                yield _together(row, view)
                row = []
            row.append(record)
        elif (one := moment(record, view)) is not None:
            if row:
                yield _together(row, view)
                row = []
            yield one
    if row:
        yield _together(row, view)


def _in_a_row(event: ev.AnyEvent, *, many: bool) -> bool:
    """Whether it is told with its neighbours of the same kind."""
    if isinstance(event, ev.StatementFinished):
        return many
    if isinstance(event, ev.VerificationJudged):
        return event.verification.verdict == "pass" and not is_afterwards(event.verification)
    return isinstance(event, _Row)


def _together(row: Sequence[ev.Record], view: RunView) -> Moment:
    """One line for all of them, at the time of the last."""
    last = row[-1]
    checks = [r.event.check for r in row if isinstance(r.event, ev.CheckJudged)]
    if checks:
        found = Counter(check.status for check in checks)
        named: dict[CheckStatus, str] = {
            "pass": "passed",
            "warn": "warned",
            "fail": "FAILED",
            "unknown": "unknown",
        }
        counts = ", ".join(f"{found[s]} {word}" for s, word in named.items() if found[s])
        bad = bool(found["fail"] or found["unknown"])
        return Moment(
            at=last.at,
            elapsed=last.elapsed,
            what=f"{words.some(len(checks), 'safety check')} judged: {counts}",
            tone="attention" if bad else "plain",
        )
    verified = sum(isinstance(r.event, ev.VerificationJudged) for r in row)
    if verified:
        what = f"{words.some(verified, 'verification')} passed"
        return Moment(at=last.at, elapsed=last.elapsed, what=what, tone="good")
    return Moment(at=last.at, elapsed=last.elapsed, what=_statements(row, view))


def _statements(row: Sequence[ev.Record], view: RunView) -> str:
    done = [r.event for r in row if isinstance(r.event, ev.StatementFinished)]
    of = len(view.statements)
    if not done:
        skipped = [r.event.index for r in row if isinstance(r.event, ev.StatementSkipped)]
        return f"{_numbers(skipped)} of {of:,} skipped: done by an earlier run"
    text = f"{_numbers([event.index for event in done])} of {of:,} done"
    if len(done) > 1:
        slowest = max(done, key=lambda event: event.seconds)
        text += f"; the slowest, {slowest.index}, in {words.seconds(slowest.seconds)}"
    return text


def _numbers(indexes: Sequence[int]) -> str:
    if len(indexes) == 1:
        return f"Statement {indexes[0]}"
    return f"Statements {indexes[0]} to {indexes[-1]}"
