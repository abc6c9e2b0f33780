"""The plan as it comes: first what would run, then what that costs, then whether it may."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from rollback_tui.ui.moment import local_time
from rollback_tui.ui.walk import valid_rehearsal
from rollback_tui.ui.wording import writers_of

if TYPE_CHECKING:
    from rollback_tui.core.model import CheckResult, Plan
    from rollback_tui.core.proof import ProofCost
    from rollback_tui.ui.guide import Guide
    from rollback_tui.ui.operations import Choice
    from rollback_tui.ui.requests import Failure

FORGOTTEN: Mapping[str, object] = MappingProxyType(
    {
        "reviewed": frozenset(),
        "overrides": (),
        "keep": frozenset(),
        "rehearsal": None,
        "rehearsal_failure": None,
        "capture_failure": None,
        "proof_cost": None,
        "proof_failure": None,
    }
)
"""What was said of a plan is not said of another one."""


class Planning:
    """Keeps ``walk.plan`` and ``walk.checks`` true. All methods are called on the event loop."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide

    def read(self, choice: Choice) -> None:
        """Ask for the plan, show it, then have it counted; judge it when that is done."""
        self._guide.replace(choice=choice, planning=True, plan_failure=None)
        self._guide.requests.ask(
            "plan",
            lambda: self._guide.operations.plan(choice, count=False),
            self._plan,
            self._no_plan,
        )

    def _plan(self, plan: Plan) -> None:
        same = self._guide.walk.plan is not None and self._guide.walk.plan.sha256 == plan.sha256
        forgotten: dict[str, object] = {} if same else dict(FORGOTTEN)
        self._guide.replace(
            plan=plan, planning=False, counting=True, checks=None, judged_at=None, **forgotten
        )
        self._guide.requests.ask(
            "counted",
            lambda: self._guide.operations.counted(plan),
            self._counted,
            lambda failure: self._counted(plan, failure),
        )

    def _counted(self, plan: Plan, failure: Failure | None = None) -> None:
        """Take in what was counted; without it the plan stands, and says that nobody knows."""
        if self._guide.walk.plan is None or self._guide.walk.plan.sha256 != plan.sha256:
            return  # another way back was chosen meanwhile: its own plan is counted
        if failure is not None:
            self._guide.say(f"What goes was not counted: {failure.summary}", "warning")
        self._guide.replace(plan=plan, counting=False)
        self._guide.watching.planned(plan)
        self.judge()
        self._estimate(plan)

    def _estimate(self, plan: Plan) -> None:
        """Ask what proving the result will cost behind the closed door."""
        guide = self._guide
        guide.replace(proof_cost=None, proof_failure=None)
        if not plan.migrations:
            return

        def told(cost: ProofCost) -> None:
            if guide.walk.plan is plan:
                guide.replace(proof_cost=cost)

        guide.requests.ask(
            "proof",
            lambda: guide.operations.proof_cost(plan),
            told,
            lambda failure: guide.replace(proof_failure=failure),
        )

    def _no_plan(self, failure: Failure) -> None:
        # What was planned for another choice must not be confirmed by mistake.
        self._guide.replace(
            plan=None,
            planning=False,
            counting=False,
            plan_failure=failure,
            checks=None,
            way=None,
        )

    def judge(self) -> None:
        """Ask for all checks again."""
        plan = self._guide.walk.plan
        if plan is None or self._guide.walk.running or self._guide.walk.counting:
            return
        rehearsal = valid_rehearsal(self._guide.walk)
        self._guide.replace(judging=True)
        self._guide.requests.ask(
            "checks",
            lambda: self._guide.operations.checks(plan, rehearsal),
            self._judged,
            self._not_judged,
        )

    def _judged(self, checks: tuple[CheckResult, ...]) -> None:
        # A dozen families of checks: loaded with the first judgement, not with the first screen.
        from rollback_tui.core.checks import obstacles

        standing = {c.name for c in obstacles(checks) if c.overridable}
        self._guide.replace(
            checks=checks,
            judging=False,
            judged_at=local_time(),
            checks_failure=None,
            overrides=tuple(o for o in self._guide.walk.overrides if o[0] in standing),
        )
        activity = self._guide.walk.activity
        nobody = activity is not None and not writers_of(activity.sessions)
        if nobody and not any(c.name == "no_writers" and c.status == "fail" for c in checks):
            self._guide.waiting.stop()

    def _not_judged(self, failure: Failure) -> None:
        self._guide.replace(checks=None, judging=False, checks_failure=failure)
