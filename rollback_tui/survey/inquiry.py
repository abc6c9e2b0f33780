"""What all counting of one plan shares: the time that is left, and what the catalog said."""

from __future__ import annotations

import time
from collections.abc import Iterable

import psycopg

from rollback_tui.core.demand import Name, Uses
from rollback_tui.core.script.tree import dotted
from rollback_tui.postgres import columns as catalog
from rollback_tui.postgres.asking import LOCKED, Answer, ask, refusal
from rollback_tui.postgres.columns import Column, Type
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.guard import Guard, Read
from rollback_tui.postgres.relations import Relation, relations
from rollback_tui.survey.earlier import Earlier

_LEAST_SECONDS = 1.0


class Inquiry:
    """The counting of one plan, on one connection, inside one read-only transaction."""

    def __init__(
        self,
        connection: Connection,
        read: Read,
        known: dict[str, Relation],
        earlier: Earlier,
        deadline: float,
    ) -> None:
        self.connection = connection
        self.read = read
        self.earlier = earlier
        self.guard = Guard(connection, read)
        self.deadline = deadline
        """On the monotonic clock."""
        self.major = connection.info.server_version // 10000
        self._known = known
        self._columns: dict[int, dict[str, Column]] = {}
        self._types: dict[str, Type] = {}
        self._assignable: dict[tuple[int, int], bool] = {}
        self._locked: set[str] = set()

    @property
    def left(self) -> float:
        """Seconds that are left of the time for counting."""
        return self.deadline - time.monotonic()

    def relation(self, name: str) -> Relation | None:
        """Return a relation by its name as written; None when it is not there now."""
        if name not in self._known:
            found = relations(self.connection, [name])
            if name not in found:
                return None
            self._known |= found
        return self._known[name]

    def columns(self, relation: Relation) -> dict[str, Column]:
        """Return the columns of a relation, by name."""
        if relation.oid not in self._columns:
            self._columns[relation.oid] = catalog.columns(self.connection, relation.oid)
        return self._columns[relation.oid]

    def type(self, spelled: str) -> Type:
        """Return the type that this SQL names now. Raises psycopg.Error when there is none."""
        if spelled not in self._types:
            self._types[spelled] = catalog.type_of(self.connection, spelled)
        return self._types[spelled]

    def assignable(self, old: Type, new: Type) -> bool:
        """Return whether there is a cast that ALTER COLUMN TYPE takes without USING. Arrays are
        converted element by element, domains by what they are made of, and anything to a string."""
        if old.oid == new.oid or new.category in "SA" or new.kind == "d":
            return True
        pair = (old.oid, new.oid)
        if pair not in self._assignable:
            self._assignable[pair] = catalog.assignable(self.connection, *pair)
        return self._assignable[pair]

    def default(self, relation: Relation, column: Column) -> str | None:
        """Return the SQL of a column's default; None when it has none, or it is too late to ask.
        Raises psycopg.Error, also when somebody has the table locked."""
        if self.left <= 0 or relation.name in self._locked:
            return None
        return catalog.default_of(self.connection, relation.oid, column.name)

    def refused(self, error: psycopg.Error, relation: Relation | None) -> str:
        """Return why the server gave no answer; a relation that is locked is remembered. Raises
        ``error`` when the connection is of no use any more."""
        why = refusal(self.connection, error)
        if why == LOCKED and relation is not None:
            self._locked.add(relation.name)
        return why

    def answer(self, text: str, uses: Uses, reads: Iterable[str]) -> Answer:
        """Return the numbers of a query that reads the relations ``reads``, if it may be sent.

        One query never takes more than half of the time that is left (and may always take a
        second); a relation that was locked once is not waited for again.
        """
        names = set(reads)
        if names & self._locked:
            return Answer(None, LOCKED)
        why = self.guard.obstacle(uses, text) if self.left > 0 else ""
        if why:
            return Answer(None, why)
        left = self.left
        found = ask(self.connection, text, min(left, max(left / 2, _LEAST_SECONDS)))
        if found.why == LOCKED:
            self._locked |= names
        return found

    def misled(self, index: int, names: Iterable[Name]) -> str:
        """Return why names cannot be looked up now as statement ``index`` will; empty: they can."""
        at = self.earlier.path_changed(index)
        if at is None or all(len(name) > 1 for name in names):
            return ""
        return f"statement {at} changes where names are looked up"


def written(name: Name) -> str:
    """Return a name as SQL, quoted where needed."""
    return dotted(list(name))
