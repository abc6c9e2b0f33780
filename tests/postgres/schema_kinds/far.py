"""Foreign servers, publications, subscriptions."""

from __future__ import annotations

from tests.postgres.schema_kinds.kind import Family, change, same

_SERVER = "server far"
_FT = "table public.ft"
_PUB = "publication pub"
_SUB = "subscription sub"

FAR = Family(
    "foreign servers and replication",
    """
    CREATE TABLE t (id int PRIMARY KEY, a int, b text); CREATE TABLE t2 (id int PRIMARY KEY);
    CREATE SCHEMA sch;
    CREATE FOREIGN DATA WRAPPER fdw; CREATE SERVER far FOREIGN DATA WRAPPER fdw;
    CREATE SERVER far2 FOREIGN DATA WRAPPER fdw;
    CREATE FOREIGN TABLE ft (a int, b text) SERVER far;
    CREATE PUBLICATION pub FOR TABLE t; CREATE PUBLICATION whole FOR ALL TABLES;
    CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere password=hidden' PUBLICATION p WITH
      (connect = false, slot_name = NONE, enabled = false);
    """,
    (
        change("wrapper", "CREATE FOREIGN DATA WRAPPER fdw2", "foreign-data wrapper fdw2"),
        change(
            "wrapper's option",
            "ALTER FOREIGN DATA WRAPPER fdw2 OPTIONS (debug 'x')",
            "foreign-data wrapper fdw2",
        ),
        change(
            "wrapper's validator",
            "ALTER FOREIGN DATA WRAPPER fdw2 VALIDATOR postgresql_fdw_validator OPTIONS (DROP"
            " debug)",
            "foreign-data wrapper fdw2",
        ),
        change("wrapper goes", "DROP FOREIGN DATA WRAPPER fdw2", "foreign-data wrapper fdw2"),
        change("server", "CREATE SERVER far3 FOREIGN DATA WRAPPER fdw", "server far3"),
        change("server's option", "ALTER SERVER far OPTIONS (password 'secret one')", _SERVER),
        change(
            "server's other option", "ALTER SERVER far OPTIONS (SET password 'secret two')", _SERVER
        ),
        change("server's version", "ALTER SERVER far VERSION '9'", _SERVER),
        change(
            "server's type", "CREATE SERVER far4 TYPE 'x' FOREIGN DATA WRAPPER fdw", "server far4"
        ),
        change(
            "owner of a server",
            "GRANT USAGE ON FOREIGN DATA WRAPPER fdw TO kinds_a; ALTER SERVER far OWNER TO kinds_a",
            "owner of server far",
            "grants on foreign-data wrapper fdw",
        ),
        change(
            "on a server", "GRANT USAGE ON FOREIGN SERVER far TO kinds_b", "grants on server far"
        ),
        change(
            "user mapping",
            "CREATE USER MAPPING FOR kinds_a SERVER far",
            "user mapping for kinds_a on server far",
        ),
        change(
            "its password",
            "ALTER USER MAPPING FOR kinds_a SERVER far OPTIONS (password 'secret three')",
            "user mapping for kinds_a on server far",
        ),
        change(
            "user mapping for everybody",
            "CREATE USER MAPPING FOR PUBLIC SERVER far",
            "user mapping for public on server far",
        ),
        change(
            "user mapping goes",
            "DROP USER MAPPING FOR kinds_a SERVER far",
            "user mapping for kinds_a on server far",
        ),
        change(
            "foreign table",
            "CREATE FOREIGN TABLE ft2 (a int) SERVER far OPTIONS (password 'secret four')",
            "table public.ft2",
        ),
        change("foreign table's option", "ALTER FOREIGN TABLE ft OPTIONS (x 'y')", _FT),
        change(
            "foreign table's column",
            "ALTER FOREIGN TABLE ft ALTER a OPTIONS (column_name 'z')",
            "column public.ft.a",
        ),
        change(
            "foreign table on another server",
            "DROP FOREIGN TABLE ft; CREATE FOREIGN TABLE ft (a int OPTIONS (column_name 'z'), b"
            " text) SERVER far2 OPTIONS (x 'y')",
            _FT,
        ),
        change("foreign table goes", "DROP FOREIGN TABLE ft2", "table public.ft2"),
        change("publication", "CREATE PUBLICATION pub2", "publication pub2"),
        change("published table", "ALTER PUBLICATION pub ADD TABLE t2", _PUB),
        change("published table goes", "ALTER PUBLICATION pub DROP TABLE t2", _PUB),
        change("published columns", "ALTER PUBLICATION pub SET TABLE t (id, b)", _PUB, since=15),
        change(
            "published rows", "ALTER PUBLICATION pub SET TABLE t WHERE (id > 5)", _PUB, since=15
        ),
        change(
            "published schema", "ALTER PUBLICATION pub ADD TABLES IN SCHEMA sch", _PUB, since=15
        ),
        change(
            "published operations", "ALTER PUBLICATION pub SET (publish = 'insert, delete')", _PUB
        ),
        change(
            "published by the root",
            "ALTER PUBLICATION pub SET (publish_via_partition_root = true)",
            _PUB,
        ),
        change(
            "published generated columns",
            "ALTER PUBLICATION pub SET (publish_generated_columns = stored)",
            _PUB,
            since=18,
        ),
        change("publication of all tables goes", "DROP PUBLICATION whole", "publication whole"),
        change(
            "subscribed publications",
            "ALTER SUBSCRIPTION sub SET PUBLICATION p, q WITH (refresh = false)",
            _SUB,
        ),
        change(
            "subscription's connection",
            "ALTER SUBSCRIPTION sub CONNECTION 'host=nowhere password=secret'",
            "connection of subscription sub",
        ),
        change("subscription's slot", "ALTER SUBSCRIPTION sub SET (slot_name = 'kept')", _SUB),
        change(
            "subscription's options",
            "ALTER SUBSCRIPTION sub SET (synchronous_commit = on)",
            _SUB,
            since=15,
        ),
        change(
            "subscription in binary", "ALTER SUBSCRIPTION sub SET (binary = true)", _SUB, since=15
        ),
        change(
            "subscription's streaming",
            "ALTER SUBSCRIPTION sub SET (streaming = on)",
            _SUB,
            since=15,
        ),
        change(
            "disabled by an error",
            "ALTER SUBSCRIPTION sub SET (disable_on_error = true)",
            _SUB,
            since=15,
        ),
        change("origin", "ALTER SUBSCRIPTION sub SET (origin = none)", _SUB, since=16),
        change(
            "password not required",
            "ALTER SUBSCRIPTION sub SET (password_required = false)",
            _SUB,
            since=16,
        ),
        change(
            "subscription goes",
            "ALTER SUBSCRIPTION sub SET (slot_name = NONE);; DROP SUBSCRIPTION sub",
            _SUB,
        ),
        same("server made and dropped", "CREATE SERVER z FOREIGN DATA WRAPPER fdw; DROP SERVER z"),
        same("the same option", "ALTER SERVER far OPTIONS (SET password 'secret two')"),
        same(
            "the same publication", "ALTER PUBLICATION pub SET (publish_via_partition_root = true)"
        ),
    ),
)

FAMILIES = (FAR,)
