"""What the commands print can be printed, whatever the locale and the encoding are."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.started import remembered

SAY = """
import sys
import click
from rollback_tui import cli
from rollback_tui.cli.shapes import print_json
from rollback_tui.core.errors import ConfigurationError

@cli.commands.command()
def say():
    click.echo("\\u2713 caf\\u00e9 \\u2192 \\U0001f600 \\udc80")
    print_json({"name": "caf\\u00e9 \\u2192"})
    raise ConfigurationError("\\u00e9", "a \\u2026")

sys.argv = ["rollback-tui", "say"]
cli.main()
"""
"""All ways of printing there are: a text, a JSON document, an error."""


def _environment(**given: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHON"))}
    return {**kept, "TERM": "xterm-256color", **given}


@pytest.mark.parametrize(
    "given", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}], ids=str
)
def test_an_encoding_that_has_not_everything_stops_nothing(given: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SAY], env=_environment(**given), capture_output=True, check=False
    )
    first, *document = done.stdout.decode("ascii").splitlines()
    assert first == r"+ caf\u00e9 -> \U0001f600 \udc80"
    assert json.loads("".join(document)) == {"name": "café →"}
    assert done.stderr.decode("ascii").splitlines() == [r"error: \u00e9", "  -> a .."]
    assert done.returncode == 2


def test_a_pipe_gets_utf8_also_where_the_locale_is_c() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SAY], env=_environment(LANG="C"), capture_output=True, check=False
    )
    first, *document = done.stdout.decode().splitlines()
    assert first == r"✓ café → 😀 \udc80"
    assert json.loads("".join(document)) == {"name": "café →"}


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_terminal_gets_what_its_locale_can_show(locale: str, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    program = remembered(
        subprocess.Popen(
            [sys.executable, "-c", SAY],
            env=_environment(LANG=locale),
            cwd=tmp_path,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
    )
    os.close(slave)
    drawn = b""
    try:
        while part := os.read(master, 4096):
            drawn += part
    except OSError:
        pass
    os.close(master)
    assert program.wait(30) == 2
    if locale == "C":
        assert drawn.isascii()
        assert rb"+ caf\u00e9 -> \U0001f600" in drawn and rb'"caf\u00e9 \u2192"' in drawn
    else:
        assert "✓ café → 😀" in drawn.decode() and '"café →"' in drawn.decode()
