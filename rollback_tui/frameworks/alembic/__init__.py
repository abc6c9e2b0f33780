"""Alembic: revisions read from files, scripts printed by its own program."""
