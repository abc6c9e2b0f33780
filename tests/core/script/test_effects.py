"""What each statement form does, as far as its text tells."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rollback_tui.core.model import Doomed, Effect
from rollback_tui.core.script.effects import effect, unknown_effect
from rollback_tui.core.script.hazards import EXPLANATIONS, explain

AX, SUX, SRX, RX = "AccessExclusive", "ShareUpdateExclusive", "ShareRowExclusive", "RowExclusive"
AS, X, S = "AccessShare", "Exclusive", "Share"
Judge = Callable[[str], Effect]

# statement, kind, locks, rewrites, loses data, may run in a transaction
FORMS: list[tuple[str, str, dict[str, str], bool | None, bool | None, bool | None]] = [
    ("DROP TABLE a.b", "DROP TABLE", {"a.b": AX}, False, True, True),
    ('DROP TABLE "Order"', "DROP TABLE", {'"Order"': AX}, False, True, True),
    ("TRUNCATE t, u", "TRUNCATE", {"t": AX, "u": AX}, False, True, True),
    ("DROP INDEX i", "DROP INDEX", {"i": AX}, False, False, True),
    ("DROP INDEX CONCURRENTLY i", "DROP INDEX CONCURRENTLY", {"i": SUX}, False, False, False),
    ("DROP VIEW v", "DROP VIEW", {"v": AX}, False, False, True),
    ("DROP VIEW v CASCADE", "DROP VIEW", {"v": AX}, False, None, True),
    ("DROP MATERIALIZED VIEW m", "DROP MATERIALIZED VIEW", {"m": AX}, False, False, True),
    ("DROP SEQUENCE s", "DROP SEQUENCE", {"s": AX}, False, True, True),
    ("DROP TYPE e", "DROP TYPE", {}, False, False, True),
    ("DROP TYPE e CASCADE", "DROP TYPE", {}, False, None, True),
    ("DROP SCHEMA s", "DROP SCHEMA", {}, False, False, True),
    ("DROP SCHEMA s CASCADE", "DROP SCHEMA", {}, False, True, True),
    ("DROP EXTENSION e", "DROP EXTENSION", {}, False, None, True),
    ("DROP EXTENSION e CASCADE", "DROP EXTENSION", {}, False, True, True),
    ("DROP OWNED BY r", "DROP OWNED", {}, False, True, True),
    ("DROP FUNCTION f(int)", "DROP FUNCTION", {}, False, False, True),
    ("DROP FUNCTION f CASCADE", "DROP FUNCTION", {}, False, None, True),
    ("DROP TRIGGER g ON t", "DROP TRIGGER", {"t": AX}, False, False, True),
    ("DROP POLICY p ON t", "DROP POLICY", {"t": AX}, False, False, True),
    ("DROP RULE r ON t", "DROP RULE", {"t": AX}, False, False, True),
    ("DROP DATABASE d", "DROP DATABASE", {}, False, True, False),
    ("DROP SUBSCRIPTION s", "DROP SUBSCRIPTION", {}, False, False, None),
    ("DROP TABLESPACE s", "DROP TABLESPACE", {}, False, False, False),
    ("DELETE FROM t WHERE a = 1", "DELETE", {"t": RX}, False, True, True),
    ("DELETE FROM t USING u WHERE t.a = u.a", "DELETE", {"t": RX, "u": AS}, False, True, True),
    ("UPDATE t SET a = lower(a)", "UPDATE", {"t": RX}, False, True, True),
    ("UPDATE t SET a = f(a)", "UPDATE", {"t": RX}, False, True, True),
    ("INSERT INTO t VALUES (1)", "INSERT", {"t": RX}, False, False, True),
    ("INSERT INTO t SELECT * FROM u", "INSERT", {"t": RX, "u": AS}, False, False, True),
    ("INSERT INTO t SELECT f()", "INSERT", {"t": RX}, False, None, True),
    (
        "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2",
        "INSERT",
        {"t": RX},
        False,
        True,
        True,
    ),
    (
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT",
        {"t": RX},
        False,
        False,
        True,
    ),
    (
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
        "MERGE",
        {"t": RX, "u": AS},
        False,
        True,
        True,
    ),
    (
        "MERGE INTO t USING u ON t.a = u.a WHEN NOT MATCHED THEN INSERT VALUES (1)",
        "MERGE",
        {"t": RX, "u": AS},
        False,
        False,
        True,
    ),
    (
        "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d",
        "SELECT (WITH DELETE)",
        {"t": RX},
        False,
        True,
        True,
    ),
    (
        "WITH d AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM d",
        "INSERT",
        {"t": RX, "u": RX},
        False,
        True,
        True,
    ),
    ("SELECT count(*) FROM t", "SELECT", {"t": AS}, False, False, True),
    ("SELECT f()", "SELECT", {}, False, None, True),
    ("SELECT s.lower('a')", "SELECT", {}, False, None, True),
    ("SELECT * FROM t FOR UPDATE", "SELECT", {"t": "RowShare"}, False, False, True),
    ("SELECT setval('s', 1)", "SELECT", {}, False, False, True),
    ("CALL p()", "CALL", {}, None, None, None),
    ("DO $$ BEGIN END $$", "DO", {}, None, None, None),
    ("EXECUTE x", "EXECUTE", {}, None, None, None),
    ("EXPLAIN DELETE FROM t", "EXPLAIN", {"t": RX}, False, False, True),
    ("EXPLAIN ANALYZE DELETE FROM t", "EXPLAIN ANALYZE", {"t": RX}, False, True, True),
    ("EXPLAIN (ANALYZE false) DELETE FROM t", "EXPLAIN", {"t": RX}, False, False, True),
    ("COPY t FROM '/x'", "COPY FROM", {"t": RX}, False, False, True),
    ("COPY t TO PROGRAM 'x'", "COPY", {}, None, None, None),
    ("CREATE TABLE t (a int)", "CREATE TABLE", {}, False, False, True),
    ("CREATE TABLE t (a int REFERENCES u)", "CREATE TABLE", {"u": SRX}, False, False, True),
    (
        "CREATE TABLE t PARTITION OF u FOR VALUES IN (1)",
        "CREATE TABLE",
        {"u": AX},
        False,
        False,
        True,
    ),
    ("CREATE TABLE t AS SELECT * FROM u", "CREATE TABLE AS", {"u": AS}, False, False, True),
    ("CREATE TABLE t AS SELECT f()", "CREATE TABLE AS", {}, False, None, True),
    ("CREATE INDEX i ON t (a)", "CREATE INDEX", {"t": S}, False, False, True),
    (
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "CREATE INDEX CONCURRENTLY",
        {"t": SUX},
        False,
        False,
        False,
    ),
    ("CREATE VIEW v AS SELECT 1", "CREATE VIEW", {}, False, False, True),
    (
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "CREATE OR REPLACE VIEW",
        {"v": AX},
        False,
        False,
        True,
    ),
    (
        "CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()",
        "CREATE TRIGGER",
        {"t": SRX},
        False,
        False,
        True,
    ),
    ("CREATE POLICY p ON t", "CREATE POLICY", {"t": AX}, False, False, True),
    (
        "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
        "CREATE RULE",
        {"t": AX},
        False,
        False,
        True,
    ),
    ("CREATE STATISTICS s ON a, b FROM t", "CREATE STATISTICS", {"t": SUX}, False, False, True),
    ("CREATE FUNCTION f() RETURNS int AS 'x'", "CREATE FUNCTION", {}, False, False, True),
    ("CREATE TYPE e AS ENUM ('a')", "CREATE TYPE", {}, False, False, True),
    ("CREATE EXTENSION e", "CREATE EXTENSION", {}, None, None, None),
    ("CREATE DATABASE d", "CREATE DATABASE", {}, False, False, False),
    ("CREATE TABLESPACE s LOCATION '/x'", "CREATE TABLESPACE", {}, False, False, False),
    (
        "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
        "CREATE SUBSCRIPTION",
        {},
        False,
        False,
        False,
    ),
    ("ALTER SYSTEM SET a = 1", "ALTER SYSTEM", {}, False, False, False),
    ("ALTER DATABASE d SET TABLESPACE s", "ALTER DATABASE", {}, False, False, False),
    ("ALTER TYPE e ADD VALUE 'x'", "ALTER TYPE … ADD VALUE", {}, False, False, True),
    ("ALTER DOMAIN d SET NOT NULL", "ALTER DOMAIN … SET NOT NULL", {}, False, False, True),
    ("ALTER SEQUENCE s MAXVALUE 9", "ALTER SEQUENCE", {"s": SRX}, False, False, True),
    ("ALTER SEQUENCE s RESTART", "ALTER SEQUENCE", {"s": SRX}, False, None, True),
    ("ALTER INDEX i RENAME TO j", "ALTER INDEX … RENAME", {"i": SUX}, False, False, True),
    ("ALTER TABLE t RENAME TO u", "ALTER TABLE … RENAME", {"t": AX}, False, False, True),
    ("ALTER TABLE t RENAME a TO b", "ALTER TABLE … RENAME COLUMN", {"t": AX}, False, False, True),
    ("ALTER TABLE t SET SCHEMA s", "ALTER TABLE … SET SCHEMA", {"t": AX}, False, False, True),
    ("COMMENT ON TABLE s.t IS 'x'", "COMMENT", {"s.t": SUX}, False, False, True),
    ("COMMENT ON COLUMN t.a IS 'x'", "COMMENT", {"t": SUX}, False, False, True),
    ("COMMENT ON FUNCTION f() IS 'x'", "COMMENT", {}, False, False, True),
    ("GRANT SELECT ON t TO r", "GRANT", {}, False, False, True),
    ("REVOKE ALL ON t FROM r", "REVOKE", {}, False, False, True),
    ("LOCK TABLE t IN EXCLUSIVE MODE", "LOCK TABLE", {"t": X}, False, False, True),
    ("LOCK TABLE t", "LOCK TABLE", {"t": AX}, False, False, True),
    ("VACUUM t", "VACUUM", {"t": SUX}, False, False, False),
    ("VACUUM (FULL) t", "VACUUM FULL", {"t": AX}, True, False, False),
    ("ANALYZE t", "ANALYZE", {"t": SUX}, False, False, True),
    ("REINDEX TABLE t", "REINDEX TABLE", {"t": S}, False, False, None),
    (
        "REINDEX TABLE CONCURRENTLY t",
        "REINDEX TABLE CONCURRENTLY",
        {"t": SUX},
        False,
        False,
        False,
    ),
    ("REINDEX SCHEMA s", "REINDEX SCHEMA", {}, False, False, False),
    ("CLUSTER t USING i", "CLUSTER", {"t": AX}, True, False, None),
    ("CLUSTER", "CLUSTER", {}, True, False, False),
    (
        "REFRESH MATERIALIZED VIEW m",
        "REFRESH MATERIALIZED VIEW",
        {"m": AX},
        True,
        False,
        True,
    ),
    ("SET search_path = a", "SET", {}, False, False, True),
    ("DISCARD ALL", "DISCARD", {}, False, False, False),
    ("COMMIT", "COMMIT", {}, None, None, False),
]

# ALTER TABLE t …: command, words, mode on t, rewrites, loses data
COMMANDS: list[tuple[str, str, str, bool | None, bool | None]] = [
    ("DROP COLUMN a", "DROP COLUMN", AX, False, True),
    ("ADD COLUMN a int", "ADD COLUMN", AX, False, False),
    ("ADD COLUMN a int DEFAULT 1 NOT NULL", "ADD COLUMN", AX, False, False),
    ("ADD COLUMN a timestamptz DEFAULT now()", "ADD COLUMN", AX, False, False),
    ("ADD COLUMN a uuid DEFAULT gen_random_uuid()", "ADD COLUMN", AX, True, False),
    ("ADD COLUMN a int DEFAULT f()", "ADD COLUMN", AX, None, False),
    ("ADD COLUMN a colour", "ADD COLUMN", AX, None, False),
    ("ADD COLUMN a bigserial", "ADD COLUMN", AX, True, False),
    ("ADD COLUMN a int GENERATED ALWAYS AS IDENTITY", "ADD COLUMN", AX, True, False),
    ("ADD COLUMN a int GENERATED ALWAYS AS (b) STORED", "ADD COLUMN", AX, True, False),
    ("ADD COLUMN a int GENERATED ALWAYS AS (b) VIRTUAL", "ADD COLUMN", AX, False, False),
    ("ALTER COLUMN a TYPE varchar(3)", "ALTER COLUMN TYPE", AX, None, None),
    ("ALTER COLUMN a SET NOT NULL", "SET NOT NULL", AX, False, False),
    ("ALTER COLUMN a DROP NOT NULL", "DROP NOT NULL", AX, False, False),
    ("ALTER COLUMN a SET DEFAULT 1", "ALTER COLUMN DEFAULT", AX, False, False),
    ("ALTER COLUMN a SET STATISTICS 5", "SET STATISTICS", SUX, False, False),
    ("ALTER COLUMN a DROP IDENTITY", "DROP IDENTITY", AX, False, True),
    ("SET (fillfactor = 50)", "SET (fillfactor)", SUX, False, False),
    ("SET (user_catalog_table = true)", "SET (user_catalog_table)", AX, False, False),
    ("CLUSTER ON i", "CLUSTER ON", SUX, False, False),
    ("SET LOGGED", "SET LOGGED", AX, None, False),
    ("SET UNLOGGED", "SET UNLOGGED", AX, None, False),
    ("ADD CHECK (a > 0)", "ADD CHECK", AX, False, False),
    ("ADD UNIQUE (a)", "ADD UNIQUE", AX, False, False),
    ("ADD PRIMARY KEY USING INDEX i", "ADD PRIMARY KEY", AX, False, False),
    ("VALIDATE CONSTRAINT c", "VALIDATE CONSTRAINT", SUX, False, False),
    ("DROP CONSTRAINT c", "DROP CONSTRAINT", AX, False, False),
    ("DISABLE TRIGGER g", "DISABLE TRIGGER", SRX, False, False),
    ("ENABLE ROW LEVEL SECURITY", "ENABLE ROW LEVEL SECURITY", AX, False, False),
    ("OWNER TO r", "OWNER TO", AX, False, False),
    ("REPLICA IDENTITY FULL", "REPLICA IDENTITY", AX, False, False),
]


@pytest.mark.parametrize(
    ("sql", "kind", "locks", "rewrites", "loses", "transactional"), FORMS, ids=[f[0] for f in FORMS]
)
def test_forms(
    judge: Judge,
    sql: str,
    kind: str,
    locks: dict[str, str],
    rewrites: bool | None,
    loses: bool | None,
    transactional: bool | None,
) -> None:
    found = judge(sql)
    assert found.kind == kind
    assert {lock.relation: lock.mode for lock in found.locks} == locks
    assert (found.rewrites, found.loses_data, found.transactional) == (
        rewrites,
        loses,
        transactional,
    )


@pytest.mark.parametrize(
    ("command", "words", "mode", "rewrites", "loses"), COMMANDS, ids=[c[0] for c in COMMANDS]
)
def test_alter_table(
    judge: Judge, command: str, words: str, mode: str, rewrites: bool | None, loses: bool | None
) -> None:
    found = judge(f"ALTER TABLE t {command}")
    assert found.kind == f"ALTER TABLE … {words}"
    assert [(lock.relation, lock.mode) for lock in found.locks] == [("t", mode)]
    assert (found.rewrites, found.loses_data, found.transactional) == (rewrites, loses, True)
    assert found.objects == ("t",)


def test_foreign_keys_lock_both_tables(judge: Judge) -> None:
    for sql in (
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES s.u",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES s.u NOT VALID",
    ):
        found = judge(sql)
        assert {(lock.relation, lock.mode) for lock in found.locks} == {("t", SRX), ("s.u", SRX)}
        assert ("full_scan_under_lock" in found.hazards) == ("NOT VALID" not in sql)


def test_partitions(judge: Judge) -> None:
    attach = judge("ALTER TABLE t ATTACH PARTITION p DEFAULT")
    assert {(lock.relation, lock.mode) for lock in attach.locks} == {("t", SUX), ("p", AX)}
    detach = judge("ALTER TABLE t DETACH PARTITION p")
    assert detach.transactional is True and detach.loses_data is None
    assert judge("ALTER TABLE t DETACH PARTITION p CONCURRENTLY").transactional is False


def test_of_several_commands_the_worst_counts(judge: Judge) -> None:
    found = judge("ALTER TABLE t ADD COLUMN b text, DROP COLUMN a, ALTER COLUMN c TYPE int")
    assert found.loses_data is True and found.rewrites is None
    assert found.kind == "ALTER TABLE … ADD COLUMN, DROP COLUMN, ALTER COLUMN TYPE"


@pytest.mark.parametrize(
    ("sql", "doomed"),
    [
        ("DROP TABLE a, b.c", [("table", "a", None), ("table", "b.c", None)]),
        ("TRUNCATE a", [("table", "a", None)]),
        (
            'ALTER TABLE a DROP b, DROP "C"',
            [("column", "a", "b"), ("column", "a", '"C"')],
        ),
        ("DELETE FROM a", [("rows", "a", None)]),
        ("UPDATE a SET b = 1", [("rows", "a", None)]),
        ("WITH x AS (DELETE FROM a RETURNING *) SELECT 1", [("rows", "a", None)]),
        ("INSERT INTO a VALUES (1)", []),
    ],
)
def test_what_is_lost_is_named_so_that_it_can_be_counted(
    judge: Judge, sql: str, doomed: list[tuple[str, str, str | None]]
) -> None:
    assert [(d.kind, d.relation, d.column) for d in judge(sql).doomed] == doomed
    assert all(isinstance(d, Doomed) for d in judge(sql).doomed)


@pytest.mark.parametrize(
    ("sql", "drops"),
    [
        ("DROP TABLE public.users", [("table", "public.users")]),
        ("DROP VIEW a, b", [("view", "a"), ("view", "b")]),
        ("DROP MATERIALIZED VIEW m", [("materialized view", "m")]),
        ("DROP INDEX s.i", [("index", "s.i")]),
        ("DROP FUNCTION s.f(int, text[])", [("function", "s.f(integer, text[])")]),
        ("DROP FUNCTION f", [("function", "f")]),
        ("DROP PROCEDURE p(timestamptz)", [("procedure", "p(timestamptz)")]),
        ('DROP TYPE s."T"', [("type", 's."T"')]),
        ("DROP DOMAIN d", [("domain", "d")]),
        ("DROP SCHEMA s", [("schema", "s")]),
        ("DROP EXTENSION e", [("extension", "e")]),
        ("DROP TRIGGER g ON s.t", [("trigger", "s.t.g")]),
        ("DROP POLICY p ON t", [("policy", "t.p")]),
        ("ALTER TABLE users DROP verified_at", [("column", "users.verified_at")]),
        ("ALTER TABLE t DROP CONSTRAINT c", [("constraint", "t.c")]),
        ("DELETE FROM t", []),
    ],
)
def test_drops_name_what_goes(judge: Judge, sql: str, drops: list[tuple[str, str]]) -> None:
    assert list(judge(sql).drops) == drops


def test_names_are_quoted_as_the_server_would(judge: Judge) -> None:
    found = judge('DROP TABLE "order", "Mixed"."x y", "a""b", größe, plain_1')
    assert found.objects == ('"order"', '"Mixed"."x y"', '"a""b"', '"größe"', "plain_1")


def test_if_exists_and_cascade_are_seen(judge: Judge) -> None:
    for sql in (
        "DROP TABLE IF EXISTS t CASCADE",
        "ALTER TABLE IF EXISTS t DROP a CASCADE",
        "ALTER TABLE t DROP COLUMN IF EXISTS a CASCADE",
        "ALTER TABLE t DROP CONSTRAINT IF EXISTS c CASCADE",
    ):
        found = judge(sql)
        assert found.if_exists and found.cascade and "collateral_drop" in found.hazards
    plain = judge("DROP TABLE t")
    assert not plain.if_exists and not plain.cascade


@pytest.mark.parametrize(
    ("sql", "hazard"),
    [
        ("DROP TABLE public.schema_migrations", "drops_version_table"),
        ("SET ROLE x", "changes_session"),
        ("SET LOCAL lock_timeout = 0", "changes_session"),
        ("SELECT set_config('a.b', 'c', false)", "changes_session"),
        ("SELECT setval('s', 1)", "not_rolled_back"),
        ("UPDATE t SET a = 1", "every_row"),
        ("ALTER TABLE t ALTER a SET NOT NULL", "full_scan_under_lock"),
        ("CREATE INDEX i ON t (a)", "blocks_writes"),
        ("ALTER TABLE t DISABLE ROW LEVEL SECURITY", "drops_protection"),
        ("ALTER TYPE e ADD VALUE 'x'", "new_value_unusable"),
        ("ALTER TABLE t SET UNLOGGED", "lost_at_crash"),
        ("DO 'x'", "cannot_forecast"),
        ("ALTER TABLE t ADD a bigserial", "rewrites_table"),
        ("VACUUM", "not_transactional"),
        ("REVOKE ALL ON t FROM r", "changes_privileges"),
        ("ALTER TABLE t ALTER a TYPE int", "narrows_values"),
        ("REFRESH MATERIALIZED VIEW m", "derived_data"),
        ("ALTER TABLE t ADD UNIQUE (a)", "may_fail_on_data"),
        ("DROP SCHEMA s CASCADE", "access_exclusive_lock"),
        ("DELETE FROM t WHERE a = 1", "deletes_data"),
        ("DROP TYPE e CASCADE", "collateral_drop"),
    ],
)
def test_hazards(judge: Judge, sql: str, hazard: str) -> None:
    assert hazard in judge(sql).hazards
    assert hazard in EXPLANATIONS


def test_every_hazard_is_explained_in_two_lines(judge: Judge) -> None:
    for name, text in EXPLANATIONS.items():
        assert text.count("\n") == 1, name
        assert "\n" not in explain(name) and explain(name) != name
    used = {h for form in FORMS for h in judge(form[0]).hazards}
    assert used <= set(EXPLANATIONS)
    assert explain("no such hazard") == "no such hazard"


@pytest.mark.parametrize(
    "sql", ["DO 'x'", "CALL p()", "SELECT f()", "DROP SCHEMA s CASCADE", "CREATE EXTENSION e"]
)
def test_locks_that_nobody_knows_are_not_called_a_forecast(judge: Judge, sql: str) -> None:
    assert judge(sql).basis == "unknown"


@pytest.mark.parametrize("tree", [{}, {"x": 1}, {"future_stmt": {}}, {"drop_stmt": {"objects": 3}}])
def test_an_odd_tree_never_raises(tree: dict[str, object]) -> None:
    assert effect(tree).loses_data is not True


def test_what_no_parser_could_read_is_unknown_and_dangerous() -> None:
    nothing = unknown_effect()
    assert (nothing.kind, nothing.basis) == ("unknown", "unknown")
    assert (nothing.rewrites, nothing.loses_data, nothing.transactional) == (None, None, None)
    assert effect({"future_stmt": {}}).loses_data is None


@pytest.mark.parametrize(
    ("sql", "session"),
    [
        ("SET ROLE x", ("role",)),
        ("SET LOCAL lock_timeout = 0", ("lock_timeout",)),
        ("SET search_path = a, b", ("search_path",)),
        ("RESET ALL", ("ALL",)),
        ("DISCARD PLANS", ("ALL",)),
        ("SELECT set_config('a.b', 'c', false)", ("a.b",)),
        ("SELECT set_config(x, 'c', false) FROM t", ("ALL",)),
        ("DROP TABLE t", ()),
    ],
)
def test_what_it_changes_in_the_session_is_named(
    judge: Judge, sql: str, session: tuple[str, ...]
) -> None:
    assert judge(sql).session == session


@pytest.mark.parametrize(
    ("sql", "scans"),
    [
        ("DELETE FROM t", True),
        ("DELETE FROM t WHERE a = 1", None),
        ("SELECT * FROM t", None),
        ("SELECT setval('s', 1)", False),
        ("INSERT INTO t VALUES (1)", False),
        ("CREATE INDEX i ON t (a)", True),
        ("DROP TABLE t", False),
    ],
)
def test_a_scan_is_claimed_only_where_the_text_tells(
    judge: Judge, sql: str, scans: bool | None
) -> None:
    assert judge(sql).scans is scans
