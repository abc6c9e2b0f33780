"""The run's own row in the target: the judge of a COMMIT that was never answered.

It is written in the transaction of the run, so it is there exactly when that transaction was
committed. Nothing else can tell: after a crash the server gives transaction ids out again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import pq
from psycopg.rows import TupleRow, dict_row

from rollback_tui.core.text import printable
from rollback_tui.postgres.aside import aside, query
from rollback_tui.postgres.connect import Connection

SCHEMA = "rollback_tui"
"""Ours, in the target; left out of everything that is compared or counted."""

TABLE = f"{SCHEMA}.runs"

REMOVAL = f"DROP SCHEMA {SCHEMA} CASCADE;"
"""What removes all of it. Nothing of the application needs it."""

_COLUMNS = (
    "run uuid",
    "plan_sha256 text",
    "operator text",
    "tool_version text",
    "versions text[]",
    "journal_head text",
    "inserted_at timestamp with time zone",
    "statements_done integer",
)
"""As ``format_type`` writes them."""

_CREATE_SCHEMA = (
    f"CREATE SCHEMA {SCHEMA}",
    # ALTER DEFAULT PRIVILEGES may have given something to everybody.
    f"REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC",
    f"COMMENT ON SCHEMA {SCHEMA} IS"
    " 'Rows that rollback-tui writes in the transactions of its rollbacks. It may be removed"
    f" while no rollback runs: {REMOVAL}'",
)

_CREATE_TABLE = (
    f"""CREATE TABLE {TABLE} (
    run pg_catalog.uuid PRIMARY KEY,
    plan_sha256 pg_catalog.text NOT NULL,
    operator pg_catalog.text NOT NULL,
    tool_version pg_catalog.text NOT NULL,
    versions pg_catalog.text[] NOT NULL,
    journal_head pg_catalog.text NOT NULL,
    inserted_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    statements_done pg_catalog.int4
)""",
    f"REVOKE ALL ON TABLE {TABLE} FROM PUBLIC",
    f"COMMENT ON TABLE {TABLE} IS"
    " 'One row for each rollback that was committed: it decides whether a COMMIT without an"
    " answer happened.'",
    f"COMMENT ON COLUMN {TABLE}.journal_head IS"
    " 'Number and SHA-256 of the last line that the journal of the run had then.'",
    f"COMMENT ON COLUMN {TABLE}.statements_done IS"
    " 'How far a script came that cannot run in one transaction; null for all others.'",
)

# inserted_at is named, so that the default is never evaluated.
_INSERT = """INSERT INTO rollback_tui.runs
    (run, plan_sha256, operator, tool_version, versions, journal_head, inserted_at)
VALUES (%s::pg_catalog.uuid, %s, %s, %s, %s::pg_catalog.text[], %s, pg_catalog.now())"""

# Triggers and rules cannot come or go while it is held; inserting waits for nobody else's.
_LOCK = f"LOCK TABLE ONLY {TABLE} IN ROW EXCLUSIVE MODE"


class _Refused(Exception):
    """The row must not be written: its text says why."""


def problem(connection: Connection) -> str:
    """Return why the row cannot be written; empty when it can.

    Only looked up: whether an event trigger would refuse the table shows when it is made.
    Raises psycopg.Error.
    """
    return _problem(_facts(connection))


def insert(
    connection: Connection,
    run: str,
    plan_sha256: str,
    operator: str,
    tool_version: str,
    versions: Sequence[str],
    head: str,
    *,
    sent: Callable[[str], None] | None = None,
) -> str:
    """Write the row, in the open transaction or, where there is none, in one of its own.

    Schema and table are made when they are missing. Returns why it could not be written, and
    then the transaction is as it was before; empty when it was written. ``run`` is a UUID,
    ``head`` is ``<seq>:<sha256>`` of the journal's last line. ``sent`` is called with each
    statement that changes something, before it goes out. No setting of the session is changed.
    Raises psycopg.Error only when the connection itself was lost, and whatever ``sent`` raises.
    """

    def send(text: str, values: Sequence[object] | None = None) -> None:
        if sent is not None:
            sent(text)
        connection.execute(text.encode(), values)

    try:
        outside = _outside(connection)
        with connection.transaction():
            if outside:
                connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE")
            facts = _usable(connection)
            for text in () if facts["schema_there"] else _CREATE_SCHEMA:
                send(text)
            for text in () if facts["table_there"] else _CREATE_TABLE:
                send(text)
            connection.execute(_LOCK.encode())
            # Now it stays as we see it. An event trigger may have added to a table just made.
            _usable(connection)
            send(_INSERT, [run, plan_sha256, operator, tool_version, list(versions), head])
    except _Refused as refused:
        return str(refused)
    except psycopg.Error as error:
        if connection.closed or connection.broken:
            raise
        return printable(error.diag.message_primary or " ".join(str(error).split()))
    return ""


def committed(connection: Connection, run: str) -> bool:
    """Return whether the row is there: whether the run's transaction was committed.

    Inside that transaction it says whether the row is still there. Only to be asked when the
    backend that sent COMMIT is gone. Raises psycopg.Error, also when we may not read the table.
    """
    return _read(connection, run) is not None


def head(connection: Connection, run: str) -> str | None:
    """Return ``<seq>:<sha256>`` of the journal as the row has it; None: there is no row.

    Raises psycopg.Error.
    """
    row = _read(connection, run)
    return None if row is None else str(row[0])


def progress(connection: Connection, run: str, done: int) -> None:
    """Keep in the row that ``done`` statements are done. Raises psycopg.Error."""
    connection.execute(_PROGRESS, [done, run])


def done(connection: Connection, run: str) -> int | None:
    """Return how many statements are done; None: no row, or no statement was ever counted.

    Raises psycopg.Error.
    """
    row = _read(connection, run)
    return None if row is None else row[1]


_PROGRESS = b"""UPDATE ONLY rollback_tui.runs SET statements_done = %s
WHERE run OPERATOR(pg_catalog.=) %s::pg_catalog.uuid"""

# ONLY: a table that inherits from ours could hold rows of its own.
_ROW = b"""SELECT journal_head, statements_done FROM ONLY rollback_tui.runs
WHERE run OPERATOR(pg_catalog.=) %s::pg_catalog.uuid"""

_NEWEST = (
    b"SELECT run::pg_catalog.text FROM ONLY rollback_tui.runs ORDER BY inserted_at DESC LIMIT 1"
)


def newest(connection: Connection) -> str | None:
    """Return the run (UUID) whose row was written last; None: there is no row.

    Raises psycopg.Error.
    """
    with aside(connection, canonical=True) as cursor:
        table = cursor.execute(b"SELECT pg_catalog.to_regclass(%s)", [TABLE]).fetchone()
        if table is None or table[0] is None:
            return None
        row = cursor.execute(_NEWEST).fetchone()
    return str(row[0]) if row else None


def _read(connection: Connection, run: str) -> TupleRow | None:
    """Return the head and the count of the row; None when there is no table or no row.

    As the role that the session began with: a script may have taken another one.
    """
    with aside(connection, canonical=True) as cursor:
        cursor.execute(b"SET LOCAL role TO DEFAULT")
        table = cursor.execute(b"SELECT pg_catalog.to_regclass(%s)", [TABLE]).fetchone()
        if table is None or table[0] is None:
            return None
        return cursor.execute(_ROW, [run]).fetchone()


def _outside(connection: Connection) -> bool:
    return connection.info.transaction_status == pq.TransactionStatus.IDLE


def _facts(connection: Connection) -> dict[str, Any]:
    outside = _outside(connection)
    with aside(connection, canonical=True) as plain:
        cursor = plain.connection.cursor(row_factory=dict_row)
        facts = cursor.execute(query("run_row").encode()).fetchone() or {}
    # Outside a transaction it is only the default, and runs begin READ WRITE.
    return facts | {"read_only": facts["read_only"] and not outside}


def _usable(connection: Connection) -> dict[str, Any]:
    """Return the facts. Raises _Refused when they speak against writing the row."""
    facts = _facts(connection)
    reason = _problem(facts)
    if reason:
        raise _Refused(reason)
    return facts


def _problem(facts: dict[str, Any]) -> str:
    """Return the reason that the facts of ``queries/run_row.sql`` give; empty: none."""
    if facts["standby"]:
        return "the server is a standby: it is read-only"
    if facts["read_only"]:
        return "the transaction is read-only"
    if facts["publication"] is not None:
        return (
            f"publication {printable(facts['publication'])} publishes all tables: its subscribers"
            f" would stop at {TABLE}, which they do not have"
        )
    if not facts["schema_there"]:
        if facts["may_create_schema"]:
            return ""
        return f"there is no schema {SCHEMA}, and this role has no CREATE on the database"
    if not facts["schema_trusted"]:
        return f"schema {SCHEMA} belongs to {printable(facts['schema_owner'])}, not to this role"
    if not facts["may_use_schema"]:
        return f"this role has no USAGE on schema {SCHEMA}"
    if not facts["table_there"]:
        if facts["may_create_table"]:
            return ""
        return f"there is no table {TABLE}, and this role has no CREATE on its schema"
    return _problem_of_table(facts)


def _problem_of_table(facts: dict[str, Any]) -> str:
    if not facts["table_trusted"]:
        return f"{TABLE} belongs to {printable(facts['table_owner'])}, not to this role"
    if not facts["ordinary"]:
        # An unlogged one would be empty after a crash, just when the row is needed.
        return f"{TABLE} is not an ordinary, permanent table"
    if tuple(facts["columns"] or ()) != _COLUMNS or facts["key"] != ["run"]:
        return f"{TABLE} has other columns than this version of rollback-tui writes"
    if facts["foreign_code"]:
        return f"{TABLE} is not as it was made: {printable(', '.join(facts['foreign_code']))}"
    if facts["missing"]:
        return f"this role has no {', '.join(facts['missing'])} on {TABLE}"
    return ""
