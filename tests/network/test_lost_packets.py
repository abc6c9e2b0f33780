"""Packets that vanish: the kernel's own filter drops those of one connection, in both directions,
as a pulled cable or a firewall that lost its state does. Nobody hears anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from rollback_tui.postgres.connect import Connection, connect, watchful
from tests.cli.conftest import Project, events, only
from tests.conftest import Database
from tests.network.conftest import through

NOTICED_SECONDS = 5.0
"""Both ends are told to give a connection up before, and do on a machine that has time for it."""
ENDED_SECONDS = 60.0
"""Who has not noticed by then follows the system's own limits: a quarter of an hour and more."""
TABLE = "rollback_tui_test"


def why_not() -> str:
    """Why packets cannot be dropped here; empty when they can."""
    if os.geteuid() != 0:
        return "only root may drop packets"
    if shutil.which("nft") is None:
        return "nft (package nftables) is not installed"
    probe = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False)
    return "" if probe.returncode == 0 else f"nft does not work here: {probe.stderr.strip()}"


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


class Filter:
    """Drops the packets of chosen connections to servers, on the loopback interface."""

    def __init__(self, *server_ports: int) -> None:
        self._servers = f"{{ {', '.join(map(str, server_ports))} }}"
        self._table = f"{TABLE}_{os.getpid()}"
        self._nft(f"add table inet {self._table}")
        hook = "{ type filter hook input priority 0 ; policy accept ; }"
        self._nft(f"add chain inet {self._table} drops {hook}")

    def drop(self, client_port: int) -> float:
        """Drop, from now on, what goes either way; return the moment (monotonic)."""
        self._nft(
            f"add rule inet {self._table} drops"
            f" tcp sport {client_port} tcp dport {self._servers} drop\n"
            f"add rule inet {self._table} drops"
            f" tcp sport {self._servers} tcp dport {client_port} drop"
        )
        return time.monotonic()

    def drop_all(self) -> float:
        """Drop everything to and from the servers."""
        self._nft(
            f"add rule inet {self._table} drops tcp dport {self._servers} drop\n"
            f"add rule inet {self._table} drops tcp sport {self._servers} drop"
        )
        return time.monotonic()

    def pass_again(self) -> None:
        """Let everything through."""
        self._nft(f"flush chain inet {self._table} drops")

    def remove(self) -> None:
        """Leave nothing behind."""
        self._nft(f"delete table inet {self._table}")

    def _nft(self, rules: str) -> None:
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)


@pytest.fixture
def packets(database: Database) -> Iterator[Filter]:
    made = Filter(database.server.tcp_port)
    yield made
    made.remove()


def tcp(database: Database) -> str:
    return database.server.tcp_dsn(database.name, database.owner)


def client_port(connection: Connection) -> int:
    row = connection.execute(
        "SELECT client_port FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    ).fetchone()
    assert row is not None
    return int(row[0])


def gone_after(database: Database, pid: int, since: float, limit: float) -> float:
    """Wait until the server has ended this backend; return the seconds that took."""
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        while admin.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone():
            assert time.monotonic() - since < limit, "the server has not noticed"
            time.sleep(0.05)
    return time.monotonic() - since


@pytest.mark.parametrize("doing", ["a long statement", "waiting for a lock", "nothing"])
def test_both_ends_notice_in_under_five_seconds(
    database: Database, packets: Filter, doing: str
) -> None:
    """The seconds are those that both ends were told; what is tested beyond is that they notice."""
    holder = database.connect(autocommit=False)
    holder.execute("CREATE TABLE t (i int)")
    holder.commit()
    holder.execute("LOCK TABLE t")
    question = {
        "a long statement": "SELECT pg_sleep(600)",
        "waiting for a lock": "SELECT * FROM t",
        "nothing": "SELECT 1",
    }[doing]
    noticed: list[float] = []
    with connect(tcp(database)) as connection:
        watchful(connection)
        assert told(connection.info.get_parameters(), "keepalives") < NOTICED_SECONDS
        assert told(settings(connection), "tcp_keepalives") < NOTICED_SECONDS
        connection.execute("BEGIN")
        pid, port = connection.info.backend_pid, client_port(connection)

        def ask() -> None:
            with pytest.raises(psycopg.OperationalError):
                connection.execute(question.encode())
            noticed.append(time.monotonic())

        thread = threading.Thread(target=ask)
        if doing != "nothing":
            thread.start()
            time.sleep(0.3)
        since = packets.drop(port)
        if doing == "nothing":
            # Sent after the network is gone: what nobody acknowledges.
            thread.start()
        server_seconds = gone_after(database, pid, since, ENDED_SECONDS)
        thread.join(ENDED_SECONDS)
        assert noticed, "the client has not noticed"
        assert connection.broken
    print(f"{doing}: server {server_seconds:.1f} s, client {noticed[0] - since:.1f} s")


def settings(connection: Connection) -> dict[str, str]:
    """What the server's end of this connection was told."""
    rows = connection.execute("SELECT name, setting FROM pg_settings WHERE name LIKE 'tcp\\_%'")
    return {str(name): str(value) for name, value in rows}


def told(limits: dict[str, str], prefix: str) -> float:
    """The seconds after which an end gives up: when nothing comes, and when what it has sent is
    not acknowledged, whichever is longer."""
    idle, pause, times = (int(limits[f"{prefix}_{part}"]) for part in ("idle", "interval", "count"))
    unacknowledged = int(limits["tcp_user_timeout"])
    assert min(idle, pause, times, unacknowledged) > 0, "0 means: as the system has it"
    return max(idle + pause * times, unacknowledged / 1000)


def test_without_our_settings_nobody_notices(database: Database, packets: Filter) -> None:
    """What the test above rests on: the drops are real, and the defaults sleep through them."""
    with psycopg.connect(tcp(database), autocommit=True) as connection:
        pid, port = connection.info.backend_pid, client_port(connection)
        thread = threading.Thread(target=_ignore, args=(connection,), daemon=True)
        thread.start()
        time.sleep(0.3)
        packets.drop(port)
        thread.join(NOTICED_SECONDS + 1)
        assert thread.is_alive()
        with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
            assert admin.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()
        packets.pass_again()
        thread.join(ENDED_SECONDS)
        assert not thread.is_alive()


def _ignore(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT pg_sleep(7)")


SLOW = "SELECT pg_sleep(600);\nDROP TABLE tokens;\nALTER TABLE users DROP COLUMN verified_at;\n"


def in_the_script(database: Database, seconds: float) -> tuple[int, int]:
    """Wait until the run is in its slow statement; return its backend's pid and client port."""
    deadline = time.monotonic() + seconds
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        while time.monotonic() < deadline:
            row = admin.execute(
                "SELECT pid, client_port FROM pg_stat_activity WHERE datid = %s"
                " AND application_name = 'rollback_tui run' AND query LIKE '%%pg_sleep%%'"
                " AND wait_event = 'PgSleep'",
                [database.oid],
            ).fetchone()
            if row is not None:
                return int(row[0]), int(row[1])
            time.sleep(0.05)
    raise AssertionError("the run did not get to its script")


def untouched(project: Project) -> None:
    assert project.connection_limit() == -1
    assert project.versions() == ["20240101000000", "20240202000000"]
    assert project.query("SELECT count(*) FROM tokens") == [(17,)]


def test_a_run_whose_packets_are_lost_in_mid_statement(project: Project, packets: Filter) -> None:
    """The other connections live: both ends notice, and the door is open again."""
    project.two_migrations(SLOW)
    through(project, project.database.server.tcp_port)
    running = project.start(*project.run_arguments)
    pid, port = in_the_script(project.database, 60)
    since = packets.drop(port)
    server_seconds = gone_after(project.database, pid, since, ENDED_SECONDS)
    output, errors = running.communicate(timeout=100)
    whole = time.monotonic() - since
    found = events(output)
    assert "Traceback" not in errors, errors
    assert (running.returncode, found[-1]["outcome"]) == (3, "unchanged"), found[-1]
    assert len(only(found, "transaction_started")) == 1
    untouched(project)
    print(f"server noticed after {server_seconds:.1f} s, the run ended after {whole:.1f} s")


def test_a_run_that_loses_the_network_altogether_and_gets_it_back(
    project: Project, packets: Filter
) -> None:
    project.two_migrations(SLOW)
    through(project, project.database.server.tcp_port)
    running = project.start(*project.run_arguments)
    pid, _ = in_the_script(project.database, 60)
    since = packets.drop_all()
    gone_after(project.database, pid, since, ENDED_SECONDS)
    time.sleep(max(0.0, 8 - (time.monotonic() - since)))
    packets.pass_again()
    output, errors = running.communicate(timeout=100)
    found = events(output)
    assert "Traceback" not in errors, errors
    assert (running.returncode, found[-1]["outcome"]) == (3, "unchanged"), found[-1]
    untouched(project)
