"""HTTP with one deadline for all of it: a server that drips bytes cannot hold the run."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple
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
    """The answer, or why there is none; printable."""
    seconds: float
    body: str = ""
    """The answer as it came; not printable. Empty: there is none."""
    location: str = ""
    """Where a redirect would lead; not printable."""
    cut: bool = False
    """The answer was longer; this is its beginning."""


class _Said(NamedTuple):
    """What came of a request."""

    status: int | None
    text: str
    location: str = ""
    cut: bool = False


def request(
    method: str,
    url: str,
    *,
    seconds: float,
    json: object = None,
    headers: Mapping[str, str] | None = None,
) -> WebAnswer:
    """Ask ``url``. Never raises; redirects are not followed, only http and https are used."""
    began = time.monotonic()
    late = _Said(None, f"no answer within {round(seconds, 1):g} s")
    said: list[_Said] = []

    def ask() -> None:
        try:
            if urlsplit(url).scheme not in ("http", "https"):
                said.append(_Said(None, "only http and https URLs are used"))
            else:
                said.append(asyncio.run(_request(method, url, seconds, json, headers)))
        except TimeoutError:
            said.append(late)
        except (OSError, ValueError) as error:
            said.append(_Said(None, str(error) or type(error).__name__))

    # In a thread of its own, because a name server that is silent cannot be interrupted.
    thread = threading.Thread(target=ask, name="web request", daemon=True)
    thread.start()
    thread.join(seconds + _GRACE)
    found = said[0] if said else late
    return WebAnswer(
        status=found.status,
        text=printable(found.text),
        seconds=time.monotonic() - began,
        body=found.text if found.status is not None else "",
        location=found.location,
        cut=found.cut,
    )


def _trusted() -> ssl.SSLContext:
    """The machine's certificate authorities, a private one and SSL_CERT_FILE included."""
    return ssl.create_default_context()


def _why(error: BaseException) -> str:
    """Say what is wrong with TLS in its own words, without the library's: they are what the
    operator can do something about."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"TLS: the certificate is not accepted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "TLS: " + (cause.reason or str(cause)).replace("_", " ").lower()
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__


async def _request(
    method: str, url: str, seconds: float, json: object, headers: Mapping[str, str] | None
) -> _Said:
    # A quarter of the time that a process of ours takes to start; most never ask a URL.
    import httpx

    try:
        async with (
            asyncio.timeout(seconds),
            # trust_env off: no proxy of the environment stands between us and the application.
            httpx.AsyncClient(
                timeout=seconds,
                follow_redirects=False,
                trust_env=False,
                # All authorities are read anew, two thirds of what a request costs: only for TLS.
                verify=_trusted() if urlsplit(url).scheme == "https" else False,
            ) as client,
            client.stream(method, url, json=json, headers=dict(headers or {})) as response,
        ):
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _BODY:
                    break
            return _Said(
                response.status_code,
                body[:_BODY].decode(errors="replace"),
                response.headers.get("location", "") if response.is_redirect else "",
                len(body) > _BODY,
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return _Said(None, _why(error))
