"""Version tables of tools that we know by sight and cannot roll back: to say so by name.

Names and columns are those that the tools' own code creates.
"""

from __future__ import annotations

from collections.abc import Sequence

from rollback_tui.core.model import Value
from rollback_tui.frameworks.protocol import TableShape


class Stranger(Value, frozen=True, kw_only=True):
    """A tool that is not supported."""

    tool: str
    table: str
    columns: frozenset[str]
    """Its table has all of these."""
    command: str
    """With which it rolls back itself; empty: it has no way back."""


STRANGERS = (
    Stranger(
        tool="Ecto",
        table="schema_migrations",
        columns=frozenset({"version", "inserted_at"}),
        command="mix ecto.rollback",
    ),
    Stranger(
        tool="Laravel",
        table="migrations",
        columns=frozenset({"id", "migration", "batch"}),
        command="php artisan migrate:rollback",
    ),
    Stranger(
        tool="Entity Framework",
        table="__EFMigrationsHistory",
        columns=frozenset({"MigrationId", "ProductVersion"}),
        command="dotnet ef database update PREVIOUS",
    ),
    Stranger(
        tool="Doctrine",
        table="doctrine_migration_versions",
        columns=frozenset({"version", "executed_at", "execution_time"}),
        command="doctrine-migrations migrate prev",
    ),
    Stranger(
        tool="Phinx",
        table="phinxlog",
        columns=frozenset({"version", "migration_name", "start_time", "end_time"}),
        command="phinx rollback",
    ),
    Stranger(
        tool="MikroORM",
        table="mikro_orm_migrations",
        columns=frozenset({"id", "name", "executed_at"}),
        command="mikro-orm migration:down",
    ),
    Stranger(
        tool="Drizzle",
        table="__drizzle_migrations",
        columns=frozenset({"id", "hash", "created_at"}),
        command="",
    ),
    Stranger(
        tool="the Supabase CLI",
        table="schema_migrations",
        columns=frozenset({"version", "statements", "name"}),
        command="",
    ),
)
"""Told apart by name and columns."""


def stranger(shapes: Sequence[TableShape]) -> tuple[TableShape, Stranger] | None:
    """Return the first table that belongs to one of STRANGERS, and which."""
    for shape in shapes:
        names = {name for name, _ in shape.columns}
        for one in STRANGERS:
            if shape.name == one.table and one.columns <= names:
                return shape, one
    return None
