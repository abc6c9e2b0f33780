"""The parser's child: it may crash and stall, we may not."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import postgast
import pytest
from google.protobuf.json_format import MessageToDict

from rollback_tui.parser import BATCH_BYTES, MOST_RESTARTS, Parser
from tests.effort import counted

CRASHES = "SELECT " + "+".join(["1"] * 200_000)
"""Overflows the C library's stack: the child dies of SIGSEGV."""
DEEP = "SELECT " + "(" * 100_000 + "1" + ")" * 100_000


@pytest.fixture
def parser() -> Iterator[Parser]:
    with Parser() as parser:
        yield parser


def child(parser: Parser) -> int:
    process = parser._process
    assert process is not None
    return process.pid


def test_each_statement_has_the_tree_of_its_command(parser: Parser) -> None:
    drop, select = parser.trees(["DROP TABLE a", "SELECT 1"])
    assert drop is not None and list(drop) == ["drop_stmt"]
    assert select is not None and list(select) == ["select_stmt"]


@pytest.mark.parametrize(
    "text", ["", "-- x", "SELECT 1; SELECT 2", "DORP TABLE x", "SELECT '", DEEP]
)
def test_what_is_not_one_command_is_unknown(parser: Parser, text: str) -> None:
    assert [tree is None for tree in parser.trees([text, "SELECT 1"])] == [True, False]


def test_nothing_starts_no_child() -> None:
    with Parser() as parser:
        assert parser.trees([]) == ()
        assert parser._process is None


def test_a_crash_costs_one_statement_its_tree(parser: Parser) -> None:
    parser.trees(["SELECT 1"])
    before = child(parser)
    found = parser.trees(["SELECT 1", CRASHES, "SELECT 2"], seconds=30)
    assert [tree is None for tree in found] == [False, True, False]
    assert child(parser) != before, "the child should have died"


def test_crashes_are_bounded(parser: Parser) -> None:
    found = parser.trees([CRASHES] * (MOST_RESTARTS + 3) + ["SELECT 1"], seconds=60)
    assert len(found) == MOST_RESTARTS + 4
    assert not any(found)
    assert parser.trees(["SELECT 1"])[0] is not None


def test_a_child_that_stalls_is_ended_within_the_limit(parser: Parser) -> None:
    parser.trees(["SELECT 1"])
    stalled = child(parser)
    os.kill(stalled, signal.SIGSTOP)
    # It would be stopped for ever.
    assert parser.trees(["SELECT 1"] * 3, seconds=0.5) == (None, None, None)
    with pytest.raises(ProcessLookupError):
        os.kill(stalled, 0)
    assert parser.trees(["SELECT 1"])[0] is not None


def test_a_stalled_child_that_reads_nothing_does_not_block_a_large_request(parser: Parser) -> None:
    parser.trees(["SELECT 1"])
    os.kill(child(parser), signal.SIGSTOP)
    assert parser.trees(["SELECT '" + "x" * 5_000_000 + "'"], seconds=0.5) == (None,)


def test_a_child_killed_between_calls_is_replaced(parser: Parser) -> None:
    parser.trees(["SELECT 1"])
    os.kill(child(parser), signal.SIGKILL)
    time.sleep(0.1)
    assert parser.trees(["SELECT 1"])[0] is not None


def test_no_time_means_unknown_and_is_said(parser: Parser) -> None:
    parser.trees(["SELECT 1", "SELEC"])
    assert parser.unread == 0
    assert parser.trees(["SELECT 1"] * 3, seconds=0) == (None,) * 3
    assert parser.unread == 3


def test_no_zombie_stays() -> None:
    with Parser() as parser:
        parser.trees(["SELECT 1"])
        pid = child(parser)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert parser.trees(["SELECT 1"]) == (None,)
    parser.close()


def test_no_secret_reaches_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@h/d")
    monkeypatch.setenv("PGPASSWORD", "secret")
    with Parser() as parser:
        parser.trees(["SELECT 1"])
        seen = subprocess.run(
            ["ps", "eww", "-p", str(child(parser))], capture_output=True, text=True, check=True
        ).stdout
    assert "child.py" in seen and "PATH=" in seen and "secret" not in seen


def test_many_statements_are_asked_in_batches_of_one_child(parser: Parser) -> None:
    statement = "ALTER TABLE t DROP COLUMN a"
    parser.trees(["SELECT 1"])
    before = child(parser)
    for many in (5_000, 20_000):
        with counted() as effort:
            assert all(parser.trees([statement] * many, seconds=120))
        assert effort.of["Parser._ask"] == -(-many * len(statement) // BATCH_BYTES)
        # To send, to receive and to read each answer; and to wait for it, when it is not there.
        assert effort.calls < 20 * many
    assert child(parser) == before


SPELLED_EVERY_WAY = [
    "SELECT 0, 1, -1, 9223372036854775807, 1.5e10, 'x', E'\\x01\\t\\n\"\\\\', b'01', NULL, true",
    """SELECT '"removeType":"x"', '{"relname":1}' AS "typeName"":" """,
    'SELECT "a\\"":b" FROM "\x01\x7f\u2028ü😀" WHERE a = ANY($1) AND b ->> \'c\' IS NOT NULL',
    "DROP TABLE IF EXISTS a, b.c CASCADE",
    "ALTER TABLE a ALTER COLUMN b TYPE varchar(3) USING b::varchar, DROP CONSTRAINT c, ADD CHECK"
    " (x > 0) NOT VALID",
    "CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b text[] DEFAULT '{}')"
    " PARTITION BY RANGE (a)",
    "CREATE FUNCTION f(a int, OUT b text) LANGUAGE sql BEGIN ATOMIC SELECT a; SELECT 'x;'; END",
    "WITH d AS (DELETE FROM t WHERE a IN (SELECT 1) RETURNING *) INSERT INTO u SELECT * FROM d"
    " ON CONFLICT (a) DO UPDATE SET b = excluded.b",
    "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN DO NOTHING",
    "CREATE INDEX CONCURRENTLY i ON ONLY t USING gin (a gin_trgm_ops, (b || c)) WHERE d IS NULL",
    "GRANT SELECT (a), UPDATE ON t TO PUBLIC WITH GRANT OPTION",
    "DO $$ BEGIN NULL; END $$",
    "COMMENT ON COLUMN a.b.c IS NULL",
    "CREATE TRIGGER t BEFORE UPDATE OF a ON b FOR EACH ROW WHEN (old.a <> new.a) EXECUTE FUNCTION"
    " f('x')",
    "SET LOCAL search_path = a, \"B\"",
    "SELECT xmlelement(name a), current_timestamp(3), extract(year from b), interval '1 day'",
]  # fmt: skip


@pytest.mark.parametrize("statement", SPELLED_EVERY_WAY, ids=lambda text: text[:30])
def test_the_trees_are_those_of_protobufs_own_json(parser: Parser, statement: str) -> None:
    wanted = MessageToDict(
        postgast.parse(statement).stmts[0].stmt, preserving_proto_field_name=True
    )
    assert parser.trees([statement]) == (wanted,)


def test_what_is_cut_off_by_a_nul_is_unknown(parser: Parser) -> None:
    assert parser.trees(["SELECT 1\0; DROP TABLE a"]) == (None,)


# --- what a statement demands and touches -------------------------------------------------------


def test_rows_are_asked_for_with_the_names_as_they_are_written(parser: Parser) -> None:
    (reading,) = parser.readings(
        ['DELETE FROM ONLY "a.b"."select" AS "x""y" USING u WHERE "x""y"."[/red]" = u.id']
    )
    assert reading is not None and reading.touched is not None
    assert reading.touched.relation == ("a.b", "select")
    assert reading.touched.count == (
        'SELECT pg_catalog.count(*) FROM (SELECT DISTINCT "x""y".tableoid, "x""y".ctid'
        ' FROM ONLY "a.b"."select" "x""y", u WHERE "x""y"."[/red]" = u.id) touched'
    )
    assert reading.touched.uses.operators == (("=",),)


def test_what_is_written_is_not_what_is_asked(parser: Parser) -> None:
    (reading,) = parser.readings(
        ["UPDATE t SET a = evil(), b = (SELECT worse()) WHERE c RETURNING worst()"]
    )
    assert reading is not None and reading.touched is not None
    assert reading.touched.uses.functions == ()
    assert reading.touched.rows == "SELECT t.* FROM t WHERE c"


@pytest.mark.parametrize(
    ("text", "rule", "expression"),
    [
        ("ALTER TABLE t ADD CHECK (a > 0 AND f(b))", "check", "a > 0 AND f(b)"),
        ("ALTER TABLE t ADD COLUMN a int CHECK (a > 0)", "check", "a > 0"),
        ("ALTER DOMAIN d ADD CHECK (value <> '; DROP')", "domain", "value <> '; DROP'"),
    ],
)
def test_expressions_are_written_out(parser: Parser, text: str, rule: str, expression: str) -> None:
    (reading,) = parser.readings([text])
    assert reading is not None
    assert [(d.rule, d.expression) for d in reading.demands] == [(rule, expression)]


def test_a_statement_that_kills_the_child_has_no_reading(parser: Parser) -> None:
    found = parser.readings(["DELETE FROM a", CRASHES, "DELETE FROM b", "nonsense", "SELECT 1;;"])
    assert [reading is None for reading in found] == [False, True, False, True, False]
    assert parser.trees(["SELECT 1"])[0] is not None
