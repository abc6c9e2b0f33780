"""May a query of somebody else's words be sent only to look? Not when it could do something.

A READ ONLY transaction keeps tables and sequences as they are, but a volatile function may still
take advisory locks, end other sessions, write files or speak to other servers. So a query is sent
only when everything it calls is found in the catalog and none of it is volatile
(``pg_proc.provolatile``): functions, operators, and the same in the views it reads. Nor is one sent
that has a word in it by which a volatile function may be run unseen (a domain with such a rule, a
cast, ``row.function``), or a table of another server. What a function that was declared stable does
in spite of that, its author has to answer for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from rollback_tui.core.demand import Name, Reading, Uses
from rollback_tui.core.script.tree import dotted
from rollback_tui.postgres.aside import aside, query

Read = Callable[[Sequence[str]], Sequence[Reading | None]]
"""Reads statements: ``Parser.readings``."""

_WORD = re.compile(r"\w+")


class Guard:
    """Judges queries on one connection; what it has learnt of a name it keeps."""

    def __init__(self, conn: psycopg.Connection[Any], read: Read) -> None:
        self._conn = conn
        self._read = read
        self._judged: dict[tuple[Name, bool], str] = {}
        self._seen: dict[tuple[str, ...], tuple[Uses, str]] = {}
        self._hidden: dict[str, str] | None = None

    def obstacle(self, uses: Uses, text: str) -> str:
        """Return why the query ``text`` with these ``uses`` must not be sent; empty when it may be.

        Raises psycopg.Error.
        """
        below, texts = self._views(uses)
        hidden = self._unseen(f"{text} {texts}")
        if hidden:
            return f"{hidden}: asking could change something"
        uses = uses + below
        called = [(name, False) for name in uses.functions]
        called += [(name, True) for name in uses.operators]
        self._look_up([one for one in dict.fromkeys(called) if one not in self._judged])
        return next((self._judged[one] for one in called if self._judged[one]), "")

    def _unseen(self, text: str) -> str:
        """Return what the words of a query may set off without calling it; empty: nothing."""
        if self._hidden is None:
            with aside(self._conn, canonical=True) as cursor:
                rows = cursor.execute(query("hidden_calls").encode()).fetchall()
            # A name of several words is found by the longest of them.
            self._hidden = {
                max(_WORD.findall(word.lower()), key=len, default=""): why for word, why in rows
            }
        if not self._hidden:
            return ""
        words = {"", *(word.lower() for word in _WORD.findall(text))}
        return next((why for word, why in self._hidden.items() if word in words), "")

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

    def _views(self, uses: Uses) -> tuple[Uses, str]:
        """Return what the views that it reads call on, and all their texts."""
        names = tuple(dotted(list(name)) for name in dict.fromkeys(uses.relations))
        if names and names not in self._seen:
            self._seen[names] = self._read_views(names)
        return self._seen.get(names, (Uses(), ""))

    def _read_views(self, names: Sequence[str]) -> tuple[Uses, str]:
        with aside(self._conn) as cursor:
            rows = cursor.execute(query("views_below").encode(), {"names": list(names)}).fetchall()
        found = Uses()
        texts = [text for _, text in rows]
        for reading in self._read(texts) if rows else ():
            if reading is None:
                # A view that nobody can read may call anything.
                return Uses(functions=(("unreadable view",),)), ""
            found = found + reading.uses
        return found, " ".join(texts)
