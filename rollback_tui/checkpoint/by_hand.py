"""What a person needs to restore without this tool: ``restore.sh`` and the SQL that it runs."""

from __future__ import annotations

import shlex
from importlib import resources
from pathlib import Path

from psycopg import sql

from rollback_tui.checkpoint.manifest import RESTORE_SCRIPT, DatabaseProperties
from rollback_tui.checkpoint.properties import carry_statements, create_statement
from rollback_tui.checkpoint.storage import write_private
from rollback_tui.postgres.server_tools import Tool

# psql replaces :"new" by the quoted name; inside string literals it replaces nothing.
_NEW = sql.SQL(':"new"')

_HEADER = "\\set ON_ERROR_STOP on\nSET client_encoding TO 'UTF8';\n"


def write_by_hand(
    directory: Path,
    properties: DatabaseProperties,
    tool: Tool,
    *,
    server_major: int,
    jobs: int,
) -> None:
    """Write ``restore.sh``, ``create.sql`` and ``database.sql``. Raises OSError."""
    template = resources.files("rollback_tui.checkpoint").joinpath(RESTORE_SCRIPT)
    script = template.read_text(encoding="utf-8")
    for word, value in (
        ("@DATABASE@", shlex.quote(properties.name)),
        ("@MAJOR@", str(tool.major)),
        ("@BIN@", shlex.quote(str(Path(tool.path).parent))),
        ("@JOBS@", str(jobs)),
    ):
        script = script.replace(word, value)
    write_private(directory / RESTORE_SCRIPT, script.encode(), 0o700)
    create = create_statement(properties, _NEW, server_major).as_string(None)
    carry = [statement.as_string(None) for statement in carry_statements(properties, _NEW)]
    write_private(directory / "create.sql", f"{_HEADER}{create};\n".encode())
    body = "".join(f"{statement};\n" for statement in carry)
    write_private(directory / "database.sql", f"{_HEADER}BEGIN;\n{body}COMMIT;\n".encode())
