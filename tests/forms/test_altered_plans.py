"""Plans of random ALTERs, run in one transaction: no statement does what was not foreseen.

A later statement meets what the earlier ones left: a lock already held, an index gone with its
column, a table of another name. Where the catalog of now cannot tell, the forecast must not be
called resolved; that it is called so often enough is tested too.
"""

from __future__ import annotations

import random

import pytest

from rollback_tui.core.model import Statement
from rollback_tui.core.script.effects import effect
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.parser import Parser
from rollback_tui.postgres.foresight import foresee
from rollback_tui.rehearsal.compare import differences
from rollback_tui.rehearsal.measure import Gauge
from tests.forms.conftest import Theatre
from tests.forms.form import Form
from tests.forms.groups import GROUPS
from tests.forms.harness import Stage

GROUP = next(group for group in GROUPS if group.name == "ALTER TABLE")
OTHERS = [
    "DROP INDEX t_a",
    "DROP VIEW v CASCADE",
    "CREATE INDEX new_index ON t (a)",
    "CREATE UNIQUE INDEX ON bare (a)",
    "DROP TABLE kid",
    "DROP TABLE parent CASCADE",
    "CREATE TABLE new_kid (k int REFERENCES t)",
    "CREATE TABLE new_part PARTITION OF parts FOR VALUES IN (9)",
    "CREATE TABLE new_heir () INHERITS (base)",
    "DROP TRIGGER of_a ON t",
    "TRUNCATE kid",
    "DROP TABLE part1",
    "DROP TYPE mood CASCADE",
    "DROP MATERIALIZED VIEW mv",
    "CREATE VIEW new_view AS SELECT id FROM t",
    "UPDATE t SET a = 'y'",
]
PLANS, LENGTH = 25, 5


def plan(chance: random.Random, forms: list[Form]) -> list[str]:
    """Return some different statements, most of them about one table."""
    table = chance.choice(forms).sql.split()[2]
    about = [form.sql for form in forms if form.sql.split()[2] == table]
    every = [form.sql for form in forms]
    found: dict[str, None] = {}
    while len(found) < LENGTH:
        found[chance.choice(chance.choice([about, about, about, OTHERS, every]))] = None
    return list(found)


def run(stage: Stage, parser: Parser, texts: list[str]) -> tuple[int, list[str]]:
    """Run a plan up to its first failure: (statements resolved, what was not foreseen)."""
    texts = [stage.text(Form(text)) for text in texts]
    trees = parser.trees(texts, seconds=30)
    statements = [
        Statement(index=n, start=0, end=len(text), line=1, sql=text, effect=effect(tree or {}))
        for n, (text, tree) in enumerate(zip(texts, trees, strict=True), 1)
    ]
    certain, unforeseen = 0, []
    foreseen = foresee(stage.connection, statements, trees)
    stage.connection.execute("BEGIN")
    try:
        gauge = Gauge(stage.connection, superuser=True)
        for statement, expected in zip(statements, foreseen, strict=True):
            held = dict(gauge.held)
            measured = gauge.run(statement)
            if measured.failed:
                break
            certain += expected.resolved
            unforeseen += [f"{texts}: {d}" for d in differences(expected, measured, held)]
    finally:
        stage.connection.execute("ROLLBACK")
        stage.connection.execute("RESET ALL")
    return certain, unforeseen


@pytest.mark.parametrize("seed", [3, 10, 13])
def test_nothing_unforeseen_happens_in_random_plans(
    server: EmbeddedServer, theatre: Theatre, seed: int
) -> None:
    stage, _ = theatre.stage(server, GROUP)
    forms = [f for f in GROUP.forms if not f.alone and not f.unsure and f.least <= stage.major]
    chance = random.Random(seed)
    with Parser() as parser:
        results = [run(stage, parser, plan(chance, forms)) for _ in range(PLANS)]
    assert [what for _, unforeseen in results for what in unforeseen] == []
    assert sum(certain for certain, _ in results) > PLANS * LENGTH // 2
