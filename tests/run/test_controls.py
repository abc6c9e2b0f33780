"""The console lock: one console at the controls, known by name, given back by its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rollback_tui.core.claim import Controls
from rollback_tui.run.control import Control, ControlUnavailable
from rollback_tui.run.controls import FILE_NAME, ConsoleLock
from rollback_tui.run.feed import RunFeed
from tests.started import end, remembered

HOLDS = """
import sys
from pathlib import Path
from rollback_tui.run.controls import ConsoleLock
lock = ConsoleLock(Path(sys.argv[1]), unattended="--unattended" in sys.argv)
print(lock.take().mine, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> subprocess.Popen[str]:
    """Another process that has the controls."""
    return _holder(tmp_path)


def _holder(folder: Path, *options: str) -> subprocess.Popen[str]:
    process = remembered(
        subprocess.Popen(
            [sys.executable, "-c", HOLDS, str(folder), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "True"
    return process


def test_the_first_has_them_and_the_second_knows_who(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    lock = ConsoleLock(tmp_path)
    try:
        assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
        seen = lock.take()
        assert not seen.mine and not seen.free
        assert seen.holder and seen.since.endswith("UTC")
        assert lock.look() == seen
    finally:
        end(other)
    # However it ended, the system gave its lock back; nothing is taken by looking.
    assert lock.look().free
    assert lock.look().free
    assert lock.take().mine
    assert lock.look() == Controls(mine=True)
    assert not ConsoleLock(tmp_path).take().mine
    lock.release()
    assert ConsoleLock(tmp_path).look().free


def test_they_can_be_taken_over_from_a_console_that_still_lives(tmp_path: Path) -> None:
    """Its link may be dead, and its process does not know it."""
    first, second = ConsoleLock(tmp_path), ConsoleLock(tmp_path)
    assert first.take().mine
    assert not second.take().mine
    assert second.take(by_force=True).mine
    lost = first.look()
    assert not lost.mine and lost.holder
    assert not first.take().mine
    assert second.look().mine
    second.release()
    assert first.take().mine


def test_a_run_without_a_screen_says_so(tmp_path: Path) -> None:
    process = _holder(tmp_path, "--unattended")
    try:
        assert "(a run without a screen)" in ConsoleLock(tmp_path).look().holder
    finally:
        end(process)


def test_a_hostile_file_is_shown_as_text_and_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / FILE_NAME).symlink_to(tmp_path / "elsewhere")
    lock = ConsoleLock(tmp_path)
    # Nobody is kept from an abort by a broken lock, and nothing is written through it.
    assert lock.take().mine
    assert (tmp_path / "elsewhere").read_text() == "precious"

    (tmp_path / FILE_NAME).unlink()
    holder = ConsoleLock(tmp_path)
    assert holder.take().mine
    (tmp_path / FILE_NAME).write_text('{"operator": "\\u001b[31mkim", "since": "now"}')
    shown = lock.take()
    assert "\x1b" not in shown.holder and "kim" in shown.holder
    (tmp_path / FILE_NAME).write_text("[")
    assert lock.take().holder == "another console"


def test_only_the_console_at_the_controls_is_obeyed(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    control = Control("1a2b3c4d-0000-4000-8000-000000000000", tmp_path)
    losers: list[str] = []
    feed = RunFeed(tmp_path, taken_over=losers.append)
    try:
        for act in (feed.abort, lambda: feed.approve("commit")):
            with pytest.raises(ControlUnavailable, match="is at the controls since"):
                act()
        assert not control.aborted.is_set()
        assert not feed.take_controls().mine
        assert losers == []
        assert feed.take_controls(by_force=True).mine
        assert feed.take_controls(by_force=True).mine
        # It is told whom they were taken from, and once.
        assert len(losers) == 1 and losers[0]
        assert "taken" in feed.abort()
        assert control.aborted.is_set()
        assert f"uid {os.geteuid()}" in control.aborted_by
    finally:
        feed.close()
        control.close()
        end(other)
