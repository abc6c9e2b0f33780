"""What the statements before one change, so that a count of now says nothing certain about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

from rollback_tui.core.demand import Change, Name, Reading
from rollback_tui.core.model import Effect, Statement
from rollback_tui.core.names import parts
from rollback_tui.core.script.tree import dotted
from rollback_tui.postgres.relations import Relation

_WRITING = ("INSERT", "UPDATE", "DELETE", "MERGE", "COPY FROM", "SELECT (WITH", "REFRESH")


_Key: TypeAlias = tuple[int, str | None]
"""A relation's OID, and the name of a column that means something else from a statement on; None:
the rows themselves change."""


class Earlier:
    """Built once a plan; asked for each statement."""

    def __init__(
        self,
        statements: Collection[Statement],
        readings: Mapping[int, Reading],
        relations: Mapping[str, Relation],
    ) -> None:
        self._relations = relations
        self._first: dict[_Key, int] = {}
        self._of_columns: dict[int, int] = {}
        self._made: dict[str, list[int]] = defaultdict(list)
        self._types: dict[str, list[tuple[int, tuple[str, ...] | None]]] = defaultdict(list)
        self._everything: list[int] = []
        self._paths: list[int] = []
        for statement in statements:
            if not statement.effect.no_op:
                self._note(statement, readings.get(statement.index))

    def changing(
        self, index: int, relation: Relation | None, name: str, columns: Collection[str] | None
    ) -> int | None:
        """Return the first statement before ``index`` that changes the rows of a relation, or the
        meaning of its name or of one of ``columns`` (None: of any of its columns). ``relation`` is
        None when it is not there now; ``name`` is its name as written."""
        found = [at for at in self._everything if at < index][:1]
        found += [at for at in self._made.get(_last(name), ()) if at < index][:1]
        for oid in relation.family if relation else ():
            found.append(self._first.get((oid, None), index))
            if columns is None:
                found.append(self._of_columns.get(oid, index))
            else:
                found += [self._first.get((oid, column), index) for column in columns]
        return min((at for at in found if at < index), default=None)

    def retyped(self, index: int, name: Name) -> tuple[int, tuple[str, ...] | None] | None:
        """Return the last statement before ``index`` that makes or changes the type called so,
        and the labels when it makes an enumeration; None when there is none."""
        found = [entry for entry in self._types.get(name[-1], ()) if entry[0] < index]
        return found[-1] if found else None

    def path_changed(self, index: int) -> int | None:
        """Return a statement before ``index`` after which names without a schema may be others."""
        return next((at for at in self._paths if at < index), None)

    def _note(self, statement: Statement, reading: Reading | None) -> None:
        effect, index = statement.effect, statement.index
        if effect.basis == "unknown":
            self._everything.append(index)
        if "search_path" in effect.session or (
            "changes_session" in effect.hazards and not effect.session
        ):
            self._paths.append(index)
        # What drops a table fires no trigger of it, and no action of its foreign keys.
        spreads = effect.kind.startswith((*_WRITING, "TRUNCATE"))
        for name in _rewritten(effect):
            relation = self._relations.get(name)
            if relation is None:
                self._made[_last(name)].append(index)
                continue
            for oid in relation.family:
                self._first.setdefault((oid, None), index)
            if relation.spreads and spreads:
                self._everything.append(index)
        for change in reading.changes if reading else ():
            self._noted(change, index)

    def _noted(self, change: Change, index: int) -> None:
        if change.what == "type":
            self._types[change.name[-1]].append((index, change.labels))
        elif change.what == "relation":
            self._made[change.name[-1]].append(index)
        else:
            relation = self._relations.get(dotted(list(change.name[:-1])))
            for oid in relation.family if relation else ():
                self._first.setdefault((oid, change.name[-1]), index)
                self._of_columns.setdefault(oid, index)


def _rewritten(effect: Effect) -> Iterator[str]:
    """Yield the relations whose rows a statement changes, or that it takes away."""
    if effect.kind.startswith(_WRITING):
        # A foreign key's other table is only read, with RowShare.
        reading = ("AccessShare", "RowShare")
        yield from (lock.relation for lock in effect.locks if lock.mode not in reading)
    if "PARTITION" in effect.kind:
        yield from (lock.relation for lock in effect.locks)
    yield from (doomed.relation for doomed in effect.doomed if doomed.kind != "column")


def _last(name: str) -> str:
    """Return the last part of a name, unquoted."""
    return (parts(name) or (name,))[-1]
