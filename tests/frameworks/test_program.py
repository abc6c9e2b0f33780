"""A framework's program is told where it may connect, and hears of no other database."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rollback_tui.core.address import Address
from rollback_tui.core.errors import FrameworkError
from rollback_tui.frameworks import program as module
from rollback_tui.frameworks.leash import Leashed
from rollback_tui.frameworks.program import Program, ProgramFailed
from tests.started import remembered

ADDRESS = Address(host="127.0.0.1", port=5999, user="u", password="s3cr3t-pw", database="shop")


def program(
    project: Path,
    script: str,
    *,
    name: str = "tool",
    where: str = "bin",
    command: tuple[str, ...] = ("bin/tool",),
    seconds: float = 20,
    address: Address | None = None,
    environment: dict[str, str] | None = None,
) -> Program:
    """Return a program that is this shell script."""
    path = project / where / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return Program(
        command=command,
        project=project,
        environment=environment or {},
        seconds=seconds,
        address=address,
    )


def variables(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_of_the_environment_nothing_passes_that_names_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        *("DATABASE_URL", "PGHOST", "PGSERVICE", "PGOPTIONS", "SQLALCHEMY_URL", "DB_HOST"),
        *("DJANGO_SETTINGS_MODULE", "RAILS_ENV", "LIQUIBASE_COMMAND_URL", "POSTGRES_PASSWORD"),
    ):
        monkeypatch.setenv(name, "postgresql://root:pw@production/shop")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("VIRTUAL_ENV", "/some/where")
    seen = variables(program(tmp_path, "env").run())
    assert "production" not in str(seen)
    assert (seen["LC_ALL"], seen["VIRTUAL_ENV"]) == ("C.UTF-8", "/some/where")
    assert seen["PATH"] == os.environ["PATH"]
    assert seen["DATABASE_URL"] == "postgresql://nobody:none@nowhere.invalid:1/nowhere"
    assert (seen["PGHOST"], seen["PGPORT"]) == ("nowhere.invalid", "1")
    assert seen["PGPASSFILE"] == seen["PGSERVICEFILE"] == "/dev/null"


def test_the_address_and_the_configured_variables_are_what_it_is_told(tmp_path: Path) -> None:
    called = program(
        tmp_path,
        "env; pwd; cat",
        address=ADDRESS,
        environment={
            "DB": "{user}:{password}@{host}:{port}/{database}",
            "JSON": '{"a": {"b": 1}, "c": "{nothing}"}',
            "EXTRA": "mine",
        },
    )
    text = called.run(extra={"EXTRA": "theirs", "MODULE": "settings"})
    seen = variables(text)
    assert seen["DATABASE_URL"] == ADDRESS.url
    assert seen["PGPASSWORD"] == "s3cr3t-pw"
    assert seen["DB"] == "u:s3cr3t-pw@127.0.0.1:5999/shop"
    assert seen["JSON"] == '{"a": {"b": 1}, "c": "{nothing}"}'
    assert (seen["EXTRA"], seen["MODULE"]) == ("mine", "settings")
    assert str(tmp_path) in text.splitlines()


def test_arguments_are_no_shell(tmp_path: Path) -> None:
    called = program(tmp_path, 'printf "%s|" "$@"', command=("bin/tool", "a b"))
    assert called.run("$(id)", "é;x") == "a b|$(id)|é;x|"
    assert called.shown("$(id)") == "bin/tool 'a b' '$(id)'"


def test_the_projects_own_program_comes_before_the_one_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, other = tmp_path / "project", tmp_path / "other"
    project.mkdir()
    program(other, "echo path")
    monkeypatch.setenv("PATH", f"{other / 'bin'}:{os.environ['PATH']}")
    bare = Program(command=("tool",), project=project, environment={}, seconds=20)
    assert bare.run() == "path\n"
    for where in ("node_modules/.bin", "venv/bin", ".venv/bin"):
        program(project, f"echo {where}", where=where)
        assert bare.run() == f"{where}\n"


@pytest.mark.parametrize(
    ("command", "example"),
    [
        (("alembic",), '["poetry", "run", "alembic"], or ["/full/path/to/alembic"]'),
        (("bin/rails",), '["bundle", "exec", "rails"], or ["/full/path/to/rails"]'),
        (("no-such-tool",), '["/full/path/to/no-such-tool"]'),
        ((), '["/full/path/to/PROGRAM"]'),
    ],
)
def test_a_program_that_is_not_there_says_what_to_configure(
    command: tuple[str, ...],
    example: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(FrameworkError) as raised:
        program(tmp_path, "", command=command).run()
    assert f"[migrations] command = {example}." in raised.value.remedy
    assert all(word in raised.value.summary for word in command)


def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    called = program(tmp_path, "echo never")
    (tmp_path / "bin/tool").chmod(0o600)
    (tmp_path / "bin/tool").write_bytes(b"\x00\x01")
    with pytest.raises(FrameworkError, match="bin/tool cannot be started: Permission denied"):
        called.run()


def test_an_error_is_told_in_its_own_last_words_without_passwords(tmp_path: Path) -> None:
    called = program(
        tmp_path,
        'echo half\nfor n in 1 2 3 4; do echo "line $n" >&2; done\n'
        'echo "cannot reach postgresql://app:hunter2@db/x with $PGPASSWORD and $API_TOKEN" >&2\n'
        'printf "\\033[31mred\\033[0m\\n" >&2\nexit 3',
        address=ADDRESS,
        environment={"API_TOKEN": "tok-123", "LEVEL": "4"},
    )
    with pytest.raises(ProgramFailed) as raised:
        called.run("up")
    error = raised.value
    assert error.summary.startswith("`bin/tool up` failed: line 3 · line 4 · cannot reach")
    assert "postgresql://app:***@db/x with *** and ***" in error.words
    assert "\x1b" not in error.words
    assert not any(word in str(error) for word in ("hunter2", "s3cr3t-pw", "tok-123"))
    assert error.output == "half\n"


def test_it_has_a_deadline_and_takes_its_children_with_it(tmp_path: Path) -> None:
    called = program(tmp_path, "sleep 300 &\necho $! > child\nwait", seconds=0.5)
    with pytest.raises(FrameworkError, match=r"took longer than 0\.5 s") as raised:
        called.run()
    assert "[migrations] seconds" in raised.value.remedy
    assert _gone(int((tmp_path / "child").read_text()))


def test_a_process_left_in_the_background_does_not_hold_it_up(tmp_path: Path) -> None:
    called = program(tmp_path, "echo done\nsleep 300 &\necho $! > child", seconds=250)
    assert called.run() == "done\n"
    assert _gone(int((tmp_path / "child").read_text()))


def test_endless_output_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 2 * 1024 * 1024)
    with pytest.raises(FrameworkError, match="printed more than 2 MB"):
        program(tmp_path, "exec yes", seconds=250).run()


def test_output_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FrameworkError, match=r"is not UTF-8 \(byte 2\)"):
        program(tmp_path, "printf 'a\\377'").run()


CALLER = """
import sys
from pathlib import Path
from rollback_tui.frameworks.program import Program
Program(command=("bin/tool",), project=Path(sys.argv[1]), environment={}, seconds=600).run()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_and_its_children_end_when_the_caller_is_killed(
    how: signal.Signals, tmp_path: Path
) -> None:
    program(tmp_path, 'sleep 600 &\necho "$$ $!" > begun\nmv begun pids\nwait')
    caller = remembered(subprocess.Popen([sys.executable, "-c", CALLER, str(tmp_path)]))
    pids = tmp_path / "pids"
    assert _comes_true(pids.exists)
    tool, child = map(int, pids.read_text().split())
    try:
        for pid in (tool, child):
            os.kill(pid, 0)  # Raises when it has ended before the caller.
        caller.send_signal(how)
        assert caller.wait(60) == -how
        assert _gone(tool)
        assert _gone(child)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(tool, signal.SIGKILL)


def test_its_watcher_ends_with_it(tmp_path: Path) -> None:
    program(tmp_path, "echo done")
    leashed = Leashed((str(tmp_path / "bin/tool"),), tmp_path, {})
    # Held open, so that it is not the end of the pipe that ends the watcher.
    leash = os.dup(leashed.leash.fileno())
    try:
        assert leashed.process.wait(60) == 0
        leashed.end()
        assert _comes_true(lambda: _nobody_reads(leash))
    finally:
        os.close(leash)


def test_nothing_of_the_leash_is_seen_by_the_program(tmp_path: Path) -> None:
    called = program(tmp_path, f"exec {sys.executable} -I -S told.py")
    (tmp_path / "told.py").write_text(
        "import os, signal\n"
        "def is_open(n):\n"
        "    try: os.fstat(n)\n"
        "    except OSError: return False\n"
        "    return True\n"
        "null = os.stat(os.devnull)\n"
        "print(os.fstat(0).st_rdev == null.st_rdev, [n for n in range(64) if is_open(n)])\n"
        "print(os.getsid(0) == os.getpgrp() == os.getpid(), os.getppid())\n"
        "try: os.waitpid(-1, 0)\n"
        "except ChildProcessError: print('no child')\n"
    )
    assert called.run().splitlines() == ["True [0, 1, 2]", f"True {os.getpid()}", "no child"]
    with pytest.raises(ProgramFailed, match=f"signal {int(signal.SIGPIPE)}"):
        program(tmp_path, "kill -PIPE $$\necho ignored").run()


def test_a_large_environment_arrives_whole_and_one_too_large_is_refused(tmp_path: Path) -> None:
    # More than a pipe holds; Linux takes 128 KiB a variable, macOS 1 MiB altogether.
    large = {f"LARGE{n}": f"é\n={n}" + "x" * 60_000 for n in range(4)}
    called = program(tmp_path, 'printf %s "$LARGE0$LARGE3"', environment=large)
    assert called.run() == large["LARGE0"] + large["LARGE3"]
    with pytest.raises(FrameworkError, match="cannot be started: Argument list too long"):
        called.run("x" * 3_000_000)
    with pytest.raises(FrameworkError, match="cannot be started: embedded null byte"):
        called.run("a\0b")


def test_what_is_meant_for_the_program_does_not_reach_our_own_python(tmp_path: Path) -> None:
    odd = {"PYTHONHOME": "/nowhere", "LD_LIBRARY_PATH": "/nowhere", "PYTHONSTARTUP": "x"}
    assert variables(program(tmp_path, "env", environment=odd).run()).items() >= odd.items()


def _nobody_reads(pipe: int) -> bool:
    """Asked without a byte written, which would itself end the watcher."""
    poll = select.poll()
    poll.register(pipe, 0)
    return any(seen & (select.POLLERR | select.POLLHUP) for _, seen in poll.poll(0))


def _comes_true(condition: Callable[[], bool]) -> bool:
    for _ in range(1200):
        if condition():
            return True
        time.sleep(0.05)
    return False


def _gone(pid: int) -> bool:
    """Whether the process ends: it may stay as a zombie where nobody reaps orphans."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.05)
    return False
