"""Everything asked of or told to a PostgreSQL server."""
