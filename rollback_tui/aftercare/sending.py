"""One attempt to tell one place: in a process of its own, which is gone when its time is over."""

from __future__ import annotations

import os
import selectors
import signal
import ssl
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast

import msgspec

from rollback_tui.aftercare.places import redacted
from rollback_tui.core.notices import Level
from rollback_tui.core.text import shorten
from rollback_tui.core.value import Value
from rollback_tui.embedded.children import command, environment

_MOST = 64 * 1024
"""Bytes of an answer that are read."""
_WHY = 300
"""Terminal cells of a reason."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_PASSED_ON = (
    *_PROXIES,
    *(name.lower() for name in _PROXIES),
    *("LANG", "LC_ALL", "LC_CTYPE", "TZ"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
_OURSELVES = "localhost,127.0.0.1,::1"


class Message(Value, frozen=True, kw_only=True):
    """What the sending process is given, through its standard input."""

    url: str
    """Secret."""
    title: str
    body: str
    level: Level
    seconds: float
    """How long a single connection or answer may take."""


class Answer(Value, frozen=True, kw_only=True):
    """What came of an attempt."""

    ok: bool
    why: str = ""
    """Why not; without secrets, printable, one line. Empty when it was delivered."""
    refused: bool = False
    """The place is there, and does not take this message as it is."""
    seconds: float = 0.0


def send(url: str, title: str, body: str, level: Level, *, seconds: float) -> Answer:
    """Deliver a message, and return what came of it after ``seconds`` at the latest. Never
    raises. When this process dies, the one that sends dies with it."""
    message = Message(url=url, title=title, body=body, level=level, seconds=seconds)
    return _asked("send", message, seconds)


def understood(url: str, *, seconds: float = 20.0) -> Answer:
    """Return whether Apprise understands a URL; nothing is sent."""
    message = Message(url=url, title="", body="", level="info", seconds=seconds)
    return _asked("look", message, seconds)


def _asked(what: str, message: Message, seconds: float) -> Answer:
    began = time.monotonic()
    try:
        process = subprocess.Popen(
            command("rollback_tui.aftercare.outbox_child", what),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(os.environ),
            cwd="/",
            start_new_session=True,
            umask=0o077,
        )
    except OSError as error:
        return Answer(ok=False, why=f"no process could be started: {error.strerror}")
    try:
        said = _said(process, msgspec.json.encode(message) + b"\n", began + seconds)
    finally:
        _end(process)
    return _answer(said, message.url, seconds, time.monotonic() - began, process.returncode)


def _said(process: subprocess.Popen[bytes], line: bytes, deadline: float) -> bytes | None:
    """Hand the message over and return the answer's line; None: it did not come in time. Standard
    input stays open meanwhile: by its end the process knows that we are gone."""
    given, taken = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
    os.set_blocking(given.fileno(), False)
    said, left = b"", memoryview(line)
    with selectors.DefaultSelector() as selector:
        selector.register(taken, selectors.EVENT_READ)
        selector.register(given, selectors.EVENT_WRITE)
        while (remaining := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(remaining):
                if key.fileobj is given:
                    try:
                        left = left[os.write(given.fileno(), left) :]
                    except OSError:
                        left = left[:0]
                    if not left:
                        selector.unregister(given)
                    continue
                part = os.read(taken.fileno(), 8192)
                said += part
                if not part or said.endswith(b"\n") or len(said) > _MOST:
                    return said
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process with everything that it may have started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        # Gone already, and collected by nobody yet: its number is still its own.
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                continue


def _answer(said: bytes | None, url: str, limit: float, took: float, code: int) -> Answer:
    took = round(took, 3)
    if said is None:
        return Answer(ok=False, why=f"no answer within {round(limit, 1):g} s", seconds=took)
    try:
        answer = msgspec.json.decode(said, type=Answer)
    except msgspec.MsgspecError:
        why = f"the process that sends ended without a word ({code})"
        return Answer(ok=False, why=why, seconds=took)
    # What sends has done so already; but this is the last door before disk and screen.
    why = shorten(redacted(answer.why, url), _WHY)
    return msgspec.structs.replace(answer, why=why, seconds=took)


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return what the sending process sees: the proxies of the environment, because many chats are
    behind one; the machine's own certificates; no ~/.netrc, whose passwords are for others; no
    other variable of ours."""
    kept = environment() | {name: given[name] for name in _PASSED_ON if given.get(name)}
    kept["NETRC"] = os.devnull
    without = kept.get("no_proxy") or kept.get("NO_PROXY") or ""
    kept["no_proxy"] = kept["NO_PROXY"] = f"{without},{_OURSELVES}" if without else _OURSELVES
    if not (kept.get("REQUESTS_CA_BUNDLE") or kept.get("CURL_CA_BUNDLE")):
        trusted = _authorities()
        if trusted:
            kept["REQUESTS_CA_BUNDLE"] = trusted
    return kept


def _authorities() -> str:
    """Return the file or directory of the certificates that this machine trusts, which a private
    authority may have been added to; empty where there is none: then the ones count that come
    with requests."""
    # SSL_CERT_FILE and SSL_CERT_DIR are looked at by this call.
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return paths.cafile
    if paths.capath and any(Path(paths.capath).glob("*.0")):
        return paths.capath
    return ""
