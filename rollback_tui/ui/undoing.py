"""A run that has ended, and what could undo it: the ladder asked for, a rung taken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from rollback_tui.ui.moment import local_time, steady
from rollback_tui.ui.walk import may_not_take, may_not_undo

if TYPE_CHECKING:
    from rollback_tui.core.recovery import RecoveryOption
    from rollback_tui.ui.guide import Guide
    from rollback_tui.ui.requests import Failure

FORGOTTEN: Mapping[str, object] = MappingProxyType(
    {
        "recovers": None,
        "recovering": False,
        "recover_failure": None,
        "asking_options": None,
        "options": None,
        "options_at": None,
        "options_failure": None,
        "log_errors": 0,
    }
)
"""What was found out about one run is not said of the next one."""


class Undoing:
    """Keeps ``walk.options`` true. All methods are called on the event loop."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide

    def ask(self) -> None:
        """Ask what could undo the run that has ended, and what each way would lose now."""
        guide, folder = self._guide, self._guide.walk.undone
        if folder is None or may_not_undo(guide.walk) or guide.walk.asking_options is not None:
            return
        guide.replace(
            asking_options=steady(),
            options_failure=None,
            recover_failure=None,
            options=None,
        )
        guide.requests.ask(
            "ladder",
            lambda: guide.operations.recovery_options(folder),
            lambda options: self._answered(folder, options),
            lambda failure: guide.replace(asking_options=None, options_failure=failure),
        )

    def _answered(self, folder: Path, options: tuple[RecoveryOption, ...]) -> None:
        guide = self._guide
        if guide.walk.undone != folder:
            # Another run is followed meanwhile: these rungs are not its own.
            guide.replace(asking_options=None)
            return
        guide.replace(options=options, options_at=local_time(), asking_options=None)

    def recover(self, option: RecoveryOption, reason: str) -> None:
        """Start the run that takes ``option``, whose text was typed, and follow it."""
        guide, folder = self._guide, self._guide.walk.undone
        refused = may_not_take(guide.walk, option)
        if folder is None or refused:
            guide.say(f"Not now: {refused}.", "warning")
            return
        guide.replace(recovering=True, recover_failure=None)
        guide.requests.ask(
            "recover",
            lambda: guide.operations.recover(folder, option, reason=reason),
            lambda begun: guide.follow(begun, recovers=folder),
            self._not_begun,
        )

    def _not_begun(self, failure: Failure) -> None:
        self._guide.replace(recovering=False, recover_failure=failure)
