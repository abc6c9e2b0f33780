"""The shop's website: a small HTTP application that stands or falls with its database.

``python -m rollback_tui.demo.application DSN FLAG_FILE LOG_FILE`` listens on 127.0.0.1, writes its
port as a line to standard output, and ends when standard input closes. Every request is a line of
LOG_FILE. While FLAG_FILE exists it is in
maintenance: ``/`` answers 503 with ``Retry-After``, ``/health`` goes on telling the truth.

========================  ====================================================================
``GET /?user=N``          a page, from cache or database; 503 when there is none
``GET /health``           200 when a query just worked, else 503
``GET /metrics.json``     requests, failed requests, distinct users affected (``?since=&until=``)
``POST /caches/clear``    forget every cached page
``GET /notifications``    what was POSTed to it
========================  ====================================================================
"""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import os
import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

_KEPT = 100_000
"""Failed requests that are remembered."""
_BODY_LIMIT = 64 * 1024
_PRODUCTS = 2_000
_LOG_BYTES = 1_000_000
"""Then the log is rotated: one older file is kept."""

_log = logging.getLogger("shop")


class Database:
    """One connection that is made again when it is lost."""

    def __init__(self, dsn: str, application_name: str) -> None:
        self._dsn = dsn
        self._application_name = application_name
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def ask(self, query: str, parameters: list[int]) -> tuple[Any, ...] | None:
        """Return the first row. Raises psycopg.Error when the database does not answer in 2 s."""
        with self._lock:
            for last in (False, True):
                try:
                    if self._connection is None:
                        self._connection = self._connect()
                    return self._connection.execute(query, parameters).fetchone()
                except psycopg.OperationalError as error:
                    lost, self._connection = self._connection, None
                    if lost is not None:
                        lost.close()
                    # A connection that was ended meanwhile says nothing about the database now;
                    # a query that ran out of time does.
                    if last or lost is None or isinstance(error, psycopg.errors.QueryCanceled):
                        raise
        raise AssertionError("unreachable")

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            self._dsn,
            autocommit=True,
            connect_timeout=2,
            options="-c statement_timeout=2s",
            application_name=self._application_name,
            prepare_threshold=None,
        )


class Shop:
    """The application's state: its cache, and what it could not serve."""

    def __init__(self, dsn: str, flag: Path) -> None:
        self._pages = Database(dsn, "shop-site")
        self._health = Database(dsn, "shop-health")
        self._flag = flag
        self._lock = threading.Lock()
        self._cache: dict[int, str] = {}
        self._requests = 0
        self._failed: deque[tuple[datetime, int]] = deque(maxlen=_KEPT)
        self._notifications: deque[object] = deque(maxlen=100)

    def page(self, user: int) -> tuple[int, dict[str, object]]:
        """Return status and content of the page for ``user``."""
        status, content = self._page(user)
        with self._lock:
            self._requests += 1
            if status != 200:
                self._failed.append((datetime.now(UTC), user))
        return status, content

    def _page(self, user: int) -> tuple[int, dict[str, object]]:
        if self._flag.exists():
            return 503, {"status": "maintenance"}
        product = 1 + user % _PRODUCTS
        try:
            if product not in self._cache:
                row = self._pages.ask("SELECT name FROM products WHERE id = %s", [product])
                self._cache[product] = str(row[0]) if row else ""
            row = self._pages.ask("SELECT full_name FROM users WHERE id = %s", [user])
        except psycopg.Error as error:
            _log.error("database: %s", " ".join(str(error).split()))
            return 503, {"status": "unavailable"}
        return 200, {"hello": row[0] if row else None, "product": self._cache[product]}

    def health(self) -> tuple[int, dict[str, object]]:
        """Return 200 when a query that reads the shop's tables works now."""
        began = time.monotonic()
        try:
            row = self._health.ask("SELECT id FROM products WHERE id = %s", [1])
        except psycopg.Error as error:
            reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            return 503, {"status": "unavailable", "reason": reason[0]}
        milliseconds = round(1000 * (time.monotonic() - began), 1)
        status = 200 if row else 503
        return status, {"status": "ok" if row else "empty", "milliseconds": milliseconds}

    def metrics(self, since: str, until: str) -> dict[str, int]:
        """Count what failed between two ISO 8601 times. Raises ValueError for other texts."""
        first = _time(since) if since else datetime.min.replace(tzinfo=UTC)
        last = _time(until) if until else datetime.max.replace(tzinfo=UTC)
        with self._lock:
            failed = [user for at, user in self._failed if first <= at <= last]
            requests = self._requests
        return {
            "requests": requests,
            "failed_requests": len(failed),
            "affected_users": len(set(failed)),
        }

    def clear_cache(self) -> int:
        """Forget the cached pages; return how many there were."""
        forgotten = len(self._cache)
        self._cache = {}
        return forgotten

    def notify(self, message: object) -> None:
        """Keep a notification."""
        self._notifications.append(message)

    @property
    def notifications(self) -> list[object]:
        """The notifications, oldest first."""
        return list(self._notifications)


def _time(text: str) -> datetime:
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


class Handler(BaseHTTPRequestHandler):
    """Routes of the application."""

    shop: Shop

    def do_GET(self) -> None:
        """Answer a GET."""
        parts = urlsplit(self.path)
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            if parts.path == "/":
                self._answer(*self.shop.page(int(asked.get("user", "1"))))
            elif parts.path == "/health":
                self._answer(*self.shop.health())
            elif parts.path == "/metrics.json":
                self._answer(200, self.shop.metrics(asked.get("since", ""), asked.get("until", "")))
            elif parts.path == "/notifications":
                self._answer(200, {"notifications": self.shop.notifications})
            else:
                self._answer(404, {"status": "not found"})
        except ValueError as error:
            self._answer(400, {"status": str(error)})

    def do_POST(self) -> None:
        """Answer a POST."""
        path = urlsplit(self.path).path
        try:
            size = int(self.headers.get("Content-Length", "0"))
            if size > _BODY_LIMIT:
                self._answer(413, {"status": "too large"})
                return
            body = self.rfile.read(size)
            if path == "/caches/clear":
                self._answer(200, {"cleared": self.shop.clear_cache()})
            elif path == "/notifications":
                self.shop.notify(json.loads(body))
                self._answer(200, {"status": "received"})
            else:
                self._answer(404, {"status": "not found"})
        except ValueError as error:
            self._answer(400, {"status": str(error)})

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content, ensure_ascii=False).encode()
        # The client may have gone meanwhile.
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            if status == 503:
                self.send_header("Retry-After", "5")
            self.end_headers()
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write a line about the answer; what could not be served is a warning."""
        level = logging.WARNING if isinstance(code, int) and code >= 500 else logging.INFO
        _log.log(level, '"%s" %s %s', self.requestline, int(code), size)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Write what the server itself has to say."""
        _log.warning(format, *arguments)


def write_log(path: Path) -> None:
    """Write the log to ``path``, which only we may read."""
    os.umask(0o077)
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False


def main(arguments: list[str]) -> int:
    """Serve until standard input closes. Returns the exit code."""
    dsn, flag, log = arguments
    write_log(Path(log))
    _log.info("the shop opens")
    Handler.shop = Shop(dsn, Path(flag))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()
    # A request may still wait for the database, for seconds: leave without it.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
