"""The schema that the forms of ALTER are executed on; it works on PostgreSQL 15, 16 and 18."""

ALTER_SCHEMA = """
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN plain_int AS int;
CREATE DOMAIN words AS text;
CREATE DOMAIN short AS varchar(30);
CREATE DOMAIN cautious AS plain_int NOT NULL;
CREATE TYPE mood AS ENUM ('calm', 'wild');
CREATE TYPE pair AS (x int, y text);
CREATE TYPE row_of AS (x int, y text);
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE FUNCTION changing() RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION steady() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';

-- a table with everything on it, what refers to it and what reads it
CREATE TABLE parent (id int PRIMARY KEY, code text UNIQUE, note text);
CREATE TABLE t (
    id int PRIMARY KEY, a text, b int NOT NULL DEFAULT 1 CHECK (b > 0), c int,
    v10 varchar(10), v20 varchar(20), n102 numeric(10, 2), n numeric, ts timestamp,
    tz timestamptz, d date, m mood, bits varbit(5), ch char(5), iv interval(3),
    u int CONSTRAINT t_u_check CHECK (u IS NOT NULL), w int, e text,
    CONSTRAINT fk FOREIGN KEY (c) REFERENCES parent, CONSTRAINT two CHECK (b < w));
CREATE INDEX t_a ON t (a);
CREATE INDEX t_v ON t (v10);
CREATE INDEX t_expression ON t (lower(e));
CREATE INDEX t_partial ON t (w) WHERE d IS NOT NULL;
CREATE UNIQUE INDEX t_w ON t (w);
CREATE UNIQUE INDEX t_b ON t (b);
CREATE STATISTICS st ON a, w FROM t;
CREATE TABLE kid (id serial PRIMARY KEY, t_id int REFERENCES t,
    p_code text REFERENCES parent (code), w int REFERENCES t (w) DEFERRABLE);
CREATE INDEX kid_t ON kid (t_id);
CREATE VIEW v AS SELECT id, a FROM t;
CREATE VIEW vv AS SELECT a FROM v;
CREATE MATERIALIZED VIEW mv AS SELECT id, v10 FROM t;
CREATE INDEX mv_v10 ON mv (v10);
CREATE TRIGGER of_a AFTER UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION fires();
CREATE POLICY p ON t USING (w > 0);

-- sequences, generated columns
CREATE TABLE counted (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, x int,
    g int GENERATED ALWAYS AS (x + 1) STORED, s bigserial);
CREATE SEQUENCE s;
CREATE SEQUENCE owned OWNED BY counted.x;
CREATE TABLE numbered (id int DEFAULT nextval('s'), z int);
CREATE TABLE computed (x int, y int GENERATED ALWAYS AS (x * 2) STORED);

-- partitions
CREATE TABLE parts (k int NOT NULL, val text, r int) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF parts FOR VALUES IN (2) PARTITION BY RANGE (r);
CREATE TABLE part2a PARTITION OF part2 FOR VALUES FROM (0) TO (10);
CREATE INDEX parts_val ON parts (val);
CREATE TRIGGER each_row AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION fires();
CREATE TRIGGER once AFTER INSERT ON parts EXECUTE FUNCTION fires();
CREATE TABLE rest (k int, val text) PARTITION BY LIST (k);
CREATE TABLE rest1 PARTITION OF rest FOR VALUES IN (1);
CREATE TABLE rest_default PARTITION OF rest DEFAULT;
CREATE TABLE single (a int NOT NULL, b text) PARTITION BY LIST (a);
CREATE TABLE single1 PARTITION OF single FOR VALUES IN (1);
CREATE TABLE ranged (k int) PARTITION BY RANGE (k);
CREATE TABLE hollow (k int) PARTITION BY LIST (k);
CREATE TABLE parts_id (id int GENERATED ALWAYS AS IDENTITY, k int) PARTITION BY LIST (k);
CREATE TABLE parts_id1 PARTITION OF parts_id FOR VALUES IN (1);
CREATE TABLE key_parts (id int PRIMARY KEY, p int REFERENCES parent) PARTITION BY RANGE (id);
CREATE TABLE key_part1 PARTITION OF key_parts FOR VALUES FROM (0) TO (10);
CREATE TABLE to_parts (x int REFERENCES key_parts);

-- tables that may become partitions
CREATE TABLE loose (k int, val text, r int);
CREATE TABLE fits (k int NOT NULL, val text, r int);
CREATE TABLE fits_index (k int NOT NULL, val text, r int);
CREATE INDEX fits_index_val ON fits_index (val);
CREATE TABLE fits_parts (k int NOT NULL, val text, r int) PARTITION BY RANGE (r);
CREATE TABLE fits_parts1 PARTITION OF fits_parts FOR VALUES FROM (0) TO (10);
CREATE TABLE fits_rest (k int, val text);
CREATE TABLE fits_key (id int NOT NULL, p int);
CREATE TABLE fits_range (k int NOT NULL CHECK (k >= 10 AND k < 20));
CREATE RULE quiet AS ON DELETE TO loose DO INSTEAD NOTHING;

-- inheritance
CREATE TABLE base (k int, txt text);
CREATE TABLE heir (extra int) INHERITS (base);
CREATE TABLE heir_of_heir (more int) INHERITS (heir);
ALTER TABLE base ADD CONSTRAINT base_check CHECK (k > 0) NOT VALID;
CREATE TABLE strict (k int NOT NULL, txt text);
CREATE TABLE strict_heir () INHERITS (strict);
CREATE TABLE own (a int, b int CONSTRAINT own_check CHECK (b > 0));
CREATE TABLE own_heir (a int, CONSTRAINT own_check CHECK (b > 0)) INHERITS (own);
CREATE TABLE own_heir_of_heir () INHERITS (own_heir);
CREATE TABLE above (k int, txt text);
CREATE TABLE like_above (k int, txt text);

CREATE TABLE top (a int, b int);
CREATE TABLE left_heir (c int) INHERITS (top);
CREATE TABLE right_heir (d int) INHERITS (top);
CREATE TABLE both_heirs () INHERITS (left_heir, right_heir);
CREATE INDEX both_heirs_a ON both_heirs (a);

-- constraints that are not valid yet; settings; the rest
CREATE TABLE ref (id int PRIMARY KEY, c text);
CREATE TABLE pending (id int, r int, q int, short varchar(5) CHECK (short <> ''), w int);
CREATE INDEX pending_short ON pending (short);
ALTER TABLE pending ADD CONSTRAINT pending_fk FOREIGN KEY (r) REFERENCES ref NOT VALID;
ALTER TABLE pending ADD CONSTRAINT pending_check CHECK (q > 0) NOT VALID;
CREATE TABLE self (id int PRIMARY KEY, up int REFERENCES self);
CREATE TABLE many (a int[], b varchar(5)[], c cidr, o oid, h time(3), x text, y varchar(5));
CREATE INDEX many_x ON many (x);
CREATE TABLE covered (a int, b text);
CREATE INDEX covered_b ON covered (b) WHERE a > 0;
CREATE UNIQUE INDEX covered_a ON covered (a) INCLUDE (b);
CREATE TABLE domains (a positive, s short, w words COLLATE "C", p plain_int);
CREATE INDEX domains_a ON domains (a);
CREATE INDEX domains_s ON domains (s);
CREATE INDEX domains_w ON domains (w);
CREATE TABLE wide (a int, b int, c text, PRIMARY KEY (a, b), UNIQUE (a) INCLUDE (c));
CREATE TABLE to_wide (a int, b int, FOREIGN KEY (a, b) REFERENCES wide);
CREATE TABLE bare (a int NOT NULL, b int, c int);
CREATE TABLE excluded (r int4range, EXCLUDE USING gist (r WITH &&));
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, t text);
CREATE TABLE logged (id serial PRIMARY KEY, t text);
CREATE TABLE clustered (id int PRIMARY KEY, a int);
ALTER TABLE clustered CLUSTER ON clustered_pkey;
CREATE TABLE uses_pair (p pair);
CREATE TABLE typed OF row_of;
CREATE TABLE "Odd Name" (id int, "Col" int);
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE away (a int, b text) SERVER far;
CREATE SCHEMA other;
CREATE ACCESS METHOD heap_too TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE other.t (id int);

INSERT INTO parent VALUES (1, 'a'), (2, 'b');
INSERT INTO t SELECT g, 'x' || g, g, 1, 'v', 'v', 1, 1, now(), now(), now(), 'calm', B'10101', 'c',
    '1s', 1, 1000 + g, 'e' FROM generate_series(1, 40) g;
INSERT INTO kid (t_id) SELECT g FROM generate_series(1, 20) g;
INSERT INTO parts VALUES (1, 'x', 1), (2, 'y', 2);
INSERT INTO single VALUES (1, 'x');
INSERT INTO fits VALUES (3, 'z', 1);
INSERT INTO fits_key VALUES (11, 1);
INSERT INTO base VALUES (1, 'x');
INSERT INTO heir VALUES (1, 'x', 2);
INSERT INTO strict VALUES (1, 'x');
INSERT INTO counted (x) SELECT 1;
INSERT INTO numbered DEFAULT VALUES;
INSERT INTO logged (t) VALUES ('x');
INSERT INTO unlogged VALUES (1, 'x');
INSERT INTO "Odd Name" VALUES (1, 1);
INSERT INTO ref SELECT g FROM generate_series(1, 5) g;
INSERT INTO pending SELECT g, 1, 1, 'a', 1 FROM generate_series(1, 5) g;
INSERT INTO bare VALUES (1, 1, 1);
INSERT INTO both_heirs VALUES (1, 2, 3, 4);
INSERT INTO domains VALUES (1, 'x', 'y', 1);
INSERT INTO wide VALUES (1, 1);
INSERT INTO to_wide VALUES (1, 1);
INSERT INTO computed VALUES (1);
INSERT INTO typed VALUES (1, 'x');
REFRESH MATERIALIZED VIEW mv;

-- what only PostgreSQL 18 has
DO $$ BEGIN IF current_setting('server_version_num')::int >= 180000 THEN EXECUTE '
CREATE TABLE virtual (x int, y int GENERATED ALWAYS AS (x * 2) VIRTUAL);
INSERT INTO virtual VALUES (1);
ALTER TABLE loose ADD CONSTRAINT loose_not_null NOT NULL val NOT VALID;
CREATE TABLE parts_key (k int NOT NULL, r int) PARTITION BY LIST (k);
CREATE TABLE parts_key1 PARTITION OF parts_key FOR VALUES IN (1);
ALTER TABLE parts_key ADD CONSTRAINT parts_fk FOREIGN KEY (r) REFERENCES ref NOT VALID;
'; END IF; END $$;
"""
