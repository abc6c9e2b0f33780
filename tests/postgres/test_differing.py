"""Two databases compared row by row: what the one has that the other has not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.postgres.differing import Differing, differing
from rollback_tui.postgres.since import next_xid, written_since
from tests.conftest import create_database, drop_database

SAME = """
CREATE TABLE keyed (id int, part int, word text, PRIMARY KEY (part, id));
INSERT INTO keyed SELECT i, i % 3, 'w' || i FROM generate_series(1, 20000) i;
CREATE TABLE loose (word text);
INSERT INTO loose SELECT 'same' FROM generate_series(1, 5);
CREATE TABLE parted (id int PRIMARY KEY, word text) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE high PARTITION OF parted FOR VALUES FROM (10) TO (99);
INSERT INTO parted SELECT i, i FROM generate_series(1, 20) i;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (more int) INHERITS (parent);
INSERT INTO child VALUES (1, 1);
CREATE TABLE wide (id int PRIMARY KEY, word varchar(10), number int);
INSERT INTO wide VALUES (1, 'a', 1), (2, 'b', 2);
CREATE TABLE "Od d" (id int PRIMARY KEY, "a ""b" numeric, c float8, d jsonb);
INSERT INTO "Od d" VALUES (1, 1.10, 'NaN', '{"a": null}'), (2, NULL, 0.1, NULL);
"""


@pytest.fixture(scope="module")
def both(server: EmbeddedServer) -> Iterator[tuple[Connection, Connection]]:
    """The same contents twice; what a test writes to the first is undone."""
    made = [create_database(server), create_database(server)]
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(contextlib.closing(connect(one.dsn))) for one in made]
        for connection in opened:
            connection.execute(SAME)
        yield opened[0], opened[1]
    for one in made:
        drop_database(one)


@pytest.fixture
def live(both: tuple[Connection, Connection]) -> Iterator[Connection]:
    with both[0].transaction(force_rollback=True):
        yield both[0]


TABLES = ("keyed", "loose", "parted", "parent", "child", "wide", '"Od d"')


def found(live: Connection, other: Connection, own: str = "") -> dict[str, Differing]:
    names = [f"public.{table}" for table in TABLES]
    compared = differing(live, other, names, own_xid=own, seconds=30)
    return {one.table.removeprefix("public."): one for one in compared}


def numbers(one: Differing) -> tuple[int | None, int, int]:
    return one.new, one.changed, one.deleted


def test_the_same_is_the_same(both: tuple[Connection, Connection]) -> None:
    compared = found(*both)
    assert {name: numbers(one) for name, one in compared.items()} == dict.fromkeys(
        TABLES, (0, 0, 0)
    )
    assert not compared["loose"].keyed and compared["keyed"].keyed


def test_new_changed_and_deleted_rows_are_told_apart(
    live: Connection, both: tuple[Connection, Connection]
) -> None:
    live.execute("INSERT INTO keyed VALUES (20001, 0, 'new'), (20002, 0, NULL)")
    live.execute("UPDATE keyed SET word = word || '!' WHERE id <= 100")
    live.execute("DELETE FROM keyed WHERE id > 19990 AND id <= 20000")
    live.execute("INSERT INTO loose VALUES ('same'), (NULL)")
    live.execute("UPDATE parted SET word = 'x' WHERE id IN (3, 15)")
    live.execute("UPDATE child SET more = 2")
    live.execute("""UPDATE "Od d" SET d = '{"a": 1}' WHERE id = 1""")
    compared = found(live, both[1])
    assert {name: numbers(one) for name, one in compared.items()} == {
        "keyed": (2, 100, 10),
        "loose": (2, 0, 0),
        "parted": (0, 2, 0),
        "parent": (0, 0, 0),
        "child": (1, 0, 1),  # its parent's key does not bind it
        "wide": (0, 0, 0),
        '"Od d"': (0, 1, 0),
    }


def test_all_rows_may_be_otherwise(live: Connection, both: tuple[Connection, Connection]) -> None:
    live.execute("UPDATE keyed SET word = 'all'")
    live.execute("TRUNCATE parted")
    compared = found(live, both[1])
    assert numbers(compared["keyed"]) == (0, 20000, 0)
    assert numbers(compared["parted"]) == (0, 0, 20)


def test_what_one_transaction_wrote_is_its_own(both: tuple[Connection, Connection]) -> None:
    live, other = both
    with live.transaction():
        xid = live.execute("SELECT pg_current_xact_id()::text").fetchone()
        live.execute("INSERT INTO wide VALUES (3, 'c', 3), (4, 'd', 4)")
    assert xid is not None
    live.execute("UPDATE wide SET number = 5 WHERE id = 4")
    try:
        one = found(live, other, str(xid[0]))["wide"]
        assert (numbers(one), one.own) == ((2, 0, 0), 1)
        since = {s.table: (s.rows, s.written) for s in written_since(live, str(xid[0]), 30)}
        assert since["public.wide"] == (4, 1) and since["public.keyed"] == (20000, 0)
        assert since["public.parted"] == (20, 0) and "public.low" not in since
        assert int(next_xid(live)) > int(xid[0])
    finally:
        live.execute("DELETE FROM wide WHERE id > 2")


def test_columns_that_are_not_in_both_are_named(
    live: Connection, both: tuple[Connection, Connection]
) -> None:
    live.execute("ALTER TABLE wide ADD only_here int, ALTER number TYPE bigint")
    live.execute("UPDATE wide SET only_here = 1, number = 7 WHERE id = 1")
    one = found(live, both[1])["wide"]
    assert (numbers(one), one.left_out) == ((0, 0, 0), ("number", "only_here"))
    live.execute("CREATE TABLE alone (id int)")
    assert differing(live, both[1], ["public.alone"], seconds=5) == ()


def test_what_is_not_reached_is_not_known(both: tuple[Connection, Connection]) -> None:
    (one,) = differing(*both, ["public.keyed"], seconds=0)
    assert (one.new, one.why) == (None, "not reached in time")
    (one,) = differing(*both, ["public.keyed"], seconds=0.0011)
    assert one.new is None and "time" in one.why
    assert both[0].execute("SELECT 1").fetchone() == (1,), "the connection is still of use"
