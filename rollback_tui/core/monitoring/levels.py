"""``[monitor.levels]``: the normal alert levels, of which the rules of the monitoring are made."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from rollback_tui.core.value import Value


class Levels(Value, frozen=True, kw_only=True):
    """From where the usual monitoring of your application would call somebody. The closer
    monitoring after a run alerts earlier: at ``[monitor] share`` of it."""

    error_rate: Annotated[
        float, Meta(gt=0, le=1, description="Share of requests or probes that fail.")
    ] = 0.05
    response_seconds: Annotated[
        float, Meta(gt=0, description="Seconds that a request or probe takes (95th percentile).")
    ] = 1.0
    connections: Annotated[
        float, Meta(gt=0, le=1, description="Share of ``max_connections`` in use.")
    ] = 0.9
    query_slowdown: Annotated[
        float,
        Meta(
            gt=1,
            description="Queries take so many times what the same queries took before the run.",
        ),
    ] = 2.0
    query_load: Annotated[
        float,
        Meta(gt=1, description="All queries together take so many times what they took before."),
    ] = 3.0
    longest_query_seconds: Annotated[
        float, Meta(gt=0, description="Age of the oldest query of an application.")
    ] = 60.0
    query_errors: Annotated[
        float, Meta(gt=0, description="Errors a minute that the server logs, or sessions it ends.")
    ] = 5.0
    rollbacks: Annotated[
        float,
        Meta(gt=0, le=1, description="Share of transactions that are rolled back."),
    ] = 0.05
    deadlocks: Annotated[float, Meta(gt=0, description="Deadlocks a minute.")] = 1.0
    lock_waits: Annotated[
        float, Meta(gt=0, description="Sessions that wait for a lock for over a second.")
    ] = 5.0
    cache_misses: Annotated[
        float, Meta(gt=0, le=1, description="Share of blocks that are not found in the cache.")
    ] = 0.25
    replication_lag_seconds: Annotated[
        float, Meta(gt=0, description="Seconds that a standby is behind.")
    ] = 30.0
