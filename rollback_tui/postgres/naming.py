"""The databases that are made beside a target: what they are called, and their mark.

The name carries the first eight characters of the run's id (a rehearsal has one of its own); the
mark is the database's COMMENT, and says to whoever finds it what it is. Only what is marked is
ever dropped without its name having been in that very run's journal.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from rollback_tui.core.model import Value
from rollback_tui.core.text import printable

NAME_BYTES = 63
"""The server cuts longer names silently (NAMEDATALEN - 1)."""

Made = Literal["clone", "restored", "failed", "rehearsal"]
"""What a run or a rehearsal makes, or (``failed``) replaces."""

Kind = Literal["closed", "placeholder", "clone", "restored", "failed", "rehearsal"]

SUFFIXES: dict[str, Kind] = {
    "__rollback_": "closed",
    "__closed_": "placeholder",
    "__clone_": "clone",
    "__restored_": "restored",
    "__failed_": "failed",
    "__rehearsal_": "rehearsal",
}
"""By the end of the name: ``closed`` is the target itself behind the door by rename."""

_EXPLAINED: dict[Made, str] = {
    "clone": "a copy made behind the closed door, to bring the database back in a moment",
    "restored": "restored from the checkpoint, and not put in place",
    "failed": "what a failed rollback left; another database has taken its place",
    "rehearsal": "a scratch database, good for nothing once its rehearsal is over",
}

_MARK = re.compile(
    r"rollback_tui (clone|restored|failed|rehearsal) of (.*), run ([0-9a-f]{8}): .*", re.DOTALL
)

# See rollback_tui.postgres.rename: it does not name the target, which may be called so itself.
_PLACEHOLDER = re.compile(r"rollback-tui placeholder of run ([0-9a-f]{8}).*", re.DOTALL)

_NAME = re.compile("(" + "|".join(SUFFIXES) + r")([0-9a-f]{8})\Z")


class Mark(Value, frozen=True, kw_only=True):
    """What a database's name or comment says about it."""

    kind: Kind
    database: str
    """The target."""
    run: str
    """First eight characters of the id of the run, or of the rehearsal."""


def beside_name(database: str, suffix: str) -> str:
    """Return ``database`` + ``suffix`` in at most 63 bytes of UTF-8.

    A name that has to be cut carries a piece of its hash, so that two long names that begin
    alike stay two.
    """
    if len((database + suffix).encode()) <= NAME_BYTES:
        return database + suffix
    tail = f"_{hashlib.sha256(database.encode()).hexdigest()[:8]}{suffix}"
    if len(tail.encode()) > NAME_BYTES - 8:
        tail = "_" + hashlib.sha256((database + suffix).encode()).hexdigest()[:16]
    room = NAME_BYTES - len(tail.encode())
    return database.encode()[:room].decode(errors="ignore") + tail


def marked(kind: Made, database: str, run: str) -> str:
    """Return the COMMENT of a database that run ``run`` makes beside ``database``."""
    return f"rollback_tui {kind} of {printable(database)}, run {run[:8]}: {_EXPLAINED[kind]}"


def read_mark(comment: str | None, name: str, database: str) -> Mark | None:
    """Return what the COMMENT of the database ``name`` says; None when it is not a mark of ours,
    or speaks of another target than ``database``."""
    empty = _PLACEHOLDER.fullmatch(comment or "")
    if empty is not None and (name == database or read_name(name, database) is not None):
        return Mark(kind="placeholder", database=database, run=empty.group(1))
    match = _MARK.fullmatch(comment or "")
    if match is None or match.group(2) != printable(database):
        return None
    kind = match.group(1)
    known = next(one for one in SUFFIXES.values() if one == kind)
    return Mark(kind=known, database=database, run=match.group(3))


def read_name(name: str, database: str) -> Mark | None:
    """Return what a name says; None when it is not one that a run gives beside ``database``."""
    match = _NAME.search(name)
    if match is None:
        return None
    if name != beside_name(database, match.group(0)):
        return None
    return Mark(kind=SUFFIXES[match.group(1)], database=database, run=match.group(2))
