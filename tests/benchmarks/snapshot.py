"""How long a snapshot of the schema takes: ours against ``pg_dump -s`` of the same database.

``python -m tests.benchmarks.snapshot [tables] [repeats]``

10,000 tables, each with a primary key, an index, a check and an identity column; one in five has a
foreign key, one in three comments and a grant. The two take turns, so that other work on the
machine bears on both. Wall time is what an operator waits; CPU time (server and client together;
Linux only) is the steadier number on a busy machine. ``first`` is a session that has not asked the
catalog yet, as pg_dump's never has; ``again`` the second snapshot in it, as after a rollback.
Nothing is asserted: the figures are for reading.
"""

from __future__ import annotations

import contextlib
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres import catalog

NAME = "bench"
_TABLE = """
CREATE TABLE t_%1$s (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(80) NOT NULL, note text,
    created timestamptz NOT NULL DEFAULT now(), amount numeric(10,2) CHECK (amount >= 0),
    parent bigint %2$s
)
"""


@dataclass
class Times:
    """Seconds of each repetition."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def build(server: EmbeddedServer, tables: int) -> None:
    """Make the database."""
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {NAME}".encode())
        admin.execute("CREATE ROLE app")
    with psycopg.connect(server.dsn(NAME), autocommit=True) as connection:
        # In pieces: one transaction would need a lock for every table.
        for first in range(0, tables, 500):
            connection.execute(
                f"""DO $$ BEGIN FOR n IN {first}..{min(first + 500, tables) - 1} LOOP
                EXECUTE format('{_TABLE}', n,
                               CASE WHEN n % 5 = 1 THEN 'REFERENCES t_' || (n - 1) ELSE '' END);
                EXECUTE format('CREATE INDEX t_%s_name ON t_%s (name)', n, n);
                IF n % 3 = 0 THEN
                  EXECUTE format('COMMENT ON TABLE t_%s IS ''table %s''', n, n);
                  EXECUTE format('COMMENT ON COLUMN t_%s.note IS ''note of %s''', n, n);
                  EXECUTE format('GRANT SELECT ON t_%s TO app', n);
                END IF; END LOOP; END $$""".encode()
            )
        connection.execute("VACUUM ANALYZE")


def backends(parent: int) -> float:
    """Return the CPU seconds of all backends of a server that have ended; 0 where unknown."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return 0.0


@contextlib.contextmanager
def measured(times: Times, parent: int) -> Iterator[None]:
    """Add what the block takes; sessions in it must have ended with it to be counted."""
    ours = time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    theirs = backends(parent)
    began = time.monotonic()
    yield
    times.wall.append(time.monotonic() - began)
    time.sleep(0.3)  # until the postmaster has noticed that its children are gone
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time() - ours + backends(parent) - theirs
    cpu += after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    times.cpu.append(cpu)


def main() -> None:
    """Build, measure, print."""
    tables = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    server = EmbeddedServer()
    try:
        build(server, tables)
        dumps, first, both = Times(), Times(), Times()
        again: list[float] = []
        objects, digest = 0, 0.0
        for _ in range(repeats):
            with measured(dumps, server.pid):
                subprocess.run(
                    [server.bin / "pg_dump", "-s", server.dsn(NAME)],
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
            with measured(first, server.pid), psycopg.connect(server.dsn(NAME)) as connection:
                snapshot = catalog.snapshot(connection)
            with measured(both, server.pid), psycopg.connect(server.dsn(NAME)) as connection:
                catalog.snapshot(connection)
                began = time.monotonic()
                catalog.snapshot(connection)
                again.append(time.monotonic() - began)
            objects = len(snapshot.objects)
            began = time.monotonic()
            assert len(snapshot.fingerprint) == 64
            digest = time.monotonic() - began
        print(f"{tables:,} tables, {objects:,} objects, median of {repeats}")
        base, base_cpu = statistics.median(dumps.wall), statistics.median(dumps.cpu)
        row("pg_dump -s", base, base, base_cpu, base_cpu)
        row("snapshot, first", statistics.median(first.wall), base,
            statistics.median(first.cpu), base_cpu)  # fmt: skip
        more = [b - f for b, f in zip(both.cpu, first.cpu, strict=True)]
        row("snapshot, again", statistics.median(again), base, statistics.median(more), base_cpu)
        print(f"{'fingerprint':<20}{digest:8.3f} s")
    finally:
        server.stop()


def row(name: str, wall: float, base: float, cpu: float, base_cpu: float) -> None:
    """Print one line: seconds, and how many times those of pg_dump."""
    line = f"{name:<20}{wall:8.3f} s {wall / base:5.2f} × pg_dump"
    if base_cpu:
        line += f"   CPU {cpu:6.3f} s {cpu / base_cpu:5.2f} ×"
    print(line)


if __name__ == "__main__":
    main()
