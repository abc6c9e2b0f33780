"""rollback_tui: a guided, verified rollback of a PostgreSQL migration."""

__version__ = "0.1.0"
