"""The journal: whole after every accident, and not believed after every alteration."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rollback_tui.core import events as ev
from rollback_tui.run.journal import (
    FILE_NAME,
    Follower,
    Journal,
    JournalDamaged,
    JournalInUse,
    flat,
    inspect,
    read,
)


def alarm(number: int, padding: str = "") -> ev.Alarm:
    return ev.Alarm(summary=f"number {number}{padding}", remedy="–")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


def written(path: Path, count: int = 5) -> list[bytes]:
    journal = Journal(path)
    for number in range(1, count + 1):
        journal.write(alarm(number))
    journal.close()
    return path.read_bytes().splitlines(keepends=True)


def summaries(path: Path) -> list[str]:
    return [r.event.summary for r in read(path) if isinstance(r.event, ev.Alarm)]


def test_what_is_written_is_read_in_order_and_chained(path: Path) -> None:
    lines = written(path)
    records = read(path)
    assert [r.seq for r in records] == [1, 2, 3, 4, 5]
    assert records[0].prev == ""
    assert len({r.prev for r in records}) == len(lines) == 5
    assert [r.event for r in records] == [alarm(n) for n in range(1, 6)]


def test_only_the_user_can_read_it(path: Path) -> None:
    before = os.umask(0)
    try:
        written(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("line", range(5))
def test_an_altered_line_is_noticed(path: Path, line: int) -> None:
    """The very last line has no follower whose hash would tell; only its form is checked."""
    lines = written(path)
    lines[line] = lines[line].replace(b"number", b"NUMBER" if line < 4 else b'"')
    path.write_bytes(b"".join(lines))
    with pytest.raises(JournalDamaged):
        read(path)


@pytest.mark.parametrize("change", ["removed", "first removed", "swapped", "doubled", "joined"])
def test_another_order_of_lines_is_noticed(path: Path, change: str) -> None:
    one, two, three, four, five = written(path)
    lines = {
        "removed": [one, two, four, five],
        "first removed": [two, three, four, five],
        "swapped": [one, three, two, four, five],
        "doubled": [one, two, two, three],
        "joined": [one, two.rstrip(b"\n"), three, four],
    }[change]
    path.write_bytes(b"".join(lines))
    with pytest.raises(JournalDamaged, match="line"):
        read(path)


@pytest.mark.parametrize("byte", [b"\r", b"\x00", b"\xff", b"\x85"])
def test_no_byte_hides_the_rest_of_the_journal(path: Path, byte: bytes) -> None:
    one, two, *rest = written(path)
    path.write_bytes(b"".join([one, two[:40] + byte + two[41:], *rest]))
    with pytest.raises(JournalDamaged, match="line 2"):
        read(path)


def test_a_journal_that_shrinks_is_noticed(path: Path) -> None:
    lines = written(path)
    follower = Follower(path)
    assert len(follower.poll()) == 5
    path.write_bytes(b"".join(lines[:3]))
    with pytest.raises(JournalDamaged, match="shorter"):
        follower.poll()


def test_a_torn_last_line_is_waited_for(path: Path) -> None:
    one, two, three, *_ = written(path)
    path.write_bytes(one + two[:25])
    follower = Follower(path)
    assert [r.seq for r in follower.poll()] == [1]
    assert follower.poll() == ()
    with path.open("ab") as file:
        file.write(two[25:])
        file.flush()
        assert [r.seq for r in follower.poll()] == [2]
        file.write(three)
        file.flush()
    assert [r.seq for r in follower.poll()] == [3]


@pytest.mark.parametrize("whole", [0, 1, 3])
def test_continuing_cuts_a_torn_tail_off(path: Path, whole: int) -> None:
    lines = written(path)
    path.write_bytes(b"".join(lines[:whole]) + lines[whole][:30])
    journal = Journal(path)
    assert journal.cut_off == 30
    assert journal.write(alarm(99)).seq == whole + 1
    journal.close()
    assert summaries(path) == [f"number {n}" for n in range(1, whole + 1)] + ["number 99"]


def test_a_follower_says_how_much_of_a_line_is_there(path: Path) -> None:
    lines = written(path)
    follower = Follower(path)
    for there, torn in ((b"".join(lines), 0), (b"".join(lines) + lines[0][:7], 7)):
        path.write_bytes(there)
        follower.poll()
        assert follower.torn == torn


@pytest.mark.parametrize("seq", [1, 3, 5])
def test_the_head_is_the_hash_of_that_line(path: Path, seq: int) -> None:
    lines = written(path)
    found = inspect(path)
    expected = f"{seq}:{hashlib.sha256(lines[seq - 1]).hexdigest()}"
    assert found.head(seq) == expected
    assert (found.head(0), found.head(6)) == (None, None)
    journal = Journal(path)
    assert (journal.head == expected) == (seq == 5)
    assert journal.cut_off == 0
    journal.close()


def test_continuing_goes_on_with_number_hash_and_clock(path: Path) -> None:
    began = time.time()
    first = Journal(path)
    first._began -= 100
    earlier = first.write(alarm(1))
    first.close()
    time.sleep(0.05)
    second = Journal(path)
    later = second.write(alarm(2))
    second.close()
    passed = time.time() - began
    assert earlier.elapsed >= 100
    assert earlier.elapsed + 0.05 <= later.elapsed < earlier.elapsed + passed + 0.1
    assert (later.seq, later.prev != "") == (2, True)
    assert [r.seq for r in read(path)] == [1, 2]


def test_a_damaged_journal_is_not_continued(path: Path) -> None:
    lines = written(path)
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    before = path.read_bytes()
    with pytest.raises(JournalDamaged):
        Journal(path)
    assert path.read_bytes() == before


def test_there_is_one_writer_and_after_it_another(path: Path) -> None:
    """Settling a run whose worker is alive would write a second line with the same number."""
    first = Journal(path)
    first.write(alarm(1))
    with pytest.raises(JournalInUse) as caught:
        Journal(path)
    assert "attach" in caught.value.remedy
    first.write(alarm(2))
    first.close()
    second = Journal(path)
    second.write(alarm(3))
    second.close()
    assert [r.seq for r in read(path)] == [1, 2, 3]


def test_a_killed_writer_does_not_lock_the_next_one_out(path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from rollback_tui.run.journal import Journal\n"
        "from rollback_tui.core.events import Alarm\n"
        "j = Journal(Path(sys.argv[1])); j.write(Alarm(summary='x', remedy='y'))\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        with pytest.raises(JournalInUse):
            Journal(path)
        child.kill()
    journal = Journal(path)
    assert journal.write(alarm(2)).seq == 2
    journal.close()


def test_writers_in_several_threads_stay_in_order(path: Path) -> None:
    journal = Journal(path)
    heard: list[int] = []
    journal.listeners.append(lambda record: heard.append(record.seq))

    def write(base: int) -> None:
        for number in range(25):
            journal.write(alarm(base + number))

    threads = [threading.Thread(target=write, args=(100 * n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    records = read(path)
    assert [r.seq for r in records] == heard == list(range(1, 151))
    elapsed = [r.elapsed for r in records]
    assert elapsed == sorted(elapsed)


@contextmanager
def no_more_than(size: int) -> Iterator[None]:
    """No file of this process may grow past ``size`` bytes (EFBIG, after a partial write)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, 60])
def test_a_full_disk_is_an_error_and_leaves_whole_lines(path: Path, room: int) -> None:
    journal = Journal(path)
    journal.write(alarm(1))
    follower = Follower(path)
    assert len(follower.poll()) == 1
    whole = path.stat().st_size
    with no_more_than(whole + room), pytest.raises(OSError, match="too large"):
        journal.write(alarm(2, "x" * 200))
    assert path.stat().st_size == whole
    assert follower.poll() == ()
    assert journal.write(alarm(3)).seq == 2
    journal.close()
    assert [r.event for r in follower.poll()] == [alarm(3)]
    assert summaries(path) == ["number 1", "number 3"]


def test_half_a_line_that_cannot_be_cut_off_at_once_is_cut_off_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path)
    journal.write(alarm(1))

    def fails(file: int, size: int) -> None:
        raise OSError("input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "ftruncate", fails)
        with no_more_than(path.stat().st_size + 30), pytest.raises(OSError, match="too large"):
            journal.write(alarm(2, "x" * 200))
        with pytest.raises(OSError, match="input/output"):
            journal.write(alarm(3))
    journal.write(alarm(4))
    journal.close()
    assert summaries(path) == ["number 1", "number 4"]


def test_a_failing_fsync_is_an_error_and_the_line_that_may_have_been_read_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path)
    follower = Follower(path)

    def fails(file: int) -> None:
        raise OSError("input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fails)
        with pytest.raises(OSError, match="input/output"):
            journal.write(alarm(1))
    assert len(follower.poll()) == 1
    journal.write(alarm(2))
    journal.close()
    assert [r.seq for r in follower.poll()] == [2]


def test_every_line_is_on_disk_before_anybody_hears_of_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real: Callable[[int], None] = os.fsync
    journal = Journal(path)
    journal.listeners.append(lambda _: order.append("heard"))
    monkeypatch.setattr(os, "fsync", lambda file: (order.append("fsync"), real(file)))
    journal.write(alarm(1))
    journal.close()
    assert order == ["fsync", "heard"]


def test_a_missing_journal_has_no_records_yet(path: Path) -> None:
    assert read(path) == ()


def test_a_flat_record_has_the_kind_and_the_fields_on_top(path: Path) -> None:
    written(path, 1)
    line = json.loads(json.dumps(flat(read(path)[0])))
    assert line["kind"] == "alarm"
    assert (line["seq"], line["summary"]) == (1, "number 1")
    assert "prev" not in line
