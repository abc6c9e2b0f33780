"""Projects whose migrations are code, and the programs that run them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rollback_tui.postgres.gateway import Gateway
from tests.conftest import Database
from tests.frameworks import installed

SECONDS = 60

RAILS = {
    "Rakefile": """\
require "active_record"
require "logger"
include ActiveRecord::Tasks
DatabaseTasks.env = "development"
DatabaseTasks.root = __dir__
DatabaseTasks.db_dir = File.join(__dir__, "db")
DatabaseTasks.migrations_paths = [File.join(__dir__, "db/migrate")]
ActiveRecord::Base.configurations = { "development" => { "url" => ENV.fetch("DATABASE_URL") } }
DatabaseTasks.database_configuration = ActiveRecord::Base.configurations
task(:environment) { ActiveRecord::Base.establish_connection(:development) }
load "active_record/railties/databases.rake"
""",
    "db/migrate/20240101000000_create_users.rb": """\
class CreateUsers < ActiveRecord::Migration[6.1]
  def change
    create_table(:users) { |t| t.string :name }
  end
end
""",
    "db/migrate/20240102000000_add_email.rb": """\
class AddEmail < ActiveRecord::Migration[6.1]
  def change
    add_column :users, :email, :string
    add_index :users, :email, unique: true
  end
end
""",
    "db/migrate/20240103000000_default_name.rb": """\
class DefaultName < ActiveRecord::Migration[6.1]
  def up
    change_column_default :users, :name, from: nil, to: "none"
  end

  def down
    odd = "it's \\\\ $1"
    execute ActiveRecord::Base.sanitize_sql(["UPDATE users SET name = ? WHERE id < 0", odd])
    change_column_default :users, :name, from: "none", to: nil
  end
end
""",
}

KNEX = {
    "knexfile.js": 'module.exports = { client: "pg", connection: process.env.DATABASE_URL };\n',
    "migrations/20240101000000_users.js": """\
exports.up = (knex) => knex.schema.createTable("users", (t) => {
  t.increments();
  t.string("name");
});
exports.down = (knex) => knex.schema.dropTable("users");
""",
    "migrations/20240102000000_email.js": """\
exports.up = (knex) => knex.schema.alterTable("users", (t) => {
  t.string("email");
  t.index("email");
});
exports.down = async (knex) => {
  await knex("users").where({ name: "it's \\\\ $1" }).update({ name: "x" });
  await knex.schema.alterTable("users", (t) => {
    t.dropIndex("email");
    t.dropColumn("email");
  });
};
""",
    "migrations/20240103000000_index.js": """\
exports.up = (knex) => knex.raw("CREATE INDEX CONCURRENTLY users_name ON users (name)");
exports.down = (knex) => knex.raw("DROP INDEX users_name");
exports.config = { transaction: false };
""",
}

SEQUELIZE = {
    "config/config.json": '{"development": {"use_env_variable": "DATABASE_URL"}}\n',
    "migrations/20240101000000-users.js": """\
module.exports = {
  up: (q, S) => q.createTable("users", {
    id: { type: S.INTEGER, primaryKey: true, autoIncrement: true },
    name: S.STRING,
  }),
  down: (q) => q.dropTable("users"),
};
""",
    "migrations/20240102000000-email.js": """\
module.exports = {
  up: async (q, S) => {
    await q.addColumn("users", "email", S.STRING);
    await q.addIndex("users", ["email"]);
  },
  down: async (q) => {
    await q.bulkUpdate("users", { name: "it's \\\\ $1" }, { name: null });
    await q.removeIndex("users", ["email"]);
    await q.removeColumn("users", "email");
  },
};
""",
    "migrations/20240103000000-status.js": """\
module.exports = {
  up: (q, S) => q.addColumn("users", "status", { type: S.ENUM("a", "b"), defaultValue: "a" }),
  down: async (q) => {
    await q.removeColumn("users", "status");
    await q.sequelize.query("DROP TYPE enum_users_status");
  },
};
""",
}

TYPEORM = {
    "data-source.js": """\
const { DataSource } = require("typeorm");
module.exports = {
  source: new DataSource({
    type: "postgres",
    url: process.env.DATABASE_URL,
    migrations: ["migrations/*.js"],
  }),
};
""",
    "migrations/1700000000000-Users.js": """\
module.exports = class Users1700000000000 {
  async up(r) { await r.query("CREATE TABLE users (id serial PRIMARY KEY, name text)"); }
  async down(r) { await r.query("DROP TABLE users"); }
};
""",
    "migrations/1700000001000-Email.js": """\
module.exports = class Email1700000001000 {
  async up(r) {
    await r.query("ALTER TABLE users ADD COLUMN email text");
    await r.query("CREATE INDEX users_email ON users (email)");
  }
  async down(r) {
    await r.query("UPDATE users SET name = $1 WHERE name = $2", ["it's \\\\ $1", "x"]);
    await r.query("DROP INDEX users_email");
    await r.query("ALTER TABLE users DROP COLUMN email");
  }
};
""",
    "migrations/1700000002000-Third.js": """\
module.exports = class Third1700000002000 {
  async up(r) { await r.query("ALTER TABLE users ALTER COLUMN name SET NOT NULL"); }
  async down(r) { await r.query("ALTER TABLE users ALTER COLUMN name DROP NOT NULL"); }
};
""",
}


def written(project: Path, files: Mapping[str, str]) -> Path:
    """Write a project's files; those of Node find the installed packages."""
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if any(name.endswith(".js") for name in files):
        (project / "node_modules").symlink_to(installed.npm("knex").parent.parent)
    return project


@dataclass
class Program:
    """One of these programs, bound to a database and a project."""

    database: Database
    project: Path
    command: tuple[str, ...]
    """The program and what all calls have in common."""
    ups: tuple[str, ...]
    downs: tuple[str, ...]
    statuses: tuple[str, ...]

    def run(self, *arguments: str) -> str:
        """Run it on its own database, and return what it printed.

        The way there is a gateway of ours: not all of them find a Unix socket.
        """
        with Gateway(self.database.dsn, read_only=False) as gateway:
            done = subprocess.run(
                (*self.command, *arguments),
                cwd=self.project,
                env=installed.bare_environment(
                    **gateway.address.environment(),
                    SCHEMA=str(self.project.parent / "schema.rb"),
                ),
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> None:
        """Apply all that is pending."""
        self.run(*self.ups)

    def down(self) -> None:
        """Take the newest migration back."""
        self.run(*self.downs)

    def status(self) -> list[str]:
        """Return its own words, without the database's name and TypeORM's numbers, which go on."""
        text = self.run(*self.statuses).replace(self.database.name, "")
        lines = [line for line in text.splitlines() if not line.startswith("query:")]
        return [re.sub(r"^\[X\] [0-9]+", "[X]", line) for line in lines]


def rails(database: Database, project: Path) -> Program:
    """Rails' own tasks, run by rake without the rest of Rails."""
    return Program(
        database,
        project,
        (str(installed.debian("rake")),),
        ("db:migrate",),
        ("db:rollback",),
        ("db:migrate:status",),
    )


def knex(database: Database, project: Path) -> Program:
    """Knex."""
    calls = (("migrate:latest",), ("migrate:down",), ("migrate:list",))
    return Program(database, project, (str(installed.npm("knex")),), *calls)


def sequelize(database: Database, project: Path) -> Program:
    """sequelize-cli."""
    calls = (("db:migrate",), ("db:migrate:undo",), ("db:migrate:status",))
    return Program(database, project, (str(installed.npm("sequelize-cli")),), *calls)


def typeorm(database: Database, project: Path) -> Program:
    """TypeORM."""
    source = ("-d", "data-source.js")
    calls = (
        ("migration:run", *source),
        ("migration:revert", *source),
        ("migration:show", *source),
    )
    return Program(database, project, (str(installed.npm("typeorm")),), *calls)


PROGRAMS: dict[str, tuple[Callable[[Database, Path], Program], Mapping[str, str], str]] = {
    "rails": (rails, RAILS, "schema_migrations"),
    "knex": (knex, KNEX, "knex_migrations"),
    "sequelize": (sequelize, SEQUELIZE, "SequelizeMeta"),
    "typeorm": (typeorm, TYPEORM, "migrations"),
}
"""By framework: the program, its project, its version table."""
