"""Damage hidden in what a down script sets off: each is caught by the verification that should
catch it, before COMMIT, and none of the others cries wolf.

Hidden twice: in a ``DO`` block of the script, of which nobody can tell what it does; and in a
function of an event trigger, which the script's own DDL sets off and no forecast knows of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from rollback_tui.core.model import Verification
from rollback_tui.embedded.server import EmbeddedServer
from tests.conftest import Database, create_database, drop_database
from tests.run.proving import Bench, not_passed

SCHEMA = """
CREATE ROLE {reader};
CREATE TYPE mood AS ENUM ('calm', 'wild');
CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL, how mood DEFAULT 'calm');
INSERT INTO users (email) SELECT 'u' || i FROM generate_series(1, 200) i;
CREATE TABLE orders (id serial PRIMARY KEY, user_id int REFERENCES users, note text DEFAULT 'n');
INSERT INTO orders (user_id, note) SELECT i, 'order ' || i FROM generate_series(1, 200) i;
CREATE INDEX orders_user ON orders (user_id);
CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL);
INSERT INTO account SELECT i, 100 FROM generate_series(1, 300) i;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER kept BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION keep();
ALTER TABLE account ADD CONSTRAINT positive CHECK (balance >= 0);
GRANT SELECT ON orders TO {reader};
CREATE TABLE halves (id int PRIMARY KEY, one int, other int);
INSERT INTO halves SELECT i, i, -i FROM generate_series(1, 20) i;
CREATE TABLE morning (id int);
CREATE TABLE evening (id int);
INSERT INTO evening VALUES (1);
SELECT lo_from_bytea(4711, 'a picture');
-- Changes what nobody asked for, when COMMIT comes.
CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE public.halves SET other = 0 WHERE id = NEW.id AND other <> 0; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON halves DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION later();
-- Sets off what the session says, once, as the superuser that made it.
CREATE FUNCTION sabotage() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE hidden text := current_setting('sabotage.sql', true);
BEGIN
  IF hidden <> '' AND to_regclass('public.tokens') IS NULL THEN
    PERFORM set_config('sabotage.sql', '', false);
    EXECUTE hidden;
  END IF;
END $$;
CREATE EVENT TRIGGER sabotage ON ddl_command_end EXECUTE FUNCTION sabotage();
"""
UP = "ALTER TABLE users ADD COLUMN verified boolean; CREATE TABLE tokens (id int PRIMARY KEY);"
DOWN = "DROP TABLE tokens;\nALTER TABLE users DROP COLUMN verified;"


class Case(NamedTuple):
    """One piece of damage, and every verdict that is no pass then."""

    sql: str
    unseen: dict[str, str]
    """Set off by an event trigger."""
    opaque: dict[str, str]
    """In a DO block: whether it should have been is not known, but what stays must be as it was."""


def rows(*more: str) -> tuple[dict[str, str], dict[str, str]]:
    """Damage to rows: nobody announced the write, and the contents are not what they were."""
    caught = {"contents": "fail", **dict.fromkeys(more, "fail")}
    return {"nothing_else": "fail", **caught}, {"nothing_else": "unknown", **caught}


def schema(*more: str) -> tuple[dict[str, str], dict[str, str]]:
    """Damage to the schema: it is not the baseline's."""
    caught = {"schema": "fail", **dict.fromkeys(more, "fail")}
    return {"nothing_else": "fail", **caught}, {"nothing_else": "unknown", **caught}


def nothing_else() -> tuple[dict[str, str], dict[str, str]]:
    """Damage that no row and no definition shows."""
    return {"nothing_else": "fail"}, {"nothing_else": "unknown"}


def exchanged(rename: str, one: str, other: str) -> str:
    """Three renames in a circle."""
    pairs = ((one, "between"), (other, one), ("between", other))
    return " ".join(f"ALTER {rename.format(*pair)};" for pair in pairs)


REPLICA = "PERFORM set_config('session_replication_role', '{}', true);"
CASES = {
    "nothing": Case("NULL;", {}, {}),
    "a row deleted": Case("DELETE FROM public.account WHERE id = 7;", *rows()),
    "a value changed": Case("UPDATE public.account SET balance = 0 WHERE id = 7;", *rows()),
    "two values exchanged": Case(
        "UPDATE public.account SET balance = CASE id WHEN 1 THEN 101 ELSE 99 END WHERE id < 3;",
        *rows(),
    ),
    "a hole behind a foreign key": Case(
        REPLICA.format("replica")
        + "DELETE FROM public.users WHERE id = 3;"
        + REPLICA.format("origin"),
        *rows("foreign_keys"),
    ),
    "a table emptied": Case("TRUNCATE public.account;", *rows("rows")),
    "a sequence set back": Case(
        # Nothing undoes it, so that each time there is a little less.
        "PERFORM setval('public.orders_id_seq', last_value - 1) FROM public.orders_id_seq;",
        {"sequences": "fail"},
        {"sequences": "fail"},
    ),
    "an index left invalid": Case(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.orders_user'::regclass;",
        *schema("indexes"),
    ),
    "a trigger disabled": Case("ALTER TABLE public.orders DISABLE TRIGGER kept;", *schema()),
    "a grant lost": Case("REVOKE SELECT ON public.orders FROM {reader};", *schema()),
    "an enum label left behind": Case("ALTER TYPE public.mood ADD VALUE 'odd';", *schema()),
    "a default changed": Case("ALTER TABLE public.orders ALTER note SET DEFAULT 'm';", *schema()),
    "a constraint no longer valid": Case(
        "UPDATE pg_constraint SET convalidated = false WHERE conname = 'positive';",
        *schema("constraints_validated"),
    ),
    "two tables that exchange their names": Case(
        exchanged("TABLE public.{} RENAME TO {}", "morning", "evening"), *nothing_else()
    ),
    "two columns that exchange their names": Case(
        exchanged("TABLE public.halves RENAME {} TO {}", "one", "other"), *nothing_else()
    ),
    "a column made anew, without its values": Case(
        "ALTER TABLE public.halves DROP other; ALTER TABLE public.halves ADD other int;",
        *nothing_else(),
    ),
    "a large object removed": Case(
        # A script that names it says so itself: then it is only told.
        "PERFORM lo_unlink(4711);",
        {"nothing_else": "fail"},
        {},
    ),
    "a table that was to go comes back": Case("CREATE TABLE public.tokens_ (id int);", *schema()),
}


@pytest.fixture(scope="module")
def bench(server: EmbeddedServer) -> Iterator[Bench]:
    yield from made(server)


@pytest.fixture(scope="module")
def bench16(server16: EmbeddedServer) -> Iterator[Bench]:
    yield from made(server16)


def made(server: EmbeddedServer) -> Iterator[Bench]:
    """As a superuser: some damage takes one."""
    database: Database = create_database(server)
    schema = SCHEMA.replace("{reader}", f"reader_{database.name}")
    yield Bench(database, schema, UP, superuser=True)
    with database.connect(superuser=True) as admin:
        admin.execute(f"DROP OWNED BY reader_{database.name}".encode())
        admin.execute(f"DROP ROLE reader_{database.name}".encode())
    drop_database(database)


def hidden(bench: Bench, case: str) -> str:
    return CASES[case].sql.replace("{reader}", f"reader_{bench.database.name}")


def told(found: dict[str, Verification]) -> str:
    return "\n".join(f"{v.name}: {v.verdict} {v.summary} {v.evidence}" for v in found.values())


@pytest.mark.parametrize("version", [18, 16])
@pytest.mark.parametrize("case", CASES)
def test_what_an_event_trigger_does_is_caught(
    request: pytest.FixtureRequest, version: int, case: str
) -> None:
    bench: Bench = request.getfixturevalue("bench" if version == 18 else "bench16")
    block = f"DO $hidden$ BEGIN {hidden(bench, case)} END $hidden$"
    found = bench.verdicts(DOWN, session={"sabotage.sql": block})
    assert not_passed(found) == CASES[case].unseen, told(found)


@pytest.mark.parametrize("case", CASES)
def test_what_a_block_in_the_script_does_is_caught(bench: Bench, case: str) -> None:
    block = f"DO $hidden$ BEGIN {hidden(bench, case)} END $hidden$"
    found = bench.verdicts(f"{DOWN}\n{block};")
    assert not_passed(found) == CASES[case].opaque, told(found)


def test_what_a_deferred_trigger_does_at_commit_is_judged_before_it(bench: Bench) -> None:
    """It would come after the last look otherwise, and be committed unseen."""
    found = bench.verdicts(f"{DOWN}\nUPDATE halves SET one = 5 WHERE id = 1;")
    assert not_passed(found) == {"contents": "fail"}, told(found)
