"""A real streaming standby: refused as a target, and recognised when it takes the primary's place
in the middle of a run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.core.model import Target
from rollback_tui.core.monitoring.levels import Levels
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.connect import connect, target
from rollback_tui.postgres.peers import FailedOver, same_server
from tests.aftercare.faults import again_and_again
from tests.aftercare.monitored import begun_by, charge, monitored, value
from tests.cli.conftest import Project, events, only
from tests.conftest import SETTINGS, create_database
from tests.network.conftest import through
from tests.network.proxy import Proxy

SLOW = "SELECT pg_sleep(30);\nDROP TABLE tokens;\nALTER TABLE users DROP COLUMN verified_at;\n"


@dataclass
class Pair:
    """A primary, and a standby that streams from it."""

    primary: EmbeddedServer
    standby: EmbeddedServer

    def caught_up(self) -> None:
        """Wait until the standby has all that the primary has now.

        The standby itself is asked: what it reports of its replay to the primary is up to ten
        seconds old (``wal_receiver_status_interval``), and an idle primary writes on meanwhile.
        """
        with psycopg.connect(self.primary.dsn(), autocommit=True) as admin:
            row = admin.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
        assert row is not None
        with psycopg.connect(self.standby.dsn(), autocommit=True) as admin:
            deadline = time.monotonic() + 60
            while admin.execute(
                "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [row[0]]
            ).fetchone() != (True,):
                assert time.monotonic() < deadline, self.standby.log.read_text()
                time.sleep(0.05)

    def promote(self) -> None:
        with psycopg.connect(self.standby.dsn(), autocommit=True) as admin:
            assert admin.execute("SELECT pg_promote()").fetchone() == (True,)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both of PostgreSQL 18, fresh: a promoted standby is of no use to a second test."""
    primary = EmbeddedServer(major=18, tcp=True, settings=SETTINGS)
    parent = Path(tempfile.mkdtemp(prefix="rbt"))
    data = parent / "standby"
    standby: EmbeddedServer | None = None
    try:
        parent.chmod(0o711)
        command = [primary.bin / "pg_basebackup", "-d", primary.dsn(), "-D", data]
        subprocess.run(
            [*map(str, command), "-R", "-X", "stream", "-c", "fast", "--no-sync"],
            check=True,
            capture_output=True,
        )
        standby = EmbeddedServer(major=18, data=_given_away(data), tcp=True, settings=SETTINGS)
        yield Pair(primary, standby)
    finally:
        for server in (standby, primary):
            if server is not None:
                server.stop()
        shutil.rmtree(parent)


def _given_away(data: Path) -> Path:
    """The server runs as another user where the tests run as root; it starts in a directory that
    is its own."""
    from rollback_tui.embedded.server import _give, _server_user

    for path in (data, *data.rglob("*")):
        _give(path, _server_user())
    return data


@pytest.fixture
def replicated(tmp_path: Path, pair: Pair) -> Iterator[Project]:
    """A project on the primary of the pair."""
    yield Project(tmp_path, create_database(pair.primary))
    subprocess.run(["pkill", "-9", "-f", str(tmp_path)], check=False)


def versions(server: EmbeddedServer, project: Project) -> list[object]:
    dsn = server.dsn(project.database.name, project.database.owner)
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT version FROM schema_migrations ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def test_a_standby_is_refused_as_a_target(replicated: Project, pair: Pair) -> None:
    replicated.two_migrations()
    pair.caught_up()
    through(replicated, pair.standby.tcp_port)

    checked = replicated.here("check")
    assert checked.returncode == 1
    assert "this server is a standby: it cannot be written to" in checked.stdout
    assert "Connect to the primary." in checked.stdout

    done = replicated.here(*replicated.run_arguments)
    assert "Traceback" not in done.stderr
    assert done.returncode == 1, done.stdout + done.stderr
    found = events(done.stdout)
    assert found[-1]["outcome"] == "refused"
    assert "this server is a standby" in found[-1]["summary"]
    for kind in ("sql_sent", "door_prepared", "door_closed", "checkpoint_made"):
        assert only(found, kind) == []
    assert versions(pair.primary, replicated) == ["20240101000000", "20240202000000"]


def test_a_server_is_known_again_or_not(replicated: Project, pair: Pair) -> None:
    name = replicated.database.name
    pair.caught_up()
    with connect(pair.primary.dsn(name)) as connection:
        known = target(connection)
        same_server(connection, known)
    assert known.timeline == 1
    with connect(pair.standby.dsn(name)) as connection:
        assert target(connection).timeline == 1
        with pytest.raises(ConnectionFailed, match="standby"):
            same_server(connection, known)
    pair.promote()
    with connect(pair.standby.dsn(name)) as connection:
        assert target(connection).timeline == 2
        with pytest.raises(FailedOver, match="timeline 2, was 1"):
            same_server(connection, known)
        same_server(connection, known, promoted=True)
        _another_cluster(connection.info.dsn, known)


def _another_cluster(dsn: str, known: Target) -> None:
    import msgspec

    other = msgspec.structs.replace(known, system_identifier="1")
    hidden = msgspec.structs.replace(known, system_identifier="not visible", timeline=None)
    with connect(dsn) as connection:
        with pytest.raises(FailedOver, match="another cluster"):
            same_server(connection, other, promoted=True)
        same_server(connection, hidden)


def test_a_failover_in_mid_run_stops_it(replicated: Project, pair: Pair) -> None:
    """The address moves to the standby, which is promoted a little later, as by a manager. What
    the run was doing is gone with the primary; nothing is done on the new one but opening its
    door."""
    replicated.two_migrations(SLOW)
    proxy = Proxy(pair.primary.tcp_port)
    try:
        through(replicated, proxy.port)
        running = replicated.start(*replicated.run_arguments)
        _in_the_script(pair.primary, 60)
        pair.caught_up()
        pair.primary.stop()
        proxy.upstream = pair.standby.tcp_port
        proxy.cut()
        time.sleep(2)
        pair.promote()
        output, errors = running.communicate(timeout=90)
    finally:
        proxy.close()
    assert "Traceback" not in errors, errors
    found = events(output)
    assert (running.returncode, found[-1]["outcome"]) == (5, "needs_operator"), found[-1]
    assert "failed over" in found[-1]["summary"]
    assert "timeline 2, was 1" in found[-1]["summary"]
    assert only(found, "committed") == []
    assert len(only(found, "transaction_started")) == 1
    # The door is open there, under the old name, and nothing is left over.
    assert versions(pair.standby, replicated) == ["20240101000000", "20240202000000"]
    with psycopg.connect(pair.standby.dsn()) as admin:
        rows = admin.execute(
            "SELECT datname, oid, datallowconn, datconnlimit FROM pg_database"
            " WHERE starts_with(datname, %s)",
            [replicated.database.name],
        ).fetchall()
    assert rows == [(replicated.database.name, replicated.database.oid, True, -1)]


def _in_the_script(server: EmbeddedServer, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        while not admin.execute(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            " AND application_name = 'rollback_tui run'"
        ).fetchone():
            assert time.monotonic() < deadline, "the run did not get to its script"
            time.sleep(0.05)


def test_a_standby_that_falls_behind_is_told_within_two_intervals_and_is_over(
    tmp_path: Path, pair: Pair
) -> None:
    """By the whole loop of the monitoring, while the primary is written to."""
    shop = create_database(pair.primary)
    orders = psycopg.connect(shop.dsn, autocommit=True, application_name="shop")
    orders.execute("CREATE TABLE orders (id int)")
    pair.caught_up()
    given = charge(
        tmp_path / "20240115_030000_5d0c6a1e",
        shop.dsn,
        interval_seconds=1,
        levels=Levels(replication_lag_seconds=1),
    )
    replay = psycopg.connect(pair.standby.dsn(), autocommit=True)
    with (
        orders,
        replay,
        monitored(given, begun_by(shop.dsn)) as here,
        again_and_again(lambda: _order(orders), seconds=0.05),
    ):
        before = here.samples(3)
        assert before.raised == ()
        lag = value(before.samples[-1], "replication_lag")
        assert lag is not None and lag < 0.8
        replay.execute("SELECT pg_wal_replay_pause()")
        first = len(here.view().samples)
        view = here.until(lambda view: view.standing)
        replay.execute("SELECT pg_wal_replay_resume()")
        after = here.until(lambda view: not view.standing)
    (raised,) = after.raised
    assert raised.metric == "replication_lag"
    assert "walreceiver" in raised.evidence[0]
    bad = [
        number
        for number, sample in enumerate(view.samples)
        if (lag := value(sample, "replication_lag")) is not None and lag > 0.8
    ]
    assert first <= bad[0] <= first + 2
    assert raised.at == view.samples[bad[1]].at
    assert [one.metric for one in after.cleared] == ["replication_lag"]


def _order(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    connection.execute("INSERT INTO orders VALUES (1)")
