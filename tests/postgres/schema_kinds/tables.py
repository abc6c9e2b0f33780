"""Tables, partitions, inheritance, indexes, constraints, statistics."""

from __future__ import annotations

from tests.postgres.schema_kinds.kind import Family, Kind, change, same

_TABLE = "table public.t"

TABLES = Family(
    "tables",
    """
    CREATE TABLE t (id int PRIMARY KEY, a int, b text, c text);
    CREATE UNIQUE INDEX t_a ON t (a);
    CREATE TABLE parent (id int, a int); CREATE TABLE other (id int, a int, extra int);
    CREATE TABLE child () INHERITS (parent);
    CREATE TYPE row_type AS (x int, y text); CREATE TYPE row_type2 AS (x int, y text);
    CREATE TABLE typed OF row_type;
    CREATE TABLE typeable (x int, y text);
    CREATE TABLE parts (id int, at date) PARTITION BY RANGE (at);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE TABLE parts_2 (id int, at date);
    CREATE TABLE doomed (a int);
    CREATE TABLE "Odd.na me" ("a b" int);
    CREATE SCHEMA aside;
    """,
    (
        change("table appears", "CREATE TABLE fresh (a int)", "table public.fresh"),
        change("table goes", "DROP TABLE doomed", "table public.doomed"),
        change("table without columns", "CREATE TABLE nothing ()", "table public.nothing"),
        change(
            "table is renamed",
            "ALTER TABLE fresh RENAME TO fresher",
            "table public.fresh",
            "table public.fresher",
        ),
        change(
            "table moves to another schema",
            "ALTER TABLE fresher SET SCHEMA aside",
            "table aside.fresher",
        ),
        change(
            "quoted name",
            'ALTER TABLE "Odd.na me" ALTER "a b" SET NOT NULL',
            'column public."Odd.na me"."a b"',
        ),
        change("unlogged", "ALTER TABLE t SET UNLOGGED", _TABLE),
        change("logged again", "ALTER TABLE t SET LOGGED", _TABLE),
        change("storage parameter", "ALTER TABLE t SET (fillfactor = 70)", _TABLE),
        change("another value of it", "ALTER TABLE t SET (fillfactor = 80)", _TABLE),
        change("storage parameter reset", "ALTER TABLE t RESET (fillfactor)", _TABLE),
        change("autovacuum off", "ALTER TABLE t SET (autovacuum_enabled = false)", _TABLE),
        change(
            "parameter of the toast table",
            "ALTER TABLE t SET (toast.autovacuum_enabled = false)",
            _TABLE,
        ),
        change("row security on", "ALTER TABLE t ENABLE ROW LEVEL SECURITY", _TABLE),
        change("row security forced", "ALTER TABLE t FORCE ROW LEVEL SECURITY", _TABLE),
        change("row security not forced", "ALTER TABLE t NO FORCE ROW LEVEL SECURITY", _TABLE),
        change("row security off", "ALTER TABLE t DISABLE ROW LEVEL SECURITY", _TABLE),
        change("replica identity full", "ALTER TABLE t REPLICA IDENTITY FULL", _TABLE),
        change("replica identity nothing", "ALTER TABLE t REPLICA IDENTITY NOTHING", _TABLE),
        change(
            "replica identity by index",
            "ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t REPLICA IDENTITY USING INDEX t_a",
            _TABLE,
        ),
        change(
            "replica identity by another index",
            "ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey",
            _TABLE,
        ),
        change("replica identity as it was born", "ALTER TABLE t REPLICA IDENTITY DEFAULT", _TABLE),
        change("inherits", "ALTER TABLE other INHERIT parent", "table public.other"),
        change("inherits no more", "ALTER TABLE other NO INHERIT parent", "table public.other"),
        change(
            "column of the parent alone",
            "ALTER TABLE parent ADD more int",
            "column public.parent.more",
        ),
        change(
            "inherited column becomes its own",
            "ALTER TABLE child NO INHERIT parent",
            "table public.child",
            "column public.child.more",
        ),
        change("of a type", "ALTER TABLE typeable OF row_type", "table public.typeable"),
        change("of another type", "ALTER TABLE typed OF row_type2", "table public.typed"),
        change("of no type", "ALTER TABLE typed NOT OF", "table public.typed"),
        change(
            "partition attached",
            "ALTER TABLE parts ATTACH PARTITION parts_2"
            " FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
            "table public.parts_2",
        ),
        change(
            "partition detached",
            "ALTER TABLE parts DETACH PARTITION parts_2",
            "table public.parts_2",
        ),
        change(
            "other bounds",
            "ALTER TABLE parts DETACH PARTITION parts_1; ALTER TABLE parts ATTACH PARTITION parts_1"
            " FOR VALUES FROM ('2024-01-01') TO ('2024-06-01')",
            "table public.parts_1",
        ),
        change(
            "default partition",
            "CREATE TABLE parts_d PARTITION OF parts DEFAULT",
            "table public.parts_d",
        ),
        change(
            "partitioned by another key",
            "DROP TABLE parts; CREATE TABLE parts (id int, at date) PARTITION BY LIST (id)",
            "table public.parts",
        ),
        change(
            "access method",
            "CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;"
            "CREATE TABLE in_heap2 (a int) USING heap2",
            "table public.in_heap2",
            "access method heap2",
        ),
        change("tablespace", "ALTER TABLE t SET TABLESPACE kinds_space", _TABLE, since=15),
        change("no tablespace", "ALTER TABLE t SET TABLESPACE pg_default", _TABLE, since=15),
        # --- what changes nothing ---
        same("made and dropped", "CREATE TABLE passing (a serial PRIMARY KEY); DROP TABLE passing"),
        same("rows", "INSERT INTO t SELECT i, i FROM generate_series(1, 50) i"),
        same("analyze", "ANALYZE t"),
        same("vacuum", "VACUUM t"),
        same("vacuum full", "VACUUM FULL t"),
        same("truncate", "TRUNCATE t"),
        same("the same parameter", "ALTER TABLE t SET (autovacuum_enabled = false)"),
        same("the same persistence", "ALTER TABLE t SET LOGGED"),
        same("renamed and back", "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME TO t"),
        same(
            "to another schema and back",
            "ALTER TABLE t SET SCHEMA aside; ALTER TABLE aside.t SET SCHEMA public",
        ),
        same("temporary table", "CREATE TEMP TABLE only_here (a serial PRIMARY KEY)"),
        same(
            "schema of our own",
            "CREATE SCHEMA rollback_tui; CREATE TABLE rollback_tui.runs (a int); DROP SCHEMA"
            " rollback_tui CASCADE",
        ),
        same(
            "detached and attached",
            "CREATE TABLE ps (a int) PARTITION BY LIST (a); DROP TABLE ps",
        ),
    ),
)

_INDEX = "index public.i"

INDEXES = Family(
    "indexes",
    """
    CREATE TABLE t (id int PRIMARY KEY, a int, b text, c text, d int UNIQUE);
    CREATE INDEX i ON t (a);
    CREATE INDEX expression ON t ((a + 1), (b || c));
    CREATE TABLE p (id int, at date) PARTITION BY RANGE (at);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE INDEX p1_id ON p1 (id);
    CREATE INDEX p_id ON ONLY p (id);
    CREATE STATISTICS s (dependencies) ON a, b FROM t;
    CREATE TABLE dup (a int); INSERT INTO dup VALUES (1), (1);
    """,
    (
        change("index appears", "CREATE INDEX j ON t (b)", "index public.j"),
        change("index goes", "DROP INDEX j", "index public.j"),
        change(
            "index is renamed",
            "ALTER INDEX i RENAME TO k; ALTER INDEX k RENAME TO i2",
            "index public.i2",
        ),
        change("other column", "DROP INDEX i2; CREATE INDEX i ON t (b)", _INDEX),
        change("more columns", "DROP INDEX i; CREATE INDEX i ON t (b, a)", _INDEX),
        change("unique", "DROP INDEX i; CREATE UNIQUE INDEX i ON t (b, a)", _INDEX),
        change("descending", "DROP INDEX i; CREATE INDEX i ON t (b DESC)", _INDEX),
        change("nulls first", "DROP INDEX i; CREATE INDEX i ON t (b NULLS FIRST)", _INDEX),
        change("collation", 'DROP INDEX i; CREATE INDEX i ON t (b COLLATE "POSIX")', _INDEX),
        change("operator class", "DROP INDEX i; CREATE INDEX i ON t (b text_pattern_ops)", _INDEX),
        change("method", "DROP INDEX i; CREATE INDEX i ON t USING hash (b)", _INDEX),
        change("predicate", "DROP INDEX i; CREATE INDEX i ON t (b) WHERE a > 0", _INDEX),
        change("other predicate", "DROP INDEX i; CREATE INDEX i ON t (b) WHERE a > 1", _INDEX),
        change("expression", "DROP INDEX i; CREATE INDEX i ON t (lower(b))", _INDEX),
        change("included column", "DROP INDEX i; CREATE INDEX i ON t (b) INCLUDE (c)", _INDEX),
        change(
            "nulls not distinct",
            "DROP INDEX i; CREATE UNIQUE INDEX i ON t (b) NULLS NOT DISTINCT",
            _INDEX,
            since=15,
        ),
        change("parameter", "DROP INDEX i; CREATE INDEX i ON t (b) WITH (fillfactor = 60)", _INDEX),
        change("parameter reset", "ALTER INDEX i RESET (fillfactor)", _INDEX),
        change("clustered on", "CLUSTER t USING i", _INDEX),
        change("clustered on no index", "ALTER TABLE t SET WITHOUT CLUSTER", _INDEX),
        change(
            "clustered on the primary key", "CLUSTER t USING t_pkey", "constraint public.t.t_pkey"
        ),
        change(
            "parameter of the primary key's index",
            "ALTER INDEX t_pkey SET (fillfactor = 50)",
            "constraint public.t.t_pkey",
        ),
        change(
            "statistics of an expression",
            "ALTER INDEX expression ALTER COLUMN 2 SET STATISTICS 33",
            "index public.expression",
        ),
        change(
            "tablespace of an index", "ALTER INDEX i SET TABLESPACE kinds_space", _INDEX, since=15
        ),
        change(
            "index becomes a partition",
            "ALTER INDEX p_id ATTACH PARTITION p1_id",
            "index public.p1_id",
        ),
        Kind(
            "invalid index",
            "SET statement_timeout = 0;; CREATE UNIQUE INDEX CONCURRENTLY broken ON dup (a)",
            ("index public.broken",),
            sees="snapshot",
        ),
        change(
            "extended statistics", "CREATE STATISTICS s2 ON a, c FROM t", "statistics public.s2"
        ),
        change(
            "kinds of extended statistics",
            "DROP STATISTICS s2; CREATE STATISTICS s2 (mcv) ON a, c FROM t",
            "statistics public.s2",
        ),
        change(
            "statistics on an expression",
            "CREATE STATISTICS s3 ON (a + 1) FROM t",
            "statistics public.s3",
            since=14,
        ),
        change(
            "target of extended statistics",
            "ALTER STATISTICS s SET STATISTICS 44",
            "statistics public.s",
        ),
        change("extended statistics go", "DROP STATISTICS s", "statistics public.s"),
        same("reindex", "REINDEX TABLE t"),
        same("reindex concurrently", "REINDEX INDEX CONCURRENTLY i"),
        same("index made and dropped", "CREATE INDEX z ON t (a); DROP INDEX z"),
        same(
            "the same index again",
            "DROP INDEX i; CREATE INDEX i ON t (b) TABLESPACE kinds_space",
            since=15,
        ),
        same("the same predicate", "CREATE INDEX w ON t (a) WHERE a>1; DROP INDEX w"),
    ),
)

FAMILIES = (TABLES, INDEXES)
