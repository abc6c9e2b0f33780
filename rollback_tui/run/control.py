"""The control socket: ``status``, ``approve`` and ``abort``, for the same user only.

One JSON line asks, one JSON line answers. The socket lies in a private directory with a short
path, because the system allows about a hundred bytes; the run's folder says where.

Whoever answers or aborts states who they are; the user id beside it is the kernel's own word.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import stat
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.history.asker import Asker, line, stated
from rollback_tui.run import folder as run_folder
from rollback_tui.run.request import operator

_LIMIT = 4096
_SECONDS = 5.0
_PATH_BYTES = 100
"""The kernel's own limit is 107 on Linux and 103 on macOS (sockaddr_un)."""


class ControlUnavailable(RollbackTuiError):
    """Nobody answers on the run's socket."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a terminal may ask."""

    command: Literal["status", "approve", "abort"]
    choice: str = ""
    asker: Asker | None = None
    """Who asks, as the console states it; None: it does not say, as earlier versions never did."""


class Reply(msgspec.Struct, frozen=True):
    """What the worker answers."""

    ok: bool
    text: str


_NOT_UNDERSTOOD = "not understood"


def _private_directory(name: str) -> Path:
    """Return a directory that only we can enter, and in which a socket ``name`` has a path
    that is short enough. Raises ControlUnavailable.

    Not XDG_RUNTIME_DIR: it is removed when the user's last session ends, and a run must be
    reachable after a lost SSH connection.
    """
    for base in map(Path, (tempfile.gettempdir(), "/tmp")):  # noqa: S108 - what is made there is checked below
        directory = base / f"rollback_tui-{os.geteuid()}"
        if os.access(base, os.W_OK) and len(os.fsencode(directory / name)) <= _PATH_BYTES:
            break
    else:
        raise ControlUnavailable(
            "no directory for the control socket", "Set TMPDIR to a short path."
        )
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not mine or found.st_mode & 0o077:
        raise ControlUnavailable(
            f"{directory} is not private to this user", "Remove it, or set TMPDIR."
        )
    return directory


def _path(run: str) -> Path:
    """Return where the socket of ``run`` lies. Raises ControlUnavailable."""
    name = f"{run[:13]}.sock"
    return _private_directory(name) / name


def remove_socket(run: str) -> None:
    """Remove what a worker that was killed left behind; only for whoever knows it is dead."""
    with contextlib.suppress(ControlUnavailable, OSError):
        _path(run).unlink(missing_ok=True)


def same_user(connection: socket.socket) -> bool:
    """Return whether the peer runs under our uid (or is root).

    Linux tells by SO_PEERCRED; elsewhere the private directory alone keeps others out.
    """
    return peer_uid(connection) in (None, os.geteuid(), 0)


def peer_uid(connection: socket.socket) -> int | None:
    """Return the user id of the process at the other end, as the kernel says it; None where it
    does not (SO_PEERCRED is of Linux)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    return int(uid)


class Control:
    """The worker's end. The engine reads ``aborted`` and waits in ``wait_for_answer``."""

    def __init__(self, run: str, folder: Path) -> None:
        self.aborted = threading.Event()
        self.aborted_by = ""
        """Of whom the first abort came, and from where; empty: of a signal, or nobody asked."""
        self.answered_by = ""
        """Likewise of the answer that ``wait_for_answer`` returned last."""
        self.on_abort: Callable[[], None] = lambda: None
        """Called once, in a thread of its own, when the first abort arrives."""
        self.status: Callable[[], str] = lambda: ""
        self._may_abort = True
        self._lock = threading.Lock()
        self._choices: tuple[str, ...] = ()
        self._answers: queue.Queue[tuple[str, str]] = queue.Queue()
        """Each choice with who made it; an empty one wakes whoever waits."""
        self.path = _path(run)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.path.unlink(missing_ok=True)
        self._socket.bind(str(self.path))
        self.path.chmod(0o600)
        self._socket.listen(128)
        run_folder.write(folder / run_folder.SOCKET, f"{self.path}\n")
        threading.Thread(target=self._serve, name="control", daemon=True).start()

    def abort(self, who: str = "") -> bool:
        """Ask for an abort; False when it is too late for one. ``who``: see ``aborted_by``."""
        with self._lock:
            if not self._may_abort:
                return False
            first = not self.aborted.is_set()
            if first:
                self.aborted_by = who
            self.aborted.set()
        self._answers.put(("", ""))
        if first:
            # Cancelling takes seconds when the server is away; whoever asked is not kept waiting.
            threading.Thread(target=self.on_abort, name="abort", daemon=True).start()
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
        answer, who = "", ""
        if not self.aborted.is_set():
            with contextlib.suppress(queue.Empty):
                answer, who = self._answers.get(timeout=seconds)
        with self._lock:
            self._choices = ()
            # An answer that was confirmed in the very last moment counts.
            if not answer and not self._answers.empty():
                answer, who = self._answers.get_nowait()
            self.answered_by = who if answer else ""
        return None if self.aborted.is_set() else answer or None

    def close(self) -> None:
        """Stop answering and remove the socket."""
        # close() alone does not wake the thread that waits in accept().
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            # A thread each: a terminal that is stopped must not keep another's abort waiting.
            threading.Thread(
                target=self._serve_one, args=(connection,), name="control client", daemon=True
            ).start()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_SECONDS)
            if same_user(connection):
                connection.sendall(msgspec.json.encode(self._answer(connection)) + b"\n")

    def _answer(self, connection: socket.socket) -> Reply:
        try:
            request = msgspec.json.decode(_receive(connection), type=Request)
        except msgspec.MsgspecError:
            return Reply(False, _NOT_UNDERSTOOD)
        if request.command == "status":
            return Reply(True, self.status())
        who = line(request.asker, peer_uid(connection))
        if request.command == "abort":
            if self.abort(who):
                return Reply(True, "the abort is taken: it is obeyed at the next safe point")
            return Reply(False, "too late: COMMIT was already sent")
        with self._lock:
            if request.choice not in self._choices:
                return Reply(False, "there is no such question open now")
            self._choices = ()
            self._answers.put((request.choice, who))
        return Reply(True, f"answered: {request.choice}")


def _receive(connection: socket.socket, seconds: float = _SECONDS) -> bytes:
    """Return what comes until the end of a line, the limit, or the deadline (TimeoutError)."""
    data = b""
    deadline = time.monotonic() + seconds
    while not data.endswith(b"\n") and len(data) < _LIMIT:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        part = connection.recv(_LIMIT)
        if not part:
            break
        data += part
    return data


def _connect(connection: socket.socket, path: str, seconds: float) -> None:
    """Connect, waiting for a place: a full backlog answers EAGAIN at once on a Unix socket."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.connect(path)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


class ControlClient:
    """The terminal's end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ask(
        self,
        command: Literal["status", "approve", "abort"],
        choice: str = "",
        *,
        seconds: float = _SECONDS,
    ) -> Reply:
        """Send one request. Raises ControlUnavailable when nobody answers within ``seconds``."""
        asker = None if command == "status" else stated(operator())
        reply = self._ask(Request(command, choice, asker), seconds)
        if asker is not None and not reply.ok and reply.text == _NOT_UNDERSTOOD:
            # A worker that an earlier version began goes on over an upgrade, and takes nothing that
            # it does not know: an abort must reach it too.
            reply = self._ask(Request(command, choice), seconds)
        return reply

    def _ask(self, request: Request, seconds: float) -> Reply:
        try:
            path = (self.folder / run_folder.SOCKET).read_text("utf-8").strip()
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(seconds)
                _connect(connection, path, seconds)
                if not same_user(connection):
                    raise ControlUnavailable("the socket belongs to another user", "Do not use it.")
                connection.sendall(msgspec.json.encode(request) + b"\n")
                return msgspec.json.decode(_receive(connection, seconds), type=Reply)
        except (OSError, msgspec.MsgspecError) as error:
            raise ControlUnavailable(
                "the run's worker does not answer",
                "It has ended or was killed: `rollback-tui history` shows its outcome.",
            ) from error
