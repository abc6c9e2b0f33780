from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint.verify import read_archive, verify
from rollback_tui.core.errors import CheckpointError
from tests.checkpoint.conftest import Made


@pytest.fixture
def copy(made: Made, tmp_path: Path) -> Path:
    """A copy of the checkpoint, to be damaged."""
    return Path(shutil.copytree(made.path, tmp_path / made.path.name))


def largest(path: Path) -> Path:
    """The file of the archive with most bytes."""
    return max((path / "dump").iterdir(), key=lambda file: file.stat().st_size)


def flip(file: Path, place: float) -> None:
    """Change one bit."""
    content = bytearray(file.read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x10
    file.write_bytes(content)


def test_an_untouched_one_is_verified(copy: Path, made: Made) -> None:
    verified = verify(copy, fingerprint=made.checkpoint.fingerprint)
    assert verified.manifest_sha256 == made.checkpoint.manifest_sha256
    assert verified.manifest.database.name == made.database.name


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    "name", ["dump/toc.dat", "restore.sh", "git_commit.txt", "create.sql", mf.SCHEMA]
)
def test_one_flipped_bit(copy: Path, name: str, place: float) -> None:
    flip(copy / name, place)
    with pytest.raises(CheckpointError, match="was altered: it has other bytes"):
        verify(copy)


def test_one_flipped_bit_in_the_data(copy: Path) -> None:
    flip(largest(copy), 0.7)
    with pytest.raises(CheckpointError, match="was altered"):
        verify(copy)


def test_truncated(copy: Path) -> None:
    file = largest(copy)
    os.truncate(file, file.stat().st_size - 1)
    with pytest.raises(CheckpointError, match=r"was altered: it has [\d,]+ bytes"):
        verify(copy)


@pytest.mark.parametrize(
    "name", ["dump/toc.dat", "SHA256SUMS", "manifest.json", "restore.sh", mf.SCHEMA]
)
def test_a_file_is_missing(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(CheckpointError, match=r"is missing|cannot be read"):
        verify(copy)


@pytest.mark.parametrize("name", ["extra", "dump/9999.dat.gz"])
def test_a_file_too_many(copy: Path, name: str) -> None:
    (copy / name).write_text("x")
    with pytest.raises(CheckpointError, match="is not of it"):
        verify(copy)


def test_a_link_instead_of_a_file(copy: Path, tmp_path: Path) -> None:
    moved = (copy / "git_commit.txt").rename(tmp_path / "elsewhere")
    (copy / "git_commit.txt").symlink_to(moved)
    with pytest.raises(CheckpointError, match="is not a regular file"):
        verify(copy)


@pytest.mark.parametrize("place", [0.1, 0.4, 0.9])
def test_an_altered_manifest(copy: Path, place: float) -> None:
    flip(copy / mf.MANIFEST, place)
    with pytest.raises(CheckpointError):
        verify(copy)


def test_an_altered_number_in_the_manifest(copy: Path) -> None:
    content = (copy / mf.MANIFEST).read_text()
    assert '"rows": 5000' in content
    (copy / mf.MANIFEST).write_text(content.replace('"rows": 5000', '"rows": 4000'))
    with pytest.raises(CheckpointError, match="contradict each other"):
        verify(copy)


def test_a_newer_format(copy: Path) -> None:
    content = (copy / mf.MANIFEST).read_text()
    newer = content.replace(f'"format": {mf.FORMAT}', '"format": 99', 1)
    (copy / mf.MANIFEST).write_text(newer)
    with pytest.raises(CheckpointError, match="has format 99"):
        verify(copy)


def test_of_another_database(copy: Path) -> None:
    with pytest.raises(CheckpointError, match="Checkpoint of another database"):
        verify(copy, fingerprint="000000000000")


def test_the_archive_itself_is_read(copy: Path, made: Made) -> None:
    """Damage that the hashes agree with (it was there when they were made) is still found."""
    file = largest(copy)
    os.truncate(file, file.stat().st_size // 2)
    manifest, _ = mf.read(copy)
    with pytest.raises(CheckpointError, match="The archive cannot be read"):
        read_archive(copy, manifest)


def test_no_checkpoint_at_all(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read") as caught:
        verify(tmp_path)
    assert "checkpoint list" in caught.value.remedy
