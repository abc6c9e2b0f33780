"""A rehearsal from its beginning to its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from rollback_tui.config import Settings
from rollback_tui.core.model import Plan
from rollback_tui.core.rehearsal import Rehearsal, Source
from rollback_tui.core.schema import diff
from rollback_tui.rehearsal.execution import Performance
from rollback_tui.rehearsal.foresight import foreseen
from rollback_tui.rehearsal.making import FILLINGS, made
from rollback_tui.rehearsal.order import Order, look


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

    ``said`` is told what is being done now; ``stop`` ends it at the next statement, or while the
    scratch database is being made. That is removed in any case. Nothing is changed in the target.
    Raises RollbackTuiError when no scratch database can be made, or what the plan does cannot be
    held back in one.

    Where no baseline was recorded, one is replayed and kept: see :mod:`.replay`.
    """
    began = time.monotonic()
    order = Order(dsn, settings, project, plan, source, said=said, stop=stop)
    original = look(order)
    scratch = made(order, original, FILLINGS[source])
    try:
        made_seconds = time.monotonic() - began
        performance = Performance(order, scratch)
        performance.perform()
    finally:
        scratch.remove()
    before, after = performance.before, performance.after
    judged = None if before is None or after is None else foreseen(order, original, before, after)
    return Rehearsal(
        plan_sha256=plan.sha256,
        source=source,
        embedded=scratch.embedded,
        server_version=scratch.server_version,
        database=scratch.database,
        made_seconds=round(made_seconds, 3),
        seconds=round(time.monotonic() - began, 3),
        statements=tuple(performance.measured),
        failure=performance.failure,
        round_trip=performance.round_trip,
        foreseen=judged,
        changes=None if before is None or after is None else diff(before, after),
        proven=scratch.proven,
        removed=scratch.removed,
        differences=tuple(performance.differences),
        notes=tuple(order.notes),
    )
