"""The schema that the forms are executed on. A role and an extension are named by the harness."""

SCHEMA = """
CREATE TABLE parent (id int PRIMARY KEY, name text);
INSERT INTO parent SELECT n, n::text FROM generate_series(1, 50) n;
CREATE TABLE t (id int PRIMARY KEY, a text, b int NOT NULL DEFAULT 1 CHECK (b > 0), c int,
    CONSTRAINT fk FOREIGN KEY (c) REFERENCES parent);
CREATE INDEX i ON t (a);
CREATE INDEX i2 ON t (b) WHERE b > 10;
INSERT INTO t SELECT n, n::text, n, n FROM generate_series(1, 50) n;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER g AFTER TRUNCATE ON t EXECUTE FUNCTION f();
CREATE POLICY p ON t;
CREATE STATISTICS st ON id, b FROM t;
COMMENT ON TABLE t IS 'a table';
CREATE TABLE "Other" (id int UNIQUE, fk int);
INSERT INTO "Other" VALUES (1, 1);
CREATE TABLE plain (k int, note text);
INSERT INTO plain VALUES (1, 'x');
CREATE SEQUENCE s;

CREATE TABLE boss (id int PRIMARY KEY, kept int UNIQUE);
CREATE TABLE worker (id serial PRIMARY KEY, boss_id int REFERENCES boss ON DELETE CASCADE);
CREATE TABLE task (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    worker_id int NOT NULL REFERENCES worker ON DELETE CASCADE);
CREATE TABLE note (id int, worker_id int REFERENCES worker ON DELETE SET NULL);
CREATE TABLE badge (id int, kept int REFERENCES boss (kept) ON UPDATE CASCADE);
INSERT INTO boss SELECT n, n FROM generate_series(1, 20) n;
INSERT INTO worker (boss_id) SELECT n FROM generate_series(1, 20) n;
INSERT INTO task (worker_id) SELECT n FROM generate_series(1, 20) n;
INSERT INTO note SELECT n, n FROM generate_series(1, 20) n;
INSERT INTO badge SELECT n, n FROM generate_series(1, 10) n;
CREATE TABLE self (id int PRIMARY KEY, up int REFERENCES self);
CREATE TABLE a_side (id int PRIMARY KEY, other int);
CREATE TABLE b_side (id int PRIMARY KEY, other int REFERENCES a_side);
ALTER TABLE a_side ADD FOREIGN KEY (other) REFERENCES b_side;

CREATE TABLE seen (id int PRIMARY KEY, a text);
CREATE VIEW v AS SELECT id, a FROM seen;
CREATE VIEW vv AS SELECT id FROM v;
CREATE MATERIALIZED VIEW m AS SELECT id, a FROM seen;
CREATE UNIQUE INDEX mi ON m (id);
CREATE INDEX mj ON m (a);
CREATE MATERIALIZED VIEW mm AS SELECT id FROM m;
CREATE VIEW lone AS SELECT 1 AS one;
CREATE VIEW easy AS SELECT id, a, b, c FROM t;
CREATE VIEW barred AS SELECT id FROM seen;
CREATE RULE barred_delete AS ON DELETE TO barred DO INSTEAD NOTHING;
CREATE RULE r AS ON UPDATE TO plain DO ALSO NOTHING;

CREATE TABLE parts (k int, v text, PRIMARY KEY (k)) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF parts FOR VALUES IN (2, 3) PARTITION BY LIST (k);
CREATE TABLE part2a PARTITION OF part2 FOR VALUES IN (2);
CREATE INDEX parts_v ON parts (v);
INSERT INTO parts VALUES (1, 'x'), (2, 'y');
CREATE TABLE bare (k int, v text) PARTITION BY LIST (k);
CREATE TABLE bare1 PARTITION OF bare FOR VALUES IN (1);
CREATE INDEX bare_v ON ONLY bare (v);
CREATE TABLE ranges (k int REFERENCES parent) PARTITION BY RANGE (k);
CREATE TABLE range1 PARTITION OF ranges FOR VALUES FROM (1) TO (10);
CREATE TABLE range_rest PARTITION OF ranges DEFAULT;
CREATE TABLE aims (k int PRIMARY KEY) PARTITION BY LIST (k);
CREATE TABLE aim1 PARTITION OF aims FOR VALUES IN (1);
CREATE TABLE aim2 PARTITION OF aims FOR VALUES IN (2);
INSERT INTO aims VALUES (1), (2);
CREATE TABLE to_aims (k int REFERENCES aims);
INSERT INTO to_aims VALUES (1);
CREATE TABLE loner (k int);
INSERT INTO loner VALUES (1);

CREATE TABLE loose (k int, note text);
CREATE TABLE heir (more int) INHERITS (loose);
CREATE TABLE heir_of_heir () INHERITS (heir);
CREATE INDEX heir_i ON heir (k);

CREATE TYPE colour AS ENUM ('red', 'green');
CREATE TYPE unused AS ENUM ('one');
CREATE TYPE pair AS (x int, y int);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN loose_domain AS int;
ALTER DOMAIN loose_domain ADD CONSTRAINT named CHECK (VALUE > 0) NOT VALID;
CREATE TABLE painted (id int PRIMARY KEY, c colour, p pair, amount positive, l loose_domain);
CREATE INDEX painted_c ON painted (c);
CREATE VIEW painted_view AS SELECT c FROM painted;
INSERT INTO painted VALUES (1, 'red', '(1,2)', 3, 4);
CREATE TABLE painted_too (list colour[], n positive);
CREATE MATERIALIZED VIEW painted_sum AS SELECT amount FROM painted;

CREATE FUNCTION free(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION free(text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION used(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE TABLE computed (id int DEFAULT used(1), twice int GENERATED ALWAYS AS (used(1)) STORED,
    CONSTRAINT says CHECK (used(1) = 1));
CREATE INDEX computed_i ON computed (used(id));
CREATE VIEW calls AS SELECT used(1) AS one;
CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE fired (id int, note text);
CREATE TRIGGER before_fired BEFORE UPDATE ON fired FOR EACH ROW EXECUTE FUNCTION tf();
INSERT INTO fired VALUES (1, 'x');
CREATE PROCEDURE proc() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE many(int) (SFUNC = int4pl, STYPE = int);
CREATE SEQUENCE wanted;
CREATE TABLE wants (id int DEFAULT nextval('wanted'));
CREATE TABLE serials (id serial PRIMARY KEY, big bigserial);
INSERT INTO serials DEFAULT VALUES;
CREATE COLLATION plain_c FROM "C";
CREATE FUNCTION plus(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = text, FUNCTION = plus);
CREATE CAST (colour AS int) WITH INOUT;
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = simple);

CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE away (id int) SERVER far;
CREATE TABLE published (id int);
CREATE PUBLICATION pub FOR TABLE published;
CREATE EVENT TRIGGER et ON ddl_command_start EXECUTE FUNCTION et_nothing();
ALTER EVENT TRIGGER et DISABLE;

CREATE SCHEMA empty;
CREATE SCHEMA stock;
CREATE TABLE stock.a (id int PRIMARY KEY, parent_id int REFERENCES parent);
CREATE TABLE stock.b (id serial, a_id int REFERENCES stock.a);
CREATE VIEW stock.va AS SELECT id FROM stock.a;
CREATE TYPE stock.kind AS ENUM ('x');
CREATE FUNCTION stock.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE outside (id int, k stock.kind);
INSERT INTO stock.a VALUES (1, 1);
INSERT INTO stock.b (a_id) VALUES (1);

CREATE TABLE owned_a (id int PRIMARY KEY);
CREATE TABLE owned_b (id int REFERENCES owned_a);
ALTER TABLE owned_a OWNER TO {role};
ALTER TABLE owned_b OWNER TO {role};
GRANT SELECT ON plain TO {role};

CREATE EXTENSION {extension};
CREATE TABLE extended (id int, e {extension});
"""

SUBSCRIPTIONS = (
    "CREATE SUBSCRIPTION fed CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false)",
    "CREATE SUBSCRIPTION unfed CONNECTION 'host=/nowhere' PUBLICATION p"
    " WITH (connect = false, slot_name = NONE)",
)
"""Each a statement of its own. A database that has one cannot be dropped."""
END = (
    "ALTER SUBSCRIPTION fed SET (slot_name = NONE)",
    "DROP SUBSCRIPTION fed",
    "DROP SUBSCRIPTION unfed",
)

EVENT_FUNCTION = """
CREATE FUNCTION et_nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'
"""
