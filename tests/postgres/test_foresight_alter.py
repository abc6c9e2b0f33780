"""ALTER TABLE resolved against the catalog: what the locks and files of a server do not show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import psycopg
import pytest

from rollback_tui.core.model import Effect, Statement
from rollback_tui.core.script.effects import effect
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.parser import Parser
from rollback_tui.postgres.foresight import foresee
from rollback_tui.postgres.foresight.proof import condition, proves
from tests.conftest import create_database, drop_database

SCHEMA = """
CREATE TABLE parent (id int PRIMARY KEY, code varchar(10));
CREATE TABLE t (id int PRIMARY KEY, a varchar(10) NOT NULL, b int, c numeric(10, 2), at timestamp,
    m char(5), d int CHECK (d > 0));
CREATE INDEX t_b ON t (b);
CREATE TABLE base (k int, note text);
CREATE TABLE heir () INHERITS (base);
CREATE FUNCTION inlined() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE FUNCTION either(int) RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION either(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
CREATE SCHEMA app;
CREATE TYPE app.colour AS ENUM ('red');
CREATE TABLE counted (id int GENERATED ALWAYS AS IDENTITY, b serial);
CREATE TABLE ranged (k int) PARTITION BY RANGE (k);
CREATE TABLE proven (k int, CHECK (k IS NOT NULL AND k >= 10 AND k < 20));
CREATE TABLE unproven (k int);
CREATE TABLE other_words (k int, CHECK (k > 9 AND k < 20 AND k IS NOT NULL));
"""

Foresee = Callable[..., tuple[Effect, ...]]


@pytest.fixture(scope="module")
def connection(server: EmbeddedServer) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    made = create_database(server)
    with psycopg.connect(made.dsn, autocommit=True) as opened:
        opened.execute(SCHEMA)
        yield opened
    drop_database(made)


@pytest.fixture(scope="module")
def seen(connection: psycopg.Connection[tuple[object, ...]]) -> Iterator[Foresee]:
    """Forecast of a plan's statements, as they follow each other."""
    with Parser() as parser:

        def ask(*texts: str, zone: str = "UTC") -> tuple[Effect, ...]:
            trees = parser.trees(texts)
            statements: Sequence[Statement] = [
                Statement(index=n, start=0, end=1, line=1, sql=sql, effect=effect(tree or {}))
                for n, (sql, tree) in enumerate(zip(texts, trees, strict=True), start=1)
            ]
            connection.execute("SELECT set_config('TimeZone', %s, false)", [zone])
            return foresee(connection, statements, trees)

        yield ask


def locks(found: Effect) -> dict[str, str]:
    return {lock.relation: lock.mode for lock in found.locks}


# --- what only the catalog tells ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "rewrites", "loses"),
    [
        ("ALTER TABLE t ALTER a TYPE varchar(20)", False, False),
        ("ALTER TABLE t ALTER a TYPE varchar(5)", True, None),
        ("ALTER TABLE t ALTER b TYPE bigint", True, False),
        ("ALTER TABLE t ALTER b TYPE bigint USING b::bigint", True, False),
        ("ALTER TABLE t ALTER b TYPE bigint USING b + 1", True, None),
        ("ALTER TABLE t ALTER b TYPE smallint", True, None),
        ("ALTER TABLE t ALTER b TYPE text", True, False),
        ("ALTER TABLE t ALTER c TYPE numeric(12, 3)", True, False),
        ("ALTER TABLE t ALTER c TYPE numeric(10, 3)", True, None),
        ("ALTER TABLE t ALTER c TYPE numeric(9, 2)", True, None),
        ("ALTER TABLE t ALTER m TYPE char(8)", True, False),
        ("ALTER TABLE t ALTER m TYPE text", True, None),
        ("ALTER TABLE t ALTER at TYPE date", True, None),
    ],
)
def test_a_wider_type_keeps_every_value(
    seen: Foresee, sql: str, rewrites: bool, loses: bool | None
) -> None:
    (found,) = seen(sql)
    assert (found.resolved, found.rewrites, found.loses_data) == (True, rewrites, loses)
    assert ("narrows_values" in found.hazards) is (loses is None)
    assert found.retyped == (("public.t", sql.split()[4]),)


@pytest.mark.parametrize(
    ("zone", "rewrites"),
    [("UTC", False), ("Etc/GMT", False), ("Europe/Berlin", True), ("Europe/London", True)],
)
def test_a_time_gets_its_zone_for_nothing_only_in_utc(
    seen: Foresee, zone: str, rewrites: bool
) -> None:
    (found,) = seen("ALTER TABLE t ALTER at TYPE timestamptz", zone=zone)
    assert found.rewrites is rewrites


def test_a_zone_set_by_the_script_counts(seen: Foresee) -> None:
    _, found = seen("SET TimeZone TO 'Europe/Berlin'", "ALTER TABLE t ALTER at TYPE timestamptz")
    assert found.rewrites is True


@pytest.mark.parametrize("call", ["inlined()", "either(NULL)"])
def test_what_a_default_does_may_stay_unknown(seen: Foresee, call: str) -> None:
    (found,) = seen(f"ALTER TABLE t ADD COLUMN z int DEFAULT {call}")
    assert (found.resolved, found.rewrites) == (True, None)
    assert "rewrites_table" in found.hazards


def test_a_type_is_looked_for_where_the_session_looks(seen: Foresee) -> None:
    (found,) = seen("ALTER TABLE t ADD COLUMN z colour DEFAULT 'red'")
    assert not found.resolved
    _, found = seen(
        "SET search_path TO app, public", "ALTER TABLE t ADD COLUMN z colour DEFAULT 'red'"
    )
    assert (found.resolved, found.rewrites) == (True, False)


@pytest.mark.parametrize(
    ("table", "scans"), [("proven", False), ("unproven", True), ("other_words", None)]
)
def test_an_attached_partition_is_read_unless_a_check_may_prove_it(
    seen: Foresee, table: str, scans: bool | None
) -> None:
    (found,) = seen(f"ALTER TABLE ranged ATTACH PARTITION {table} FOR VALUES FROM (10) TO (20)")
    assert found.scans is scans
    assert ("may_fail_on_data" in found.hazards) is (scans is not False)


def test_nothing_can_fail_where_nothing_is_to_be_done(seen: Foresee) -> None:
    found = seen(
        "ALTER TABLE t ALTER a SET NOT NULL",
        "ALTER TABLE t DROP COLUMN IF EXISTS missing CASCADE",
        "ALTER TABLE t DROP CONSTRAINT IF EXISTS missing",
    )
    for one in found:
        assert one.no_op
        assert one.hazards == ("access_exclusive_lock",)
        assert (one.doomed, one.drops, one.loses_data) == ((), (), False)


def test_names_are_qualified_and_what_goes_is_named(seen: Foresee) -> None:
    (found,) = seen("ALTER TABLE base DROP COLUMN note, ADD COLUMN extra text")
    assert found.objects == ("public.base",)
    assert [(d.relation, d.column) for d in found.doomed] == [("public.base", "note")]
    assert found.drops == (("column", "public.base.note"), ("column", "public.heir.note"))


# --- what earlier statements of the plan change ---------------------------------------------------


def test_other_columns_stay_known(seen: Foresee) -> None:
    found = seen(
        "ALTER TABLE t DROP COLUMN b",
        "ALTER TABLE t ALTER a TYPE varchar(20)",
        "ALTER TABLE t ALTER c TYPE numeric(10, 3)",
    )
    assert [one.resolved for one in found] == [True, True, True]
    assert "public.t_b" in locks(found[0])
    # The index went with its column: the rewrite does not touch it.
    assert locks(found[2]) == {"public.t": "AccessExclusive", "public.t_pkey": "AccessExclusive"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ALTER TABLE t DROP COLUMN b", "ALTER TABLE t ALTER b SET NOT NULL"),
        ("ALTER TABLE t RENAME a TO aa", "ALTER TABLE t ALTER a TYPE text"),
        ("ALTER TABLE t RENAME a TO aa", "ALTER TABLE t ALTER aa TYPE text"),
        ("ALTER TABLE t ADD COLUMN z int", "ALTER TABLE t ALTER z SET NOT NULL"),
        ("ALTER TABLE t ADD CONSTRAINT x UNIQUE (b)", "ALTER TABLE t ALTER b TYPE bigint"),
        ("ALTER TABLE t ADD CONSTRAINT x CHECK (b > 0)", "ALTER TABLE t DROP CONSTRAINT x"),
        ("CREATE INDEX ON t (a)", "ALTER TABLE t ADD COLUMN z serial"),
        (
            "CREATE TABLE n PARTITION OF ranged FOR VALUES FROM (1) TO (2)",
            "ALTER TABLE ranged ALTER k SET NOT NULL",
        ),
        ("CREATE VIEW n AS SELECT b FROM t", "ALTER TABLE t DROP COLUMN b CASCADE"),
        ("ALTER TABLE t SET UNLOGGED", "ALTER TABLE t SET LOGGED"),
        (
            "CREATE TABLE n (t_id int REFERENCES t)",
            "ALTER TABLE t DROP CONSTRAINT t_pkey CASCADE",
        ),
        ("ALTER TABLE heir NO INHERIT base", "ALTER TABLE base DROP COLUMN note"),
        ("CREATE TABLE n (t_id int REFERENCES t)", "ALTER TABLE t ALTER id TYPE bigint"),
    ],
)
def test_what_was_changed_before_is_not_believed(seen: Foresee, first: str, second: str) -> None:
    _, found = seen(first, second)
    assert not found.resolved


def test_a_new_name_is_known(seen: Foresee) -> None:
    found = seen(
        "ALTER TABLE t RENAME TO renamed",
        "ALTER TABLE renamed RENAME CONSTRAINT t_pkey TO renamed_key",
        "ALTER TABLE renamed SET SCHEMA app",
        "ALTER TABLE app.renamed ALTER b TYPE bigint",
        "ALTER TABLE t ADD COLUMN z int",
        "ALTER TABLE IF EXISTS t ADD COLUMN z int",
        "ALTER TABLE app.renamed DROP COLUMN at",
    )
    assert [one.resolved for one in found] == [True, True, True, True, False, True, False]
    assert locks(found[3]) == {
        "app.renamed": "AccessExclusive",
        "app.renamed_key": "AccessExclusive",
        "app.t_b": "AccessExclusive",
    }
    assert found[5].no_op


def test_what_a_column_took_along_is_gone(seen: Foresee) -> None:
    found = seen(
        "ALTER TABLE counted ALTER id DROP IDENTITY",
        "ALTER TABLE counted DROP COLUMN b",
        "ALTER TABLE counted SET SCHEMA app",
    )
    assert "public.counted_id_seq" in locks(found[0])
    assert "public.counted_b_seq" in locks(found[1])
    assert locks(found[2]) == {"public.counted": "AccessExclusive"}


# --- proofs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("definition", "proven"),
    [
        ("CHECK ((a IS NOT NULL))", True),
        ("CHECK (((b > 0) AND (a IS NOT NULL)))", True),
        ("CHECK ((((a IS NOT NULL) AND (b = 1)) OR ((a IS NOT NULL) AND (b = 2))))", True),
        ("CHECK (((a IS NOT NULL) OR (b = 2)))", False),
        ("CHECK ((a > 0))", False),
        ("CHECK ((note <> 'x AND a IS NOT NULL AND y'::text))", False),
        ("CHECK ((NOT (a IS NOT NULL)))", False),
        ("CHECK (((aa IS NOT NULL) AND (b > 0)))", False),
        ("CHECK ((CASE WHEN (a IS NOT NULL) THEN true ELSE false END))", False),
        ("FOREIGN KEY (a) REFERENCES b(a)", False),
    ],
)
def test_a_check_proves_what_every_row_of_it_has(definition: str, proven: bool) -> None:
    assert proves([condition(definition)], "a IS NOT NULL") is proven
