"""After our rollback the real Django agrees, and what it cannot write is never passed over."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from rollback_tui.config import Settings
from rollback_tui.core.model import Plan
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.protocol import VersionTable
from rollback_tui.survey.planning import make_plan
from rollback_tui.survey.scripts import up_scripts
from tests.conftest import Database, create_database, drop_database
from tests.frameworks.agreement import agree, schema
from tests.frameworks.installed import bare_environment, python

SCHEMA = "shop data"

SETTINGS = f"""
import os, sys
from pathlib import Path
sys.path.append(str(Path(__file__).parents[3] / "elsewhere"))
SECRET_KEY = "x"
INSTALLED_APPS = ["apps.products", "blog", "package"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = True
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("SHOP_NAME", "nowhere"),
        "USER": os.environ.get("SHOP_USER", "nobody"),
        "HOST": os.environ.get("SHOP_HOST", "/nowhere"),
        "PORT": os.environ.get("SHOP_PORT", "1"),
        "OPTIONS": {{"options": r'-c search_path="{SCHEMA.replace(" ", chr(92) + " ")}"'}},
    }},
    "replica": {{"ENGINE": "django.db.backends.mysql", "NAME": "replica"}},
}}
"""

MANAGE = """
import os, sys
from django.core.management import execute_from_command_line
print("noise on standard output")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")
execute_from_command_line(sys.argv)
"""

MODELS = """
from django.db import models
class Product(models.Model):
    name = models.TextField()
"""


def migration(dependencies: str, operations: str, more: str = "") -> str:
    return f"""
from django.db import migrations, models
from django.contrib.postgres.operations import AddIndexConcurrently
def fill(apps, schema_editor):
    schema_editor.execute("DELETE FROM everything")
def count(apps, schema_editor):
    schema_editor.execute("SELECT 1")
class Migration(migrations.Migration):
    {more or "pass"}
    dependencies = [{dependencies}]
    operations = [{operations}]
"""


FILES = {
    "project/backend/manage.py": MANAGE,
    "project/backend/site_/__init__.py": "",
    "project/backend/site_/settings.py": SETTINGS,
    "project/backend/apps/__init__.py": "",
    "project/backend/apps/products/__init__.py": "",
    "project/backend/apps/products/apps.py": (
        "from django.apps import AppConfig\n"
        "class Config(AppConfig):\n    name = 'apps.products'\n    label = 'catalog'\n"
    ),
    "project/backend/apps/products/migrations/__init__.py": "",
    "project/backend/apps/products/migrations/0001_initial.py": migration(
        "",
        "migrations.CreateModel('Product', [('id', models.AutoField(primary_key=True)),"
        " ('sku', models.CharField(max_length=20))])",
    ),
    "project/backend/blog/__init__.py": "",
    "project/backend/blog/migrations/__init__.py": "",
    # Its key is altered with the one of the product, by `migrate`; `sqlmigrate` would not see it.
    "project/backend/blog/migrations/0001_initial.py": migration(
        "('catalog', '0001_initial')",
        "migrations.CreateModel('Post', [('id', models.AutoField(primary_key=True)),"
        " ('about', models.ForeignKey('catalog.Product', models.CASCADE))])",
    ),
    "project/backend/apps/products/migrations/0002_unique.py": migration(
        "('catalog', '0001_initial')",
        "migrations.AlterField('product', 'sku', models.CharField(max_length=20, unique=True))",
    ),
    "project/backend/apps/products/migrations/0003_big.py": migration(
        "('catalog', '0002_unique')",
        "migrations.AlterField('product', 'id', models.BigAutoField(primary_key=True)),"
        "migrations.AlterModelOptions('product', {'verbose_name': 'thing'}),"
        "migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop)",
    ),
    "project/backend/blog/migrations/0002_state.py": migration(
        "('blog', '0001_initial')",
        "migrations.AlterModelOptions('post', {'verbose_name': 'entry'})",
    ),
    "project/backend/blog/migrations/0003_sql.py": migration(
        "('blog', '0002_state')",
        "migrations.AddField('post', 'note', models.TextField(default='it\\'s 5% -- off')),"
        "migrations.RunSQL('CREATE VIEW notes AS SELECT note FROM blog_post',"
        " 'DROP VIEW notes -- and no more')",
    ),
    "elsewhere/package/__init__.py": "",
    "elsewhere/package/migrations/__init__.py": "",
    "elsewhere/package/migrations/0001_initial.py": migration(
        "('catalog', '0001_initial')",
        "migrations.CreateModel('Thing', [('id', models.AutoField(primary_key=True))])",
    ),
}

UNWRITABLE = {
    "0004_concurrently": migration(
        "('blog', '0003_sql')",
        "AddIndexConcurrently('post', models.Index(fields=['note'], name='by_note'))",
        "atomic = False",
    ),
    "0005_irreversible": migration(
        "('blog', '0004_concurrently')", "migrations.RunSQL('SELECT 1')"
    ),
    "0006_python": migration(
        "('blog', '0005_irreversible')",
        "migrations.RunPython(migrations.RunPython.noop, fill)",
    ),
    "0007_hidden": migration(
        "('blog', '0006_python')",
        "migrations.SeparateDatabaseAndState(database_operations=["
        "migrations.RunPython(migrations.RunPython.noop, fill)])",
    ),
    "0008_no_way_back": migration(
        "('blog', '0007_hidden')", "migrations.RunPython(migrations.RunPython.noop)"
    ),
    "0009_one_way": migration(
        "('blog', '0008_no_way_back')",
        "migrations.RunPython(count, migrations.RunPython.noop),"
        "migrations.RunSQL('SELECT 2', migrations.RunSQL.noop)",
    ),
}


@dataclass
class Manage:
    """``manage.py`` for one database."""

    database: Database
    project: Path
    back: bool = False

    def run(self, *arguments: str) -> str:
        server = self.database.server
        done = subprocess.run(
            [str(self.project / ".venv/bin/python3"), "manage.py", *arguments],
            cwd=self.project / "backend",
            env=bare_environment(
                SHOP_NAME=self.database.name,
                SHOP_USER=self.database.owner,
                SHOP_HOST=server.host,
                SHOP_PORT=str(server.port),
            ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> object:
        return self.run("migrate")

    def down(self) -> object:
        """Django has no steps: one call an app takes back what ours does in four."""
        if not self.back:
            self.run("migrate", "catalog", "0001")
            self.run("migrate", "blog", "0001")
            self.back = True
        return None

    def status(self) -> object:
        return self.run("showmigrations")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    (tmp_path / "project" / ".venv").symlink_to(python("django-admin").parents[1])
    return tmp_path / "project"


@pytest.fixture
def other_database(database: Database) -> Iterator[Database]:
    created = create_database(database.server)
    yield created
    drop_database(created)


def write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def plan_of(database: Database, project: Path, version: str) -> Plan:
    """As by a session that looks names up where the project's settings do."""
    options = '-csearch_path="' + SCHEMA.replace(" ", "\\ ") + '"'
    with psycopg.connect(database.dsn, options=options) as connection:
        return make_plan(connection, Settings(), project, version=version, count_losses=False)


def test_the_real_django_agrees(
    database: Database, other_database: Database, project: Path
) -> None:
    for each in (database, other_database):
        each.connect().execute(f'CREATE SCHEMA "{SCHEMA}"')
    ours, theirs = Manage(database, project), Manage(other_database, project)
    plan = agree(ours, theirs, [f"{SCHEMA}.django_migrations"], steps=4, ignoring=("applied",))
    assert [m.version for m in plan.migrations] == [
        "catalog.0003_big",
        "catalog.0002_unique",
        "blog.0003_sql",
        "blog.0002_state",
    ]
    big, _, sql, state = (m.script for m in plan.migrations)
    assert big and sql and state
    # What `sqlmigrate` leaves out: the key of the other app that refers to it.
    assert any('"blog_post" ALTER COLUMN "about_id" TYPE integer' in s.sql for s in big.statements)
    assert [s.sql for s in sql.statements][1:] == [
        "DROP VIEW notes",
        'ALTER TABLE "blog_post" DROP COLUMN "note" CASCADE',
    ]
    assert state.nothing_to_undo and not state.statements
    assert not list(project.rglob("*rollback_tui*"))

    # What Django would apply again, we write as well: theirs is still without it.
    connection = other_database.connect()
    found = up_scripts(
        connection,
        Settings(),
        project,
        "django",
        VersionTable(schema=SCHEMA, name="django_migrations"),
        project,
        tuple(reversed(plan.applied[:4])),
        plan.applied[4:],
    )
    for up in found:
        assert isinstance(up.script, Source), up
        connection.execute(up.script.data)
        for change in up.version_change:
            connection.execute(change.encode())
    assert schema(other_database) == schema(database)
    assert theirs.status() == ours.status()

    write(project / "backend/blog/migrations", {f"{k}.py": v for k, v in UNWRITABLE.items()})
    ours.up()
    plan = plan_of(database, project, "package.0001_initial")
    why = {m.version.partition(".")[2]: m.why_no_script for m in plan.migrations}
    assert "RunPython without reverse_code" in why["0008_no_way_back"]
    assert "RunPython runs fill" in why["0007_hidden"]
    assert "RunPython runs fill" in why["0006_python"]
    assert "is not reversible" in why["0005_irreversible"]
    last = plan.migrations[-1]
    assert last.version == "catalog.0001_initial"
    assert "package.0001_initial stays applied and depends on" in last.why_no_script
    one_way = plan.migrations[0].script
    assert one_way is not None and not one_way.statements
    assert one_way.nothing_to_undo == (
        "what RunPython(count), RunSQL did stays: its way back is noop"
    )
    concurrently = next(m.script for m in plan.migrations if m.name == "0004_concurrently")
    assert concurrently is not None and not concurrently.transactional
    assert [s.sql for s in concurrently.statements] == [
        'DROP INDEX CONCURRENTLY IF EXISTS "by_note"'
    ]
