"""The gateway, with real clients: what they send arrives, what is recorded is what they sent, and
where nothing may be written nothing is."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.postgres.gateway import Gateway, Recorded
from rollback_tui.postgres.gateway.listener import MOST_SESSIONS
from tests.conftest import Database
from tests.frameworks import installed


@pytest.fixture
def gateway(database: Database) -> Iterator[Gateway]:
    """A gateway to a database with one table."""
    with database.connect() as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, name text)")
        connection.execute("INSERT INTO t VALUES (1, 'one'), (2, NULL)")
    with Gateway(database.dsn, read_only=False) as opened:
        yield opened


def sent(gateway: Gateway, word: str) -> list[Recorded]:
    """Return what was recorded with ``word`` in it."""
    return [entry for entry in gateway.recording.entries if word in entry.text]


def rows(database: Database) -> list[tuple[object, ...]]:
    with database.connect() as connection:
        return connection.execute("SELECT * FROM t ORDER BY id").fetchall()


def test_what_psycopg_does(gateway: Gateway, database: Database) -> None:
    with psycopg.connect(gateway.address.url) as client:
        assert client.info.dbname == database.name
        client.execute("INSERT INTO t VALUES (%s, %s)", [3, "o'clock"])
        binary = client.execute("SELECT id, name FROM t ORDER BY id", binary=True).fetchall()
        assert binary == [(1, "one"), (2, None), (3, "o'clock")]
        for number in range(7):  # after five it is prepared under a name
            found = client.execute("SELECT name FROM t WHERE id = %s", [number]).fetchone()
            assert found == {1: ("one",), 2: (None,), 3: ("o'clock",)}.get(number)
        with client.cursor("a cursor") as cursor:
            cursor.itersize = 2
            cursor.execute("SELECT generate_series(1, 5)")
            assert [row[0] for row in cursor] == [1, 2, 3, 4, 5]
        with client.cursor().copy("COPY t FROM STDIN") as copy:
            copy.write_row((4, "four"))
        with client.cursor().copy("COPY t (name) TO STDOUT") as copy:
            assert list(copy.rows()) == [("one",), (None,), ("o'clock",), ("four",)]
        client.commit()
    assert rows(database)[2:] == [(3, "o'clock"), (4, "four")]
    (inserted,) = sent(gateway, "INSERT")
    assert [p.value for p in inserted.parameters] == [b"\0\3", b"o'clock"]
    assert [p.type for p in inserted.parameters] == [
        21,
        25,
    ]  # int2 as psycopg says, text as the server takes it
    assert (inserted.tags, inserted.status, inserted.simple) == (("INSERT 0 1",), "T", False)


def test_errors_are_those_of_the_server(gateway: Gateway) -> None:
    notices: list[str | None] = []
    with psycopg.connect(gateway.address.url) as client:
        client.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        client.execute("DO $$ BEGIN RAISE NOTICE 'look'; END $$")
        with pytest.raises(psycopg.errors.UniqueViolation) as caught:
            client.execute("INSERT INTO t VALUES (1)")
        assert (caught.value.diag.constraint_name, caught.value.diag.table_name) == ("t_pkey", "t")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            client.execute("SELECT 1")
        client.rollback()
        assert client.execute("SELECT count(*) FROM t").fetchone() == (2,)
    assert notices == ["look"]
    (failed,) = sent(gateway, "INSERT")
    assert (failed.sqlstate, failed.tags) == ("23505", ())
    assert "duplicate key" in failed.error


def test_one_batch_is_one_transaction(gateway: Gateway, database: Database) -> None:
    """What stands between two Syncs, or in one simple query, is undone together."""
    with psycopg.connect(gateway.address.url, autocommit=True) as client:
        with pytest.raises(psycopg.errors.DivisionByZero), client.pipeline():
            client.execute("INSERT INTO t VALUES (%s)", [5])
            client.execute("SELECT 1 / %s", [0])
            client.execute("INSERT INTO t VALUES (%s)", [6])
        with pytest.raises(psycopg.errors.DivisionByZero):
            client.execute("INSERT INTO t VALUES (7); SELECT 1/0; INSERT INTO t VALUES (8)")
        client.execute("INSERT INTO t VALUES (9); SELECT 1")
    assert [row[0] for row in rows(database)] == [1, 2, 9]
    fifth, *_ = sent(gateway, "INSERT")
    assert {e.batch for e in sent(gateway, "1 /")} == {fifth.batch}
    assert [e.tags for e in sent(gateway, "(7)")] == [("INSERT 0 1",)]
    assert [e.tags for e in sent(gateway, "(9)")] == [("INSERT 0 1", "SELECT 1")]


def test_settings_from_the_start_and_later(gateway: Gateway) -> None:
    options = "-c search_path=pg_catalog -c statement_timeout=1234\\ ms"
    with psycopg.connect(gateway.address.url, options=options) as client:
        assert client.execute("SHOW search_path").fetchone() == ("pg_catalog",)
        assert client.execute("SHOW statement_timeout").fetchone() == ("1234ms",)
        client.execute("SET TimeZone = 'Asia/Tokyo'")
        assert client.info.parameter_status("TimeZone") == "Asia/Tokyo"
    assert sent(gateway, "set_config(E'search_path', E'pg_catalog', false)")
    with pytest.raises(psycopg.OperationalError, match="unrecognized configuration parameter"):
        psycopg.connect(gateway.address.url, options="-c no_such_thing=1")


def test_only_the_address_lets_in(gateway: Gateway) -> None:
    address = gateway.address
    for wrong in (
        {"password": "guessed"},
        {"user": "postgres"},
        {"dbname": "postgres"},
        {"replication": "database"},
    ):
        with pytest.raises(psycopg.OperationalError, match="rollback_tui"):
            psycopg.connect(address.url, **wrong)  # type: ignore[arg-type]
    with socket.create_connection((address.host, address.port)) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b"rollback_tui" in raw.recv(1000)
        with contextlib.suppress(ConnectionResetError):
            assert raw.recv(1000) == b""
    assert gateway.recording.sessions == 0
    assert len(gateway.recording.turned_away) == 5
    with psycopg.connect(address.url) as client:
        assert client.execute("SELECT 1").fetchone() == (1,)
    assert address.password not in repr(gateway.recording.entries)


def test_a_database_that_cannot_be_reached_opens_no_gateway(database: Database) -> None:
    elsewhere = psycopg.conninfo.make_conninfo(database.dsn, dbname="no_such_database")
    with pytest.raises(ConnectionFailed), Gateway(elsewhere, read_only=True):
        pass


def test_many_sessions_each_with_its_own_transaction(gateway: Gateway) -> None:
    clients = [psycopg.connect(gateway.address.url) for _ in range(MOST_SESSIONS)]
    for number, client in enumerate(clients):
        client.execute("INSERT INTO t VALUES (%s)", [100 + number])
    with pytest.raises(psycopg.OperationalError, match="sessions at once"):
        psycopg.connect(gateway.address.url)
    assert clients[0].execute("SELECT count(*) FROM t").fetchone() == (3,)
    for client in clients:
        client.close()
    assert len({entry.session for entry in sent(gateway, "INSERT")}) == MOST_SESSIONS


def backends(database: Database) -> int:
    with database.connect(superuser=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = %s AND application_name = 'rollback_tui gateway'",
            [database.name],
        ).fetchone()
    assert row is not None
    return int(str(row[0]))


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_dead_program_leaves_nothing_behind(gateway: Gateway, database: Database) -> None:
    client = psycopg.connect(gateway.address.url)
    client.execute("INSERT INTO t VALUES (50)")
    waiting = threading.Thread(target=asleep, args=[client])
    waiting.start()
    until(lambda: bool(sent(gateway, "pg_sleep")))
    assert backends(database) == 1
    with socket.socket(fileno=os.dup(client.fileno())) as own:
        own.shutdown(socket.SHUT_RDWR)
    waiting.join()
    until(lambda: backends(database) == 0)
    assert [row[0] for row in rows(database)] == [1, 2]


def asleep(client: psycopg.Connection[tuple[object, ...]]) -> None:
    with pytest.raises(psycopg.OperationalError):
        client.execute("SELECT pg_sleep(600)")


def test_all_ends_with_the_context(database: Database) -> None:
    with Gateway(database.dsn, read_only=True) as opened:
        client = psycopg.connect(opened.address.url)
        waiting = threading.Thread(target=asleep, args=[client])
        waiting.start()
        until(lambda: bool(sent(opened, "pg_sleep")))
    waiting.join()
    until(lambda: backends(database) == 0)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(opened.address.url)


def test_it_ends_by_itself_at_its_deadline(database: Database) -> None:
    with Gateway(database.dsn, read_only=True, seconds=1) as opened:
        client = psycopg.connect(opened.address.url)
        asleep(client)


def test_a_query_can_be_cancelled(gateway: Gateway) -> None:
    with psycopg.connect(gateway.address.url) as client:
        timer = threading.Timer(0.2, client.cancel_safe)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            client.execute("SELECT pg_sleep(600)")
        timer.join()


def test_a_row_limit_is_kept_and_a_portal_goes_on(gateway: Gateway) -> None:
    """No client at hand asks so but pgjdbc: by hand, in one batch."""

    def message(kind: bytes, content: bytes = b"") -> bytes:
        return kind + struct.pack("!I", len(content) + 4) + content

    address = gateway.address
    start = f"user\0{address.user}\0database\0{address.database}\0\0".encode()
    execute = message(b"E", b"p\0" + struct.pack("!i", 2))
    with socket.create_connection((address.host, address.port)) as raw:
        raw.sendall(struct.pack("!II", len(start) + 8, 196608) + start)
        raw.sendall(message(b"p", address.password.encode() + b"\0"))
        # Two columns, the first in binary, the second as text.
        query = b"SELECT g, g::text || '!' FROM generate_series(1, 3) g"
        raw.sendall(message(b"P", b"s\0" + query + b"\0\0\0"))
        raw.sendall(message(b"B", b"p\0s\0" + struct.pack("!HHHHH", 0, 0, 2, 1, 0)))
        raw.sendall(message(b"D", b"Pp\0") + execute + execute + message(b"S"))
        raw.sendall(message(b"X"))
        heard = b"".join(iter(lambda: raw.recv(65536), b""))
    kinds = []
    data = []
    while heard:
        kind, length = heard[:1], struct.unpack("!I", heard[1:5])[0]
        kinds.append(kind.decode())
        if kind == b"D":
            data.append(heard[7 : length + 1])
        heard = heard[length + 1 :]
    assert "".join(kinds).split("Z")[1] == "12TDDsDC"
    assert data[2] == struct.pack("!iii", 4, 3, 2) + b"3!"


# --- nothing is written ------------------------------------------------------------------------

READ_WRITE = (
    "INSERT INTO t VALUES (99)",
    "SET default_transaction_read_only = off",
    "INSERT INTO t VALUES (99)",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "INSERT INTO t VALUES (99)",
    "SET transaction_read_only = off",
    "BEGIN READ WRITE",
    "INSERT INTO t VALUES (99)",
    "ROLLBACK",
    "BEGIN",
    "SET TRANSACTION READ WRITE",
    "INSERT INTO t VALUES (99)",
    "COMMIT",
    "BEGIN",
    "SAVEPOINT s",
    "SET LOCAL transaction_read_only = off",
    "ROLLBACK TO s",
    "INSERT INTO t VALUES (99)",
    "COMMIT",
    "SELECT smuggled()",
    "SELECT set_config('default_transaction_read_only', 'off', false)",
    "CALL ended()",
    "DO $$ BEGIN COMMIT; INSERT INTO t VALUES (99); END $$",
    "/* x */ COMMIT -- y",
    "INSERT INTO t VALUES (99)",
    "SELECT 1; COMMIT; SET transaction_read_only = off; INSERT INTO t VALUES (99)",
    "COMMIT; BEGIN READ WRITE; INSERT INTO t VALUES (99)",
    "PREPARE q AS INSERT INTO t VALUES (99)",
    "EXECUTE q",
    "CREATE TABLE u ()",
    "VACUUM t",
)
ENDING = (
    "COMMIT AND CHAIN",
    "PREPARE TRANSACTION 'x'",
    "COMMIT PREPARED 'x'",
    "COPY t FROM STDIN",
    "COPY t TO PROGRAM 'cat'",
    "BEGIN; COMMIT AND CHAIN; SET transaction_read_only = off; INSERT INTO t VALUES (99)",
)


@pytest.mark.parametrize("prepared", [False, True])
def test_nothing_can_be_written_where_it_may_only_read(
    database: Database, *, prepared: bool
) -> None:
    """As a superuser, who may do anything else."""
    with database.connect() as connection:
        connection.execute("CREATE TABLE t (id int, name text)")
        connection.execute(
            "CREATE FUNCTION smuggled() RETURNS int LANGUAGE plpgsql AS $$ BEGIN"
            " PERFORM set_config('transaction_read_only', 'off', true);"
            " INSERT INTO t VALUES (99); RETURN 1; END $$"
        )
        connection.execute(
            "CREATE PROCEDURE ended() LANGUAGE plpgsql AS"
            " $$ BEGIN COMMIT; INSERT INTO t VALUES (99); END $$"
        )
    with Gateway(database.superuser_dsn, read_only=True) as gateway:
        url = gateway.address.url
        with psycopg.connect(url, autocommit=True) as client:
            for text in READ_WRITE:
                try:
                    client.execute(text.encode(), prepare=prepared, binary=prepared)
                except psycopg.Error as error:
                    assert not client.closed, (text, error)
            client.execute("ROLLBACK")
            client.execute("SET search_path = pg_catalog")
            assert client.execute("SHOW search_path").fetchone() == ("pg_catalog",)
            with client.transaction():
                found = client.execute("SELECT count(*) FROM public.t", prepare=prepared)
                assert found.fetchone() == (0,)
        for text in ENDING:
            client = psycopg.connect(url, autocommit=True)
            with pytest.raises(psycopg.Error):
                client.execute(text.encode(), binary=prepared)
                client.execute("SELECT 1/0")  # what does not end it must fail of itself
            client.close()
    assert rows(database) == []


def test_pipelines_and_errors_where_it_may_only_read(database: Database) -> None:
    with (
        Gateway(database.dsn, read_only=True) as gateway,
        psycopg.connect(gateway.address.url) as client,
    ):
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), client.pipeline():
            client.execute("SELECT %s::int", [1])
            client.execute("CREATE TABLE t ()")
        client.rollback()
        with client.pipeline():
            first = client.execute("SELECT %s::int", [1])
            second = client.execute("SELECT %s::text", ["two"])
        assert (first.fetchall(), second.fetchall()) == ([(1,)], [("two",)])
        client.commit()


# --- other clients -------------------------------------------------------------------------------

NODE = """
const { Client, Pool } = require(process.argv[1]);
(async () => {
  const out = {};
  const url = process.env.DATABASE_URL;
  const c = new Client({ connectionString: url });
  await c.connect();
  out.several = (await c.query('SELECT 1 AS a; SELECT 2 AS a')).map(r => r.rows[0].a);
  await c.query('BEGIN');
  await c.query('INSERT INTO t VALUES ($1, $2)', [10, 'ten']);
  await c.query('INSERT INTO t VALUES ($1, $2)', [11, null]);
  await c.query('COMMIT');
  const named = { name: 'n', text: 'SELECT name FROM t WHERE id = $1' };
  out.named = [(await c.query({ ...named, values: [10] })).rows[0].name,
               (await c.query({ ...named, values: [1] })).rows[0].name];
  out.binary = (await c.query({ text: 'SELECT id FROM t ORDER BY id', binary: true })).rows;
  out.limited = (await c.query({ text: 'SELECT id FROM t WHERE id < $1', values: [99], rows: 1 }))
    .rows.length;
  out.empty = (await c.query('')).rows;
  try { await c.query('INSERT INTO t VALUES ($1)', [10]); } catch (e) { out.code = e.code; }
  try { await c.query('SELEKT'); } catch (e) { out.position = e.position; }
  await c.end();
  const pool = new Pool({ connectionString: url, max: 4 });
  out.pool = await Promise.all([1, 2, 3, 4].map(
    n => pool.query('SELECT $1::int AS n, pg_sleep(0.05)', [n]).then(r => r.rows[0].n)));
  await pool.end();
  console.log(JSON.stringify(out));
})().catch(e => { console.error(e); process.exit(1); });
"""


def test_what_node_does(gateway: Gateway, database: Database) -> None:
    library = installed.npm("knex").parents[1] / "pg"
    done = subprocess.run(
        [str(installed.debian("node")), "-e", NODE, str(library)],
        env=installed.bare_environment(**gateway.address.environment()),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "several": [1, 2],
        "named": ["ten", "one"],
        "binary": [{"id": number} for number in (1, 2, 10, 11)],
        "limited": 4,
        "empty": [],
        "code": "23505",
        "position": "1",
        "pool": [1, 2, 3, 4],
    }
    assert rows(database)[2:] == [(10, "ten"), (11, None)]
    written = [[p.value for p in entry.parameters] for entry in sent(gateway, "INSERT")]
    assert written == [[b"10", b"ten"], [b"11", None], [b"10"]]
    assert {entry.status for entry in sent(gateway, "$1, $2")} == {"T"}


RUBY = """
require "pg"
c = PG.connect
c.exec("BEGIN")
c.exec_params("INSERT INTO t VALUES ($1, $2)", [20, "zwanzig"])
c.prepare("q", "SELECT name FROM t WHERE id = $1")
puts c.exec_prepared("q", [20]).getvalue(0, 0)
c.exec("DEALLOCATE q")
begin
  c.exec_prepared("q", [20])
rescue PG::InvalidSqlStatementName => e
  puts e.class
end
c.exec("ROLLBACK")
puts c.exec("SELECT id FROM t ORDER BY id").values.inspect
c.send_query("SELECT 1")
c.set_single_row_mode
puts c.get_result.getvalue(0, 0)
"""


def test_what_ruby_does(gateway: Gateway) -> None:
    done = subprocess.run(
        [str(installed.debian("ruby")), "-e", RUBY],
        env=installed.bare_environment(**gateway.address.environment()),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "cannot load such file -- pg" in done.stderr:
        pytest.skip("ruby-pg is not installed")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:4] == [
        "zwanzig",
        "PG::InvalidSqlStatementName",
        '[["1"], ["2"]]',
        "1",
    ]


def test_a_text_in_another_encoding_is_recorded_as_it_reads(gateway: Gateway) -> None:
    with psycopg.connect(gateway.address.url, client_encoding="latin1") as client:
        client.execute("INSERT INTO t VALUES (30, 'größer')")
        found = client.execute("SELECT name FROM t WHERE id = 30").fetchone()
    assert found == ("größer",)
    assert [entry.text for entry in sent(gateway, "größer")]


def test_the_owner_is_the_one_who_writes(gateway: Gateway, database: Database) -> None:
    """The program's own name for itself does not hide that it comes through the gateway."""
    with psycopg.connect(gateway.address.url, application_name="tool") as client:
        asked = sql.SQL("SELECT session_user, current_setting('application_name')")
        assert client.execute(asked).fetchone() == (database.owner, "rollback_tui gateway")
