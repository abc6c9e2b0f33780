"""Who is at the controls of a run: one console, the others only look.

A courtesy between operators of one account, not a barrier: the worker takes an answer once,
whoever sends it. The lock ends with its process. What cannot be known is whether somebody still
sits before a console whose link is dead; so it can be taken over, on purpose.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from rollback_tui.core.claim import Controls, who
from rollback_tui.core.text import inert_json, shorten
from rollback_tui.run.request import operator

FILE_NAME = "console.lock"

_LIMIT = 4096
_ATTEMPTS = 20


class _Holder(msgspec.Struct, frozen=True):
    """What is written into the file."""

    operator: str
    since: str
    unattended: bool = False


class ConsoleLock:
    """One console's end. Not for several threads at once."""

    def __init__(self, folder: Path, *, unattended: bool = False) -> None:
        self.path = folder / FILE_NAME
        self._unattended = unattended
        self._handle: int | None = None

    def take(self, *, by_force: bool = False) -> Controls:
        """Take the controls when nobody has them, or ``by_force``; say who has them now.

        Where no lock can be made at all (a full disk) they are given: an abort must stay possible.
        """
        for _ in range(_ATTEMPTS):
            if self._handle is not None and self._is_file(self._handle):
                return Controls(mine=True)
            self.release()
            try:
                handle = os.open(
                    self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
                )
            except OSError:
                return Controls(mine=True)
            if not _lock(handle):
                os.close(handle)
                if not by_force:
                    return self._held_by()
                # The name goes to a new file; who has the old one sees that it lost.
                self.path.unlink(missing_ok=True)
                continue
            self._handle = handle
            if self._is_file(handle):
                self._sign(handle)
                return Controls(mine=True)
        return self._held_by()

    def look(self) -> Controls:
        """Say who has the controls, and take nothing."""
        if self._handle is not None:
            if self._is_file(self._handle):
                return Controls(mine=True)
            self.release()
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return Controls(mine=False)
        try:
            return Controls(mine=False) if _lock(handle, shared=True) else self._held_by()
        finally:
            os.close(handle)

    def release(self) -> None:
        """Give the controls back. Safe to call twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _is_file(self, handle: int) -> bool:
        """Whether the name still leads to the file that we have locked."""
        try:
            return os.path.samestat(os.fstat(handle), self.path.stat(follow_symlinks=False))
        except OSError:
            return False

    def _sign(self, handle: int) -> None:
        holder = _Holder(
            operator=who(operator()),
            since=f"{datetime.now(UTC):%H:%M:%S} UTC",
            unattended=self._unattended,
        )
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, inert_json(msgspec.json.encode(holder)), 0)

    def _held_by(self) -> Controls:
        try:
            holder = msgspec.json.decode(self.path.read_bytes()[:_LIMIT], type=_Holder)
        except (OSError, msgspec.MsgspecError):
            return Controls(mine=False, holder="another console", since="a moment ago")
        name = shorten(holder.operator, 80) or "another console"
        if holder.unattended:
            name += " (a run without a screen)"
        return Controls(mine=False, holder=name, since=shorten(holder.since, 20))


def _lock(handle: int, *, shared: bool = False) -> bool:
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
