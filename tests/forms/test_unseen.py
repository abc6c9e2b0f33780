"""Code of users that a statement runs without a call in it: the forecast must not know better."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rollback_tui.embedded.server import EmbeddedServer
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
        effect = made.forecast(form, read[form.sql]).effect
        assert effect.basis == "unknown", form.sql
        assert effect.loses_data is not False, form.sql


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
