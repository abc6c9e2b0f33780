"""The application's health: after the door has opened, and while it was closed."""

from __future__ import annotations

import threading
import time

import msgspec

from rollback_tui.core import events as ev
from rollback_tui.core import verify as judge
from rollback_tui.run import web
from rollback_tui.run.context import Run


def health(run: Run) -> bool | None:
    """Ask the application, with retries, within one deadline; None: no URL is configured."""
    settings = run.settings.health
    with run.phase("health") as outcome:
        began = time.monotonic()
        tries = 0
        ok: bool | None = None
        detail = ""
        while settings.url and tries < settings.attempts:
            left = settings.deadline_seconds - (time.monotonic() - began)
            if left <= 0:
                break
            tries += 1
            answer = web.request("GET", settings.url, seconds=left)
            ok = answer.status == settings.expected_status
            detail = f"HTTP {answer.status}" if answer.status is not None else answer.text
            run.write(
                ev.Progress(phase="health", summary=detail, done=tries, total=settings.attempts)
            )
            if ok:
                break
            time.sleep(min(settings.interval_seconds, max(0.0, left)))
        if settings.url and ok is None:
            ok = False
        verification = judge.health_verification(settings.url, tries, ok, detail)
        seconds = round(time.monotonic() - began, 3)
        run.write(
            ev.VerificationJudged(
                verification=msgspec.structs.replace(verification, seconds=seconds)
            )
        )
        outcome.summary = verification.summary
        if ok is False:
            outcome.status = "failed"
        return ok


class Prober:
    """Asks the health URL about twice a second from the closing of the door to its opening, so
    that the report can say how many probes failed. It measures; it decides nothing."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._stop = threading.Event()
        self.probes = 0
        self.failed = 0
        self._thread = threading.Thread(target=self._probe_on, name="prober", daemon=True)

    def start(self) -> None:
        """Begin, when a health URL is configured."""
        if self._run.settings.health.url:
            self._thread.start()

    def stop(self) -> None:
        """Stop; returns after the last probe."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=3)

    def _probe_on(self) -> None:
        settings = self._run.settings.health
        while not self._stop.is_set():
            answer = web.request("GET", settings.url, seconds=2)
            self.probes += 1
            self.failed += answer.status != settings.expected_status
            self._stop.wait(0.5)
