"""A checkpoint against pg_dump alone: with many tables, and with many rows, as a table.

::

    python -m tests.benchmarks.checkpoint [TABLES [ROWS]]

Default: 2,000 tables of a few rows, and one table of 1,000,000 rows beside smaller ones. The
numbers to compare with others are those of ``10000 10000000``; about 4 GB are needed below the
temporary directory for that, and nothing stays. The server is a PostgreSQL 18 of its own with
fsync on, on the same machine, so that whatever runs beside the dump takes cores from it.

``pg_dump``      the program alone: same format, jobs and compression as the tool uses
``no contents``  :func:`rollback_tui.checkpoint.make.make` without fingerprints: counts and schema
                 in the same snapshot, hashes of every file, a full read of the archive, fsync
``checkpoint``   the same as configured by default
``known``        the share of tables whose contents got a fingerprint in its time

Nothing is asserted; the figures are this machine's.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint.make import make
from rollback_tui.config import CheckpointSettings
from rollback_tui.core.model import Checkpoint
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.connect import connect, target

JOBS = 2
_REPEATED = 2
"""The first time warms the cache; the better one counts."""

_HEAD = (
    "| database | pg_dump | no contents | ratio | checkpoint | ratio | known |\n"
    "|---|---:|---:|---:|---:|---:|---:|"
)


def main(arguments: list[str]) -> None:
    """Measure both databases and print the table."""
    tables, rows = ([int(text) for text in arguments] + [2_000, 1_000_000][len(arguments) :])[:2]
    server = EmbeddedServer(
        major=18,
        settings={"fsync": "on", "full_page_writes": "on", "max_locks_per_transaction": "512"},
    )
    scratch = Path(tempfile.mkdtemp(prefix="rbt-benchmark"))
    try:
        print(_HEAD, flush=True)
        for name, shown, fill in (
            ("many_tables", f"{tables:,} tables", lambda dsn: _many_tables(dsn, tables)),
            ("many_rows", f"{rows:,} rows", lambda dsn: _many_rows(dsn, rows)),
        ):
            with psycopg.connect(server.dsn(), autocommit=True) as admin:
                admin.execute(f"CREATE DATABASE {name}".encode())
            fill(server.dsn(name))
            print(_measured(server, scratch / name, server.dsn(name), shown), flush=True)
            with psycopg.connect(server.dsn(), autocommit=True) as admin:
                admin.execute(f"DROP DATABASE {name}".encode())
    finally:
        server.stop()
        shutil.rmtree(scratch)


def _measured(server: EmbeddedServer, scratch: Path, dsn: str, shown: str) -> str:
    scratch.mkdir()
    alone = _best(lambda: _pg_dump(server, dsn, scratch / "dump"))
    made: list[Checkpoint] = []

    def checkpoint(seconds: float) -> None:
        directory = scratch / "checkpoints"
        shutil.rmtree(directory, ignore_errors=True)
        settings = CheckpointSettings(
            directory=str(directory), jobs=JOBS, fingerprint_seconds=seconds, timeout_seconds=7200
        )
        with connect(dsn) as connection:
            here = target(connection)
        made.append(make(dsn, settings, target=here, plan=None, project=scratch))

    bare = _best(lambda: checkpoint(0))
    whole = _best(lambda: checkpoint(CheckpointSettings().fingerprint_seconds))
    manifest, _ = mf.read(Path(made[-1].path))
    known = sum(bool(table.fingerprint) for table in manifest.tables) / len(manifest.tables)
    size = (manifest.database_bytes or 0) / (1 << 20)
    return (
        f"| {shown}, {size:,.0f} MiB | {alone:.1f} s | {bare:.1f} s | {bare / alone:.2f} x"
        f" | {whole:.1f} s | {whole / alone:.2f} x | {known:.0%} |"
    )


def _best(action: Callable[[], None]) -> float:
    times = []
    for _ in range(_REPEATED):
        began = time.monotonic()
        action()
        times.append(time.monotonic() - began)
    return min(times)


def _pg_dump(server: EmbeddedServer, dsn: str, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    command = [
        *(str(server.bin / "pg_dump"), "--format=directory", f"--file={place}"),
        *(f"--jobs={JOBS}", "--compress=1", "--no-sync", f"--dbname={dsn}"),
    ]
    subprocess.run(command, check=True)


def _many_tables(dsn: str, tables: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as there:
        for first in range(0, tables, 500):
            there.execute(
                "DO $$ BEGIN FOR i IN "
                f"{first}..{min(first + 500, tables) - 1}"
                " LOOP EXECUTE format('CREATE TABLE t_%s (id int PRIMARY KEY, name text NOT NULL"
                " DEFAULT ''x'', at timestamptz)', i);"
                " EXECUTE format('INSERT INTO t_%s SELECT g, md5(g::text), now()"
                " FROM generate_series(1, 10) g', i); END LOOP; END $$".encode()
            )
        there.execute("ANALYZE")


def _many_rows(dsn: str, rows: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as there:
        for text in (
            "CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL)",
            f"INSERT INTO users SELECT g, md5(g::text) FROM generate_series(1, {rows // 10}) g",
            "CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL, note text NOT NULL,"
            " total numeric(10, 2), at timestamptz)",
            "INSERT INTO orders SELECT g, 1 + g % 1000, md5(g::text), g % 9999 / 7.0,"
            f" now() - g * interval '1 second' FROM generate_series(1, {rows - rows // 10}) g",
            "VACUUM ANALYZE",
        ):
            there.execute(text.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
