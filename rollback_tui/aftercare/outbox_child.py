"""The process that tells one place one thing: ``python -m rollback_tui.aftercare.outbox_child``
with ``send`` or ``look``. It reads a :class:`Message` from standard input, writes an
:class:`Answer` to standard output, and ends when whoever started it does."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import resource
import sys
import threading
from http import HTTPStatus
from pathlib import Path

import msgspec

from rollback_tui.aftercare.places import redacted
from rollback_tui.aftercare.sending import Answer, Message
from rollback_tui.core.notices import Level
from rollback_tui.core.text import shorten

_KINDS: dict[Level, str] = {"info": "info", "warning": "warning", "critical": "failure"}
"""Apprise's own words for how serious something is."""

_MEMORY = 256 * 1024 * 1024
"""Bytes that this process may have for itself; it needs a fifth of that."""
_STACK = 4 * 1024 * 1024

_NOT_THIS_ONE = frozenset((400, 413, 414, 415, 422, 552, 554))
"""Answers of HTTP and SMTP (RFC 9110, RFC 5321) that mean the message and not the place."""

_WORDS: tuple[tuple[str, str], ...] = (
    (r"ProxyError|Unable to connect to proxy", "the proxy cannot be reached"),
    (r"certificate verify failed: ([^(\n]+?)\s*(?:\(|$)", "TLS: the certificate is not accepted: "),
    (r"\[SSL: ([A-Z0-9_]+)\]", "TLS: "),
    (
        r"TLS/SSL connection has been closed|EOF occurred in violation of protocol",
        "TLS: the other side ended the connection, it may speak none",
    ),
    (
        r"Name or service not known|nodename nor servname|name resolution|getaddrinfo failed"
        r"|NameResolutionError|No address associated",
        "the host's name cannot be resolved",
    ),
    (r"Connection refused", "the connection was refused"),
    (r"No route to host|Network is unreachable", "there is no route to the host"),
    (r"timed out|Timeout", "no answer in time"),
    (
        r"reset by peer|RemoteDisconnected|Connection aborted|unexpectedly closed|IncompleteRead"
        r"|Connection broken|Broken pipe",
        "the connection was cut off",
    ),
)
_HTTP = re.compile(r"\berror=(\d{3})\b")
_SMTP = re.compile(r"\(([45]\d{2}), b?(['\"])(.*?)\2\)")
_BODY = re.compile(r"Response Details:\s*(?:b?['\"])?(.*)", re.DOTALL)


class _Heard(logging.Handler):
    """Everything that Apprise says of the attempt."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.problems: list[str] = []
        self.details: list[str] = []
        self.bodies: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Sort it: its warnings are vague, and what really was is said among the details."""
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            self.problems.append(text)
        elif "Exception" in text or "rror" in text:
            self.details.append(text)
        body = _BODY.match(text)
        if body:
            self.bodies.append(body.group(1))


def deliver(message: Message, *, only_look: bool = False) -> Answer:
    """Hand the message to Apprise, and say in words why it could not be delivered."""
    heard = _Heard()
    log = logging.getLogger("apprise")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.addHandler(heard)
    import apprise

    asset = apprise.AppriseAsset(
        app_id="rollback-tui",
        app_desc="rollback-tui",
        app_url="",
        # Nothing of the attempt is kept on disk, no text of a database is a template, and a POST
        # that is redirected would become a GET: it would count as delivered, and nobody has it.
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        allow_templates=False,
        http_redirects=False,
        service_timeout=message.seconds,
    )
    place = apprise.Apprise.instantiate(_with_options(message), asset=asset)
    if place is None:
        said = next((text for text in heard.problems if "nparseable" not in text), "")
        # Apprise repeats the URL here, in its own spelling.
        what = re.sub(r"\S+://\S*", "the URL", said).removeprefix("Could not load ")
        why = "Apprise does not understand this URL" + (f": {what}" if said else "")
        return Answer(ok=False, why=_shown(why, message.url))
    if only_look:
        return Answer(ok=True)
    courier = apprise.Apprise(asset=asset)
    courier.add(place)
    done = courier.notify(
        title=message.title,
        body=message.body,
        notify_type=apprise.NotifyType(_KINDS[message.level]),
        body_format=apprise.NotifyFormat.TEXT,
    )
    if done:
        return Answer(ok=True)
    why, refused = _why(heard)
    return Answer(ok=False, why=_shown(why, message.url), refused=refused)


def _with_options(message: Message) -> str:
    """Return the URL with what its owner left open: an answer has all the time that an attempt
    has (Apprise gives it 4 s, and what is tried again after it arrived is told twice), texts are
    no markup, and what a place finds too long is cut and not refused."""
    wanted = {
        "cto": f"{message.seconds:g}",
        "rto": f"{message.seconds:g}",
        "format": "text",
        "overflow": "truncate",
    }
    url = message.url
    for name, value in wanted.items():
        if not re.search(rf"[?&]{name}=", url, re.IGNORECASE):
            url += f"{'&' if '?' in url else '?'}{name}={value}"
    return url


def _why(heard: _Heard) -> tuple[str, bool]:
    """Return what went wrong, and whether it is the message that is not taken."""
    every = "\n".join([*heard.details, *heard.problems])
    # An answer of a server says more than how the connection ended after it.
    http = _HTTP.search(every)
    if http:
        status = int(http.group(1))
        phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else "unknown"
        body = " ".join(heard.bodies[0].split())[:120].strip("'\"") if heard.bodies else ""
        return f"HTTP {status} {phrase}" + (f": {body}" if body else ""), status in _NOT_THIS_ONE
    smtp = _SMTP.search(every)
    if smtp:
        status = int(smtp.group(1))
        return f"SMTP {status}: {smtp.group(3)}", status in _NOT_THIS_ONE
    for pattern, words in _WORDS:
        found = re.search(pattern, every, re.IGNORECASE)
        if found:
            more = found.group(1).replace("_", " ") if found.groups() else ""
            return words + (more if "certificate" in words else more.lower()), False
    return (heard.problems or heard.details or ["Apprise does not say why"])[-1], False


def _shown(text: str, url: str) -> str:
    return shorten(redacted(text, url), 300)


def _end_with_parent() -> None:
    """Nobody notes what is delivered when who started us is gone: it would be told twice."""
    while os.read(0, 4096):
        pass
    os._exit(1)


def _end_before_others() -> None:
    """An answer is kept whole by what Apprise asks with, however long it is: this process ends for
    one that never ends, and not whom the system would choose when its memory is full."""
    # Linux counts all that could be written to, and so the whole stack of each thread: it is not to
    # depend on the limits of whoever started us. Elsewhere it may not be counted at all.
    threading.stack_size(_STACK)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))


def _swollen() -> bool:
    """Whether this process had about all the memory that it may have. Only Linux says."""
    # Not ru_maxrss: that begins with what whoever started us had (getrusage(2): over an execve).
    with contextlib.suppress(OSError):
        most = re.search(rb"\nVmHWM:\s*(\d+) kB", Path("/proc/self/status").read_bytes())
        return most is not None and int(most.group(1)) * 1024 > _MEMORY // 2
    return False


def main(arguments: list[str]) -> int:
    """Deliver what is on standard input; always writes one line."""
    _end_before_others()
    wire = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    message = msgspec.json.decode(_line(), type=Message)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        answer = deliver(message, only_look=arguments == ["look"])
    except Exception as error:  # noqa: BLE001 - a plugin's fault is a reason like any other
        why = f"Apprise failed: {type(error).__name__}: {error}"
        answer = Answer(ok=False, why=_shown(why, message.url))
    if not answer.ok and _swollen():
        answer = Answer(ok=False, why="its answer is too long")
    os.write(wire, msgspec.json.encode(answer) + b"\n")
    # Threads of Apprise may still wait for something: nothing that they do counts any more.
    os._exit(0)


def _line() -> bytes:
    """Read the message byte by part, and nothing behind it: the rest is for who waits there."""
    said = b""
    while not said.endswith(b"\n"):
        part = os.read(0, 65536)
        if not part:
            break
        said += part
    return said


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
