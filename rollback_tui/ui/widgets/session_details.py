"""One line of the list in full: every field, whom it waits for, who waits behind it."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from rollback_tui.core.activity.waits import Row
from rollback_tui.core.model import Activity, Session
from rollback_tui.ui.sessions import listed
from rollback_tui.ui.theme import line, lines, piece
from rollback_tui.ui.wording import name_of, state_of, time_of, took

NAMED = 12
"""So many sessions are named in a list of them."""
CUT = 4000
"""Characters of a query that are asked for; the server keeps ``track_activity_query_size``."""


def title_of(row: Row) -> str:
    """Return how a line is named in a sentence."""
    if row.session is not None:
        return name_of(row.session)
    if row.prepared is not None:
        return f"prepared transaction {row.prepared.gid}"
    return f"pid {row.pid}" if row.pid else "a prepared transaction"


def details(row: Row, activity: Activity) -> Content:
    """Return the text of a line, as it was at the time of ``activity``."""
    if row.session is not None:
        body = _session(row, row.session)
    elif row.prepared is not None:
        body = [
            ("name", row.prepared.gid),
            ("owner", row.prepared.owner),
            ("prepared", f"{took(row.prepared.age)} ago"),
            ("ends by", f"COMMIT PREPARED or ROLLBACK PREPARED '{row.prepared.gid}'"),
        ]
    else:
        body = [("seen", "not here: another database's, or our role may not see it")]
    every = {other.key: other for other in listed(activity)}
    blockers = [every[key] for key in row.blocked_by if key in every]
    waiters = [other for other in every.values() if row.key in other.blocked_by]
    shown = [line((f"{name:<13}", "dim"), value) for name, value in body]
    shown += _others("behind", blockers, "nobody")
    shown += _others("before", waiters, "nobody waits for it")
    if row.behind > len(waiters):
        shown.append(line(" " * 13, f"{row.behind:,} in all, with those behind them"))
    shown.append(line(("as of        ", "dim"), f"{time_of(activity.taken_at)} (server)"))
    if row.session is not None:
        shown += [line(""), piece(row.session.query or "no query", keep_lines=True)]
        if len(row.session.query) >= CUT:
            shown.append(line((f"(the first {CUT:,} characters)", "dim")))
    return lines(shown)


def _session(row: Row, session: Session) -> list[tuple[str, str]]:
    since = session.backend_start
    application = session.application or "no name"
    user = session.user or "no user"
    transaction = "none open"
    if not session.state and session.backend_type == "client backend":
        transaction = "our role may not see it"
    elif session.transaction_age is not None:
        transaction = f"open for {took(session.transaction_age)}"
    connected = f"since {since:%Y-%m-%d %H:%M:%S %Z}" if since else "not seen since when"
    return [
        ("state", f"{state_of(session)} for {took(session.query_age) or '?'}"),
        ("transaction", f"{transaction}, {'writes' if session.writing else 'writes nothing'}"),
        ("application", f"{application}, {session.backend_type or 'kind not seen'}"),
        (
            "user",
            user
            + (" (superuser)" if session.superuser else "")
            + (" (one of our own sessions)" if session.ours else ""),
        ),
        ("connected", f"from {session.address or 'not seen'}, {connected}"),
        ("waits for", session.wait or "nothing"),
        *([("lock", session.lock + _for(session.lock_age))] if session.lock else []),
        *([("workers", ", ".join(map(str, row.workers)))] if row.workers else []),
    ]


def _for(seconds: float | None) -> str:
    return "" if seconds is None else f", for {took(seconds)}"


def _others(name: str, rows: list[Row], nobody: str) -> Iterable[Content]:
    if not rows:
        return [line((f"{name:<13}", "dim"), nobody)]
    found = [
        line((f"{name if place == 0 else '':<13}", "dim"), _other(row))
        for place, row in enumerate(rows[:NAMED])
    ]
    if len(rows) > NAMED:
        found.append(line(" " * 13, f"and {len(rows) - NAMED:,} more"))
    return found


def _other(row: Row) -> str:
    state = f", {state_of(row.session)}" if row.session else ""
    age = row.transaction_age
    return f"{title_of(row)}{state}" + (f", transaction {took(age)}" if age is not None else "")
