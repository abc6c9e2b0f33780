"""Windows that shrink to nothing in mid-run."""

from __future__ import annotations

import os
import sys
import time

from rollback_tui.core.run_view import fold
from rollback_tui.run import journal
from tests.cli.conftest import Project
from tests.demo.processes import soon
from tests.hostile.test_surroundings import started_and_sleeping
from tests.ssh.terminal import HEIGHT, WIDTH, Connection


def test_a_window_of_20_by_5_and_back_in_mid_run(project: Project) -> None:
    run, _ = started_and_sleeping(project)
    screen = Connection(
        [sys.executable, "-m", "rollback_tui", "attach"],
        project.directory,
        dict(os.environ) | {"TERM": "xterm-256color"},
    )
    try:
        screen.until("preflight", "of 3 done")
        for size in ((20, 5), (1, 1), (20, 5), (WIDTH, HEIGHT)):
            screen.resize(*size)
            end = time.monotonic() + 0.7
            while time.monotonic() < end:
                screen.read()
                time.sleep(0.05)
        run.communicate(timeout=60)
        screen.until("3 of 3 done", "The migration is rolled back.")
        screen.press("q")
        assert screen.end() == 0
    finally:
        screen.close()
    kept = project.run_folder() / journal.FILE_NAME
    assert soon(lambda: fold(journal.read(kept)).finished is not None, 10)
    assert run.returncode == 0
