"""Which rung of the door a run would use, and why not a better one."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from rollback_tui.config import Settings
from rollback_tui.core.facts import Privileges
from rollback_tui.core.model import Statement
from rollback_tui.postgres import door, rename
from rollback_tui.postgres.connect import Connection, connect, resolved, target, with_database
from rollback_tui.postgres.naming import beside_name

_ANY_RUN = "00000000"


def choose(
    connection: Connection,
    settings: Settings,
    rights: Privileges,
    statements: Sequence[Statement] = (),
) -> door.Choice:
    """Return what a run of these statements would choose now. It chooses again for itself.

    Raises ConnectionFailed when the maintenance database cannot be reached, and psycopg.Error.
    """
    here = target(connection)
    dsn = resolved(connection)
    asked = door.Asked(
        rights=rights,
        settings=settings.door,
        dsn=dsn,
        beside=beside_name(here.database, f"{rename.CLOSED}{_ANY_RUN}"),
        statements=tuple(s.sql for s in statements),
    )
    other = with_database(dsn, settings.connection.maintenance_database)
    with contextlib.closing(
        connect(other, timeout=settings.connection.connect_timeout)
    ) as maintenance:
        return door.choose(maintenance, here.database_oid, asked)
