"""Where a program that is not ours finds its database: on loopback, behind our own gateway."""

from __future__ import annotations

from urllib.parse import quote

from rollback_tui.core.model import Value


class Address(Value, frozen=True, kw_only=True):
    """A PostgreSQL address that is good for one call of one tool.

    The password is not the operator's: it is made for the call, and what it opens ends with it.
    """

    host: str
    port: int
    user: str
    password: str
    database: str

    @property
    def url(self) -> str:
        """``postgresql://user:password@host:port/database``, each part percent-encoded."""
        user, password, database = (
            quote(part, safe="") for part in (self.user, self.password, self.database)
        )
        return f"postgresql://{user}:{password}@{self.host}:{self.port}/{database}"

    @property
    def jdbc(self) -> str:
        """``jdbc:postgresql://host:port/database``: user and password go separately."""
        return f"jdbc:postgresql://{self.host}:{self.port}/{quote(self.database, safe='')}"

    def environment(self) -> dict[str, str]:
        """Return the variables by which nearly every tool lets itself be told: libpq's, and
        ``DATABASE_URL``. TLS is off: it is loopback."""
        return {
            "DATABASE_URL": self.url,
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.database,
            "PGSSLMODE": "disable",
        }
