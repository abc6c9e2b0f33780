"""pgroll: its history is a chain; what is active it takes back itself; its table is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_tui.config import Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.frameworks.pgroll import Pgroll
from rollback_tui.frameworks.protocol import Missing, VersionTable
from rollback_tui.survey.planning import make_plan
from tests.cli.conftest import Project, events, here, only
from tests.cli.conftest import project as project
from tests.conftest import Database

FRAMEWORK = Pgroll()

TABLE = """
CREATE SCHEMA pgroll;
CREATE TABLE pgroll.migrations (
    schema name NOT NULL, name text NOT NULL, migration jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    parent text, done boolean NOT NULL DEFAULT false,
    resulting_schema jsonb NOT NULL DEFAULT '{}', migration_type varchar(32) DEFAULT 'pgroll',
    PRIMARY KEY (schema, name),
    FOREIGN KEY (schema, parent) REFERENCES pgroll.migrations (schema, name)
);
CREATE UNIQUE INDEX history_is_linear ON pgroll.migrations (schema, parent);
"""

# What its trigger does with what others change: a row whose parent is the newest one.
TRIGGER = """
CREATE FUNCTION pgroll.seen() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pgroll, pg_catalog AS $$
DECLARE
  touched text;
BEGIN
  SELECT schema_name INTO touched FROM pg_event_trigger_ddl_commands()
   WHERE schema_name IS NOT NULL LIMIT 1;
  IF touched IS NULL THEN RETURN; END IF;
  INSERT INTO migrations (schema, name, migration, parent, done, migration_type)
  SELECT touched, 'by_hand_' || to_char(clock_timestamp(), 'HH24MISSUS'), '{}',
         (SELECT p.name FROM migrations p WHERE p.schema = touched AND NOT EXISTS (
            SELECT FROM migrations c WHERE c.schema = touched AND c.parent = p.name)),
         true, 'inferred';
END $$;
CREATE EVENT TRIGGER pg_roll_handle_ddl ON ddl_command_end EXECUTE FUNCTION pgroll.seen();
"""


def entered(database: Database, *names: str, schema: str = "public", active: bool = False) -> None:
    """Enter migrations as pgroll does; the last one may be active."""
    with database.connect() as connection:
        for place, name in enumerate(names):
            connection.execute(
                "INSERT INTO pgroll.migrations (schema, name, migration, parent, done)"
                " VALUES (%s, %s, '{}', %s, %s)",
                [
                    schema,
                    name,
                    names[place - 1] if place else None,
                    not (active and name == names[-1]),
                ],
            )


def test_a_script_given_by_hand_leaves_its_table_to_pgroll(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = project.database
    with database.connect() as connection:
        connection.execute(TABLE)
        connection.execute("CREATE TABLE users (id int PRIMARY KEY, email text)")
    # Not in the order of their names: what counts is who is whose parent.
    entered(database, "02_users", "01_email")
    with database.connect(superuser=True) as connection:
        connection.execute(TRIGGER)
    (project.directory / "migrations").mkdir()
    (project.directory / "migrations" / "01_email.yaml").write_text("operations: []\n")

    shown = here(project, monkeypatch, "plan").output
    assert "pgroll: 01_email → 02_users" in shown
    assert "pgroll has no down migrations" in shown and "`pgroll rollback` takes back only" in shown
    (project.directory / "back.sql").write_text("ALTER TABLE users DROP COLUMN email;\n")
    shown = here(project, monkeypatch, "plan", "--script", "back.sql").output
    assert "pgroll: 01_email → 01_email" in shown and "NO VERSION IS CHANGED: pgroll" in shown

    done = project.here(*project.run_arguments, "--script", "back.sql")

    assert done.returncode == 0, done.stdout[-800:] + done.stderr
    assert events(done.stdout)[-1]["outcome"] == "rolled_back"
    assert only(events(done.stdout), "version_changed") == []
    rows = project.query(
        "SELECT parent, migration_type FROM pgroll.migrations WHERE schema = 'public'"
        " ORDER BY created_at, parent NULLS FIRST"
    )
    assert rows == [(None, "pgroll"), ("02_users", "pgroll"), ("01_email", "inferred")]
    plan = make_plan(database.connect(), Settings(), project.directory)
    assert plan.applied[0].name == "inferred" and plan.applied[1].version == "01_email"


def test_one_that_is_active_is_pgrolls_own(tmp_path: Path, database: Database) -> None:
    database.connect().execute(TABLE)
    entered(database, "01_users", "02_email", active=True)
    with pytest.raises(FrameworkError) as caught:
        make_plan(database.connect(), Settings(), tmp_path)
    assert "02_email" in caught.value.summary
    assert "`pgroll rollback`" in caught.value.summary
    assert "`pgroll complete`" in caught.value.summary


def test_of_several_schemas_the_one_that_is_meant_must_be_known(
    tmp_path: Path, database: Database
) -> None:
    database.connect().execute(TABLE)
    entered(database, "01_a", schema="shop")
    plan = make_plan(database.connect(), Settings(), tmp_path)
    assert [m.version for m in plan.applied] == ["01_a"]
    assert plan.applied[0].applied_at is not None
    entered(database, "01_b", schema="stock")
    with pytest.raises(FrameworkError, match="several schemas"):
        make_plan(database.connect(), Settings(), tmp_path)
    entered(database, "01_c", schema="public")
    plan = make_plan(database.connect(), Settings(), tmp_path)
    assert [m.version for m in plan.applied] == ["01_c"]


def test_older_tables_have_no_type(tmp_path: Path) -> None:
    table = VersionTable(schema="pgroll", name="migrations", columns=("schema", "name"))
    assert "migration_type" not in FRAMEWORK.history_sql(table)
    assert "No JSON" not in str(FRAMEWORK.files(tmp_path))
    up = FRAMEWORK.up(AppliedMigration(version="a", name="", path="a.json"), tmp_path)
    assert isinstance(up, Missing) and "no SQL" in up.why
