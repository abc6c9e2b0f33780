"""What is usual, measured by the worker before anything changes for the application: between the
checks and the announcement, while the checkpoint is made.

The monitoring after the run compares with it. It goes into the journal (``usual_measured``), and
with the times of all queries into ``usual.json`` in the run's folder. Nothing of it may matter to
the run: it never raises, costs it a second at the most, asks over the run's own connections, each
question in one round trip that leaves nothing in the session, and opens none that the door would
have to end.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from rollback_tui.config_aftercare import switched_off
from rollback_tui.core import events as ev
from rollback_tui.core.monitoring.slowest import worst
from rollback_tui.core.monitoring.usual import FILE_NAME, Probed, UsualVitals, usual_of
from rollback_tui.core.monitoring.vitals import Logged, Vitals
from rollback_tui.core.text import inert_json
from rollback_tui.postgres import vitals
from rollback_tui.run import folder, web
from rollback_tui.run.afterwards.health import fault, headers
from rollback_tui.run.context import Run, summary_of

_BUDGET_SECONDS = 1.0
"""What all questions and all waiting may cost the run, together."""
_QUESTION_SECONDS = 0.4
"""Statement timeout of one question; a look is three of them, and takes some milliseconds."""
_APART_SECONDS = 1.0
"""Between the two looks; less is waited for, out of the budget."""
_PROBE_SECONDS = 2.0
_PROBES_APART = 1.0
_MOST = 3600
"""Probes whose times are kept: an hour of them."""


class UsualWatch:
    """Looks when the checks have passed, and again before the application is told of anything."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._wanted = run.settings.monitor.seconds > 0 and not switched_off()
        self._left = _BUDGET_SECONDS
        self._began: float | None = None
        self._first: Vitals | None = None
        self._log: vitals.LogWatch | None = None
        self._probes = _Probes(run)
        self._trouble = ""

    def begin(self) -> None:
        """Look for the first time, and begin to ask the health URLs. Never raises."""
        if not self._wanted:
            return
        try:
            self._began = time.monotonic()
            self._first = self._look()
            if self._first is not None:
                self._log = vitals.LogWatch(self._run.database)
                self._read_log()
            self._probes.start()
        except Exception as error:  # noqa: BLE001 - no run is refused because this could not be
            self._trouble = summary_of(error)

    def end(self) -> None:
        """Look again, and journal what is usual. Never raises."""
        if self._began is None:
            return
        try:
            self._wait()
            last = self._look()
            logged = self._read_log()
            probed = self._probes.stop()
            seconds = time.monotonic() - self._began
            found = usual_of(
                datetime.now(UTC),
                self._first,
                last,
                probed,
                seconds=seconds,
                logged=logged,
                why=self._trouble,
            )
            write(self._run.folder, found)
            self._run.write(ev.UsualMeasured(usual=found.usual, seconds=found.seconds))
        except Exception:  # noqa: BLE001 - likewise; what matters to the run will raise again there
            self._probes.stop()

    def _wait(self) -> None:
        """Give a run that was quick a moment, for counters and a first answer; an abort ends it."""
        began = time.monotonic()
        while self._left > 0 and not self._run.control.aborted.is_set():
            now = time.monotonic()
            rest = _APART_SECONDS - (now - (self._began or now))
            if now - began >= self._left or (rest <= 0 and self._probes.answered.is_set()):
                break
            self._run.control.aborted.wait(max(0.01, min(rest, 0.05)))
        self._left -= time.monotonic() - began

    def _look(self) -> Vitals | None:
        """Over both connections: what is counted in the target is not to be ours."""
        if self._left <= 0:
            self._trouble = self._trouble or "there was no time: the server answers slowly"
            return None
        began = time.monotonic()
        run = self._run
        try:
            limit = min(_QUESTION_SECONDS, self._left)
            found = vitals.look(run.live_maintenance(), run.target_oid, seconds=limit)
            statements, why = vitals.statements(run.live_target(), run.target_oid, seconds=limit)
            return msgspec.structs.replace(found, statements=statements, statements_why=why)
        except Exception as error:  # noqa: BLE001 - the run itself will meet what is wrong there
            self._trouble = summary_of(error)
            return None
        finally:
            self._left -= time.monotonic() - began

    def _read_log(self) -> Logged | None:
        if self._log is None or self._left <= 0:
            return None
        began = time.monotonic()
        try:
            return self._log.look(self._run.live_maintenance())
        except Exception as error:  # noqa: BLE001 - likewise
            return Logged(why=summary_of(error))
        finally:
            self._left -= time.monotonic() - began


class _Probes:
    """Asks the health URLs about once a second, in a thread of its own."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ending = threading.Event()
        self.answered = threading.Event()
        """There is nothing to wait for: every URL was asked once, or there is none."""
        self._counted = threading.Lock()
        self._probes = self._failed = 0
        self._taken: list[float] = []
        self._why = ""
        self._thread = threading.Thread(target=self._ask_on, name="usual", daemon=True)

    def start(self) -> None:
        """Begin, when there is a URL to ask."""
        if not self._run.settings.health.endpoints:
            self._why = "no URL to ask: set [health] url in rollback.toml"
            self.answered.set()
            return
        self._thread.start()

    def stop(self) -> Probed:
        """Return what was answered so far; a probe that is under way is not waited for."""
        self._ending.set()
        with self._counted:
            taken = sorted(self._taken, reverse=True)
            return Probed(
                probes=self._probes,
                failed=self._failed,
                slow=taken[worst(len(taken))[0]] if taken else None,
                why=self._why,
            )

    def _ask_on(self) -> None:
        # A run that is refused meanwhile does not say so here: it begins to clean up.
        while not self._ending.is_set() and not self._run.cleaning_up:
            began = time.monotonic()
            for _, endpoint in self._run.settings.health.endpoints:
                sent, missing = headers(endpoint.headers_env)
                if missing:
                    self._why = missing
                    continue
                answer = web.request("GET", endpoint.url, seconds=_PROBE_SECONDS, headers=sent)
                late = answer.status is None and answer.seconds >= _PROBE_SECONDS
                with self._counted:
                    self._probes += 1
                    self._failed += bool(fault(endpoint, answer))
                    if (answer.status is not None or late) and len(self._taken) < _MOST:
                        self._taken.append(answer.seconds)
            self.answered.set()
            self._ending.wait(max(0.0, _PROBES_APART - (time.monotonic() - began)))


def write(directory: Path, found: UsualVitals) -> None:
    """Keep it in the run's folder, 0600. Raises OSError."""
    text = inert_json(msgspec.json.encode(found)).decode()
    folder.write(directory / FILE_NAME, text + "\n")


def read(directory: Path) -> UsualVitals | None:
    """Return what was usual before the run in this folder; None: it was not measured, or what is
    there is not ours."""
    try:
        return msgspec.json.decode((directory / FILE_NAME).read_bytes(), type=UsualVitals)
    except (OSError, msgspec.MsgspecError):
        return None
