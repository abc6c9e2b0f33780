"""The views of screen 1 as plain lines, and as JSON: for a pipe, a log, a screen reader.

A line says in words what the screen says by place: who waits for whom, how many are behind.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from rollback_tui.core.activity.groups import Dimension, Group, groups
from rollback_tui.core.activity.trend import Rates
from rollback_tui.core.activity.views import SHOWS, ViewName, counts, view
from rollback_tui.core.activity.waits import SOME_PREPARED, Row, rows
from rollback_tui.core.model import Activity, Session
from rollback_tui.core.text import printable, shorten


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be shown of the sessions."""

    view: ViewName = "all"
    by: Dimension = "application"
    words: str = ""
    """Only what matches all of these words."""


def state_lines(activity: Activity, wanted: Wanted) -> Iterator[str]:
    """Yield the lines of a view: how many, then one for each session or group."""
    every = rows(activity)
    found = counts(every)
    yield (
        f"{len(activity.sessions)} sessions, {sum(s.writing for s in activity.sessions)} writing,"
        f" {found.waiting} waiting for a lock, {found.blocking} that others wait for;"
        f" {activity.connections} of {activity.max_connections} connections of the server in use"
    )
    if wanted.view == "groups":
        members = _groups(activity, wanted)
        yield f"{len(members)} groups by {wanted.by}:"
        for group in members:
            yield f"  {_group(group)}"
        return
    shown = view(wanted.view, every, words=wanted.words)
    yield f"{wanted.view}, {SHOWS[wanted.view]}: {len(shown)}"
    for row in shown:
        yield f"  {_row(row, level=wanted.view == 'tree')}"


def view_shape(activity: Activity, wanted: Wanted) -> dict[str, object]:
    """Return a view as ``state --json`` prints it: its lines name sessions by their pid."""
    shape: dict[str, object] = {"name": wanted.view, "filter": wanted.words}
    if wanted.view == "groups":
        shape |= {"by": wanted.by, "groups": msgspec.to_builtins(_groups(activity, wanted))}
        return shape
    return shape | {
        "rows": [
            {
                "pid": row.pid,
                "prepared": row.prepared.gid if row.prepared else None,
                "depth": row.depth,
                "waits": row.waits,
                "blocked_by": list(row.blocked_by),
                "behind": row.behind,
                "circle": row.cycle,
                "workers": list(row.workers),
            }
            for row in view(wanted.view, rows(activity), words=wanted.words)
        ]
    }


def rates_line(activity: Activity, rates: Rates) -> str:
    """Return the time of a look, and what happens in a second."""

    def number(value: float | None) -> str:
        return "not known" if value is None else f"{value:,.1f}"

    return (
        f"{activity.taken_at:%H:%M:%S}: {number(rates.transactions)} transactions a second,"
        f" {number(rates.rows_written)} rows written a second"
    )


def _groups(activity: Activity, wanted: Wanted) -> tuple[Group, ...]:
    words = wanted.words.casefold().split()
    found = groups(activity.sessions, wanted.by)
    return tuple(g for g in found if all(word in g.name.casefold() for word in words))


def _group(group: Group) -> str:
    parts = [
        f"{group.count} connections",
        f"{group.active} active",
        f"{group.idle_in_transaction} idle in transaction",
        f"{group.waiting} waiting",
        f"{group.writing} writing",
    ]
    if group.hidden:
        parts.append(f"{group.hidden} not to be seen by our role")
    if group.longest_transaction is not None:
        parts.append(f"longest transaction {group.longest_transaction:.1f} s")
    return f"{printable(group.name) or '(no name)'}: {', '.join(parts)}"


def _row(row: Row, *, level: bool) -> str:
    parts = [f"level {row.depth + 1}"] if level else []
    if row.session is not None:
        parts += _session(row.session)
    elif row.prepared is not None:
        name = shorten(row.prepared.gid, 60)
        parts += [f"prepared transaction {name} of {printable(row.prepared.owner)}"]
        parts += [f"since {row.prepared.age:.1f} s", "holds its locks without a session"]
    elif row.key == SOME_PREPARED:
        parts.append("a prepared transaction, which one is not known")
    else:
        parts.append(f"pid {row.pid}, of another database or not to be seen by our role")
    if row.cycle:
        parts.append("in a circle: it waits for one of those below")
    if row.blocked_by:
        names = (printable(key.replace(SOME_PREPARED, "prepared ")) for key in row.blocked_by)
        parts.append(f"waits for {', '.join(names)}")
    elif row.waits:
        parts.append("waits, not known for whom")
    if row.session is not None and row.session.lock:
        parts.append(f"for {shorten(row.session.lock, 100)}")
    if row.behind:
        parts.append(f"{row.behind} behind it")
    if row.workers:
        parts.append(f"{len(row.workers)} parallel workers")
    query = shorten(row.session.query, 60) if row.session else ""
    return ", ".join(parts) + (f": {query}" if query else "")


def _session(session: Session) -> Iterator[str]:
    yield f"pid {session.pid}"
    yield shorten(session.application, 30) or "no application name"
    yield shorten(session.user, 30) or session.backend_type or "no user"
    if session.state:
        age = session.query_age
        yield session.state + (f" for {age:.1f} s" if age is not None else "")
    elif session.backend_type == "client backend":
        yield "state not to be seen by our role"
    if session.transaction_age is not None:
        yield f"transaction open for {session.transaction_age:.1f} s"
    if session.writing:
        yield "writing"
