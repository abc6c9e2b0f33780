"""Watching the application's queries for a while after the door opened."""

from __future__ import annotations

import re
import time
from datetime import datetime

import psycopg

from rollback_tui.core import events as ev
from rollback_tui.core import query_errors, schema
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.logs import LogLine
from rollback_tui.core.model import Verification
from rollback_tui.core.query_errors import Counters, LoggedError, Named, Seen
from rollback_tui.postgres import catalog, traffic
from rollback_tui.postgres.server_log import SOURCE, ServerLog
from rollback_tui.postgres.watchdog import answer_within
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.logs import LogFiles

_LOOK_SECONDS = 0.5
_ANSWER_SECONDS = 15.0
"""A look that takes longer was lost on its way; the outcome does not wait for it."""
_NOTICE = re.compile(
    r"\((?:no file matches.*|it (?:is|cannot) .*|[\d,]+ bytes came at once.*)\)", re.DOTALL
)
"""How :mod:`rollback_tui.run.logs` says that something was not read."""


class QueryWatch:
    """Looks before the door closes, when it has opened and at the end of the window. It never
    raises: what cannot be seen stays unknown, and no outcome waits longer than the window.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        settings = run.settings.health
        self._window = min(settings.watch_seconds, settings.deadline_seconds)
        self._first: Counters | None = None
        self._shares: list[float] = []
        self._peopled: bool | None = None
        """Whether applications were there before the run; None: not known."""
        self._opened: Counters | None = None
        self._since: datetime | None = None
        self._began = 0.0
        self._log: ServerLog | None = None
        self._files: LogFiles | None = None
        self._lines: list[LogLine] = []
        self._unread: dict[str, str] = {}
        """Why a file of the application cannot be read, by its name."""
        self._trouble = ""

    def before(self) -> None:
        """Look how it is usually; called twice, for the share between the two looks counts too."""
        if not self._window:
            return
        try:
            connection, oid = self._run.live_maintenance(), self._run.target_oid
            now = traffic.counters(connection, oid)
            there = traffic.sessions(connection, oid, traffic.clock(connection)).others
        except Exception:  # noqa: BLE001 - no run is refused because nobody could be watched
            return
        self._peopled = bool(there) or bool(self._peopled)
        if now is None:
            return
        between = now.since(self._first) if self._first is not None else None
        for counted in (now, between):
            if counted is not None and counted.share is not None:
                self._shares.append(counted.share)
        self._first = self._first or now

    def opened(self) -> None:
        """The door has just opened: from here on errors are the application's own."""
        if not self._window:
            return
        self._began = time.monotonic()
        try:
            connection = self._run.live_maintenance()
            with answer_within(connection, _ANSWER_SECONDS):
                self._since = traffic.clock(connection)
                self._opened = traffic.counters(connection, self._run.target_oid)
                self._log = ServerLog(connection, self._run.database)
            self._open_files()
        except Exception as error:  # noqa: BLE001 - it is committed: nothing may be lost by this
            self._trouble = summary_of(error)

    def _open_files(self) -> None:
        files = self._run.settings.recovery.log_files
        if files:
            self._files = LogFiles([str(self._run.project / name) for name in files])
            # What was there before is not asked for; what cannot be read is said now.
            self._hear(only_trouble=True)

    def judge(self) -> Verification:
        """Wait until the window has passed, and judge what was seen. Journaled and returned."""
        why = self._trouble
        if not self._window:
            why = "not watched: [health] watch_seconds is 0"
        elif not self._began:
            why = "not watched: nobody looked when the door opened"
        seen = None
        names: tuple[Named, ...] = ()
        if not why and self._nobody():
            why = "no application was connected, before the run or after it"
        try:
            if not why:
                seen = self._watched()
                names = self._names(seen)
        except Exception as error:  # noqa: BLE001 - likewise; and unknown is what it is then
            seen, why = None, summary_of(error)
        finally:
            if self._files is not None:
                self._files.close()
        verification = query_errors.judge(seen, names, why)
        self._run.write(ev.VerificationJudged(verification=verification))
        return verification

    def _nobody(self) -> bool:
        """Whether it is certain that there is nobody to be watched; then nobody has to wait."""
        if self._peopled is not False or self._run.view.sessions_ended or self._since is None:
            return False
        try:
            connection, oid = self._run.live_maintenance(), self._run.target_oid
            with answer_within(connection, _ANSWER_SECONDS):
                return not traffic.sessions(connection, oid, self._since).others
        except (psycopg.Error, RollbackTuiError):
            return False

    def _watched(self) -> Seen:
        """Look until the window has passed. Raises psycopg.Error or RollbackTuiError."""
        run, asking, ours = self._run, set[int](), 0
        own = set(run.own_pids)
        since = self._since
        if since is None:
            raise RollbackTuiError("the server's clock is not known", "")
        end = self._began + self._window
        if end - time.monotonic() > _LOOK_SECONDS:
            run.write(
                ev.Waiting(
                    phase="health",
                    summary="watching the application's queries for errors",
                    seconds_left=round(end - time.monotonic(), 1),
                )
            )
        while True:
            connection, oid = run.live_maintenance(), run.target_oid
            with answer_within(connection, _ANSWER_SECONDS):
                found = traffic.sessions(connection, oid, since)
            asking |= found.asking
            self._hear()
            ours = max(ours, len(found.ours - own))
            left = end - time.monotonic()
            # Who asks us to end is let go: what was seen until then is judged.
            if left <= 0 or run.control.aborted.wait(min(_LOOK_SECONDS, left)):
                break
        return self._seen(asking, ours)

    def _seen(self, asking: set[int], ours: int) -> Seen:
        connection = self._run.live_maintenance()
        with answer_within(connection, _ANSWER_SECONDS):
            now = traffic.counters(connection, self._run.target_oid)
        counted = now.since(self._opened) if now is not None and self._opened is not None else None
        errors: tuple[LoggedError, ...] = ()
        read: list[str] = []
        unread: list[str] = []
        if self._log is not None:
            with answer_within(connection, _ANSWER_SECONDS):
                errors = self._log.errors(connection)
            if self._log.why:
                unread.append(f"{SOURCE}: {self._log.why}")
            else:
                read.append(SOURCE)
        if self._files is not None:
            self._hear()
            found = (LoggedError(source=line.file, text=line.text) for line in self._lines)
            errors += tuple(one for one in found if query_errors.speaks(one))
            unread += [f"{name}: {why}" for name, why in self._unread.items()]
            if len(self._unread) < len(self._files.files):
                read.append("the application's logs")
        return Seen(
            seconds=time.monotonic() - self._began,
            sessions=len(asking),
            ours=ours,
            usual=max(self._shares, default=None),
            counted=counted,
            errors=errors,
            read=tuple(read),
            unread=tuple(unread),
        )

    def _hear(self, *, only_trouble: bool = False) -> None:
        """Take what came in the application's logs. What the files themselves have to say (that
        one is not there, or was cut) stands in parentheses."""
        if self._files is None:
            return
        for line in self._files.poll():
            if _NOTICE.fullmatch(line.text):
                self._unread[line.file] = line.text[1:-1]
            elif not only_trouble:
                self._lines.append(line)

    def _names(self, seen: Seen) -> tuple[Named, ...]:
        """What the run removed: by plan and rehearsal, and, when an error speaks of what does not
        exist, by what is really gone."""
        started = self._run.view.started
        names = query_errors.removed(self._run.plan, started.rehearsal if started else None)
        before = self._run.before
        if before is not None and any(query_errors.undefined(error) for error in seen.errors):
            now = catalog.snapshot(self._run.live_target())
            names += query_errors.gone(schema.diff(before.schema, now))
        return tuple(dict.fromkeys(names))
