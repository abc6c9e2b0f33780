"""The one door for text that came from a server, a file or a user."""

from __future__ import annotations

import re
import unicodedata

# DEL and C1 controls, the bidirectional controls, zero-width characters, line and paragraph
# separators, and lone surrogates: all of them can lie about what is on the screen.
_LYING = (
    "\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f"
)
_UNSAFE = re.compile(f"[\x00-\x1f{_LYING}]")
_UNSAFE_IN_JSON = re.compile(f"[{_LYING}]")
# What has no key, or looks like the blank that has one.
_UNTYPEABLE = re.compile(r"[\x00-\x1f\x7f]|[^\S ]")
# More marks on one letter than any language has: they are drawn over the lines above and below.
_MARKS = 4
_FLOOD = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
    f"{{{_MARKS + 1},}}"
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def _visible(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"<U+{code:04X}>"


def _dammed(flood: re.Match[str]) -> str:
    marks = flood.group()
    return marks[:_MARKS] + "".join(f"<U+{ord(c):04X}>" for c in marks[_MARKS:])


def _rarely(text: str) -> str:
    """Return ``text`` with what no two terminals show alike made visible too: characters that
    Unicode has not given a meaning, private ones, and floods of combining marks. Spaces of all
    kinds stay: server messages in some languages are full of them."""
    text = _FLOOD.sub(_dammed, text)
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else f"<U+{ord(c):04X}>"
        for c in text
    )


def _inert(text: str) -> str:
    shown = _UNSAFE.sub(_visible, text)
    return shown if shown.isascii() else _rarely(shown)


def printable(text: str, *, keep_lines: bool = False) -> str:
    """Return ``text`` with every control, bidirectional and invisible character made visible.

    Newlines and tabs stay only with ``keep_lines``; elsewhere they become the visible symbols
    ␊ and ␉, so that a table name can never break a line of a screen or a log.
    """
    if not keep_lines:
        return _inert(text)
    parts = re.split(r"(\n|\t)", text.replace("\r\n", "\n"))
    return "".join(part if part in ("\n", "\t") else _inert(part) for part in parts)


def typeable(text: str) -> str:
    """Return ``text`` as it can be typed on any keyboard that has its letters: control characters,
    which are symbols elsewhere, and blanks that nobody sees by their number, like ``<U+001B>``."""
    inner = text.strip(" ")
    before = len(text) - len(text.lstrip(" "))
    after = len(text) - before - len(inner)
    named = _UNTYPEABLE.sub(lambda one: f"<U+{ord(one.group()):04X}>", inner)
    return "<U+0020>" * before + printable(named) + "<U+0020>" * after


def shorten(text: str, width: int) -> str:
    """Return ``text`` on one line, cut to ``width`` terminal cells with an ellipsis."""
    flat = printable(" ".join(text.split()))
    if cells(flat) <= width:
        return flat
    kept: list[str] = []
    used = 0
    for character in flat:
        wide = cells(character)
        if used + wide > width - 1:
            break
        kept.append(character)
        used += wide
    return "".join(kept) + "…"


def cells(text: str) -> int:
    """Return how many terminal cells ``text`` takes: wide characters two, marks on the character
    before them none."""
    return sum(
        0
        if unicodedata.category(character)[0] == "M"
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def data_size(number: int) -> str:
    """Return bytes for people, at most seven characters: ``512 B``, ``1.5 KiB``, ``182 MiB``.

    The only place where sizes become words: what is 1024 everywhere is also called so.
    """
    if number < 1000:
        return f"{number} B"
    value, units = number / 1024, ["KiB", "MiB", "GiB", "TiB", "PiB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1024
        del units[0]
    # 9.96 KiB is 10 KiB, not 10.0.
    return f"{value:.1f} {units[0]}" if value < 9.95 else f"{value:.0f} {units[0]}"


def markdown(text: str) -> str:
    """Return ``text`` printable and without meaning to Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!])", r"\\\1", printable(text))


def inert_json(encoded: bytes) -> bytes:
    """Return the same JSON document with every character escaped that a terminal would obey.

    JSON itself asks that only of C0 controls: an 8-bit CSI (U+009B) or a bidirectional override
    may stand in it as they are, and would act on whoever looks at it with ``cat``.
    """
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    return _UNSAFE_IN_JSON.sub(_escaped, encoded.decode()).encode()


def ascii_json(encoded: bytes) -> bytes:
    """Return the same JSON document in ASCII: every other character becomes its escape."""
    return encoded if encoded.isascii() else _NOT_ASCII.sub(_escaped, encoded.decode()).encode()


def _escaped(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
