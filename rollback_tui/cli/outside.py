"""What ``doctor`` finds beside the database: whether the application says how it is, and whether a
Prometheus server knows what it is asked. Each is asked once, now."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from rollback_tui.aftercare import prometheus
from rollback_tui.cli.findings import Finding
from rollback_tui.config import Settings
from rollback_tui.config_aftercare import Prometheus
from rollback_tui.config_health import Health
from rollback_tui.core.health import Found, shown
from rollback_tui.run.afterwards.health import ask_all

_SECONDS = 10.0
"""Nobody who asks what works waits for a deadline that is made for a restart."""


def findings(settings: Settings) -> Iterator[Finding]:
    """Return what answers over HTTP, and what does not. Nothing of it is ``bad``: an application
    that is not well may be why somebody wants to roll back."""
    yield from _health(settings.health)
    if settings.prometheus.url:
        yield from _prometheus(settings.prometheus)


def _health(settings: Health) -> Iterator[Finding]:
    if not settings.endpoints:
        yield Finding(
            "note",
            "no health URL: the application's health will stay unknown",
            "Set [health] url in rollback.toml.",
        )
        return
    deadline = min(settings.deadline_seconds, _SECONDS)
    once = msgspec.structs.replace(settings, attempts=1, deadline_seconds=deadline)
    yield from map(_answered, ask_all(once, lambda _: None))


def _answered(found: Found) -> Finding:
    named = f"application health: {found.label}: " if found.label else "application health: "
    if found.healthy is None:
        return Finding(
            "note",
            f"{named}{found.detail}, it will stay unknown",
            "Set the variable in the environment of whoever starts the run.",
        )
    what = f"{named}{shown(found.url)}: {found.detail}"
    if found.healthy:
        return Finding("ok", what)
    return Finding(
        "note",
        f"{what}: NOT healthy now",
        "Is the application unwell, or is [health] not right? After a run the same answer fails.",
    )


def _prometheus(settings: Prometheus) -> Iterator[Finding]:
    asked = prometheus.tried(settings)
    if not asked:
        yield Finding(
            "note",
            f"Prometheus: {shown(settings.url)} is asked nothing",
            "Set a query in [prometheus]: error_rate, response_seconds, failed_requests …",
        )
    for one in asked:
        if one.said:
            yield Finding("ok", f"Prometheus: {one.name} is {one.said}")
        else:
            yield Finding(
                "note",
                f"Prometheus: {one.name} gives no number: {one.why}",
                "Until it does, probes measure it."
                if one.by_probes
                else "Until it does, the incident report says that it was not measured.",
            )
