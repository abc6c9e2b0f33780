"""A start beside a run that has no outcome: look again and again, and settle on request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rollback_tui.ui.moment import steady

if TYPE_CHECKING:
    from rollback_tui.core.claim import Claim
    from rollback_tui.ui.guide import Guide
    from rollback_tui.ui.requests import Failure

EVERY = 3.0
"""Seconds between two looks: its guardian may settle it, its worker may end it."""


class Beside:
    """Keeps ``walk.claims`` true. All methods are called on the event loop."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._looked_at = steady()

    def tick(self, now: float) -> None:
        """Look again when it is time; go on to the target when every run has its outcome."""
        guide = self._guide
        if now - self._looked_at < EVERY or guide.requests.busy("claims") or guide.walk.settling:
            return
        self._looked_at = now
        guide.requests.ask("claims", guide.operations.claims, self._found, guide.complain)

    def _found(self, claims: tuple[Claim, ...]) -> None:
        guide = self._guide
        if not guide.walk.claims or guide.walk.settling:
            return
        gone = guide.walk.claims[0]
        guide.replace(claims=claims)
        if not claims:
            guide.say(f"Run {gone.short} has its outcome now: 6 shows its report.", "information")
            guide.begin()

    def settle(self, claim: Claim, settled: Callable[[], None]) -> None:
        """Finish ``claim``. What went wrong is shown where it was asked for."""
        guide = self._guide
        if not claim.may_settle or guide.walk.settling or guide.walk.read_only:
            return
        guide.replace(settling=True, settle_failure=None)

        def done(_: None) -> None:
            guide.attach(claim, settled=True)
            settled()

        def failed(failure: Failure) -> None:
            guide.replace(settling=False, settle_failure=failure)

        guide.requests.ask(
            "settle", lambda: guide.operations.settle(Path(claim.folder)), done, failed
        )
