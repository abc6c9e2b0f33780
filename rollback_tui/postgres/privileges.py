"""What the role we are connected as may do."""

from __future__ import annotations

from rollback_tui.core.facts import Privileges
from rollback_tui.postgres.connect import Connection

_QUERY = """
SELECT r.rolsuper,
       r.rolsuper OR pg_has_role(current_user, d.datdba, 'USAGE'),
       r.rolsuper OR r.rolcreatedb,
       r.rolsuper OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE'),
       r.rolsuper OR pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
FROM pg_roles r, pg_database d
WHERE r.rolname = current_user AND d.datname = current_database()
"""


def privileges(
    connection: Connection, *, not_owned: tuple[str, ...] = (), row_security: tuple[str, ...] = ()
) -> Privileges:
    """Ask the server; what the plan touches was looked up by the caller."""
    row = connection.execute(_QUERY).fetchone() or (False, False, False, False, False)
    return Privileges(
        superuser=row[0],
        database_owner=row[1],
        createdb=row[2],
        signal_backend=row[3],
        read_all_stats=row[4],
        not_owned=not_owned,
        row_security=row_security,
    )
