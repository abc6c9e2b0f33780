"""One sample: what takes its time beside the database is no fault of the database."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rollback_tui.aftercare.clock import SystemClock
from rollback_tui.aftercare.sampling import LogWatch, Sampler
from rollback_tui.core.monitoring.looks import Logged
from rollback_tui.core.monitoring.values import Reading
from rollback_tui.postgres.connect import Connection
from tests.aftercare.monitored import charge
from tests.conftest import Database


def test_a_log_that_is_read_slowly_is_no_database_that_gives_no_answer(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Megabytes of it over a thin line, for example."""
    held = threading.Event()
    reading: list[Connection] = []

    def look(_: LogWatch, connection: Connection) -> Logged:
        reading.append(connection)
        held.wait(60)
        return Logged()

    monkeypatch.setattr(LogWatch, "look", look)
    clock = SystemClock()
    given = charge(tmp_path / "run", database.dsn, interval_seconds=1, probes=1)
    sampler = Sampler(given, database.name, clock)

    def sampled() -> dict[str, Reading]:
        readings = sampler.sample(threading.Event(), clock.steady(), 0.01)
        assert readings is not None
        return {one.metric: one for one in readings}

    try:
        # Nor is the next one: who still reads keeps nobody from looking.
        for _ in range(2):
            found = sampled()
            assert found["database"].value is not None
            assert found["database"].value < sampler.answer_seconds
            assert found["database_connections"].value is not None
        evidence = found["query_errors"].evidence
        assert "not read: the server's log: it was not read in time" in evidence
        assert len(reading) == 1, "one reads it, and the position in it is one"
    finally:
        held.set()
