"""The lines of the list of sessions as cells: a session, one in the tree of locks, a group."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from rich.text import Text

from rollback_tui.core.activity.groups import Group
from rollback_tui.core.activity.waits import SOME_PREPARED, Row
from rollback_tui.ui.theme import Tone, cell
from rollback_tui.ui.widgets.live_table import Column
from rollback_tui.ui.wording import clock, state_of

SESSIONS = (
    Column("pid", "pid", 7),
    Column("app", "application", 12),
    Column("user", "user", 9, least=100),
    Column("address", "address", 15, least=150),
    Column("state", "state", 10),
    Column("age", "age", 6),
    Column("tx", "tx age", 7, least=110),
    Column("wait", "waits for", 14, least=100),
    Column("lock", "lock it waits for", 30, least=140),
    Column("locks", "locks", 10),
    Column("writes", "writes", 6, least=92),
    Column("query", "query", 0),
)
"""Of all, running, waiting and blocking: views of one list."""

TREE = (
    Column("pid", "pid", 17),
    Column("app", "application", 12),
    Column("user", "user", 9, least=100),
    Column("state", "state", 10),
    Column("age", "waits", 6),
    Column("behind", "behind it", 9, least=90),
    Column("query", "lock, query", 0),
)

GROUPS = (
    Column("name", "name", 0),
    Column("count", "all", 6),
    Column("active", "active", 6),
    Column("idle", "idle tx", 7),
    Column("waiting", "waiting", 7),
    Column("writing", "writing", 7),
    Column("longest", "longest tx", 10),
)

QUERY = 400
"""Characters of a query that a line shows; details show all."""
DEEP = 3
"""Levels that are indented; below that the number of the level is written."""


class Piece(NamedTuple):
    """What one cell says."""

    text: str
    tone: Tone = "plain"
    right: bool = False


def cells(pieces: Iterable[Piece]) -> tuple[Text, ...]:
    """Return the cells of one line."""
    return tuple(cell(piece.text, piece.tone, right=piece.right) for piece in pieces)


@lru_cache(maxsize=4096)
def one_line(query: str) -> str:
    """Return the beginning of a query on one line."""
    return " ".join(query[: 3 * QUERY].split())[:QUERY]


def brief(seconds: float | None) -> str:
    """Return an age in at most six characters; empty when there is none.

    >>> brief(None), brief(95.2), brief(4000), brief(3600 * 200)
    ('', '01:35', '1h06m', '8d08h')
    """
    if seconds is None or seconds < 3600:
        return "" if seconds is None else clock(seconds)
    minutes = int(seconds) // 60
    if minutes < 6000:
        return f"{minutes // 60}h{minutes % 60:02}m"
    return f"{minutes // 1440}d{minutes // 60 % 24:02}h"


def _blockers(row: Row) -> str:
    """Return the first of those that it waits for, and how many more there are."""
    first = row.blocked_by[0]
    name = "prepared" if first.startswith(SOME_PREPARED) else first
    more = len(row.blocked_by) - 1
    return f"{name} +{more}" if more else name


def _locks(row: Row) -> Piece:
    """Return what matters most: for whom it waits, how many wait for it, or that it writes."""
    if row.blocked_by:
        return Piece(f"by {_blockers(row)}", "bad")
    if row.waits:
        return Piece("waits", "bad")
    if row.behind:
        return Piece(f"blocks {row.behind:,}", "bad")
    return Piece("writes" if row.writing else "", "warn")


def _state(row: Row) -> Piece:
    if row.session is None:
        return Piece("prepared", "warn") if row.prepared else Piece("not seen", "warn")
    words = state_of(row.session)
    if row.session.state.startswith("idle in transaction"):
        return Piece(words, "warn")
    return Piece(words, {"active": "accent", "idle": "dim"}.get(row.session.state, "plain"))  # type: ignore[arg-type]


def _application(row: Row) -> str:
    if row.prepared is not None:
        return row.prepared.gid
    if row.session is None:
        return "–"
    session = row.session
    if session.backend_type not in ("client backend", ""):
        return session.application or session.backend_type
    return session.application or "–"


def _user(row: Row) -> str:
    if row.prepared is not None:
        return row.prepared.owner
    return row.session.user if row.session else ""


def _query(row: Row) -> str:
    if row.prepared is not None:
        return "prepared transaction: its locks stay until COMMIT PREPARED or ROLLBACK PREPARED"
    if row.key == SOME_PREPARED:
        return "a prepared transaction, which one is not known"
    if row.session is None:
        return "of another database, or our role may not see it"
    workers = f"[+{len(row.workers)} workers] " if row.workers else ""
    return f"{'[ours] ' if row.session.ours else ''}{workers}{one_line(row.session.query)}"


def session_pieces(row: Row) -> tuple[Piece, ...]:
    """Return the cells of SESSIONS."""
    session, idle = row.session, row.session is not None and row.session.state == "idle"
    age = row.transaction_age if session is None else session.query_age
    return (
        Piece(str(row.pid) if row.pid else "–", right=True),
        Piece(_application(row)),
        Piece(_user(row)),
        Piece(session.address if session else ""),
        _state(row),
        Piece(brief(age), right=True),
        Piece(brief(row.transaction_age), right=True),
        Piece((session.wait or "") if session else "", "warn" if row.waits else "dim"),
        Piece(session.lock if session else "", "warn"),
        _locks(row),
        Piece("writes" if row.writing else "", "warn"),
        Piece(_query(row), "dim" if idle else "plain"),
    )


def blocking_pieces(row: Row) -> tuple[Piece, ...]:
    """Return the cells of SESSIONS for those that block: how many wait, also of one that waits."""
    pieces = list(session_pieces(row))
    place = [column.key for column in SESSIONS].index("locks")
    pieces[place] = Piece(f"blocks {row.behind:,}", "bad")
    return tuple(pieces)


def tree_pieces(row: Row) -> tuple[Piece, ...]:
    """Return the cells of TREE. Below whom a line stands is said by its indent and by a number."""
    name = str(row.pid) if row.pid else "prepared"
    indent = "  " * min(row.depth, DEEP)
    if row.depth:
        indent += "└ " if row.depth <= DEEP else f"({row.depth}) "
    session = row.session
    waited = None
    if session is not None and row.waits:
        waited = session.lock_age if session.lock_age is not None else session.query_age
    parts = []
    if row.cycle:
        parts.append("CIRCLE: it waits for one below")
    if session is not None and session.lock:
        parts.append(session.lock)
    elif row.waits:
        parts.append("waits, not known for whom" if not row.blocked_by else "waits")
    if row.depth and len(row.blocked_by) > 1:
        parts.append(f"behind {len(row.blocked_by)} in all")
    words = "; ".join(parts)
    query = _query(row)
    return (
        Piece(f"{indent}{name}", "bad" if not row.depth else "plain"),
        Piece(_application(row)),
        Piece(_user(row)),
        _state(row),
        Piece(brief(waited), right=True),
        Piece(f"{row.behind:,} wait" if row.behind else "", "bad"),
        Piece(f"{words}: {query}" if words else query),
    )


def group_pieces(group: Group) -> tuple[Piece, ...]:
    """Return the cells of GROUPS."""

    def number(value: int, tone: Tone = "plain") -> Piece:
        return Piece(f"{value:,}" if value else "0", tone if value else "dim", right=True)

    # Where our role may not see some, a number is the least that it can be.
    unseen = "+?" if group.hidden else ""
    active = number(group.active, "accent")
    idle = number(group.idle_in_transaction, "warn")
    return (
        Piece(group.name or "(no name)", "plain" if group.name else "dim"),
        number(group.count, "strong"),
        active._replace(text=active.text + unseen),
        idle._replace(text=idle.text + unseen),
        number(group.waiting, "bad"),
        number(group.writing, "warn"),
        Piece(brief(group.longest_transaction) + unseen, right=True),
    )
