"""``checkpoint prove``: bring a checkpoint back beside, compare it, drop it, and keep the proof.

How long that took is what a recovery will take, measured; it is kept with the proof.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint import proof
from rollback_tui.checkpoint.clone import HEADROOM, free_bytes
from rollback_tui.checkpoint.compare import Comparison, compared
from rollback_tui.checkpoint.restore import drop_database, restore_beside
from rollback_tui.checkpoint.storage import now
from rollback_tui.checkpoint.verify import READ_SECONDS
from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.model import Value
from rollback_tui.core.text import data_size, printable
from rollback_tui.postgres import rename
from rollback_tui.postgres.connect import Connection, connect, with_database
from rollback_tui.postgres.naming import beside_name, marked

Progress = Callable[[str, int, int], None]
"""(what is going on, done, total)."""


class Proven(Value, frozen=True, kw_only=True):
    """What bringing a checkpoint back came to."""

    path: str
    comparison: Comparison
    restore_seconds: float
    """From its verification to its statistics: everything but the comparison."""
    proof: proof.Proof | None
    """What was kept as the proof; None: there were differences."""
    left: str = ""
    """The scratch database, if it could not be dropped."""


def prove(
    checkpoint: Path,
    dsn: str,
    maintenance_dsn: str,
    *,
    jobs: int = 2,
    seconds: float = READ_SECONDS,
    progress: Progress = lambda _summary, _done, _total: None,
    aborted: Callable[[], bool] = lambda: False,
) -> Proven:
    """Restore ``checkpoint`` into a scratch database of the server that ``dsn`` names, compare,
    and drop it. Subscriptions are left out: dropping one would reach the server it is of.

    The scratch database carries our mark, so that `checkpoint prune` finds it should we die.
    Raises CheckpointError or ConnectionFailed; nothing is proven then, and nothing is left.
    """
    manifest, _ = mf.read(checkpoint)
    run8 = secrets.token_hex(4)
    name = beside_name(manifest.target.database, f"__restored_{run8}")
    with contextlib.closing(connect(maintenance_dsn)) as maintenance:
        _room(maintenance, manifest)
        version = maintenance.info.server_version
    began = time.monotonic()
    restore_beside(
        checkpoint,
        dsn,
        maintenance_dsn,
        name,
        progress=progress,
        aborted=aborted,
        comment=marked("restored", manifest.target.database, run8),
        jobs=jobs,
        seconds=seconds,
        subscriptions=False,
    )
    took = round(time.monotonic() - began, 3)
    left = name
    try:
        progress("comparing with the manifest", 0, 1)
        comparison = compared(checkpoint, with_database(dsn, name), subscriptions=False)
    finally:
        with contextlib.closing(connect(maintenance_dsn)) as maintenance:
            drop_database(maintenance, name)
            with contextlib.suppress(psycopg.Error):
                left = name if rename.named(maintenance, name) is not None else ""
    kept = None
    if comparison.proven:
        kept = proof.record(
            checkpoint, comparison, server_version=version, at=now(), restore_seconds=took
        )
    return Proven(
        path=str(checkpoint), comparison=comparison, restore_seconds=took, proof=kept, left=left
    )


def _room(maintenance: Connection, manifest: mf.Manifest) -> None:
    """Refuse where the server's disk is seen and too small: a full one can stop the server."""
    row = maintenance.execute(
        "SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = current_database()"
    ).fetchone()
    free = free_bytes(maintenance, row[0]) if row else None
    needed = manifest.database_bytes
    if free is not None and needed is not None and free < needed * HEADROOM:
        raise CheckpointError(
            f"There is no room for {printable(manifest.target.database)} once more: its server has"
            f" {data_size(free)} free, it needs about {data_size(needed)}",
            "Make room, or prove it on another server: give its --dsn.",
        )
