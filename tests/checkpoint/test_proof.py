"""A proof counts for the manifest it speaks of, and for no other."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint import proof
from rollback_tui.checkpoint.listing import list_checkpoints
from rollback_tui.checkpoint.verify import verify
from tests.checkpoint.conftest import Made

AT = datetime(2026, 3, 1, 3, 14, tzinfo=UTC)


def copied(made: Made, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.path, tmp_path / made.path.name))


def test_it_is_listed_and_the_checkpoint_stays_verified(made: Made, tmp_path: Path) -> None:
    path = copied(made, tmp_path)
    assert list_checkpoints(tmp_path)[0].proven_at is None
    written = proof.record(path, server_version=180004, at=AT)
    assert written.tables == len(mf.read(path)[0].tables)
    assert list_checkpoints(tmp_path)[0].proven_at == AT
    assert (path / proof.PROOF).stat().st_mode & 0o777 == 0o600
    assert verify(path).manifest.created_at == mf.read(path)[0].created_at


def test_of_another_manifest_or_damaged_it_proves_nothing(made: Made, tmp_path: Path) -> None:
    path = copied(made, tmp_path)
    proof.record(path, server_version=180004, at=AT)
    manifest = path / mf.MANIFEST
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    assert list_checkpoints(tmp_path)[0].proven_at is None
    (path / proof.PROOF).write_text("{")
    assert list_checkpoints(tmp_path)[0].proven_at is None
