"""The scenes, a module for each screen; importing them makes them known."""

from __future__ import annotations

from tests.pictures.scene import SCENES
from tests.pictures.scenes import (
    accessible,
    after,
    around,
    beside,
    preview,
    report,
    run,
    safety,
    state,
    verify,
)

_MODULES = {
    "1 State": state,
    "2 Safety": safety,
    "3 Preview": preview,
    "4 Run": run,
    "5 Verify": verify,
    "6 Report": report,
    "After a run": after,
    "Before the six screens": beside,
    "Everywhere": around,
    "Other terminals": accessible,
}

CHAPTERS: dict[str, list[str]] = {
    title: [name for name, one in SCENES.items() if one.play.__module__ == module.__name__]
    for title, module in _MODULES.items()
}
"""The names of the scenes, by the title they are listed under."""
