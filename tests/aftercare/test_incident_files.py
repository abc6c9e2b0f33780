"""The incident report on disk, and on its way to an issue tracker: once, whatever fails."""

from __future__ import annotations

import json
import sys
from collections import deque
from pathlib import Path
from socket import socket

import msgspec
import pytest

from rollback_tui.aftercare import incident_files
from rollback_tui.aftercare.ledger import Ledger
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.incident import incident_html, incident_json, incident_markdown
from rollback_tui.core.monitoring import values
from tests.aftercare.told_runs import charge, run_folder
from tests.core.example import started
from tests.core.incident_example import BEGUN, RAISED
from tests.run.web_server import says, serving

TOKEN = "s3cr3t-t0ken"


def test_three_files_that_say_the_same(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    paths = incident_files.write(folder)
    report = incident_files.incident(folder)
    assert paths.markdown.read_text() == incident_markdown(report)
    assert paths.html.read_text() == incident_html(report)
    assert json.loads(paths.json.read_text()) == json.loads(
        msgspec.json.encode(incident_json(report))
    )
    assert {path.name for path in (paths.markdown, paths.html, paths.json)} == {
        "incident.md",
        "incident.html",
        "incident.json",
    }
    for path in (paths.markdown, paths.html, paths.json):
        assert path.stat().st_mode & 0o777 == 0o600
    before = [path.read_bytes() for path in (paths.markdown, paths.html, paths.json)]
    incident_files.write(folder)
    assert [p.read_bytes() for p in (paths.markdown, paths.html, paths.json)] == before


def test_no_file_lies_in_a_terminal(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, started(reason="a\x1b[2J\u202eb\u009b31m"))
    paths = incident_files.write(folder)
    for path in (paths.markdown, paths.html, paths.json):
        assert path.read_text().replace("\n", "").isprintable(), path


def test_what_comes_later_is_in_it_when_it_is_written_again(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    assert "Not monitored" in incident_files.write(folder).markdown.read_text()
    monitoring: Ledger[values.Line] = Ledger(
        folder / values.FILE_NAME,
        values.Line,  # type: ignore[arg-type]
    )
    monitoring.append(BEGUN)
    monitoring.append(RAISED)
    text = incident_files.write(folder).markdown.read_text()
    assert "Alert: error\\_rate 20 % \\> 4 %" in text
    assert "(`alert:error_rate`)" in text


def test_what_cannot_be_read_is_said_and_the_rest_is_there(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    (folder / "monitoring.jsonl").write_text("{}\n")
    (folder / "notifications.jsonl").write_text("nonsense\n")
    report = incident_files.incident(folder)
    assert [text.split(" ")[0] for text in report.problems] == [
        str(folder / "monitoring.jsonl"),
        str(folder / "notifications.jsonl"),
    ]
    text = incident_files.write(folder).markdown.read_text()
    assert text.count("Could not be read for this report") == 2
    assert "Rolled back and verified" in text


def test_a_run_that_goes_on_has_a_report_too(tmp_path: Path) -> None:
    report = incident_files.incident(run_folder(tmp_path, started()))
    assert report.outcome is None
    assert report.severity.level == "critical"


def test_where_it_cannot_be_written_that_is_said(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    (folder / "incident.html").mkdir()
    with pytest.raises(RollbackTuiError, match="cannot be written") as caught:
        incident_files.write(folder)
    assert "rollback-tui incident" in caught.value.remedy


# --- delivery -------------------------------------------------------------------------------------

TAKES = """
import json, os, pathlib, sys
paths = {name: os.environ[f"ROLLBACK_INCIDENT_{name}"] for name in ("MARKDOWN", "HTML", "JSON")}
assert pathlib.Path(paths["HTML"]).read_text().startswith("<!DOCTYPE html>")
report = json.loads(pathlib.Path(paths["JSON"]).read_text())
got = {name: value for name, value in os.environ.items() if name.startswith("ROLLBACK_")}
pathlib.Path("took").open("a").write(json.dumps([report["run"], got, sys.argv]) + chr(10))
sys.exit("the tracker is away" if pathlib.Path("away").exists() else 0)
"""


def test_a_command_is_given_the_paths_once(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    given = charge(folder, command=(sys.executable, "-c", TAKES))
    (tmp_path / "away").touch()
    failed = incident_files.deliver(given)
    assert (failed.ok, failed.name) == (False, "incident deliver")
    assert "the tracker is away" in failed.summary
    (tmp_path / "away").unlink()
    assert incident_files.deliver(given).ok
    again = incident_files.deliver(given)
    assert again.ok
    assert "delivered already" in again.summary
    took = [json.loads(line) for line in (tmp_path / "took").read_text().splitlines()]
    assert len(took) == 2, "once it was away, once it took it"
    run, told, arguments = took[-1]
    assert run == started().run
    assert told["ROLLBACK_DATABASE"] == "shop"
    assert told["ROLLBACK_SEVERITY"] == "minor"
    assert told["ROLLBACK_OUTCOME"] == "rolled_back"
    assert told["ROLLBACK_REASON"] == "signups fail"
    assert told["ROLLBACK_INCIDENT_MARKDOWN"] == str(folder / "incident.md")
    assert arguments == ["-c"]
    assert incident_files.deliver(given, by_hand=True).ok
    assert len((tmp_path / "took").read_text().splitlines()) == 3
    noted = incident_files.deliveries(folder)
    assert [(one.ok, one.by_hand) for one in noted] == [(False, False), (True, False), (True, True)]
    assert (folder / "deliveries.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_url_is_posted_the_json_until_it_takes_it(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    answers = deque(
        [
            says("500 Away", b"try later"),
            says("302 Found", b"", f"Location: /else?{TOKEN}"),
            says("201 Created", b"ticket 4711"),
        ]
    )

    def answer(connection: socket) -> None:
        answers.popleft()(connection)

    with serving(answer) as server:
        given = charge(folder, url=f"{server.url}?token={TOKEN}")
        results = [incident_files.deliver(given) for _ in range(4)]
        assert [r.ok for r in results] == [False, False, True, True]
        assert [r.summary for r in results[:3]] == [
            "HTTP 500: try later",
            "HTTP 302",
            "HTTP 201: ticket 4711",
        ]
        assert len(server.requests) == 3
        head, _, body = server.requests[-1].partition(b"\r\n\r\n")
        assert head.startswith(b"POST ")
        assert json.loads(body) == json.loads((folder / "incident.json").read_text())
    for path in folder.iterdir():
        assert TOKEN not in path.read_text()


def test_an_address_that_nobody_answers_is_not_repeated(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    for url in (f"http://127.0.0.1:1/{TOKEN}", f"nonsense://{TOKEN}", f"http://[{TOKEN}"):
        ran = incident_files.deliver(charge(folder, url=url, timeout_seconds=2))
        assert not ran.ok
        assert ran.summary
        assert TOKEN not in ran.summary
    assert TOKEN not in (folder / "deliveries.jsonl").read_text()


def test_an_address_that_is_answered_with_is_not_repeated(tmp_path: Path) -> None:
    """As many servers answer for an address that they do not know."""
    folder = run_folder(tmp_path)

    def answer(connection: socket) -> None:
        path = server.requests[-1].split(b" ")[1]
        says("404 Not Found", b"Cannot POST " + path)(connection)

    with serving(answer) as server:
        address = server.url.replace("http://", f"http://deploy:{TOKEN[::-1]}@", 1)
        ran = incident_files.deliver(charge(folder, url=f"{address}/hooks/{TOKEN}?key={TOKEN}"))
    assert not ran.ok
    assert ran.summary.startswith("HTTP 404: Cannot POST /")
    for path in folder.iterdir():
        assert TOKEN not in path.read_text()
    assert TOKEN not in ran.summary


def test_what_cannot_be_delivered_is_a_result_and_no_error(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    assert "not configured" in incident_files.deliver(charge(folder)).summary
    given = charge(folder, command=("/no/such/program",))
    assert "/no/such/program" in incident_files.deliver(given).summary
    slow = charge(folder, command=("sleep", "30"), timeout_seconds=0.2)
    assert "ended after 0.2 s" in incident_files.deliver(slow).summary
    (folder / "deliveries.jsonl").write_text("nonsense\n")
    assert not incident_files.deliver(given).ok
    assert incident_files.deliver(charge(tmp_path / "gone", command=("true",))).ok is False
