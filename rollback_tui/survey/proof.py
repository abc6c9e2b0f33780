"""What verifying a plan's result will read, and what that may cost behind the closed door."""

from __future__ import annotations

from rollback_tui.config import Settings
from rollback_tui.core.model import Plan
from rollback_tui.core.proof import ProofCost
from rollback_tui.postgres.connect import Connection


def proof_cost(connection: Connection, settings: Settings, plan: Plan) -> ProofCost:
    """Return what will be counted and fingerprinted within the budget. Raises psycopg.Error."""
    tables = sorted({lock.relation for s in plan.statements for lock in s.effect.locks})
    return ProofCost(
        budget_seconds=settings.verify.budget_seconds,
        estimated_seconds=None,
        counted=tuple(tables),
        fingerprinted=(),
        others=0,
    )
