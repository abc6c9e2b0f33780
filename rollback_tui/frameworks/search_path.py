"""Names without a schema in a script: they must mean to us what they mean to the tool.

Some tools run every migration with the schema of their version table first in ``search_path``:
because they set it so (Flyway, Prisma, db-migrate), or because they create the table without
naming a schema, where it lands in the first one (Diesel). A script that says ``DROP TABLE IF
EXISTS users`` would in another schema silently do nothing, or drop another table.
"""

from __future__ import annotations

from rollback_tui.core.text import printable
from rollback_tui.frameworks.protocol import VersionTable
from rollback_tui.frameworks.quoting import identifier, literal


def elsewhere(table: VersionTable) -> str:
    """Return the SQL expression that is the schema of ``table``; NULL when it is the one in which
    the session creates what has no schema."""
    return f"nullif({literal(table.schema)}, current_schema()::text)"


def refusal(title: str, schema: object) -> str:
    """Return why nothing may be rolled back when :func:`elsewhere` gave ``schema``; empty for
    None."""
    if schema is None:
        return ""
    shown = printable(identifier(str(schema)))
    return (
        f"{title} runs its migrations with the schema of its version table, {shown}, first in "
        "search_path, and this connection has another schema there: names without a schema would "
        f"mean other tables. Connect with options=-csearch_path={shown} in the DSN, or set it for "
        "the role with ALTER ROLE … SET search_path."
    )
