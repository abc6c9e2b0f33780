"""Log files as they really behave: rotated, cut off, binary, in a burst, or no files at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rollback_tui.run.logs import FIRST_LINES, LINE_CHARACTERS, POLL_BYTES, LogFiles


def texts(logs: LogFiles) -> list[str]:
    return [line.text for line in logs.poll()]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "shop.log"
    path.write_text("one\ntwo\n")
    return path


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_first_the_end_then_what_comes(log: Path) -> None:
    log.write_text("".join(f"{n}\n" for n in range(500)))
    logs = LogFiles([str(log)])
    assert texts(logs) == [str(n) for n in range(500 - FIRST_LINES, 500)]
    assert texts(logs) == []
    add(log, "half a l")
    assert texts(logs) == []
    add(log, "ine\r\nnext\n")
    (first, second) = logs.poll()
    assert (first.file, first.text, second.text) == (str(log), "half a line", "next")


def test_a_large_file_is_read_from_its_end_only(log: Path) -> None:
    log.write_text("".join(f"{n:099}\n" for n in range(10 * POLL_BYTES // 100)))
    assert texts(LogFiles([str(log)]))[-1] == f"{10 * POLL_BYTES // 100 - 1:099}"


def test_a_rotated_file_is_read_to_its_end_and_the_new_one_from_its_beginning(log: Path) -> None:
    logs = LogFiles([str(log)])
    texts(logs)
    add(log, "last of the old\n")
    log.rename(log.with_name("shop.log.1"))
    log.write_text("first of the new\n")
    said = texts(logs)
    assert said[0] == "last of the old"
    assert "rotated" in said[1]
    assert said[2:] == ["first of the new"]
    assert texts(logs) == []


def test_a_pattern_shows_nothing_twice_when_files_are_renamed(log: Path) -> None:
    logs = LogFiles([f"{log.parent}/*.log*"])
    assert texts(logs) == ["one", "two"]
    seen = []
    for number in range(3):
        older = log.with_name("shop.log.1")
        if older.exists():
            older.rename(log.with_name("shop.log.2"))
        add(log, f"last {number}\n")
        log.rename(older)
        log.write_text(f"first {number}\n")
        seen += [text for text in texts(logs) if not text.startswith("(")]
    assert sorted(seen) == sorted(f"{w} {n}" for w in ("first", "last") for n in range(3))


def test_a_truncated_file_is_read_from_its_beginning(log: Path) -> None:
    logs = LogFiles([str(log)])
    texts(logs)
    log.write_text("new\n")
    said = texts(logs)
    assert "truncated" in said[0]
    assert said[1:] == ["new"]


def test_what_is_not_there_is_said_once_and_found_when_it_comes(tmp_path: Path) -> None:
    named, pattern = tmp_path / "a.log", f"{tmp_path}/x*.log"
    logs = LogFiles([str(named), pattern])
    assert len(texts(logs)) == 2
    assert texts(logs) == []
    named.write_text("here\n")
    (tmp_path / "x1.log").write_text("and here\n")
    assert texts(logs) == ["here", "and here"]
    named.unlink()
    (tmp_path / "x1.log").unlink()
    (said,) = texts(logs)
    assert "not there" in said
    assert texts(logs) == []
    named.write_text("again\n")
    assert texts(logs)[-1] == "again"


def test_what_is_no_plain_file_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    names = [str(tmp_path / "pipe"), str(tmp_path / "directory"), "/dev/zero", "a\0b"]
    logs = LogFiles(names)
    said = logs.poll()
    assert [line.file for line in said] == names
    reasons = ("a pipe", "a directory", "a device", "no possible file name")
    for line, reason in zip(said, reasons, strict=True):
        assert reason in line.text
    assert logs.poll() == ()


def test_what_may_not_be_read_is_said_once(log: Path) -> None:
    if os.geteuid() == 0:
        # Root may read everything; a link that leads to itself nobody can.
        log.unlink()
        log.symlink_to(log)
    else:
        log.chmod(0)
    logs = LogFiles([str(log)])
    (said,) = texts(logs)
    assert "cannot be read" in said
    assert texts(logs) == []


def test_binary_and_endless_lines_do_no_harm(log: Path) -> None:
    log.write_bytes(b"\xff\xfe\x00\x1b[31m\n" + b"x" * 5000 + b"\nshort\n")
    logs = LogFiles([str(log)])
    binary, long, short = texts(logs)
    assert binary == "\ufffd\ufffd\x00\x1b[31m"
    assert len(long) < LINE_CHARACTERS + 10
    assert short == "short"
    add(log, "y" * 100_000)
    (endless,) = texts(logs)
    assert endless.startswith("yyy")
    add(log, "y" * 100_000)
    assert texts(logs) == []
    add(log, "\nafter it\n")
    assert texts(logs) == ["after it"]


def test_of_a_burst_the_newest_is_shown(log: Path) -> None:
    logs = LogFiles([str(log)])
    texts(logs)
    add(log, "".join(f"{n:099}\n" for n in range(100_000)))
    said = texts(logs)
    assert "not shown" in said[0]
    assert said[-1] == f"{99_999:099}"
    assert len(said) <= POLL_BYTES // 100 + 1
    assert texts(logs) == []


def test_after_close_there_is_nothing_and_nothing_is_open(log: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    logs = LogFiles([str(log)])
    logs.poll()
    logs.close()
    logs.close()
    assert logs.poll() == ()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
