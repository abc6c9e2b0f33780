"""Owners, grants, default privileges, comments, security labels."""

from __future__ import annotations

from tests.postgres.schema_kinds.kind import Family, Kind, change, same

_T = "grants on table public.t"

RIGHTS = Family(
    "rights",
    """
    CREATE TABLE t (id serial PRIMARY KEY, a int, b text);
    CREATE TABLE ident (id int GENERATED ALWAYS AS IDENTITY);
    CREATE VIEW v AS SELECT 1 AS one; CREATE MATERIALIZED VIEW m AS SELECT 1 AS one;
    CREATE SEQUENCE s; CREATE SCHEMA sch; CREATE TYPE mood AS ENUM ('a'); CREATE DOMAIN dom AS int;
    CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT x';
    CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1';
    CREATE AGGREGATE agg(int) (sfunc = int4pl, stype = int);
    CREATE OPERATOR === (leftarg = int, rightarg = int, function = int4eq);
    CREATE COLLATION coll FROM "C"; CREATE STATISTICS st ON id, a FROM t;
    CREATE TEXT SEARCH CONFIGURATION cfg (copy = simple);
    CREATE TEXT SEARCH DICTIONARY dict (template = simple);
    CREATE OPERATOR FAMILY fam USING btree;
    CREATE PUBLICATION pub; CREATE EXTENSION vector;
    CREATE INDEX i ON t (a); CREATE RULE r AS ON DELETE TO t DO ALSO NOTHING;
    CREATE POLICY pol ON t USING (true); ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0);
    CREATE FUNCTION trig() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trig();
    """,
    (
        change("owner of a table", "ALTER TABLE t OWNER TO kinds_a", "owner of table public.t"),
        change("owner of a view", "ALTER VIEW v OWNER TO kinds_a", "owner of view public.v"),
        change(
            "owner of a materialised view",
            "ALTER MATERIALIZED VIEW m OWNER TO kinds_a",
            "owner of materialised view public.m",
        ),
        change(
            "owner of a sequence", "ALTER SEQUENCE s OWNER TO kinds_a", "owner of sequence public.s"
        ),
        change(
            "owner of a function",
            "ALTER FUNCTION f(int) OWNER TO kinds_a",
            "owner of function public.f(integer)",
        ),
        change(
            "owner of a procedure",
            "ALTER PROCEDURE p() OWNER TO kinds_a",
            "owner of procedure public.p()",
        ),
        change(
            "owner of an aggregate",
            "ALTER AGGREGATE agg(int) OWNER TO kinds_a",
            "owner of aggregate public.agg(integer)",
        ),
        change("owner of a type", "ALTER TYPE mood OWNER TO kinds_a", "owner of type public.mood"),
        change(
            "owner of a domain", "ALTER DOMAIN dom OWNER TO kinds_a", "owner of type public.dom"
        ),
        change("owner of a schema", "ALTER SCHEMA sch OWNER TO kinds_a", "owner of schema sch"),
        change(
            "owner of schema public",
            "ALTER SCHEMA public OWNER TO kinds_a",
            "owner of schema public",
        ),
        change(
            "owner of an operator",
            "ALTER OPERATOR === (int, int) OWNER TO kinds_a",
            "owner of operator public.===(integer,integer)",
        ),
        change(
            "owner of an operator family",
            "ALTER OPERATOR FAMILY fam USING btree OWNER TO kinds_a",
            "owner of operator family public.fam USING btree",
        ),
        change(
            "owner of a collation",
            "ALTER COLLATION coll OWNER TO kinds_a",
            "owner of collation public.coll",
        ),
        change(
            "owner of statistics",
            "ALTER STATISTICS st OWNER TO kinds_a",
            "owner of statistics public.st",
        ),
        change(
            "owner of a configuration",
            "ALTER TEXT SEARCH CONFIGURATION cfg OWNER TO kinds_a",
            "owner of text search configuration public.cfg",
        ),
        change(
            "owner of a dictionary",
            "ALTER TEXT SEARCH DICTIONARY dict OWNER TO kinds_a",
            "owner of text search dictionary public.dict",
        ),
        change(
            "owner of a publication",
            "ALTER PUBLICATION pub OWNER TO postgres; ALTER ROLE kinds_c SUPERUSER; ALTER"
            " PUBLICATION pub OWNER TO kinds_c",
            "owner of publication pub",
        ),
        same("that role goes again", "ALTER ROLE kinds_c NOSUPERUSER"),
        change("grant", "GRANT SELECT ON t TO kinds_b", _T),
        change("one more privilege", "GRANT UPDATE ON t TO kinds_b", _T),
        change("grantable", "GRANT SELECT ON t TO kinds_b WITH GRANT OPTION", _T),
        change("to everybody", "GRANT SELECT ON t TO PUBLIC", _T),
        change(
            "by somebody else", "SET ROLE kinds_b; GRANT SELECT ON t TO kinds_c; RESET ROLE", _T
        ),
        change("taken from the owner", "REVOKE TRUNCATE ON t FROM kinds_a", _T),
        change("all taken", "REVOKE ALL ON t FROM kinds_a, kinds_b, PUBLIC CASCADE", _T),
        change("as it was born", "GRANT ALL ON t TO kinds_a", _T),
        change("on a column", "GRANT UPDATE (b) ON t TO kinds_b", "grants on column public.t.b"),
        change(
            "on a column of a view",
            "GRANT SELECT (one) ON v TO kinds_b",
            "grants on column public.v.one",
        ),
        change(
            "on a column no more",
            "REVOKE UPDATE (b) ON t FROM kinds_b",
            "grants on column public.t.b",
        ),
        change("on a view", "GRANT SELECT ON v TO kinds_b", "grants on view public.v"),
        change(
            "on a materialised view",
            "GRANT SELECT ON m TO kinds_b",
            "grants on materialised view public.m",
        ),
        change(
            "on a sequence", "GRANT USAGE ON SEQUENCE s TO kinds_b", "grants on sequence public.s"
        ),
        change(
            "on an identity's sequence",
            "GRANT USAGE ON SEQUENCE ident_id_seq TO kinds_b",
            "grants on sequence public.ident_id_seq",
        ),
        change("on a schema", "GRANT USAGE ON SCHEMA sch TO kinds_b", "grants on schema sch"),
        change(
            "on schema public",
            "GRANT CREATE ON SCHEMA public TO kinds_b",
            "grants on schema public",
        ),
        change(
            "on a function",
            "GRANT EXECUTE ON FUNCTION f(int) TO kinds_b",
            "grants on function public.f(integer)",
        ),
        change(
            "function closed to everybody",
            "REVOKE EXECUTE ON FUNCTION f(int) FROM PUBLIC",
            "grants on function public.f(integer)",
        ),
        change(
            "on a procedure",
            "GRANT EXECUTE ON PROCEDURE p() TO kinds_b",
            "grants on procedure public.p()",
        ),
        change(
            "on an aggregate",
            "REVOKE EXECUTE ON FUNCTION agg(int) FROM PUBLIC",
            "grants on aggregate public.agg(integer)",
        ),
        change("on a type", "REVOKE USAGE ON TYPE mood FROM PUBLIC", "grants on type public.mood"),
        change("on a domain", "GRANT USAGE ON DOMAIN dom TO kinds_b", "grants on type public.dom"),
        change(
            "on a language",
            "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC",
            "grants on language plpgsql",
        ),
        change(
            "on a function of the server",
            "GRANT EXECUTE ON FUNCTION pg_ls_waldir() TO kinds_b",
            "grants on function pg_catalog.pg_ls_waldir()",
        ),
        change(
            "on a member of an extension",
            "REVOKE EXECUTE ON FUNCTION l2_distance(vector, vector) FROM PUBLIC",
            "grants on function public.l2_distance(public.vector, public.vector)",
        ),
        change(
            "default privileges",
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO kinds_b",
            "default grants of postgres on tables",
        ),
        change(
            "default privileges in a schema",
            "ALTER DEFAULT PRIVILEGES FOR ROLE kinds_a IN SCHEMA sch GRANT SELECT ON SEQUENCES"
            " TO kinds_b",
            "default grants of kinds_a in schema sch on sequences",
        ),
        change(
            "default privileges of functions",
            "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
            "default grants of postgres on functions",
        ),
        change(
            "no default privileges",
            "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM kinds_b",
            "default grants of postgres on tables",
        ),
        change("comment on a table", "COMMENT ON TABLE t IS 'people'", "comment on table public.t"),
        change("other comment", "COMMENT ON TABLE t IS 'humans'", "comment on table public.t"),
        change(
            "comment on a column",
            "COMMENT ON COLUMN t.a IS 'x'",
            "comment on table column public.t.a",
        ),
        change(
            "comment on a constraint",
            "COMMENT ON CONSTRAINT positive ON t IS 'x'",
            "comment on table constraint positive on public.t",
        ),
        change("comment on an index", "COMMENT ON INDEX i IS 'x'", "comment on index public.i"),
        change(
            "comment on a trigger",
            "COMMENT ON TRIGGER g ON t IS 'x'",
            "comment on trigger g on public.t",
        ),
        change(
            "comment on a rule", "COMMENT ON RULE r ON t IS 'x'", "comment on rule r on public.t"
        ),
        change(
            "comment on a policy",
            "COMMENT ON POLICY pol ON t IS 'x'",
            "comment on policy pol on public.t",
        ),
        change(
            "comment on a function",
            "COMMENT ON FUNCTION f(int) IS 'x'",
            "comment on function public.f(integer)",
        ),
        change("comment on a type", "COMMENT ON TYPE mood IS 'x'", "comment on type public.mood"),
        change("comment on a schema", "COMMENT ON SCHEMA sch IS 'x'", "comment on schema sch"),
        change(
            "comment on schema public",
            "COMMENT ON SCHEMA public IS 'x'",
            "comment on schema public",
        ),
        change(
            "comment on an extension",
            "COMMENT ON EXTENSION vector IS 'x'",
            "comment on extension vector",
        ),
        change("comment goes", "COMMENT ON TABLE t IS NULL", "comment on table public.t"),
        change(
            "security label",
            "SET allow_system_table_mods = on; INSERT INTO pg_seclabel VALUES ('t'::regclass,"
            " 'pg_class'::regclass, 0, 'dummy', 'secret')",
            "security label dummy on table public.t",
        ),
        change(
            "other label",
            "UPDATE pg_seclabel SET label = 'classified'",
            "security label dummy on table public.t",
        ),
        same("the same grant", "GRANT SELECT ON v TO kinds_b"),
        same(
            "granted and revoked",
            "GRANT SELECT ON ident TO kinds_b; REVOKE SELECT ON ident FROM kinds_b",
        ),
        same("the default written out", "GRANT ALL ON FUNCTION trig() TO postgres"),
        same("the same comment", "COMMENT ON COLUMN t.a IS 'x'"),
        same("the same owner", "ALTER TABLE t OWNER TO kinds_a"),
        same("owner and back", "ALTER VIEW v OWNER TO postgres; ALTER VIEW v OWNER TO kinds_a"),
        change(
            "to one more role",
            "GRANT SELECT ON m TO kinds_c",
            "grants on materialised view public.m",
        ),
        Kind(
            "grants in another order",
            "REVOKE SELECT ON m FROM kinds_b; GRANT SELECT ON m TO kinds_b",
            sees="dump",
        ),
    ),
)

FAMILIES = (RIGHTS,)
