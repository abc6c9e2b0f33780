"""The audit log: nothing is lost, nothing is altered unseen, and it never stops anybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rollback_tui.aftercare import decisions
from rollback_tui.aftercare.decisions import DecisionsDamaged, note, read, verify
from rollback_tui.aftercare.unheard import behind_the_screens

RUN = "8c3038d4-f958-42d9-a6ae-3f9a1558d807"


def log(directory: Path) -> Path:
    return directory / decisions.FILE_NAME


def rewritten(directory: Path, old: str, new: str) -> None:
    text = log(directory).read_text()
    assert old in text
    log(directory).write_text(text.replace(old, new))


def test_a_decision_says_who_what_when_and_from_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "deploy")
    monkeypatch.setenv("SUDO_USER", "ada")
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.7 5022 10.0.0.1 22")
    directory = tmp_path / "not" / "there yet"
    head = note(directory, "session terminated", "pid 7 of shop\x1b[2J", pid_ended=7, names=("a",))
    (one,) = read(directory)
    assert (one.seq, one.prev, one.what) == (1, "", "session terminated")
    assert one.detail == "pid 7 of shop␛[2J"
    assert one.facts == {"pid_ended": 7, "names": ("a",)}
    assert one.who.startswith(f"deploy (sudo by ada), uid {os.getuid()}, ssh 10.0.0.7, host ")
    assert (one.pid, one.at.utcoffset() is not None) == (os.getpid(), True)
    assert log(directory).stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700
    following = note(directory, "settle asked for", run=RUN)
    assert head.startswith("1:") and following.startswith("2:")
    assert read(directory)[1].prev == head[2:]


def test_a_decision_is_on_disk_before_anything_comes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, bytes]] = []
    real = os.fsync

    def fsync(file: int) -> None:
        synced.append((os.fstat(file).st_ino, log(tmp_path).read_bytes()))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    note(tmp_path, "first")
    one = log(tmp_path).read_bytes()
    note(tmp_path, "second")
    here, directory = log(tmp_path).stat().st_ino, tmp_path.stat().st_ino
    assert synced == [(here, one), (directory, one), (here, log(tmp_path).read_bytes())]


def test_several_processes_append_and_the_chain_stays_whole(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rollback_tui.aftercare.decisions import note\n"
        "for n in range(40): assert note(Path(sys.argv[1]), 'decided', str(n))"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    for n in range(40):
        assert note(tmp_path, "decided", str(n))
    assert [process.wait(60) for process in running] == [0, 0]
    found = read(tmp_path)
    assert [one.seq for one in found] == list(range(1, 121))
    assert len({one.pid for one in found}) == 3


def test_half_a_line_that_a_crash_left_is_cut_off_and_long_lines_are_whole(tmp_path: Path) -> None:
    note(tmp_path, "first", "x" * 5000, list_of=("y" * 1999,) * 100)
    with log(tmp_path).open("ab") as file:
        file.write(b'{"seq":2,"at":"2026-')
    assert verify(tmp_path).torn_bytes == 20
    assert len(read(tmp_path)) == 1
    note(tmp_path, "second")
    assert [one.what for one in read(tmp_path)] == ["first", "second"]
    assert len(read(tmp_path)[0].detail) == 2000
    assert verify(tmp_path).torn_bytes == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("nothing bad", "nothing good", "line 3 does not follow"),
        ('"seq":2', '"seq":4', "line 2 does not follow"),
        ('{"seq":2', "{seq:2", "line 2 is damaged"),
    ],
)
def test_what_is_altered_is_found_and_what_comes_is_kept_all_the_same(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    for what in ("begun", "nothing bad", "ended"):
        note(tmp_path, what)
    rewritten(tmp_path, old, new)
    with pytest.raises(DecisionsDamaged, match=words):
        read(tmp_path)
    assert (verify(tmp_path).verdict, verify(tmp_path).lines) == ("altered", 0)
    assert note(tmp_path, "later").startswith("4:")


def test_a_line_that_is_gone_is_found(tmp_path: Path) -> None:
    heads = [note(tmp_path, what) for what in ("a", "b", "c")]
    lines = log(tmp_path).read_bytes().splitlines(keepends=True)
    log(tmp_path).write_bytes(lines[0] + lines[2])
    assert verify(tmp_path).verdict == "altered"
    # The end may be cut off unseen, unless the journal of a run speaks of it.
    log(tmp_path).write_bytes(lines[0] + lines[1])
    assert verify(tmp_path).verdict == "not anchored"
    found = verify(tmp_path, iter([(RUN, heads[2])]))
    assert found.verdict == "altered"
    assert "line 3, whose hash the journal of run 8c3038d4 holds, is not there" in found.evidence


def test_a_log_that_was_written_anew_is_found_out_by_a_journal(tmp_path: Path) -> None:
    head = note(tmp_path, "run asked for", run=RUN)
    note(tmp_path, "baseline recorded")
    found = verify(tmp_path, iter([(RUN, head)]))
    assert (found.verdict, found.lines, found.anchored) == ("intact", 2, 1)
    assert "lines 2 to 2 came after it" in "\n".join(found.evidence)
    log(tmp_path).unlink()
    assert verify(tmp_path, iter([(RUN, head)])).verdict == "altered"
    note(tmp_path, "run asked for", "with other words", run=RUN)
    found = verify(tmp_path, iter([(RUN, head)]))
    assert found.verdict == "altered"
    assert "is another one" in "\n".join(found.evidence)


def test_no_log_at_all_is_nothing_bad(tmp_path: Path) -> None:
    assert verify(tmp_path).verdict == "empty"
    assert read(tmp_path) == ()


@pytest.mark.parametrize("kind", ["a directory", "a link", "no directory"])
def test_a_log_that_cannot_be_written_stops_nothing_and_is_said_once(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path
    if kind == "a directory":
        log(directory).mkdir()
    elif kind == "a link":
        log(directory).symlink_to(tmp_path / "elsewhere")
    else:
        directory = tmp_path / "file"
        directory.touch()
    assert note(directory, "session terminated") == ""
    assert note(directory, "session terminated") == ""
    said = capsys.readouterr().err
    assert said.count("cannot be written") == 1
    assert said.endswith("The work goes on.\n")
    assert not (tmp_path / "elsewhere").exists()


def test_what_cannot_be_said_on_the_screens_is_said_behind_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log(tmp_path).mkdir()
    with behind_the_screens():
        note(tmp_path, "session terminated")
        assert capsys.readouterr().err == ""
    assert "cannot be written" in capsys.readouterr().err


def test_a_writer_that_was_stopped_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        "import fcntl, sys; file = open(sys.argv[1], 'ab'); fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(log(tmp_path))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == b"locked\n"
        assert note(tmp_path, "settle asked for") == ""
        holder.stdin.close()
    assert "cannot be written" in capsys.readouterr().err
    assert note(tmp_path, "settle asked for").startswith("1:")
    assert json.loads(log(tmp_path).read_bytes())["what"] == "settle asked for"
