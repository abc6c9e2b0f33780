"""One number from a Prometheus server: its HTTP API, ``/api/v1/query``
(https://prometheus.io/docs/prometheus/latest/querying/api/)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from rollback_tui.config_aftercare import Prometheus
from rollback_tui.core.health import shown
from rollback_tui.core.monitoring.values import ImpactCounted, Metric, Reading, Unit
from rollback_tui.core.monitoring.words import amount
from rollback_tui.core.text import printable, shorten
from rollback_tui.run import web
from rollback_tui.run.afterwards.health import headers, hidden

SOURCE = "Prometheus"

_SAID = 160
_ROUNDED = 0.05
"""A share of two rates that were extrapolated may be a little more than one."""


class Found(NamedTuple):
    """What a query came to."""

    value: float | None
    why: str = ""
    """Why there is no number. Printable, and without what was sent in a header."""


class _Data(msgspec.Struct):
    resultType: str  # noqa: N815 - the API's own name
    result: list[Any]


class _Answer(msgspec.Struct):
    """What the API answers, as far as we need it."""

    status: str
    data: _Data | None = None
    error: str = ""


def ask(settings: Prometheus, query: str, *, seconds: float, at: datetime | None = None) -> Found:
    """Ask for the value of ``query``, now or ``at`` a moment, within ``seconds``. Never raises."""
    sent, missing = headers(settings.headers_env)
    if missing:
        return Found(None, missing)
    asked = {"query": query} | ({"time": f"{at.timestamp():.3f}"} if at else {})
    url = f"{settings.url.rstrip('/')}/api/v1/query?{urlencode(asked)}"
    found = _number(web.request("GET", url, seconds=seconds, headers=sent))
    return Found(found.value, printable(hidden(found.why, sent)))


def _number(answer: web.WebAnswer) -> Found:
    if answer.status is None:
        return Found(None, answer.text or "no answer")
    if answer.location:
        return Found(
            None, f"HTTP {answer.status}, redirects to {shown(answer.location)}: not followed"
        )
    if answer.cut:
        return Found(None, "its answer is longer than 64 KiB; the query must give one number")
    try:
        said = msgspec.json.decode(answer.body, type=_Answer)
    except (msgspec.MsgspecError, RecursionError):
        return Found(None, f"HTTP {answer.status}, but no answer of Prometheus: {_brief(answer)}")
    if answer.status != 200 or said.status != "success" or said.data is None:
        return Found(None, f"HTTP {answer.status}: {shorten(said.error, _SAID) or said.status}")
    return _one(said.data)


def _brief(answer: web.WebAnswer) -> str:
    return f"“{shorten(answer.body, 60)}”" if answer.body.strip() else "it is empty"


def _one(data: _Data) -> Found:
    """A scalar is ``[time, "1"]``, a vector a list of ``{"metric": …, "value": [time, "1"]}``."""
    pair: Any = data.result
    if data.resultType == "vector":
        if len(data.result) != 1:
            many = f"{len(data.result)} series" if data.result else "no series"
            return Found(None, f"{many}; the query must give one number")
        first = data.result[0]
        pair = first.get("value") if isinstance(first, dict) else None
    elif data.resultType != "scalar":
        return Found(None, f"a {data.resultType}; the query must give one number")
    try:
        value = float(pair[1])
    except (TypeError, ValueError, IndexError, KeyError):
        return Found(None, "an answer without a number")
    if math.isnan(value):
        return Found(None, "NaN: nothing was counted, 0 / 0")
    if math.isinf(value):
        return Found(None, "it is infinite")
    return Found(value)


# --- the two metrics that it may know better than the probes --------------------------------------


def _share(value: float) -> Found:
    if not -1e-9 <= value <= 1 + _ROUNDED:
        return Found(None, f"{value:g} is no share from 0 to 1")
    return Found(min(1.0, max(0.0, value)))


def _seconds(value: float) -> Found:
    return Found(value) if value >= 0 else Found(None, f"{value:g} is no time")


def _count(value: float) -> Found:
    # increase() extrapolates: half a request is one.
    return (
        Found(math.ceil(round(value, 6))) if value >= 0 else Found(None, f"{value:g} is no number")
    )


def replaced(
    settings: Prometheus, probed: Callable[[], Iterable[Reading]], seconds: float
) -> tuple[Reading, ...]:
    """Return the readings of the probes, each by what Prometheus says where a query is configured
    for it; by the probes, and saying so, where it does not answer. ``probed`` is called while it
    is waited for. ``seconds``: the deadline."""
    queries: dict[Metric, tuple[str, Callable[[float], Found]]] = {
        "error_rate": (settings.error_rate, _share),
        "response_time": (settings.response_seconds, _seconds),
    }
    wanted = {name: query for name, query in queries.items() if settings.url and query[0]}
    if not wanted:
        return tuple(probed())
    within = min(seconds, settings.timeout_seconds)
    with ThreadPoolExecutor(max_workers=len(wanted)) as threads:
        answers = {
            name: threads.submit(_checked, settings, query, check, within, None)
            for name, (query, check) in wanted.items()
        }
        known = tuple(probed())
    return tuple(
        _reading(one, answers[one.metric].result()) if one.metric in answers else one
        for one in known
    )


def _checked(
    settings: Prometheus,
    query: str,
    check: Callable[[float], Found],
    seconds: float,
    at: datetime | None,
) -> Found:
    found = ask(settings, query, seconds=seconds, at=at)
    return found if found.value is None else check(found.value)


def _reading(probed: Reading, found: Found) -> Reading:
    if found.value is not None:
        evidence = (f"health probes: {probed.why}",) if probed.value is None else probed.evidence
        return Reading(metric=probed.metric, value=found.value, source=SOURCE, evidence=evidence)
    said = f"{SOURCE} gave no number: {found.why}"
    if probed.value is None:
        return msgspec.structs.replace(probed, why=f"{said}; {probed.why}")
    return msgspec.structs.replace(probed, source=f"{probed.source}, for {said}")


# --- before it is needed --------------------------------------------------------------------------


class Tried(NamedTuple):
    """What a query of the configuration came to, asked now."""

    name: str
    """Its key in ``[prometheus]``."""
    said: str
    """The number, for people. Empty: there is none."""
    why: str
    by_probes: bool
    """Health probes measure the same, where it gives no number."""


def tried(settings: Prometheus) -> tuple[Tried, ...]:
    """Ask every query that is configured, now; those about a run about the last hour. Never
    raises."""

    def one(name: str, query: str, check: Callable[[float], Found], unit: Unit | None) -> Tried:
        asked = query.replace("{seconds}", "3600")
        found = _checked(settings, asked, check, settings.timeout_seconds, None)
        if found.value is None:
            return Tried(name, "", found.why, unit is not None)
        number = amount(found.value, unit) if unit else f"{found.value:,.0f} in the last hour"
        return Tried(name, number, "", unit is not None)

    queries: tuple[tuple[str, str, Callable[[float], Found], Unit | None], ...] = (
        ("error_rate", settings.error_rate, _share, "share"),
        ("response_seconds", settings.response_seconds, _seconds, "seconds"),
        ("failed_requests", settings.failed_requests, _count, None),
        ("affected_users", settings.affected_users, _count, None),
    )
    wanted = [query for query in queries if query[1]]
    if not wanted:
        return ()
    with ThreadPoolExecutor(max_workers=len(wanted)) as threads:
        return tuple(threads.map(lambda query: one(*query), wanted))


# --- what the run itself did to people ------------------------------------------------------------


def impact(
    settings: Prometheus, started: datetime, finished: datetime, now: datetime
) -> ImpactCounted:
    """Ask how many requests failed and users were affected, by the configured queries.

    They are asked for the moment ``lag_seconds`` after the run, when what it did was collected,
    whenever that is done; ``{seconds}`` reaches from there to the beginning of the run.
    """
    at = finished + timedelta(seconds=settings.lag_seconds)
    length = max(1, math.ceil((at - started).total_seconds()))
    queries = (settings.failed_requests, settings.affected_users)
    with ThreadPoolExecutor(max_workers=len(queries)) as threads:
        failed, users = threads.map(
            lambda query: (
                _checked(
                    settings,
                    query.replace("{seconds}", str(length)),
                    _count,
                    settings.timeout_seconds,
                    at,
                )
                if query
                else Found(None)
            ),
            queries,
        )
    said = {"failed_requests": failed.why, "affected_users": users.why}
    return ImpactCounted(
        at=now,
        failed_requests=None if failed.value is None else int(failed.value),
        affected_users=None if users.value is None else int(users.value),
        why="; ".join(f"{name}: {why}" for name, why in said.items() if why),
    )
