"""Every byte on its way to a terminal, judged: what is not known to be ours is an error.

A terminal obeys whatever looks like a sequence, so that looking for the bad ones is not enough:
here the good ones are listed, and the rest must be text that only can be read.
"""

from __future__ import annotations

import base64
import codecs
import re
from dataclasses import dataclass, field

from rollback_tui.core.text import printable

_ESCAPE = re.compile(
    r"\x1b\["
    r"(?:\?(?P<mode>\d+)(?P<on>[hl])"
    r"|\?(?P<asked>\d+)\$p"
    r"|>(?P<push>\d+)u"
    r"|(?P<pop><)u"
    r"|(?P<sgr>[\d;]*)m"
    r"|\d*(?:;\d*)?H"
    r"|\d*[ABCDGJK])"
    r"|\x1b\]52;c;(?P<copied>[A-Za-z0-9+/=]*)(?:\x07|\x1b\\)"
)
MODES = {
    1049: False,  # the other screen
    25: True,  # the cursor is seen
    7: True,  # lines wrap
    1004: False,  # the focus is reported
    2004: False,  # what is pasted is marked
    2026: False,  # drawing is held back
    2048: False,  # the size is reported
    1000: False,  # the mouse, in five ways
    1003: False,
    1006: False,
    1015: False,
    1016: False,
}
"""The modes that may be changed, and how a shell has them."""
ASKED = {"2026", "2048"}
"""The modes of which the terminal may be asked whether it knows them."""


@dataclass
class Wire:
    """What a terminal was told, from the first byte to the last."""

    modes: dict[int, bool] = field(default_factory=lambda: dict(MODES))
    seen: set[int] = field(default_factory=set)
    """The modes that were touched at all."""
    keyboards: int = 0
    """How many keyboard protocols are pushed and not popped."""
    plain: bool = True
    """Whether text would be drawn without colours and attributes."""
    copied: list[str] = field(default_factory=list)
    """What was put into the clipboard."""

    @property
    def restored(self) -> bool:
        """Whether the terminal is again as a shell had it."""
        return self.modes == MODES and self.keyboards == 0 and self.plain

    def sequence(self, match: re.Match[str]) -> None:
        """Take one sequence of ours in."""
        if match["mode"] is not None:
            mode = int(match["mode"])
            assert mode in MODES, f"nobody may change mode {mode}"
            self.modes[mode] = match["on"] == "h"
            self.seen.add(mode)
        elif match["asked"] is not None:
            assert match["asked"] in ASKED, match.group()
        elif match["push"] is not None or match["pop"] is not None:
            self.keyboards = max(0, self.keyboards + (1 if match["push"] else -1))
        elif match["sgr"] is not None:
            # What is set is set back by 0 or by nothing.
            self.plain = match["sgr"] in ("", "0")
        elif match["copied"] is not None:
            self.copied.append(base64.b64decode(match["copied"]).decode())


def judged(drawn: bytes, *, whole: bool = True) -> Wire:
    """Return what ``drawn`` did to a terminal. Raises AssertionError at the first character that is
    neither a sequence of ours nor text that only can be read. Not ``whole``: the rest of the last
    sequence may still be on its way."""
    text = codecs.getincrementaldecoder("utf-8")("strict").decode(drawn, final=whole)
    wire, at = Wire(), 0
    while at < len(text):
        around = repr(text[max(0, at - 60) : at + 60])
        if text[at] == "\x1b":
            match = _ESCAPE.match(text, at)
            if match is None and not whole and text.find("\x1b", at + 1) < 0:
                break
            assert match is not None, f"not one of ours: {around}"
            wire.sequence(match)
            at = match.end()
            continue
        end = text.find("\x1b", at)
        piece = text[at : end if end >= 0 else len(text)]
        if not wire.modes[1049]:
            # On the shell's own screen lines end as always.
            piece = piece.replace("\r\n", "")
        # What ends the sequence that a slow terminal is in the middle of.
        piece = piece.removesuffix("\x18")
        assert printable(piece) == piece, f"not only to be read: {around}"
        at = end if end >= 0 else len(text)
    return wire
