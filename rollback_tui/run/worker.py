"""The worker process: carries out one run, whatever happens to the terminal that asked."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg

from rollback_tui.core import events as ev
from rollback_tui.core.errors import RunRefused
from rollback_tui.core.events import Record
from rollback_tui.core.report import log_line
from rollback_tui.run import folder
from rollback_tui.run import journal as run_journal
from rollback_tui.run.by_hand.guide import keep_current
from rollback_tui.run.context import Run
from rollback_tui.run.control import Control
from rollback_tui.run.engine import carry_out
from rollback_tui.run.preflight import started
from rollback_tui.run.request import RunRequest

_CANCEL_SECONDS = 5
_ABORTING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def work(request: RunRequest) -> None:
    """Carry ``request`` out. Raises RollbackTuiError or OSError only before the first event."""
    with opened(request) as run:
        if run_journal.read(run.journal.path):
            raise RunRefused("this run has begun already", "A folder is one run: start a new one.")
        run.write(started(run))
        carry_out(run)


@contextlib.contextmanager
def opened(request: RunRequest) -> Iterator[Run]:
    """A run with its journal, human log and control socket; signals ask for an abort."""
    path = Path(request.folder)
    handle = os.open(path / folder.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with (
        contextlib.closing(run_journal.Journal(path / run_journal.FILE_NAME)) as journal,
        os.fdopen(handle, "a", encoding="utf-8", buffering=1) as log,
        contextlib.closing(Control(request.run, path)) as control,
    ):

        def write_log(record: Record) -> None:
            # The log is for people; the journal is the truth, so a full disk here stops nothing.
            with contextlib.suppress(OSError):
                log.write(log_line(record) + "\n")

        journal.listeners.append(write_log)
        run = Run(request, journal, control)
        journal.listeners.append(
            lambda record: keep_current(path, run.view, run.settings, record.event)
        )
        control.on_abort = lambda: _abort(run)
        control.status = lambda: run.view.phase.phase if run.view.phase else "between phases"
        try:
            with contextlib.closing(run), _abort_on_signals(control):
                yield run
        finally:
            with contextlib.suppress(OSError):
                os.fsync(log.fileno())


def _abort(run: Run) -> None:
    """Journal that it was asked for, and cancel the statement that is running, so that the
    engine sees it at once; never one of the proof that comes after."""
    with contextlib.suppress(OSError):
        run.write(ev.AbortAsked(who=run.control.aborted_by))
    with run.cancelling:
        connection = run.target
        if run.cleaning_up or connection is None or connection.closed:
            return
        with contextlib.suppress(psycopg.Error):
            connection.cancel_safe(timeout=_CANCEL_SECONDS)


@contextlib.contextmanager
def _abort_on_signals(control: Control) -> Iterator[None]:
    """Turn signals into an abort. The C-level handler only writes a byte, at any moment; the
    abort itself happens in a thread, where taking a lock is safe."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)

    def listen() -> None:
        while reading.recv(1):
            control.abort()

    thread = threading.Thread(target=listen, name="signals", daemon=True)
    thread.start()
    wakeup = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, lambda *_: None) for number in _ABORTING}
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        writing.close()
        thread.join(timeout=5)
        reading.close()
