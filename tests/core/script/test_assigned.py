"""The columns that an UPDATE sets."""

from __future__ import annotations

import pytest

from rollback_tui.core.script.assigned import assigned

CASES: dict[str, tuple[str, ...] | None] = {
    "UPDATE users SET name = 'x'": ("name",),
    "UPDATE ONLY public.users AS u SET Name = 'x', \"Mail\" = lower(a, b) WHERE id = 1": (
        "name",
        "Mail",
    ),
    "UPDATE t SET (a, b) = (SELECT c, d FROM e WHERE f = 1), g = 2 FROM h": ("a", "b", "g"),
    "UPDATE t SET a[1] = 2, b.c = 3 RETURNING d": ("a", "b"),
    "UPDATE t SET a = b IS DISTINCT FROM c, d = 1": ("a", "d"),
    "UPDATE t SET a = CASE WHEN b THEN 'set, x = 1' ELSE $$where$$ END, d = 1 WHERE e": ("a", "d"),
    "/* set */ UPDATE t /* , */ SET -- a = 1,\n b = 1": ("b",),
    "UPDATE t SET straße = 1": ("straße",),
    "update t set a = extract(day from b), c = 2": ("a", "c"),
    "WITH x AS (SELECT 1) UPDATE t SET a = 1": None,
    "DELETE FROM t WHERE a = 1": None,
    "UPDATE t": None,
    "": None,
}


@pytest.mark.parametrize("sql", CASES)
def test_columns_that_are_set(sql: str) -> None:
    assert assigned(sql) == CASES[sql]
