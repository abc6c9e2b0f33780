"""Looking something up without leaving a trace in the session or in its open transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import TupleRow, tuple_row

_TEXTS = {
    path.stem: path.read_text(encoding="utf-8")
    for path in (Path(__file__).parent / "queries").glob("*.sql")
}
"""All of them, read at once: the installation may be gone when a run has to be settled."""
_ARCHIVES = "/* schemas of archives */"

# What decides how the server writes a definition down. An empty search_path leaves pg_catalog
# alone in it, so every other name comes out qualified; the rest is formats of constants.
CANONICAL = {
    "search_path": "",
    "quote_all_identifiers": "off",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
}


@cache
def query(name: str) -> str:
    """Return the SQL of ``queries/<name>.sql``.

    ``ARRAY(/* schemas of archives */)`` in it becomes the names of the schemas that hold what our
    runs kept: they are nobody's schema, and left out of all that is compared or counted.
    """
    text = _TEXTS[name]
    return text.replace(_ARCHIVES, query("archive_schemas")) if _ARCHIVES in text else text


@contextmanager
def aside(
    conn: psycopg.Connection[Any],
    *,
    seconds: float | None = None,
    canonical: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Iterator[psycopg.Cursor[TupleRow]]:
    """Yield a cursor whose every trace is undone: a transaction, or a savepoint inside one.

    ``ROLLBACK TO SAVEPOINT`` gives settings their exact former value and releases locks, which
    ``RELEASE`` would not. ``seconds`` is the statement timeout of each statement within (it
    covers waiting for a lock too). ``row_security`` is off, so that a policy which hides rows is
    an error and never a smaller number. ``canonical`` makes definitions independent of the
    session's settings; ``settings`` are set besides. Raises psycopg.Error; the transaction outside
    can then go on.
    """
    with (
        conn.transaction(force_rollback=True),
        conn.cursor(row_factory=tuple_row) as cursor,
    ):
        wanted = {"row_security": "off", **(settings or {})}
        if seconds is not None:
            wanted["statement_timeout"] = str(max(1, int(seconds * 1000)))
        if canonical:
            wanted |= CANONICAL
        _settings(cursor, wanted)
        yield cursor


def canonical_from_here(cursor: psycopg.Cursor[TupleRow]) -> None:
    """Make definitions independent of the session's settings, until the aside ends."""
    _settings(cursor, CANONICAL)


@contextmanager
def for_now(conn: psycopg.Connection[Any], settings: Mapping[str, str | None]) -> Iterator[None]:
    """Set ``settings`` for the block, in the open transaction, and then back as they were.

    None: their default. For what must stay when the block ends, as :func:`aside` does not let it.
    When the block raises, the transaction is lost, and its settings with it. Raises psycopg.Error.
    """
    names = list(settings)
    if not names:
        yield
        return
    with conn.cursor(row_factory=tuple_row) as cursor:
        before = cursor.execute(
            "SELECT pg_catalog.current_setting(n) FROM unnest(%s::text[]) AS n", [names]
        ).fetchall()
        _settings(cursor, settings)
    yield
    with conn.cursor(row_factory=tuple_row) as cursor:
        _settings(cursor, {n: row[0] for n, row in zip(names, before, strict=True)})


def _settings(cursor: psycopg.Cursor[TupleRow], settings: Mapping[str, str | None]) -> None:
    calls = ", ".join(["pg_catalog.set_config(%s, %s, true)"] * len(settings))
    cursor.execute(
        f"SELECT {calls}".encode(),
        [part for setting in settings.items() for part in setting],
    )
