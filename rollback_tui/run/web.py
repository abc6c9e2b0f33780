"""HTTP with one deadline for all of it: a server that drips bytes cannot hold the run."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from urllib.parse import urlsplit

from rollback_tui.core.model import Value
from rollback_tui.core.text import printable

_BODY = 64 * 1024
_GRACE = 0.25
"""Seconds in which the request's own deadline is let through first."""


class WebAnswer(Value, frozen=True, kw_only=True):
    """The answer, or why there is none."""

    status: int | None
    """None: no HTTP answer within the deadline."""
    text: str
    seconds: float


def request(method: str, url: str, *, seconds: float, json: object = None) -> WebAnswer:
    """Ask ``url``. Never raises; redirects are not followed, only http and https are used."""
    began = time.monotonic()

    def answer(status: int | None, text: str) -> WebAnswer:
        return WebAnswer(status=status, text=printable(text), seconds=time.monotonic() - began)

    said: list[tuple[int | None, str]] = []

    def ask() -> None:
        try:
            if urlsplit(url).scheme not in ("http", "https"):
                said.append((None, "only http and https URLs are used"))
            else:
                said.append(asyncio.run(_request(method, url, seconds, json)))
        except TimeoutError:
            said.append((None, f"no answer within {seconds:g} s"))
        except (OSError, ValueError) as error:
            said.append((None, str(error) or type(error).__name__))

    # In a thread of its own, because a name server that is silent cannot be interrupted.
    thread = threading.Thread(target=ask, name="web request", daemon=True)
    thread.start()
    thread.join(seconds + _GRACE)
    return answer(*said[0]) if said else answer(None, f"no answer within {seconds:g} s")


def _trusted() -> ssl.SSLContext:
    """The machine's certificate authorities, a private one and SSL_CERT_FILE included."""
    return ssl.create_default_context()


async def _request(method: str, url: str, seconds: float, json: object) -> tuple[int | None, str]:
    # A quarter of the time that a process of ours takes to start; most never ask a URL.
    import httpx

    try:
        async with (
            asyncio.timeout(seconds),
            # trust_env off: no proxy of the environment stands between us and the application.
            httpx.AsyncClient(
                timeout=seconds, follow_redirects=False, trust_env=False, verify=_trusted()
            ) as client,
            client.stream(method, url, json=json) as response,
        ):
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) >= _BODY:
                    break
            return response.status_code, body[:_BODY].decode(errors="replace")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return None, str(error) or type(error).__name__
