"""Where runs are kept, and how one is found again."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from rollback_tui.core import events as ev
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.run import feed, folder
from rollback_tui.run.control import ControlUnavailable
from rollback_tui.run.journal import FILE_NAME, Journal

FIRST = "0a1b2c3d-0000-4000-8000-000000000001"
SECOND = "0a1bffff-0000-4000-8000-000000000002"


def run(directory: Path, run_id: str, stamp: str | None = None) -> Path:
    made = folder.create(directory, run_id)
    if stamp:
        made = made.rename(made.with_name(f"{stamp}_{run_id[:8]}"))
    journal = Journal(made / FILE_NAME)
    journal.write(ev.Alarm(summary="x", remedy="y"))
    journal.close()
    return made


def as_nobody(action: str) -> int:
    """Run Python code in a child that is not root; return its exit code."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            exec(action, {"folder": folder, "Path": Path, "os": os, "feed": feed})
            code = 0
        except ConfigurationError:
            code = 7
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_new_folder_is_private_and_says_which_run_it_is(tmp_path: Path) -> None:
    made = folder.create(tmp_path / "runs", FIRST)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "runs").stat().st_mode) == 0o700
    assert made.name.endswith("_0a1b2c3d")
    assert made.is_absolute()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError) as caught:
        folder.create(tmp_path / "file" / "runs", FIRST)
    assert "directory" in caught.value.remedy
    assert folder.problem(tmp_path / "file" / "runs") is not None
    assert folder.problem(tmp_path) is None


def test_a_full_disk_is_noticed_beforehand(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        found = folder.problem(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert found is not None
    assert str(tmp_path) in found


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    folder.write(path, "first")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            folder.write(path, "second, and longer than there is room for")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["report.md"]


def test_runs_are_listed_newest_first_and_found_by_any_name(tmp_path: Path) -> None:
    old = run(tmp_path, FIRST, "20260101_000000")
    new = run(tmp_path, SECOND, "20260102_000000")
    (tmp_path / "20260103_000000_notarun0").mkdir()
    assert folder.folders(tmp_path) == (new, old)
    assert feed.find(tmp_path, None) == new
    for name in (FIRST, "0a1b2c3d", "0a1b2c", old.name, str(old)):
        assert feed.find(tmp_path, name) == old


@pytest.mark.parametrize("name", ["0a1b", "ffff", "", "20260101_000000"])
def test_a_name_that_is_not_one_run_finds_none(tmp_path: Path, name: str) -> None:
    """Also when two runs begin alike: to settle the wrong one would be worse than to ask."""
    run(tmp_path, FIRST, "20260101_000000")
    run(tmp_path, SECOND, "20260102_000000")
    with pytest.raises(ConfigurationError):
        feed.find(tmp_path, name)


def test_no_directory_means_no_runs(tmp_path: Path) -> None:
    assert folder.folders(tmp_path / "none") == ()
    with pytest.raises(ConfigurationError, match="no run"):
        feed.find(tmp_path / "none", None)


def test_runs_of_another_user_are_a_clear_error() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    place = Path(tempfile.mkdtemp(prefix="rbt"))
    try:
        place.chmod(0o755)
        run(place / "runs", FIRST)
        assert as_nobody(f"folder.folders(Path({str(place / 'runs')!r}))") == 7
    finally:
        shutil.rmtree(place)


def test_history_says_what_became_of_each(tmp_path: Path) -> None:
    damaged = run(tmp_path, FIRST, "20260101_000000")
    run(tmp_path, SECOND, "20260102_000000")
    journal = damaged / FILE_NAME
    journal.write_bytes(b"{}\n" + journal.read_bytes())
    assert [s.outcome for s in feed.history(tmp_path)] == ["unfinished", "journal damaged"]


def test_a_run_without_a_worker_is_not_alive_and_takes_no_answer(tmp_path: Path) -> None:
    followed = feed.RunFeed(run(tmp_path, FIRST))
    assert not followed.alive()
    assert len(followed.poll()) == 1
    with pytest.raises(ControlUnavailable) as caught:
        followed.abort()
    assert "history" in caught.value.remedy
