"""A run in lines: clocks, phases, statements, alarms, the log. All of it from the fold."""

from __future__ import annotations

import shlex

from rich.text import Text
from textual.content import Content

from rollback_tui.core import events as ev
from rollback_tui.core.model import Plan
from rollback_tui.core.report.words import KEPT_OUT, judge
from rollback_tui.core.run_view import RunView, StatementView
from rollback_tui.core.text import shorten
from rollback_tui.ui.entries import objects_of
from rollback_tui.ui.keys import key
from rollback_tui.ui.listing import listing
from rollback_tui.ui.theme import PROGRESS, STATUS, Tone, cell, line, lines
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.proof_lines import budget, mark, reach_words
from rollback_tui.ui.widgets.schema_lines import verdict_words
from rollback_tui.ui.wording import clock, count, outcome_of, took

NAMES: dict[ev.Phase, str] = {
    "preflight": "preflight",
    "checkpoint": "checkpoint",
    "announce": "announce",
    "drain": "drain writers",
    "close_door": "close the door",
    "clone": "copy it",
    "execute": "execute",
    "verify": "verify",
    "gate": "gate",
    "commit": "COMMIT",
    "open_door": "open the door",
    "health": "health",
    "recover": "recover",
    "aftercare": "aftercare",
}
"""The phases as the console names them."""
RECOVERING: dict[ev.Phase, str] = {"checkpoint": "restore beside", "recover": "bring it back"}
"""Where a run that brings back an earlier one does something else in a phase."""


def name_of_phase(view: RunView, phase: ev.Phase) -> str:
    """Return how the console names a phase of this run."""
    recovers = view.started is not None and view.started.task == "recover"
    return RECOVERING.get(phase, NAMES[phase]) if recovers else NAMES[phase]


def clocks(walk: Walk, now: float) -> Content:
    """Return elapsed and downtime, and where the run is. ``now``: monotonic seconds."""
    view = walk.view
    if view is None:
        return line((" The worker is starting …", "dim"))
    elapsed = walk.elapsed(now)
    closed = view.door_closed_at is not None
    downtime = view.downtime_at(elapsed)
    door: tuple[str, Tone] = (" · door CLOSED", "warn") if closed else (" · door open", "dim")
    maintenance: tuple[str, Tone] = (" · maintenance ON", "warn")
    finished = view.finished
    if finished is None and view.committed:
        tail: tuple[str, Tone] = ("  COMMITTED", "good")
    elif finished is None:
        tail = ("  abort asked", "warn") if view.abort_asked else ("", "plain")
    else:
        glyph, words, tone = outcome_of(view)
        tail = (f"  {glyph} {words}", tone)
    return line(
        " elapsed ",
        (clock(elapsed) if finished is None else took(elapsed), "strong"),
        " · downtime ",
        (clock(downtime) if finished is None else took(downtime), "warn" if closed else "strong"),
        door if closed or finished is None else "",
        maintenance if view.maintenance_on else "",
        tail,
    )


def now_line(walk: Walk, now: float) -> Content:
    """Return what the run does or waits for at monotonic ``now``, and until when."""
    view = walk.view
    if walk.worker != "running" and walk.folder is not None and not walk.finished:
        return _no_sign_of_life(walk, now)
    if walk.feed_failure is not None:
        failure = walk.feed_failure
        return line((f" {failure.summary} ", "bad"), failure.remedy)
    if view is None:
        return line((" Waiting for the first event of the journal.", "dim"))
    if view.failure is not None:
        failed = view.failure
        where = f" statement {failed.index}, line {failed.line}: "
        said = line((where, "bad"), (f"{failed.sqlstate} {failed.message}", "bad"))
        if view.finished is None:
            return said
        ended = line(" ", view.finished.summary)
        # Mostly the summary says it already: twice would cost the lines of the phases.
        return ended if failed.message in view.finished.summary else lines([ended, said])
    if view.finished is not None:
        return line(" ", view.finished.summary)
    since = max(0.0, now - walk.moved_at)
    phase = view.phase
    began = phase.started if phase is not None else None
    gone = f" for {clock(walk.elapsed(now) - began)}" if began is not None else ""
    if view.question is not None:
        asked = clock(walk.elapsed(now) - view.question_asked)
        return line((" ▸ ", "accent"), f"waiting for an answer for {asked}; until when: below")
    if view.waiting is not None:
        waiting = view.waiting
        left = waiting.seconds_left
        rest = f"{gone}, {clock(left - since)} left" if left is not None else gone
        rest = f" ·{rest}" + ("" if left is not None else _until(view))
        pids = f" · pid {', '.join(map(str, waiting.pids[:8]))}" if waiting.pids else ""
        return line((" waiting: ", "warn"), waiting.summary, (pids, "plain"), (rest, "accent"))
    progress = view.progress
    if progress is not None and view.phase is not None and progress.phase == view.phase.phase:
        of = f" {progress.done:,} of {progress.total:,}" if progress.done and progress.total else ""
        return line((" ▸ ", "accent"), progress.summary, (f"{of}{gone}{_until(view)}", "dim"))
    return line((" ▸ ", "accent"), _doing(view), (f"{gone}{_until(view)}", "dim"))


def _until(view: RunView) -> str:
    """Return until when the phase that runs goes on: its own limit, or what ends it."""
    if view.phase is None:
        return ""
    abort = key("run.abort")
    stops, or_stops = (f": {abort} aborts", f"; {abort} aborts") if view.may_abort else ("", "")
    return {
        "preflight": ", each question with its own limit",
        "checkpoint": f", no limit{stops}",
        "announce": ", each hook with its own limit",
        "clone": f", no limit{stops}",
        "execute": f", at most its statement_timeout{or_stops}",
        "verify": ", at most verify.budget_seconds",
        "health": ", at most health's own limits",
        "recover": f", no limit{stops}",
        "aftercare": ", each hook with its own limit",
    }.get(view.phase.phase, "")


def _doing(view: RunView) -> str:
    """Return the phase, with the statement that is under way; between two phases, the next."""
    phase = view.phase
    if phase is None:
        waiting = [p.phase for p in view.phases if p.status == "waiting"]
        following = [name_of_phase(view, phase) for phase in waiting]
        return f"next: {following[0]}" if following else "…"
    now = next((s.index for s in view.statements if s.status == "running"), None)
    if phase.phase == "execute" and now is not None:
        return f"statement {now} of {len(view.statements)}"
    return phase.summary or name_of_phase(view, phase.phase)


def _no_sign_of_life(walk: Walk, now: float) -> Content:
    """Return what to do when the worker does not answer: dead, or only stopped."""
    silent = clock(now - walk.heard_at)
    started = walk.view.started if walk.view else None
    short = started.run[:8] if started else ""
    if walk.worker == "stopped":
        pid = started.worker_pid if started else 0
        return lines(
            [
                line((f" STALE: no sign of life since {silent}. ", "alarm")),
                line(
                    f" The run's process exists (pid {pid}) and does not answer: stopped, or a"
                    " machine that hangs. It may go on at any moment, so it is not settled: there"
                    " must never be two workers. Wait here."
                ),
                line(
                    (f" kill -CONT {pid}", "strong"),
                    " lets a stopped one go on, ",
                    (f"kill -9 {pid}", "strong"),
                    " ends it: its guardian settles.",
                ),
            ]
        )
    return lines(
        [
            line((f" THE WORKER IS GONE since {silent} and the run has not ended. ", "alarm")),
            line(" Its guardian settles the run by itself: wait for the outcome here."),
            line(" Nothing within a minute: the guardian is gone too. Then leave, and type:"),
            line((f"   rollback-tui settle {short}".rstrip(), "strong")),
        ]
    )


def phase_lines(walk: Walk, now: float) -> Content:
    """Return the phases below each other, with their time."""
    view = walk.view or RunView()
    rows = []
    for phase in view.phases:
        glyph, tone = PROGRESS[phase.status]
        time = took(phase.seconds)
        if phase.status == "running" and phase.started is not None:
            time = clock(walk.elapsed(now) - phase.started)
        word = "skipped" if phase.status == "skipped" else time
        if phase.status == "running" and view.finished is not None:
            # Its worker died in it: nothing moves there any more.
            (glyph, tone), word = PROGRESS["failed"], "stopped"
        name: Tone = "strong" if phase.status == "running" else "plain"
        if phase.status in ("waiting", "skipped"):
            name = "dim"
        rows.append(
            line(
                (f" {glyph} ", tone),
                (f"{name_of_phase(view, phase.phase):<14}", name),
                (f"{word:>8}", "dim"),
            )
        )
    return lines(rows)


def statement_row(view: StatementView, plan: Plan, *, ended: bool) -> tuple[Text, ...]:
    """Return the cells of one statement: mark, number, what, rows, time. ``ended``: the run has
    its outcome, so that nothing is under way any more."""
    glyph, tone = PROGRESS[view.status]
    statement = listing(plan).by_index[view.index]
    objects = objects_of(statement)
    what = f"{statement.effect.kind} {objects}" if objects else shorten(statement.sql, 80)
    time = view.status if view.status in ("running", "failed") else took(view.seconds)
    if view.status == "running" and ended:
        (glyph, tone), time = PROGRESS["failed"], "stopped"
    elif view.status == "rolled back":
        time = "undone"
    elif view.status == "skipped":
        time = "done before"
    rows = "" if view.rows is None else f"{view.rows:,} rows"
    return (
        cell(glyph, tone),
        cell(view.index, right=True),
        cell(what, "dim" if view.status == "waiting" else "plain"),
        cell(rows, "dim", right=True),
        cell(time, tone if view.status != "done" else "dim", right=True),
    )


def back_again(view: RunView) -> str:
    """Return the command that puts back what was kept, to be typed as it is."""
    if view.started is None:
        return "rollback-tui archive restore"
    database = shlex.quote(view.started.target.database)
    return f"rollback-tui archive restore {view.started.run[:8]} --confirm {database}"


def archived(event: ev.RowsKept) -> str:
    """Return what went into the archive, and where it is there."""
    where = f"{event.relation}.{event.column}" if event.column else event.relation
    what = count(event.rows, "value" if event.column else "row")
    return f"{what} of {where} in {event.table}"


def alarm_lines(view: RunView) -> Content:
    """Return the alarms, each with what to do."""
    return lines(
        [
            line((f" ALARM {alarm.summary} ", "alarm"), (f" {alarm.remedy}", "plain"))
            for alarm in view.alarms
        ]
    )


def log_line(record: ev.Record, plan: Plan | None) -> str | None:
    """Return what the console's log says of an event; None where the screen says it already."""
    text = said(record.event, plan)
    return None if text is None else f"{clock(record.elapsed)} {shorten(text, 4000)}"


def said(event: ev.AnyEvent, plan: Plan | None) -> str | None:
    """Return what an event says of SQL that was sent, or of what came of it; None: nothing."""
    match event:
        case ev.SqlSent(connection=connection, sql=sql):
            return f"{connection:<11} {sql}"
        case ev.StatementStarted(index=index) if plan is not None:
            return f"statement {index:<2} {listing(plan).by_index[index].sql}"
        case ev.VersionChanged(sql=texts):
            return f"version     {'; '.join(texts)}"
        case ev.TransactionStarted(attempt=attempt, backend_pid=pid, xid=xid):
            return f"begin       attempt {attempt}, backend {pid}, transaction {xid}"
        case ev.StatementFailed(message=message, sqlstate=state):
            return f"ERROR       {state} {message}"
        case ev.Committed():
            return "COMMIT      done"
        case ev.TransactionRolledBack(reason=reason):
            return f"ROLLBACK    {reason}"
        case ev.HookRan(name=name, ok=ok, summary=summary):
            return f"hook        {name}: {'ok' if ok else 'FAILED'} {summary}"
        case ev.SessionsEnded(sessions=sessions):
            return f"ended       {'; '.join(sessions)}"
        case ev.Answered(choice=choice, by=by):
            return f"answer      {choice} (by {by})"
        case ev.CheckpointMade(checkpoint=checkpoint):
            return f"checkpoint  {checkpoint.path}"
        case _:
            return _safety_net(event)


def _safety_net(event: ev.AnyEvent) -> str | None:
    match event:
        case ev.DoorClosed(rung=rung):
            return f"door        {KEPT_OUT[rung]}"
        case ev.RunRowInserted():
            return f"if in doubt COMMIT is decided by {judge(event)}"
        case ev.StepsStarted():
            return "steps       statement by statement: what is done stays done"
        case ev.RowsKept():
            return f"kept        {archived(event)}"
        case ev.StatementSkipped(index=index, why=why):
            return f"skipped     statement {index}: {why}"
        case ev.CloneMade(database=database, seconds=seconds):
            return f"copy        {database}, in {took(seconds)}"
        case ev.CloneDropped(database=database):
            return f"copy        {database} dropped"
        case ev.Swapped(kept=kept):
            return f"swapped     the failed database is kept as {kept}"
        case _:
            return _proof(event)


def _proof(event: ev.AnyEvent) -> str | None:
    match event:
        case ev.SchemaForeseen(verdict=verdict, accepted=accepted):
            why = f", accepted: {accepted}" if accepted else ""
            return f"schema      foreseen: {verdict_words(verdict)[0]}{why}"
        case ev.ProofPlanned(cost=cost):
            return f"proof       tables: {reach_words(cost)}, at most {budget(cost)}"
        case ev.ContentsTaken(when=when, contents=contents, seconds=seconds):
            read = sum(bool(one.fingerprint) for one in contents)
            return f"contents    {when}: read of {read} of {len(contents)}, in {took(seconds)}"
        case ev.VerificationJudged(verification=verification):
            glyph, word, _ = mark(verification)
            said = f"{glyph} {word:<8} {verification.title} {took(verification.seconds)}"
            return f"verified    {said}"
        case ev.RecoveryPlanned(restores=restores, estimated_seconds=seconds):
            return f"recovery    {restores}; expected: {took(seconds) or 'nobody can say'}"
        case ev.LostCounted():
            return f"writes      {_lost(event)}"
        case ev.RepairProposed(step=step, sql=texts):
            return f"repair      {step}: {'; '.join(texts)}"
        case ev.RecoveryStep(name=name, seconds=seconds, summary=summary):
            glyph = STATUS[event.verdict or ("pass" if event.ok else "fail")][0]
            return f"step        {glyph} {name} {took(seconds)} {summary}"
        case _:
            return None


def _lost(event: ev.LostCounted) -> str:
    total = sum(one.rows or 0 for one in event.lost)
    unknown = sum(one.rows is None for one in event.lost)
    said = f"{count(total, 'row')} written since {'is' if total == 1 else 'are'} lost"
    if unknown:
        said += f", and unknown in {count(unknown, 'table')}"
    return said + (f" (agreed: {event.agreed:,})" if event.agreed is not None else "")
