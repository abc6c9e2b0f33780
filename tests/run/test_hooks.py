"""Hooks: what is called, with what in its environment, and that nothing outlives its deadline."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import psycopg
import pytest

from rollback_tui.config import Hook
from rollback_tui.core.events import HookRan
from rollback_tui.run import hooks
from tests.conftest import Database
from tests.demo.processes import alive, soon
from tests.run.web_server import drips, hangs, says, serving

FACTS = {"run": "1234", "database": "shop", "phase": "started"}


def call(hook: Hook, project: Path, *, on: bool = True, dsn: str = "") -> HookRan:
    return hooks.call(hook, "test", on=on, facts=FACTS, dsn=dsn, project=project)


def python(code: str, seconds: float = 10) -> Hook:
    return Hook(command=(sys.executable, "-c", code), timeout_seconds=seconds)


def test_a_command_that_succeeds(tmp_path: Path) -> None:
    ran = call(python("print('maintenance is on')"), tmp_path)
    assert ran.ok
    assert ran.summary.endswith("exit 0: maintenance is on")


def test_a_command_that_fails_says_its_exit_code_and_its_words(tmp_path: Path) -> None:
    ran = call(python("import sys; sys.exit('no \\x1b[31mway')"), tmp_path)
    assert not ran.ok
    assert ran.summary.endswith("exit 1: no ␛[31mway")


def test_a_command_that_a_signal_ended_failed(tmp_path: Path) -> None:
    assert not call(python("import os; os.kill(os.getpid(), 15)"), tmp_path).ok


def test_a_command_runs_in_the_project(tmp_path: Path) -> None:
    assert call(python("open('here', 'w')"), tmp_path).ok
    assert (tmp_path / "here").exists()


def test_no_shell_reads_the_arguments(tmp_path: Path) -> None:
    ran = call(Hook(command=("echo", "$HOME; touch evil", "*")), tmp_path)
    assert "$HOME; touch evil *" in ran.summary
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", [("no-such-program-anywhere",), ("./missing",), ("/etc",), ("x\x00y",), ("",)]
)
def test_a_command_that_cannot_be_started_is_no_exception(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    ran = call(Hook(command=command), tmp_path)
    assert not ran.ok
    assert ran.summary


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    assert "no-such-program" in call(Hook(command=("no-such-program",)), tmp_path).summary


def test_a_command_that_hangs_is_ended_with_its_grandchild(tmp_path: Path) -> None:
    code = (
        "import subprocess, time, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "p = subprocess.Popen(['sleep', '600'])\n"
        "open('pid', 'w').write(str(p.pid))\n"
        "time.sleep(600)\n"
    )
    ran = call(python(code, 4), tmp_path)
    assert not ran.ok
    assert "ended after 4 s" in ran.summary
    pid = int((tmp_path / "pid").read_text())
    assert soon(lambda: not alive(pid), 60)


def test_a_command_is_ended_when_the_run_is_aborted(tmp_path: Path) -> None:
    """A copy of a large dump may take an hour; whoever aborts does not wait for it."""
    asked = iter([False] * 5 + [True] * 1000)
    ran = hooks.call(
        python("import time; time.sleep(600)", seconds=600),
        "test",
        on=True,
        facts=FACTS,
        dsn="",
        project=tmp_path,
        aborted=lambda: next(asked),
    )
    assert not ran.ok and "the run was aborted" in ran.summary


def test_what_a_command_leaves_in_the_background_is_ended_and_not_waited_for(
    tmp_path: Path,
) -> None:
    code = (
        "import subprocess\n"
        "p = subprocess.Popen(['sleep', '600'])\n"
        "open('pid', 'w').write(str(p.pid))\n"
        "print('done', flush=True)\n"
    )
    ran = call(python(code, 600), tmp_path)
    assert ran.ok
    assert ran.summary.endswith("done")
    assert soon(lambda: not alive(int((tmp_path / "pid").read_text())), 60)


@pytest.mark.parametrize(("wait", "seconds"), [(0, 600), (600, 4)])
def test_a_grandchild_in_another_session_cannot_hold_us(
    tmp_path: Path, wait: int, seconds: float
) -> None:
    """It keeps the pipe open and is not in the group that is ended."""
    code = (
        "import subprocess, time\n"
        "p = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "open('pid', 'w').write(str(p.pid))\n"
        f"time.sleep({wait})\n"
    )
    ran = call(python(code, seconds), tmp_path)
    grandchild = int((tmp_path / "pid").read_text())
    assert alive(grandchild)
    os.kill(grandchild, signal.SIGKILL)
    assert ran.ok == (wait == 0)


def test_a_flood_of_output_is_not_kept(tmp_path: Path) -> None:
    code, text = hooks.output(
        (sys.executable, "-c", "print('x' * 5_000_000); print('the end')"), {}, tmp_path, 10
    )
    assert code == 0
    assert len(text) <= 2000
    assert text.endswith("the end\n")


def test_an_endless_flood_is_ended(tmp_path: Path) -> None:
    ran = call(Hook(command=("yes",), timeout_seconds=1), tmp_path)
    assert not ran.ok
    assert "ended after 1 s" in ran.summary


def test_the_environment_is_allow_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGPASSWORD", "PGHOST", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "TOKEN"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("LANG", "C.UTF-8")
    code = "import json, os; json.dump(dict(os.environ), open('env', 'w'))"
    assert call(python(code), tmp_path).ok
    env = json.loads((tmp_path / "env").read_text())
    assert "hunter2" not in env.values()
    assert not [name for name in env if name.startswith("PG")]
    assert {k: v for k, v in env.items() if k.startswith("ROLLBACK_")} == {
        "ROLLBACK_RUN": "1234",
        "ROLLBACK_DATABASE": "shop",
        "ROLLBACK_PHASE": "started",
    }
    assert env["LANG"] == "C.UTF-8"
    assert "PATH" in env


def test_a_flag_file_comes_and_goes_and_both_may_be_repeated(tmp_path: Path) -> None:
    hook, flag = Hook(flag_file="tmp.flag"), tmp_path / "tmp.flag"
    for on in (True, True, False, False):
        assert call(hook, tmp_path, on=on).ok
        assert flag.exists() == on


def test_a_flag_file_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    ran = call(Hook(flag_file="no/such/directory/flag"), tmp_path)
    assert not ran.ok
    assert "no/such/directory/flag" in ran.summary


def test_an_sql_hook_is_executed_and_committed(tmp_path: Path, database: Database) -> None:
    admin = database.connect()
    admin.execute("CREATE TABLE flags (on_ bool, share text)")
    hook = Hook(sql="INSERT INTO flags VALUES (true, '100%s')")
    ran = call(hook, tmp_path, dsn=database.dsn)
    assert (ran.ok, ran.summary) == (True, "INSERT 0 1")
    assert admin.execute("SELECT * FROM flags").fetchall() == [(True, "100%s")]


def test_an_sql_hook_that_fails_says_why(tmp_path: Path, database: Database) -> None:
    ran = call(Hook(sql="SELECT 1 FROM nowhere"), tmp_path, dsn=database.dsn)
    assert not ran.ok
    assert "nowhere" in ran.summary
    assert "\n" not in ran.summary


def test_an_sql_hook_has_a_deadline(tmp_path: Path, database: Database) -> None:
    holder = database.connect(autocommit=False)
    holder.execute("CREATE TABLE t (i int)")
    holder.commit()
    holder.execute("LOCK TABLE t")
    ran = call(Hook(sql="DELETE FROM t", timeout_seconds=2), tmp_path, dsn=database.dsn)
    assert not ran.ok
    assert "statement timeout" in ran.summary


def test_an_sql_hook_without_a_server_is_no_exception(tmp_path: Path) -> None:
    dsn = f"host={tmp_path} port=1 dbname=x user=y password=hunter2hunter2"
    ran = call(Hook(sql="SELECT 1"), tmp_path, dsn=dsn)
    assert not ran.ok
    assert "hunter2" not in ran.summary


def test_an_sql_hook_leaves_no_session(tmp_path: Path, database: Database) -> None:
    call(Hook(sql="SELECT 1"), tmp_path, dsn=database.dsn)
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:

        def none() -> bool:
            row = admin.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [database.name]
            ).fetchone()
            return row == (0,)

        assert soon(none, 60)


@pytest.mark.parametrize(
    ("status", "ok"),
    [
        ("200 OK", True),
        ("204 No Content", True),
        ("302 Found", False),
        ("404 No", False),
        ("500 Internal Server Error", False),
    ],
)
def test_a_url_is_posted_and_2xx_is_success(tmp_path: Path, status: str, ok: bool) -> None:
    with serving(says(status)) as server:
        ran = call(Hook(url=server.url), tmp_path)
    assert (ran.ok, ran.summary) == (ok, f"HTTP {status[:3]}")
    body = json.loads(server.requests[0].partition(b"\r\n\r\n")[2])
    assert body == {"event": "test", **FACTS}


@pytest.mark.parametrize("answer", [hangs, drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x")])
def test_a_url_that_is_slow_ends_at_the_deadline(tmp_path: Path, answer: object) -> None:
    with serving(answer) as server:  # type: ignore[arg-type]
        ran = call(Hook(url=server.url, timeout_seconds=1), tmp_path)
    assert not ran.ok


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "file:///etc/passwd", "http://[::1"])
def test_a_url_that_nobody_answers_is_no_exception(tmp_path: Path, url: str) -> None:
    assert not call(Hook(url=url, timeout_seconds=2), tmp_path).ok
