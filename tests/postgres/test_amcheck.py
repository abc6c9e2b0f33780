"""``amcheck`` is used where the target has it, and not missed where it has not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rollback_tui.core import proving
from rollback_tui.core import verify as judge
from rollback_tui.embedded import server as embedded
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.amcheck import look_into
from rollback_tui.postgres.connect import Connection
from tests.conftest import Database, create_database, drop_database

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
"""The embedded servers come without amcheck; the distribution's has it."""

INDEXES = (
    "SELECT indexrelid, 'public.' || indexrelid::regclass FROM pg_index"
    " WHERE indrelid = 't'::regclass"
)


@pytest.fixture(scope="module")
def database15() -> Iterator[Database]:
    if not (DEBIAN_15 / "postgres").exists():
        pytest.skip("no PostgreSQL 15 of the distribution is installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "programs", lambda _: DEBIAN_15)
        server = EmbeddedServer(major=15)
    made = create_database(server)
    yield made
    drop_database(made)
    server.stop()


def indexes(connection: Connection) -> dict[int, str]:
    return dict(connection.execute(INDEXES.encode()).fetchall())


def test_without_the_extension_it_says_nothing(database: Database) -> None:
    connection = database.connect()
    connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
    assert look_into(connection, indexes(connection), 10) is None


def test_a_sound_index_and_one_in_the_wrong_order(database15: Database) -> None:
    """A comparison that answers otherwise than when the index was built."""
    admin = database15.connect(superuser=True)
    comparison = "CREATE OR REPLACE FUNCTION cmp(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS"
    for text in (
        'CREATE SCHEMA "odd place"',
        'CREATE EXTENSION amcheck SCHEMA "odd place"',
        "CREATE TABLE t (id int PRIMARY KEY)",
        f"{comparison} 'SELECT btint4cmp($1, $2)'",
        "CREATE OPERATOR CLASS odd FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=,"
        " OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 cmp(int, int)",
        "CREATE INDEX turned ON t (id odd)",
        "INSERT INTO t SELECT generate_series(1, 1000)",
        f"{comparison} 'SELECT -btint4cmp($1, $2)'",
    ):
        admin.execute(text.encode())
    known = indexes(admin)
    found = look_into(admin, known, 10)
    assert found is not None
    assert found.sound == ("public.t_pkey",)
    assert [name for name, _ in found.broken] == ["public.turned"]
    judged = proving.index_lines(
        judge.indexes_verification((), ()), found.sound, dict(found.broken), ()
    )
    assert judged.verdict == "fail"
    assert "public.turned: item order invariant violated" in judged.evidence[0]
    late = look_into(admin, known, 0)
    assert late is not None
    assert set(late.unreached) == {"public.t_pkey", "public.turned"}
