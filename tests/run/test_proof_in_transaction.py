"""What is read, what is followed and what is left out, when a plan does what it announces."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from rollback_tui.config import Settings, Verify
from rollback_tui.core import events as ev
from rollback_tui.core.model import Verification
from rollback_tui.core.rehearsal import Measured, Rehearsal, RowsChanged
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.connect import connect
from rollback_tui.run.execution import execute
from rollback_tui.run.judgement import prove_unchanged
from rollback_tui.run.verifying.course import verify
from rollback_tui.survey.proof import proof_cost
from tests.conftest import create_database, drop_database
from tests.run.proving import Bench, not_passed

SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, email text, n int, doubled int GENERATED ALWAYS AS (n * 2)
  STORED, kind regclass DEFAULT 'pg_class');
INSERT INTO users SELECT i, CASE WHEN i % 7 = 0 THEN NULL ELSE '' END, i
  FROM generate_series(1, 100) i;
CREATE TABLE events (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
INSERT INTO events SELECT i, date '2024-01-05' + i FROM generate_series(1, 40) i;
CREATE TABLE logs (id int);
INSERT INTO logs SELECT generate_series(1, 5);
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.logs VALUES (OLD.id); RETURN NEW; END $$;
CREATE TABLE loud (id int PRIMARY KEY, n int);
INSERT INTO loud SELECT i, i FROM generate_series(1, 5) i;
CREATE TRIGGER shouts BEFORE UPDATE ON loud FOR EACH ROW EXECUTE FUNCTION shout();
CREATE VIEW names AS SELECT id, email FROM users;
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
"""
UP = "CREATE TABLE extra (id int);"
GONE = "DROP TABLE extra;"


@pytest.fixture(scope="module")
def bench(server: EmbeddedServer) -> Iterator[Bench]:
    database = create_database(server)
    yield Bench(database, SCHEMA, UP, superuser=True)
    drop_database(database)


def told(found: dict[str, Verification]) -> str:
    return "\n".join(f"{v.name}: {v.verdict} {v.summary} {v.evidence}" for v in found.values())


def judged(bench: Bench, down: str, *without: str) -> dict[str, Verification]:
    """What was judged, but for the schema: these plans are not meant to restore it."""
    found = bench.verdicts(f"{GONE}\n{down}")
    return {name: v for name, v in found.items() if name not in ("schema", *without)}


QUIET = {
    "a table renamed": "ALTER TABLE users RENAME TO people;",
    "a column renamed": "ALTER TABLE users RENAME email TO mail;",
    "a table moved": "CREATE SCHEMA attic; ALTER TABLE users SET SCHEMA attic;",
    "a column retyped": "ALTER TABLE loud ALTER n TYPE bigint;",
    "a column renamed, then updated": "ALTER TABLE users RENAME n TO m; UPDATE users SET m = 0;",
    "a column updated": "UPDATE users SET email = 'x' WHERE id < 10;",
    "a table written anew": "ALTER TABLE logs ALTER id TYPE bigint;",
    "rows inserted": "INSERT INTO logs VALUES (6);",
    "rows deleted": "DELETE FROM logs WHERE id = 1;",
    "a partition detached": "ALTER TABLE events DETACH PARTITION events_1;",
    "a partitioned table updated": "UPDATE events SET at = '2024-02-02' WHERE id = 1;",
    "a partitioned table inserted into": "INSERT INTO events VALUES (99, '2024-02-03');",
    "what a trigger of a user adds": "UPDATE loud SET n = 0 WHERE id = 1;",
    "a column added and filled": "ALTER TABLE logs ADD more int DEFAULT 3;"
    " UPDATE logs SET more = 4;",
}


@pytest.mark.parametrize("case", QUIET)
def test_what_a_plan_announces_is_no_surprise(bench: Bench, case: str) -> None:
    found = judged(bench, QUIET[case], "rows" if "detached" in case or "deleted" in case else "")
    expected = {"nothing_else": "unknown"} if "trigger" in case else {}
    assert not_passed(found) == expected, told(found)


def test_a_renamed_table_is_read_under_both_names(bench: Bench) -> None:
    plan = bench.plan(f"{GONE}\nALTER TABLE users RENAME TO people; UPDATE people SET n = n + 1;")
    with bench.run(plan) as run:
        execute(run)
        verify(run)
        contents = next(v for v in run.view.verifications if v.name == "contents")
        before, after = run.view.contents
    assert contents.verdict == "pass", contents
    assert any("users: 100 rows as before (without n, doubled" in e for e in contents.evidence)
    assert before.when == "before"
    assert {c.table: c.fingerprint for c in before.contents}["public.users"] == {
        c.table: c.fingerprint for c in after.contents
    }["public.users"]


def test_null_and_empty_and_duplicates_are_told_apart(bench: Bench) -> None:
    for change in (
        "UPDATE users SET email = NULL WHERE id = 1;",
        "UPDATE users SET n = n + 1 WHERE id = 1;",
        "UPDATE logs SET id = 2 WHERE id = 1;",
        "UPDATE users SET kind = 'pg_proc' WHERE id = 1;",
    ):
        found = judged(bench, f"DO $$ BEGIN {change} END $$;")
        assert found["contents"].verdict == "fail", (change, told(found))


def test_what_was_rehearsed_with_the_data_is_announced(bench: Bench) -> None:
    down = f"{GONE}\nDO $$ BEGIN UPDATE users SET n = 0 WHERE id = 1; END $$;"
    plan = bench.plan(down)
    measured = [
        Measured(
            index=s.index,
            seconds=0,
            transactional=True,
            locks=(),
            rewritten=(),
            scanned=(),
            dropped=(),
            changed=(),
            rows=None,
        )
        for s in plan.statements
    ]
    rehearsal = Rehearsal(
        plan_sha256="",
        source="dump",
        embedded=False,
        server_version=180000,
        database="scratch",
        made_seconds=0,
        seconds=0,
        statements=(
            measured[0],
            _with(
                measured[1], RowsChanged(relation="public.users", inserted=0, updated=1, deleted=0)
            ),
        ),
    )
    found = bench.verdicts(down, rehearsal=rehearsal)
    assert not_passed(found) == {}, told(found)
    unannounced = _with(measured[1])
    other = msgspec.structs.replace(rehearsal, statements=(measured[0], unannounced))
    found = bench.verdicts(down, rehearsal=other)
    assert found["nothing_else"].verdict == "fail", told(found)
    assert "public.users: 1 row updated" in " ".join(found["nothing_else"].evidence)


def _with(measured: Measured, *changed: RowsChanged) -> Measured:
    return msgspec.structs.replace(measured, changed=changed)


def test_a_change_that_the_rehearsal_did_not_make_stops_the_run(bench: Bench) -> None:
    down = f"{GONE}\nALTER TABLE logs ADD other int;"
    plan = bench.plan(down)
    rehearsal = Rehearsal(
        plan_sha256="",
        source="schema",
        embedded=False,
        server_version=180000,
        database="scratch",
        made_seconds=0,
        seconds=0,
        statements=(),
        changes=(),
    )
    found = bench.verdicts(down, rehearsal=rehearsal)
    assert plan.transactional
    assert found["nothing_else"].verdict == "fail"
    assert "compared with the rehearsal" in found["nothing_else"].evidence


def test_without_a_budget_what_was_not_read_is_unknown_and_never_a_pass(bench: Bench) -> None:
    settings = Settings(verify=Verify(budget_seconds=0.0001))
    found = bench.verdicts(f"{GONE}\nUPDATE users SET email = 'x';", settings=settings)
    assert found["contents"].verdict == "unknown", told(found)
    assert found["nothing_else"].verdict == "pass", told(found)
    assert found["rows"].verdict in ("pass", "unknown")


def test_the_cost_is_told_beforehand(bench: Bench) -> None:
    plan = bench.plan(f"{GONE}\nUPDATE users SET email = 'x';")
    with connect(bench.dsn) as connection:
        cost = proof_cost(connection, Settings(), plan)
    assert cost.fingerprinted == ("public.users",)
    assert set(cost.counted) >= {"public.users", "public.extra", "public.schema_migrations"}
    assert cost.others == 3
    assert cost.beyond == ()
    assert cost.estimated_seconds is not None
    with connect(bench.dsn) as connection:
        tight = Settings(verify=Verify(budget_seconds=1e-6))
        assert "public.users" in proof_cost(connection, tight, plan).beyond


def test_after_a_rollback_the_same_tables_are_read_again(bench: Bench) -> None:
    plan = bench.plan(f"{GONE}\nUPDATE users SET email = 'x';")
    with bench.run(plan) as run:
        execute(run)
        run.live_target().execute("ROLLBACK")
        run.write(ev.DoorClosed(rung="limit", connection_limit=-1))
        proof = prove_unchanged(run, None)
        assert proof.proven, proof
        assert "contents of" in proof.basis
        assert "files of all tables" in proof.basis
        run.live_target().execute("BEGIN")
        run.live_target().execute("UPDATE users SET n = 0 WHERE id = 1")
        proof = prove_unchanged(run, None)
        assert not proof.proven
        assert any("public.users" in line for line in proof.differences), proof
        run.before = None
        proof = prove_unchanged(run, None)
        assert not proof.proven
        assert any("public.users: other contents" in line for line in proof.differences), proof
