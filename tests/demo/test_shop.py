"""The shop's schema and data: what the demo promises about them is counted here."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest

from rollback_tui.core.script.split import split
from rollback_tui.demo import shop
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.archive import archives
from rollback_tui.postgres.archive.restore import restore
from tests.conftest import Database
from tests.postgres.archiving import Judge, roll_back, statements
from tests.postgres.archiving import judge as judge


@pytest.fixture(scope="module")
def filled() -> Iterator[EmbeddedServer]:
    """A server with the whole shop, and nobody who works on it."""
    server = EmbeddedServer()
    shop.create(server)
    owner = server.dsn(shop.DATABASE, shop.OWNER)
    *earlier, newest = shop.files()
    for path in earlier:
        shop.migrate_up(owner, path)
    shop.fill(server)
    shop.migrate_up(owner, newest)
    shop.verify_users(owner)
    yield server
    server.stop()


@pytest.fixture
def connection(filled: EmbeddedServer) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(filled.dsn(shop.DATABASE, shop.OWNER)) as connection:
        yield connection
        connection.rollback()


def schema(database: Database) -> str:
    """The schema as pg_dump writes it, without what differs from call to call."""
    dumped = subprocess.run(
        [str(database.server.bin / "pg_dump"), "-s", "-d", database.dsn],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # Since 18.0 and the minor releases of August 2025 a random key is in it.
    return re.sub(r"^\\(un)?restrict .*$", "", dumped, flags=re.MULTILINE)


def test_there_are_seven_migrations_and_the_newest_is_user_verification() -> None:
    names = [path.stem for path in shop.files()]
    assert len(names) == 7
    assert names[-1] == "20240115103000_add_user_verification"
    assert names[-1].startswith(shop.NEWEST)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 6])
def test_down_brings_back_what_was_before_up(database: Database, number: int) -> None:
    connection = database.connect()
    connection.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
    for path in shop.files()[:number]:
        shop.migrate_up(database.dsn, path)
    before = schema(database)
    path = shop.files()[number]
    shop.migrate_up(database.dsn, path)
    assert schema(database) != before
    connection.execute(shop.sections(path)[1].encode())
    assert schema(database) == before


def test_the_one_before_leaves_a_label_behind_and_forgets_a_not_null(database: Database) -> None:
    database.connect().execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
    *earlier, forgetful, _ = shop.files()
    assert forgetful.name.startswith(shop.FORGETFUL)
    for path in earlier:
        shop.migrate_up(database.dsn, path)
    before = Counter(line.strip() for line in schema(database).splitlines())
    shop.migrate_up(database.dsn, forgetful)
    database.connect().execute(shop.sections(forgetful)[1].encode())
    after = Counter(line.strip() for line in schema(database).splitlines())
    assert list(before - after) == ["order_id bigint NOT NULL,"]
    assert list(after - before) == ["'refunded',", "order_id bigint,"]


def test_down_brings_back_privileges_too(
    connection: psycopg.Connection[tuple[object, ...]],
) -> None:
    query = (
        "SELECT relname, relacl::text FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relname = 'active_users'"
    )
    before = connection.execute(query).fetchall()
    assert shop.APPLICATION in str(before)
    connection.execute(shop.sections(shop.files()[-1])[1].encode())
    assert connection.execute(query).fetchall() == before


def test_about_two_hundred_thousand_rows(
    connection: psycopg.Connection[tuple[object, ...]],
) -> None:
    tables = connection.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p')"
        " AND NOT relispartition AND relnamespace = 'public'::regnamespace"
    ).fetchall()
    counts = {}
    for (table,) in tables:
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        assert row is not None
        counts[table] = int(str(row[0]))
    assert sum(counts.values()) == 200_029
    assert all(counts.values()), counts
    assert {'"Order Notes"', '"größen"'} < set(counts)
    assert 12 <= len(counts) <= 16


def test_the_expected_losses_are_exact(
    connection: psycopg.Connection[tuple[object, ...]],
) -> None:
    row = connection.execute(
        "SELECT count(verified_at), count(verified_by),"
        " (SELECT count(*) FROM user_verification_tokens) FROM users"
    ).fetchone()
    assert row == tuple(
        shop.EXPECTED_LOSSES[name]
        for name in (
            "public.users.verified_at",
            "public.users.verified_by",
            "public.user_verification_tokens",
        )
    )


def test_every_foreign_key_holds(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    keys = connection.execute(
        "SELECT conrelid::regclass::text, confrelid::regclass::text,"
        " (SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]),"
        " (SELECT attname FROM pg_attribute WHERE attrelid = confrelid AND attnum = confkey[1])"
        " FROM pg_constraint WHERE contype = 'f'"
    ).fetchall()
    assert len(keys) >= 12
    for child, parent, column, key in keys:
        orphans = connection.execute(
            f'SELECT count(*) FROM {child} c WHERE c."{column}" IS NOT NULL'
            f' AND NOT EXISTS (SELECT FROM {parent} p WHERE p."{key}" = c."{column}")'.encode()
        ).fetchone()
        assert orphans == (0,), (child, column)


def test_the_next_keys_are_free(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    for table, column in (("users", "id"), ("orders", "id"), ('"Order Notes"', '"Note ID"')):
        row = connection.execute(
            f"SELECT nextval(pg_get_serial_sequence('{table}', '{column.strip(chr(34))}'))"
            f" > max({column}) FROM {table}".encode()
        ).fetchone()
        assert row == (True,)


def test_there_is_something_of_every_kind(
    connection: psycopg.Connection[tuple[object, ...]],
) -> None:
    kinds = connection.execute(
        "SELECT string_agg(DISTINCT relkind::text, '' ORDER BY relkind::text) FROM pg_class"
        " WHERE relnamespace IN ('public'::regnamespace, 'reporting'::regnamespace)"
    ).fetchone()
    # index, partitioned index, view, materialised view, sequence, table, partitioned table
    assert kinds is not None
    assert set("iIvmSrp") == set(str(kinds[0]))
    row = connection.execute(
        "SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal) >= 3,"
        " (SELECT count(*) FROM pg_type WHERE typtype = 'e') = 3,"
        " (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace) = 3"
    ).fetchone()
    assert row == (True, True, True)


def test_the_trigger_of_the_newest_migration_works(
    connection: psycopg.Connection[tuple[object, ...]],
) -> None:
    connection.execute("UPDATE user_verification_tokens SET used_at = now()")
    row = connection.execute("SELECT count(verified_at) FROM users").fetchone()
    assert row == (shop.VERIFIED_USERS + shop.TOKENS,)


def test_what_its_newest_migration_loses_can_be_kept_and_given_back(
    connection: psycopg.Connection[tuple[object, ...]], judge: Judge
) -> None:
    content = "SELECT t::text FROM users t UNION ALL SELECT t::text FROM {} t ORDER BY 1"
    lost = content.format("user_verification_tokens").encode()
    before = connection.execute(lost).fetchall()
    up, down = shop.sections(shop.files()[-1])
    texts = [
        down.encode()[piece.start : piece.end].decode() for piece in split(down.encode()).statements
    ]

    run = roll_back(connection, statements(judge, texts))

    (kept,) = archives(connection)
    assert {item.describe() for item in kept.items} == {
        f"{shop.TOKENS:,} rows of public.user_verification_tokens",
        f"{shop.VERIFIED_USERS:,} values of public.users.verified_at",
        f"{shop.VERIFIED_USERS:,} values of public.users.verified_by",
    }
    privilege = "SELECT has_schema_privilege(%s, %s, 'USAGE')"
    assert connection.execute(privilege, [shop.APPLICATION, kept.schema]).fetchone() == (False,)
    connection.execute(up.encode())
    restore(connection, kept)
    assert kept.run == run
    assert connection.execute(lost).fetchall() == before
