"""HTTP with one deadline for all of it: a server that drips bytes cannot hold the run."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import httpx

from rollback_tui.core.model import Value
from rollback_tui.core.text import printable

_BODY = 64 * 1024


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

    if urlsplit(url).scheme not in ("http", "https"):
        return answer(None, "only http and https URLs are used")
    try:
        status, text = asyncio.run(_request(method, url, seconds, json))
        return answer(status, text)
    except TimeoutError:
        return answer(None, f"no answer within {seconds:g} s")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return answer(None, str(error) or type(error).__name__)


async def _request(method: str, url: str, seconds: float, json: object) -> tuple[int, str]:
    async with (
        asyncio.timeout(seconds),
        # trust_env off: a proxy of the environment must not stand between us and the application.
        httpx.AsyncClient(timeout=seconds, follow_redirects=False, trust_env=False) as client,
        client.stream(method, url, json=json) as response,
    ):
        body = b""
        async for part in response.aiter_bytes():
            body += part
            if len(body) >= _BODY:
                break
        return response.status_code, body[:_BODY].decode(errors="replace")
