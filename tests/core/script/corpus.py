"""Down scripts in the styles of the tools that people write migrations with.

Not copies of anybody's files: each style is what surrounds the SQL in its kind of file, each
statement a form that real down scripts have, and every style meets every statement.
``python -m tests.core.script.corpus`` compares all of them with PostgreSQL's parser and counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rollback_tui.core.script.split import split
from tests.core.script.reference import Span, boundaries

STATEMENTS = (
    "DROP TABLE IF EXISTS public.invoices CASCADE",
    "ALTER TABLE users\n    DROP COLUMN IF EXISTS nickname,\n    DROP COLUMN avatar_url",
    'ALTER TABLE "Order Lines" RENAME COLUMN "unit;price" TO price',
    "DROP INDEX CONCURRENTLY IF EXISTS idx_users_email",
    "CREATE INDEX idx_o ON orders USING gin ((data -> 'a;b') jsonb_path_ops) WHERE state <> ';'",
    "UPDATE settings SET value = 'C:\\', note = E'it\\'s; \\\\' WHERE key = 'path'",
    "DELETE FROM roles WHERE name IN ('a;', $$b;$$, $q$c;$$;$q$)",
    "COMMENT ON COLUMN users.name IS 'what; it was -- before /* all */ of this'",
    "ALTER TABLE t ALTER COLUMN c TYPE varchar(20) USING substr(c::text, 1, 20)",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0 AND (b IS NULL OR b <> ';')) NOT VALID",
    "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n"
    "  NEW.updated_at := now(); -- it's\n  RETURN NEW;\nEND;\n$$",
    "CREATE FUNCTION add(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE\nBEGIN ATOMIC\n"
    "  SELECT CASE WHEN a > b THEN a + b ELSE b END;\nEND",
    "CREATE OR REPLACE PROCEDURE log(m text) LANGUAGE sql BEGIN ATOMIC\n"
    "  INSERT INTO logs SELECT m AS end; DELETE FROM logs WHERE old; END",
    "DO $body$\nDECLARE r record;\nBEGIN\n  FOR r IN SELECT 1 LOOP NULL; END LOOP;\nEND $body$",
    "CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch('a;b')",
    "DROP TRIGGER IF EXISTS tr ON t",
    "CREATE RULE r AS ON DELETE TO t DO INSTEAD (UPDATE t SET gone = CASE WHEN a THEN 1 END;"
    " NOTIFY t)",
    "INSERT INTO prices (id, \"from\", note) VALUES\n (1, '2024-01-01', 'a'),"
    " (2, NULL, U&'\\00e4;')",
    "GRANT SELECT, INSERT (a, b) ON t TO reader, \"Write;r\"",
    "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'so;so' BEFORE 'good'",
    "DROP FUNCTION IF EXISTS public.f(integer, character varying, text[])",
    "CREATE VIEW v AS\n SELECT u.id, count(*) FILTER (WHERE o.a #> '{b}' IS NOT NULL)\n"
    " FROM users u LEFT JOIN orders o USING (id) GROUP BY u.id -- done",
    "WITH gone AS (DELETE FROM a WHERE b = 5 # 3 RETURNING *) INSERT INTO c SELECT * FROM gone",
    "SELECT setval('users_id_seq', (SELECT max(id) FROM users)) /* not; undone */",
    "ALTER SEQUENCE s RESTART WITH 100 OWNED BY t.id",
    "CREATE TABLE zurück (größe int DEFAULT 0, \"naïve;\" text DEFAULT '–', begin int,"
    " declare int)",
    "DROP TABLE GO CASCADE",
    "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c (d) ON DELETE SET NULL DEFERRABLE",
    "CREATE POLICY p ON t USING (owner = current_user AND tag <> $tag$;$tag$)",
    "TRUNCATE a, ONLY b RESTART IDENTITY",
    "SET LOCAL lock_timeout = '5s'",
    "ALTER TABLE m ATTACH PARTITION m1 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
    "EXECUTE p('a;b', 2)",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE ALL ON TABLES FROM PUBLIC",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY totals",
    "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED AND s.x THEN DELETE WHEN NOT MATCHED THEN"
    " INSERT VALUES (s.a, ';')",
)  # fmt: skip

Style = Callable[[str], tuple[str, str]]
"""From the down SQL to the file: what stands before it, and the down part itself."""

_UP = "CREATE TABLE t (a int); INSERT INTO t VALUES ('-- not here; /*');\n"


def _lines(sql: str) -> str:
    return sql.replace(";\n", ";\n\n")


STYLES: dict[str, Style] = {
    "dbmate": lambda sql: (f"-- migrate:up\n{_UP}\n", f"-- migrate:down\n{sql}\n"),
    "dbmate, no transaction": lambda sql: (
        f"-- migrate:up transaction:false\n{_UP}",
        f"-- migrate:down transaction:false\n\n{sql}",
    ),
    "goose": lambda sql: (
        f"-- +goose Up\n{_UP}\n",
        f"-- +goose Down\n-- +goose StatementBegin\n{sql}\n-- +goose StatementEnd\n",
    ),
    "goose, plain": lambda sql: ("", f"-- +goose Down\n{sql}\n\n"),
    "golang-migrate": lambda sql: ("", sql),
    "golang-migrate, own transaction": lambda sql: ("", f"BEGIN;\n\n{sql}\n\nCOMMIT;"),
    "sqitch": lambda sql: ("", f"-- Revert shop:users from pg\n\nBEGIN;\n\n{sql}\n\nCOMMIT;\n"),
    "flyway undo": lambda sql: ("", f"/*\n * Undo V2.1; see SHOP-17 /* nested */\n */\n{sql}\n"),
    "diesel": lambda sql: ("", f"-- This file should undo anything in `up.sql`\n{sql}\n"),
    "alembic offline": lambda sql: (
        "",
        f"BEGIN;\n\n-- Running downgrade 1975ea83b712 -> ae1027a6acf\n\n{_lines(sql)}\n\n"
        "UPDATE alembic_version SET version_num='ae1027a6acf' WHERE alembic_version.version_num ="
        " '1975ea83b712';\n\nCOMMIT;\n\n",
    ),
    "django sqlmigrate": lambda sql: (
        "",
        f"BEGIN;\n--\n-- Remove field a; from b's\n--\n{sql}\nCOMMIT;\n",
    ),
    "rails structure": lambda sql: (
        "",
        "SET statement_timeout = 0;\nSET client_encoding = 'UTF8';\n"
        "SELECT pg_catalog.set_config('search_path', '', false);\n\n"
        f"--\n-- Name: t; Type: TABLE; Schema: public; Owner: -\n--\n\n{_lines(sql)}\n\n"
        'SET search_path TO "$user", public;\n\nINSERT INTO "schema_migrations" (version) VALUES\n'
        "('20240101000002'),\n('20240101000001');\n\n",
    ),
    "pg_dump": lambda sql: (
        "",
        "--\n-- PostgreSQL database dump\n--\n\nSET xmloption = content;\nSET row_security = off;\n"
        f"\n--\n-- Name: f(integer); Type: FUNCTION;\n--\n\n{sql}\n\n\n"
        "--\n-- PostgreSQL database dump complete\n--\n\n",
    ),
    "liquibase": lambda sql: (
        f"--liquibase formatted sql\n--changeset ann:7 splitStatements:false\n{_UP}",
        f"--rollback follows\n{sql}\n",
    ),
    "ef core": lambda sql: (
        "",
        "DO $EF$\nBEGIN\n    IF EXISTS(SELECT 1 FROM \"__EFMigrationsHistory\") THEN\n"
        f"    DROP TABLE a;\n    END IF;\nEND $EF$;\n{sql}\n\n",
    ),
    "node-pg-migrate": lambda sql: (f"-- Up Migration\n{_UP}", f"-- Down Migration\n\t{sql}\n"),
    "atlas": lambda sql: ("", f"-- reverse: create index \"i\" to table: \"t\"; done\n{sql}\n"),
    "by hand": lambda sql: ("", f";;{sql.replace(';', ' ; -- then;', 1)};\n/**/;"),
}  # fmt: skip
WINDOWS = (1, 2, 3, 5, 8)
"""How many statements a script has."""


def scripts() -> Iterator[tuple[str, str, int]]:
    """Yield name, file and where its down part begins, in characters."""
    number = 0
    for name, style in STYLES.items():
        for size in WINDOWS:
            for shift in range(4):
                number += 1
                first = number * 7 + shift
                chosen = [STATEMENTS[(first + at) % len(STATEMENTS)] for at in range(size)]
                before, down = style(_joined(chosen, shift))
                yield f"{name} {size}.{shift}", before + down, len(before)
    for at, statement in enumerate(STATEMENTS):
        yield f"alone {at}", statement, 0
        yield f"alone {at}, CRLF", (statement + ";\n\n-- end\n").replace("\n", "\r\n"), 0


def _joined(statements: list[str], shift: int) -> str:
    """The ways people end their lines; a comment at a statement's end needs one before ``;``."""
    if shift == 1:
        return "\r\n".join(f"{s.replace(chr(10), chr(13) + chr(10))}\r\n;" for s in statements)
    if shift == 2:
        return "".join(f"{s}\n;" for s in statements)
    if shift == 3:
        return "\n\n".join(f"/* {at}; it's */ {s}\n\t;\n" for at, s in enumerate(statements))
    return "\n".join(f"{s}\n;" if "-- done" in s else f"{s};" for s in statements)


def compared(script: str, start: int) -> tuple[list[Span], list[Span]]:
    """Return PostgreSQL's statements of the part from ``start``, and ours, in bytes and lines of
    the whole file. The wrapper that we take off is taken off there too."""
    data = script.encode()
    offset, line = len(script[:start].encode()), script.count("\n", 0, start)
    theirs = [(a + offset, b + offset, at + line) for a, b, at in boundaries(script[start:])]
    result = split(data, offset)
    if result.wrapper_removed:
        theirs = theirs[1:-1]
    return theirs, [(piece.start, piece.end, piece.line) for piece in result.statements]


def main() -> None:
    """Print how many scripts there are, and each that is read otherwise."""
    count = statements = wrong = 0
    for name, script, start in scripts():
        theirs, found = compared(script, start)
        count += 1
        statements += len(theirs)
        if theirs != found:
            wrong += 1
            print(f"{name}: {theirs} but {found}")
    print(f"{count} down scripts in {len(STYLES)} styles, {statements} statements, {wrong} wrong")


if __name__ == "__main__":
    main()
