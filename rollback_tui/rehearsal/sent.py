"""What a program did through the gateway, statement by statement: what was done, and what it took
back itself.

Only what stays in the database when the program has ended is done. A statement that failed, one of
a transaction or savepoint that was rolled back, and one of a batch in which a later one failed are
not (PostgreSQL: a batch outside a transaction block is one transaction).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rollback_tui.core.script.split import boundaries
from rollback_tui.core.script.tree import Node, opened, text
from rollback_tui.parser import Parser
from rollback_tui.postgres.gateway import Parameter, Recorded


class Unclear(Exception):
    """What was sent cannot be told; the text says why."""


class Sent(NamedTuple):
    """One statement that was sent."""

    place: int
    """Rising in the order of sending, over all sessions."""
    session: int
    batch: int
    text: str
    """Without the ``;`` and the comments around it."""
    tree: Node
    parameters: tuple[Parameter, ...]
    failed: str
    """The server's words; empty: it did not fail."""
    tag: str
    rows: int
    """How many rows it returned."""

    @property
    def kind(self) -> str:
        """The kind of its parse tree: ``delete_stmt``."""
        return opened(self.tree)[0]

    @property
    def fields(self) -> Node:
        """What its parse tree says."""
        return opened(self.tree)[1]


class LeftOut(NamedTuple):
    """A statement that is no part of the script."""

    place: int
    text: str
    why: str


def one_by_one(entries: Iterable[Recorded], parser: Parser) -> list[Sent]:
    """Return the statements that were executed, or tried. Raises Unclear."""
    found: list[tuple[Recorded, str, int]] = []
    for entry in entries:
        try:
            pieces = [piece.decode() for piece in boundaries(entry.text.encode())]
        except UnicodeError:
            raise Unclear("a statement is not UTF-8") from None
        executed = len(entry.tags) + bool(entry.error)
        if executed > len(pieces) or (executed < len(pieces) and not entry.error):
            raise Unclear(f"where one statement ends cannot be told in {entry.text!r:.200}")
        found += [(entry, piece, at) for at, piece in enumerate(pieces[:executed])]
    trees = parser.trees([piece for _, piece, _ in found])
    return [
        _sent(place, entry, piece, at, tree)
        for place, ((entry, piece, at), tree) in enumerate(zip(found, trees, strict=True))
    ]


def _sent(place: int, entry: Recorded, piece: str, at: int, tree: Node | None) -> Sent:
    failed = at >= len(entry.tags)
    if tree is None and not failed:
        raise Unclear(f"a statement cannot be read: {piece[:200]}")
    return Sent(
        place=place,
        session=entry.session,
        batch=entry.batch,
        text=piece,
        tree=tree or {},
        parameters=entry.parameters,
        failed=(entry.error or "it failed") if failed else "",
        tag="" if failed else entry.tags[at],
        rows=0 if failed else entry.rows[at],
    )


def done(statements: Sequence[Sent]) -> tuple[list[Sent], list[LeftOut]]:
    """Return what was done, in order, and what was not. Raises Unclear."""
    sessions: dict[int, list[Sent]] = defaultdict(list)
    for statement in statements:
        sessions[statement.session].append(statement)
    kept: list[Sent] = []
    undone: list[LeftOut] = []
    for session in sessions.values():
        transaction = _Transaction()
        for statement in session:
            transaction.take(statement)
        transaction.end()
        kept += transaction.kept
        undone += transaction.undone
    kept.sort(key=lambda one: one.place)
    return kept, undone


class _Transaction:
    """The transactions of one session, one after the other."""

    def __init__(self) -> None:
        self.kept: list[Sent] = []
        self.undone: list[LeftOut] = []
        self._pending: list[Sent | str] = []
        """Statements, and the names of savepoints between them."""
        self._block = False
        self._batch = -1

    def take(self, statement: Sent) -> None:
        """Take the next statement."""
        if not self._block and statement.batch != self._batch:
            self._commit()
        self._batch = statement.batch
        if statement.failed:
            self._leave_out(statement, f"it failed: {statement.failed}")
            if not self._block:
                self._undo(0, "a statement after it failed, and both were one transaction")
        elif statement.kind == "transaction_stmt":
            self._control(statement, text(statement.fields, "kind").removeprefix("TRANS_STMT_"))
        else:
            self._pending.append(statement)

    def end(self) -> None:
        """The session is over."""
        if self._block:
            self._undo(0, "its transaction was never committed")
        else:
            self._commit()

    def _control(self, statement: Sent, kind: str) -> None:
        name = text(statement.fields, "savepoint_name")
        if kind in ("BEGIN", "START"):
            self._block = True
        elif kind in ("COMMIT", "ROLLBACK"):
            if statement.tag == "COMMIT":
                self._commit()
            else:
                self._undo(0, "its transaction was rolled back")
            self._block = statement.fields.get("chain") is True
        elif kind == "SAVEPOINT":
            self._pending.append(name)
        elif kind == "ROLLBACK_TO":
            self._undo(self._savepoint(name) + 1, "it was rolled back to a savepoint")
        elif kind == "RELEASE":
            at = self._savepoint(name)
            self._pending[at:] = [p for p in self._pending[at:] if isinstance(p, Sent)]
        else:
            raise Unclear(f"{statement.text[:100]}: a prepared transaction")
        self._leave_out(statement, "it controls the transaction, which the run does itself")

    def _savepoint(self, name: str) -> int:
        for at in reversed(range(len(self._pending))):
            if self._pending[at] == name:
                return at
        raise Unclear(f"savepoint {name} was not seen")

    def _commit(self) -> None:
        self.kept += _statements(self._pending)
        self._pending = []

    def _undo(self, after: int, why: str) -> None:
        for statement in _statements(self._pending[after:]):
            self._leave_out(statement, why)
        del self._pending[after:]

    def _leave_out(self, statement: Sent, why: str) -> None:
        self.undone.append(LeftOut(statement.place, statement.text, why))


def _statements(pending: Iterable[Sent | str]) -> Iterator[Sent]:
    return (one for one in pending if isinstance(one, Sent))
