"""The versions of PostgreSQL that nobody brings along: what matters most, once more on each."""
