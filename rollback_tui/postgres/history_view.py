"""The view ``rollback_tui.history`` over the runs' own rows in the target, for tools for analysis.

One row for each run that was committed, no more: what was refused, failed or recovered is in the
journals alone. The view is ours like the table: left out of dumps and of all that is compared.
"""

from __future__ import annotations

import psycopg

from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.text import printable
from rollback_tui.postgres.aside import query
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.run_row import SCHEMA, TABLE

VIEW = f"{SCHEMA}.history"

COLUMNS: dict[str, tuple[str, str]] = {
    "run": ("uuid", "The run: the id that `rollback-tui report` takes."),
    "short_id": ("text", "Its first eight characters, which every command takes too."),
    "inserted_at": (
        "timestamp with time zone",
        "When the transaction of the run began; it was committed at the end of it, seconds later.",
    ),
    "day": ("date", "The day of it, in UTC."),
    "month": ("date", "The first day of its month, in UTC."),
    "operator": ("text", "The user who started the run, as the machine named them."),
    "tool_version": ("text", "The version of rollback-tui."),
    "versions": ("text[]", "The versions of the plan, in the order of its execution."),
    "versions_count": ("integer", "How many these are."),
    "versions_text": ("text", "The same as one text, parted by commas."),
    "first_version": (
        "text",
        "The first of them: of a rollback the version that was current before.",
    ),
    "plan_sha256": ("text", "Hash of the plan that was confirmed."),
    "one_transaction": (
        "boolean",
        "False: the plan went statement by statement, each committed by itself.",
    ),
    "statements_done": (
        "integer",
        "How far such a plan came; null for one that was one transaction.",
    ),
    "journal_line": (
        "integer",
        "The last line of the journal of the run when the row was written.",
    ),
    "journal_sha256": ("text", "Its hash: what `rollback-tui history verify` compares with."),
}
"""Name → (type, meaning), in their order."""

_ABOUT = (
    "Rollbacks that were committed, for analysis; made by rollback-tui history view --create."
    " It may be dropped at any time."
)


def statements() -> tuple[str, ...]:
    """Return what makes the view, or replaces it, in order."""
    return (
        query("history_view").strip(),
        # ALTER DEFAULT PRIVILEGES may have given something to everybody.
        f"REVOKE ALL ON TABLE {VIEW} FROM PUBLIC",
        f"COMMENT ON VIEW {VIEW} IS '{_ABOUT}'",
        *(
            f"COMMENT ON COLUMN {VIEW}.{name} IS '{meaning}'"
            for name, (_, meaning) in COLUMNS.items()
        ),
    )


def script(lock_seconds: float) -> str:
    """Return the same for psql: one transaction that waits for a lock ``lock_seconds`` at most."""
    limit = f"SET LOCAL lock_timeout = '{_milliseconds(lock_seconds)}ms'"
    return ";\n".join(("BEGIN", limit, *statements(), "COMMIT")) + ";\n"


def create(connection: Connection, lock_seconds: float) -> bool:
    """Make the view, or replace it, in a transaction of its own, as the role that is connected;
    True: there was none before. Raises ConfigurationError when that role may not, there is no table
    yet, or a lock is not to be had within ``lock_seconds``; then nothing has changed."""
    try:
        with connection.transaction():
            connection.execute(
                "SELECT pg_catalog.set_config('lock_timeout', %s, true)",
                [f"{_milliseconds(lock_seconds)}ms"],
            )
            row = connection.execute(
                "SELECT pg_catalog.to_regclass(%s), pg_catalog.to_regclass(%s)", [TABLE, VIEW]
            ).fetchone()
            table, view = row or (None, None)
            if table is None:
                raise ConfigurationError(
                    f"there is no {TABLE} in {printable(connection.info.dbname)}",
                    "The first run that is committed there makes it: make the view after that.",
                )
            for statement in statements():
                connection.execute(statement.encode())
    except psycopg.Error as error:
        raise _explained(connection, error) from None
    return view is None


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _explained(connection: Connection, error: psycopg.Error) -> ConfigurationError:
    words = printable(error.diag.message_primary or " ".join(str(error).split()))
    said = f"{VIEW} cannot be made: {words}"
    match error:
        case psycopg.errors.InsufficientPrivilege():
            return ConfigurationError(
                said,
                f"It takes CREATE on schema {SCHEMA} and SELECT on {TABLE}, which"
                f" {printable(connection.info.user)} has not; or the view is another role's. Have"
                " its owner run what `rollback-tui history view` prints.",
            )
        case psycopg.errors.LockNotAvailable():
            return ConfigurationError(
                said, "Somebody reads or changes it just now, perhaps a run: try again later."
            )
        case psycopg.errors.InvalidTableDefinition() | psycopg.errors.WrongObjectType():
            return ConfigurationError(
                said, f"Another {VIEW} is there: drop it, with what depends on it, and try again."
            )
        case psycopg.errors.ReadOnlySqlTransaction():
            return ConfigurationError(said, "A standby is read-only: connect to the primary.")
        case _:
            return ConfigurationError(said, "Nothing was changed.")
