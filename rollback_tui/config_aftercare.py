"""The tables of ``rollback.toml`` that speak of the time after a run: who is told, what is watched,
and where the incident report goes.

Apart from :mod:`rollback_tui.config`, which is the whole file, only for its length.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, field

from rollback_tui.config_copies import Hook, Table, check_headers
from rollback_tui.core import notice_words
from rollback_tui.core.monitoring.levels import Levels as Levels

SWITCH = "ROLLBACK_TUI_AFTERCARE"
"""Set to ``off`` where no process may stay behind, a pipeline or a container: then nobody is told
by ``[[notify.to]]``, and nothing is monitored."""

Occasion = Literal["started", "gate", "finished", "alert", "settled"]


def switched_off(environment: Mapping[str, str] | None = None) -> bool:
    """Whether no process may stay behind."""
    here = os.environ if environment is None else environment
    return here.get(SWITCH, "").strip().lower() in ("off", "0", "no", "false")


class Place(Table, frozen=True, kw_only=True):
    """One place where people are told: a chat, a pager, a mailbox, by its Apprise URL."""

    name: Annotated[
        str, Meta(min_length=1, max_length=40, description="What it is called on the screen.")
    ]
    url: Annotated[
        str,
        Meta(
            description="Apprise URL (https://github.com/caronc/apprise). What is secret in it is"
            " never shown; ``url_env`` keeps it out of this file too."
        ),
    ] = ""
    url_env: Annotated[
        str, Meta(description="Name of the environment variable that holds the URL instead.")
    ] = ""
    occasions: Annotated[
        tuple[Occasion, ...],
        Meta(
            description="What is told there: ``started``, ``gate`` (the run waits for an answer),"
            " ``finished``, ``alert`` (of the monitoring), ``settled`` (an interrupted run)."
        ),
    ] = ("started", "gate", "finished", "alert", "settled")
    level: Annotated[
        Literal["info", "warning", "critical"],
        Meta(description="Only what is at least as serious is told there."),
    ] = "info"

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.url_env):
            raise ValueError("a place has one of url and url_env")

    def __repr__(self) -> str:
        """Without the URL: it is a secret, and this may stand in the message of a fault."""
        return f"Place(name={self.name!r})"


class Notify(Table, frozen=True, kw_only=True):
    """Who is told."""

    started: Annotated[
        Hook, Meta(description="Called when a run has passed preflight and begins.")
    ] = Hook()
    to: Annotated[
        tuple[Place, ...], Meta(description="Places where people are told. In order.")
    ] = ()
    titles: Annotated[
        dict[Occasion, str],
        Meta(
            description="Your own titles, by occasion, with ``{field}`` in them;"
            " docs/notifications.md names the fields."
        ),
    ] = field(default_factory=dict)
    bodies: Annotated[
        dict[Occasion, str], Meta(description="Your own texts, by occasion, with the same fields.")
    ] = field(default_factory=dict)
    timeout_seconds: Annotated[
        float, Meta(gt=0, description="Deadline of one attempt, slow answers included.")
    ] = 20
    retry_seconds: Annotated[
        float,
        Meta(gt=0, description="Wait after the first failure; doubled each time, up to 5 minutes."),
    ] = 5
    keep_trying_hours: Annotated[
        float,
        Meta(
            ge=0,
            description="So long after the run the process that watches over it goes on trying."
            " What is left stays queued: the next start of rollback-tui sends it.",
        ),
    ] = 24

    def __post_init__(self) -> None:
        names = [place.name for place in self.to]
        if len(set(names)) < len(names):
            raise ValueError("each name of notify.to must be another one")
        for kind, texts in (("titles", self.titles), ("bodies", self.bodies)):
            for occasion, text in texts.items():
                notice_words.check(text, f"notify.{kind}.{occasion}")


class Monitor(Table, frozen=True, kw_only=True):
    """The closer monitoring after a run, by a process of its own."""

    seconds: Annotated[float, Meta(ge=0, description="How long. 0: a run is not monitored.")] = 7200
    interval_seconds: Annotated[float, Meta(ge=1, description="Between two samples.")] = 15
    share: Annotated[
        float,
        Meta(gt=0, le=1, description="Alert at this share of the normal levels."),
    ] = 0.8
    probes: Annotated[
        int,
        Meta(ge=1, le=100, description="How often each health URL is asked for one sample."),
    ] = 5
    levels: Levels = Levels()


class Prometheus(Table, frozen=True, kw_only=True):
    """A Prometheus server that knows more of the application than the health URL does. Each query
    must give one number."""

    url: Annotated[
        str, Meta(description="Its address, ``https://prometheus.internal:9090``. Empty: none.")
    ] = ""
    headers_env: Annotated[
        dict[str, str],
        Meta(
            description="Headers that are sent; each names the environment variable that holds its"
            " value."
        ),
    ] = field(default_factory=dict)
    error_rate: Annotated[
        str, Meta(description="PromQL: share of requests that fail, 0 to 1. Empty: by probes.")
    ] = ""
    response_seconds: Annotated[
        str, Meta(description="PromQL: seconds that a request takes. Empty: by probes.")
    ] = ""
    failed_requests: Annotated[
        str,
        Meta(
            description="PromQL: requests that failed during the run, asked for the moment"
            " ``lag_seconds`` after it; ``{seconds}`` reaches from there back to its beginning:"
            " ``sum(increase(errors_total[{seconds}s]))``. Empty: not asked."
        ),
    ] = ""
    affected_users: Annotated[
        str, Meta(description="PromQL: users that were affected; likewise.")
    ] = ""
    lag_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="So long after the run these two are asked: longer than Prometheus takes"
            " from one scrape to the next.",
        ),
    ] = 60
    timeout_seconds: Annotated[float, Meta(gt=0, description="Deadline of one query.")] = 5

    @property
    def counts_impact(self) -> bool:
        """Whether it is asked what the run itself did to people."""
        return bool(self.url and (self.failed_requests or self.affected_users))

    def __post_init__(self) -> None:
        check_headers(self.headers_env)
        queries = (
            self.error_rate,
            self.response_seconds,
            self.failed_requests,
            self.affected_users,
        )
        if any(queries) and not self.url:
            raise ValueError("a query of prometheus needs its url")
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError("the url of prometheus begins with http:// or https://")


class Deliver(Hook, frozen=True, kw_only=True):
    """What takes the incident report to an issue tracker: a command or a URL."""

    timeout_seconds: Annotated[float, Meta(gt=0, description="Total deadline.")] = 30

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sql or self.flag_file:
            raise ValueError("an incident report is delivered by a command or a url")


class Incident(Table, frozen=True, kw_only=True):
    """The incident report."""

    deliver: Annotated[
        Deliver,
        Meta(
            description="Given the report when the run has ended: a command finds"
            " ``ROLLBACK_INCIDENT_MARKDOWN``, ``ROLLBACK_INCIDENT_HTML`` and"
            " ``ROLLBACK_INCIDENT_JSON`` (paths) in its environment, a URL is POSTed the JSON."
        ),
    ] = Deliver()
    when: Annotated[
        Literal["finished", "monitored"],
        Meta(description="``monitored``: only when the monitoring is over too."),
    ] = "finished"
    follow_ups: Annotated[
        tuple[str, ...],
        Meta(description="What your team always does after a rollback; added to the checklist."),
    ] = ()
