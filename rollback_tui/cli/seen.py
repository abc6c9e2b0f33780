"""What ``doctor`` says of the terminal: what was recognised of it, and what the screens make of
that."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from rollback_tui.cli.findings import Finding
from rollback_tui.cli.options import Common
from rollback_tui.config import load_screen
from rollback_tui.config_screen import Screen, person_file
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.text import printable
from rollback_tui.ui.glyphs import locale_of
from rollback_tui.ui.keys import doubts
from rollback_tui.ui.looks import LEAST, Looks, looks

_COLOURS = {
    "none": "no colours (NO_COLOR)",
    "16": "16 colours",
    "256": "256 colours",
    "truecolor": "16 million colours",
}
_GLYPHS = {
    "unicode": "every character",
    "console": "ASCII and frames (the Linux console)",
    "ascii": "ASCII only",
}


def terminal_findings(given: Common) -> Iterator[Finding]:
    """Yield size, kind, colours, characters, mouse and keys, each with what helps."""
    yield _size()
    mine = person_file()
    try:
        settings = load_screen(given.settings.screen)
        here = looks(settings)
    except ConfigurationError as error:
        yield Finding("bad", error.summary, error.remedy)
        return
    yield _colours(here, settings)
    yield _characters(here, settings)
    if here.mouse:
        yield Finding("note", "the mouse is taken: select text with shift held", "[screen] mouse")
    own = mine is not None and mine.exists()
    where = f"your own settings of the screens: {printable(str(mine))}" if own else ""
    if own or here.keymap:
        changed = f"{len(here.keymap)} keys are others than usual" if here.keymap else ""
        yield Finding("ok", "; ".join(part for part in (where, changed) if part))
    for doubt in doubts(here.keymap):
        yield Finding("note", doubt, "Choose another key in [screen] keys.")


def _size() -> Finding:
    size = shutil.get_terminal_size()
    kind = printable(os.environ.get("TERM", "")) or "not set"
    inside = (
        "inside tmux"
        if "TMUX" in os.environ
        else "inside screen"
        if "STY" in os.environ
        else "not inside tmux or screen"
    )
    told = f"terminal {size.columns}×{size.lines}, TERM={kind}, {inside}"
    if size.columns < LEAST[0] or size.lines < LEAST[1]:
        return Finding("bad", told, f"The screens need {LEAST[0]}×{LEAST[1]}; 80×24 is complete.")
    if size.columns < 80 or size.lines < 24:
        return Finding("note", told, "80×24 is complete; smaller is usable.")
    return Finding("ok", told)


def _colours(here: Looks, settings: Screen) -> Finding:
    told = f"{_COLOURS[here.depth]}; the screens use the theme {here.theme}"
    wished = settings.theme
    if here.depth in ("none", "16") and wished not in ("auto", "terminal"):
        remedy = "Unset NO_COLOR." if here.depth == "none" else "Set TERM or COLORTERM right."
        return Finding("note", f"{told}, not {wished} as configured", remedy)
    return Finding("ok", told)


def _characters(here: Looks, settings: Screen) -> Finding:
    name, value = locale_of()
    locale = f"{name}={printable(value)}" if name else "no locale is set"
    if settings.glyphs != "auto":
        return Finding("ok", f"characters: {_GLYPHS[here.glyphs]}, by [screen] glyphs ({locale})")
    if here.glyphs == "ascii":
        return Finding(
            "note",
            f"characters: {_GLYPHS['ascii']} ({locale})",
            'If it can show more: export LANG=C.UTF-8, or glyphs = "unicode" in [screen].',
        )
    return Finding("ok", f"characters: {_GLYPHS[here.glyphs]} ({locale})")
