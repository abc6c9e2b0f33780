"""The proof of a checkpoint: it was restored once, and what came back was what was kept.

A small file in the checkpoint's own directory, outside the manifest: the manifest is sealed when
the dump is made, and a proof comes later. It counts only for the very manifest it speaks of.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import msgspec

from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint.compare import Comparison, SchemaResult
from rollback_tui.checkpoint.manifest import PROOF as PROOF
from rollback_tui.checkpoint.storage import storage_error, write_whole
from rollback_tui.core.model import Value
from rollback_tui.core.text import inert_json

BYTES_A_SECOND = 20_000_000
"""The rate that an estimate counts with, in bytes of the database; deliberately low: 35 to 50 MB/s
were measured with two jobs (verify, pg_restore, ANALYZE and compare together, local disk)."""

BASE_SECONDS = 2.0
"""Added to every estimate: a database is created, programs are started."""


class Proof(Value, frozen=True, kw_only=True):
    """When and where a checkpoint was restored and compared."""

    manifest_sha256: str
    at: datetime
    """UTC."""
    server_version: int
    """``server_version_num`` of the server it was restored on."""
    tables: int
    """How many tables had exactly the rows that the manifest says."""
    fingerprinted: int = 0
    """Of these, how many were proven to have the same contents, too."""
    schema: SchemaResult = "not compared"
    restore_seconds: float | None = None
    """How long bringing it back took; None: not measured."""
    compare_seconds: float | None = None


class RestoreTime(Value, frozen=True, kw_only=True):
    """How long a restore of a checkpoint is expected to take."""

    seconds: float | None
    """None: nobody can say."""
    basis: str
    """How it is known."""


def record(
    checkpoint: Path,
    comparison: Comparison,
    *,
    server_version: int,
    at: datetime,
    restore_seconds: float | None = None,
) -> Proof:
    """Keep that ``checkpoint`` was restored and no difference was found. Raises CheckpointError."""
    _, content = mf.read(checkpoint)
    proof = Proof(
        manifest_sha256=hashlib.sha256(content).hexdigest(),
        at=at,
        server_version=server_version,
        tables=comparison.tables,
        fingerprinted=comparison.fingerprinted,
        schema=comparison.schema,
        restore_seconds=restore_seconds,
        compare_seconds=comparison.seconds,
    )
    encoded = msgspec.json.format(msgspec.json.encode(proof), indent=2)
    try:
        write_whole(checkpoint / PROOF, inert_json(encoded) + b"\n")
    except OSError as error:
        raise storage_error(error, checkpoint) from None
    return proof


def restore_time(checkpoint: Path) -> RestoreTime:
    """Return how long bringing this checkpoint back will take: as it was measured, or guessed from
    the size of the database. Raises CheckpointError."""
    manifest, content = mf.read(checkpoint)
    proof = read(checkpoint, content)
    if proof is not None and proof.restore_seconds is not None:
        total = proof.restore_seconds + (proof.compare_seconds or 0.0)
        return RestoreTime(
            seconds=round(total, 1),
            basis=f"measured {proof.at:%Y-%m-%d %H:%M} UTC, when it was proven",
        )
    if manifest.database_bytes is None:
        return RestoreTime(seconds=None, basis="it was never proven, and nobody knows its size")
    guess = BASE_SECONDS + manifest.database_bytes / BYTES_A_SECOND
    return RestoreTime(
        seconds=round(guess, 1), basis="estimated from its size; measured by checkpoint prove"
    )


def read(checkpoint: Path, manifest: bytes) -> Proof | None:
    """Return the proof of the checkpoint whose ``manifest.json`` has these bytes.

    None: it was never proven, or what is there is damaged or speaks of another manifest.
    """
    try:
        content = mf.read_regular(checkpoint / PROOF, limit=1 << 16)
        proof = msgspec.json.decode(content, type=Proof)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
    return proof if proof.manifest_sha256 == hashlib.sha256(manifest).hexdigest() else None
