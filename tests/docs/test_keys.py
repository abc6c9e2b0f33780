"""The guide names every key of every screen, and no other."""

from __future__ import annotations

from typing import Any

import pytest
from textual.binding import Binding

from rollback_tui.ui.keys import shown
from rollback_tui.ui.screens.preview import PreviewScreen
from rollback_tui.ui.screens.report import ReportScreen
from rollback_tui.ui.screens.run import RunScreen
from rollback_tui.ui.screens.safety import SafetyScreen
from rollback_tui.ui.screens.state import StateScreen
from rollback_tui.ui.screens.step import StepScreen
from rollback_tui.ui.screens.verify import VerifyScreen
from rollback_tui.ui.walk import STEPS
from tests.docs.pages import ROOT, code, rows, section, text_of

GUIDE = text_of(ROOT / "docs" / "guide.md")
SCREENS = (StateScreen, SafetyScreen, PreviewScreen, RunScreen, VerifyScreen, ReportScreen)


def _keys(bindings: Any, *, hidden: bool = False) -> set[str]:
    """Return the keys as they are shown: of the bindings in the key line, or of all."""
    return {shown(b.key) for b in bindings if isinstance(b, Binding) and (b.show or hidden)}


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.__name__)
def test_every_key_of_a_screen_is_in_its_section(screen: type[StepScreen]) -> None:
    heading = f"## {screen.STEP} {STEPS[screen.STEP - 1]}"
    own = _keys(vars(screen).get("BINDINGS", ()))
    named = set(code(section(GUIDE, heading)))
    assert own <= named
    in_table = {
        key
        for cells in rows(section(GUIDE, heading))
        for key in code(cells[0])
        if len(cells) == 2 and len(key) == 1
    }
    assert in_table <= _keys(vars(screen).get("BINDINGS", ()), hidden=True)


def test_the_keys_of_all_screens_are_in_the_first_section() -> None:
    named = {
        key
        for cells in rows(section(GUIDE, "## Keys that work everywhere"))
        for key in code(cells[0])
    }
    assert _keys(StepScreen.BINDINGS) | {"1", "6"} <= named
