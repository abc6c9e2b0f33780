"""The plan executed on a scratch database, to turn forecasts into measurements."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from rollback_tui.config import Settings
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Plan
from rollback_tui.core.rehearsal import Rehearsal, Source


def rehearse(
    dsn: str,
    settings: Settings,
    project: Path,
    plan: Plan,
    source: Source,
    *,
    said: Callable[[str], None],
    stop: threading.Event,
) -> Rehearsal:
    """Execute ``plan`` on a scratch database made from ``source`` and measure each statement.

    ``said`` is told what is being done now; ``stop`` ends it at the next statement. The scratch
    database is removed in any case. Raises RollbackTuiError when none can be made.
    """
    raise RollbackTuiError("no scratch database can be made yet", "")
