"""A proof counts for the manifest it speaks of, and for no other."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint import proof
from rollback_tui.checkpoint.compare import Comparison
from rollback_tui.checkpoint.listing import list_checkpoints
from rollback_tui.checkpoint.verify import verify
from tests.checkpoint.conftest import Made

SAME = Comparison(differences=(), tables=9, fingerprinted=8, schema="identical", seconds=1.5)
AT = datetime(2026, 3, 1, 3, 14, tzinfo=UTC)


def copied(made: Made, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.path, tmp_path / made.path.name))


def test_it_is_listed_and_the_checkpoint_stays_verified(made: Made, tmp_path: Path) -> None:
    path = copied(made, tmp_path)
    assert list_checkpoints(tmp_path)[0].proven_at is None
    written = proof.record(path, SAME, server_version=180004, at=AT)
    assert (written.tables, written.fingerprinted, written.schema) == (9, 8, "identical")
    assert list_checkpoints(tmp_path)[0].proven_at == AT
    assert (path / proof.PROOF).stat().st_mode & 0o777 == 0o600
    assert verify(path).manifest.created_at == mf.read(path)[0].created_at


def test_of_another_manifest_or_damaged_it_proves_nothing(made: Made, tmp_path: Path) -> None:
    path = copied(made, tmp_path)
    proof.record(path, SAME, server_version=180004, at=AT)
    manifest = path / mf.MANIFEST
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    assert list_checkpoints(tmp_path)[0].proven_at is None
    (path / proof.PROOF).write_text("{")
    assert list_checkpoints(tmp_path)[0].proven_at is None


def test_it_tells_how_long_a_restore_takes(made: Made, tmp_path: Path) -> None:
    path = copied(made, tmp_path)
    guess = proof.restore_time(path)
    assert guess.seconds is not None and guess.seconds > 2 and "estimated" in guess.basis
    proof.record(path, SAME, server_version=180004, at=AT, restore_seconds=7.0)
    measured = proof.restore_time(path)
    assert measured.seconds == 8.5 and measured.basis.startswith("measured 2026-03-01 03:14 UTC")


def test_a_proof_of_an_older_version_is_read(made: Made, tmp_path: Path) -> None:
    path = copied(made, tmp_path)
    proof.record(path, SAME, server_version=180004, at=AT)
    kept = json.loads((path / proof.PROOF).read_text())
    known = ("manifest_sha256", "at", "server_version", "tables")
    (path / proof.PROOF).write_text(json.dumps({name: kept[name] for name in known}))
    found = proof.read(path, (path / mf.MANIFEST).read_bytes())
    assert found is not None and found.schema == "not compared"
    assert "estimated" in proof.restore_time(path).basis
