"""The table of ``rollback.toml`` that says how the application is looked at after a run.

Apart from :mod:`rollback_tui.config`, which is the whole file, only for its length.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from rollback_tui.config_copies import Table, check_headers

Status = Annotated[int, Meta(ge=100, le=599)]
Wanted = str | int | float | bool


class Endpoint(Table, frozen=True, kw_only=True):
    """One URL, and which answer of it is healthy."""

    url: Annotated[
        str, Meta(description="http(s) URL. Empty: application health stays unknown.")
    ] = ""
    expected_status: Annotated[
        Status | tuple[Status, ...],
        Meta(description="Status that is healthy, or a list of them. Redirects are not followed."),
    ] = 200
    expected_body: Annotated[
        str, Meta(description="Text that must be in the first 64 KiB of the answer.")
    ] = ""
    expected_json: Annotated[
        dict[str, Wanted],
        Meta(
            description='Fields of a JSON answer and what they must be: ``{ status = "ok",'
            ' "checks.database" = "up" }``.'
        ),
    ] = field(default_factory=dict)
    headers_env: Annotated[
        dict[str, str],
        Meta(
            description="Headers that are sent; each names the environment variable that holds its"
            ' value: ``{ Authorization = "HEALTH_TOKEN" }``. It never appears in a journal.'
        ),
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_headers(self.headers_env)

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every status that is healthy."""
        found = self.expected_status
        return (found,) if isinstance(found, int) else found


class Also(Endpoint, frozen=True, kw_only=True):
    """Further URLs that must be healthy too; asked at the same time, with the same deadline."""

    label: Annotated[
        str, Meta(min_length=1, max_length=24, description="What it is called on the screen.")
    ]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.url:
            raise ValueError("a further URL needs its url")


class Health(Endpoint, frozen=True, kw_only=True):
    """The application's health, asked after the door opened."""

    also: Annotated[
        tuple[Also, ...],
        Meta(description="Further URLs, each with a label. One verification for each."),
    ] = ()
    attempts: Annotated[int, Meta(ge=1, description="Tries before it counts as unhealthy.")] = 10
    interval_seconds: Annotated[float, Meta(ge=0, description="Between two tries.")] = 1
    deadline_seconds: Annotated[
        float, Meta(gt=0, description="For all tries together, slow answers included.")
    ] = 30
    watch_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="How long, from the moment the door opened, the application's queries are"
            " watched for errors; ``deadline_seconds`` at most. 0: not watched, which stays"
            " unknown.",
        ),
    ] = 10
    analyze_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="Time for ANALYZE of what the run wrote; tables not reached are named."
            " 0: left to autovacuum.",
        ),
    ] = 30

    def __post_init__(self) -> None:
        super().__post_init__()
        labels = [one.label for one in self.also]
        if len(set(labels)) < len(labels):
            raise ValueError("each label of health.also must be another one")

    @property
    def endpoints(self) -> tuple[tuple[str, Endpoint], ...]:
        """Every URL with its label, the main one first and without one."""
        main = (("", self),) if self.url else ()
        return (*main, *((one.label, one) for one in self.also))
