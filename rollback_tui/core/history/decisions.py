"""The lines of the audit log (``decisions.jsonl``): what people decided outside of a run's journal.
Chained like a journal: each line holds the hash of the one before it."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec

from rollback_tui.core.history.asker import Asker, line
from rollback_tui.core.text import inert_json
from rollback_tui.core.value import Value

FILE_NAME = "decisions.jsonl"

Fact = str | int | float | bool | tuple[str, ...] | None


class Decision(Value, frozen=True, kw_only=True):
    """One line: who decided what, when, and from where."""

    seq: int
    """From 1."""
    at: datetime
    """Wall clock, UTC."""
    prev: str
    """Hash of the line before; empty on the first."""
    what: str
    """In a few words that stay the same: ``session terminated``, ``run started`` …"""
    detail: str = ""
    """What exactly, in a sentence."""
    run: str = ""
    """The run (UUID, or the beginning of one) that it concerns; empty: none."""
    uid: int
    """Of the process that wrote the line."""
    stated: Asker
    tty: str = ""
    """The terminal; empty: there was none."""
    pid: int
    facts: dict[str, Fact] = msgspec.field(default_factory=dict)
    """What a program may want to have apart: ``{"pid": 4711, "application": "shop"}``."""

    @property
    def who(self) -> str:
        """Who, and from where, in one line."""
        terminal = f", {self.tty}" if self.tty else ""
        return f"{line(self.stated, self.uid)}{terminal}, pid {self.pid}"


_decoder = msgspec.json.Decoder(Decision)


def encoded(decision: Decision) -> bytes:
    """Return the line, its end included."""
    return inert_json(msgspec.json.encode(decision)) + b"\n"


def decoded(text: bytes) -> Decision:
    """Return the decision that a line holds. Raises msgspec.MsgspecError."""
    return _decoder.decode(text)


def digest(text: bytes) -> str:
    """Return the hash of a whole line, its end included."""
    return hashlib.sha256(text).hexdigest()
