"""What is kept is whole, private and durable, in this order: temp, fsync, rename, fsync."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rollback_tui.checkpoint.storage import building, make_directory, now, write_whole
from rollback_tui.core.schema import SchemaSnapshot
from rollback_tui.run import folder
from rollback_tui.survey import baseline


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every fsync and rename that really happens, with the name it is for."""
    seen: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        seen.append(("fsync", Path(f"/proc/self/fd/{handle}").readlink().name))
        fsync(handle)

    def replaced(source: Any, target: Any, **options: Any) -> None:
        replace(source, target, **options)
        seen.append(("rename", Path(target).name))

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    return seen


def _baseline(directory: Path) -> Path:
    made = baseline.Baseline(
        version="7", server_version=180000, snapshot=SchemaSnapshot(objects={}, column_order={})
    )
    return baseline.save(directory, made)


def _report(directory: Path) -> Path:
    path = directory / "report.md"
    folder.write(path, "report")
    return path


def _plain(directory: Path) -> Path:
    path = directory / "file"
    write_whole(path, b"content")
    return path


@pytest.mark.parametrize("write", [_plain, _report, _baseline])
def test_the_order_is_temp_fsync_rename_fsync_of_the_directory(
    tmp_path: Path, calls: list[tuple[str, str]], write: Callable[[Path], Path]
) -> None:
    path = write(tmp_path)
    assert [kind for kind, _ in calls] == ["fsync", "rename", "fsync"]
    (_, temporary), (_, renamed), (_, directory) = calls
    assert temporary.startswith(f".{path.name}.")
    assert (renamed, directory) == (path.name, tmp_path.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_new_directory_is_an_entry_that_lasts(
    tmp_path: Path, calls: list[tuple[str, str]]
) -> None:
    old = os.umask(0)
    try:
        make_directory(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(old)
    assert calls == [("fsync", tmp_path.name), ("fsync", "a"), ("fsync", "b")]
    for made in ("a", "a/b", "a/b/c"):
        assert stat.S_IMODE((tmp_path / made).stat().st_mode) == 0o700
    calls.clear()
    make_directory(tmp_path / "a" / "b" / "c")
    assert calls == []


def test_a_relative_directory_is_made_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_directory(Path("new"))
    assert (tmp_path / "new").is_dir()


def test_the_folder_of_a_run_lasts(tmp_path: Path, calls: list[tuple[str, str]]) -> None:
    folder.create(tmp_path / "runs", "0a1b2c3d-0000-4000-8000-000000000001")
    assert calls == [("fsync", tmp_path.name), ("fsync", "runs")]


def test_a_checkpoint_directory_that_is_new_lasts(
    tmp_path: Path, calls: list[tuple[str, str]]
) -> None:
    with building(tmp_path / "checkpoints", now) as (partial, _):
        assert partial.is_dir()
    assert ("fsync", tmp_path.name) in calls


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    """A limit on the size of files makes the kernel refuse in the middle, as a full disk does."""
    path = tmp_path / "file"
    write_whole(path, b"old")
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from rollback_tui.checkpoint.storage import write_whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    write_whole(Path(sys.argv[1]), b'x' * 65536)\n"
        "except OSError as error:\n"
        "    print(error.strerror)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "File too large\n"
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"untouched")
    path = tmp_path / "file"
    path.symlink_to(elsewhere)
    write_whole(path, b"ours")
    assert elsewhere.read_bytes() == b"untouched"
    assert not path.is_symlink()
    assert path.read_bytes() == b"ours"
