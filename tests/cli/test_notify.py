"""``notify``: people are told, and what is secret in the URLs of the places is nowhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from rollback_tui.aftercare.outbox import Outbox, read_post
from rollback_tui.cli.secrets import hide_places
from rollback_tui.config import parse
from rollback_tui.core.notices import Notice
from rollback_tui.ui import crash
from tests.aftercare.sinks import WebSink, mail_sink, refused_port, soon, web_sink
from tests.cli.conftest import Project
from tests.conftest import Database
from tests.core import example
from tests.core.example import finished, records
from tests.demo.processes import end_all_in

SECRET = "canary-31c9-of-a-place"
RUN = "20240115_030000_5d0c6a1e"


@pytest.fixture
def alone(tmp_path: Path) -> Project:
    """A project whose database nobody asks."""
    return Project(tmp_path, cast(Database, None))


def configure(project: Project, *places: str, text: str = "") -> None:
    tables = "".join(f"[[notify.to]]\n{place}\n" for place in places)
    (project.directory / "rollback.toml").write_text(f"{text}\n{tables}")


def place(name: str, url: str) -> str:
    return f"name = '{name}'\nurl = '{url}'"


def past_run(project: Project, folder: str = RUN) -> Path:
    """A run that is over, with its journal."""
    path = project.directory / "rollback_runs" / folder
    path.mkdir(parents=True)
    found = records(example.started(), finished("rolled_back"))
    (path / "journal.jsonl").write_bytes(
        b"".join(msgspec.json.encode(record) + b"\n" for record in found[:1])
    )
    return path


def notice(key: str, *places: str) -> Notice:
    return Notice(
        id=key,
        occasion="finished",
        level="warning",
        at=datetime.now(UTC),
        title=f"{key} \x1b[31mtitle",
        body="body",
        places=places,
    )


def test_where_nobody_is_told_it_says_how_to_configure_that(alone: Project) -> None:
    configure(alone)
    for arguments in (("test",), ("test", "--to", "chat")):
        done = alone.here("notify", *arguments)
        assert done.returncode == 2
        assert "no place is configured" in done.stderr
        assert "[[notify.to]]" in done.stderr


def test_a_test_message_goes_to_each_place_now(alone: Project) -> None:
    with web_sink() as sink, mail_sink() as mail:
        configure(
            alone,
            place("chat", sink.url(SECRET)),
            place("mail", mail.url()),
            place("pager", f"json://127.0.0.1:{refused_port()}/{SECRET}"),
            "name = 'unset'\nurl_env = 'NOT_SET_ANYWHERE'",
        )
        done = alone.here("notify", "test")
        chat, post, pager, unset = done.stdout.splitlines()
        assert done.returncode == 1
        assert chat.startswith("ok   chat (json://127.0.0.1): arrived in ")
        assert post.startswith("ok   mail (mailto://127.0.0.1): arrived in ")
        assert pager == "bad  pager (json://127.0.0.1): the connection was refused"
        assert unset == "bad  unset: the environment variable NOT_SET_ANYWHERE is not set"
        assert sink.titles == ["rollback-tui: test of chat"]
        assert mail.arrived[0]["Subject"] == "rollback-tui: test of mail"
        only = alone.here("notify", "test", "--to", "chat", "--json")
        assert only.returncode == 0
        (told,) = json.loads(only.stdout)
        assert (told["place"], told["arrived"], told["why"]) == ("chat", True, None)
        assert len(sink.arrived) == 2
    unknown = alone.here("notify", "test", "--to", "nobody")
    assert unknown.returncode == 2
    assert "There are: chat, mail, pager, unset." in unknown.stderr
    assert SECRET not in done.stdout + done.stderr + only.stdout + unknown.stderr


def test_what_was_told_what_was_not_and_another_attempt(alone: Project) -> None:
    first, second = past_run(alone), past_run(alone, "20240116_030000_0f0f0f0f")
    with web_sink() as sink, web_sink("500") as bad:
        configure(alone, place("chat", sink.url()), place("bad", bad.url(SECRET)))
        settings = parse((alone.directory / "rollback.toml").read_text()).notify
        outbox = Outbox(first, settings)
        outbox.add([notice("one", "chat", "bad", "gone")])
        outbox.attempt()
        Outbox(second, settings).add([notice("two", "bad")])

        listed = alone.here("notify", "list", "5d0c6a1e").stdout.splitlines()
        assert listed[0].endswith("finished  one ␛[31mtitle")
        assert listed[1].startswith("    chat: told at ")
        assert listed[2].startswith("    bad: NOT TOLD YET: HTTP 500 Internal Server Error")
        assert listed[2].endswith("(1 attempt)")
        assert "no place gone is configured any more" in listed[3]
        newest = alone.here("notify", "list").stdout
        assert newest.splitlines()[1] == "    bad: NOT TOLD YET: not tried"

        done = alone.here("notify", "retry")
        assert done.returncode == 1
        assert done.stdout.splitlines()[0] == "2 messages sent, 1 left."
        assert "no place gone is configured any more" in done.stdout
        assert [title[:3] for title in bad.titles] == ["one", "two"]

    mistyped = alone.here("notify", "drop", "5d0c6a1e", "--to", "gon")
    assert mistyped.returncode == 2
    assert "gon was not to be told of" in mistyped.stderr
    assert "These were: chat, bad, gone." in mistyped.stderr
    dropped = alone.here("notify", "drop", "5d0c6a1e", "--to", "gone")
    assert dropped.stdout == "1 message to gone given up.\n"
    assert "notices given up" in (alone.directory / "rollback_runs" / "decisions.jsonl").read_text()
    last = alone.here("notify", "retry", "5d0c6a1e", "--json")
    assert (last.returncode, json.loads(last.stdout)) == (0, {"sent": 0, "pending": []})
    shape = json.loads(alone.here("notify", "list", "5d0c6a1e", "--json").stdout)
    (told,) = shape["notices"]
    states = [(one["place"], one["state"], one["attempts"]) for one in told["places"]]
    assert states == [("chat", "told", 1), ("bad", "told", 2), ("gone", "given up", 0)]
    assert SECRET not in (first / "notifications.jsonl").read_text()


@pytest.mark.parametrize(
    "text",
    [
        f"[[notify.to]]\nname = 'a'\nurl = ['slack://{SECRET}']",
        f"[[notify.to]]\nname = 'a'\nlevel = 'slack://{SECRET}/b'\nurl = 'x'",
        f"[[notify.to]]\nname = 'a'\n'slack://{SECRET}/b' = 1",
        f"[[notify.to]]\nname = 'a'\nurl = slack://{SECRET}",
        f"[[notify.to]]\nname = 'a'\nurl = 'slack://{SECRET}'\nurl_env = 'X'",
        f"[[notify.to]]\nname = 'a'\nurl = 'slack://{SECRET}'\n" * 2,
    ],
)
def test_no_error_of_the_configuration_repeats_a_url(alone: Project, text: str) -> None:
    configure(alone, text=text)
    done = alone.here("notify", "test")
    assert done.returncode == 2
    assert done.stderr.startswith("error: rollback.toml")
    assert SECRET not in done.stdout + done.stderr


def test_a_fault_of_our_own_repeats_no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash, "_hidden", set())
    monkeypatch.setenv("PAGER_URL", f"pagerduty://A@{SECRET}")
    settings = parse(
        f"[[notify.to]]\nname='a'\nurl='slack://x/y/{SECRET}z'\n"
        "[[notify.to]]\nname='b'\nurl_env='PAGER_URL'\n"
    ).notify
    hide_places(settings)
    assert SECRET not in crash.redacted(f"KeyError: {SECRET} and {SECRET}z in {settings!r}")


@pytest.fixture
def project(database: Database, tmp_path: Path) -> Iterator[Project]:
    found = Project(tmp_path, database)
    found.two_migrations()
    yield found
    end_all_in(tmp_path)


def _files(directory: Path) -> Iterator[tuple[Path, bytes]]:
    for path in directory.rglob("*"):
        if path.is_file() and path.name != "rollback.toml":
            yield path, path.read_bytes()


def test_a_run_tells_people_and_keeps_the_secrets_of_their_places(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLBACK_TUI_AFTERCARE", "on")
    monkeypatch.setenv("PAGER_URL", f"json://127.0.0.1:{refused_port()}/{SECRET}")
    with web_sink("500") as sink:
        url = sink.url(SECRET).replace("//", f"//deploy:{SECRET}-pw@") + f"?+X-Token={SECRET}"
        project.configure(
            "[notify]\nretry_seconds = 0.5\n"
            f"[[notify.to]]\n{place('chat', url)}\n"
            "[[notify.to]]\nname = 'pager'\nurl_env = 'PAGER_URL'\nlevel = 'warning'\n"
            "[[notify.to]]\nname = 'nonsense'\nurl = 'slack://" + SECRET + "'\n"
            "[monitor]\nseconds = 0\n"
        )
        said = [project.here(*project.run_arguments)]
        assert said[0].returncode == 0, said[0].stderr
        folder = project.run_folder()
        soon(lambda: len(sink.arrived) == 2)
        # What is not noted yet when its process is killed is sent once more.
        soon(lambda: sum(a.ok for a in read_post(folder).attempts) == 2)
        soon(lambda: len({a.place for a in read_post(folder).attempts}) == 3)
        end_all_in(project.directory)
        check_what_was_told(sink, project)
        said += [
            project.here(*arguments)
            for arguments in (
                ("notify", "list"),
                ("notify", "list", "--json"),
                ("notify", "retry"),
                ("doctor",),
                ("report", "--json"),
            )
        ]
        assert len(sink.arrived) == 2
    assert "pager: NOT TOLD YET: the connection was refused" in said[1].stdout
    assert "notifications: nonsense: Apprise does not understand this URL" in said[4].stdout
    assert "ok   notifications: chat: json://127.0.0.1;" in said[4].stdout
    for done in said:
        assert SECRET not in done.stdout + done.stderr, done.args
    for path, content in _files(project.directory):
        assert SECRET.encode() not in content, path


def check_what_was_told(sink: WebSink, project: Project) -> None:
    first, last = (cast(dict[str, Any], message) for message in sink.arrived)
    assert first["title"].startswith(f"Rollback started – {project.database.name} on ")
    assert (first["type"], last["type"]) == ("info", "warning")
    assert last["title"].startswith("Rolled back")
    assert "Reason: a test" in last["message"]
    # The tokens that the script drops were counted, each of them.
    assert "17 rows of public.tokens" in last["message"]
    assert "42 values of public.users.verified_at" in last["message"]
    assert str(project.run_folder() / "report.md") in last["message"]


def test_what_is_in_the_way_of_an_attempt_is_said_and_the_others_are_made(alone: Project) -> None:
    first, second = past_run(alone), past_run(alone, "20240116_030000_0f0f0f0f")
    with web_sink() as sink:
        configure(alone, place("chat", sink.url()))
        settings = parse((alone.directory / "rollback.toml").read_text()).notify
        for folder in (first, second):
            Outbox(folder, settings).add([notice(folder.name, "chat")])
        # Of somebody else, it may be, who did the same before us.
        name = hashlib.sha256(b"chat").hexdigest()[:12]
        (first / f"notify_{name}.lock").mkdir()
        done = alone.here("notify", "retry")
        assert len(sink.arrived) == 1
    assert done.returncode == 1
    assert done.stdout.startswith("1 message sent, 1 left.")
    assert f"{RUN}: notify_{name}.lock: Is a directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_happened_elsewhere_is_not_told_to_the_places_of_here(alone: Project) -> None:
    """Two configurations of one project may call places alike that are not the same."""
    folder = past_run(alone)
    assert example.started().environment == "production"
    with web_sink() as sink:
        configure(alone, place("chat", sink.url()), text="environment = 'staging'")
        settings = parse((alone.directory / "rollback.toml").read_text()).notify
        Outbox(folder, settings).add([notice("one", "chat")])
        kept = alone.here("notify", "retry")
        assert sink.arrived == []
        assert kept.returncode == 1
        assert kept.stdout.startswith("0 messages sent, 1 left.")
        assert "it was in production, and this is staging" in kept.stdout
        # Who names it means it.
        assert alone.here("notify", "retry", "5d0c6a1e").returncode == 0
        assert len(sink.arrived) == 1
