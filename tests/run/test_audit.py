"""``report --verify``: intact only when the file and the database say so together."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from rollback_tui.core import events as ev
from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.postgres import run_row
from rollback_tui.postgres.connect import Connection, connect, target
from rollback_tui.run.audit import Audit, audit, audit_heads, audits
from rollback_tui.run.journal import FILE_NAME, Journal
from tests.conftest import Database
from tests.core import example

BEGUN = example.started()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


def written(path: Path, database: Database, *, row: bool = True, committed: bool = True) -> None:
    """A journal of a run on ``database``: six lines, the row after the third."""
    with connect(database.dsn) as connection:
        journal = Journal(path)
        journal.write(replace(BEGUN, target=target(connection)))
        journal.write(ev.PhaseStarted(phase="execute"))
        journal.write(ev.TransactionStarted(xid="7", backend_pid=1, attempt=1))
        head = journal.head
        if row:
            arguments = (BEGUN.run, "c0ffee", "ada", "0.3.0", ["1"], head)
            assert run_row.insert(connection, *arguments) == ""
        judge: ev.AnyEvent = ev.RunRowInserted(judge="run row", head=head)
        journal.write(judge)
        journal.write(ev.Committed(xid="7") if committed else ev.AbortAsked())
        journal.write(example.finished("rolled_back"))
        journal.close()


def asked(path: Path, database: Database) -> Audit:
    return audit(path, lambda: connect(database.dsn))


def text(found: Audit) -> str:
    return "\n".join(found.evidence)


def test_intact_and_anchored(path: Path, database: Database) -> None:
    written(path, database)
    found = asked(path, database)
    assert (found.verdict, found.lines, found.anchored, found.torn_bytes) == ("intact", 6, 3, 0)
    assert "vouches for lines 1 to 3" in text(found)
    assert "lines 4 to 6 came after it" in text(found)
    assert "line 6 is the last" in text(found)


def forged(path: Path, change: Callable[[list[Any]], None]) -> None:
    """Alter events and write the whole chain anew, as a forger would."""
    events = [json.loads(line)["event"] for line in path.read_bytes().splitlines()]
    change(events)
    path.unlink()
    journal = Journal(path)
    for event in events:
        journal.write(msgspec.convert(event, ev.AnyEvent))
    journal.close()


def test_a_journal_written_anew_with_right_hashes_is_found_out(
    path: Path, database: Database
) -> None:
    written(path, database)

    def change(events: list[dict[str, object]]) -> None:
        events[0]["reason"] = "another reason"

    forged(path, change)
    found = asked(path, database)
    assert found.verdict == "altered"
    assert "line 3 is not the one whose hash is in the run's row" in text(found)


def test_a_journal_that_was_cut_off_before_its_anchor_is_found_out(
    path: Path, database: Database
) -> None:
    written(path, database)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    found = asked(path, database)
    assert found.verdict == "altered"
    assert "line 3, which is not there" in text(found)


def test_an_altered_line_is_found_without_the_database(path: Path, database: Database) -> None:
    written(path, database)
    path.write_bytes(path.read_bytes().replace(b"another", b"an other").replace(b'"7"', b'"8"'))

    def never() -> Connection:
        raise AssertionError

    found = audit(path, never)
    assert found.verdict == "altered"
    assert "line" in text(found)


def test_half_a_line_is_said(path: Path, database: Database) -> None:
    written(path, database)
    with path.open("ab") as file:
        file.write(b'{"seq":7,"at"')
    found = asked(path, database)
    assert found.verdict == "intact"
    assert found.torn_bytes == 13
    assert "13 bytes of a line that is not whole" in text(found)


@pytest.mark.parametrize(
    ("committed", "words"),
    [(False, "nothing was committed"), (True, "the schema was removed since")],
)
def test_without_a_row_it_is_not_anchored(
    path: Path, database: Database, committed: bool, words: str
) -> None:
    written(path, database, row=False, committed=committed)
    found = asked(path, database)
    assert (found.verdict, found.anchored) == ("not anchored", None)
    assert words in text(found)


def test_a_run_that_could_not_write_its_row_says_why(path: Path, database: Database) -> None:
    with connect(database.dsn) as connection:
        journal = Journal(path)
        journal.write(replace(BEGUN, target=target(connection)))
        journal.write(ev.RunRowInserted(judge="version table", why="no CREATE on the database"))
        journal.close()
    found = asked(path, database)
    assert found.verdict == "not anchored"
    assert "could not write its row: no CREATE on the database" in text(found)


def _elsewhere(events: list[Any]) -> None:
    events[0]["target"]["database_oid"] = 1


def _without_a_row(events: list[Any]) -> None:
    events[3] = {"kind": "run_row_inserted", "judge": "version table", "why": "it could not be"}


@pytest.mark.parametrize("change", [_elsewhere, _without_a_row])
def test_a_journal_that_talks_its_row_away_is_found_out(
    path: Path, database: Database, change: Callable[[list[Any]], None]
) -> None:
    """What it says of itself does not keep us from looking whether there is one."""
    written(path, database)

    def altered(events: list[Any]) -> None:
        events[0]["reason"] = "another reason"
        change(events)

    forged(path, altered)
    assert asked(path, database).verdict == "altered"


def test_a_journal_of_another_run_is_not_the_one_of_this_folder(
    tmp_path: Path, database: Database
) -> None:
    """Two that are whole, one put in the place of the other."""
    own = tmp_path / f"20240115_030000_{BEGUN.run[:8]}"
    other = tmp_path / "20240115_040000_0123abcd"
    for folder in (own, other):
        folder.mkdir()
    written(own / FILE_NAME, database)
    (other / FILE_NAME).write_bytes((own / FILE_NAME).read_bytes())
    assert asked(own / FILE_NAME, database).verdict == "intact"
    found = asked(other / FILE_NAME, database)
    assert found.verdict == "altered"
    assert f"this is the folder of run 0123abcd, and the journal of {BEGUN.run}" in text(found)


def test_another_database_vouches_for_nothing(
    path: Path, database: Database, database16: Database
) -> None:
    written(path, database)
    found = asked(path, database16)
    assert found.verdict == "not anchored"
    assert re.search(f"leads to {database16.name} .* the run was on {database.name}", text(found))


def test_a_database_that_does_not_answer_is_not_intact(path: Path, database: Database) -> None:
    written(path, database)

    def refuse() -> Connection:
        raise ConnectionFailed("Connection \x1b[31mrefused", "Start it.")

    found = audit(path, refuse)
    assert found.verdict == "not anchored"
    assert "could not be asked: Connection ␛[31mrefused" in text(found)


def test_an_empty_journal_is_nothing(path: Path, database: Database) -> None:
    path.write_bytes(b"")
    assert asked(path, database).verdict == "not anchored"


def test_many_journals_are_asked_about_over_one_connection(
    tmp_path: Path, database: Database
) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in paths:
        written(path, database, row=path.name == "a")
    asked_for: list[Connection] = []

    def connecting() -> Connection:
        asked_for.append(connect(database.dsn))
        return asked_for[-1]

    found = dict(audits(paths, connecting))
    assert found[paths[0]].verdict == "intact"
    # They call themselves the same run, and are not the one that wrote its row.
    assert {found[path].verdict for path in paths[1:]} == {"altered"}
    assert len(asked_for) == 1
    assert asked_for[0].closed


def test_a_server_that_is_away_is_waited_for_once(tmp_path: Path, database: Database) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in paths:
        written(path, database, row=False)
    tries = []

    def refuse() -> Connection:
        tries.append(1)
        raise ConnectionFailed("Connection refused", "Start it.")

    assert {one.verdict for _, one in audits(paths, refuse)} == {"not anchored"}
    assert len(tries) == 1


def test_a_journal_vouches_for_the_audit_log_only_when_its_second_line_vouches_for_its_first(
    tmp_path: Path,
) -> None:
    head = "7:" + "ab" * 32
    for name in ("whole", "forged", "alone", "none"):
        (tmp_path / name).mkdir()
        journal = Journal(tmp_path / name / FILE_NAME)
        journal.write(replace(BEGUN, audit_head="" if name == "none" else head))
        if name != "alone":
            journal.write(ev.PhaseStarted(phase="preflight"))
        journal.close()
    changed = tmp_path / "forged" / FILE_NAME
    changed.write_bytes(changed.read_bytes().replace(b'"7:abab', b'"6:abab'))
    assert list(audit_heads(tmp_path.iterdir())) == [(BEGUN.run, head)]
