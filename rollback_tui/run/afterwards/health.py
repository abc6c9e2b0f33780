"""The application's health: after the door has opened, and while it was closed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from rollback_tui.config_health import Endpoint, Health
from rollback_tui.core import events as ev
from rollback_tui.core import health as judge
from rollback_tui.run import web
from rollback_tui.run.afterwards.query_errors import QueryWatch
from rollback_tui.run.context import Outcome, Run

_ProgressOf = Callable[[judge.Found], None]


def health(run: Run, watch: QueryWatch | None = None) -> bool | None:
    """Ask the application, with retries, within one deadline; then let ``watch`` say whether its
    queries fail. None: nobody watched, because the run was interrupted.

    Returns whether it is healthy: False when one URL says no, None when none is configured or one
    could not be asked.
    """
    with run.phase("health") as outcome:
        found = ask_all(run.settings.health, lambda one: _progress(run, one))
        for one in found or (None,):
            run.write(ev.VerificationJudged(verification=judge.verification(one)))
        _summarise(outcome, found)
        if (watch or QueryWatch(run)).judge().verdict == "fail":
            outcome.status = "failed"
        answers = {one.healthy for one in found}
        if False in answers:
            return False
        return None if not answers or None in answers else True


def ask_all(settings: Health, told: _ProgressOf) -> tuple[judge.Found, ...]:
    """Ask every URL of the configuration at the same time until it is healthy, its attempts are
    used up or the one deadline of all has come. ``told`` hears each answer, in several threads."""
    endpoints = settings.endpoints
    if not endpoints:
        return ()
    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=len(endpoints)) as threads:
        return tuple(
            threads.map(
                lambda each: _until_healthy(each[0], each[1], settings, began, told), endpoints
            )
        )


def headers(named: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return headers with their values from the environment, ``named`` says from which variable,
    and what is missing there, in words."""
    found: dict[str, str] = {}
    for header, name in named.items():
        value = os.environ.get(name, "").strip()
        if not value:
            return {}, f"{name} is not in the environment"
        if not (value.isascii() and value.isprintable()):
            # What cannot be sent would be shown in an error.
            return {}, f"what {name} holds cannot be sent in a header"
        found[header] = value
    return found, ""


def _until_healthy(
    label: str, endpoint: Endpoint, settings: Health, began: float, told: _ProgressOf
) -> judge.Found:
    found = judge.Found(label=label, url=endpoint.url, healthy=None, tries=0, detail="")
    sent, missing = headers(endpoint.headers_env)
    if missing:
        return judge.Found(label=label, url=endpoint.url, healthy=None, tries=0, detail=missing)
    for tries in range(1, settings.attempts + 1):
        left = settings.deadline_seconds - (time.monotonic() - began)
        if tries > 1:
            time.sleep(min(settings.interval_seconds, max(0.0, left)))
            left = settings.deadline_seconds - (time.monotonic() - began)
        if left <= 0:
            break
        answer = web.request("GET", endpoint.url, seconds=left, headers=sent)
        why = hidden(fault(endpoint, answer), sent)
        found = judge.Found(
            label=label,
            url=endpoint.url,
            healthy=not why,
            tries=tries,
            detail=why or f"HTTP {answer.status}",
            said=hidden(answer.body, sent) if why else "",
            seconds=round(time.monotonic() - began, 3),
        )
        told(found)
        if found.healthy:
            break
    return found


def fault(endpoint: Endpoint, answer: web.WebAnswer) -> str:
    """Return why an answer is not the one that the configuration calls healthy; empty when it is.
    Printable."""
    return judge.fault(
        judge.Answer(
            status=answer.status,
            body=answer.text if answer.status is None else answer.body,
            location=answer.location,
            cut=answer.cut,
        ),
        statuses=endpoint.statuses,
        body=endpoint.expected_body,
        fields=endpoint.expected_json,
    )


def hidden(text: str, sent: Mapping[str, str]) -> str:
    """Return ``text`` without the values of the headers in ``sent``: an answer may repeat them."""
    for value in sent.values():
        text = text.replace(value, "•••")
    return text


def _progress(run: Run, one: judge.Found) -> None:
    named = f"{one.label}: " if one.label else ""
    run.write(
        ev.Progress(
            phase="health",
            summary=named + one.detail,
            done=one.tries,
            total=run.settings.health.attempts,
        )
    )


def _summarise(outcome: Outcome, found: tuple[judge.Found, ...]) -> None:
    bad = [one for one in found if one.healthy is False]
    if bad or len(found) < 2:
        outcome.summary = (
            "; ".join(
                f"{one.label + ': ' if one.label else ''}{judge.verification(one).summary}"
                for one in (bad or found)
            )
            or judge.verification(None).summary
        )
    else:
        healthy = sum(one.healthy is True for one in found)
        outcome.summary = f"{healthy} of {len(found)} URLs healthy"
    if bad:
        outcome.status = "failed"


class Prober:
    """Asks the first health URL about twice a second from the closing of the door to its opening,
    so that the report can say how many probes failed. It measures; it decides nothing."""

    def __init__(self, run: Run) -> None:
        self._endpoints = run.settings.health.endpoints
        self._stop = threading.Event()
        self.probes = 0
        self.failed = 0
        self._thread = threading.Thread(target=self._probe_on, name="prober", daemon=True)

    def start(self) -> None:
        """Begin, when a health URL is configured and can be asked."""
        if self._endpoints and not headers(self._endpoints[0][1].headers_env)[1]:
            self._thread.start()

    def stop(self) -> None:
        """Stop; returns after the last probe."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=3)

    def _probe_on(self) -> None:
        _, endpoint = self._endpoints[0]
        sent, _ = headers(endpoint.headers_env)
        while not self._stop.is_set():
            answer = web.request("GET", endpoint.url, seconds=2, headers=sent)
            self.probes += 1
            self.failed += bool(fault(endpoint, answer))
            self._stop.wait(0.5)
