"""How long a script takes to be read, shown and judged, against sqlparse alone, as tables.

::

    python -m tests.benchmarks.preview [--server]

Reading: 100, 1,000 and 10,000 statements of the usual kinds, and 5 MB in 10,000 statements:

``split``     where the statements begin and end (:func:`rollback_tui.core.script.split.split`)
``read``      the same with the parse trees from the child process, every effect, placeholders, and
              the second reading where the script is short enough (marked ``+``); without the start
              of the child, which is shown apart
``sqlparse``  ``sqlparse.split`` alone: boundaries, and not PostgreSQL's
``ratio``     sqlparse's time over that of ``split`` and of ``read``

Showing: the real screens in a headless terminal of 80×24, on a plan of that script: from the key
that opens the preview to the first painted list, and one page down (median and worst of 20).

With ``--server``: the target's own parser (a PostgreSQL 18 of its own) is asked for every
statement, directly and over a link of 20 ms each way, in batches as the tool does and one at a time
(measured on 100 statements and multiplied).

Nothing is asserted; the figures are this machine's.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
import sqlparse
from psycopg.conninfo import make_conninfo

from rollback_tui.core.model import Plan, Script, Statement
from rollback_tui.core.script.read import read_script
from rollback_tui.core.script.source import Source
from rollback_tui.core.script.split import split
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.parser import Parser
from rollback_tui.postgres.connect import connect
from rollback_tui.postgres.syntax import syntax_errors
from tests.network.slow_link import SlowLink
from tests.ui.fake import World, plan
from tests.ui.steering import Terminal, drive

T = TypeVar("T")

_TABLES = ("users", "orders", "items", "payments", "audit_log", "sessions", "products", "carts")
_FORMS = (
    (30, "ALTER TABLE public.{t} DROP COLUMN IF EXISTS col_{i}"),
    (20, "DROP INDEX IF EXISTS public.idx_{t}_{i}"),
    (10, "DROP TABLE {t}_{i} CASCADE"),
    (10, "UPDATE {t} SET note = 'it''s row {i}', total = total * 1.19 WHERE id = {i} AND a IN (1)"),
    (8, "ALTER TABLE {t} ADD COLUMN c{i} varchar(40) NOT NULL DEFAULT 'x;y'"),
    (6, "CREATE INDEX idx_{i} ON {t} USING btree (a, lower(b)) WHERE c IS NOT NULL"),
    (4, "ALTER TABLE {t} ADD CONSTRAINT fk_{i} FOREIGN KEY (a) REFERENCES users (id) NOT VALID"),
    (4, "COMMENT ON COLUMN {t}.c{i} IS 'what; it is'"),
    (3, "DELETE FROM {t} WHERE id = {i}"),
    (2, "CREATE OR REPLACE FUNCTION f_{i}(a int) RETURNS int LANGUAGE sql AS $$ SELECT a; $$"),
    (1, "GRANT SELECT ON {t} TO reader_{i}"),
    (2, "CREATE VIEW v_{i} AS SELECT id, count(*) FROM users JOIN orders USING (id) GROUP BY 1"),
)  # fmt: skip


def script(statements: int, padding: str = "") -> bytes:
    """Return a script of the usual kinds of statements, the same for the same arguments."""
    chance = random.Random(7)
    weights = [weight for weight, _ in _FORMS]
    forms = chance.choices([form for _, form in _FORMS], weights, k=statements)
    lines = [
        f"{form.format(t=chance.choice(_TABLES), i=at)};{padding}\n"
        for at, form in enumerate(forms)
    ]
    return "".join(lines).encode()


def _rows(statements: int) -> bytes:
    """Return a script that brings rows back: 500 bytes a statement, all of it values."""
    row = "({i}, 'a; note', 19.95, NULL, '2024-01-02', true)"
    values = ", ".join([row] * 9)
    lines = [
        f"INSERT INTO prices VALUES {values}".replace("{i}", str(at)) for at in range(statements)
    ]
    return "".join(f"{line};\n" for line in lines).encode()


_SCRIPTS = {
    "100 statements": script(100),
    "1,000 statements": script(1_000),
    "10,000 statements": script(10_000),
    "5 MB, mostly comments": script(10_000, " -- why; it was 'so' /* x */" * 16),
    "5 MB, nothing but rows": _rows(10_000),
}


def _timed(what: Callable[[], T], times: int = 3) -> tuple[float, T]:
    """Return the median of the seconds that ``what`` takes, and what it gives."""
    seconds: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        given = what()
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[times // 2], given


def _source(data: bytes) -> Source:
    return Source(path="down.sql", data=data, start=0, end=len(data))


def reading() -> dict[str, Script]:
    """Print how long reading takes; return what was read."""
    print(f"{'reading':<26}{'MB':>6}{'split':>9}{'read':>10}{'sqlparse':>10}{'ratio':>16}")
    scripts: dict[str, Script] = {}
    with Parser() as parser:
        loading, _ = _timed(lambda: parser.trees(["SELECT 1"]), times=1)
        for name, data in _SCRIPTS.items():
            source = _source(data)
            cut, _ = _timed(lambda data=data: split(data))  # type: ignore[misc]
            whole, read = _timed(
                lambda source=source: read_script(source, first_index=1, trees=parser.trees)  # type: ignore[misc]
            )
            text = data.decode()
            theirs, _ = _timed(lambda text=text: sqlparse.split(text), times=1)  # type: ignore[misc]
            unknown = sum(s.effect.kind == "unknown" for s in read.statements)
            print(
                f"{name:<26}{len(data) / 1e6:>6.2f}{cut:>8.3f}s{whole:>8.3f}s"
                f"{'+' if read.read_twice else ' '}{theirs:>9.2f}s{theirs / cut:>9.0f}×"
                f"{theirs / whole:>5.0f}×" + (f"  {unknown} unknown" if unknown else "")
            )
            scripts[name] = read
    print(f"start of the parser's child: {loading:.3f} s, once\n")
    return scripts


def showing(scripts: dict[str, Script]) -> None:
    """Print how long the preview takes to open, and a page."""
    print(f"{'showing, 80×24':<26}{'opened':>9}{'page down':>12}{'worst':>9}")
    for name, read in scripts.items():
        whole = plan()
        migration = msgspec.structs.replace(whole.migrations[0], script=read)
        made = msgspec.structs.replace(whole, migrations=(migration,))
        opened, pages = _shown(made)
        print(f"{name:<26}{opened:>8.3f}s{pages[len(pages) // 2]:>11.3f}s{pages[-1]:>8.3f}s")
    print()


def _shown(made: Plan) -> tuple[float, list[float]]:
    world = World()
    world.make_plan = lambda _: made
    taken: list[float] = []

    async def steps(terminal: Terminal) -> None:
        await terminal.until("1 State ✓")
        for key in ["3", *["pagedown"] * 20]:
            began = time.perf_counter()
            await terminal.press(key)
            if not taken:
                await terminal.until(" statements, ", " destructive")
            taken.append(time.perf_counter() - began)

    drive(world, steps)
    return taken[0], sorted(taken[1:])


def judging(statements: tuple[Statement, ...]) -> None:
    """Print how long the server's own parser takes, near and far."""
    print(f"{f'{len(statements):,} by the server':<26}{'in batches':>12}{'one at a time':>15}")
    server = EmbeddedServer(major=18, tcp=True)
    try:
        for name, delay in (("near", 0.0), ("20 ms each way", 0.02)):
            link = SlowLink(server.port, delay)
            try:
                dsn = make_conninfo(server.tcp_dsn(), port=link.port if delay else server.port)
                with connect(dsn) as connection:
                    batches, _ = _timed(
                        lambda c=connection: syntax_errors(c, statements),  # type: ignore[misc]
                        times=1,
                    )
                    alone, _ = _timed(
                        lambda c=connection: [  # type: ignore[misc]
                            c.pgconn.prepare(b"", s.sql.encode()) for s in statements[:100]
                        ],
                        times=1,
                    )
            finally:
                link.close()
            print(f"{name:<26}{batches:>11.2f}s{alone * len(statements) / 100:>14.1f}s")
    finally:
        server.stop()


def main() -> None:
    """Print the tables."""
    scripts = reading()
    showing(scripts)
    if "--server" in sys.argv:
        judging(scripts["10,000 statements"].statements)


if __name__ == "__main__":
    main()
