"""The shop: a database of about a dozen related tables, seven migrations, 200,000 rows."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
from psycopg import sql

from rollback_tui.embedded.server import EmbeddedServer

DATABASE = "shop"
OWNER = "shop_owner"
"""Role of the migrations and of the operator; not a superuser."""
APPLICATION = "shop_app"
"""Role of the applications; reads, inserts and updates."""

MIGRATIONS = Path(__file__).parent.parent / "migrations"
NEWEST = "20240115103000"
FORGETFUL = "20231218113000"
"""The one before: its down migration leaves an enum label behind, and forgets a NOT NULL."""

VERIFIED_USERS = 7_431
"""Users with ``verified_at``: values that a rollback of the newest migration loses."""
TOKENS = 987
"""Rows of ``user_verification_tokens``: lost with their table."""

EXPECTED_LOSSES = {
    "public.users.verified_at": VERIFIED_USERS,
    "public.users.verified_by": VERIFIED_USERS,
    "public.user_verification_tokens": TOKENS,
}
"""What a rollback of the newest migration loses: values of a column, rows of a table."""

_UP = re.compile(r"^--\s*migrate:up\b.*$", re.MULTILINE)
_DOWN = re.compile(r"^--\s*migrate:down\b.*$", re.MULTILINE)


def create(server: EmbeddedServer) -> None:
    """Create the roles and the empty database with its privileges."""
    owner, application, database = (sql.Identifier(n) for n in (OWNER, APPLICATION, DATABASE))
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        for statement, names in (
            ("CREATE ROLE {} LOGIN CREATEDB", (owner,)),
            ("GRANT pg_signal_backend, pg_monitor TO {}", (owner,)),
            ("CREATE ROLE {} LOGIN", (application,)),
            ("CREATE DATABASE {} OWNER {}", (database, owner)),
            ("REVOKE ALL ON DATABASE {} FROM PUBLIC", (database,)),
            ("GRANT CONNECT ON DATABASE {} TO {}", (database, application)),
        ):
            admin.execute(sql.SQL(statement).format(*names))
    with psycopg.connect(server.dsn(DATABASE, OWNER), autocommit=True) as connection:
        # dbmate 2 makes its table exactly so.
        connection.execute(
            'CREATE TABLE IF NOT EXISTS "public"."schema_migrations"'
            ' ("version" varchar NOT NULL PRIMARY KEY)'
        )
        for statement in (
            "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE ON TABLES TO {}",
            "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO {}",
            "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO {}",
        ):
            connection.execute(sql.SQL(statement).format(application))


def files() -> list[Path]:
    """Return the migration files, oldest first."""
    return sorted(MIGRATIONS.glob("*.sql"))


def sections(path: Path) -> tuple[str, str]:
    """Return the up and the down section of a migration file."""
    text = path.read_text(encoding="utf-8")
    up, down = _UP.search(text), _DOWN.search(text)
    if up is None or down is None:
        raise ValueError(f"{path.name} lacks a section")
    return text[up.end() : down.start()], text[down.end() :]


def migrate_up(dsn: str, path: Path) -> None:
    """Apply one migration as dbmate does: its up section and its row, in one transaction."""
    up, _ = sections(path)
    with psycopg.connect(dsn) as connection:
        connection.execute(up.encode())
        connection.execute(
            "INSERT INTO public.schema_migrations (version) VALUES (%s)",
            [path.name.partition("_")[0]],
        )


def fill(server: EmbeddedServer) -> None:
    """Put in the data that six migrations have room for (about 199,000 rows)."""
    text = (Path(__file__).parent / "fill.sql").read_text(encoding="utf-8")
    with psycopg.connect(server.dsn(DATABASE)) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute(text.encode())


def verify_users(dsn: str) -> None:
    """Let users have verified themselves since the newest migration."""
    text = (Path(__file__).parent / "verify_users.sql").read_text(encoding="utf-8")
    filled = text.format(verified=VERIFIED_USERS, tokens=TOKENS)
    with psycopg.connect(dsn) as connection:
        connection.execute(filled.encode())


def analyze(server: EmbeddedServer) -> None:
    """Let the server know its statistics, so that estimated row counts are near the truth."""
    with psycopg.connect(server.dsn(DATABASE), autocommit=True) as connection:
        connection.execute("ANALYZE")


def applied(dsn: str) -> list[str]:
    """Return the applied versions, oldest first."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT version FROM public.schema_migrations ORDER BY 1")
        return [str(version) for (version,) in rows]
