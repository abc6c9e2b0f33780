"""The demo without a screen: it ends when all was told that it had to tell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rollback_tui.aftercare.outbox import read_post
from rollback_tui.config_aftercare import SWITCH
from tests.demo.conftest import place as place


def test_the_shop_is_told_of_the_outcome_before_it_closes(place: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != SWITCH}
    done = subprocess.run(
        [sys.executable, "-m", "rollback_tui", "demo", "--headless", "--keep", str(place / "d")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (place / "d").glob("project/rollback_runs/2*")
    post = read_post(folder)
    assert [one.occasion for one in post.notices] == ["started", "finished"]
    assert post.pending == ()
