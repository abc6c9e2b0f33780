"""The tables of the target with their exact counts, read one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollback_tui.core.model import TableCount
from rollback_tui.ui.moment import steady

if TYPE_CHECKING:
    from rollback_tui.ui.guide import Guide

SLOW = 1.0
"""Seconds after which it is said which table is being counted: most take less."""
EVERY = 0.25
"""Seconds between two times that new counts are shown: of ten thousand tables, each change of the
list looks at all of them."""
COUNTED = 300
"""At most so many tables are counted exactly: the largest by estimate."""


class Counting:
    """Keeps ``walk.tables`` true. All methods are called on the event loop."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._left: list[str] = []
        self._underway: tuple[str, float] | None = None
        self._found: dict[str, TableCount] = {}
        self._told = 0.0

    @property
    def now(self) -> str:
        """The table that is being counted, when that takes longer than a second; else empty."""
        if self._underway is None or not self._guide.requests.busy("count"):
            return ""
        name, since = self._underway
        return name if steady() - since >= SLOW else ""

    def read(self) -> None:
        """Ask for the tables, then for their exact counts one by one."""
        guide = self._guide
        guide.requests.ask(
            "tables",
            guide.operations.tables,
            self._tables,
            lambda failure: guide.say(failure.summary, "warning"),
        )

    def _tables(self, tables: tuple[TableCount, ...]) -> None:
        self._found = {}
        self._guide.replace(tables=tables, uncounted=frozenset())
        # The small ones first: most of the list is exact within a moment.
        self._left = [t.name for t in reversed(tables[:COUNTED]) if t.exact is None]
        self.go_on()

    def go_on(self) -> None:
        """Count the next table, unless something comes before that."""
        guide = self._guide
        idle = guide.may_ask and not guide.walk.paused and not guide.requests.busy("count")
        if self._left and idle:
            name = self._left.pop(0)
            self._underway = (name, steady())
            guide.requests.ask(
                "count",
                lambda: guide.operations.count(name),
                self._counted,
                lambda _: self._not_counted(name),
            )

    def _counted(self, table: TableCount) -> None:
        if table.exact is None:
            self._not_counted(table.name)
            return
        self._found[table.name] = table
        self.tick(steady())
        self.go_on()

    def tick(self, now: float) -> None:
        """Show what was counted since the last time, when that is long enough ago."""
        if self._found and (now - self._told >= EVERY or not self._left):
            found, self._found, self._told = self._found, {}, now
            tables = tuple(found.get(t.name, t) for t in self._guide.walk.tables or ())
            self._guide.replace(tables=tables)

    def _not_counted(self, name: str) -> None:
        self._guide.replace(uncounted=self._guide.walk.uncounted | {name})
        self.go_on()
