"""``error_rate`` and ``response_time`` by the health URLs: asked a few times for each sample, and
judged as after the run."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from rollback_tui.config_health import Endpoint, Health
from rollback_tui.core import health as judge
from rollback_tui.core.monitoring.slowest import worst
from rollback_tui.core.monitoring.values import Reading
from rollback_tui.core.monitoring.words import amount
from rollback_tui.core.text import printable, shorten
from rollback_tui.run import web
from rollback_tui.run.afterwards.health import fault, headers, hidden

SOURCE = "health probes"

_FAULTS = 5
"""Different faults that are named; the share counts them all."""
_FAULT_WIDTH = 160


class Asked(NamedTuple):
    """What one probe came to."""

    name: str
    """Label of the URL, or the URL as it may be shown."""
    fault: str
    """Why it is not the healthy answer; empty when it is. Printable."""
    seconds: float | None
    """How long the answer took; at least, where none came within the deadline. None: it was not
    answered at all, refused for example, which takes no time."""


class Probes:
    """Asks the health URLs, each probe in a thread of its own, so that a slow answer delays no
    other probe. For one thread at a time."""

    def __init__(self, settings: Health, deadline: float) -> None:
        """``deadline``: seconds of one probe; without an answer by then it has failed."""
        self._endpoints = settings.endpoints
        self._deadline = deadline
        self._threads: list[threading.Thread] = []
        self._asked: list[Asked] = []
        self._missing = ""

    @property
    def configured(self) -> bool:
        """Whether there is a URL to ask."""
        return bool(self._endpoints)

    def ask(self) -> None:
        """Ask every URL once. Returns at once."""
        for label, endpoint in self._endpoints:
            sent, missing = headers(endpoint.headers_env)
            if missing:
                named = f"{printable(label)}: " if label else ""
                self._missing = f"{named}{missing}"
                continue
            thread = threading.Thread(
                target=self._one, args=(label, endpoint, sent), name="probe", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def gather(self) -> tuple[Reading, Reading]:
        """Wait for all answers and return both readings of what was asked since the last call."""
        for thread in self._threads:
            thread.join()
        asked, self._asked, self._threads = self._asked, [], []
        if not self._endpoints:
            return _unknown("no URL to ask: set [health] url in rollback.toml")
        if not asked:
            return _unknown(self._missing or "no probe was sent")
        return readings(asked, self._missing)

    def _one(self, label: str, endpoint: Endpoint, sent: dict[str, str]) -> None:
        answer = web.request("GET", endpoint.url, seconds=self._deadline, headers=sent)
        late = answer.status is None and answer.seconds >= self._deadline
        self._asked.append(
            Asked(
                name=printable(label) or judge.shown(endpoint.url),
                fault=hidden(fault(endpoint, answer), sent),
                seconds=answer.seconds if answer.status is not None or late else None,
            )
        )


def readings(asked: Iterable[Asked], missing: str = "") -> tuple[Reading, Reading]:
    """Return ``error_rate`` and ``response_time`` of probes, one at the least.

    ``missing``: why a URL was not asked at all; it is said, and counts as nothing.
    """
    asked = list(asked)
    faults = Counter(
        f"{one.name}: {shorten(one.fault, _FAULT_WIDTH)}" for one in asked if one.fault
    )
    failed = sum(faults.values())
    named = [f"{count} × {text}" for text, count in faults.most_common(_FAULTS)]
    if len(faults) > _FAULTS:
        named.append(f"and {failed - sum(c for _, c in faults.most_common(_FAULTS))} others")
    if missing:
        named.append(f"not asked: {missing}")
    errors = Reading(
        metric="error_rate",
        value=failed / len(asked),
        source=SOURCE,
        counted=len(asked),
        evidence=tuple(named),
    )
    return errors, _response_time(asked)


def _response_time(asked: list[Asked]) -> Reading:
    taken = sorted(
        ((one.seconds, one.name) for one in asked if one.seconds is not None), reverse=True
    )
    if not taken:
        why = next(one.fault for one in asked)
        return Reading(
            metric="response_time", value=None, why=f"no probe was answered: {why}", source=SOURCE
        )
    place, said = worst(len(taken))
    return Reading(
        metric="response_time",
        value=round(taken[place][0], 4),
        source=SOURCE,
        counted=len(taken),
        evidence=(f"{said}; the worst: {amount(taken[0][0], 'seconds')}, {taken[0][1]}",),
    )


def _unknown(why: str) -> tuple[Reading, Reading]:
    return (
        Reading(metric="error_rate", value=None, why=why, source=SOURCE),
        Reading(metric="response_time", value=None, why=why, source=SOURCE),
    )
