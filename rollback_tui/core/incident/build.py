"""From the facts to the report: the journal, the monitoring, who was told, what was ticked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from rollback_tui.core import events as ev
from rollback_tui.core.follow_ups import FollowUp, Ticked, needed, noted_trigger, ticked
from rollback_tui.core.incident.course import ASKED
from rollback_tui.core.incident.impact import impact
from rollback_tui.core.incident.resolution import resolution
from rollback_tui.core.incident.severity import severity
from rollback_tui.core.incident.timeline import timeline
from rollback_tui.core.incident.values import (
    Alarmed,
    Answer,
    Cause,
    Checked,
    Closed,
    Evidence,
    File,
    Hooked,
    Incident,
    Kind,
    Migrated,
    Notified,
    Override,
    People,
    StartedFrom,
    Version,
)
from rollback_tui.core.incident.watched import monitoring as summed_up
from rollback_tui.core.monitoring.values import MonitorView
from rollback_tui.core.notices import Notice, Post
from rollback_tui.core.report import words
from rollback_tui.core.run_view import RunView, fold


def build(
    records: Iterable[ev.Record],
    *,
    folder: str,
    monitoring: MonitorView | None = None,
    post: Post | None = None,
    ticks: Sequence[Ticked] = (),
    problems: Sequence[str] = (),
) -> Incident:
    """Return the incident report of a run, whether it is over or not.

    ``problems``: what could not be read, in words. The same facts give the same report.
    """
    found = _Found(
        folder=folder,
        records=tuple(records),
        monitoring=monitoring or MonitorView(),
        post=post or Post(),
        ticks=tuple(ticks),
        problems=tuple(problems),
    )
    return _report(found, fold(found.records))


class _Found(NamedTuple):
    """All that the report is made of."""

    folder: str
    records: tuple[ev.Record, ...]
    monitoring: MonitorView
    post: Post
    ticks: tuple[Ticked, ...]
    problems: tuple[str, ...]


def _report(found: _Found, view: RunView) -> Incident:
    items = ticked(needed(view, found.monitoring), found.ticks)
    started = view.started
    kind, type_ = _type(started)
    return Incident(
        run=started.run if started else None,
        folder=found.folder,
        as_of=_as_of(found),
        kind=kind,
        type=type_,
        title=_title(view),
        status=words.status(view),
        outcome=view.outcome,
        summary=view.finished.summary if view.finished else "",
        severity=severity(view),
        cause=_cause(started, items),
        environment=(started.environment or None) if started else None,
        target=started.target if started else None,
        recovers=(started.recovers or None) if started else None,
        framework=started.plan.framework if started else None,
        version=Version(
            before=started.plan.current if started else None,
            after=_version_after(view),
            words=_versions(view),
        ),
        migrations=_migrations(started),
        started_at=view.started_at,
        finished_at=view.finished_at,
        seconds=round(view.elapsed, 3),
        door=_door(found.records),
        timeline=timeline(
            found.records,
            view,
            monitoring=found.monitoring,
            post=found.post,
            ticks=found.ticks,
            items=items,
        ),
        impact=impact(found.records, view, found.monitoring),
        resolution=resolution(found.records, view),
        evidence=_evidence(view),
        people=_people(found.records, view),
        monitoring=summed_up(found.monitoring, view),
        notified=tuple(_notified(found.post)),
        hooks=_hooks(found.records),
        alarms=tuple(Alarmed(summary=one.summary, remedy=one.remedy) for one in view.alarms),
        follow_ups=items,
        files=tuple(File(what=what, path=path) for what, path in words.paths(view)),
        next_commands=words.next_commands(view),
        problems=found.problems,
    )


_KINDS: dict[str, tuple[Kind, str]] = {
    "rollback": ("rollback", "Rollback of a migration"),
    "recover": ("recovery", "Recovery after a rollback"),
    "reapply": ("reapplication", "Reapplication of a migration"),
}


def _type(started: ev.RunStarted | None) -> tuple[Kind, str]:
    kind, text = _KINDS[started.task if started else "rollback"]
    if started is not None and started.environment:
        text += f" in {started.environment}"
    return kind, text


def _title(view: RunView) -> str:
    started = view.started
    if started is None:
        return "A run that never started"
    versions = [m.version for m in started.plan.migrations]
    what = f"migration {versions[0]}" if len(versions) == 1 else f"{len(versions)} migrations"
    doing = {"rollback": "Rollback of", "recover": "Recovery after", "reapply": "Reapplication of"}
    return f"{doing[started.task]} {what} in {started.target.database}"


def _cause(started: ev.RunStarted | None, items: Iterable[FollowUp]) -> Cause:
    if started is None:
        return Cause(trigger=None, trigger_by=None, trigger_at=None, reason=None, started_from=None)
    attended: dict[bool | None, StartedFrom] = {True: "screens", False: "command line"}
    noted = noted_trigger(items)
    return Cause(
        trigger=noted.note if noted else started.trigger or None,
        trigger_by=noted.by if noted else None,
        trigger_at=noted.at if noted else None,
        reason=started.reason or None,
        started_from=attended.get(started.attended),
    )


def _as_of(found: _Found) -> datetime | None:
    """The newest fact: nothing in the report depends on when it is made."""
    monitoring, post = found.monitoring, found.post
    times = [found.records[-1].at] if found.records else []
    times += [monitoring.begun.at] if monitoring.begun else []
    times += [monitoring.ended.at] if monitoring.ended else []
    times += [monitoring.impact.at] if monitoring.impact else []
    times += [monitoring.samples[-1].at] if monitoring.samples else []
    times += [sent.at for sent in post.attempts] + [one.at for one in post.dropped]
    times += [tick.at for tick in found.ticks]
    return max(times, default=None)


def _version_after(view: RunView) -> str | None:
    if view.started is None:
        return None
    plan = view.started.plan
    if not plan.version_table or plan.version_stays:
        return None
    if view.outcome == "rolled_back":
        return plan.goal
    return plan.current if view.outcome in ("refused", "unchanged", "recovered") else None


def _versions(view: RunView) -> str:
    if view.started is None:
        return "not known"
    plan = view.started.plan
    if not plan.version_table:
        return "not known: no framework is known"
    tool = f"({plan.framework}, {plan.version_table})"
    if plan.version_stays:
        return f"{plan.current_words}, not changed: {plan.version_stays} {tool}"
    if view.outcome == "rolled_back":
        return f"from {plan.current_words} to {plan.goal_words} {tool}"
    if view.outcome in ("refused", "unchanged", "recovered"):
        return f"{plan.current_words}, as before {tool}"
    return f"{plan.current_words} before; now not known {tool}"


def _migrations(started: ev.RunStarted | None) -> tuple[Migrated, ...]:
    return tuple(
        Migrated(
            version=m.version,
            name=m.name,
            applied_at=m.applied_at,
            script=m.script.path if m.script else "",
            sha256=m.script.sha256 if m.script else "",
        )
        for m in (started.plan.migrations if started else ())
    )


def _door(records: Iterable[ev.Record]) -> tuple[Closed, ...]:
    found: list[Closed] = []
    since: float | None = None
    for record in records:
        if isinstance(record.event, ev.DoorClosed) and since is None:
            since = record.elapsed
        elif isinstance(record.event, ev.DoorOpened) and since is not None:
            found.append(Closed(since=since, until=record.elapsed))
            since = None
    return (*found, Closed(since=since, until=None)) if since is not None else tuple(found)


def _evidence(view: RunView) -> Evidence:
    return Evidence(
        commit=words.commit(view),
        failure=_failure(view),
        unchanged=_unchanged(view),
        verifications=view.verifications,
        rows_changed=tuple(r for r in view.rows if r.before != r.after or r.before is None),
        checks=tuple(
            Checked(name=c.name, title=c.title, status=c.status, summary=c.summary)
            for c in view.checks
            if c.status != "pass"
        ),
        checks_passed=sum(c.status == "pass" for c in view.checks),
        overrides=tuple(_overrides(view)),
    )


def _failure(view: RunView) -> str:
    failed = view.failure
    if failed is None:
        return ""
    lines = [
        f"Statement {failed.index}, line {failed.line}: SQLSTATE {failed.sqlstate}",
        f"ERROR: {failed.message}",
        f"DETAIL: {failed.detail}" if failed.detail else "",
        f"HINT: {failed.hint}" if failed.hint else "",
        failed.sql,
    ]
    return "\n".join(line for line in lines if line)


def _unchanged(view: RunView) -> str:
    proof = view.unchanged
    if proof is None:
        return ""
    if proof.proven:
        basis = f" (compared: {proof.basis})" if proof.basis else ""
        return f"the database is proven to be as before the run{basis}"
    differences = "; ".join(proof.differences)
    return f"that the database is as before is NOT proven: {differences}"


def _overrides(view: RunView) -> Iterator[Override]:
    titles = {c.name: c.title for c in view.checks}
    for one in view.overrides:
        title = titles.get(one.name, one.name)
        yield Override(kind="check", name=one.name, title=title, reason=one.reason)
    foreseen = view.foreseen
    if foreseen is not None and foreseen.accepted:
        yield Override(
            kind="schema", name="schema", title="Schema foreseen", reason=foreseen.accepted
        )
    for text in foreseen.declared if foreseen is not None else ():
        yield Override(
            kind="declared",
            name="schema",
            title=text,
            reason="declared to be right in the configuration",
        )
    for v in view.verifications:
        if v.accepted and v.verdict != "pass":
            yield Override(kind="verification", name=v.name, title=v.title, reason=v.accepted)


def _people(records: Sequence[ev.Record], view: RunView) -> People:
    answers, asked = [], None
    aborted = []
    for record in records:
        event = record.event
        if isinstance(event, ev.Question):
            asked = event
        elif isinstance(event, ev.Answered):
            answers.append(
                Answer(
                    at=record.at,
                    question=ASKED[event.name],
                    text=asked.text if asked is not None and asked.name == event.name else "",
                    choice=event.choice,
                    by=event.by,
                    who=event.who,
                )
            )
        elif isinstance(event, ev.AbortAsked):
            aborted.append(event.who)
    return People(
        operator=view.started.operator if view.started else None,
        answers=tuple(answers),
        aborted_by=tuple(aborted),
        settled_by=view.settling.by if view.settling else "",
    )


def _notified(post: Post) -> Iterator[Notified]:
    pending = {(notice.id, place) for notice, place in post.pending}
    for notice in post.notices:
        for place in notice.places:
            yield _one(post, notice, place, pending=(notice.id, place) in pending)


def _one(post: Post, notice: Notice, place: str, *, pending: bool) -> Notified:
    tries = [a for a in post.attempts if (a.id, a.place) == (notice.id, place)]
    arrived = next((a for a in tries if a.ok), None)
    given_up = next((d for d in post.dropped if (d.id, d.place) == (notice.id, place)), None)
    failed = [a.why for a in tries if not a.ok]
    return Notified(
        at=notice.at,
        occasion=notice.occasion,
        level=notice.level,
        title=notice.title,
        place=place,
        state="delivered" if arrived else "pending" if pending else "given up",
        delivered_at=arrived.at if arrived else None,
        attempts=len(tries),
        why=given_up.why if given_up and not arrived else failed[-1] if failed else "",
    )


def _hooks(records: Iterable[ev.Record]) -> tuple[Hooked, ...]:
    return tuple(
        Hooked(
            at=r.at,
            name=r.event.name,
            ok=r.event.ok,
            seconds=r.event.seconds,
            summary=r.event.summary,
        )
        for r in records
        if isinstance(r.event, ev.HookRan)
    )
