"""A file of lines that only grows: what was written stays, whatever happens to who writes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rollback_tui.aftercare.ledger import Ledger, LedgerDamaged
from rollback_tui.core.follow_ups import Ticked
from tests.core.example import BEGAN


def line(key: str) -> Ticked:
    return Ticked(key=key, done=True, at=BEGAN, by="kim")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger[Ticked]:
    return Ledger(tmp_path / "lines.jsonl", Ticked)


def keys(ledger: Ledger[Ticked]) -> list[str]:
    return [one.key for one in ledger.read()]


def test_without_a_file_there_are_no_lines(ledger: Ledger[Ticked]) -> None:
    assert ledger.read() == ()
    assert ledger.follow(0) == ((), 0)


def test_what_was_written_is_read_in_its_order_and_is_private(ledger: Ledger[Ticked]) -> None:
    for key in ("first", "zweite ü\u202e", "third"):
        ledger.append(line(key))
    assert keys(ledger) == ["first", "zweite ü\u202e", "third"]
    assert ledger.path.stat().st_mode & 0o777 == 0o600
    # What could lie on a terminal stands there as an escape.
    assert b"\\u202e" in ledger.path.read_bytes()


def test_a_line_is_on_disk_when_the_call_returns_and_so_is_the_file_s_name(
    ledger: Ledger[Ticked], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, bytes]] = []
    real = os.fsync

    def fsync(file: int) -> None:
        synced.append((os.fstat(file).st_ino, ledger.path.read_bytes()))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    ledger.append(line("first"))
    one = ledger.path.read_bytes()
    ledger.append(line("second"))
    here, directory = ledger.path.stat().st_ino, ledger.path.parent.stat().st_ino
    assert synced == [(here, one), (directory, one), (here, ledger.path.read_bytes())]


def test_only_what_is_new_is_read(ledger: Ledger[Ticked]) -> None:
    ledger.append(line("first"))
    _, offset = ledger.follow(0)
    assert ledger.follow(offset) == ((), offset)
    ledger.append(line("second"))
    new, _ = ledger.follow(offset)
    assert [one.key for one in new] == ["second"]


@pytest.mark.parametrize("half", [b'{"key":"ha', b"x" * 200_000])
def test_half_a_line_is_waited_for_and_cut_off_by_the_next_one(
    ledger: Ledger[Ticked], half: bytes
) -> None:
    ledger.append(line("first"))
    with ledger.path.open("ab") as file:
        file.write(half)
    assert keys(ledger) == ["first"]
    ledger.append(line("second"))
    assert keys(ledger) == ["first", "second"]


def test_a_line_that_is_not_ours_is_said(ledger: Ledger[Ticked]) -> None:
    ledger.append(line("first"))
    with ledger.path.open("ab") as file:
        file.write(b'{"key":1}\n')
    with pytest.raises(LedgerDamaged, match=r"lines\.jsonl"):
        ledger.read()


def test_what_cannot_be_read_is_not_taken_for_empty(ledger: Ledger[Ticked]) -> None:
    ledger.path.mkdir()
    with pytest.raises(LedgerDamaged, match="cannot be read"):
        ledger.read()


def test_a_link_that_somebody_left_there_is_not_followed(
    ledger: Ledger[Ticked], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs\n")
    ledger.path.symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic link"):
        ledger.append(line("first"))
    assert elsewhere.read_text() == "theirs\n"


def test_several_may_write_at_once(tmp_path: Path) -> None:
    def write(name: int) -> None:
        own: Ledger[Ticked] = Ledger(tmp_path / "lines.jsonl", Ticked)
        for number in range(50):
            own.append(line(f"{name}-{number}"))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = keys(Ledger(tmp_path / "lines.jsonl", Ticked))
    for name in range(4):
        own = [key for key in found if key.startswith(f"{name}-")]
        assert own == [f"{name}-{number}" for number in range(50)]


WRITER = """
import sys
from pathlib import Path
from rollback_tui.aftercare.ledger import Ledger
from tests.aftercare.test_ledger import line
from rollback_tui.core.follow_ups import Ticked
own = Ledger(Path(sys.argv[1]), Ticked)
for number in range(1_000_000):
    own.append(line(str(number)))
    print(number, flush=True)
"""


def test_nothing_that_was_written_is_lost_when_the_writer_is_killed(
    ledger: Ledger[Ticked],
) -> None:
    """Each line that it said to be written is there, whole, and the next writer goes on."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(ledger.path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
        env=os.environ | {"PYTHONPATH": "."},
    ) as writer:
        assert writer.stdout is not None
        for _ in range(40):
            said = int(writer.stdout.readline())
        writer.kill()
        rest = writer.stdout.read().split("\n")[:-1]
        said = int(rest[-1]) if rest else said
    found = keys(ledger)
    assert found == [str(number) for number in range(len(found))]
    assert len(found) > said >= 39
    ledger.append(line("after"))
    assert keys(ledger) == [*found, "after"]
