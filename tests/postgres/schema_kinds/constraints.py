"""Constraints of tables and domains."""

from __future__ import annotations

from tests.postgres.schema_kinds.kind import Family, Kind, change, same

_CHECK = "constraint public.t.positive"
_KEY = "constraint public.t.t_other"

CONSTRAINTS = Family(
    "constraints",
    """
    CREATE TABLE target (id int PRIMARY KEY, code int UNIQUE, a int, b int, UNIQUE (a, b));
    CREATE TABLE t (id int, a int, b int, other int, span int4range, CONSTRAINT positive CHECK
      (a > 0));
    CREATE TABLE heir () INHERITS (t);
    ALTER TABLE t ADD CONSTRAINT own_key FOREIGN KEY (b) REFERENCES target;
    CREATE DOMAIN limited AS int CONSTRAINT small CHECK (VALUE < 10);
    """,
    (
        change("primary key", "ALTER TABLE t ADD PRIMARY KEY (id)", "constraint public.t.t_pkey"),
        change(
            "primary key goes", "ALTER TABLE t DROP CONSTRAINT t_pkey", "constraint public.t.t_pkey"
        ),
        change(
            "primary key of two columns",
            "ALTER TABLE t ADD CONSTRAINT t_pk PRIMARY KEY (b, id)",
            "constraint public.t.t_pk",
        ),
        change(
            "its columns in another order",
            "ALTER TABLE t DROP CONSTRAINT t_pk; ALTER TABLE t ADD CONSTRAINT t_pk PRIMARY KEY"
            " (id, b)",
            "constraint public.t.t_pk",
        ),
        change(
            "unique", "ALTER TABLE t ADD CONSTRAINT once UNIQUE (a)", "constraint public.t.once"
        ),
        change(
            "unique deferrable",
            "ALTER TABLE t DROP CONSTRAINT once; ALTER TABLE t ADD CONSTRAINT once UNIQUE (a)"
            " DEFERRABLE",
            "constraint public.t.once",
        ),
        change(
            "unique with an included column",
            "ALTER TABLE t DROP CONSTRAINT once; ALTER TABLE t ADD CONSTRAINT once UNIQUE (a)"
            " INCLUDE (b)",
            "constraint public.t.once",
        ),
        change(
            "unique, nulls not distinct",
            "ALTER TABLE t DROP CONSTRAINT once;"
            "ALTER TABLE t ADD CONSTRAINT once UNIQUE NULLS NOT DISTINCT (a)",
            "constraint public.t.once",
            since=15,
        ),
        change("unique goes", "ALTER TABLE t DROP CONSTRAINT once", "constraint public.t.once"),
        change(
            "exclusion",
            "ALTER TABLE t ADD CONSTRAINT apart EXCLUDE USING gist (span WITH &&)",
            "constraint public.t.apart",
        ),
        change(
            "exclusion with a predicate",
            "ALTER TABLE t DROP CONSTRAINT apart;"
            "ALTER TABLE t ADD CONSTRAINT apart EXCLUDE USING gist (span WITH &&) WHERE (a > 0)",
            "constraint public.t.apart",
        ),
        change(
            "check changes",
            "ALTER TABLE t DROP CONSTRAINT positive; ALTER TABLE t ADD CONSTRAINT positive"
            " CHECK (a > 1)",
            _CHECK,
        ),
        change(
            "check not valid",
            "ALTER TABLE t DROP CONSTRAINT positive;"
            "ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 1) NOT VALID",
            _CHECK,
        ),
        change("check validated", "ALTER TABLE t VALIDATE CONSTRAINT positive", _CHECK),
        change(
            "check not inherited",
            "ALTER TABLE t DROP CONSTRAINT positive;"
            "ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 1) NO INHERIT",
            _CHECK,
        ),
        change(
            "check not enforced",
            "ALTER TABLE t ADD CONSTRAINT idle CHECK (a > 5) NOT ENFORCED",
            "constraint public.t.idle",
            since=18,
        ),
        change(
            "check is renamed",
            "ALTER TABLE t RENAME CONSTRAINT positive TO more_than_one",
            "constraint public.t.more_than_one",
        ),
        change(
            "foreign key",
            "ALTER TABLE t ADD CONSTRAINT t_other FOREIGN KEY (other) REFERENCES target",
            _KEY,
        ),
        change("deferrable", "ALTER TABLE t ALTER CONSTRAINT t_other DEFERRABLE", _KEY),
        change(
            "initially deferred",
            "ALTER TABLE t ALTER CONSTRAINT t_other DEFERRABLE INITIALLY DEFERRED",
            _KEY,
        ),
        change("not deferrable", "ALTER TABLE t ALTER CONSTRAINT t_other NOT DEFERRABLE", _KEY),
        change(
            "on delete cascade",
            "ALTER TABLE t DROP CONSTRAINT t_other; ALTER TABLE t ADD CONSTRAINT t_other"
            " FOREIGN KEY (other) REFERENCES target ON DELETE CASCADE",
            _KEY,
        ),
        change(
            "on update set null",
            "ALTER TABLE t DROP CONSTRAINT t_other; ALTER TABLE t ADD CONSTRAINT t_other"
            " FOREIGN KEY (other) REFERENCES target ON DELETE CASCADE ON UPDATE SET NULL",
            _KEY,
        ),
        change(
            "to another column",
            "ALTER TABLE t DROP CONSTRAINT t_other; ALTER TABLE t ADD CONSTRAINT t_other"
            " FOREIGN KEY (other) REFERENCES target (code)",
            _KEY,
        ),
        change(
            "match full",
            "ALTER TABLE t DROP CONSTRAINT t_other; ALTER TABLE t ADD CONSTRAINT t_other"
            " FOREIGN KEY (a, b) REFERENCES target (a, b) MATCH FULL",
            _KEY,
        ),
        change(
            "set null of one column",
            "ALTER TABLE t DROP CONSTRAINT t_other; ALTER TABLE t ADD CONSTRAINT t_other"
            " FOREIGN KEY (a, b) REFERENCES target (a, b) ON DELETE SET NULL (a)",
            _KEY,
            since=15,
        ),
        change(
            "foreign key not valid",
            "ALTER TABLE t DROP CONSTRAINT t_other; ALTER TABLE t ADD CONSTRAINT t_other"
            " FOREIGN KEY (a, b) REFERENCES target (a, b) NOT VALID",
            _KEY,
        ),
        change("foreign key validated", "ALTER TABLE t VALIDATE CONSTRAINT t_other", _KEY),
        change(
            "foreign key not enforced",
            "ALTER TABLE t ALTER CONSTRAINT t_other NOT ENFORCED",
            _KEY,
            since=18,
        ),
        change("foreign key goes", "ALTER TABLE t DROP CONSTRAINT t_other", _KEY),
        change(
            "not null with a name of its own",
            "ALTER TABLE t ADD CONSTRAINT must NOT NULL a",
            "column public.t.a",
            "constraint public.t.must",
            since=18,
        ),
        change(
            "that name changes",
            "ALTER TABLE t RENAME CONSTRAINT must TO shall",
            "constraint public.t.shall",
            since=18,
        ),
        change(
            "not null that is not inherited",
            "ALTER TABLE t ADD CONSTRAINT here NOT NULL other NO INHERIT",
            "constraint public.t.here",
            since=18,
        ),
        change(
            "not null that is not valid",
            "ALTER TABLE t ADD CONSTRAINT later NOT NULL span NOT VALID",
            "constraint public.t.later",
            since=18,
        ),
        change(
            "not null becomes the child's own too",
            "ALTER TABLE heir ALTER a SET NOT NULL",
            "constraint public.heir.shall",
            since=18,
        ),
        change(
            "temporal key",
            "CREATE TABLE rooms (id int4range, at daterange,"
            " CONSTRAINT rooms_pk PRIMARY KEY (id, at WITHOUT OVERLAPS))",
            "constraint public.rooms.rooms_pk",
            since=18,
        ),
        change(
            "constraint of a domain",
            "ALTER DOMAIN limited ADD CONSTRAINT big CHECK (VALUE > -5)",
            "constraint public.limited.big",
        ),
        change(
            "it is gone",
            "ALTER DOMAIN limited DROP CONSTRAINT small",
            "constraint public.limited.small",
        ),
        same(
            "constraint added and dropped",
            "ALTER TABLE t ADD CONSTRAINT z CHECK (b > 0); ALTER TABLE t DROP CONSTRAINT z",
        ),
        same("validated again", "ALTER TABLE t VALIDATE CONSTRAINT more_than_one"),
        Kind(
            "internal triggers of a foreign key",
            "CREATE TABLE r (a int REFERENCES target); ALTER TABLE r DISABLE TRIGGER ALL;"
            "ALTER TABLE r ENABLE TRIGGER ALL; DROP TABLE r",
            sees="neither",
        ),
        Kind(
            "internal triggers off",
            "ALTER TABLE target DISABLE TRIGGER ALL",
            ("internal triggers of public.target",),
            sees="snapshot",
        ),
    ),
)

FAMILIES = (CONSTRAINTS,)
