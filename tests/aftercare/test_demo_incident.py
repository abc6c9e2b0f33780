"""The incident report of the demo's rollback, compared with what the test counted itself: its own
queries before and after, its own visitors and probes meanwhile, and the shop's own metrics."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rollback_tui.cli.practise import recorded_demo
from rollback_tui.demo import shop
from rollback_tui.demo.scene import Demo

TRIGGER = "alert 4711: sign-ups fail <script>alert(1)</script> [/red]"
REASON = "the new column breaks the sign-up"
TABLES = ("users", "user_verification_tokens", "orders", "schema_migrations")


@dataclass
class Visitors:
    """Somebody who asks the shop all the time, and notes what was refused."""

    url: str
    asked: int = 0
    refused: list[tuple[datetime, datetime]] = field(default_factory=list)
    """From when to when each took."""
    users: set[int] = field(default_factory=set)

    def until(self, stop: threading.Event, users: list[int]) -> None:
        """Ask again and again; as these users, where there are any."""
        while not stop.is_set():
            user = users[self.asked % len(users)] if users else None
            began = datetime.now(UTC)
            if not _answered(self.url if user is None else f"{self.url}?user={user}"):
                self.refused.append((began, datetime.now(UTC)))
                self.users |= {user} if user is not None else set()
            self.asked += 1
            time.sleep(0.02)


@dataclass
class Night:
    """One rollback, by the command line, and all that was counted beside it."""

    events: list[dict[str, Any]]
    report: dict[str, Any]
    markdown: str
    html: str
    before: dict[str, int | None]
    after: dict[str, int | None]
    values: dict[str, int]
    """Values of the columns that go, not null, before the run."""
    versions: tuple[list[str], list[str]]
    visitors: Visitors
    probes: Visitors
    metrics: dict[str, int]
    archive: int
    """Rows in the archive, by our own query."""

    def one(self, kind: str) -> dict[str, Any]:
        """The only event of a kind."""
        (found,) = self.all(kind)
        return found

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]


def _answered(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False


def _counts(demo: Demo) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    with psycopg.connect(demo.superuser_dsn) as connection:
        for table in TABLES:
            there = connection.execute("SELECT to_regclass(%s)", [table]).fetchone()
            assert there is not None
            found[table] = (
                _number(connection, f"SELECT count(*) FROM {table}") if there[0] else None
            )
    return found


def _number(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def _command(demo: Demo, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "rollback_tui", *arguments],
        cwd=demo.project,
        env={k: v for k, v in os.environ.items() if not k.startswith("PG")} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    identity = tmp_path_factory.mktemp("git") / "config"
    identity.write_text("[user]\nname = Ada <b>\nemail = ada@example.org\n")
    with recorded_demo(None) as (demo, _):
        with demo.config.open("a") as file:
            file.write('\n[incident]\nfollow_ups = ["Tell support"]\n')
        yield _rolled_back(demo, identity)


def _rolled_back(demo: Demo, identity: Path) -> Night:
    before, old = _counts(demo), shop.applied(demo.superuser_dsn)
    with psycopg.connect(demo.superuser_dsn) as connection:
        values = {
            name: _number(connection, f"SELECT count({name}) FROM users")
            for name in ("verified_at", "verified_by")
        }
    visitors, probes = Visitors(f"{demo.url}/"), Visitors(demo.health_url)
    with _asking(visitors, [11_001, 11_002, 11_003]), _asking(probes, []):
        printed = _command(
            demo,
            *("run", "--confirm", shop.DATABASE, "--yes", "--json", "--keep", "4"),
            *("--trigger", TRIGGER, "--reason", REASON),
            SUDO_USER="ada",
            SSH_CONNECTION="10.0.0.7 50022 10.0.0.1 22",
            GIT_CONFIG_GLOBAL=str(identity),
        )
    events = [json.loads(line) for line in printed.splitlines()]
    impact = next(event for event in events if event["kind"] == "impact_measured")
    asked = urllib.parse.urlencode({"since": events[0]["at"], "until": impact["at"]})
    with urllib.request.urlopen(f"{demo.url}/metrics.json?{asked}", timeout=10) as answer:
        metrics = json.load(answer)
    kept = next(event for event in events if event["kind"] == "rows_kept")
    with psycopg.connect(demo.superuser_dsn) as connection:
        archive = _number(connection, f"SELECT count(*) FROM {kept['table']}")
    return Night(
        events=events,
        report=json.loads(_command(demo, "incident", "--json")),
        markdown=_command(demo, "incident"),
        html=_command(demo, "incident", "--format", "html"),
        before=before,
        after=_counts(demo),
        values=values,
        versions=(old, shop.applied(demo.superuser_dsn)),
        visitors=visitors,
        probes=probes,
        metrics=metrics,
        archive=archive,
    )


@contextlib.contextmanager
def _asking(visitors: Visitors, users: list[int]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=visitors.until, args=(stop, users))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_what_it_was(night: Night) -> None:
    report = night.report
    assert report["type"] == "Rollback of a migration in demo"
    assert (report["outcome"], report["severity"]["level"]) == ("rolled_back", "minor")
    assert report["cause"] == {
        "trigger": TRIGGER,
        "trigger_by": None,
        "trigger_at": None,
        "reason": REASON,
        "started_from": "command line",
    }
    before, after = night.versions
    assert (report["version"]["before"], report["version"]["after"]) == (before[-1], after[-1])
    assert [m["version"] for m in report["migrations"]] == [before[-1]]
    assert report["target"]["database"] == shop.DATABASE
    assert report["run"] == night.events[0]["run"]


def test_the_downtime_is_the_journal_s_and_covers_every_probe_that_failed(night: Night) -> None:
    closed, opened = night.one("door_closed"), night.one("door_opened")
    seconds = opened["elapsed"] - closed["elapsed"]
    assert night.report["impact"]["downtime_seconds"] == pytest.approx(seconds, abs=0.002)
    (door,) = night.report["door"]
    assert (door["since"], door["until"]) == (closed["elapsed"], opened["elapsed"])
    began, ended = (datetime.fromisoformat(event["at"]) for event in (closed, opened))
    # Whoever asked before it closed may have waited into it; nobody failed outside of it.
    assert [took for took in night.probes.refused if took[1] < began or took[0] > ended] == []
    assert night.probes.asked > len(night.probes.refused)


def test_failed_requests_and_users_are_those_the_shop_counted(night: Night) -> None:
    impact = night.report["impact"]
    requests, users = impact["failed_requests"], impact["affected_users"]
    assert [figure["value"] for figure in requests] == [night.metrics["failed_requests"]]
    assert [figure["value"] for figure in users] == [night.metrics["affected_users"]]
    assert "impact command" in requests[0]["source"]
    # Ours are among them.
    assert requests[0]["value"] >= len(night.visitors.refused) > 0
    assert users[0]["value"] >= len(night.visitors.users) == 3
    measured = night.one("impact_measured")
    assert impact["probes"] == {"failed": measured["failed_probes"], "asked": measured["probes"]}


def test_what_is_lost_and_what_is_archived_is_what_was_there(night: Night) -> None:
    impact = night.report["impact"]
    gone = {(item["relation"], item["column"]): item for item in impact["lost"]}
    tokens = gone.pop(("public.user_verification_tokens", None))
    assert tokens["count"] == night.before["user_verification_tokens"]
    assert (tokens["kept"], night.after["user_verification_tokens"]) == (True, None)
    assert {key[1]: (item["count"], item["kept"]) for key, item in gone.items()} == {
        name: (number, False) for name, number in night.values.items()
    }
    assert impact["lost_known"] is True
    (archived,) = impact["archived"]
    assert (archived["statement"], archived["rows"]) == (4, night.archive)
    assert archived["rows"] == night.before["user_verification_tokens"]
    changed = {row["table"]: (row["before"], row["after"]) for row in _changed(night)}
    assert changed == {
        "public.schema_migrations": (
            night.before["schema_migrations"],
            night.after["schema_migrations"],
        ),
        "public.user_verification_tokens": (tokens["count"], None),
    }
    ended = sum(len(event["sessions"]) for event in night.all("sessions_ended"))
    assert impact["sessions_ended"] == ended > 0


def _changed(night: Night) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = night.report["evidence"]["rows_changed"]
    return found


def test_the_timeline_has_every_key_event_at_its_time(night: Night) -> None:
    told = [(moment["at"], moment["what"]) for moment in night.report["timeline"]]
    kinds = {
        "run_started": "Confirmed by",
        "checkpoint_made": "Checkpoint made and verified",
        "door_closed": "Door closed",
        "rows_kept": "Archived",
        "committed": "COMMIT",
        "door_opened": "Door open after",
        "run_finished": "Outcome: Rolled back",
    }
    for kind, words in kinds.items():
        at = [when for when, what in told if what.startswith(words)]
        assert [datetime.fromisoformat(one) for one in at] == [
            datetime.fromisoformat(night.one(kind)["at"])
        ], kind
    notified = next(e for e in night.all("hook_ran") if e["name"] == "notify started")
    assert (notified["ok"], any(what.startswith("Team told") for _, what in told)) == (True, True)
    statements = [what for _, what in told if what.startswith("Statement ")]
    assert len(statements) == len(night.all("statement_finished"))
    passed = sum(
        e["verification"]["name"] not in ("health", "query_errors")
        for e in night.all("verification_judged")
    )
    assert any(what == f"{passed} verifications passed" for _, what in told)
    assert [at for at, _ in told] == sorted(at for at, _ in told)


def test_what_was_done_is_what_was_sent(night: Night) -> None:
    deeds = [deed for step in night.report["resolution"] for deed in step["deeds"]]
    finished = {e["phase"]: e["seconds"] for e in night.all("phase_finished")}
    assert {s["phase"]: s["seconds"] for s in night.report["resolution"]} == finished
    planned = {
        s["index"]: s["sql"]
        for m in night.events[0]["plan"]["migrations"]
        for s in m["script"]["statements"]
    }
    sent = [deed["sql"] for deed in deeds if deed["kind"] == "statement"]
    assert sent == [planned[index] for index in sorted(planned)]
    changed = [sql for event in night.all("version_changed") for sql in event["sql"]]
    own = [event["sql"] for event in night.all("sql_sent") if event["sql"] not in changed]
    assert [d["sql"] for d in deeds if d["kind"] == "sql" and d["sql"]] == own
    assert [d["sql"] for d in deeds if d["kind"] == "version"] == changed


def test_evidence_and_who_did_it(night: Night) -> None:
    judged = {
        e["verification"]["name"]: e["verification"] for e in night.all("verification_judged")
    }
    assert {v["name"]: v for v in night.report["evidence"]["verifications"]} == judged
    assert all(v["verdict"] == "pass" for v in judged.values())
    statuses = [e["check"]["status"] for e in night.all("check_judged")]
    assert night.report["evidence"]["checks_passed"] == statuses.count("pass")
    assert len(night.report["evidence"]["checks"]) == len(statuses) - statuses.count("pass")
    operator = night.report["people"]["operator"]
    assert (operator["uid"], operator["sudo_user"]) == (os.getuid(), "ada")
    assert operator["ssh_connection"] == "10.0.0.7 50022 10.0.0.1 22"
    assert operator["git_identity"] == "Ada <b> <ada@example.org>"
    assert "(claimed: nobody checked it)" in night.markdown
    keys = [item["key"] for item in night.report["follow_ups"]]
    assert keys[:4] == ["root_cause", "update_procedures", "test_in_staging", "retry_plan"]
    assert {"archive", "checkpoint", "deploy_code", "own:1"} <= set(keys)
    assert "- [ ] Tell support (`own:1`)" in night.markdown


def test_the_figures_are_in_what_people_read(night: Night) -> None:
    impact = night.report["impact"]
    tokens = night.before["user_verification_tokens"]
    lost = sum(night.values.values())
    for text in (night.markdown.replace("\\", ""), night.html):
        assert f"{tokens:,} rows of public.user_verification_tokens" in text
        assert f"Lost for good: {lost:,} values." in text
        assert f"{night.metrics['failed_requests']:,} by impact command" in text
        assert f"+{night.one('committed')['elapsed']:.3f} s" in text
        assert impact["restore_archived"] in text
    assert "<script" not in night.html
    assert "\\<script\\>" in night.markdown
