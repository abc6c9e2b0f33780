"""Who has the lock that we could not get."""

from __future__ import annotations

import pytest

from rollback_tui.postgres.connect import connect
from rollback_tui.postgres.peers import who_holds
from tests.conftest import Database


@pytest.mark.parametrize("keys", [(0x726F6C6C, 17), (0x726F6C6C, -2), (-(2**31), 2**31 - 1)])
def test_the_holder_of_an_advisory_lock_is_described(
    database: Database, keys: tuple[int, int]
) -> None:
    with (
        connect(database.dsn, application="rollback_tui \x1b[31mdoor") as holding,
        connect(database.dsn) as asking,
    ):
        assert who_holds(asking, *keys) == ""
        holding.execute("SELECT pg_advisory_lock(%s, %s)", list(keys))
        assert who_holds(holding, *keys) == "", "our own lock is nobody else's"
        said = who_holds(asking, *keys)
        assert said.startswith(f"{database.owner} (rollback_tui ")
        assert f"pid {holding.info.backend_pid}) on the server's own machine" in said
        assert "connected since 20" in said
        assert said.endswith("s ago)")
        assert "\x1b" not in said
        assert who_holds(asking, keys[0], keys[1] // 3) == ""


def test_the_address_of_one_on_another_machine(database: Database) -> None:
    server = database.server
    with (
        connect(server.tcp_dsn(database.name, database.owner)) as holding,
        connect(database.dsn) as asking,
    ):
        holding.execute("SELECT pg_advisory_lock_shared(1, 2)")
        assert ") from 127.0.0.1, connected since" in who_holds(asking, 1, 2)


def test_the_lock_of_another_database_or_another_form_is_not_meant(database: Database) -> None:
    with connect(database.server.dsn()) as elsewhere, connect(database.dsn) as asking:
        elsewhere.execute("SELECT pg_advisory_lock(1, 2)")
        with connect(database.dsn) as other:
            other.execute("SELECT pg_advisory_lock((1::bigint << 32) | 2)")
            assert who_holds(asking, 1, 2) == ""


def test_a_role_that_may_see_little_hears_what_it_may(database: Database) -> None:
    admin = database.connect(superuser=True)
    name = f"{database.owner}_small"
    admin.execute(f"CREATE ROLE {name} LOGIN")
    try:
        with connect(database.dsn) as holding, connect(f"{database.dsn} user={name}") as asking:
            holding.execute("SELECT pg_advisory_lock(1, 2)")
            pid = holding.info.backend_pid
            assert who_holds(asking, 1, 2) == f"{database.owner} (rollback_tui, pid {pid})"
    finally:
        admin.execute(f"DROP ROLE {name}")
