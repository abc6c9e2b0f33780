"""Code of users that a statement runs without a call in it: the forecast must not know better."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rollback_tui.core.model import Statement
from rollback_tui.core.script.effects import effect
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.foresight import foresee
from tests.forms.form import Form
from tests.forms.harness import Stage, disagreements, stage, trees

SCHEMA = """
CREATE TABLE lost (id int);
INSERT INTO lost VALUES (1), (2);
CREATE FUNCTION loses() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM lost; RETURN 1; END';
CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN PERFORM loses(); RETURN NULL; END';
CREATE FUNCTION field(lost) RETURNS int LANGUAGE sql AS 'SELECT loses()';
CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE sql AS 'SELECT loses() = 1';
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = same);
CREATE FUNCTION power(lost) RETURNS int LANGUAGE sql AS 'SELECT loses()';
CREATE DOMAIN ruled AS int CHECK (loses() = VALUE);
CREATE TYPE pair AS (x int, y ruled);
CREATE TABLE truncated (id int);
CREATE TRIGGER t AFTER TRUNCATE ON truncated EXECUTE FUNCTION fired();
CREATE TABLE defaults (id int, d int DEFAULT loses());
CREATE TABLE checked (id int CHECK (loses() = 1));
CREATE TABLE typed (id int, d ruled);
CREATE TABLE nested (id int, p pair);
CREATE TABLE plain (id int);
INSERT INTO plain VALUES (1);
CREATE VIEW by_operator AS SELECT id FROM plain WHERE id === 1;
CREATE VIEW by_type AS SELECT id::ruled AS d FROM plain;
CREATE SEQUENCE numbers;
CREATE VIEW numbered AS SELECT nextval('numbers') AS n;
CREATE TABLE of_domain (id int, p pair);
"""

UNKNOWN = """\
TRUNCATE truncated
INSERT INTO defaults (id) VALUES (1)
INSERT INTO checked VALUES (1)
UPDATE checked SET id = 1
INSERT INTO typed VALUES (1, 1)
INSERT INTO nested VALUES (1, ROW(1, 1))
SELECT l.field FROM lost l
SELECT (lost).field FROM lost
SELECT 1 === 1
SELECT power(lost) FROM lost
SELECT 1::ruled
CREATE TABLE made AS SELECT 1::ruled AS d
ALTER TABLE plain ADD COLUMN d int DEFAULT loses()
ALTER TABLE plain ADD COLUMN d ruled DEFAULT 1
ALTER TABLE plain ALTER id TYPE ruled
ALTER TABLE plain ALTER id TYPE int USING loses()
"""

NOT_RESOLVED = """\
SELECT * FROM by_operator
SELECT * FROM by_type
SELECT * FROM numbered
"""

KNOWN = """\
INSERT INTO plain VALUES (1)
DELETE FROM checked
ALTER TABLE plain ADD COLUMN d int
ALTER TABLE plain ALTER id SET DEFAULT loses()
DROP DOMAIN ruled CASCADE
"""


@pytest.fixture(scope="module")
def made(server: EmbeddedServer) -> Iterator[Stage]:
    with stage(server, [SCHEMA]) as opened:
        yield opened


def test_what_runs_unseen_is_not_forecast(made: Stage) -> None:
    forms = [Form(text) for text in UNKNOWN.splitlines()]
    read = trees(forms, {})
    for form in forms:
        found = made.forecast(form, read[form.sql]).effect
        assert found.basis == "unknown", form.sql
        assert found.loses_data is not False, form.sql


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE plain ALTER id SET DEFAULT loses(); INSERT INTO plain DEFAULT VALUES",
        "ALTER TABLE plain ADD CHECK (loses() = 1); UPDATE plain SET id = 1",
        "CREATE DOMAIN made AS int CHECK (loses() = 1); SELECT 1::made",
        "CREATE FUNCTION made() RETURNS int LANGUAGE sql AS 'SELECT loses()';"
        " ALTER TABLE plain ADD COLUMN n int DEFAULT made()",
        "CREATE OPERATOR ==== (LEFTARG = int, RIGHTARG = int, FUNCTION = same); SELECT 1 ==== 1",
        "DO $$ BEGIN DROP TABLE plain; END $$; DROP TABLE IF EXISTS plain",
        "SELECT loses(); DELETE FROM plain",
    ],
)
def test_nor_is_what_an_earlier_statement_hangs_on_it(made: Stage, script: str) -> None:
    texts = (
        [text for text in script.split(";") if text]
        if "$$" not in script
        else [f"{script.split('$$;')[0]}$$", script.split("$$;")[1]]
    )
    read = trees([Form(text) for text in texts], {})
    statements = [
        Statement(index=n, start=0, end=len(t), line=1, sql=t, effect=effect(read[t]))
        for n, t in enumerate(texts, 1)
    ]
    last = foresee(made.connection, statements, [read[t] for t in texts])[-1]
    assert last.basis == "unknown" or not last.resolved


def test_views_on_it_are_not_resolved(made: Stage) -> None:
    forms = [Form(text) for text in NOT_RESOLVED.splitlines()]
    read = trees(forms, {})
    assert not [f.sql for f in forms if made.forecast(f, read[f.sql]).effect.resolved]


def test_what_runs_none_of_it_is_forecast_as_it_is(made: Stage) -> None:
    forms = [Form(text) for text in KNOWN.splitlines()]
    read = trees(forms, {})
    for form in forms:
        statement = made.forecast(form, read[form.sql])
        assert disagreements(form, statement.effect, made.measure(statement)) == [], form.sql
