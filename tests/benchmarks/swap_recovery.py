"""Swap recovery against pg_restore of the same database, at two sizes, as a table.

::

    python -m tests.benchmarks.swap_recovery [MEGABYTES …]

Sizes are those of the database on disk (default: 128 and 1,200 MB); about five times the largest
is needed below the temporary directory while it runs, and nothing stays. The server is a
PostgreSQL 18 of its own with fsync on. Both ways bring the same database back with the same tool:

``clone``       the template copy behind the closed door, before the run: what the swap costs in
                advance, while applications are out
``swap``        :func:`rollback_tui.checkpoint.swap.swap` of that clone, from its call to its return
``pg_restore``  the program alone, into an empty database, with the same two jobs as the tool uses
``restore beside``  what recovery from a dump takes in all: verify, pg_restore, ANALYZE, compare

Nothing is asserted; the figures are this machine's.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psycopg

from rollback_tui.checkpoint import clone, restore, swap
from rollback_tui.checkpoint.make import make
from rollback_tui.config import CheckpointSettings
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.connect import Connection, connect, target

JOBS = 2
SWAPS = 5
"""The swap is repeated, there and back, and the slowest is shown too."""

_SIZES = (128, 1200)
_ROWS_A_MEGABYTE = 6200
"""Of the rows below, with their indexes."""


class Times(NamedTuple):
    """Seconds of one size."""

    megabytes: float
    dump_megabytes: float
    clone: float
    swap: float
    slowest_swap: float
    pg_restore: float
    beside: float


def main(arguments: list[str]) -> None:
    """Measure each size and print the table."""
    sizes = [int(text) for text in arguments] or list(_SIZES)
    server = EmbeddedServer(major=18, settings={"fsync": "on", "full_page_writes": "on"})
    scratch = Path(tempfile.mkdtemp(prefix="rbt-benchmark"))
    try:
        print(_HEAD, flush=True)
        for size in sizes:
            print(_line(_measured(server, scratch, size)), flush=True)
    finally:
        server.stop()
        shutil.rmtree(scratch)


_HEAD = (
    "| database | dump | clone | swap (slowest) | pg_restore | ratio | restore beside | ratio |\n"
    "|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def _line(times: Times) -> str:
    return (
        f"| {times.megabytes:,.0f} MB | {times.dump_megabytes:,.0f} MB | {times.clone:.2f} s"
        f" | {times.swap * 1000:.0f} ms ({times.slowest_swap * 1000:.0f} ms)"
        f" | {times.pg_restore:.1f} s | {times.pg_restore / times.swap:,.0f} x"
        f" | {times.beside:.1f} s | {times.beside / times.swap:,.0f} x |"
    )


def _measured(server: EmbeddedServer, scratch: Path, megabytes: int) -> Times:
    name, dsn, maintenance = "shop", server.dsn("shop"), server.dsn()
    with psycopg.connect(maintenance, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    _fill(dsn, megabytes)
    with connect(dsn) as there:
        here = target(there)
        size = there.execute("SELECT pg_database_size(current_database())").fetchone()
    settings = CheckpointSettings(directory=str(scratch / str(megabytes)), jobs=JOBS)
    made = make(dsn, settings, target=here, plan=None, project=scratch)
    dump = Path(made.path)
    with contextlib.closing(connect(maintenance)) as door:
        copying = _seconds(lambda: _clone(door, name, size[0] if size else 0))
        swaps = [_seconds(partial(swap.swap, maintenance, *names)) for names in _pairs(name)]
        restoring = _pg_restore(server, door, dump)
        beside = _seconds(
            lambda: restore.restore_beside(dump, dsn, maintenance, "beside", jobs=JOBS)
        )
        comparing = _seconds(lambda: restore.compare(dump, server.dsn("beside")))
        for database in (name, f"{name}_clone", "kept", "beside", "restored"):
            restore.drop_database(door, database)
    return Times(
        megabytes=(size[0] if size else 0) / 1e6,
        dump_megabytes=made.bytes / 1e6,
        clone=copying,
        swap=sorted(swaps)[len(swaps) // 2],
        slowest_swap=max(swaps),
        pg_restore=restoring,
        beside=beside + comparing,
    )


def _fill(dsn: str, megabytes: int) -> None:
    """Two tables with text and numbers, two indexes each, and a foreign key."""
    rows = megabytes * _ROWS_A_MEGABYTE
    with psycopg.connect(dsn, autocommit=True) as there:
        for text in (
            "CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL)",
            f"INSERT INTO users SELECT g, md5(g::text) FROM generate_series(1, {rows // 10}) g",
            "CREATE INDEX ON users (email)",
            "CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL, note text NOT NULL)",
            f"INSERT INTO orders SELECT g, 1 + g % {rows // 10}, md5(g::text) || md5((-g)::text)"
            f" FROM generate_series(1, {rows}) g",
            "CREATE INDEX ON orders (user_id)",
            "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users",
            "VACUUM ANALYZE",
        ):
            there.execute(text.encode())


def _clone(door: Connection, name: str, size: int) -> None:
    def send(where: Connection, text: str) -> None:
        where.execute(text.encode())

    clone.make(
        door,
        name,
        f"{name}_clone",
        strategy=clone.strategy(18, size),
        comment="a benchmark",
        seconds=600,
        send=send,
    )


def _pairs(name: str) -> list[tuple[str, str, str]]:
    """(current, new, kept) so that each swap takes back the one before it."""
    other = f"{name}_clone"
    return [(name, other, "kept") if n % 2 == 0 else (name, "kept", other) for n in range(SWAPS)]


def _pg_restore(server: EmbeddedServer, door: Connection, dump: Path) -> float:
    door.execute("CREATE DATABASE restored")
    command = [
        *(str(server.bin / "pg_restore"), "--exit-on-error", f"--jobs={JOBS}"),
        *(f"--dbname={server.dsn('restored')}", str(dump / "dump")),
    ]
    return _seconds(lambda: subprocess.run(command, check=True))


def _seconds(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


if __name__ == "__main__":
    main(sys.argv[1:])
