"""Content fingerprints: rows a second, against counting and against the usual md5 of everything.

``python -m tests.benchmarks.contents [rows]``

One table with a number, two texts, a time and a numeric. ``md5(string_agg(…))`` needs an order, and
so a sort, and holds all of the table in memory as one text (which ends at 1 GB): it is measured at
no more than a million rows. Nothing is asserted: the figures are for reading.
"""

from __future__ import annotations

import sys
import time

import psycopg

from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.contents import Reading, columns, read

NAME = "bench"
_MOST = 1_000_000


def build(server: EmbeddedServer, rows: int) -> None:
    """Make the table."""
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {NAME}".encode())
    with psycopg.connect(server.dsn(NAME), autocommit=True) as connection:
        connection.execute(
            f"""CREATE TABLE t AS SELECT i AS id, 'user' || i || '@example.org' AS email,
            md5(i::text) AS token, now() - i * interval '1 second' AS at, i * 1.5 AS amount
            FROM generate_series(1, {rows}) i""".encode()
        )
        connection.execute("VACUUM ANALYZE")


def fingerprinted(connection: Connection) -> float:
    """Return the seconds of one fingerprint, as a run takes it in its transaction."""
    row = connection.execute("SELECT 't'::regclass::oid").fetchone()
    assert row is not None
    known = columns(connection, [row[0]])
    reading = Reading(row[0], "public.t", known[row[0]], small=False)
    began = time.monotonic()
    found = read(connection, [reading], 600)
    assert found[row[0]].fingerprint
    return time.monotonic() - began


def asked(connection: Connection, text: str) -> float:
    """Return the seconds of one query."""
    began = time.monotonic()
    connection.execute(text.encode()).fetchall()
    return time.monotonic() - began


def main() -> None:
    """Build, measure, print."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    server = EmbeddedServer()
    try:
        build(server, rows)
        with psycopg.connect(server.dsn(NAME), autocommit=True) as connection:
            few = min(rows, _MOST)
            whole = "md5(string_agg(s::text, '' ORDER BY id))"
            md5 = f"SELECT {whole} FROM (SELECT * FROM t WHERE id <= {few}) s"
            asked(connection, "SELECT count(*) FROM t")
            for what, number, taken in (
                ("count(*)", rows, asked(connection, "SELECT count(*) FROM t")),
                ("fingerprint", rows, fingerprinted(connection)),
                ("md5(string_agg(… ORDER BY id))", few, asked(connection, md5)),
            ):
                print(f"{what:<32}{number:>12,} rows{taken:9.3f} s{number / taken:14,.0f} rows/s")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
