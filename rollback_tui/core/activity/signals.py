"""What it means to cancel a session's query, or to end the session: refused, and why; or what is
lost, and whether the pid must be typed."""

from __future__ import annotations

from typing import Literal

from rollback_tui.core.activity.waits import Row
from rollback_tui.core.model import Activity, Session
from rollback_tui.core.value import Value

BACKUPS = (
    "pg_dump",
    "pg_dumpall",
    "pg_restore",
    "pg_basebackup",
    "pg_receivewal",
    "pgbackrest",
    "barman",
    "wal-g",
    "pg_probackup",
)
"""How the application_name of a backup begins."""


class Signal(Value, frozen=True, kw_only=True):
    """What became of a signal."""

    outcome: Literal["signalled", "gone", "not allowed"]
    """``gone``: there is no such session any more, or its pid is another session's now."""
    why: str = ""
    """The server's words, when it is not allowed."""


class Ending(Value, frozen=True, kw_only=True):
    """What is to be said before a signal is sent."""

    refused: str = ""
    """Why it is not sent at all; empty when it may be."""
    lost: str = ""
    """What it costs, in a sentence."""
    warnings: tuple[str, ...] = ()
    """What is more than a client at stake."""
    typed: bool = False
    """Whether the pid must be typed."""


def cancelling(row: Row, activity: Activity) -> Ending:
    """Judge ``pg_cancel_backend`` on ``row``."""
    session = row.session
    refused = _refused(row, activity)
    if refused or session is None:
        return Ending(refused=refused)
    if session.state.startswith("idle"):
        return Ending(refused="it runs no query, so there is nothing to cancel")
    warnings = _warnings(session)
    lost = "Its query ends with an error."
    if session.writing:
        lost += " What its transaction has written is then rolled back."
    return Ending(lost=lost, warnings=warnings, typed=bool(warnings))


def terminating(row: Row, activity: Activity) -> Ending:
    """Judge ``pg_terminate_backend`` on ``row``."""
    session = row.session
    refused = _refused(row, activity)
    if refused or session is None:
        return Ending(refused=refused)
    warnings = _warnings(session)
    if session.writing:
        lost = "What its transaction has written is rolled back."
    elif session.transaction_age is not None:
        lost = "Its open transaction is rolled back; it has written nothing yet."
    elif not session.state and session.backend_type == "client backend":
        lost = "Our role may not see whether it has a transaction open. If so, that is lost."
    else:
        lost = "It has no transaction open. Its application has to connect again."
    unseen = not session.state and session.backend_type == "client backend"
    typed = bool(warnings) or session.writing or session.transaction_age is not None or unseen
    return Ending(lost=lost, warnings=warnings, typed=typed)


def _refused(row: Row, activity: Activity) -> str:
    session = row.session
    if row.prepared is not None:
        return "a prepared transaction has no session: COMMIT PREPARED or ROLLBACK PREPARED ends it"
    if session is None:
        return "it is not a session of this database, or our role may not see it"
    if session.ours:
        return "it is one of our own sessions"
    if session.backend_type == "parallel worker":
        return f"it works for pid {session.leader_pid}: end that one"
    if session.backend_type not in ("client backend", "walsender", "autovacuum worker"):
        return f"it is a process of the server ({session.backend_type or 'unknown'})"
    mighty = any(s.ours and s.superuser for s in activity.sessions)
    if session.superuser and not mighty:
        return "it belongs to a superuser, and our role is none: only a superuser may"
    return ""


def _warnings(session: Session) -> tuple[str, ...]:
    found = []
    if session.backend_type == "walsender":
        found.append(
            "It is a REPLICATION connection: a standby, a subscriber or a backup hangs on it."
        )
    if session.backend_type == "autovacuum worker":
        words = "It is AUTOVACUUM: its work on the table is lost and begins anew"
        if "wraparound" in session.query:
            words += ", and the server stops taking writes if it never ends"
        found.append(words + ".")
    name = session.application.casefold()
    if any(name.startswith(backup) for backup in BACKUPS):
        found.append("It is a BACKUP by its name: what it has made so far is worthless then.")
    if name.startswith(("rollback_tui", "rollback-tui")):
        found.append("It calls itself rollback_tui: it may be somebody else's RUN.")
    return tuple(found)
