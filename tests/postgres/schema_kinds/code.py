"""Functions, aggregates, triggers, rules, policies, event triggers, languages."""

from __future__ import annotations

from tests.postgres.schema_kinds.kind import Family, change, same

_F = "function public.f(integer)"
_P = "procedure public.p(integer)"
_AGG = "aggregate public.total(integer)"

FUNCTIONS = Family(
    "functions",
    """
    CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT x';
    CREATE FUNCTION many(x int) RETURNS SETOF int LANGUAGE sql AS 'SELECT x';
    CREATE PROCEDURE p(x int) LANGUAGE sql AS 'SELECT x';
    CREATE FUNCTION add(a bigint, b int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
    CREATE FUNCTION sub(a bigint, b int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT a - b';
    CREATE FUNCTION fin(a bigint) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a::int';
    CREATE FUNCTION plus(a bigint, b bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT a
      + b';
    CREATE AGGREGATE total(int) (sfunc = add, stype = bigint);
    CREATE FUNCTION handle() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql',
      'plpgsql_call_handler';
    CREATE FUNCTION validate(oid) RETURNS void LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_validator';
    """,
    (
        change(
            "function appears",
            "CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "function public.g()",
        ),
        change("function goes", "DROP FUNCTION g()", "function public.g()"),
        change(
            "body",
            "CREATE OR REPLACE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT x + 1'",
            _F,
        ),
        change(
            "body, one line of many",
            "CREATE OR REPLACE FUNCTION f(x int) RETURNS int LANGUAGE sql AS E'SELECT\\n x\\n + 2'",
            _F,
        ),
        change(
            "body of SQL",
            "CREATE OR REPLACE FUNCTION f(x int) RETURNS int LANGUAGE sql RETURN x + 1",
            _F,
            since=14,
        ),
        change(
            "language",
            "CREATE OR REPLACE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN"
            " 1; END'",
            _F,
        ),
        change(
            "overload",
            "CREATE FUNCTION f(x text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "function public.f(text)",
        ),
        change(
            "argument's name",
            "DROP FUNCTION f(text); CREATE FUNCTION f(z text) RETURNS int LANGUAGE sql AS"
            " 'SELECT 1'",
            "function public.f(text)",
        ),
        change(
            "argument's default",
            "DROP FUNCTION f(text); CREATE FUNCTION f(z text DEFAULT 'q') RETURNS int LANGUAGE"
            " sql AS 'SELECT 1'",
            "function public.f(text)",
        ),
        change(
            "result",
            "DROP FUNCTION f(text); CREATE FUNCTION f(z text DEFAULT 'q') RETURNS bigint"
            " LANGUAGE sql AS 'SELECT 1::bigint'",
            "function public.f(text)",
        ),
        change("immutable", "ALTER FUNCTION f(int) IMMUTABLE", _F),
        change("stable", "ALTER FUNCTION f(int) STABLE", _F),
        change("strict", "ALTER FUNCTION f(int) STRICT", _F),
        change("security definer", "ALTER FUNCTION f(int) SECURITY DEFINER", _F),
        change("leakproof", "ALTER FUNCTION f(int) LEAKPROOF", _F),
        change("parallel safe", "ALTER FUNCTION f(int) PARALLEL SAFE", _F),
        change("cost", "ALTER FUNCTION f(int) COST 777", _F),
        change("rows", "ALTER FUNCTION many(int) ROWS 7", "function public.many(integer)"),
        change("setting", "ALTER FUNCTION f(int) SET work_mem = '7MB'", _F),
        change("search path", "ALTER FUNCTION f(int) SET search_path = pg_catalog, public", _F),
        change("no setting", "ALTER FUNCTION f(int) RESET ALL", _F),
        change(
            "support function",
            "ALTER FUNCTION many(int) SUPPORT generate_series_int4_support",
            "function public.many(integer)",
        ),
        change(
            "window function",
            "CREATE FUNCTION wf() RETURNS bigint LANGUAGE internal WINDOW AS 'window_row_number'",
            "function public.wf()",
        ),
        change(
            "procedure's body",
            "CREATE OR REPLACE PROCEDURE p(x int) LANGUAGE sql AS 'SELECT x + 1'",
            _P,
        ),
        change("procedure goes", "DROP PROCEDURE p", _P),
        change(
            "aggregate appears",
            "CREATE AGGREGATE agg2(int) (sfunc = add, stype = bigint)",
            "aggregate public.agg2(integer)",
        ),
        change("aggregate goes", "DROP AGGREGATE agg2(int)", "aggregate public.agg2(integer)"),
        change(
            "first value",
            "DROP AGGREGATE total(int); CREATE AGGREGATE total(int) (sfunc = add, stype ="
            " bigint, initcond = '0')",
            _AGG,
        ),
        change(
            "transition function",
            "DROP AGGREGATE total(int); CREATE AGGREGATE total(int) (sfunc = sub, stype ="
            " bigint, initcond = '0')",
            _AGG,
        ),
        change(
            "final function",
            "DROP AGGREGATE total(int); CREATE AGGREGATE total(int) (sfunc = sub, stype ="
            " bigint, initcond = '0', finalfunc = fin)",
            _AGG,
        ),
        change(
            "final function modifies",
            "DROP AGGREGATE total(int); CREATE AGGREGATE total(int) (sfunc = sub, stype ="
            " bigint, initcond = '0', finalfunc = fin, finalfunc_modify = read_write)",
            _AGG,
        ),
        change(
            "combine function",
            "DROP AGGREGATE total(int); CREATE AGGREGATE total(int) (sfunc = sub, stype ="
            " bigint, initcond = '0', combinefunc = plus)",
            _AGG,
        ),
        change(
            "parallel",
            "DROP AGGREGATE total(int); CREATE AGGREGATE total(int) (sfunc = sub, stype ="
            " bigint, initcond = '0', combinefunc = plus, parallel = safe)",
            _AGG,
        ),
        change(
            "space",
            "DROP AGGREGATE total(int); CREATE AGGREGATE total(int) (sfunc = sub, stype ="
            " bigint, sspace = 64)",
            _AGG,
        ),
        change(
            "moving",
            "DROP AGGREGATE total(int); CREATE AGGREGATE total(int) (sfunc = add, stype ="
            " bigint, msfunc = add, minvfunc = sub, mstype = bigint)",
            _AGG,
        ),
        change(
            "sort operator",
            "CREATE AGGREGATE least_of(int) (sfunc = int4smaller, stype = int, sortop = <)",
            "aggregate public.least_of(integer)",
        ),
        change(
            "sort operator goes",
            "DROP AGGREGATE least_of(int); CREATE AGGREGATE least_of(int) (sfunc = int4smaller,"
            " stype = int)",
            "aggregate public.least_of(integer)",
        ),
        change(
            "transform",
            "CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION"
            " prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal))",
            "transform for integer language sql",
        ),
        change(
            "language appears",
            "CREATE LANGUAGE own HANDLER handle VALIDATOR validate",
            "language own",
        ),
        change(
            "language is trusted",
            "DROP LANGUAGE own; CREATE TRUSTED LANGUAGE own HANDLER handle VALIDATOR validate",
            "language own",
        ),
        change(
            "language without a validator",
            "DROP LANGUAGE own; CREATE TRUSTED LANGUAGE own HANDLER handle",
            "language own",
        ),
        change("language goes", "DROP LANGUAGE own", "language own"),
        same(
            "the same body",
            "CREATE OR REPLACE FUNCTION add(a bigint, b int) RETURNS bigint LANGUAGE sql"
            " IMMUTABLE AS 'SELECT a + b'",
        ),
        same(
            "made and dropped",
            "CREATE FUNCTION z() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION z()",
        ),
        same("the default cost", "ALTER FUNCTION add(bigint, int) COST 100"),
    ),
)

_TRIGGER = "trigger public.t.stamp"
_RULE = "rule public.t.quiet"
_POLICY = "policy public.t.own"
_EVENT = "event trigger watch"

TRIGGERS = Family(
    "triggers",
    """
    CREATE TABLE t (id int, a int, b text); CREATE TABLE log (x int);
    CREATE VIEW v AS SELECT * FROM t;
    CREATE FUNCTION trig() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE FUNCTION trig2() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE FUNCTION ev() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
    CREATE TRIGGER stamp BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trig();
    CREATE RULE quiet AS ON DELETE TO t DO INSTEAD NOTHING;
    CREATE POLICY own ON t USING (a > 1);
    CREATE TABLE pt (id int) PARTITION BY LIST (id); CREATE TABLE pt1 PARTITION OF pt FOR
      VALUES IN (1);
    CREATE TRIGGER each AFTER INSERT ON pt FOR EACH ROW EXECUTE FUNCTION trig();
    """,
    (
        change(
            "trigger appears",
            "CREATE TRIGGER more AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION trig()",
            "trigger public.t.more",
        ),
        change("trigger goes", "DROP TRIGGER more ON t", "trigger public.t.more"),
        change(
            "other event",
            "DROP TRIGGER stamp ON t; CREATE TRIGGER stamp BEFORE INSERT OR UPDATE OF a ON t"
            " FOR EACH ROW EXECUTE FUNCTION trig()",
            _TRIGGER,
        ),
        change(
            "condition",
            "DROP TRIGGER stamp ON t; CREATE TRIGGER stamp BEFORE INSERT ON t FOR EACH ROW WHEN"
            " (NEW.a > 1) EXECUTE FUNCTION trig()",
            _TRIGGER,
        ),
        change(
            "arguments",
            "DROP TRIGGER stamp ON t; CREATE TRIGGER stamp BEFORE INSERT ON t FOR EACH ROW"
            " EXECUTE FUNCTION trig('x')",
            _TRIGGER,
        ),
        change(
            "other function",
            "DROP TRIGGER stamp ON t; CREATE TRIGGER stamp BEFORE INSERT ON t FOR EACH ROW"
            " EXECUTE FUNCTION trig2('x')",
            _TRIGGER,
        ),
        change(
            "transition tables",
            "CREATE TRIGGER trans AFTER INSERT ON t REFERENCING NEW TABLE AS fresh FOR EACH"
            " STATEMENT EXECUTE FUNCTION trig()",
            "trigger public.t.trans",
        ),
        change(
            "constraint trigger",
            "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR"
            " EACH ROW EXECUTE FUNCTION trig()",
            "trigger public.t.late",
        ),
        change(
            "trigger is renamed",
            "ALTER TRIGGER late ON t RENAME TO later",
            "trigger public.t.later",
        ),
        change("disabled", "ALTER TABLE t DISABLE TRIGGER stamp", _TRIGGER),
        change("replica", "ALTER TABLE t ENABLE REPLICA TRIGGER stamp", _TRIGGER),
        change("always", "ALTER TABLE t ENABLE ALWAYS TRIGGER stamp", _TRIGGER),
        change("enabled", "ALTER TABLE t ENABLE TRIGGER stamp", _TRIGGER),
        change(
            "disabled on a partition alone",
            "ALTER TABLE pt1 DISABLE TRIGGER each",
            "trigger public.pt1.each",
        ),
        change(
            "instead of, on a view",
            "CREATE TRIGGER inst INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION trig()",
            "trigger public.v.inst",
        ),
        change(
            "rule appears",
            "CREATE RULE logged AS ON UPDATE TO t DO ALSO INSERT INTO log VALUES (NEW.a)",
            "rule public.t.logged",
        ),
        change("rule goes", "DROP RULE logged ON t", "rule public.t.logged"),
        change(
            "other action",
            "CREATE OR REPLACE RULE quiet AS ON DELETE TO t WHERE OLD.a > 1 DO INSTEAD NOTHING",
            _RULE,
        ),
        change("rule disabled", "ALTER TABLE t DISABLE RULE quiet", _RULE),
        change(
            "rule of a view",
            "CREATE RULE ins AS ON INSERT TO v DO INSTEAD INSERT INTO log VALUES (NEW.a)",
            "rule public.v.ins",
        ),
        change(
            "policy appears",
            "CREATE POLICY second ON t FOR SELECT USING (true)",
            "policy public.t.second",
        ),
        change("policy goes", "DROP POLICY second ON t", "policy public.t.second"),
        change("using", "ALTER POLICY own ON t USING (a > 2)", _POLICY),
        change("with check", "ALTER POLICY own ON t WITH CHECK (a > 2)", _POLICY),
        change("roles", "ALTER POLICY own ON t TO kinds_a, kinds_b", _POLICY),
        change(
            "restrictive",
            "DROP POLICY own ON t; CREATE POLICY own ON t AS RESTRICTIVE USING (a > 2)",
            _POLICY,
        ),
        change(
            "command",
            "DROP POLICY own ON t; CREATE POLICY own ON t AS RESTRICTIVE FOR DELETE USING (a > 2)",
            _POLICY,
        ),
        change("policy is renamed", "ALTER POLICY own ON t RENAME TO mine", "policy public.t.mine"),
        change(
            "event trigger",
            "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION ev()",
            _EVENT,
        ),
        change("event trigger disabled", "ALTER EVENT TRIGGER watch DISABLE", _EVENT),
        change(
            "event trigger's tags",
            "DROP EVENT TRIGGER watch; CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG"
            " IN ('CREATE TABLE') EXECUTE FUNCTION ev()",
            _EVENT,
        ),
        change(
            "event trigger's event",
            "DROP EVENT TRIGGER watch; CREATE EVENT TRIGGER watch ON sql_drop WHEN TAG IN"
            " ('DROP TABLE') EXECUTE FUNCTION ev()",
            _EVENT,
        ),
        change("event trigger goes", "DROP EVENT TRIGGER watch", _EVENT),
        same(
            "off and on", "ALTER TABLE t DISABLE TRIGGER stamp; ALTER TABLE t ENABLE TRIGGER stamp"
        ),
        same(
            "all off and on",
            "ALTER TABLE log DISABLE TRIGGER ALL; ALTER TABLE log ENABLE TRIGGER ALL",
        ),
        same("the same policy", "ALTER POLICY mine ON t USING (a > 2)"),
    ),
)

FAMILIES = (FUNCTIONS, TRIGGERS)
