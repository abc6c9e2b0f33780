"""The control socket: ``status``, ``approve`` and ``abort``, for the same user only.

One JSON line asks, one JSON line answers. The socket lies in a private directory with a short
path, because the system allows about a hundred bytes; the run's folder says where.
"""

from __future__ import annotations

import os
import queue
import socket
import stat
import struct
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.run import folder as run_folder

_LIMIT = 4096
_SECONDS = 5.0


class ControlUnavailable(RollbackTuiError):
    """Nobody answers on the run's socket."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a terminal may ask."""

    command: Literal["status", "approve", "abort"]
    choice: str = ""


class Reply(msgspec.Struct, frozen=True):
    """What the worker answers."""

    ok: bool
    text: str


def _private_directory() -> Path:
    """Return a directory that only we can enter. Raises ControlUnavailable."""
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    if not os.access(base, os.W_OK):
        base = Path(tempfile.gettempdir())
    directory = base / f"rollback_tui-{os.geteuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not mine or found.st_mode & 0o077:
        raise ControlUnavailable(
            f"{directory} is not private to this user", "Remove it, or set XDG_RUNTIME_DIR."
        )
    return directory


def same_user(connection: socket.socket) -> bool:
    """Return whether the peer runs under our uid (or is root).

    Linux tells by SO_PEERCRED; elsewhere the private directory alone keeps others out.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    return uid in (os.geteuid(), 0)


class Control:
    """The worker's end. The engine reads ``aborted`` and waits in ``wait_for_answer``."""

    def __init__(self, run: str, folder: Path) -> None:
        self.aborted = threading.Event()
        self.on_abort: Callable[[], None] = lambda: None
        """Called once, in the socket's thread, when the first abort arrives."""
        self.status: Callable[[], str] = lambda: ""
        self._may_abort = True
        self._lock = threading.Lock()
        self._choices: tuple[str, ...] = ()
        self._answers: queue.Queue[str] = queue.Queue()
        self.path = _private_directory() / f"{run[:13]}.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.path.unlink(missing_ok=True)
        self._socket.bind(str(self.path))
        self.path.chmod(0o600)
        self._socket.listen(8)
        run_folder.write(folder / run_folder.SOCKET, f"{self.path}\n")
        threading.Thread(target=self._serve, name="control", daemon=True).start()

    def abort(self) -> bool:
        """Ask for an abort; False when it is too late for one."""
        with self._lock:
            if not self._may_abort:
                return False
            first = not self.aborted.is_set()
            self.aborted.set()
        self._answers.put("")
        if first:
            self.on_abort()
        return True

    def close_abort(self) -> bool:
        """From now on no abort is taken; False when one came before.

        Called right before COMMIT, under the same lock as ``abort``: an abort that was
        confirmed to the operator can never be followed by a COMMIT.
        """
        with self._lock:
            if self.aborted.is_set():
                return False
            self._may_abort = False
            return True

    def wait_for_answer(self, choices: tuple[str, ...], seconds: float) -> str | None:
        """Return the operator's choice; None when the time ran out or the run is aborted."""
        with self._lock:
            while not self._answers.empty():
                self._answers.get_nowait()
            self._choices = choices
        try:
            if self.aborted.is_set():
                return None
            return self._answers.get(timeout=seconds) or None
        except queue.Empty:
            return None
        finally:
            with self._lock:
                self._choices = ()

    def close(self) -> None:
        """Stop answering and remove the socket."""
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(_SECONDS)
                try:
                    if same_user(connection):
                        connection.sendall(msgspec.json.encode(self._answer(connection)) + b"\n")
                except (OSError, msgspec.MsgspecError):
                    continue

    def _answer(self, connection: socket.socket) -> Reply:
        try:
            request = msgspec.json.decode(_receive(connection), type=Request)
        except msgspec.MsgspecError:
            return Reply(False, "not understood")
        if request.command == "status":
            return Reply(True, self.status())
        if request.command == "abort":
            if self.abort():
                return Reply(True, "the abort is taken: it is obeyed at the next safe point")
            return Reply(False, "too late: COMMIT was already sent")
        with self._lock:
            if request.choice not in self._choices:
                return Reply(False, "there is no such question open now")
            self._choices = ()
            self._answers.put(request.choice)
        return Reply(True, f"answered: {request.choice}")


def _receive(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) < _LIMIT:
        part = connection.recv(_LIMIT)
        if not part:
            break
        data += part
    return data


class ControlClient:
    """The terminal's end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ask(self, command: Literal["status", "approve", "abort"], choice: str = "") -> Reply:
        """Send one request. Raises ControlUnavailable when nobody answers."""
        try:
            path = (self.folder / run_folder.SOCKET).read_text("utf-8").strip()
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_SECONDS)
                connection.connect(path)
                if not same_user(connection):
                    raise ControlUnavailable("the socket belongs to another user", "Do not use it.")
                connection.sendall(msgspec.json.encode(Request(command, choice)) + b"\n")
                return msgspec.json.decode(_receive(connection), type=Reply)
        except (OSError, msgspec.MsgspecError) as error:
            raise ControlUnavailable(
                "the run's worker does not answer",
                "It has ended or was killed: `rollback-tui history` shows its outcome.",
            ) from error
