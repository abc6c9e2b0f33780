"""The core judges; it must not be able to reach a server or a screen."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys
import rollback_tui.core
for module in pkgutil.walk_packages(rollback_tui.core.__path__, "rollback_tui.core."):
    importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_core_brings_neither_psycopg_nor_textual_nor_the_parser() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "rollback_tui" in loaded and "msgspec" in loaded
    assert not loaded & {"psycopg", "textual", "postgast", "httpx", "click"}
