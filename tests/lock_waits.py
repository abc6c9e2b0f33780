"""How often a session waits for a lock on a table, told by the server and not by a clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from tests.conftest import Database

_SETTINGS = {"log_lock_waits": "on", "deadlock_timeout": "10", "client_min_messages": "log"}


@contextmanager
def announced(
    connection: psycopg.Connection[Any], database: Database | None = None
) -> Iterator[list[str]]:
    """Give a list to which each wait of this session for a table is added until the block ends.

    What is waited for must be held for longer than 10 ms, best until the block has ended.
    ``database``: that of a connection of its owner, who is no superuser and must be allowed to ask
    for it (from PostgreSQL 15).
    """
    waits: list[str] = []

    def hear(said: psycopg.errors.Diagnostic) -> None:
        text = said.message_primary or ""
        if "still waiting for" in text and "on relation" in text:
            waits.append(text)

    if database is not None:
        with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
            owner = sql.Identifier(database.owner)
            admin.execute(
                sql.SQL("GRANT SET ON PARAMETER log_lock_waits, deadlock_timeout TO {}").format(
                    owner
                )
            )
    for name, value in _SETTINGS.items():
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    connection.add_notice_handler(hear)
    try:
        yield waits
    finally:
        connection.remove_notice_handler(hear)
        for name in _SETTINGS:
            connection.execute(sql.SQL("RESET {}").format(sql.Identifier(name)))
