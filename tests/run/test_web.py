"""HTTP: one deadline for all of it, no redirect, no proxy, no exception."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from rollback_tui.run import web
from tests.run.web_server import Answer, drips, floods, hangs, says, serving


def test_status_and_body_come_back_and_json_goes_out() -> None:
    with serving(says("200 OK", b"healthy")) as server:
        answer = web.request("POST", server.url, seconds=5, json={"event": "started"})
    assert (answer.status, answer.text) == (200, "healthy")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /x HTTP/1.1")
    assert json.loads(body) == {"event": "started"}


@pytest.mark.parametrize(
    "answer",
    [
        hangs,
        drips(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x"),
        drips(b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n"),
        drips(b"", b"H"),
    ],
    ids=["hangs", "body drips", "headers drip", "status line drips"],
)
def test_the_deadline_is_for_all_of_it(answer: Answer) -> None:
    with serving(answer) as server:
        got = web.request("GET", server.url, seconds=1)
    assert got.status is None
    if answer is hangs:
        assert got.text == "no answer within 1 s"


def test_a_silent_name_server_cannot_hold_us(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()

    def silent(*_: object, **__: object) -> list[object]:
        given_up.wait(600)
        raise socket.gaierror("temporary failure")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    try:
        answer = web.request("GET", "http://name.invalid/", seconds=1)
    finally:
        given_up.set()
    assert (answer.status, answer.text) == (None, "no answer within 1 s")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_an_answer_and_not_a_way(status: str) -> None:
    with (
        serving(says("200 OK")) as elsewhere,
        serving(says(status, b"", f"Location: {elsewhere.url}")) as server,
    ):
        answer = web.request("GET", server.url, seconds=5)
        time.sleep(0.1)
        assert answer.status == int(status[:3])
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://127.0.0.1/", "/health", "", "unix:/run/x", "javascript:1"],
)
def test_only_http_is_spoken(url: str) -> None:
    answer = web.request("GET", url, seconds=2)
    assert answer.status is None
    assert "only http" in answer.text


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "http://",
        "http://a b/",
        "http://x:99999/",
        "http://\x00/",
        f"http://{'a' * 300}/",
    ],
)
def test_a_malformed_url_is_no_exception(url: str) -> None:
    answer = web.request("GET", url, seconds=3)
    assert answer.status is None
    assert answer.text


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert web.request("GET", f"http://127.0.0.1:{port}/", seconds=3).status is None


@pytest.mark.parametrize(
    "answer", [lambda c: c.close(), lambda c: c.sendall(b"\x00\xffgarbage\r\n\r\n")]
)
def test_what_is_no_http_is_no_answer(answer: Answer) -> None:
    with serving(answer) as server:
        assert web.request("GET", server.url, seconds=3).status is None


def test_https_to_a_plain_server_fails() -> None:
    with serving(says("200 OK")) as server:
        answer = web.request("GET", server.url.replace("http", "https"), seconds=3)
    assert answer.status is None


def test_an_endless_body_is_cut() -> None:
    with serving(floods) as server:
        answer = web.request("GET", server.url, seconds=60)
    assert answer.status == 200, "at the deadline there would be none"
    assert len(answer.text) == 64 * 1024
    assert answer.cut


@pytest.mark.parametrize("more", [0, 1])
def test_what_comes_behind_the_first_64_kib_is_noticed_wherever_the_packets_end(more: int) -> None:
    def answer(connection: socket.socket) -> None:
        length = 64 * 1024 + more
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
        connection.sendall(b"x" * 64 * 1024)
        time.sleep(0.2)
        connection.sendall(b"x" * more)

    with serving(answer) as server:
        got = web.request("GET", server.url, seconds=30)
    assert got.status == 200
    assert got.cut == bool(more)


def test_control_characters_of_the_body_are_made_visible() -> None:
    with serving(says("200 OK", b"\x1b[31mred\xff")) as server:
        assert web.request("GET", server.url, seconds=5).text == "␛[31mred�"


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(says("200 OK", b"application")) as server, serving(says("502 Bad")) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert web.request("GET", server.url, seconds=5).text == "application"
        assert proxy.requests == []
