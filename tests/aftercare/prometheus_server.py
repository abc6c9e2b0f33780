"""A web server on this machine that speaks Prometheus' ``/api/v1/query``, and fails as told."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

Fault = Literal[
    "", "500", "html", "empty body", "redirect", "slow", "drip", "unauthorized", "reset", "deep"
]


class PrometheusServer:
    """Knows some queries, each with the values of its series; others are empty vectors, and one
    that does not parse is refused as the real one does (HTTP 400, ``bad_data``)."""

    def __init__(self, *, tls: Path | None = None, token: str = "") -> None:
        """``tls``: certificate and key. ``token``: bearer that must be sent."""
        self.vectors: dict[str, list[str]] = {}
        self.scalars: dict[str, str] = {}
        self.fault: Fault = ""
        self.asked: list[dict[str, str]] = []
        """The parameters of each question."""
        self._token = token
        self._stopped = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with contextlib.suppress(OSError):
                    outer._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # a client that does not accept our certificate goes away

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True, name="prometheus"
        ).start()

    def close(self) -> None:
        """Refuse from now on."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(given)
        if self._token and request.headers.get("Authorization") != f"Bearer {self._token}":
            sent = request.headers.get("Authorization", "")
            _send(request, 401, f"no access with {sent}".encode())
            return
        if self.fault:
            self._fail(request)
        elif not parts.path.endswith("/api/v1/query"):
            _send(request, 404, b"404 page not found")
        else:
            self._query(request, given.get("query", ""))

    def _query(self, request: BaseHTTPRequestHandler, query: str) -> None:
        now = time.time()
        if query.count("(") != query.count(")"):
            error = 'invalid parameter "query": 1:5: parse error: unclosed left parenthesis'
            body = {"status": "error", "errorType": "bad_data", "error": error}
            _send(request, 400, json.dumps(body).encode())
            return
        if query in self.scalars:
            data: object = {"resultType": "scalar", "result": [now, self.scalars[query]]}
        elif query.endswith("[5m]"):
            series = {"metric": {}, "values": [[now, "1"]]}
            data = {"resultType": "matrix", "result": [series]}
        else:
            result = [
                {"metric": {"instance": f"app{number}"}, "value": [now, value]}
                for number, value in enumerate(self.vectors.get(query, []))
            ]
            data = {"resultType": "vector", "result": result}
        _send(request, 200, json.dumps({"status": "success", "data": data}).encode())

    def _fail(self, request: BaseHTTPRequestHandler) -> None:
        match self.fault:
            case "500":
                _send(request, 500, b"out of memory")
            case "html":
                _send(request, 200, b"<html>Please log in</html>")
            case "empty body":
                _send(request, 200, b"")
            case "deep":
                _send(request, 200, b"[" * 60_000)
            case "redirect":
                _send(request, 302, b"", location="https://login.invalid/?next=x")
            case "slow":
                self._stopped.wait(30)
            case "drip":
                request.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                while not self._stopped.wait(0.1):
                    request.wfile.write(b" ")
            case _:
                request.connection.close()


def _send(request: BaseHTTPRequestHandler, status: int, body: bytes, location: str = "") -> None:
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    if location:
        request.send_header("Location", location)
    request.end_headers()
    request.wfile.write(body)


@contextlib.contextmanager
def prometheus_server(*, tls: Path | None = None, token: str = "") -> Iterator[PrometheusServer]:
    """One that is closed afterwards."""
    found = PrometheusServer(tls=tls, token=token)
    try:
        yield found
    finally:
        found.close()
