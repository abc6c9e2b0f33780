"""``prove``: restored beside, compared, dropped; and what is left when it is not what was kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psycopg
import pytest

from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint import proof, prove
from rollback_tui.checkpoint.verify import verify
from rollback_tui.core.errors import CheckpointError
from tests.checkpoint.conftest import Made


@pytest.fixture
def copy(made: Made, tmp_path: Path) -> Path:
    """A copy of the checkpoint, to be proven or damaged."""
    return Path(shutil.copytree(made.path, tmp_path / made.path.name))


def proven(made: Made, path: Path) -> prove.Proven:
    own = made.database.server.dsn("postgres", made.database.owner)
    return prove.prove(path, made.database.dsn, own)


def beside(made: Made) -> list[str]:
    """Databases beside the target: there must be none left."""
    with psycopg.connect(made.database.server.dsn()) as admin:
        rows = admin.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s) AND datname <> %s",
            [made.database.name + "__", made.database.name],
        )
        return [name for (name,) in rows]


def test_it_is_proven_timed_and_nothing_is_left(made: Made, copy: Path) -> None:
    done = proven(made, copy)
    assert done.comparison.proven and done.comparison.schema in ("identical", "equivalent")
    assert done.comparison.fingerprinted == done.comparison.tables == len(mf.read(copy)[0].tables)
    kept = proof.read(copy, (copy / mf.MANIFEST).read_bytes())
    assert kept is not None and kept == done.proof
    assert kept.restore_seconds == done.restore_seconds > 0
    assert proof.restore_time(copy).basis.startswith("measured")
    assert (beside(made), done.left) == ([], "")
    verify(copy)


def resealed(path: Path, old: str, new: str) -> None:
    """Alter the manifest so that it agrees with itself: as if the dump had been another."""
    manifest = path / mf.MANIFEST
    content = manifest.read_text()
    assert old in content
    manifest.write_text(content.replace(old, new, 1))
    encoded = manifest.read_bytes()
    (path / mf.SUMS).write_bytes(mf.sums(mf.read(path)[0], encoded))


def test_other_rows_are_not_proven(made: Made, copy: Path) -> None:
    resealed(copy, '"rows": 5000', '"rows": 4999')
    done = proven(made, copy)
    assert [d.summary for d in done.comparison.differences] == [
        "public.users: 5,000 rows, the checkpoint had 4,999"
    ]
    assert done.proof is None and not (copy / proof.PROOF).exists()
    assert beside(made) == []


def test_other_contents_are_not_proven(made: Made, copy: Path) -> None:
    users = next(t for t in mf.read(copy)[0].tables if t.table == "users")
    resealed(copy, users.fingerprint, "12345")
    done = proven(made, copy)
    assert [(d.kind, d.table) for d in done.comparison.differences] == [
        ("contents", "public.users")
    ]
    assert done.proof is None and beside(made) == []


def test_a_truncated_dump_and_a_flipped_bit_are_refused_before_anything(
    made: Made, copy: Path
) -> None:
    file = max((copy / "dump").iterdir(), key=lambda one: one.stat().st_size)
    whole = file.read_bytes()
    os.truncate(file, len(whole) // 2)
    with pytest.raises(CheckpointError, match="was altered"):
        proven(made, copy)
    file.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    with pytest.raises(CheckpointError, match="was altered"):
        proven(made, copy)
    assert beside(made) == [] and not (copy / proof.PROOF).exists()


def test_a_disk_without_room_is_refused(
    made: Made, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove, "free_bytes", lambda _connection, _oid: 1 << 20)
    with pytest.raises(CheckpointError, match=r"no room for .* 1\.0 MiB free"):
        proven(made, copy)
    assert beside(made) == []
