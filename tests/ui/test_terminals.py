"""Terminals that can do less: every byte that reaches them is one they understand."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.ui.in_terminal import Program

LOOKS = r"""
    import functools
    from rollback_tui.config_screen import Screen
    from rollback_tui.ui.looks import looks
    from tests.ui.fake import session, target
    RollbackApp = functools.partial(RollbackApp, looks=looks(Screen()))
    world.the_target = target("caf\u00e9\u2192")
    world.sessions = (*world.sessions, session(1, "\u65e5\u672c", "active", "SELECT 'na\u00efve'"))
"""
STEPS = (
    # A step is open when the plan is there, which may come after the sessions.
    ("", "Then n: may we roll back?"),
    ("2", "Nobody writes"),
    ("3", "DROP VIEW"),
    ("\r", "locks"),
    ("?", "Help"),
    ("q", "DROP VIEW"),
    ("a", "Arm this terminal?"),
    ("\r", "DROP VIEW"),
)
"""Keys, and what stands there afterwards: screens, a list, a text, long texts, a question."""
SGR = re.compile(rb"\x1b\[([\d;]*)m")


def _closed(program: Program, key: str) -> None:
    """Wait until what ``key`` closes is gone: what stands below it was there before, and the next
    key is for that."""
    closes = {"q": "Help", "\r": "Arm this terminal?"}.get(key)
    deadline = time.monotonic() + 60
    while closes and closes in program.screen.text:
        assert time.monotonic() < deadline, program.screen.text
        program.read(seconds=0.05)


def _drawn(tmp_path: Path, **environment: str) -> tuple[bytes, str]:
    """Return every byte of a walk over the screens, and all that ever stood there."""
    usual = {"LC_ALL": "", "LC_CTYPE": "", "LANG": "C.UTF-8", "COLORTERM": ""}
    program = Program(tmp_path, LOOKS, job=False, **(usual | environment))
    seen = ""
    for key, text in STEPS:
        program.press(key)
        program.read(text)
        seen += program.screen.text
        _closed(program, key)
    program.press("q")
    assert program.end() == 0
    return program.output, seen


def _colours(drawn: bytes) -> set[int]:
    """Return every number in every request for a look."""
    return {int(n or 0) for one in SGR.findall(drawn) for n in one.split(b";")}


ATTRIBUTES = set(range(10)) | {22, 23, 24, 25, 27, 28, 29, 39, 49}
SIXTEEN = ATTRIBUTES | set(range(30, 38)) | set(range(40, 48)) | set(range(90, 98))


def test_a_console_without_unicode_gets_ascii_and_sixteen_colours(tmp_path: Path) -> None:
    drawn, text = _drawn(tmp_path, TERM="linux", LANG="C", COLORTERM="truecolor")
    assert not [byte for byte in drawn if byte >= 0x80]
    assert _colours(drawn) <= SIXTEEN
    # What the server calls it is shown literally, with the escapes of what cannot be shown.
    assert r"\u65e5\u672c" in text and "PRODUCTION" in text
    assert "DROP TABLE" in text and "Help" in text and "Arm this terminal?" in text
    assert "+--" in text and "+==" in text, "frames, and that of what has the focus"


def test_the_linux_console_keeps_its_frames(tmp_path: Path) -> None:
    drawn, text = _drawn(tmp_path, TERM="linux")
    assert {one for one in text if ord(one) > 0x7E} <= set("─│┌┐└┘├┤┬┴┼█▀▄░▒▓")
    assert "┌" in text and "│" in text
    assert _colours(drawn) <= SIXTEEN


def test_no_color_is_no_colour_at_all(tmp_path: Path) -> None:
    drawn, text = _drawn(tmp_path, TERM="xterm-256color", NO_COLOR="1", COLORTERM="truecolor")
    assert _colours(drawn) <= ATTRIBUTES
    # The row under the cursor, the button with the focus: turned over instead.
    assert 7 in _colours(drawn)
    assert "✓" in text and "╭" in text


def test_no_more_colours_than_the_terminal_has(tmp_path: Path) -> None:
    program = Program(tmp_path, LOOKS, TERM="xterm-256color", COLORTERM="")
    program.read("shop-worker")
    program.press("q")
    assert program.end() == 0
    requests = b" ".join(SGR.findall(program.output))
    assert b"38;5;" in requests and b";2;" not in requests
