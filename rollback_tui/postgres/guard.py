"""May a query of somebody else's words be sent only to look? Not when it could do something.

A READ ONLY transaction keeps tables and sequences as they are, but a volatile function may still
take advisory locks, end other sessions, write files or speak to other servers. So a query is sent
only when everything it calls is found in the catalog and none of it is volatile
(``pg_proc.provolatile``): functions, operators, and the same in the views it reads. What a function
that was declared stable does in spite of that, its author has to answer for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from rollback_tui.core.demand import Name, Reading, Uses
from rollback_tui.core.script.tree import dotted
from rollback_tui.postgres.aside import aside, query

Read = Callable[[Sequence[str]], Sequence[Reading | None]]
"""Reads statements: ``Parser.readings``."""


class Guard:
    """Judges queries on one connection; what it has learnt of a name it keeps."""

    def __init__(self, conn: psycopg.Connection[Any], read: Read) -> None:
        self._conn = conn
        self._read = read
        self._judged: dict[tuple[Name, bool], str] = {}
        self._seen: dict[tuple[str, ...], Uses] = {}

    def obstacle(self, uses: Uses) -> str:
        """Return why a query with these ``uses`` must not be sent; empty when it may be.

        Raises psycopg.Error.
        """
        uses = uses + self._views(uses)
        called = [(name, False) for name in uses.functions]
        called += [(name, True) for name in uses.operators]
        self._look_up([one for one in dict.fromkeys(called) if one not in self._judged])
        return next((self._judged[one] for one in called if self._judged[one]), "")

    def _look_up(self, called: Sequence[tuple[Name, bool]]) -> None:
        if not called:
            return
        with aside(self._conn) as cursor:
            rows = cursor.execute(
                query("volatile_calls").encode(),
                {
                    "schemas": [name[-2] if len(name) > 1 else None for name, _ in called],
                    "names": [name[-1] for name, _ in called],
                    "operators": [operator for _, operator in called],
                },
            ).fetchall()
        for (name, operator), (_, _, unknown, volatile) in zip(called, rows, strict=True):
            word = f"operator {name[-1]}" if operator else f"function {dotted(list(name))}"
            why = ""
            if unknown:
                why = f"the {word} is not known now"
            elif volatile:
                why = f"the {word} is volatile: asking could change something"
            self._judged[name, operator] = why

    def _views(self, uses: Uses) -> Uses:
        """Return what the views that it reads call on."""
        names = tuple(dotted(list(name)) for name in dict.fromkeys(uses.relations))
        if names and names not in self._seen:
            self._seen[names] = self._read_views(names)
        return self._seen.get(names, Uses())

    def _read_views(self, names: Sequence[str]) -> Uses:
        with aside(self._conn) as cursor:
            rows = cursor.execute(query("views_below").encode(), {"names": list(names)}).fetchall()
        found = Uses()
        for reading in self._read([text for _, text in rows]) if rows else ():
            if reading is None:
                # A view that nobody can read may call anything.
                return Uses(functions=(("unreadable view",),))
            found = found + reading.uses
        return found
