"""Who holds, or waits for, a lock that a statement of the plan will need.

Locks on relations only: that a row is locked by somebody else, which a DELETE or UPDATE would
wait for, is not written in ``pg_locks`` before somebody waits for it.
"""

from __future__ import annotations

import json
import operator
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from rollback_tui.core.lock_modes import CONFLICTS, MODES, conflict, strongest
from rollback_tui.core.model import Statement
from rollback_tui.core.names import parts
from rollback_tui.core.outlook import AUTOVACUUM, InTheWay
from rollback_tui.core.text import shorten
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.connect import Connection

_QUERY_WIDTH = 200

_SENT = 1000
"""Names that are sent with the question. A plan with more asks for all locks on user relations:
those that are held take less room on the line than all that are needed."""

_MASKS = {mode: sum(1 << MODES.index(other) + 1 for other in CONFLICTS[mode]) for mode in MODES}
_EVERY = _MASKS["AccessExclusive"]


class _Holder(msgspec.Struct, frozen=True):
    """A session or prepared transaction, as queries/in_the_way.sql gives it."""

    pid: int
    transaction: str
    """The virtual transaction of a prepared one; empty for a session."""
    application: str
    user: str
    state: str
    query: str
    age: float | None
    backend: str
    locks: list[tuple[str, str, str | None, str, bool]]
    """(name as asked, qualified name, table of the index, mode, granted)."""


def in_the_way(connection: Connection, statements: Sequence[Statement]) -> tuple[InTheWay, ...]:
    """Return the sessions and prepared transactions that ``statements`` would have to wait for.

    One round trip that waits for no lock; fit to be called each second, also with ten thousand
    statements. Those behind whom most wait come first. Our own sessions are left out, and so is
    a statement whose locks nobody knows. A lock on an index is named only where its holder has
    none on the table. Raises psycopg.Error.
    """
    needed, parameters = _question(statements)
    if not needed:
        return ()
    # Prepared it would stay in a session that a pooler gives to others.
    text = query("in_the_way").encode()
    row = connection.execute(text, parameters, prepare=False).fetchone()
    if row is None:  # pragma: no cover - a SELECT without FROM has always one row
        return ()
    answer = [json.loads(part) if isinstance(part, str | bytes) else part for part in row]
    holders = msgspec.convert(answer[0], list[_Holder])
    behind = _Queue(answer[1], answer[2])
    found = [
        one
        for holder in holders
        for one in _of(holder, needed, behind.length(holder.transaction or holder.pid))
    ]
    return tuple(sorted(found, key=lambda one: (-one.behind, -(one.age or 0), one.pid)))


# --- what is needed -------------------------------------------------------------------------------

_Needed = dict[str, dict[str, list[int]]]
"""Relation → mode → statements."""


_asked: tuple[Sequence[Statement], _Needed, dict[str, object]] = ((), {}, {})
"""The last question. It is asked again each second, of the same statements; to put it together
for ten thousand takes 50 ms, in which the screen stands still."""


def _question(statements: Sequence[Statement]) -> tuple[_Needed, dict[str, object]]:
    global _asked  # replaced as a whole: any thread sees one question or another
    before, needed, parameters = _asked
    if len(before) != len(statements) or not all(map(operator.is_, before, statements)):
        needed = _needed(statements)
        parameters = _parameters(needed)
        _asked = (statements, needed, parameters)
    return needed, parameters


def _needed(statements: Sequence[Statement]) -> _Needed:
    found: _Needed = {}
    for statement in statements:
        for lock in statement.effect.locks:
            found.setdefault(lock.relation, {}).setdefault(lock.mode, []).append(statement.index)
    return found


def _parameters(needed: _Needed) -> dict[str, object]:
    """A name in two parts may be one that the server printed, or one that a script wrote in
    another way (``Public.Users``): only the latter has to be looked up."""
    names: dict[str, int] = {}
    written: dict[str, int] = {}
    for name, modes in needed.items():
        mask = 0
        for mode in modes:
            mask |= _MASKS.get(mode, _EVERY)
        if "." in name and name.islower() and '"' not in name:
            names[name] = mask
        elif len(parts(name)) in (1, 2):
            # Anything else makes to_regclass an error.
            written[name] = mask
    every = len(names) > _SENT
    return {
        "modes": [f"{mode}Lock" for mode in MODES],
        "every": every,
        "names": [] if every else list(names),
        "masks": [] if every else list(names.values()),
        "written": list(written),
        "written_masks": list(written.values()),
    }


# --- who is there ---------------------------------------------------------------------------------


def _of(holder: _Holder, needed: _Needed, behind: int) -> Iterable[InTheWay]:
    """One for each relation; what it has beside on the table's indexes says nothing more."""
    by_name: dict[str, list[tuple[str, str, bool]]] = defaultdict(list)
    tables: dict[str, str] = {}
    for asked, name, table, mode, granted in holder.locks:
        by_name[name].append((asked, mode, granted))
        if table is not None:
            tables[name] = table
    covered: dict[str, set[int]] = {}
    # Tables first: an index is left out when its table's entry speaks for the same statements.
    for name in sorted(by_name, key=lambda name: name in tables):
        one = _on(holder, name, by_name[name], needed, behind)
        if one is None or set(one.statements) <= covered.get(tables.get(name, ""), set()):
            continue
        covered[name] = set(one.statements)
        yield one


def _on(
    holder: _Holder,
    name: str,
    taken: Sequence[tuple[str, str, bool]],
    needed: _Needed,
    behind: int,
) -> InTheWay | None:
    statements: set[int] = set()
    wanted: set[str] = set()
    modes: dict[str, bool] = {}
    for asked, mode, granted in taken:
        for mode_needed, indexes in needed.get(asked, {}).items():
            if conflict(mode_needed, mode):
                statements.update(indexes)
                wanted.add(mode_needed)
                modes[mode] = modes.get(mode, False) or granted
    if not statements:
        return None
    # What it has comes before what it waits for.
    held = strongest([m for m, granted in modes.items() if granted] or modes)
    return InTheWay(
        statements=tuple(sorted(statements)),
        relation=name,
        needed=strongest(wanted),
        held=held,
        granted=modes[held],
        pid=holder.pid,
        application=_application(holder),
        user=holder.user,
        state=holder.state,
        query=shorten(holder.query, _QUERY_WIDTH),
        age=holder.age,
        behind=behind,
    )


def _application(holder: _Holder) -> str:
    if holder.transaction or holder.backend == "client backend":
        return holder.application
    if holder.backend == "autovacuum worker":
        return AUTOVACUUM
    return holder.application or holder.backend or "a process of the server"


class _Queue:
    """Who waits for whom, directly or behind others."""

    def __init__(
        self,
        waits: Sequence[tuple[int, Sequence[int]]],
        for_prepared: Sequence[tuple[str, int]],
    ) -> None:
        """``waits``: (pid, the pids it waits for). ``for_prepared``: (transaction, pid)."""
        place = {pid: bit for bit, (pid, _) in enumerate(waits)}
        self._pids = list(place)
        # As sets of bits: many sessions may wait for one row, each for all that came before it.
        self._direct: defaultdict[int | str, int] = defaultdict(int)
        for pid, blockers in waits:
            for blocker in set(blockers):
                self._direct[blocker] |= 1 << place[pid]
        for transaction, pid in for_prepared:
            self._direct[transaction] |= 1 << place[pid]

    def length(self, holder: int | str) -> int:
        """Return how many wait for ``holder``: a pid, or the transaction of a prepared one."""
        reached = 0
        new = self._direct.get(holder, 0)
        while new:
            reached |= new
            following = 0
            while new:
                lowest = new & -new
                following |= self._direct.get(self._pids[lowest.bit_length() - 1], 0)
                new ^= lowest
            new = following & ~reached
        if not isinstance(holder, str) and holder in self._pids:
            reached &= ~(1 << self._pids.index(holder))
        return reached.bit_count()
