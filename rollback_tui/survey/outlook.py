"""What stands around a plan, asked once it is made."""

from __future__ import annotations

from rollback_tui.core.model import Plan
from rollback_tui.core.outlook import Outlook
from rollback_tui.postgres import dependents
from rollback_tui.postgres.connect import Connection


def outlook(connection: Connection, plan: Plan) -> Outlook:
    """Return what stands around ``plan``. What cannot be found out is None."""
    return Outlook(dependents=dependents.dependents(connection, plan.statements), mentions=None)
