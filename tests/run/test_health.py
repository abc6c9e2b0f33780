"""The application's health: several URLs, one deadline, and no secret in what is said of them."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from rollback_tui.config import parse
from rollback_tui.config_health import Health
from rollback_tui.core import health as judge
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.run.afterwards.health import ask_all
from tests.run.web_server import Answer, hangs, says, serving

CERTIFICATE = Path(__file__).parent / "self_signed.pem"
"""Of a name that is not ours, and signed by itself; with its key."""


def asked(text: str) -> tuple[judge.Found, ...]:
    return ask_all(settings(text), lambda _: None)


def settings(text: str) -> Health:
    return parse(text).health


def healthy(url: str, answer: str = "", **more: Any) -> judge.Found:
    """Ask one URL once."""
    lines = [f"{key} = {value!r}" for key, value in more.items()]
    (found,) = asked("\n".join([f'[health]\nurl = "{url}"', "attempts = 1", answer, *lines]))
    return found


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (says("204 No Content"), "expected_status = [200, 204]"),
        (says("200 OK", b"all is\n  well here"), 'expected_body = "is\\n  well"'),
        (
            says("200 OK", b'{"status": "ok", "checks": {"db": true, "n": 3}}'),
            'expected_json = { status = "ok", "checks.db" = true, "checks.n" = 3 }',
        ),
    ],
    ids=["status", "body", "json"],
)
def test_a_healthy_answer_is_what_was_configured(answer: Answer, expected: str) -> None:
    with serving(answer) as server:
        found = healthy(server.url, expected)
    assert found.healthy, found.detail
    verification = judge.verification(found)
    assert (verification.name, verification.verdict) == ("health", "pass")
    assert verification.evidence[0] == server.url


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (says("503 No"), "", "HTTP 503 (200 expected)"),
        (says("200 OK"), "expected_status = [201, 204]", "HTTP 200 (201 or 204 expected)"),
        (says("200 OK", b"bad"), 'expected_body = "good"', "HTTP 200, but without “good”"),
        (says("200 OK", b"<html>"), 'expected_json = { a = "b" }', "HTTP 200, but no JSON"),
        (says("200 OK", b"[1]"), 'expected_json = { a = "b" }', "but a is not in it"),
        (
            says("200 OK", b'{"db": {"state": "down"}}'),
            'expected_json = { "db.state" = "up" }',
            'HTTP 200, but db.state is "down" ("up" expected)',
        ),
        (says("200 OK", b'{"ok": 1}'), "expected_json = { ok = true }", "ok is 1 (true expected)"),
        (
            says("302 Found", b"", "Location: https://u:pw@login.example/x"),
            "",
            "HTTP 302, redirects to https://login.example/x, which is not followed (200 expected)",
        ),
    ],
)
def test_what_is_not_healthy_is_said_plainly(answer: Answer, expected: str, words: str) -> None:
    with serving(answer) as server:
        found = healthy(server.url, expected)
    assert found.healthy is False
    assert words in found.detail
    assert "pw" not in found.detail
    verification = judge.verification(found)
    assert verification.verdict == "fail"
    assert words in " ".join((verification.summary, *verification.evidence))


def test_the_beginning_of_a_bad_answer_is_shown_and_is_inert() -> None:
    with serving(says("500 Bad", b"no\x1b[2J database\n" + b"x" * 5000)) as server:
        said = judge.verification(healthy(server.url)).evidence[-1]
    assert said.startswith("it said: no␛[2J database")
    assert len(said) < 150


def test_each_url_is_a_verification_of_its_own() -> None:
    with serving(says("200 OK")) as one, serving(says("500 No")) as other:
        found = asked(
            f'[health]\nurl = "{one.url}"\nattempts = 1\n'
            f'[[health.also]]\nlabel = "checkout"\nurl = "{other.url}"\n'
            f'[[health.also]]\nlabel = "search"\nurl = "{one.url}"\nexpected_status = 200'
        )
    verifications = [judge.verification(each) for each in found]
    assert [(v.name, v.verdict) for v in verifications] == [
        ("health", "pass"),
        ("health:checkout", "fail"),
        ("health:search", "pass"),
    ]
    assert verifications[1].title == "Application healthy: checkout"


def test_one_that_hangs_ends_with_the_deadline() -> None:
    with serving(hangs) as slow:
        found = asked(f'[health]\nurl = "{slow.url}"\ndeadline_seconds = 1\nattempts = 5\n')
    assert [one.healthy for one in found] == [False]
    assert "no answer within 1 s" in found[0].detail


def test_one_that_is_slow_takes_no_time_from_the_others() -> None:
    """Each of the two answers only when the other has been asked as well."""
    both = threading.Barrier(2)

    def together(connection: socket.socket) -> None:
        both.wait(600)
        says("200 OK")(connection)

    with serving(together) as one, serving(together) as other:
        found = asked(
            f'[health]\nurl = "{one.url}"\ndeadline_seconds = 60\nattempts = 1\n'
            f'[[health.also]]\nlabel = "other"\nurl = "{other.url}"'
        )
        both.abort()
    assert [one.healthy for one in found] == [True, True]


def test_it_is_asked_again_until_it_is_healthy() -> None:
    answers = [says("503 Not yet"), says("503 Not yet"), says("200 OK")]

    def later(connection: socket.socket) -> None:
        answers.pop(0)(connection)

    told: list[judge.Found] = []
    with serving(later) as server:
        text = f'[health]\nurl = "{server.url}"\ninterval_seconds = 0.05'
        (found,) = ask_all(settings(text), told.append)
    assert (found.healthy, found.tries) == (True, 3)
    assert [one.healthy for one in told] == [False, False, True]
    assert judge.verification(found).summary == "healthy after 3 attempts"


def test_no_url_is_unknown() -> None:
    assert asked("[health]\nattempts = 3") == ()
    assert judge.verification(None).verdict == "unknown"


# --- secrets --------------------------------------------------------------------------------------

_HEADER = 'headers_env = { Authorization = "TEST_HEALTH_TOKEN" }'


def test_a_header_comes_from_the_environment_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEST_HEALTH_TOKEN", "Bearer s3cret\n")
    with serving(says("403 No", b"you sent Bearer s3cret")) as server:
        found = healthy(server.url, _HEADER)
        assert b"Authorization: Bearer s3cret\r\n" in server.requests[0]
    said = repr(judge.verification(found))
    assert "s3cret" not in said
    assert "you sent •••" in said


@pytest.mark.parametrize("value", [None, "", "a\r\nX-Other: b", "ünicode"])
def test_what_cannot_be_sent_is_not_asked_and_so_unknown(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("TEST_HEALTH_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("TEST_HEALTH_TOKEN", value)
    with serving(says("200 OK")) as server:
        found = healthy(server.url, _HEADER)
        assert server.requests == []
    verification = judge.verification(found)
    assert verification.verdict == "unknown"
    assert "TEST_HEALTH_TOKEN" in verification.summary
    assert not value or value not in verification.summary


def test_a_password_in_a_url_is_not_shown() -> None:
    with serving(says("200 OK")) as server:
        found = healthy(server.url.replace("http://", "http://me:s3cret@"))
    assert found.healthy
    assert judge.verification(found).evidence[0] == server.url


# --- TLS ------------------------------------------------------------------------------------------


def _speaks_tls(connection: socket.socket) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with context.wrap_socket(connection, server_side=True) as inside:
        inside.recv(4096)
        says("200 OK")(inside)


def test_a_certificate_that_nobody_signed_is_said_plainly() -> None:
    with serving(_speaks_tls, tls=True) as server:
        found = healthy(server.url.replace("http", "https"))
    assert found.healthy is False
    assert found.detail.startswith("TLS: the certificate is not accepted: self")
    assert "_ssl.c" not in found.detail


def test_a_certificate_of_another_name_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with serving(_speaks_tls, tls=True) as server:
        found = healthy(server.url.replace("http", "https"))
    assert "certificate is not valid for '127.0.0.1'" in found.detail


def test_https_to_a_server_that_speaks_none_is_said_plainly() -> None:
    with serving(says("200 OK")) as server:
        found = healthy(server.url.replace("http", "https"))
    assert found.detail.startswith("TLS: ")


# --- configuration --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "[health]\nexpected_status = [200, 99]",
        '[[health.also]]\nlabel = "a"',
        '[[health.also]]\nurl = "http://a"',
        '[[health.also]]\nlabel = "a"\nurl = "http://a"\n[[health.also]]\nlabel = "a"\nurl = "b"',
        '[health]\nheaders_env = { "a b" = "X" }',
        "[health]\nexpected_json = { a = [1] }",
        "[health]\nwatch_seconds = -1",
    ],
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse(text)
