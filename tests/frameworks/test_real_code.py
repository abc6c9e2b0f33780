"""Down migrations that are code, captured from the real programs, rolled back by us.

Afterwards the programs must agree, as with every framework.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rollback_tui.config import Migrations, Settings
from rollback_tui.frameworks.captured import Captures
from rollback_tui.frameworks.protocol import VersionTable
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.rehearsal.capturing import capture
from rollback_tui.survey.planning import make_plan
from tests.conftest import Database
from tests.frameworks.agreement import agree
from tests.frameworks.code_projects import PROGRAMS, RAILS, Program, rails, written

IN_ITS_SCHEMA = """
CREATE SCHEMA "Ops"; SET search_path TO "Ops";
CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);
CREATE TABLE ar_internal_metadata (key varchar NOT NULL PRIMARY KEY, value varchar,
    created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);
INSERT INTO ar_internal_metadata VALUES ('environment', 'development', now(), now());
CREATE TABLE users (id bigserial PRIMARY KEY, name varchar, note varchar);
CREATE INDEX index_users_on_name ON users (name);
INSERT INTO schema_migrations VALUES ('20240101000000'), ('20240104000000'), ('20240105000000');
RESET search_path
"""
"""As Rails makes them."""


def configured(framework: str) -> Migrations:
    """Return what a project would configure: the program is not where Node's packages are."""
    if framework == "rails":
        return Migrations(command=("rake",))
    return Migrations()


def captured(
    program: Program, framework: str, steps: int, migrations: Migrations | None = None
) -> Captures:
    return capture(
        program.database.dsn,
        Settings(migrations=migrations or configured(framework)),
        program.project,
        steps=steps,
        version=None,
        said=lambda _: None,
        stop=threading.Event(),
    )


@pytest.mark.parametrize("framework", PROGRAMS)
def test_the_real_program_agrees(
    framework: str, database: Database, other_database: Database, tmp_path: Path
) -> None:
    make, files, table = PROGRAMS[framework]
    ours = make(database, written(tmp_path / "ours", files))
    theirs = make(other_database, written(tmp_path / "theirs", files))
    before = contents(ours.project)
    plan = agree(
        ours,
        theirs,
        [f"public.{table}"],
        migrations=configured(framework),
        # Knex's time of applying
        ignoring=("migration_time",),
    )
    texts = [statement.sql for statement in plan.statements]
    assert any("it''s" in text and "$1" in text for text in texts), texts
    assert all(migration.script and migration.script.origin for migration in plan.migrations)
    # The call wrote nothing into the project.
    assert contents(ours.project) == before


CONCURRENTLY = """\
class Index < ActiveRecord::Migration[6.1]
  disable_ddl_transaction!

  def change
    add_index :users, :name, algorithm: :concurrently
  end
end
"""
EMPTY = """\
class Nothing < ActiveRecord::Migration[6.1]
  def up
    add_column :users, :note, :string
  end

  def down
  end
end
"""


def test_rails_in_another_schema_outside_of_transactions_and_without_a_way_back(
    database: Database, tmp_path: Path
) -> None:
    """``schema_search_path`` of its configuration leads there; ours does not. A migration without a
    way back is none, though Rails itself would take its version away; and of the other one the
    server's own rules say that it cannot run in a transaction."""
    url = 'ENV.fetch("DATABASE_URL")'
    elsewhere = RAILS["Rakefile"].replace(url, f'{url}, "schema_search_path" => %q("Ops")')
    names = {"20240104000000_index": CONCURRENTLY, "20240105000000_nothing": EMPTY}
    files = {f"db/migrate/{name}.rb": text for name, text in names.items()}
    path = written(tmp_path / "ours", {**RAILS, **files, "Rakefile": elsewhere})
    connection = database.connect()
    connection.execute(IN_ITS_SCHEMA)
    program = rails(database, path)
    found = captured(program, "rails", 2).made
    with database.connect() as other:
        plan = make_plan(other, Settings(migrations=configured("rails")), path, steps=2)
    assert plan.version_table == '"Ops".schema_migrations'
    nothing, index = plan.migrations
    assert (nothing.version, index.version) == ("20240105000000", "20240104000000")
    assert found[0].statements == ()
    assert nothing.script is None
    assert "only the tool's search_path leads to that table" in nothing.why_no_script
    assert index.script is not None and not index.script.problems
    assert not plan.transactional
    assert any(s.sql.startswith("DROP INDEX CONCURRENTLY") for s in index.script.statements)
    assert [len(one.version_change) for one in found] == [0, 1]

    # Rails' own lock, held by us, keeps a deploy out.
    table = VersionTable(schema="Ops", name="schema_migrations")
    query = FRAMEWORKS["rails"].lock_sql(database.name, table)
    assert query is not None
    assert connection.execute(query.encode()).fetchone() == (True,)
    with pytest.raises(AssertionError, match="ConcurrentMigrationError"):
        program.down()
    assert connection.execute('SELECT count(*) FROM "Ops".schema_migrations').fetchone() == (3,)


def contents(project: Path) -> dict[str, bytes]:
    """Return the files of the project, without what is ours and what is installed."""
    return {
        str(path.relative_to(project)): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and not {"node_modules", "rollback_runs"} & set(path.parts)
    }
