"""Which characters this terminal can show, decided once, and what stands for the others.

``unicode``: all of them. ``ascii``: the locale is C, POSIX or another than UTF-8; nothing above
0x7E is written. ``console``: the Linux console (``TERM=linux``) decodes UTF-8, but its fonts hold
256 or 512 characters: the line-drawing ones are in every one of them, our check marks and arrows
are not, so that the frames stay and everything else is as in ``ascii``.

Our own glyphs become clear ASCII forms; any other character becomes its escape (``\\u00e9``,
``\\U0001f600``), so that a name is shown literally and never shortened by what cannot be shown.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Literal

Glyphs = Literal["unicode", "console", "ascii"]
"""What a terminal can show."""

_FORMS = {
    "✓": "+",
    "✗": "x",
    "·": ".",
    "▸": ">",
    "▾": "v",
    "›": ">",
    "→": "->",
    "←": "<-",
    "↑": "up",
    "↓": "down",
    "↩": "<",
    "…": "..",
    "–": "-",
    "—": "-",
    "≈": "~",
    "≠": "!=",
    "≥": ">=",
    "≤": "<=",
    "×": "x",
    "●": "*",
    "•": "*",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "�": "?",
}
"""Our own glyphs in ASCII. One cell as before, except where one cell would not be understood."""

_ONE_CELL = {"→": ">", "←": "<", "↑": "^", "↓": "v", "…": "~", "≠": "#", "≥": ">", "≤": "<"}
"""The forms where the layout is made already and a second cell is not to be had."""

_LINES = "─╌╴╶"
_STRONG = "━═╍"
"""The frame of what has the focus, where there is no colour for it."""
_UPRIGHT = "│┃║╎╏"
_CORNERS = "╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬"
_BARS = "█▉▊▋▌▍▎▏▐▀▁▂▃▄▅▆▇▔▕░▒▓▖▗▘▙▚▛▜▝▞▟"
_FRAMES = {
    **dict.fromkeys(_LINES, "-"),
    **dict.fromkeys(_STRONG, "="),
    **dict.fromkeys(_UPRIGHT, "|"),
    **dict.fromkeys(_CORNERS, "+"),
    **dict.fromkeys(_BARS, "#"),
}
_SQUARE = {"╭": "┌", "╮": "┐", "╰": "└", "╯": "┘"}
"""The fonts of the console have no round corners."""
_IN_EVERY_FONT = "─│┌┐└┘├┤┬┴┼█▀▄░▒▓"

_ASCII = str.maketrans({**_FORMS, **_FRAMES})
_ASCII_NARROW = str.maketrans({**_FORMS, **_FRAMES, **_ONE_CELL})
_KEPT = {one: form for one, form in _FRAMES.items() if one not in _IN_EVERY_FONT}
_CONSOLE = str.maketrans({**_FORMS, **_KEPT, **_SQUARE})
_CONSOLE_NARROW = str.maketrans({**_FORMS, **_KEPT, **_SQUARE, **_ONE_CELL})

_FOREIGN = re.compile(r"[^\x00-\x7e]")
_FOREIGN_TO_CONSOLE = re.compile(rf"[^\x00-\x7e{_IN_EVERY_FONT}]")

_chosen: Glyphs = "unicode"


def recognised(
    environment: Mapping[str, str] | None = None, *, coerced: bool | None = None
) -> Glyphs:
    """Return what the terminal of this process can show, by its locale and ``TERM``.

    ``coerced``: Python itself set ``LC_CTYPE`` at its start, because the locale is C (PEP 538);
    what it set then says nothing about the terminal.
    """
    here = os.environ if environment is None else environment
    locale = locale_of(environment, coerced=coerced)[1].lower()
    if not ("utf-8" in locale or "utf8" in locale):
        return "ascii"
    return "console" if here.get("TERM") == "linux" else "unicode"


def locale_of(
    environment: Mapping[str, str] | None = None, *, coerced: bool | None = None
) -> tuple[str, str]:
    """Return the variable that names the locale, and its value; two empty texts for none.

    ``LC_ALL`` is asked first, then ``LC_CTYPE``, then ``LANG``, as every program does (POSIX,
    chapter 8.2).
    """
    here = os.environ if environment is None else environment
    if coerced is None:
        # The UTF-8 mode goes on by itself only where the locale is C or POSIX (PEP 540).
        coerced = bool(sys.flags.utf8_mode) and "PYTHONUTF8" not in here
    asked = ("LC_ALL", "LANG") if coerced else ("LC_ALL", "LC_CTYPE", "LANG")
    return next(((name, here[name]) for name in asked if here.get(name)), ("", ""))


def choose(glyphs: Glyphs) -> None:
    """Decide for this process: everything that is shown from now on has only these."""
    global _chosen
    _chosen = glyphs


def chosen() -> Glyphs:
    """Return what was decided; ``unicode`` until then."""
    return _chosen


def plain(text: str) -> str:
    """Return ``text`` with only characters that this terminal can show.

    For text of which the layout is still to be made: an arrow becomes two cells, a foreign
    letter its escape. Does nothing where the terminal shows everything.
    """
    if _chosen == "unicode" or text.isascii():
        return text
    return escaped(text.translate(_ASCII if _chosen == "ascii" else _CONSOLE))


def in_ascii(text: str) -> str:
    """Return ``text`` in ASCII, whatever was decided: for what is printed and not drawn."""
    return text if text.isascii() else _FOREIGN.sub(escape, text.translate(_ASCII))


def escaped(text: str) -> str:
    """Return ``text`` of somebody else with escapes for what this terminal cannot show.

    For text that is wholly a server's or a file's (a name, a statement): there also our own
    glyphs are letters like any other, so that no two different texts look the same.
    """
    if _chosen == "unicode" or text.isascii():
        return text
    foreign = _FOREIGN if _chosen == "ascii" else _FOREIGN_TO_CONSOLE
    return foreign.sub(escape, text)


def one_cell(text: str) -> str:
    """Return ``text`` of a finished layout: as many characters as before, ``?`` for the foreign.

    The last resort, for frames, scrollbars and what Textual's own widgets draw.
    """
    if _chosen == "unicode" or text.isascii():
        return text
    in_ascii = _chosen == "ascii"
    exchanged = text.translate(_ASCII_NARROW if in_ascii else _CONSOLE_NARROW)
    return (_FOREIGN if in_ascii else _FOREIGN_TO_CONSOLE).sub("?", exchanged)


def escape(match: re.Match[str]) -> str:
    """Return the escape of one character: a control as ``\\x1b``, any other by its code point.

    The symbols ␀ to ␟ stand for control characters (core.text.printable made them so).
    """
    code = ord(match.group())
    if 0x2400 <= code <= 0x241F:
        return f"\\x{code - 0x2400:02x}"
    if code == 0x2421:
        return "\\x7f"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
