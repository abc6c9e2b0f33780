"""What the checks foresee of real statements, against what the server then does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from rollback_tui.core.script.read import read_script
from rollback_tui.core.script.source import Source
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.parser import Parser
from rollback_tui.postgres import catalog, counts
from tests.conftest import Database, create_database, drop_database
from tests.postgres.test_catalog import SHOP

SCRIPTS = [
    "ALTER TABLE users DROP COLUMN seen",
    "ALTER TABLE users DROP COLUMN IF EXISTS seen CASCADE",
    "ALTER TABLE users DROP COLUMN note, DROP COLUMN mood",
    "ALTER TABLE users DROP COLUMN age",
    "DROP VIEW again; DROP VIEW active; ALTER TABLE users DROP seen",
    "DROP VIEW active; ALTER TABLE users DROP seen",
    "DROP VIEW active, again; ALTER TABLE users DROP seen",
    "DROP VIEW active CASCADE; ALTER TABLE users DROP seen",
    "DROP TABLE users",
    "DROP TABLE users CASCADE",
    'DROP TABLE "Ord|er"; DROP MATERIALIZED VIEW totals; DROP VIEW again, active; DROP TABLE users',
    'DROP TABLE "Ord|er"',
    "DROP TABLE events_2024; DROP TABLE events",
    "DROP TABLE events",
    "DROP TYPE mood",
    "ALTER TABLE users DROP mood; DROP TYPE mood",
    "DROP TYPE mood CASCADE",
    "DROP TYPE pair; DROP DOMAIN positive",
    "DROP FUNCTION stamp()",
    "DROP TRIGGER stamp ON users; DROP FUNCTION stamp()",
    "DROP FUNCTION stamp",
    "DROP FUNCTION stamp CASCADE",
    "DROP FUNCTION double(int); DROP PROCEDURE tidy()",
    "DROP SCHEMA extra",
    "DROP TABLE extra.loose; DROP SCHEMA extra",
    "DROP SCHEMA extra CASCADE",
    "DROP SEQUENCE users_id_seq",
    "DROP SEQUENCE lone",
    "ALTER TABLE users DROP CONSTRAINT users_pkey",
    "ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE",
    'ALTER TABLE "Ord|er" DROP CONSTRAINT "Ord|er_user""id_fkey";'
    " ALTER TABLE users DROP CONSTRAINT users_pkey",
    "DROP INDEX users_note; DROP STATISTICS both_ways; DROP POLICY own ON users",
    "DROP TABLE IF EXISTS nowhere; DROP VIEW IF EXISTS none_such",
    "DROP RULE quiet ON events_2024",
]


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as running:
        yield running


@pytest.fixture(scope="module", params=[18, 16])
def connection(
    request: pytest.FixtureRequest, server: EmbeddedServer, server16: EmbeddedServer
) -> Iterator[psycopg.Connection[Any]]:
    made: Database = create_database(server if request.param == 18 else server16)
    with psycopg.connect(made.dsn, autocommit=True) as opened:
        opened.execute(SHOP)
        opened.execute(
            "INSERT INTO users (email, note, mood) SELECT g, CASE WHEN g < 4 THEN 'x' END,"
            " CASE WHEN g < 6 THEN 'sad'::mood END FROM generate_series(1, 9) g"
        )
        yield opened
    drop_database(made)


@pytest.mark.parametrize("text", SCRIPTS)
def test_an_obstacle_is_foreseen_exactly_when_the_server_refuses(
    connection: psycopg.Connection[Any], parser: Parser, text: str
) -> None:
    data = text.encode()
    script = read_script(
        Source(path="x.sql", data=data, start=0, end=len(data)), first_index=1, trees=parser.trees
    )
    found = catalog.dependents(connection, script.statements)
    foreseen = {d.statement for d in found if not d.cascades}
    refused: set[int] = set()
    before = catalog.snapshot(connection)
    with connection.transaction(force_rollback=True):
        for statement in script.statements:
            try:
                with connection.transaction():
                    connection.execute(statement.sql.encode())
            except psycopg.errors.DependentObjectsStillExist:
                refused.add(statement.index)
                break
    assert before == catalog.snapshot(connection)
    assert {min(foreseen)} == refused if foreseen else refused == set()


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("ALTER TABLE users DROP COLUMN note", ["3 values of public.users.note"]),
        ('DROP TABLE "Ord|er", extra.loose', None),
        ("DROP TYPE mood CASCADE", ["5 values of public.users.mood"]),
        ("DROP TABLE users CASCADE", ["9 rows of public.users"]),
        ("TRUNCATE users CASCADE", ['0 rows of public."Ord|er"', "9 rows of public.users"]),
        ("DELETE FROM users WHERE id = 1", ["an unknown number of rows of public.users"]),
        ("DROP TABLE IF EXISTS nowhere", []),
        ("CREATE TABLE more (a int)", []),
    ],
)
def test_losses_of_real_statements(
    connection: psycopg.Connection[Any], parser: Parser, text: str, lost: list[str] | None
) -> None:
    data = text.encode()
    script = read_script(
        Source(path="x.sql", data=data, start=0, end=len(data)), first_index=1, trees=parser.trees
    )
    found = sorted(
        loss.describe() for s in script.statements for loss in counts.losses(connection, s, 10)
    )
    assert found == (
        lost if lost is not None else ["0 rows of extra.loose", '0 rows of public."Ord|er"']
    )
