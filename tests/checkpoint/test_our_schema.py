"""Our own schema in the target is in no dump, and hinders none."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from rollback_tui.checkpoint import manifest
from rollback_tui.checkpoint.restore import compare, restore_beside
from rollback_tui.postgres import history_view, run_row
from rollback_tui.postgres.connect import connect, with_database
from tests.checkpoint.conftest import make_checkpoint
from tests.conftest import Database

HEAD = "9:" + "cd" * 32


@pytest.fixture
def beside(shop: Database) -> Iterator[str]:
    """A free name, whose database is dropped afterwards."""
    name = shop.name + "_b"
    yield name
    with psycopg.connect(shop.server.dsn(), autocommit=True) as admin:
        admin.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


@pytest.mark.parametrize("superuser", [False, True], ids=["made by us", "made by a superuser"])
def test_a_restored_database_claims_no_run_and_is_complete(
    shop: Database, project: Path, beside: str, superuser: bool
) -> None:
    """Made by a superuser, the table cannot even be read by the role that dumps."""
    run = str(uuid.uuid4())
    with connect(shop.superuser_dsn if superuser else shop.dsn) as connection:
        assert run_row.insert(connection, run, "c0ffee", "ada", "0.3.0", ["1"], HEAD) == ""
        assert history_view.create(connection, 1)
    made = Path(make_checkpoint(shop.dsn, project).path)
    recorded, _ = manifest.read(made)
    assert "users" in {table.table for table in recorded.tables}
    assert "rollback_tui" not in {table.schema for table in recorded.tables}
    restore_beside(made, shop.dsn, shop.server.dsn("postgres", shop.owner), beside)
    restored = with_database(shop.dsn, beside)
    assert compare(made, restored) == ()
    with connect(restored) as connection:
        assert not run_row.committed(connection, run)


def test_a_restored_database_that_had_a_run_since_is_still_the_one_of_the_manifest(
    shop: Database, project: Path, beside: str
) -> None:
    made = Path(make_checkpoint(shop.dsn, project).path)
    restore_beside(made, shop.dsn, shop.server.dsn("postgres", shop.owner), beside)
    restored = with_database(shop.dsn, beside)
    with connect(restored) as connection:
        arguments = ("c0ffee", "ada", "0.3.0", ["1"], HEAD)
        assert run_row.insert(connection, str(uuid.uuid4()), *arguments) == ""
    assert compare(made, restored) == ()


def test_tables_that_somebody_put_into_our_schema_are_not_lost(
    shop: Database, project: Path, beside: str
) -> None:
    with connect(shop.dsn) as ours:
        assert run_row.insert(ours, str(uuid.uuid4()), "c0ffee", "ada", "0.3.0", ["1"], HEAD) == ""
        assert history_view.create(ours, 1)
    shop.connect().execute("CREATE TABLE rollback_tui.theirs AS SELECT 41 AS answer")
    made = Path(make_checkpoint(shop.dsn, project).path)
    restore_beside(made, shop.dsn, shop.server.dsn("postgres", shop.owner), beside)
    with connect(with_database(shop.dsn, beside)) as restored:
        assert restored.execute("SELECT answer FROM rollback_tui.theirs").fetchone() == (41,)
