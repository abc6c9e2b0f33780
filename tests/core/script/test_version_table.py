"""Which statements touch the plan's own version table, and which only one of that kind of name."""

from __future__ import annotations

from typing import Any

import pytest

from rollback_tui.core.model import Doomed
from rollback_tui.core.script.version_table import HAZARD, marked, touches_version_table
from tests.core.example import migration, plan, script, statement

TABLE = "ops.deploys"


@pytest.mark.parametrize(
    ("kind", "effect", "touches"),
    [
        ("DROP TABLE", {"drops": (("table", "ops.deploys"),)}, True),
        ("DROP TABLE", {"drops": (("table", "deploys"),)}, True),
        ("DROP TABLE", {"drops": (("table", "public.deploys"),)}, False),
        ("DROP TABLE", {"drops": (("table", '"Deploys"'),)}, False),
        ("DROP TABLE", {"drops": (("table", "ops.deploys"),), "no_op": True}, False),
        ("DROP SCHEMA", {"drops": (("schema", "ops"),)}, True),
        ("DROP SCHEMA", {"drops": (("schema", "public"),)}, False),
        ("DROP EXTENSION", {"collateral": (("table", "ops.deploys"),)}, True),
        ("TRUNCATE", {"doomed": (Doomed(kind="table", relation="ops.deploys"),)}, True),
        ("DELETE", {"doomed": (Doomed(kind="rows", relation="deploys"),)}, True),
        ("ALTER TABLE … DROP COLUMN", {"drops": (("column", "ops.deploys.version"),)}, True),
        ("ALTER TABLE … DROP COLUMN", {"drops": (("column", "deploys.version"),)}, True),
        ("ALTER TABLE … DROP COLUMN", {"drops": (("column", "other.deploys"),)}, False),
        ("DROP INDEX", {"drops": (("index", "ops.deploys"),)}, False),
        ("ALTER TABLE … RENAME", {"objects": ("deploys",)}, True),
        ("ALTER TABLE … SET SCHEMA", {"objects": ("ops.deploys",)}, True),
        ("SELECT", {"objects": ("ops.deploys",)}, False),
    ],
)
def test_what_touches_it(kind: str, effect: dict[str, Any], touches: bool) -> None:
    one = statement(1, "…", kind, hazards=("deletes_data",), **effect)
    assert touches_version_table(one, TABLE) is touches
    given = plan(migration(script=script(statements=(one,))), version_table=TABLE)
    (after,) = marked(given).statements
    assert after.effect.hazards == (("deletes_data", HAZARD) if touches else ("deletes_data",))
    assert marked(marked(given)) == marked(given)
