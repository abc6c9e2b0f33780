"""The six steps by name, each loaded when it is opened, or before that while nobody waits."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.screen import Screen

_MADE_BY = (
    ("state", "StateScreen"),
    ("safety", "SafetyScreen"),
    ("preview", "PreviewScreen"),
    ("run", "RunScreen"),
    ("verify", "VerifyScreen"),
    ("report", "ReportScreen"),
)
"""Module and class, in the order of the work."""

_loading = threading.Lock()
"""Two threads that load what needs each other would each see half of it."""


def _make(module: str, cls: str) -> Screen[Any]:
    with _loading:
        loaded = import_module(f"rollback_tui.ui.screens.{module}")
    made: Screen[Any] = getattr(loaded, cls)()
    return made


STEP_SCREENS: dict[str, Callable[[], Screen[Any]]] = {
    f"step-{number}": partial(_make, *names) for number, names in enumerate(_MADE_BY, 1)
}
"""What makes the screen of each step: what the others import takes half as long as Textual, and
the first one needs none of it."""


def load() -> None:
    """Load all of them in a thread, so that no key has to wait for it."""

    def work() -> None:
        for module, _ in _MADE_BY:
            with _loading:
                import_module(f"rollback_tui.ui.screens.{module}")
        # All of this stays: looking through it for garbage would stop the screens for a moment,
        # again and again.
        gc.freeze()
        gc.enable()

    threading.Thread(target=work, name="load", daemon=True).start()
