"""One message to one place, delivered by Apprise to real servers, and in words why it could not
be."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rollback_tui.aftercare.places import redacted, secrets, shown
from rollback_tui.aftercare.sending import Answer, send, understood
from tests.aftercare.sinks import (
    LOOPBACK,
    mail_sink,
    refused_port,
    soon,
    web_sink,
)
from tests.run.web_server import serving
from tests.started import remembered

SECRET = "canary-7f3a-of-a-url"
BODY = "Rollback of shop\n{{ field }} <b>*text*</b> ünïcode"


def _send(url: str, seconds: float = 20.0, body: str = BODY) -> Answer:
    answer = send(url, "The title", body, "critical", seconds=seconds)
    assert SECRET not in answer.why
    return answer


def test_it_arrives_as_it_is_and_says_how_serious_it_is() -> None:
    with web_sink() as sink:
        answer = _send(sink.url())
        (message,) = sink.arrived
    assert (answer.ok, answer.why, answer.refused) == (True, "", False)
    assert (message["title"], message["message"], message["type"]) == (
        "The title",
        BODY,
        "failure",
    )


@pytest.mark.parametrize(
    ("how", "why", "refused"),
    [
        ("500", "HTTP 500 Internal Server Error", False),
        # Its server's words say what it does not like; it will not like it the next time either.
        ("422", "HTTP 422 Unprocessable", True),
        # A POST that is redirected becomes a GET: nobody would have been told.
        ("301", "HTTP 301 Moved Permanently", False),
        ("reset", "the connection was cut off", False),
    ],
)
def test_a_server_that_does_not_take_it(how: str, why: str, refused: bool) -> None:
    with web_sink(how) as sink:
        answer = _send(sink.url(SECRET))
        assert sink.arrived == []
    assert (answer.ok, answer.refused) == (False, refused)
    assert answer.why.startswith(why)


@pytest.mark.parametrize("how", ["hang", "drip"])
def test_a_server_that_never_ends_is_left_at_the_deadline(how: str) -> None:
    with web_sink(how) as sink:
        answer = _send(sink.url(), seconds=2.0)
        # Not only not waited for: nothing of the attempt is left.
        assert sink.abandoned.wait(10)
    assert (answer.ok, answer.why) == (False, "no answer within 2 s")


def test_nobody_there_no_name_and_no_such_place() -> None:
    port = refused_port()
    assert _send(f"json://127.0.0.1:{port}/{SECRET}").why == "the connection was refused"
    gone = _send(f"json://{SECRET}.invalid/hook")
    assert gone.why == "the host's name cannot be resolved"
    assert understood(f"slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#{SECRET}").ok
    for url in (f"slack://{SECRET}", SECRET):
        answer = understood(url)
        assert not answer.ok
        assert answer.why.startswith("Apprise does not understand this URL")
        assert SECRET not in answer.why


def test_a_certificate_is_taken_when_the_machine_trusts_it_and_only_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    with web_sink(tls=LOOPBACK) as sink:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        stranger = _send(sink.url())
        assert stranger.why == "TLS: the certificate is not accepted: self-signed certificate"
        monkeypatch.setenv("SSL_CERT_FILE", str(LOOPBACK))
        assert _send(sink.url()).ok
    with web_sink() as plain:
        assert _send(plain.url().replace("json:", "jsons:")).why.startswith("TLS: ")
    other = Path(__file__).parents[1] / "run" / "self_signed.pem"
    with web_sink(tls=other) as sink:
        monkeypatch.setenv("SSL_CERT_FILE", str(other))
        assert "certificate is not valid for '127.0.0.1'" in _send(sink.url()).why


def test_mail_goes_to_a_mail_server_as_plain_text() -> None:
    with mail_sink("550 5.1.1 no such mailbox") as sink:
        nobody = _send(sink.url())
        assert (nobody.ok, nobody.why) == (False, "SMTP 550: 5.1.1 no such mailbox")
        assert _send(sink.url()).ok
    (mail,) = sink.arrived
    assert (mail["Subject"], mail["To"]) == ("The title", "oncall@example.org")
    assert mail["From"] == "tool@example.org"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().replace("\r\n", "\n").strip() == BODY


def test_the_url_is_in_no_argument_and_what_is_ours_in_no_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And the process that sends ends with the one that started it."""
    monkeypatch.setenv("DATABASE_URL", "postgres://not-for-it")
    script = (
        "import sys\n"
        "from rollback_tui.aftercare.sending import send\n"
        "send(sys.stdin.readline().strip(), 't', 'b', 'info', seconds=30)\n"
    )
    with web_sink("hang") as sink:
        sender = remembered(
            subprocess.Popen(
                [sys.executable, "-c", script], stdin=subprocess.PIPE, text=True, cwd=Path.cwd()
            )
        )
        assert sender.stdin is not None
        sender.stdin.write(sink.url(SECRET) + "\n")
        sender.stdin.flush()
        assert sink.held.wait(20)
        children = Path(f"/proc/{sender.pid}/task/{sender.pid}/children")
        if children.exists():
            for pid in children.read_text().split():
                for what in ("cmdline", "environ"):
                    seen = Path(f"/proc/{pid}/{what}").read_bytes()
                    assert SECRET.encode() not in seen
                    assert b"DATABASE_URL" not in seen
        sender.kill()
        sender.wait()
        assert sink.abandoned.wait(10)
        assert sink.arrived == []


URLS = (
    f"slack://{SECRET}/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
    f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{SECRET}",
    f"pagerduty://{SECRET}@A1BRTD4JD/source",
    f"mailtos://deploy:{SECRET}@mail.example.org?to=a@example.org",
    f"json://deploy:{SECRET}@127.0.0.1:8080/hook?+Authorization=Bearer%20{SECRET}",
    f"jsons://hook.example.org/{SECRET}/deep",
    f"discord://1234567890/{SECRET}?verify=no",
    f"{SECRET}",
)


@pytest.mark.parametrize("url", URLS)
def test_what_may_be_shown_of_a_url_holds_no_secret(url: str) -> None:
    assert SECRET not in shown(url)
    for text in (url, f"failed with {url}", f"in /{SECRET}/: no", f"Bearer%20{SECRET}!"):
        assert SECRET not in redacted(text, url)


def test_words_of_a_reason_stay_readable() -> None:
    url = "json://ops:on@hook.example.org:8080/no/T0KEN9?verify=no&rto=20"
    why = "HTTP 500 at hook.example.org: no answer on T0KEN9, verify=none of 20"
    assert redacted(why, url) == (
        "HTTP 500 at hook.example.org: *** answer *** ***, verify=none of 20"
    )
    assert "T0KEN9" in secrets(url)


def test_what_a_sending_process_inherits_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is used, but not for this machine; ~/.netrc is not."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{refused_port()}")
    monkeypatch.setenv("http_proxy", os.environ["HTTP_PROXY"])
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with web_sink() as sink:
        assert _send(sink.url()).ok
        soon(lambda: len(sink.arrived) == 1)
    assert _send("json://192.0.2.1/hook", seconds=10).why == "the proxy cannot be reached"


def test_a_url_that_is_none_says_so_and_nothing_of_itself() -> None:
    """A bracket is where an IPv6 address begins, and so none may stand in a password as it is."""
    for url in ("json://user:t0p[s3cret@127.0.0.1:1/hook", "json://user:t0p]s3cret@127.0.0.1:1"):
        answer = understood(url)
        assert (answer.ok, answer.why[:38]) == (False, "Apprise does not understand this URL"), url
        assert redacted(f"no way to {url}", url) == "no way to ***"


def test_an_answer_without_end_takes_no_memory_without_end() -> None:
    """Nobody but the process that hears it ends for it: not the database beside it."""
    sent = [0]

    def flood(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while sent[0] < 4096:
                connection.sendall(b"x" * 2**20)
                sent[0] += 1

    with serving(flood) as server:
        url = server.url.replace("http", "json", 1)
        answer = send(url, "title", "body", "info", seconds=60)
    assert (answer.ok, answer.why) == (False, "its answer is too long")
    assert sent[0] < 1024


def test_the_memory_of_who_sends_is_not_that_of_an_answer() -> None:
    """A child's ``ru_maxrss`` begins with what its parent had."""
    ballast = bytearray(b"x") * (512 * 2**20)
    answer = send(f"json://127.0.0.1:{refused_port()}/", "title", "body", "info", seconds=30)
    assert (answer.ok, answer.why) == (False, "the connection was refused")
    assert ballast[-1] == ord("x")
