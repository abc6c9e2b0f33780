"""``monitor``: what is known of database and application after a run, in plain lines; nothing that
is unknown is called well."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from rollback_tui.aftercare.attendant import presence, processes
from rollback_tui.aftercare.attendant.lines import Over, Took
from rollback_tui.aftercare.watch import ledger
from rollback_tui.cli import commands
from rollback_tui.cli.monitor_text import Looked, exit_code, lines, write_csv
from rollback_tui.core.monitoring.values import (
    METRICS,
    Cleared,
    Gap,
    ImpactCounted,
    Line,
    MonitorView,
    Raised,
    Reading,
    Sampled,
)
from rollback_tui.run.journal import FILE_NAME, Journal
from rollback_tui.ui.aftercare import Watched
from tests.core.example import rolled_back
from tests.ui import fake_after

SOON = fake_after.BEGUN + timedelta(seconds=68 * fake_after.INTERVAL + 5)
"""Just after the last of 68 samples."""


def looked(view: MonitorView, now: datetime = SOON, attended: bool = True) -> Looked:
    return Looked(
        folder=Path("20260314_031200_8c3038d4"),
        watched=Watched(view=view, attended=attended, expected=True),
        now=now,
    )


def told(view: MonitorView, now: datetime = SOON, attended: bool = True) -> str:
    return "\n".join(lines(looked(view, now, attended)))


def row(text: str, metric: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"{metric} "))


# --- the lines ------------------------------------------------------------------------------------


def test_a_healthy_monitoring_is_a_line_a_metric_and_fits_a_terminal() -> None:
    view = fake_after.healthy()
    text = told(view)
    assert [line.split()[0] for line in text.splitlines() if line.endswith("ok")] == list(METRICS)
    assert max(map(len, text.splitlines())) <= 80
    assert "1 h 42 min left" in text
    assert "A process looks after it" in text
    assert row(text, "error_rate").split()[1:] == ["0.181", "%", "0.2", "%", ">", "4", "%", "ok"]
    assert "< 80 %" in row(text, "cache_hit")
    assert text.splitlines()[-1] == f"No alert stands; at {view.samples[-1].at:%H:%M:%S} UTC."
    assert exit_code(looked(view)) == 0


def test_an_alert_stands_first_with_what_is_behind_it() -> None:
    view = fake_after.alarming()
    raised = msgspec.structs.replace(view.standing[0], evidence=("500 from /orders\x1b[2J",))
    view = msgspec.structs.replace(view, standing=(raised,), raised=(raised,))
    text = told(view)
    assert "ALERT since 03:22:55" in row(text, "error_rate")
    assert "ALERT since 03:22:55 UTC: error_rate 0.12 > 0.04" in text
    assert "  500 from /orders␛[2J" in text
    assert text.splitlines()[-1] == (
        f"1 metric past its threshold: error_rate; at {view.samples[-1].at:%H:%M:%S} UTC."
    )
    assert "No alert" not in text
    assert exit_code(looked(view)) == 1
    # An alert that stood at the end stands.
    assert exit_code(looked(fake_after.ended(view))) == 1


def test_what_is_over_a_gap_and_prometheus_are_said() -> None:
    healthy = fake_after.healthy()
    raised = fake_after.alert("response_time", 2.0, fake_after.BEGUN)
    view = msgspec.structs.replace(
        healthy,
        raised=(raised,),
        cleared=(
            Cleared(
                at=fake_after.BEGUN + timedelta(seconds=90),
                metric="response_time",
                value=0.1,
                seconds=90,
            ),
        ),
        gaps=(Gap(at=SOON, since=fake_after.BEGUN),),
        impact=ImpactCounted(at=SOON, failed_requests=1204, affected_users=None, why="users: no"),
    )
    text = told(view)
    assert "Over: 03:12:40 UTC to 03:14:10 UTC, 1 min 30 s: response_time 2 > 0.8" in text
    assert "Nobody measured from 03:12:40 UTC to 03:29:45 UTC." in text
    assert "1,204 failed requests (users: no)" in text
    assert exit_code(looked(view)) == 0


# --- unknown --------------------------------------------------------------------------------------


def unknown(metric: str, samples: int = 3, *, nothing: str = "") -> MonitorView:
    """A healthy monitoring whose last samples do not know one metric, or say why there is
    ``nothing`` of it."""
    view = fake_after.healthy()
    kept = view.samples[:-samples]
    lost = tuple(
        Sampled(
            at=sample.at,
            readings=tuple(
                Reading(
                    metric=one.metric,
                    value=None,
                    why=nothing or "no answer within 5 s",
                    nothing=bool(nothing),
                )
                if one.metric == metric
                else one
                for one in sample.readings
            ),
        )
        for sample in view.samples[-samples:]
    )
    return msgspec.structs.replace(view, samples=kept + lost)


@pytest.mark.parametrize("metric", ["database", "error_rate", "response_time"])
def test_what_was_known_and_is_not_any_more_is_not_well(metric: str) -> None:
    view = unknown(metric)
    text = told(view)
    assert "unknown" in row(text, metric)
    assert f"since {view.samples[-3].at:%H:%M:%S}" in row(text, metric)
    assert "  no answer within 5 s" in text
    assert "UNKNOWN" in text.splitlines()[-1]
    assert exit_code(looked(view)) == 2


def test_what_was_never_known_is_counted_and_not_called_well() -> None:
    view = unknown("error_rate", samples=68)
    assert "1 of 13 metrics unknown" in told(view).splitlines()[-1]
    assert exit_code(looked(view)) == 0
    # But where not even the database could be asked, nobody knows anything.
    assert exit_code(looked(unknown("database", samples=68))) == 2


def test_where_there_is_nothing_to_be_measured_nothing_is_unknown() -> None:
    text = told(unknown("replication_lag", samples=68, nothing="no standby"))
    assert row(text, "replication_lag").split()[1] == "none"
    assert row(text, "replication_lag").endswith("no standby")
    assert "unknown" not in text.splitlines()[-1]
    assert text.splitlines()[-1].startswith("No alert stands")


def test_too_few_to_judge_and_no_rule_are_not_well_either() -> None:
    view = fake_after.healthy()
    few = tuple(
        msgspec.structs.replace(one, counted=3) if one.metric == "rollbacks" else one
        for one in view.readings
    )
    last = Sampled(at=view.samples[-1].at, readings=few)
    view = msgspec.structs.replace(
        view, begun=fake_after.begun(["query_load"]), samples=(*view.samples[:-1], last)
    )
    text = told(view)
    assert row(text, "rollbacks").endswith("too few to judge")
    assert row(text, "query_load").endswith("not judged")


def test_an_old_sample_is_not_how_it_is_now() -> None:
    view = fake_after.healthy()
    later = SOON + timedelta(minutes=2)
    text = told(view, later, attended=False)
    assert "NOBODY LOOKS AFTER IT" in text
    assert text.splitlines()[-1].startswith("UNKNOWN: no sample since 03:29:40")
    assert exit_code(looked(view, later)) == 2
    # When it has ended it is how it was then.
    ended = fake_after.ended(view, SOON, by="kim", reason="all is well")
    assert exit_code(looked(ended, later)) == 0
    assert "stopped by kim (all is well)" in told(ended, later)


def test_before_the_first_sample_nobody_knows() -> None:
    view = MonitorView(begun=fake_after.begun())
    assert told(view, fake_after.BEGUN).splitlines()[-1] == "Nothing is measured yet."
    assert exit_code(looked(view, fake_after.BEGUN)) == 2
    assert exit_code(looked(MonitorView())) == 2


# --- the command ----------------------------------------------------------------------------------


def keep(folder: Path, view: MonitorView) -> None:
    """Write the lines of ``monitoring.jsonl`` that come to ``view``."""
    lines: list[Line] = [*view.samples, *view.raised]
    if view.begun is not None:
        lines.insert(0, view.begun)
    if view.ended is not None:
        lines.append(view.ended)
    kept = ledger(folder)
    for line in lines:
        kept.append(line)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the runs of a project; there is no server, and none is needed."""
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "rollback_runs"
    directory.mkdir()
    return directory


def run(runs: Path, name: str) -> Path:
    """A run that was rolled back."""
    folder = runs / name
    folder.mkdir()
    journal = Journal(folder / FILE_NAME)
    for event in rolled_back():
        journal.write(event)
    journal.close()
    return folder


OLD, NEW = "20240114_030000_11111111", "20240115_030000_5d0c6a1e"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["monitor", *arguments])


def test_the_newest_that_was_monitored_is_shown(runs: Path) -> None:
    keep(run(runs, OLD), fake_after.ended(fake_after.healthy(4)))
    run(runs, NEW)
    shown = call()
    assert shown.exit_code == 0
    assert "Run 11111111: monitored since 2026-03-14 03:12:40 UTC" in shown.stdout
    named = call("5d0c6a1e")
    assert named.exit_code == 2
    assert "Run 5d0c6a1e is not monitored" in named.stdout


def test_samples_and_csv_are_all_that_was_taken(runs: Path) -> None:
    view = fake_after.ended(unknown("error_rate"))
    keep(run(runs, NEW), view)
    samples = [json.loads(line) for line in call("--samples").stdout.splitlines()]
    assert [msgspec.convert(one, Sampled) for one in samples] == list(view.samples)
    rows = list(csv.DictReader(io.StringIO(call("--csv").stdout)))
    assert len(rows) == 68 * len(METRICS)
    last = {one["metric"]: one for one in rows[-len(METRICS) :]}
    assert last["error_rate"]["value"] == ""
    assert last["error_rate"]["why"] == "no answer within 5 s"
    assert last["database_connections"]["unit"] == "sessions"


def test_json_is_the_view(runs: Path) -> None:
    view = fake_after.ended(fake_after.alarming())
    keep(run(runs, NEW), view)
    shown = call("--json")
    assert shown.exit_code == 1
    found = json.loads(shown.stdout)
    assert [one["metric"] for one in found["rules"]] == list(METRICS)
    assert msgspec.convert(found["sample"], Sampled) == view.samples[-1]
    assert [msgspec.convert(one, Raised) for one in found["raised"]] == list(view.raised)
    assert (found["attended"], found["samples"], found["ended"]["why"]) == (False, 68, "done")


def test_watching_ends_with_the_monitoring(runs: Path) -> None:
    keep(run(runs, NEW), fake_after.ended(fake_after.healthy(2)))
    assert call("--watch", "1").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--samples", "--csv"), "exclude each other"),
        (("--stop",), "--stop needs --reason"),
        (("--stop", "--reason", "it is well"), "is not monitored"),
        (("nosuch",), "no run nosuch"),
    ],
)
def test_what_makes_no_sense_is_said(runs: Path, arguments: tuple[str, ...], said: str) -> None:
    keep(run(runs, NEW), fake_after.ended(fake_after.healthy(2)))
    refused = call(*arguments)
    assert refused.exception is not None
    assert said in str(refused.exception)


def test_a_run_of_another_database_is_not_gone_on_with(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed before all was done; but this project connects to another database now."""
    monkeypatch.setenv("ROLLBACK_TUI_AFTERCARE", "on")
    folder = run(runs, NEW)
    keep(folder, fake_after.healthy(2))
    now = datetime.now(UTC)
    book = presence.ledger(folder)
    book.append(Took(at=now, pid=1, until=now + timedelta(hours=24)))
    assert presence.unfinished(runs) == (folder,)
    shown = call("--dsn", "host=127.0.0.1 port=1 dbname=elsewhere connect_timeout=1")
    assert "NOBODY LOOKS AFTER IT" in shown.stdout
    assert not (folder / processes.LOG).exists()
    book.append(Over(at=now, why="all is done"))
    assert presence.unfinished(runs) == ()


def test_a_spreadsheet_calculates_nothing_that_a_server_said() -> None:
    """What a server answers is in ``why``, and anybody may have written it."""
    told_by_server = Reading(
        metric="database", value=None, why="=HYPERLINK(1)", source="@SUM(1)\x1b[2J"
    )
    view = MonitorView(samples=(Sampled(at=SOON, readings=(told_by_server,)),))
    to = io.StringIO()
    write_csv(view, to)
    (row,) = csv.DictReader(io.StringIO(to.getvalue()))
    assert (row["why"], row["source"]) == ("'=HYPERLINK(1)", "'@SUM(1)␛[2J")
