"""The bar for every framework: after our rollback its own program agrees.

Two databases get the same migrations from the real program. One is rolled back by the program
itself, the other as a run does it. Then their version tables must have the same rows, the program
must say the same of both, and must be able to apply again what we took back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from psycopg import sql

from rollback_tui.config import Migrations, Settings
from rollback_tui.core.model import Plan
from rollback_tui.postgres import catalog
from rollback_tui.survey.planning import make_plan
from tests.conftest import Database

Row = dict[str, object]


class Tool(Protocol):
    """The real program, bound to one database and one project."""

    database: Database
    project: Path

    def up(self) -> object:
        """Apply all that is pending."""

    def down(self) -> object:
        """Take the newest migration back."""

    def status(self) -> object:
        """Return what the program says of each migration, without times."""


def rolled_back(
    database: Database,
    project: Path,
    *,
    steps: int = 1,
    version: str | None = None,
    migrations: Migrations | None = None,
) -> Plan:
    """Roll back as a run does: what the plan says, in one transaction. Returns the plan."""
    settings = Settings(migrations=migrations or Migrations())
    with database.connect() as connection:
        plan = make_plan(
            connection, settings, project, steps=steps, version=version, count_losses=False
        )
    with database.connect(autocommit=False) as connection:
        for migration in plan.migrations:
            assert migration.script is not None, migration.why_no_script
            assert not migration.script.problems, migration.script.problems
            for statement in migration.script.statements:
                connection.execute(statement.sql.encode(), binary=True)
            for change in migration.version_change:
                connection.execute(change.encode(), binary=True)
    return plan


def rows(database: Database, table: str, *, ignoring: Sequence[str] = ()) -> list[Row]:
    """Return the rows of ``table`` (``schema.name``) without the columns ``ignoring``, in a fixed
    order. What is ignored must differ by nature: times, random numbers."""
    with database.connect() as connection:
        cursor = connection.execute(
            sql.SQL("SELECT * FROM {}").format(sql.Identifier(*table.split(".")))
        )
        names = [column.name for column in cursor.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    kept = [{k: v for k, v in row.items() if k not in ignoring} for row in found]
    return sorted(kept, key=repr)


def schema(database: Database) -> object:
    """Return the whole schema, to be compared. Each database of the tests has an owner of its own:
    that one is called ``owner`` here."""
    with database.connect() as connection:
        objects = catalog.snapshot(connection).objects
    return {name: text.replace(database.owner, "owner") for name, text in objects.items()}


def agree(
    ours: Tool,
    theirs: Tool,
    tables: Sequence[str],
    *,
    steps: int = 2,
    ignoring: Sequence[str] = (),
    migrations: Migrations | None = None,
) -> Plan:
    """Assert it, for two tools on two fresh databases; returns our plan."""
    for each in (ours, theirs):
        each.up()
    everything, applied = schema(ours.database), ours.status()
    assert applied == theirs.status()
    plan = rolled_back(ours.database, ours.project, steps=steps, migrations=migrations)
    for _ in range(steps):
        theirs.down()
    for table in tables:
        mine = rows(ours.database, table, ignoring=ignoring)
        assert mine == rows(theirs.database, table, ignoring=ignoring), table
    assert schema(ours.database) == schema(theirs.database) != everything
    assert ours.status() == theirs.status() != applied
    ours.up()
    assert ours.status() == applied
    assert schema(ours.database) == everything
    return plan
