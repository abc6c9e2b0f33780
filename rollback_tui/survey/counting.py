"""What a plan would remove, and what it would fail on, counted now."""

from __future__ import annotations

import time

import msgspec

from rollback_tui.core.model import Plan, Statement
from rollback_tui.postgres import counts
from rollback_tui.postgres.connect import Connection

_LOSS_SECONDS = 20.0


def counted(connection: Connection, plan: Plan) -> Plan:
    """Return the plan with what its statements would remove counted, as far as time allows.

    A table that somebody has locked is not waited for: its loss stays unknown.
    """
    deadline = time.monotonic() + _LOSS_SECONDS

    def one(statement: Statement) -> Statement:
        if not statement.effect.doomed and not statement.effect.cascade:
            return statement
        left = max(0.1, deadline - time.monotonic())
        return msgspec.structs.replace(statement, loss=counts.losses(connection, statement, left))

    # Local to a transaction: behind a pooler a setting of the session would become somebody
    # else's. Each count is in a savepoint of its own, which gives its locks back.
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL lock_timeout = '1s'")
        return plan.with_statements(one)
