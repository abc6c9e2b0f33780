"""What stands around a plan: each part found out, or unknown for a reason, alone."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from msgspec.structs import replace

from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.core.model import Doomed, Plan
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.survey import outlook as survey
from rollback_tui.survey.outlook import outlook
from tests.conftest import Database
from tests.core.example import migration, plan, script, statement
from tests.lock_waits import announced

COLUMN = statement(
    1,
    "ALTER TABLE users DROP COLUMN verified_at",
    "ALTER TABLE … DROP COLUMN",
    loses_data=True,
    objects=("public.users",),
    drops=(("column", "public.users.verified_at"),),
    doomed=(Doomed(kind="column", relation="public.users", column="verified_at"),),
)
PLAN = plan(migration(script=script(statements=(COLUMN,))))


@pytest.fixture
def ours(database: Database) -> Iterator[Connection]:
    with connect(database.dsn) as connection:
        connection.execute("CREATE TABLE schema_migrations (version text PRIMARY KEY)")
        connection.execute("CREATE TABLE users (id int PRIMARY KEY, verified_at timestamptz)")
        connection.execute("CREATE VIEW v AS SELECT verified_at FROM users")
        connection.execute("INSERT INTO schema_migrations VALUES ('3')")
        connection.execute("INSERT INTO users VALUES (1, now()), (2, NULL)")
        yield connection


def test_all_that_stands_around_a_plan_is_found(database: Database, ours: Connection) -> None:
    shop = database.connect(application_name="shop")
    shop.execute("SELECT verified_at FROM users")
    found = outlook(ours, PLAN)
    assert found.unreadable == ()
    assert found.dependents is not None
    assert [(d.dependent, d.cascades) for d in found.dependents] == [("view public.v", False)]
    assert found.mentions is not None
    assert [(m.application, m.object) for m in found.mentions] == [
        ("shop", "public.users.verified_at")
    ]
    assert found.statistics is False
    assert found.written is not None
    assert [(w.relation, w.rows) for w in found.written] == [("public.users", 2)]
    assert found.keepable is not None
    assert [k.statement for k in found.keepable] == [1]
    # Nothing of it is left in the session.
    assert ours.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_what_cannot_be_read_is_unknown_and_the_rest_is_not(
    database: Database, ours: Connection
) -> None:
    with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
        admin.execute("REVOKE SELECT ON pg_catalog.pg_depend FROM public")
    found = outlook(ours, PLAN)
    assert found.dependents is None
    assert any(line.startswith("dependents: permission denied") for line in found.unreadable)
    assert found.mentions == ()
    assert found.written is not None


def test_without_time_nothing_is_known(ours: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "SECONDS", 0.0)
    found = outlook(ours, PLAN)
    assert (found.dependents, found.mentions, found.written, found.keepable) == (None,) * 4
    assert found.statistics is None
    assert len(found.unreadable) == 4


def test_a_huge_plan_takes_no_longer(ours: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeping costs is asked statement by statement: of the rest nobody knows."""
    monkeypatch.setattr(survey, "_KEEPING_SECONDS", 0.3)
    many = tuple(replace(COLUMN, index=i) for i in range(1, 3001))
    found = outlook(ours, plan(migration(script=script(statements=many))))
    assert found.unreadable == ()
    assert found.keepable is not None
    assert len(found.keepable) == 3000
    first, last = found.keepable[0], found.keepable[-1]
    assert first.bytes is not None
    assert (last.bytes, last.rows, last.obstacle) == (None, None, "")
    assert "no time was left" in last.what


def test_a_locked_table_is_hardly_waited_for(database: Database, ours: Connection) -> None:
    holder = database.connect(autocommit=False)
    holder.execute("LOCK TABLE users")
    with announced(ours, database) as waits:
        found = outlook(ours, PLAN)
    assert 0 < len(waits) <= 3, "each lasts as long as lock_timeout, which is a second"
    assert found.unreadable == ()
    assert found.keepable is not None
    assert (found.keepable[0].bytes, found.keepable[0].obstacle) == (None, "")
    assert found.written is not None
    assert [w.rows for w in found.written] == [None]


def test_a_lost_connection_is_said_to_be_lost(database: Database, ours: Connection) -> None:
    with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [ours.info.backend_pid])
    with pytest.raises(ConnectionFailed):
        outlook(ours, PLAN)


def test_a_plan_of_nothing_has_nothing_around_it(ours: Connection) -> None:
    empty: Plan = plan(migration(script=script(statements=())))
    found = outlook(ours, empty)
    assert (found.dependents, found.mentions, found.written, found.keepable) == ((),) * 4
