"""How long applications are out: a run of ours against ``psql -1`` with the same script.

``python -m tests.benchmarks.downtime [tables] [repeats]``

The same database twice (one is a template copy of the other): 10,000 tables, fifty of which the
script touches with one statement each. ``psql -1`` only executes; it keeps nobody out, locks
nothing beforehand, counts nothing and verifies nothing. The ratio says what all that costs.
Nothing is asserted: the figures are for reading.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from rollback_tui.embedded.server import EmbeddedServer

STATEMENTS = 50
NAME = "bench"
KINDS = (
    ("CREATE TABLE extra_{n} (id int PRIMARY KEY, note text)", "DROP TABLE extra_{n}"),
    ("ALTER TABLE t_{n} ADD COLUMN flag boolean", "ALTER TABLE t_{n} DROP COLUMN flag"),
    ("CREATE INDEX t_{n}_note ON t_{n} (note)", "DROP INDEX t_{n}_note"),
    ("ALTER TABLE t_{n} ALTER note SET DEFAULT 'x'", "ALTER TABLE t_{n} ALTER note DROP DEFAULT"),
    ("CREATE VIEW v_{n} AS SELECT id FROM t_{n}", "DROP VIEW v_{n}"),
)


def build(server: EmbeddedServer, tables: int) -> None:
    """Make the database with its tables and the migration that will be rolled back."""
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
        connection.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
        connection.execute("INSERT INTO schema_migrations VALUES ('20240101000000')")
        for number in range(STATEMENTS):
            connection.execute(KINDS[number % len(KINDS)][0].format(n=number).encode())
        connection.execute("INSERT INTO schema_migrations VALUES ('20240202000000')")
        connection.execute("VACUUM ANALYZE")


def project(directory: Path, server: EmbeddedServer) -> Path:
    """Write the migrations and the configuration; return the script for psql."""
    migrations = directory / "db" / "migrations"
    migrations.mkdir(parents=True)
    up = ";\n".join(KINDS[n % len(KINDS)][0].format(n=n) for n in range(STATEMENTS))
    down = ";\n".join(KINDS[n % len(KINDS)][1].format(n=n) for n in range(STATEMENTS))
    (migrations / "20240101000000_tables.sql").write_text(
        "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n"
    )
    (migrations / "20240202000000_fifty.sql").write_text(
        f"-- migrate:up\n{up};\n-- migrate:down\n{down};\n"
    )
    script = directory / "down.sql"
    script.write_text(f"{down};\nDELETE FROM schema_migrations WHERE version = '20240202000000';\n")
    (directory / "rollback.toml").write_text(
        f"[connection]\ndsn = {json.dumps(server.dsn(NAME))}\n[checkpoint]\nenabled = false\n"
    )
    return script


def copy(server: EmbeddedServer, name: str) -> None:
    """Make ``name`` a fresh copy of the database."""
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {NAME}_original".encode())


def psql(server: EmbeddedServer, script: Path) -> float:
    """Return the seconds that ``psql -1`` takes."""
    stop = ("-v", "ON_ERROR_STOP=1")
    began = time.monotonic()
    subprocess.run(
        [server.bin / "psql", "-X", "-q", "-1", *stop, "-f", script, "-d", server.dsn(NAME)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - began


def ours(directory: Path) -> dict[str, float]:
    """Return the seconds of closed door, and of its parts."""
    done = subprocess.run(
        [sys.executable, "-m", "rollback_tui", "run", "--confirm", NAME, "--yes", "--json"],
        cwd=directory,
        check=False,
        capture_output=True,
        text=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode:
        raise SystemExit(f"the run ended with {done.returncode}: {lines[-1:]} {done.stderr}")
    found = {line["phase"]: line["seconds"] for line in lines if line["kind"] == "phase_finished"}
    opened = next(line for line in lines if line["kind"] == "door_opened")
    statements = sum(line["seconds"] for line in lines if line["kind"] == "statement_finished")
    return {"downtime": opened["seconds_closed"], "statements": statements} | {
        phase: found[phase] for phase in ("close_door", "execute", "verify", "commit", "open_door")
    }


def main() -> None:
    """Build, measure, print."""
    tables = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    server = EmbeddedServer()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            directory = Path(temporary)
            build(server, tables)
            with psycopg.connect(server.dsn(), autocommit=True) as admin:
                admin.execute(f"ALTER DATABASE {NAME} RENAME TO {NAME}_original".encode())
            script = project(directory, server)
            psql_seconds: list[float] = []
            our_seconds: list[dict[str, float]] = []
            for _ in range(repeats):
                copy(server, NAME)
                psql_seconds.append(psql(server, script))
                copy(server, NAME)
                our_seconds.append(ours(directory))
            report(tables, psql_seconds, our_seconds)
    finally:
        server.stop()


def report(tables: int, psql_seconds: list[float], our_seconds: list[dict[str, float]]) -> None:
    """Print medians and ratios."""
    base = statistics.median(psql_seconds)
    print(f"{STATEMENTS} statements, {tables:,} tables, median of {len(psql_seconds)}")
    print(f"{'psql -1':<24}{base:8.3f} s")
    for name in our_seconds[0]:
        seconds = statistics.median(found[name] for found in our_seconds)
        print(f"{'run: ' + name:<24}{seconds:8.3f} s  {seconds / base:6.1f} × psql -1")


if __name__ == "__main__":
    main()
