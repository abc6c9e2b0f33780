"""How a scratch database is made: beside the target, or else on a server of our own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import psycopg

from rollback_tui.core.errors import (
    CheckpointError,
    ConfigurationError,
    ConnectionFailed,
    RollbackTuiError,
)
from rollback_tui.core.rehearsal import Source
from rollback_tui.rehearsal.filling import room, with_checkpoint, with_copy, with_schema
from rollback_tui.rehearsal.order import Order, Original, Stopped, words_of
from rollback_tui.rehearsal.own_server import OwnServer
from rollback_tui.rehearsal.scratch import Beside, clear_leftovers, maintenance

Fill = Callable[[Order, Beside | OwnServer], None]
"""Puts what is wanted into the scratch database; the database need not be there yet."""


def made(order: Order, original: Original, fill: Fill) -> Beside | OwnServer:
    """Make the scratch database and ``fill`` it: beside the target where that may be, else on a
    server of our own. Raises RollbackTuiError; then nothing of it is left."""
    with (
        contextlib.suppress(psycopg.Error, ConnectionFailed),
        contextlib.closing(maintenance(order)) as connection,
    ):
        clear_leftovers(order, connection, original.target.database)
    if not original.own_server:
        try:
            return _beside(order, original, fill)
        except CheckpointError as error:
            if fill is copied:
                raise
            order.note(f"not on the target's server: {error.summary}")
    elif fill is copied:
        raise RollbackTuiError(
            f"No copy of the target can be made: {original.own_server}",
            "Rehearse on an embedded server: --from schema, or --from dump.",
        )
    else:
        order.note(f"not on the target's server: {original.own_server}")
    return _on_own_server(order, original, fill)


def _beside(order: Order, original: Original, fill: Fill) -> Beside:
    scratch = Beside(order, original)
    with _undone_unless_made(order, scratch):
        fill(order, scratch)
        scratch.settle_in()
    return scratch


def _on_own_server(order: Order, original: Original, fill: Fill) -> OwnServer:
    try:
        scratch = OwnServer(order, original)
    except ConfigurationError as error:
        raise RollbackTuiError(
            f"No scratch database can be made: {order.notes[-1]}. {error.summary}", error.remedy
        ) from None
    with _undone_unless_made(order, scratch):
        fill(order, scratch)
        scratch.settle_in()
    return scratch


def empty(order: Order, scratch: Beside | OwnServer) -> None:  # noqa: ARG001
    """Leave it empty."""
    scratch.create()


def with_the_schema(order: Order, scratch: Beside | OwnServer) -> None:
    """Give it the schema of the target, without rows."""
    scratch.create()
    with_schema(order, scratch)


def restored(order: Order, scratch: Beside | OwnServer) -> None:
    """Restore a checkpoint into it."""
    room(order, scratch)
    with_checkpoint(order, scratch)


def copied(order: Order, scratch: Beside | OwnServer) -> None:
    """Copy the target, on its own server only."""
    if isinstance(scratch, Beside):
        room(order, scratch)
        with_copy(order, scratch)


FILLINGS: dict[Source, Fill] = {"schema": with_the_schema, "dump": restored, "clone": copied}
"""By what a rehearsal is made from."""


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
