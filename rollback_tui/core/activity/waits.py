"""Who waits for whom: every session and prepared transaction once, with all that are behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from rollback_tui.core.model import Activity, PreparedTransaction, Session
from rollback_tui.core.value import Value

SOME_PREPARED = "prepared:"
"""The key of a prepared transaction of which nobody can tell which one it is."""


class Row(Value, frozen=True, kw_only=True):
    """One line of the list: a session, a prepared transaction, or a pid that others wait for and
    that is not in the list."""

    key: str
    """The pid; of a prepared transaction ``prepared:<gid>``."""
    pid: int
    """0: a prepared transaction, which has none."""
    session: Session | None = None
    prepared: PreparedTransaction | None = None
    workers: tuple[int, ...] = ()
    """The pids of the parallel workers that work on its query."""
    blocked_by: tuple[str, ...] = ()
    """The keys of those that it waits for."""
    behind: int = 0
    """How many wait for it, directly or behind others."""
    depth: int = 0
    """In the tree: how many stand above it."""
    cycle: bool = False
    """In the tree: it waits for somebody below itself. The server ends one of them after
    ``deadlock_timeout``."""

    @property
    def waits(self) -> bool:
        """Whether it waits for a lock."""
        return bool(self.blocked_by) or (self.session is not None and self.session.waits)

    @property
    def transaction_age(self) -> float | None:
        """Seconds its transaction is open; None outside one, or when it is not known."""
        if self.prepared is not None:
            return self.prepared.age
        return self.session.transaction_age if self.session else None

    @property
    def writing(self) -> bool:
        """Whether it holds what a writer holds. A prepared transaction has written."""
        return self.prepared is not None or (self.session is not None and self.session.writing)


def prepared_key(transaction: PreparedTransaction) -> str:
    """Return the key of its row.

    >>> prepared_key(PreparedTransaction(gid="a", owner="o", age=1.0))
    'prepared:a'
    """
    return f"{SOME_PREPARED}{transaction.gid}"


def rows(activity: Activity) -> tuple[Row, ...]:
    """Return everything that is on the server, each once: prepared transactions first, then the
    sessions in the order of ``activity``.

    Our own sessions are left out, unless somebody waits for them or they wait. A parallel worker
    is part of its leader. Who waits behind a queue whose locks were not asked for one by one
    waits for those that the first with the same lock waits for.
    """
    leaders = _leaders(activity.sessions)
    blocked_by = _blocked_by(activity, leaders)
    behind = _behind(blocked_by)
    workers: defaultdict[int, list[int]] = defaultdict(list)
    for worker, leader in leaders.items():
        workers[leader].append(worker)
    found = [
        Row(key=key, pid=0, prepared=p, behind=behind.get(key, 0))
        for p in activity.prepared
        for key in (prepared_key(p),)
    ]
    for session in activity.sessions:
        key = str(session.pid)
        if session.pid in leaders:
            continue
        if session.ours and key not in behind and key not in blocked_by:
            continue
        found.append(
            Row(
                key=key,
                pid=session.pid,
                session=session,
                workers=tuple(workers.get(session.pid, ())),
                blocked_by=blocked_by.get(key, ()),
                behind=behind.get(key, 0),
            )
        )
    there = {row.key for row in found}
    for key in behind:
        if key not in there:
            pid = 0 if key == SOME_PREPARED else int(key)
            found.append(Row(key=key, pid=pid, behind=behind[key]))
    return tuple(found)


def _leaders(sessions: Iterable[Session]) -> dict[int, int]:
    """Return, by the pid of each parallel worker, its leader's; only where that is listed."""
    pids = {s.pid for s in sessions if s.leader_pid is None}
    return {
        s.pid: s.leader_pid for s in sessions if s.leader_pid is not None and s.leader_pid in pids
    }


def _blocked_by(activity: Activity, leaders: dict[int, int]) -> dict[str, tuple[str, ...]]:
    """Return, by key, the keys of those that each waits for. Nobody waits for itself."""
    for_prepared: defaultdict[int, list[str]] = defaultdict(list)
    for transaction in activity.prepared:
        for pid in transaction.blocks:
            for_prepared[pid].append(prepared_key(transaction))
    first: dict[str, Session] = {}
    for session in sorted(activity.sessions, key=lambda s: -(s.lock_age or 0)):
        if session.blocked_by and session.lock:
            first.setdefault(session.lock, session)
    found: dict[str, dict[str, None]] = {}
    for session in activity.sessions:
        asked = session if session.blocked_by or not session.lock else first.get(session.lock)
        if asked is None or not asked.blocked_by:
            continue
        key = str(leaders.get(session.pid, session.pid))
        mine = found.setdefault(key, {})
        for pid in asked.blocked_by:
            if pid:
                mine[str(leaders.get(pid, pid))] = None
            else:
                mine.update(dict.fromkeys(for_prepared.get(asked.pid, [SOME_PREPARED])))
        mine.pop(key, None)
    return {key: tuple(keys) for key, keys in found.items() if keys}


def _behind(blocked_by: dict[str, tuple[str, ...]]) -> dict[str, int]:
    """Return, by key, how many wait for it in all; only of those for whom somebody waits."""
    waiters = _waiters(blocked_by)
    bit = {key: 1 << place for place, key in enumerate(blocked_by)}
    # As sets of bits: a queue of two hundred has twenty thousand pairs.
    reached: dict[str, int] = {}
    open_waiters = {key: sum(w in waiters for w in found) for key, found in waiters.items()}
    ready = [key for key, number in open_waiters.items() if number == 0]
    while ready:
        key = ready.pop()
        reached[key] = _union(waiters[key], bit, reached)
        for blocker in blocked_by.get(key, ()):
            open_waiters[blocker] -= 1
            if open_waiters[blocker] == 0:
                ready.append(blocker)
    # What is left stands in a circle, or has one behind it: a deadlock not yet noticed.
    left = [key for key in waiters if key not in reached]
    reached.update(dict.fromkeys(left, 0))
    changed = bool(left)
    while changed:
        changed = False
        for key in left:
            now = _union(waiters[key], bit, reached)
            changed = changed or now != reached[key]
            reached[key] = now
    return {key: (bits & ~bit.get(key, 0)).bit_count() for key, bits in reached.items()}


def _union(keys: Iterable[str], bit: dict[str, int], reached: dict[str, int]) -> int:
    whole = 0
    for key in keys:
        whole |= bit[key] | reached.get(key, 0)
    return whole


def _waiters(blocked_by: dict[str, tuple[str, ...]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, blockers in blocked_by.items():
        for blocker in blockers:
            found.setdefault(blocker, []).append(key)
    return found


def tree(every: Iterable[Row]) -> tuple[Row, ...]:
    """Return all that wait or are waited for, each once, as the lines of a tree.

    Above stand those that wait for nobody; who waits stands below the one of its blockers that
    is nearest to the top (``blocked_by`` names the others). Of a circle the one with most behind
    it stands on top, and says so.
    """
    known = {row.key: row for row in every}
    waiters = _waiters({key: row.blocked_by for key, row in known.items() if row.blocked_by})
    parts = [row for row in known.values() if row.waits or row.key in waiters]
    parts.sort(key=lambda row: (-row.behind, -(row.transaction_age or 0), row.pid, row.key))
    below: defaultdict[str, list[Row]] = defaultdict(list)
    seen: set[str] = set()
    tops: list[tuple[Row, bool]] = []

    def spread(top: Row, *, cycle: bool) -> None:
        tops.append((top, cycle))
        seen.add(top.key)
        level = [top.key]
        while level:
            following = []
            for key in level:
                for waiter in waiters.get(key, ()):
                    if waiter not in seen:
                        seen.add(waiter)
                        below[key].append(known[waiter])
                        following.append(waiter)
            level = following

    for row in parts:
        if not row.blocked_by:
            spread(row, cycle=False)
    for row in parts:
        if row.key not in seen:
            spread(row, cycle=True)
    return tuple(_lines(tops, below))


def _lines(tops: list[tuple[Row, bool]], below: dict[str, list[Row]]) -> Iterable[Row]:
    stack = [(row, 0, cycle) for row, cycle in reversed(tops)]
    while stack:
        row, depth, cycle = stack.pop()
        yield msgspec.structs.replace(row, depth=depth, cycle=cycle)
        following = sorted(
            below.get(row.key, ()), key=lambda r: (-r.behind, -waited(r), r.pid, r.key)
        )
        stack += [(r, depth + 1, False) for r in reversed(following)]


def waited(row: Row) -> float:
    """Return seconds of waiting: for the lock where that is known, else of the query."""
    session = row.session
    if session is None:
        return 0.0
    return session.lock_age if session.lock_age is not None else session.query_age or 0.0
