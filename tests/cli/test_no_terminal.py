"""Where the screens cannot be shown: one clear line, the command that does the same, exit 2."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rollback_tui.cli import main
from rollback_tui.cli.terminal import why_no_screens
from rollback_tui.ui.crash import FAULT

PROGRAM = f"{shlex.quote(sys.executable)} -m rollback_tui"


def in_a_terminal(directory: Path, command: str) -> tuple[int, str, bytes]:
    """Run a shell's command whose streams are a terminal, except where it redirects them. Return
    its exit code, what it wrote to the file ``said``, and what it drew."""
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=directory,
            env={k: v for k, v in os.environ.items() if not k.startswith("PG")}
            | {"PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            timeout=60,
            check=False,
        )
        os.set_blocking(master, False)
        try:
            drawn = os.read(master, 65536)
        except BlockingIOError:
            drawn = b""
    finally:
        os.close(master)
        os.close(slave)
    said = directory / "said"
    return done.returncode, said.read_text() if said.exists() else "", drawn


@pytest.mark.parametrize(
    ("command", "reason", "instead"),
    [
        (f"{PROGRAM} <&- 2>said", "standard input is none", "run --confirm DATABASE"),
        (f"{PROGRAM} >/dev/null 2>said", "standard output is none", "`state`, `plan`, `check`"),
        (f"{PROGRAM} 2>said", "standard error is none", "`state`, `plan`, `check`"),
        (f"{PROGRAM} demo </dev/null 2>said", "standard input is none", "`demo --headless`"),
    ],
    ids=["stdin closed", "stdout", "stderr", "demo"],
)
def test_a_stream_that_is_no_terminal(
    tmp_path: Path, command: str, reason: str, instead: str
) -> None:
    code, said, drawn = in_a_terminal(tmp_path, command)
    assert code == 2, said
    error, remedy = said.splitlines()
    assert error.startswith("error: ")
    assert error.endswith(reason)
    assert remedy.startswith("  → ")
    assert instead in remedy
    assert drawn == b""


class Stream:
    """One of the program's three."""

    closed = False

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [None, "", "dumb", "unknown"])
def test_a_terminal_that_can_do_nothing(monkeypatch: pytest.MonkeyPatch, kind: str | None) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, Stream())
    # One that this machine has no description of is what most terminals are over SSH.
    monkeypatch.setenv("TERM", "xterm-ghostty")
    assert why_no_screens() == ""
    monkeypatch.delenv("TERM")
    if kind is not None:
        monkeypatch.setenv("TERM", kind)
    assert why_no_screens().endswith(f"TERM is {kind or 'not set'}")


def test_a_fault_of_a_command_shows_no_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def failing(**_: object) -> None:
        raise KeyError("password=hunter2")

    monkeypatch.setattr("rollback_tui.cli.commands", failing)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == FAULT
    said = capsys.readouterr().err
    assert "rollback-tui failed: KeyError at " in said
    [report] = tmp_path.glob("rollback-tui-crash-*")
    assert str(report) in said
    assert "hunter2" not in said + report.read_text()
