"""Places where people are told: their URLs, and what of a URL may be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from rollback_tui.config_aftercare import Notify, Place

_HIDDEN = "***"

_BY_HOST = frozenset(
    ("json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos", "gotify", "gotifys")
)
"""Schemas whose host is a host. Of the others it may be a token: ``slack://TOKEN_A/…``."""

_PLAIN_OPTIONS = frozenset(
    ("verify", "cto", "rto", "format", "overflow", "store", "emojis", "tz", "method", "mode")
)
"""Options of Apprise that hold no secret."""

_LONG = 5
"""A secret of so many characters is looked for inside of words too."""


class Resolved(NamedTuple):
    """The URL of a place, or why there is none."""

    url: str
    """Empty when there is none. Secret."""
    why: str = ""
    """What is missing, to be shown."""


def resolved(place: Place, environment: Mapping[str, str]) -> Resolved:
    """Return the URL of ``place``, from the configuration or from ``environment``."""
    if not place.url_env:
        return Resolved(place.url.strip())
    url = environment.get(place.url_env, "").strip()
    if not url:
        return Resolved("", f"the environment variable {place.url_env} is not set")
    return Resolved(url)


def by_name(settings: Notify, name: str) -> Place | None:
    """Return the place of that name; None when it is not configured (any more)."""
    return next((place for place in settings.to if place.name == name), None)


def shown(url: str) -> str:
    """Return what of a URL may be shown: its schema, and the host where that is one."""
    schema, separator, _ = url.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,30}", schema):
        return "a URL that is none"
    host = _host(url) if schema.lower() in _BY_HOST else ""
    return f"{schema.lower()}://{host or '…'}"


def secrets(url: str) -> tuple[str, ...]:
    """Return every piece of a URL that may be secret, in every spelling, the longest first."""
    schema, separator, rest = url.partition("://")
    if not separator:
        # Nobody can say which part of it is secret: all of it is.
        schema, rest = "", url
    plain = {schema, *_spellings(_host(url))} if schema.lower() in _BY_HOST else {schema}
    found = {url, rest}
    for piece in re.split(r"[/:@?&#,]", rest):
        name, equals, value = piece.partition("=")
        if equals and name.lstrip("+-:").lower() in _PLAIN_OPTIONS:
            continue
        found |= _spellings(value if equals else piece)
    found |= {value for _, value in _options(url) if value} - _plain_values(url)
    return tuple(sorted((one for one in found - plain if _worth(one)), key=lambda s: (-len(s), s)))


def redacted(text: str, url: str) -> str:
    """Return ``text`` without any secret piece of ``url``."""
    for piece in secrets(url):
        pattern = re.escape(piece)
        if len(piece) < _LONG:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, _HIDDEN, text)
    return text


def _worth(piece: str) -> bool:
    """A port, or a word that stands in every text, is not looked for."""
    return len(piece) >= 2 and not (piece.isdigit() and len(piece) <= _LONG)


def _plain_values(url: str) -> set[str]:
    return {value for name, value in _options(url) if name.lower() in _PLAIN_OPTIONS}


def _options(url: str) -> list[tuple[str, str]]:
    """What stands behind the question mark; also of what is no URL: a bracket in a password."""
    return parse_qsl(url.partition("?")[2].partition("#")[0])


def _spellings(piece: str) -> set[str]:
    plain = unquote(piece)
    return {piece, plain, quote(plain, safe=""), plain.replace(" ", "+")} - {""}


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
