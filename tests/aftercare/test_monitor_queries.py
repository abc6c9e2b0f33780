"""The monitoring of a server that counts its queries and writes a log that can be read: slow
queries, their load, a cache that is too small and errors, through the whole loop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from rollback_tui.core.monitoring.levels import Levels
from rollback_tui.core.monitoring.usual import UsualVitals
from rollback_tui.core.monitoring.values import Metric, Usual
from rollback_tui.core.monitoring.vitals import Yardstick
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.connect import connect
from rollback_tui.postgres.vitals import look
from rollback_tui.run import usual
from tests.aftercare import faults
from tests.aftercare.monitored import begun_by, charge, monitored, told_with_the_second, value
from tests.conftest import Database, create_database, drop_database
from tests.debian import debian as debian

PRICED = (
    "CREATE OR REPLACE FUNCTION priced() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_sleep({})'"
)
QUICK, SLOW = 0.02, 0.12
TABLES = (
    # What is read in bulk keeps to its own corner of the cache: the large one is never in it.
    "CREATE TABLE catalogue AS SELECT repeat('x', 1900) AS text FROM generate_series(1, 9999)",
    "CREATE TABLE stock AS SELECT repeat('x', 1900) AS text FROM generate_series(1, 200)",
    PRICED.format(QUICK),
)


@pytest.fixture
def shop(debian: EmbeddedServer) -> Iterator[Database]:
    made = create_database(debian)
    with made.connect(superuser=True) as admin:
        admin.execute("CREATE EXTENSION pg_stat_statements")
    with made.connect() as owner:
        for text in TABLES:
            owner.execute(text.encode())
    yield made
    drop_database(made)


@contextlib.contextmanager
def asking(shop: Database, *queries: str, seconds: float = 0.02) -> Iterator[None]:
    """An application that asks these again and again, each over a connection of its own."""

    def asks(query: str) -> Callable[[], None]:
        connection = shop.connect(application_name="shop")

        def ask() -> None:
            with contextlib.suppress(psycopg.errors.DivisionByZero):
                connection.execute(query.encode())

        return ask

    with faults.again_and_again(*map(asks, queries), seconds=seconds):
        yield


def measured(shop: Database, folder: Path) -> tuple[Usual, ...]:
    """Measure what is usual, as the worker does, and keep it where the monitoring looks."""
    with connect(shop.superuser_dsn) as connection:
        first = look(connection, shop.oid, with_statements=True).statements
        time.sleep(1.5)
        last = look(connection, shop.oid, with_statements=True).statements
    assert first is not None and last is not None
    load = (last.seconds - first.seconds) / (last.taken_at - first.taken_at).total_seconds()
    names: tuple[Metric, ...] = ("query_performance", "query_load")
    found = tuple(Usual(metric=name, value=1.0) for name in names)
    kept = UsualVitals(
        at=datetime.now(UTC),
        seconds=1.5,
        usual=found,
        yardstick=Yardstick(statements=last, load=load, load_of="1.5 s before the run"),
    )
    folder.mkdir(parents=True)
    usual.write(folder, kept)
    return found


def slower(shop: Database) -> None:
    """What the migration left: the function takes six times what it took."""
    with shop.connect() as owner:
        owner.execute(PRICED.format(SLOW).encode())


def test_slow_queries_load_cache_and_logged_errors_are_told_and_are_over(
    tmp_path: Path, shop: Database
) -> None:
    wrong: tuple[Metric, ...] = ("query_performance", "query_load", "cache_hit", "query_errors")
    folder = tmp_path / "20240115_030000_5d0c6a1e"
    # Beside the queries: what is asked of the small table is in the cache, a thousand blocks and
    # more in each sample.
    usual_work = ("SELECT priced()",) * 3 + ("SELECT count(*) FROM stock",)
    with asking(shop, *usual_work):
        before_the_run = measured(shop, folder)
        given = charge(
            folder,
            shop.superuser_dsn,
            interval_seconds=1.2,
            # A second query of a sample is one more in its load: far from what goes wrong.
            levels=Levels(query_slowdown=3, query_load=3.5),
        )
        run = begun_by(shop.dsn, usual=before_the_run)
        with monitored(given, run) as here:
            before = here.samples(4)
            assert before.raised == ()
            known = before.samples[-1]
            assert [name for name in wrong if value(known, name) is None] == []
            slower(shop)
            with (
                asking(shop, *("SELECT priced()",) * 6, seconds=0.0),
                asking(shop, "SELECT count(*) FROM catalogue", "SELECT 1 / 0"),
            ):
                first = len(here.view().samples)
                view = here.until(lambda view: {one.metric for one in view.standing} >= set(wrong))
            with shop.connect() as owner:
                owner.execute(PRICED.format(QUICK).encode())
            after = here.until(lambda view: not view.standing)
    told_with_the_second(view, first)
    said = {one.metric: "\n".join(one.evidence) for one in view.raised}
    # What the monitoring itself asks is nobody's query.
    looked = (r for one in view.samples for r in one.readings if r.metric == "query_performance")
    asked = [line for reading in looked for line in reading.evidence]
    assert not any("pg_catalog" in line or "WITH" in line for line in asked)
    assert "SELECT priced()" in said["query_performance"]
    assert "before" in said["query_load"]
    assert "blocks were not in the cache" in said["cache_hit"]
    assert "22012 division by zero" in said["query_errors"]
    assert {one.metric for one in after.cleared} == set(wrong)
    assert here.told == list(after.raised)
