"""Who holds a lock that a statement of the plan will need."""

from __future__ import annotations

from collections.abc import Sequence

from rollback_tui.core.model import Statement
from rollback_tui.core.outlook import InTheWay
from rollback_tui.postgres.connect import Connection


def in_the_way(connection: Connection, statements: Sequence[Statement]) -> tuple[InTheWay, ...]:
    """Return the sessions that ``statements`` would have to wait for now. Raises psycopg.Error."""
    return ()
