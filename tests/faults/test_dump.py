"""A dump does not outlive the run that it was made for."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest

from tests.faults.scenario import Case

_MUCH = """
CREATE TABLE much AS
SELECT string_agg(md5(random()::text), '') AS text FROM generate_series(1, 300000) i GROUP BY i % 50
"""
"""Ten megabytes that do not compress: half a second for pg_dump."""


def dumping(case: Case) -> list[psutil.Process]:
    """The processes of pg_dump that write into this case's directory."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if "pg_dump" in line and f"--file={case.directory}" in line:
            found.append(process)
    return found


def test_a_dump_ends_with_the_run_whose_worker_was_killed(
    fresh: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """pg_dump is stopped first, so that it cannot end by itself: only its sessions can."""
    case = fresh("dump")
    with psycopg.connect(case.dsn) as connection:
        connection.execute(_MUCH)
    case.start(monkeypatch, {"point": "", "what": "nothing"})
    deadline = time.monotonic() + 20
    while not (left := dumping(case)):
        assert time.monotonic() < deadline, "the dump was not seen"
    for process in left:
        os.kill(process.pid, signal.SIGSTOP)
    started = case.view().started
    assert started is not None
    os.kill(started.worker_pid, signal.SIGKILL)
    try:
        while case.view().finished is None:
            assert time.monotonic() < deadline, case.last()
            time.sleep(0.05)
        with psycopg.connect(case.server.dsn(), autocommit=True) as connection:
            while connection.execute(
                "SELECT FROM pg_stat_activity WHERE application_name LIKE 'rollback_tui pg_dump%'"
            ).fetchall():
                assert time.monotonic() < deadline, "its sessions go on"
                time.sleep(0.05)
    finally:
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
    case.wait_until_alone(20)
    assert not [p for p in (case.directory / "rollback_checkpoints").iterdir() if p.name[0] != "."]
    case.assert_sound(committed=False)
