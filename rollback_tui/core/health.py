"""Is an answer of the application the healthy one, and what is said of it afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit, urlunsplit

from rollback_tui.core.model import Value, Verdict, Verification
from rollback_tui.core.text import printable, shorten

NAME = "health"
_SAID = 120


class Answer(Value, frozen=True, kw_only=True):
    """What came back from a URL."""

    status: int | None
    """None: no HTTP answer."""
    body: str = ""
    """As it came, or its beginning; not yet printable. Without an answer: why there is none."""
    location: str = ""
    """Where a redirect would have led."""
    cut: bool = False
    """There was more of the body than is here."""


class Found(Value, frozen=True, kw_only=True):
    """What asking one URL came to."""

    label: str
    """Empty: the main one."""
    url: str
    healthy: bool | None
    """None: it could not be asked."""
    tries: int
    detail: str
    """The last answer in words, or why it could not be asked."""
    said: str = ""
    """The beginning of the last answer, when it was not the healthy one."""
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The verification's name: ``health``, ``health:checkout``."""
        return f"{NAME}:{self.label}" if self.label else NAME


def fault(
    answer: Answer,
    *,
    statuses: Sequence[int],
    body: str = "",
    fields: Mapping[str, str | int | float | bool] | None = None,
) -> str:
    """Return why ``answer`` is not the healthy one; empty when it is. Printable, one line."""
    if answer.status is None:
        return printable(answer.body) or "no answer"
    if answer.status not in statuses:
        wanted = " or ".join(str(status) for status in statuses)
        leads = f", redirects to {shown(answer.location)}, which is not followed"
        return f"HTTP {answer.status}{leads if answer.location else ''} ({wanted} expected)"
    if body and body not in answer.body:
        within = " in its first 64 KiB" if answer.cut else ""
        return f"HTTP {answer.status}, but without “{shorten(body, 60)}”{within}"
    return _wrong_field(answer, fields) if fields else ""


def _wrong_field(answer: Answer, fields: Mapping[str, str | int | float | bool]) -> str:
    try:
        document: object = json.loads(answer.body)
    except (ValueError, RecursionError):
        return f"HTTP {answer.status}, but no JSON"
    for path, wanted in fields.items():
        found = document
        for key in path.split("."):
            if not isinstance(found, dict) or key not in found:
                return f"HTTP {answer.status}, but {printable(path)} is not in it"
            found = found[key]
        # In JSON true is no number, in Python it is.
        if found != wanted or isinstance(found, bool) != isinstance(wanted, bool):
            return (
                f"HTTP {answer.status}, but {printable(path)} is {shorten(json.dumps(found), 40)}"
                f" ({shorten(json.dumps(wanted), 40)} expected)"
            )
    return ""


def verification(found: Found | None) -> Verification:
    """Judge one URL; None: there is none to ask, so that nobody knows."""
    if found is None:
        return Verification(
            name=NAME,
            title="Application healthy",
            verdict="unknown",
            summary="not asked: no URL; set [health] url in rollback.toml",
        )
    tries = f"{found.tries:,} {'attempt' if found.tries == 1 else 'attempts'}"
    verdict: Verdict
    if found.healthy is None:
        verdict, summary = "unknown", f"not asked: {found.detail}"
    elif found.healthy:
        verdict, summary = "pass", f"healthy after {tries}"
    else:
        verdict, summary = "fail", f"not healthy after {tries}: {shorten(found.detail, 120)}"
    said = f"it said: {shorten(found.said, _SAID)}" if found.said.strip() else ""
    return Verification(
        name=found.name,
        title="Application healthy" + (f": {printable(found.label)}" if found.label else ""),
        verdict=verdict,
        summary=summary,
        evidence=tuple(
            text for text in (shown(found.url), shorten(found.detail, 200), said) if text
        ),
        seconds=found.seconds,
    )


def shown(url: str) -> str:
    """Return a URL as it may be shown: without the name and password that may stand in it."""
    try:
        parts = urlsplit(url)
        bare = parts.netloc.rpartition("@")[2]
        return printable(urlunsplit(parts._replace(netloc=bare)))
    except ValueError:
        return printable(url.rpartition("@")[2])
