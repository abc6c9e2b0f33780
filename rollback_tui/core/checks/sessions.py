"""Who is in the database now, and would be waited for, drained or ended?"""

from __future__ import annotations

from rollback_tui.core.checks.verdicts import Question, some
from rollback_tui.core.facts import Facts
from rollback_tui.core.model import Activity, CheckResult, Session
from rollback_tui.core.text import shorten

ACTIVE = Question("no_active_transactions", "No long transactions")
WRITERS = Question("no_writers", "No writers")
PREPARED = Question("no_prepared_transactions", "No prepared transactions", fixed=True)
ENDABLE = Question("sessions_endable", "Sessions can be ended")

LONG_SECONDS = 10.0
"""A transaction of this age is long: it would make lock requests wait, or it is forgotten."""
IDLE_SECONDS = 1.0
"""Idle in transaction for this long is no pause between two statements."""


def _others(activity: Activity) -> list[Session]:
    return [s for s in activity.sessions if s.backend_type == "client backend" and not s.ours]


def _who(session: Session) -> str:
    parts = [f"{session.pid}", session.application or "-", session.user or "-", session.address]
    text = " ".join(parts) + f": {session.state or 'state hidden'}"
    if session.transaction_age is not None:
        text += f", in a transaction for {session.transaction_age:.0f} s"
    return text + (f", {shorten(session.query, 60)}" if session.query else "")


def no_active_transactions(facts: Facts) -> CheckResult:
    """Long and idle transactions hold locks that the run would wait for."""
    remedy = "Wait, or cancel or end them on screen 1. The run ends what is left."
    if facts.activity is None:
        return ACTIVE.unknown(facts, "activity", "the sessions could not be read", remedy)
    others = _others(facts.activity)
    held = [s for s in others if s.transaction_age is not None]
    idle = [
        s
        for s in held
        if s.state.startswith("idle in transaction") and (s.query_age or 0) >= IDLE_SECONDS
    ]
    long = [s for s in held if s not in idle and (s.transaction_age or 0) >= LONG_SECONDS]
    hidden = [s for s in others if not s.state]
    if idle or long:
        parts = [f"{len(idle)} idle in transaction"] if idle else []
        parts += [f"{len(long)} longer than {LONG_SECONDS:.0f} s"] if long else []
        return ACTIVE.warned(", ".join(parts), [_who(s) for s in idle + long], remedy)
    if hidden:
        return ACTIVE.unknown(
            facts,
            "activity",
            f"the transactions of {some(len(hidden), 'session')} are hidden from this role",
            "GRANT pg_read_all_stats to this role, or connect as one that has it.",
        )
    return ACTIVE.passed(
        f"none longer than {LONG_SECONDS:.0f} s, none idle in transaction",
        [f"{some(len(others), 'session')}, {len(held)} in a short transaction"],
    )


def no_writers(facts: Facts) -> CheckResult:
    """Writers hold a transaction id or a write lock; the run drains them before the door."""
    if facts.activity is None:
        return WRITERS.unknown(
            facts,
            "activity",
            "the sessions could not be read",
            "Try again; the run waits for writers in any case.",
        )
    writers = [s for s in _others(facts.activity) if s.writing]
    if writers:
        return WRITERS.warned(
            f"{some(len(writers), 'session')} writing now; will be drained first",
            [_who(s) for s in writers],
            "Wait for them here (w on the safety screen), or stop the application.",
        )
    return WRITERS.passed(
        "nobody is writing", [f"{some(len(_others(facts.activity)), 'session')} looked at"]
    )


def no_prepared_transactions(facts: Facts) -> CheckResult:
    """A prepared transaction holds its locks for ever, without any session to end."""
    if facts.activity is None:
        return PREPARED.unknown(
            facts,
            "activity",
            "pg_prepared_xacts could not be read",
            "Look with: SELECT * FROM pg_prepared_xacts;",
        )
    prepared = facts.activity.prepared
    if prepared:
        return PREPARED.failed(
            f"{some(len(prepared), 'prepared transaction')} in this database",
            [f"gid {p.gid}, owner {p.owner}, prepared {p.age:.0f} s ago" for p in prepared],
            "Finish each with COMMIT PREPARED or ROLLBACK PREPARED and its gid.",
        )
    return PREPARED.passed("there is none")


def sessions_endable(facts: Facts) -> CheckResult:
    """Only a superuser may end a superuser's session."""
    if facts.door == "none":
        return ENDABLE.passed("no session is ended: the door stays open, as configured")
    if facts.activity is None or facts.privileges is None:
        return ENDABLE.unknown(
            facts,
            "activity" if facts.activity is None else "privileges",
            "not known which sessions this role may end",
            "Check the connection and try again.",
        )
    found = [s for s in facts.activity.sessions if s.pid in facts.unendable]
    if facts.unendable:
        known = {s.pid for s in found}
        return ENDABLE.failed(
            f"{some(len(facts.unendable), 'session')} that this role cannot end",
            [_who(s) for s in found]
            + [f"{pid}: gone, or not visible" for pid in facts.unendable if pid not in known],
            "Ask its owner to disconnect, or connect as a superuser.",
        )
    rights = facts.privileges
    roles = {s.user for s in _others(facts.activity)} - {"", facts.target.user}
    if roles and not (rights.superuser or rights.signal_backend):
        return ENDABLE.warned(
            "sessions of other roles can be ended only as their member",
            [f"role {role}" for role in sorted(roles)],
            "GRANT pg_signal_backend to this role.",
        )
    return ENDABLE.passed(f"{some(len(_others(facts.activity)), 'session')}, all can be ended")
