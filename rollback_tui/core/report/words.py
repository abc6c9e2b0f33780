"""The words in which a report speaks of times, outcomes and what comes next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import humanize

from rollback_tui.core.events import RunRowInserted
from rollback_tui.core.follow_ups import needed
from rollback_tui.core.model import Outcome, Rung, Script, Verification
from rollback_tui.core.run_view import RunView, StatementView
from rollback_tui.core.text import markdown

OUTCOMES: dict[Outcome, str] = {
    "refused": "Refused: nothing was touched",
    "rolled_back": "Rolled back",
    "unchanged": "Failed; the database is as before",
    "recovered": "Failed; recovered from the checkpoint",
    "needs_operator": "Needs the operator",
}

AGAIN: dict[Outcome, str] = {
    "refused": "Refused: nothing was touched",
    "rolled_back": "Applied again",
    "unchanged": "Failed; the database is as before this run",
    "recovered": "Recovered",
    "needs_operator": "Needs the operator",
}
"""The same of a run that is done about an earlier one."""

BY_RUNG: dict[Rung, str] = {
    "rename": "renaming",
    "limit": "connection limit",
    "terminate": "ending sessions",
}
"""How the door was closed."""

KEPT_OUT: dict[Rung, str] = {
    "rename": "applications could not enter",
    "limit": "applications could not enter, superusers could",
    "terminate": "sessions were only terminated, applications could come back",
}
"""What that kept out, and what not."""


def seconds(value: float | None) -> str:
    """Return a duration: ``0.012 s``, ``48.3 s``, ``2 minutes and 3 seconds (123.4 s)``."""
    if value is None:
        return "not measured"
    if value < 1:
        return f"{value:.3f} s"
    if value < 60:
        return f"{value:.1f} s"
    words = humanize.precisedelta(timedelta(seconds=round(value)), minimum_unit="seconds")
    return f"{words} ({value:,.1f} s)"


def moment(value: datetime | None) -> str:
    """Return a time in UTC, to the second."""
    if value is None:
        return "not recorded"
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def some(number: int, noun: str, plural: str = "") -> str:
    """``1 row``, ``1,204 rows``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def status(view: RunView) -> str:
    """Return the outcome in words; what nobody verified is said with it."""
    if view.outcome is None:
        return "Unfinished: this run has no outcome yet"
    recovering = view.started is not None and view.started.task != "rollback"
    text = (AGAIN if recovering else OUTCOMES)[view.outcome]
    if view.outcome == "unchanged" and not (view.unchanged and view.unchanged.proven):
        return "Failed; that the database is as before is not proven"
    if view.outcome == "rolled_back":
        failed = sum(v.verdict == "fail" and not v.accepted for v in view.verifications)
        accepted = sum(v.verdict == "fail" and bool(v.accepted) for v in view.verifications)
        unknown = sum(v.verdict == "unknown" for v in view.verifications)
        notes = [f"{some(failed, 'verification')} failed"] if failed else []
        notes += [f"{some(accepted, 'verification')} accepted"] if accepted else []
        notes += [f"{some(unknown, 'verification')} unknown"] if unknown else []
        if notes:
            return f"{text}; {', '.join(notes)}"
        return f"{text} and verified" if view.verifications else f"{text}; nothing was verified"
    return text


def downtime(view: RunView) -> str:
    """Return how long applications were kept out."""
    if view.door is None:
        return "none: the door was not closed"
    if view.door_closed_at is not None:
        return f"{seconds(view.downtime_at(view.elapsed))} and still closed"
    return seconds(view.downtime)


def door(view: RunView) -> str:
    """Return how the door was closed, and whom that kept out."""
    if view.door is None:
        return "not closed: applications could work beside the run"
    return f"closed by {BY_RUNG[view.door]}: {KEPT_OUT[view.door]}"


def judge(event: RunRowInserted) -> str:
    """Return what decides a COMMIT without an answer."""
    if event.judge == "run row":
        return f"the run's own row in rollback_tui.runs (journal {event.head[:20]})"
    return "the version table" + (f", because: {event.why}" if event.why else "")


def commit(view: RunView) -> str:
    """Return how it is known whether COMMIT happened; empty where it never came to that."""
    if view.judge is None:
        return ""
    phase = next(p for p in view.phases if p.phase == "commit")
    if phase.status == "failed":
        # The server said no, or nobody could decide: the phase has the words.
        return phase.summary
    if phase.status == "running" and view.finished is not None:
        return f"the worker ended before an answer was seen; decided by {judge(view.judge)}"
    if phase.summary:
        return f"{phase.summary}; decided by {judge(view.judge)}"
    if view.committed:
        return f"answered; otherwise decided by {judge(view.judge)}"
    if view.finished is not None:
        return ""
    said = "not sent yet; without an answer" if phase.status == "waiting" else "unanswered,"
    return f"{said} decided by {judge(view.judge)}"


def ended(statement: StatementView, *, ended: bool) -> str:
    """Return the same as one word: of a statement that had no answer when the run ended nobody
    can say from this what became of it."""
    if ended and statement.status in ("waiting", "running"):
        return "not run" if statement.status == "waiting" else "unknown"
    return statement.status


def progress(statement: StatementView, *, ended: bool) -> str:
    """Return how far a statement came; in a run that has ended nothing is under way."""
    if ended and statement.status in ("waiting", "running"):
        return "not run" if statement.status == "waiting" else "begun, no answer seen"
    return statement.status


def verdict(verification: Verification) -> str:
    """Return a verdict as Markdown. What was accepted is not called passed."""
    if verification.verdict == "fail" and verification.accepted:
        return f"**accepted** ({markdown(verification.accepted)})"
    return {"pass": "passed", "fail": "**FAILED**", "unknown": "unknown"}[verification.verdict]


def drop_statement(database: str) -> str:
    """Return the SQL that drops a database that the run left."""
    quoted = database.replace('"', '""')
    return f'DROP DATABASE "{quoted}";'


def next_commands(view: RunView) -> tuple[str, ...]:
    """Return what to type next: the run's own list, or what helps after this outcome."""
    if view.finished is not None and view.finished.next_commands:
        return view.finished.next_commands
    if view.started is None:
        return ()
    run = view.started.run
    match view.outcome:
        case None:
            return (f"rollback-tui attach {run}",)
        case "refused":
            return ("rollback-tui check",)
        case "unchanged":
            return ("rollback-tui check", f"rollback-tui report {run}")
        case _:
            return ("rollback-tui state", f"rollback-tui report {run}")


def follow_ups(view: RunView) -> tuple[str, ...]:
    """Return what should be done after the night, as far as this run asks for it: the texts of the
    one list that the incident report ticks off."""
    return tuple(item.text for item in needed(view))


def script(script: Script | None) -> str:
    """Return where a script is, its SHA-256, and who made it where it is not the file itself, as
    Markdown."""
    if script is None:
        return "none"
    made = f"; {markdown(script.origin)}" if script.origin else ""
    return f"{markdown(script.path)} (sha256 {script.sha256[:12]}{made})"


def paths(view: RunView) -> tuple[tuple[str, str], ...]:
    """Return (what it is, where it is) of everything the run kept."""
    if view.started is None:
        return ()
    folder = view.started.folder
    report = view.finished.report if view.finished else f"{folder}/report.md"
    found = [
        ("Report", report),
        ("Log", f"{folder}/rollback.log"),
        ("Journal", f"{folder}/journal.jsonl"),
        ("Guide by hand", f"{folder}/RECOVERY.md"),
    ]
    if view.checkpoint:
        found.append(("Checkpoint", view.checkpoint.path))
    return tuple(found)
