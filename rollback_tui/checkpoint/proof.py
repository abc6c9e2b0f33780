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
from rollback_tui.checkpoint.storage import storage_error, write_whole
from rollback_tui.core.model import Value
from rollback_tui.core.text import inert_json

PROOF = "proven.json"


class Proof(Value, frozen=True, kw_only=True):
    """When and where a checkpoint was restored and compared."""

    manifest_sha256: str
    at: datetime
    """UTC."""
    server_version: int
    """``server_version_num`` of the server it was restored on."""
    tables: int
    """How many tables had exactly the rows that the manifest says."""


def record(checkpoint: Path, *, server_version: int, at: datetime) -> Proof:
    """Keep that ``checkpoint`` was restored and no difference was found. Raises CheckpointError."""
    manifest, content = mf.read(checkpoint)
    proof = Proof(
        manifest_sha256=hashlib.sha256(content).hexdigest(),
        at=at,
        server_version=server_version,
        tables=len(manifest.tables),
    )
    encoded = msgspec.json.format(msgspec.json.encode(proof), indent=2)
    try:
        write_whole(checkpoint / PROOF, inert_json(encoded) + b"\n")
    except OSError as error:
        raise storage_error(error, checkpoint) from None
    return proof


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
