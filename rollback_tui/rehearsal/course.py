"""A rehearsal from its beginning to its end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg

from rollback_tui.config import Settings
from rollback_tui.core.errors import (
    CheckpointError,
    ConfigurationError,
    ConnectionFailed,
    RollbackTuiError,
)
from rollback_tui.core.model import Plan
from rollback_tui.core.rehearsal import Rehearsal, Source
from rollback_tui.rehearsal.execution import Performance
from rollback_tui.rehearsal.filling import room, with_checkpoint, with_copy, with_schema
from rollback_tui.rehearsal.order import Order, Original, Stopped, look, words_of
from rollback_tui.rehearsal.own_server import OwnServer
from rollback_tui.rehearsal.scratch import Beside, clear_leftovers, maintenance


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
    """
    began = time.monotonic()
    order = Order(dsn, settings, project, plan, source, said=said, stop=stop)
    original = look(order)
    scratch = _made(order, original)
    try:
        made_seconds = time.monotonic() - began
        performance = Performance(order, scratch)
        performance.perform()
    finally:
        scratch.remove()
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
        schema=performance.schema,
        proven=scratch.proven,
        removed=scratch.removed,
        differences=tuple(performance.differences),
        notes=tuple(order.notes),
    )


def _made(order: Order, original: Original) -> Beside | OwnServer:
    """Make and fill the scratch database: beside the target where that may be, else on a server of
    our own. Raises RollbackTuiError; then nothing of it is left."""
    with (
        contextlib.suppress(psycopg.Error, ConnectionFailed),
        contextlib.closing(maintenance(order)) as connection,
    ):
        clear_leftovers(order, connection, original.target.database)
    if not original.own_server:
        try:
            return _beside(order, original)
        except CheckpointError as error:
            if order.source == "clone":
                raise
            order.note(f"not on the target's server: {error.summary}")
    elif order.source == "clone":
        raise RollbackTuiError(
            f"No copy of the target can be made: {original.own_server}",
            "Rehearse on an embedded server: --from schema, or --from dump.",
        )
    else:
        order.note(f"not on the target's server: {original.own_server}")
    return _on_own_server(order, original)


def _beside(order: Order, original: Original) -> Beside:
    scratch = Beside(order, original)
    with _undone_unless_made(order, scratch):
        if order.source == "clone":
            room(order, scratch)
            with_copy(order, scratch)
            scratch.settle_in()
        else:
            _filled(order, scratch)
    return scratch


def _on_own_server(order: Order, original: Original) -> OwnServer:
    try:
        scratch = OwnServer(order, original)
    except ConfigurationError as error:
        raise RollbackTuiError(
            f"No scratch database can be made: {order.notes[-1]}. {error.summary}", error.remedy
        ) from None
    with _undone_unless_made(order, scratch):
        _filled(order, scratch)
    return scratch


def _filled(order: Order, scratch: Beside | OwnServer) -> None:
    if order.source == "schema":
        scratch.create()
        with_schema(order, scratch)
    else:
        room(order, scratch)
        with_checkpoint(order, scratch)
    scratch.settle_in()


@contextlib.contextmanager
def _undone_unless_made(order: Order, scratch: Beside | OwnServer) -> Iterator[None]:
    """Remove the scratch database when the block that makes it fails, and say why it did."""
    try:
        yield
    except (RollbackTuiError, psycopg.Error) as error:
        scratch.remove()
        if order.stop.is_set():
            raise Stopped from None
        if isinstance(error, RollbackTuiError):
            raise
        raise RollbackTuiError(
            f"No scratch database could be made: {words_of(error)}",
            "Its own words say what is wrong.",
        ) from None
    except BaseException:
        scratch.remove()
        raise
