"""Every decision of people, in order: those inside the runs' journals, and those of the audit
log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

from rollback_tui.core import events as ev
from rollback_tui.core.history.asker import parted, who
from rollback_tui.core.history.decisions import Decision
from rollback_tui.core.value import Value


class Entry(Value, frozen=True, kw_only=True):
    """One decision."""

    at: datetime
    """Wall clock, UTC."""
    who: str
    """Empty: not known."""
    where: str
    """From where: ``uid 1000, ssh 10.0.0.7, host ops-1``; the id is the kernel's own word, the rest
    was stated."""
    what: str
    detail: str = ""
    run: str = ""
    """UUID, or the beginning of one; empty: it concerns no run."""
    source: Literal["journal", "log"]
    """Of the run, or the audit log of the project."""
    line: int
    """Its number there."""


def of_log(decisions: Iterable[Decision]) -> Iterator[Entry]:
    """Yield the entries of the audit log."""
    for one in decisions:
        by, where = parted(one.who)
        yield Entry(
            at=one.at,
            who=by,
            where=where,
            what=one.what,
            detail=one.detail,
            run=one.run,
            source="log",
            line=one.seq,
        )


def of_journal(records: Iterable[ev.Record]) -> Iterator[Entry]:
    """Yield what people decided in one run. What was confirmed before it began is of whoever
    started it; an answer and an abort are of whoever sent them."""
    run = starter = ""
    for record in records:
        event = record.event
        if isinstance(event, ev.RunStarted):
            run, starter = event.run, who(event.operator)
        for said, what, detail in _decided(event, starter):
            by, where = parted(said)
            yield Entry(
                at=record.at,
                who=by,
                where=where,
                what=what,
                detail=detail,
                run=run,
                source="journal",
                line=record.seq,
            )


def _decided(event: ev.AnyEvent, starter: str) -> Iterator[tuple[str, str, str]]:
    """Yield (who, what, detail) of each decision in an event."""
    match event:
        case ev.RunStarted():
            yield from _confirmed(event, starter)
        case ev.CheckOverridden():
            yield starter, "check set aside", f"{event.name}: {event.reason}"
        case ev.SchemaForeseen(accepted=reason) if reason:
            left = ", ".join(d.object for d in event.verdict.leftover)
            yield starter, "difference accepted", f"{left}: {reason}" if left else reason
        case ev.StepsStarted():
            # Preflight lets no such plan begin without it.
            yield starter, "statement by statement", "agreed: what is done stays done"
        case ev.RecoveryPlanned():
            yield starter, "way back chosen", f"{event.rung}: {event.restores}"
        case ev.LostCounted():
            agreed = "an unknown number of" if event.agreed is None else f"{event.agreed:,}"
            yield starter, "loss agreed to", f"{agreed} rows written since"
        case ev.Answered(by="operator"):
            yield event.who, "question answered", f"{event.name}: {event.choice}"
        case ev.Answered():
            nobody = "the deadline" if event.by == "deadline" else "the configuration"
            yield nobody, "question not answered", f"{event.name}: {event.choice}"
        case ev.AbortAsked():
            yield event.who or "a signal", "abort asked for", ""
        case ev.SettleStarted(by="operator"):
            # Who that was stands in the audit log.
            yield "", "settled by hand", ""
        case _:
            return


_CONFIRMED = {
    "rollback": "plan confirmed",
    "recover": "recovery confirmed",
    "reapply": "reapplication confirmed",
}


def _confirmed(event: ev.RunStarted, starter: str) -> Iterator[tuple[str, str, str]]:
    plan = event.plan
    parts = [
        ", ".join(m.version for m in plan.migrations),
        f"on {event.target.database} ({event.target.fingerprint})",
        f"plan {event.plan_sha256[:12]}",
    ]
    if event.trigger:
        parts.append(f"trigger: {event.trigger}")
    if event.reason:
        parts.append(f"reason: {event.reason}")
    yield starter, _CONFIRMED[event.task], "; ".join(parts)
    dangerous = [str(s.index) for s in plan.statements if s.dangerous]
    if dangerous and event.task != "recover":
        yield starter, "loss acknowledged", f"statements {', '.join(dangerous)}"
    if event.keep:
        kept = ", ".join(map(str, event.keep))
        yield starter, "data to be kept", f"of statements {kept}"


def in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return them by time; those of one moment as they stand in their files."""
    return tuple(sorted(entries, key=lambda one: (one.at, one.run, one.source, one.line)))
