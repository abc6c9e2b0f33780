"""What it costs to prove which tables were not written, against counting all of them.

``python -m tests.benchmarks.counts [tables] [rows]``

10,000 tables of ten rows, and one of ten million. Printed: our two looks at the server's counters,
our own exact counts, and ``psql`` counting the same, alone and by several sessions at once. Nothing
is asserted: the figures are for reading.
"""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
import sys
import time
from collections.abc import Callable

import psycopg

from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres import counts
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.writes import sight, written

NAME = "bench"
LARGE = "large"
SESSIONS = max(2, os.cpu_count() or 2)


def build(server: EmbeddedServer, tables: int, rows: int) -> None:
    """Make the tables."""
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {NAME}".encode())
    with psycopg.connect(server.dsn(NAME), autocommit=True) as connection:
        # In pieces: one transaction would need a lock for every table.
        for first in range(0, tables, 500):
            connection.execute(
                f"""DO $$ BEGIN FOR n IN {first}..{min(first + 500, tables) - 1} LOOP
                EXECUTE format('CREATE TABLE t_%s (id int PRIMARY KEY, note text)', n);
                EXECUTE format('INSERT INTO t_%s SELECT i, ''note'' FROM generate_series(1, 10) i',
                               n);
                END LOOP; END $$""".encode()
            )
        connection.execute(f"CREATE TABLE {LARGE} (id int, note text, at timestamptz)".encode())
        connection.execute(
            f"INSERT INTO {LARGE} SELECT i, md5(i::text), now()"
            f" FROM generate_series(1, {rows}) i".encode()
        )
        connection.execute("VACUUM ANALYZE")


def seconds(action: Callable[[], object], repeats: int = 3) -> float:
    """Return the best of some runs."""
    best = float("inf")
    for _ in range(repeats):
        began = time.monotonic()
        action()
        best = min(best, time.monotonic() - began)
    return best


def psql(server: EmbeddedServer, text: str) -> None:
    """Let one psql execute it."""
    subprocess.run(
        [server.bin / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", server.dsn(NAME)],
        input=text,
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def many_psql(server: EmbeddedServer, tables: int) -> None:
    """Count all tables, shared out among several sessions."""
    texts = [
        "\n".join(f"SELECT count(*) FROM t_{n};" for n in range(part, tables, SESSIONS))
        for part in range(SESSIONS)
    ]
    with concurrent.futures.ThreadPoolExecutor(SESSIONS) as pool:
        list(pool.map(lambda text: psql(server, text), texts))


def look_twice(connection: Connection) -> None:
    """What a run does before its first statement and after its last."""
    connection.execute("BEGIN")
    before = sight(connection)
    connection.execute("UPDATE t_1 SET note = 'other'")
    assert len(written(before, sight(connection)).tables) == 1
    connection.execute("ROLLBACK")


def main() -> None:
    """Build, measure, print."""
    tables = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000
    server = EmbeddedServer()
    try:
        build(server, tables, rows)
        one = "\n".join(f"SELECT count(*) FROM t_{n};" for n in range(tables))
        large = f"SELECT count(*) FROM {LARGE};"
        with psycopg.connect(server.dsn(NAME), autocommit=True) as connection:
            figures = {
                f"counters of {tables:,} tables, both looks": lambda: look_twice(connection),
                f"our counts of {tables:,} tables": lambda: counts.count_all(
                    connection, 600, only=None
                ),
                f"psql, {tables:,} counts": lambda: psql(server, one),
                f"psql, the same in {SESSIONS} sessions": lambda: many_psql(server, tables),
                f"our count of {rows:,} rows": lambda: counts.count(
                    connection, f"public.{LARGE}", 600
                ),
                f"psql, count of {rows:,} rows": lambda: psql(server, large),
            }
            for what, action in figures.items():
                print(f"{what:<48}{seconds(action):8.3f} s", flush=True)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
