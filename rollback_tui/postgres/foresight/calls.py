"""Functions that a default calls: whether they give another value from row to row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from rollback_tui.core.script.tree import Node, children, each, strings
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.foresight.catalog import Catalog
from rollback_tui.postgres.foresight.column_types import places


class _Function(NamedTuple):
    """One row of ``pg_proc``."""

    schema: str
    name: str
    volatility: str
    """``provolatile``: i immutable, s stable, v volatile."""
    inlined: bool
    """In SQL: the planner may put its body in its place."""
    fewest: int
    most: int | None


class Functions:
    """Functions of the target by their names, each name read once."""

    def __init__(self, catalog: Catalog) -> None:
        """``catalog`` has the cursor, and knows where names are looked for."""
        self._catalog = catalog
        self._named: dict[str, list[_Function]] = {}

    def volatile(self, node: Node) -> bool | None:
        """Whether an expression calls a volatile function; None: it cannot be told.

        Functions of one name may differ, and one in SQL may be inlined: then it is its body that
        counts. Raises psycopg.Error.
        """
        calls = [
            (strings(children(fields, "funcname")), len(children(fields, "args")))
            for kind, fields in each(node)
            if kind == "func_call"
        ]
        self._read([words[-1] for words, _ in calls if words])
        answers = [self._is_volatile(words, number) for words, number in calls]
        return True if True in answers else None if None in answers else False

    def _is_volatile(self, words: Sequence[str], number: int) -> bool | None:
        schemas = places(self._catalog, words)
        answers = {
            None if f.volatility == "v" and f.inlined else f.volatility == "v"
            for f in self._named.get(words[-1], ())
            if f.schema in schemas and f.fewest <= number and (f.most is None or number <= f.most)
        }
        return answers.pop() if len(answers) == 1 else None

    def _read(self, names: Iterable[str]) -> None:
        unknown = [name for name in dict.fromkeys(names) if name not in self._named]
        if not unknown:
            return
        self._named |= {name: [] for name in unknown}
        rows = self._catalog.cursor.execute(
            query("foresight_functions").encode(), {"names": unknown}
        ).fetchall()
        for row in rows:
            function = _Function(*row)
            self._named[function.name].append(function)


_KNOWN: WeakKeyDictionary[Catalog, Functions] = WeakKeyDictionary()


def functions_of(catalog: Catalog) -> Functions:
    """Return the functions of the target that ``catalog`` is of; always the same object."""
    if catalog not in _KNOWN:
        _KNOWN[catalog] = Functions(catalog)
    return _KNOWN[catalog]
