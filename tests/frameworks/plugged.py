"""The template of docs/template, installed as pip would, for this process or another one."""

from __future__ import annotations

import shutil
from pathlib import Path

TEMPLATE = Path(__file__).parents[2] / "docs" / "template"

LOCKING = '''
"""The template's tool, with a lock that is a row, and two tables more of its own."""

from rollback_tui_steps import Steps


class Locking(Steps):
    name = "locking"

    def transaction_lock(self, table):
        lock = f"{table.schema}.steps_lock"
        return (f"INSERT INTO {lock} VALUES (1)", f"DELETE FROM {lock}")

    def version_change(self, table, rolled_back, previous):
        log, notes = f"{table.schema}.steps_log", f"{table.schema}.steps_notes"
        return (
            *super().version_change(table, rolled_back, previous),
            f"INSERT INTO {log} VALUES ({rolled_back.version})",
            f"DELETE FROM {notes}",
        )


class Broken:
    name = "broken"
    kind = "files"
'''

ONLY_STEPS = """\
[rollback_tui.frameworks]
steps = rollback_tui_steps:Steps
"""

ENTRY_POINTS = f"""\
{ONLY_STEPS}\
locking = steps_locking:Locking
broken = steps_locking:Broken
gone = steps_gone:Gone
renamed = rollback_tui_steps:Steps
dbmate = steps_locking:Locking
"""


def install(site: Path, entry_points: str = ENTRY_POINTS) -> Path:
    """Write what pip would: the modules, and the package's metadata. Returns ``site``, a
    directory for ``sys.path``."""
    site.mkdir(parents=True, exist_ok=True)
    shutil.copy(TEMPLATE / "rollback_tui_steps.py", site)
    (site / "steps_locking.py").write_text(LOCKING)
    information = site / "rollback_tui_steps-0.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: rollback-tui-steps\nVersion: 0.1.0\n"
    )
    (information / "entry_points.txt").write_text(entry_points)
    return site
