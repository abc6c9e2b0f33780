"""Connections: what is said when one fails, and what is handed on when one works."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres import connect as connect_module
from rollback_tui.postgres.connect import (
    connect,
    password_of,
    resolved,
    target,
    through_pooler,
    with_database,
    without_password,
)
from tests.conftest import Database

SECRET = "corr3ct-horse'battery 日本"


@dataclass
class Guarded:
    """A server that asks one role for a password."""

    server: EmbeddedServer
    user: str = "guarded"

    def parameters(self, **other: object) -> dict[str, object]:
        return {
            "host": "127.0.0.1",
            "port": self.server.port,
            "dbname": "postgres",
            "user": self.user,
        } | other

    def dsn(self, **other: object) -> str:
        return conninfo.make_conninfo("", **self.parameters(**other))


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    server = EmbeddedServer(major=18, tcp=True)
    try:
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute(
                psycopg.sql.SQL("CREATE ROLE guarded LOGIN PASSWORD {}").format(
                    psycopg.sql.Literal(SECRET)
                )
            )
            admin.execute("CREATE ROLE barred LOGIN")
            row = admin.execute("SHOW hba_file").fetchone()
            assert row is not None
            file = Path(str(row[0]))
            file.write_text(
                "host all guarded 127.0.0.1/32 scram-sha-256\n"
                "host all barred 127.0.0.1/32 reject\n"
                "local all postgres trust\n"
            )
            admin.execute("SELECT pg_reload_conf()")
        yield Guarded(server)
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [n for n in os.environ if n.startswith("PG")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "no-passfile"))


def failure(dsn: str, seconds: float = 5) -> ConnectionFailed:
    with pytest.raises(ConnectionFailed) as caught:
        connect(dsn, timeout=seconds)
    error = caught.value
    assert error.remedy
    assert "\n" not in error.summary
    assert error.__cause__ is None
    return error


@pytest.mark.parametrize("wrong", ["wrong-password-7", "x", "password", "with  two spaces"])
def test_a_wrong_password(guarded: Guarded, wrong: str) -> None:
    error = failure(guarded.dsn(password=wrong))
    assert "authentication failed" in error.summary
    assert "Check user and password" in error.remedy
    if len(wrong) > 8:
        assert wrong not in error.summary + error.remedy


def test_no_password(guarded: Guarded) -> None:
    assert "pgpass" in failure(guarded.dsn()).remedy


def test_a_role_that_pg_hba_bars(guarded: Guarded) -> None:
    error = failure(guarded.dsn(user="barred", password=SECRET))
    assert "pg_hba" in error.summary
    assert SECRET not in error.summary


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    error = failure(f"host=127.0.0.1 port={port} user=x dbname=x password=hunter2hunter2")
    assert "Is the server running" in error.remedy
    assert "hunter2" not in error.summary


def test_no_socket_there(tmp_path: Path) -> None:
    assert "socket directory" in failure(f"host={tmp_path} port=5432 user=x").remedy


def test_a_server_that_never_answers_has_a_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        error = failure(f"host=127.0.0.1 port={port} user=x password=hunter2hunter2", 2)
    assert "firewall" in error.remedy
    assert "hunter2" not in error.summary


def test_an_unknown_host() -> None:
    error = failure("postgresql://u:hunter2hunter2@no-such-host.invalid/d")
    assert "host name" in error.remedy
    assert "hunter2" not in error.summary


def test_an_unknown_database_or_role(server: EmbeddedServer) -> None:
    assert "name of the database" in failure(server.dsn("nowhere")).remedy
    assert "role" in failure(server.dsn("postgres", "nobody_at_all")).remedy


@pytest.mark.parametrize(
    "dsn",
    [
        "host=127.0.0.1 port=1 password=my hunter2",
        "host=127.0.0.1 port=1 password='hunter2",
        "postgresql://u:p%zzhunter2@127.0.0.1:1/d",
        "postgresql://u:hun@ter2:hunter2@127.0.0.1:1/d",
        "postgresql://u:p@hunter2@127.0.0.1:1/d",
        "hunter2",
        "hunter2 = = x",
    ],
)
def test_a_malformed_string_is_never_repeated(dsn: str) -> None:
    error = failure(dsn, 2)
    assert "hunter2" not in f"{error.summary} {error.remedy} {error!r}"
    assert "%40" in error.remedy


def test_what_the_server_says_cannot_write_on_the_terminal(server: EmbeddedServer) -> None:
    assert "\x1b" not in failure(server.dsn("a\x1b[31mred")).summary


def test_a_connection_commits_each_statement_and_is_recognisable(database: Database) -> None:
    with connect(database.dsn, application="rollback_tui test") as connection:
        connection.execute("CREATE TABLE t (i int)")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        row = connection.execute(
            "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        ).fetchone()
    assert row == ("rollback_tui test",)


def test_what_is_sent_is_told_before_it_goes_out(database: Database) -> None:
    sent: list[str] = []
    with connect(database.dsn, sent=sent.append) as connection:
        connection.execute("SELECT 1")
        connection.execute(psycopg.sql.SQL("SELECT 2 AS {}").format(psycopg.sql.Identifier("a b")))
        connection.execute(b"SELECT 3")
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT nonsense")
    assert sent == ["SELECT 1", 'SELECT 2 AS "a b"', "SELECT 3", "SELECT nonsense"]


def test_it_works_with_the_right_password(guarded: Guarded) -> None:
    with connect(guarded.dsn(password=SECRET)) as connection:
        assert target(connection).user == "guarded"


CHILD = """
import json, sys
from rollback_tui.postgres.connect import connect, target
with connect(sys.stdin.read()) as connection:
    found = target(connection)
    row = connection.execute("SHOW work_mem").fetchone()
print(json.dumps([found.fingerprint, found.user, row[0]]))
"""


def child(dsn: str) -> list[str]:
    """Connect in a process that has nothing of our environment."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=dsn,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: list[str] = json.loads(done.stdout)
    return answer


def settings(monkeypatch: pytest.MonkeyPatch, guarded: Guarded, tmp_path: Path, how: str) -> str:
    """Say in one of libpq's ways how to connect; return the DSN that is left to give."""
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=5MB")
    if how == "passfile":
        file = tmp_path / "pgpass"
        escaped = SECRET.replace("\\", "\\\\").replace(":", "\\:")
        file.write_text(f"127.0.0.1:*:*:guarded:{escaped}\n")
        file.chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(file))
        return guarded.dsn()
    if how == "service":
        file = tmp_path / "services"
        lines = [f"{k}={v}" for k, v in guarded.parameters(password=SECRET).items()]
        file.write_text("[shop]\n" + "\n".join(lines) + "\n")
        monkeypatch.setenv("PGSERVICEFILE", str(file))
        return "service=shop"
    for name, value in (
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", str(guarded.server.port)),
        ("PGUSER", "guarded"),
        ("PGPASSWORD", SECRET),
        ("PGDATABASE", "postgres"),
    ):
        monkeypatch.setenv(name, value)
    return ""


@pytest.mark.parametrize("how", ["environment", "passfile", "service"])
def test_what_was_used_works_in_a_process_with_another_environment(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    dsn = settings(monkeypatch, guarded, tmp_path, how)
    with connect(dsn) as connection:
        used, found = resolved(connection), target(connection)
    assert child(used) == [found.fingerprint, "guarded", "5MB"]


def test_of_several_hosts_the_one_that_answered_is_handed_on(guarded: Guarded) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        closed = listening.getsockname()[1]
    dsn = guarded.dsn(
        host="localhost,localhost",
        hostaddr="127.0.0.1,127.0.0.1",
        port=f"{closed},{guarded.server.port}",
        password=SECRET,
    )
    with connect(dsn) as connection:
        used = resolved(connection)
    assert conninfo.conninfo_to_dict(used)["port"] == str(guarded.server.port)
    assert child(used)[1] == "guarded"


def test_passwords_are_found_and_taken_out() -> None:
    for dsn in ("postgresql://u:se%40cret@h/d", "host=h user=u password=se@cret"):
        assert password_of(dsn) == "se@cret"
        assert conninfo.conninfo_to_dict(without_password(dsn)).keys() == (
            {"user", "host", "dbname"} if "//" in dsn else {"user", "host"}
        )
    for dsn in (
        "host=h password='s3cret",
        "postgresql://u:a@s3cret@h/d",
        "host=h sslpassword=s3cret",
    ):
        assert "s3cret" not in without_password(dsn)
    assert without_password("postgresql://u@h/d") == "postgresql://u@h/d"
    assert password_of("host=h") == ""
    assert password_of("not a dsn") == ""
    assert conninfo.conninfo_to_dict(with_database("postgresql://u:x@h/d", "e f")) == {
        "user": "u",
        "password": "x",
        "host": "h",
        "dbname": "e f",
    }


def test_the_target_is_recognised_again_and_told_from_another(
    database: Database, database16: Database
) -> None:
    with connect(database.dsn) as one, connect(database.superuser_dsn) as two:
        first, again = target(one), target(two)
    with connect(database16.dsn) as other:
        elsewhere = target(other)
    with connect(database.server.dsn()) as beside:
        neighbour = target(beside)
    assert first.fingerprint == again.fingerprint
    assert len({first.fingerprint, elsewhere.fingerprint, neighbour.fingerprint}) == 3
    assert (first.database, first.database_oid) == (database.name, database.oid)
    assert (first.major, elsewhere.major, first.role) == (18, 16, "primary")


@contextlib.contextmanager
def relay(server_port: int) -> Iterator[int]:
    """Pass one connection on, with another process id in its BackendKeyData message."""
    listening = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, drain: socket.socket, *, changed: bool) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                place = part.find(b"K\x00\x00\x00")
                if changed and place >= 0:
                    part = part[: place + 5] + struct.pack("!i", 4242) + part[place + 9 :]
                    changed = False
                drain.sendall(part)
            drain.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with (
            contextlib.suppress(OSError),
            listening.accept()[0] as client,
            socket.create_connection(("127.0.0.1", server_port)) as server,
        ):
            back = threading.Thread(target=pump, args=(server, client), kwargs={"changed": True})
            back.start()
            pump(client, server, changed=False)
            back.join()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


def test_a_direct_connection_is_told_from_one_through_a_pooler(database: Database) -> None:
    """The pooler is a relay that hands out a cancellation key of its own, as every pooler does."""
    with connect(database.dsn) as connection:
        assert not through_pooler(connection)
    with (
        relay(database.server.tcp_port) as port,
        connect(f"{database.dsn} host=127.0.0.1 port={port} sslmode=disable") as connection,
    ):
        assert through_pooler(connection)


def test_utf8_is_spoken_whatever_the_database_speaks(server: EmbeddedServer) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        try:
            with connect(server.dsn("latin")) as connection:
                assert connection.execute("SELECT length('ä'::text), 'ä'").fetchone() == (1, "ä")
                row = connection.execute(
                    "SELECT length('ä'::text)".encode(), binary=True
                ).fetchone()
                assert row == (1,)
        finally:
            admin.execute("DROP DATABASE latin WITH (FORCE)")


def test_the_least_secret_is_longer_than_a_word_of_the_server(
    guarded: Guarded,
) -> None:
    """Blotting out the password ``a`` would show where each of its letters is."""
    error = failure(guarded.dsn(password="a"))
    assert "***" not in error.summary
    assert connect_module._LEAST_SECRET > 1


def shown(connection: connect_module.Connection, name: str) -> str | None:
    row = connection.execute("SELECT current_setting(%s, true)", [name]).fetchone()
    return None if row is None else row[0]


@pytest.mark.parametrize("version", [16, 18])
def test_a_watchful_session_is_watched_from_both_sides(
    server: EmbeddedServer, server16: EmbeddedServer, version: int
) -> None:
    """As an ordinary user may set it; the settings of newer servers only there."""
    chosen = {16: server16, 18: server}[version]
    with connect(chosen.tcp_dsn()) as connection:
        connection.execute("CREATE ROLE ordinary LOGIN")
    try:
        with connect(chosen.tcp_dsn(user="ordinary")) as connection:
            connect_module.watchful(connection)
            found = {
                name: shown(connection, name)
                for name in (
                    "tcp_keepalives_idle",
                    "tcp_keepalives_interval",
                    "tcp_keepalives_count",
                    "tcp_user_timeout",
                    "client_connection_check_interval",
                    "idle_in_transaction_session_timeout",
                    "idle_session_timeout",
                    "transaction_timeout",
                )
            }
            ours = connection.fileno()
            with socket.fromfd(ours, socket.AF_INET, socket.SOCK_STREAM) as own:
                assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 1
                assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 1
                assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3
                assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 3500
    finally:
        with connect(chosen.tcp_dsn()) as connection:
            connection.execute("DROP ROLE ordinary")
    assert found == {
        "tcp_keepalives_idle": "1",
        "tcp_keepalives_interval": "1",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "3500",
        "client_connection_check_interval": "500ms",
        "idle_in_transaction_session_timeout": "0",
        "idle_session_timeout": "0",
        "transaction_timeout": "0" if version >= 17 else None,
    }


def test_over_a_unix_socket_it_is_watchful_as_far_as_that_goes(database: Database) -> None:
    with connect(database.dsn) as connection:
        connect_module.watchful(connection)
        assert shown(connection, "client_connection_check_interval") == "500ms"
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_setting_that_the_server_refuses_does_not_keep_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a platform where client_connection_check_interval can only be 0."""
    monkeypatch.setitem(connect_module._WATCHFUL, "server_version", "1")
    monkeypatch.setitem(connect_module._WATCHFUL, "no_such_setting", "1")
    with connect(database.dsn) as connection:
        connection.execute("SET idle_in_transaction_session_timeout = 5000")
        connect_module.watchful(connection)
        assert shown(connection, "idle_in_transaction_session_timeout") == "0"
        assert shown(connection, "client_connection_check_interval") == "500ms"
        admin = database.connect(superuser=True)
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
        with pytest.raises(psycopg.OperationalError):
            connect_module.watchful(connection)


def test_what_the_dsn_says_of_keepalives_is_kept(server: EmbeddedServer) -> None:
    dsn = server.tcp_dsn() + " keepalives_idle=77 tcp_user_timeout=90000"
    with (
        connect(dsn) as connection,
        socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as own,
    ):
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 77
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 1
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 90000


def test_the_timeline_is_known_to_an_ordinary_user(database: Database) -> None:
    with connect(database.dsn) as connection:
        assert target(connection).timeline == 1
