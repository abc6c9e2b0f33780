"""The note for whoever opens the screens for the first time, outside tmux and screen: that a run
outlives the connection, and how to see it again. Once for each user of a machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from textual.content import Content

from rollback_tui.ui.keys import key
from rollback_tui.ui.looks import state_directory
from rollback_tui.ui.theme import line, lines

MARKER = "note-read"
"""The file that says that it was read; there is nothing in it."""


def due(environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the marker to write when the note has been read; None where it is not to be shown:
    inside tmux or screen, when it was read, and where that could not be kept."""
    here = os.environ if environment is None else environment
    if here.get("TMUX") or here.get("STY"):
        return None
    base = state_directory(here)
    if base is None:
        return None
    there = next(path for path in (base, *base.parents) if path.exists())
    # Better never than at every start: a home that cannot be written to would not remember it.
    if (base / MARKER).exists() or not os.access(there, os.W_OK | os.X_OK):
        return None
    return base / MARKER


def read(marker: Path) -> None:
    """Keep that the note was read."""
    with contextlib.suppress(OSError):
        marker.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(marker, os.O_WRONLY | os.O_CREAT, 0o600))


def words() -> Content:
    """Return the note, in two lines of 80 columns."""
    return lines(
        [
            line(
                (" · ", "accent"),
                "A run goes on when the link is lost; ",
                ("rollback-tui attach", "strong"),
                " shows it again.",
            ),
            line(
                "   Only tmux or screen would keep this screen as well.  ",
                (key("step.hide_note"), "accent"),
                (" hides this for good", "dim"),
            ),
        ]
    )
