"""Statements of one plan, one after the other: the catalog of now is not believed too long."""

from __future__ import annotations

import pytest

from rollback_tui.core.model import Statement
from rollback_tui.core.script.effects import effect
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.parser import Parser
from rollback_tui.postgres import foresight
from rollback_tui.postgres.foresight import foresee
from rollback_tui.rehearsal.compare import differences
from rollback_tui.rehearsal.measure import Gauge
from tests.forms.conftest import Theatre
from tests.forms.form import Form
from tests.forms.groups import GROUPS

SURE, UNSURE, NOTHING = "resolved", "not resolved", "does nothing"

PLANS: list[list[tuple[str, str]]] = [
    [
        ("DROP VIEW easy", SURE),
        ("DROP TABLE t", SURE),
        ("CREATE TABLE t (id int)", SURE),
        ("DROP TABLE t", UNSURE),
        ("DROP TABLE IF EXISTS t", UNSURE),
    ],
    [
        ("DROP TABLE seen CASCADE", SURE),
        ("DROP VIEW IF EXISTS v", NOTHING),
        ("DROP MATERIALIZED VIEW IF EXISTS m", NOTHING),
        ("DROP TABLE IF EXISTS seen", NOTHING),
    ],
    [
        ("ALTER TABLE plain RENAME TO simple", SURE),
        ("DROP TABLE simple", UNSURE),
        ("DROP TABLE IF EXISTS plain", NOTHING),
    ],
    [
        ("ALTER TRIGGER g ON t RENAME TO h", SURE),
        ("DROP TRIGGER IF EXISTS g ON t", UNSURE),
        ("DROP TRIGGER h ON t", UNSURE),
        ("TRUNCATE t", SURE),
    ],
    [
        ("CREATE INDEX kk ON t (b)", SURE),
        ("DROP INDEX kk", UNSURE),
        ("DROP INDEX i", SURE),
        ("DROP INDEX IF EXISTS i", NOTHING),
    ],
    [
        ("DROP TABLE to_aims", SURE),
        ("DROP TABLE aims", SURE),
        ("DROP TABLE IF EXISTS aim1", NOTHING),
    ],
    [
        ("ALTER TABLE badge DROP CONSTRAINT badge_kept_fkey", SURE),
        ("DROP TABLE badge", SURE),
        ("DELETE FROM boss WHERE id = 18", SURE),
    ],
    [
        ("SET search_path = stock, public", SURE),
        ("DROP TABLE b", SURE),
        ("DROP VIEW va", SURE),
        ("DROP TABLE a", SURE),
    ],
    [
        ("SET search_path = stock", SURE),
        ("DROP TABLE IF EXISTS plain", NOTHING),
        ("DROP FUNCTION IF EXISTS used", UNSURE),
        ("RESET search_path", SURE),
        ("DROP TABLE plain", UNSURE),
    ],
    [
        ("DROP FUNCTION free(int)", SURE),
        ("DROP FUNCTION IF EXISTS free(int)", NOTHING),
        ("CREATE FUNCTION free(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN END'", SURE),
        ("DROP FUNCTION free(int)", UNSURE),
    ],
    [
        ("ALTER TABLE t DROP COLUMN a CASCADE", SURE),
        ("DROP TABLE t CASCADE", SURE),
        ("DROP INDEX IF EXISTS i", NOTHING),
    ],
    [
        ("DROP TRIGGER g ON t", SURE),
        ("DROP TRIGGER IF EXISTS g ON t", NOTHING),
        ("CREATE TRIGGER g AFTER TRUNCATE ON t EXECUTE FUNCTION f()", SURE),
        ("DROP TRIGGER IF EXISTS g ON t", UNSURE),
    ],
    [
        ("DROP TYPE colour CASCADE", SURE),
        ("DROP TYPE IF EXISTS colour", NOTHING),
        ("CREATE TYPE colour AS ENUM ('z')", SURE),
        ("DROP TYPE IF EXISTS colour", UNSURE),
    ],
    [
        ("CREATE TABLE fresh (k int REFERENCES parent)", SURE),
        ("ALTER TABLE fresh ADD COLUMN j int", UNSURE),
        ("INSERT INTO fresh VALUES (1)", UNSURE),
        ("DROP TABLE fresh", UNSURE),
    ],
    [
        ("ALTER TABLE loner ADD COLUMN p int REFERENCES parent", SURE),
        ("UPDATE loner SET p = 1", UNSURE),
        ("DROP TABLE loner", SURE),
    ],
    [
        ("DROP SCHEMA stock CASCADE", SURE),
        ("DROP TABLE IF EXISTS stock.a", NOTHING),
        ("DROP SCHEMA IF EXISTS stock", NOTHING),
        ("CREATE SCHEMA IF NOT EXISTS stock", SURE),
        ("DROP SCHEMA stock", UNSURE),
    ],
    [
        ("DROP EXTENSION {extension} CASCADE", SURE),
        ("DROP EXTENSION IF EXISTS {extension}", NOTHING),
    ],
    [
        ("DROP SEQUENCE wanted CASCADE", SURE),
        ("INSERT INTO wants DEFAULT VALUES", SURE),
        ("DROP TABLE wants", SURE),
    ],
    [
        ("DO 'BEGIN EXECUTE ''CREATE TABLE made ()''; END'", UNSURE),
        ("DROP TABLE made", UNSURE),
        ("DROP TABLE plain", UNSURE),
    ],
    [
        ("SELECT set_config('search_path', 'stock', true)", SURE),
        ("DROP TABLE b", UNSURE),
        ("DROP VIEW stock.va", SURE),
    ],
    [
        ("CREATE RULE rr AS ON DELETE TO loner DO INSTEAD DELETE FROM plain", SURE),
        ("DELETE FROM loner", UNSURE),
    ],
    [
        ("SET session_replication_role = replica", SURE),
        ("DELETE FROM boss", UNSURE),
    ],
    [
        ("ALTER TABLE parts DETACH PARTITION part1", SURE),
        ("DROP TABLE parts", UNSURE),
    ],
    [
        ("ALTER TABLE plain OWNER TO {role}", SURE),
        ("DROP OWNED BY {role} CASCADE", UNSURE),
    ],
]


def test_without_time_nothing_is_called_resolved(
    server: EmbeddedServer, theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, trees = theatre.stage(server, GROUPS[0])
    form = GROUPS[0].forms[0]
    assert stage.forecast(form, trees[form.sql]).effect.resolved
    monkeypatch.setattr(foresight, "MOST_SECONDS", 0.0)
    assert not stage.forecast(form, trees[form.sql]).effect.resolved


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan[0][0])
def test_each_statement_is_foreseen_after_the_ones_before_it(
    server: EmbeddedServer, theatre: Theatre, plan: list[tuple[str, str]]
) -> None:
    stage, _ = theatre.stage(server, GROUPS[0])
    texts = [stage.text(Form(text)) for text, _ in plan]
    with Parser() as parser:
        trees = parser.trees(texts, seconds=30)
    statements = [
        Statement(index=n, start=0, end=len(text), line=1, sql=text, effect=effect(tree or {}))
        for n, (text, tree) in enumerate(zip(texts, trees, strict=True), 1)
    ]
    foreseen = foresee(stage.connection, statements, trees)
    told = [NOTHING if e.no_op else SURE if e.resolved else UNSURE for e in foreseen]
    assert told == [expected for _, expected in plan]
    stage.connection.execute("BEGIN")
    try:
        gauge = Gauge(stage.connection, superuser=True)
        for statement, expected in zip(statements, foreseen, strict=True):
            held = dict(gauge.held)
            measured = gauge.run(statement)
            assert (measured.failed, differences(expected, measured, held)) == ("", ())
    finally:
        stage.connection.execute("ROLLBACK")
        stage.connection.execute("RESET ALL")
