"""A run that has no outcome claims its target: nothing else may begin there before it has one."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from rollback_tui.core.model import Operator, Target, Value

ClaimState = Literal["running", "stopped", "dead"]
"""``running``: its worker answers. ``stopped``: its process exists, holds the journal, and does
not answer (a SIGSTOP, a machine that hangs): it may go on at any moment, and a second worker must
never begin. ``dead``: nothing works on it; only settling ends it."""


class Claim(Value, frozen=True, kw_only=True):
    """One run without an outcome, as its journal and its processes show it."""

    run: str
    """UUID."""
    folder: str
    target: Target
    operator: Operator
    since: datetime
    """When it began, by the wall clock, UTC."""
    state: ClaimState
    phase: str = ""
    """The phase that it came to; empty before the first."""
    door_closed: bool = False
    """Applications are kept out as far as the journal knows."""
    committed: bool = False
    quiet_seconds: float = 0.0
    """Since its last event, by the wall clock."""
    worker_pid: int = 0
    damaged: str = ""
    """Why its journal cannot be trusted; empty when it can. Such a run cannot be settled."""

    @property
    def short(self) -> str:
        """The first eight characters of the id: enough for every command."""
        return self.run[:8]

    @property
    def may_settle(self) -> bool:
        """Whether settling is the way: nothing works on it, and its journal is whole."""
        return self.state == "dead" and not self.damaged


class Controls(Value, frozen=True, kw_only=True):
    """Who may answer and abort a run: one console at a time."""

    mine: bool
    holder: str = ""
    """Who has them, when it is not this console; empty when nobody has."""
    since: str = ""
    """When they took them: ``03:12:09 UTC``."""

    @property
    def free(self) -> bool:
        """Whether nobody has them."""
        return not self.mine and not self.holder


def who(operator: Operator) -> str:
    """Return the operator as one recognises a colleague: user, sudo, machine, address.

    >>> who(Operator(user="root", uid=0, sudo_user="kim", ssh_connection="10.0.0.7 5 10.0.0.1 22"))
    'root (sudo by kim) from 10.0.0.7'
    """
    text = operator.user
    if operator.sudo_user:
        text += f" (sudo by {operator.sudo_user})"
    if operator.host:
        text += f" on {operator.host}"
    address = operator.ssh_connection.split()
    return f"{text} from {address[0]}" if address else text


def sentence(claim: Claim) -> str:
    """Return the claim in one line: ``run 1a2b3c4d of shop has no outcome``, and what is so."""
    door = ", its door is CLOSED" if claim.door_closed else ""
    lives = {
        "running": "its worker is at work",
        "stopped": "its process exists but does not answer",
        "dead": "nothing works on it any more",
    }[claim.state]
    return f"run {claim.short} of {claim.target.database} has no outcome: {lives}{door}"


def remedy(claim: Claim) -> str:
    """Return the one next step."""
    if claim.damaged:
        return (
            f"Its journal cannot be trusted ({claim.damaged}): follow docs/recovery.md by hand,"
            f" then move {claim.folder} away."
        )
    if claim.state == "dead":
        return f"rollback-tui settle {claim.short}"
    if claim.state == "running":
        return f"rollback-tui attach {claim.short}"
    return f"rollback-tui attach {claim.short}; it is not settled while its process exists" + (
        f" (pid {claim.worker_pid})" if claim.worker_pid else ""
    )
