"""The views of the one list of sessions, their orders, and the filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from rollback_tui.core.activity.groups import Group
from rollback_tui.core.activity.waits import Row, tree, waited
from rollback_tui.core.value import Value

ViewName = Literal["all", "running", "waiting", "blocking", "tree", "groups"]

VIEWS: tuple[ViewName, ...] = ("all", "running", "waiting", "blocking", "tree", "groups")
"""In the order of the key that goes through them."""

_Key = Callable[[Row], tuple[object, ...]]


class Order(NamedTuple):
    """An order of the list."""

    name: str
    key: _Key


class GroupOrder(NamedTuple):
    """An order of the groups."""

    name: str
    key: Callable[[Group], tuple[object, ...]]


SHOWS: dict[ViewName, str] = {
    "all": "every session",
    "running": "queries at work",
    "waiting": "those that wait for a lock",
    "blocking": "those that others wait for",
    "tree": "who waits stands below whom it waits for",
    "groups": "connections counted",
}
"""What each view shows, in a few words."""


def _old(age: float | None) -> float:
    """Return a key by which the oldest comes first, and what is not known before all others."""
    return float("-inf") if age is None else -age


def _trouble(row: Row) -> tuple[object, ...]:
    """Those that block others and wait for nobody, those that wait, forgotten ones, writers."""
    if row.behind and not row.waits:
        rank = 0
    elif row.waits:
        rank = 1
    elif row.prepared is not None:
        rank = 2
    else:
        rank = 3 if row.writing else 4
    return rank, -row.behind, -(row.transaction_age or 0), row.pid, row.key


def _by_age(row: Row) -> tuple[object, ...]:
    if row.session is None:
        return (_old(row.transaction_age), row.pid, row.key)
    return (-(row.session.query_age or 0), row.pid, row.key)


def _by_application(row: Row) -> tuple[object, ...]:
    if row.session is None:
        return ("", "", row.pid, row.key)
    return (row.session.application, row.session.user, row.pid, row.key)


AGE = Order("longest query", _by_age)
TRANSACTION = Order(
    "longest transaction", lambda r: (-(r.transaction_age or 0), _by_age(r)[0], r.pid, r.key)
)
WAIT = Order("longest wait", lambda r: (-waited(r), r.pid, r.key))
BEHIND = Order("most behind", lambda r: (-r.behind, -(r.transaction_age or 0), r.pid, r.key))
APPLICATION = Order("application", _by_application)
PID = Order("pid", lambda r: (r.pid, r.key))

ORDERS: dict[ViewName, tuple[Order, ...]] = {
    "all": (Order("trouble first", _trouble), AGE, TRANSACTION, APPLICATION, PID),
    "running": (AGE, TRANSACTION, APPLICATION, PID),
    "waiting": (WAIT, BEHIND, APPLICATION, PID),
    "blocking": (BEHIND, TRANSACTION, APPLICATION, PID),
    "tree": (Order("most behind", lambda _: ()),),
    "groups": (),
}
"""The orders of each view, the one it begins with first. The tree has its own."""

GROUP_ORDERS: tuple[GroupOrder, ...] = (
    GroupOrder("most first", lambda g: (-g.count, g.name)),
    GroupOrder("longest transaction", lambda g: (-(g.longest_transaction or 0), -g.count, g.name)),
    GroupOrder("name", lambda g: (g.name,)),
)
"""The orders of the groups."""


class Counts(Value, frozen=True, kw_only=True):
    """How many lines each view has."""

    all: int = 0
    running: int = 0
    waiting: int = 0
    blocking: int = 0
    tree: int = 0
    hidden: int = 0
    """Sessions whose state our role may not see: nobody knows whether they run something."""


def running(row: Row) -> bool:
    """Return whether it works on a query. A connection that replicates always does, and is left
    out; so is a process of the server that works for itself."""
    session = row.session
    return (
        session is not None
        and session.state in ("active", "fastpath function call")
        and session.backend_type != "walsender"
    )


def hidden(row: Row) -> bool:
    """Return whether our role may not see what it does."""
    session = row.session
    return session is not None and not session.state and session.backend_type == "client backend"


def in_view(name: ViewName, row: Row) -> bool:
    """Return whether ``row`` belongs to the view ``name``."""
    if name == "running":
        return running(row)
    if name == "waiting":
        return row.waits
    if name == "blocking":
        return row.behind > 0
    return row.waits or row.behind > 0 if name == "tree" else True


def counts(every: Iterable[Row]) -> Counts:
    """Count the lines of each view."""
    found = {"all": 0, "running": 0, "waiting": 0, "blocking": 0, "tree": 0, "hidden": 0}
    for row in every:
        found["all"] += 1
        found["running"] += running(row)
        found["waiting"] += row.waits
        found["blocking"] += row.behind > 0
        found["tree"] += row.waits or row.behind > 0
        found["hidden"] += hidden(row)
    return Counts(**found)


def view(
    name: ViewName, every: tuple[Row, ...], *, order: int = 0, words: str = ""
) -> tuple[Row, ...]:
    """Return the lines of the view ``name`` in its ``order``-th order, of those only that match
    ``words``. Lines of the tree keep their depth, also where the line above is left out."""
    if name == "tree":
        return tuple(row for row in tree(every) if matches(row, words))
    found = [row for row in every if in_view(name, row) and matches(row, words)]
    orders = ORDERS[name]
    return tuple(sorted(found, key=orders[order % len(orders)].key)) if orders else tuple(found)


def matches(row: Row, words: str) -> bool:
    """Return whether every one of ``words`` is somewhere in the row, whatever its case."""
    if not words.strip():
        return True
    text = _text(row).casefold()
    return all(word in text for word in words.casefold().split())


def _text(row: Row) -> str:
    parts = [row.key, *row.blocked_by]
    session = row.session
    if session is not None:
        parts += [
            session.application,
            session.user,
            session.address,
            session.state,
            session.backend_type,
            session.wait or "",
            session.lock,
            "writes" if row.writing else "",
            session.query,
        ]
    if row.prepared is not None:
        parts += [row.prepared.gid, row.prepared.owner, "prepared transaction"]
    return "\n".join(parts)
