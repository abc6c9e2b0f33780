"""The messages between threads and the event loop, and from widgets to their screen."""

from __future__ import annotations

from collections.abc import Callable

from textual.message import Message

from rollback_tui.core.model import Plan


class Reply(Message):
    """A thread has an answer; ``act`` takes it in, on the event loop."""

    bubble = False

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self.act = act


class Answer(Message):
    """The operator pressed one of the choices of a run's question."""

    def __init__(self, choice: str) -> None:
        super().__init__()
        self.choice = choice


class Confirmed(Message):
    """Every text of the typed confirmation matched and Start was pressed."""

    def __init__(self, reason: str, plan: Plan) -> None:
        """``plan``: the one whose figures were typed, and no other that came meanwhile."""
        super().__init__()
        self.reason = reason
        self.plan = plan


class Declined(Message):
    """The typed confirmation was cancelled."""
