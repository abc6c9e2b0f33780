"""graphile-migrate has no way back: what is said of it, and a script given by hand, after which its
own command line must agree."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from rollback_tui.config import Migrations, Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.graphile_migrate import GraphileMigrate
from rollback_tui.frameworks.protocol import Missing, TableShape, VersionTable
from rollback_tui.survey.planning import make_plan
from tests.cli.conftest import Project, events
from tests.cli.conftest import project as project
from tests.conftest import Database
from tests.frameworks import installed
from tests.frameworks.agreement import rows, schema

FRAMEWORK = GraphileMigrate()
TABLE = VersionTable(schema="graphile_migrate", name="migrations")
BODIES = {
    "000001.sql": "CREATE TABLE users (id int PRIMARY KEY);\n",
    "000002-add-email.sql": "ALTER TABLE users ADD email text;\n",
    "000003.sql": "--! no-transaction\nCREATE INDEX CONCURRENTLY users_email ON users (email);\n",
}


def committed(directory: Path, bodies: dict[str, str]) -> Path:
    """Write migrations as ``graphile-migrate commit`` does, each with the hash of the one before;
    returns the directory."""
    here = directory / "migrations" / "committed"
    here.mkdir(parents=True)
    previous = ""
    for name, body in bodies.items():
        text = f"{previous}\n{body.strip()}".strip() + "\n"
        made = "sha1:" + hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        slug = name.removesuffix(".sql").partition("-")[2]
        message = f"--! Message: {slug}\n" if slug else ""
        head = f"--! Previous: {previous or '-'}\n--! Hash: {made}\n{message}\n"
        (here / name).write_text(head + body)
        previous = made
    (directory / "migrations" / "current.sql").write_text("-- Enter migration here\n")
    return here


def program(database: Database, project: Path, *arguments: str) -> str:
    """Call the real one, with the address of ``database``; returns what it said."""
    socket = quote(database.server.host, safe="")
    port = database.server.port
    url, root, shadow = (
        f"postgres://{database.owner}@/{name}?host={socket}&port={port}"
        for name in (database.name, "postgres", f"{database.name}_shadow")
    )
    (project / ".gmrc").write_text("{}")
    done = subprocess.run(
        [installed.npm("graphile-migrate"), *arguments],
        cwd=project,
        env=installed.bare_environment(
            DATABASE_URL=url, ROOT_DATABASE_URL=root, SHADOW_DATABASE_URL=shadow
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_own_program_agrees_after_a_script_given_by_hand(project: Project) -> None:
    database = project.database
    committed(project.directory, BODIES)
    program(database, project.directory, "migrate")
    everything, entered = schema(database), rows(database, "graphile_migrate.migrations")
    assert len(entered) == 3

    plan = project.here("plan").stdout
    assert "graphile-migrate: 000003.sql → 000002.sql" in plan
    assert "NO DOWN MIGRATION: graphile-migrate has no down migrations" in plan
    for way in ("checkpoint restore NAME", "graphile-migrate commit", "--script FILE"):
        assert way in plan
    check = project.here("check")
    assert check.returncode == 1
    assert "--script FILE" in check.stdout and "fix forward" in check.stdout

    (project.directory / "back.sql").write_text("DROP INDEX users_email;\n")
    done = project.here(*project.run_arguments, "--script", "back.sql")

    assert done.returncode == 0, done.stdout[-600:] + done.stderr
    assert events(done.stdout)[-1]["outcome"] == "rolled_back"
    left = rows(database, "graphile_migrate.migrations")
    assert left == [row for row in entered if row["filename"] != "000003.sql"]
    assert schema(database) != everything

    assert "000003.sql" in program(database, project.directory, "migrate")
    ignoring = ["date"]
    again = rows(database, "graphile_migrate.migrations", ignoring=ignoring)
    assert again == [{k: v for k, v in row.items() if k not in ignoring} for row in entered]
    database.connect().execute("DROP SCHEMA rollback_tui CASCADE")
    assert schema(database) == everything


def test_the_way_up_is_read_below_the_header(tmp_path: Path) -> None:
    here = committed(tmp_path, BODIES | {"000004.sql": "GRANT SELECT ON users TO :DATABASE_OWNER"})
    files = FRAMEWORK.files(tmp_path / "migrations")
    assert files == FRAMEWORK.files(here)
    assert [(f.version, f.name) for f in files] == [
        ("000001.sql", ""),
        ("000002.sql", "add-email"),
        ("000003.sql", ""),
        ("000004.sql", ""),
    ]
    applied = FRAMEWORK.history([(f.version, None) for f in reversed(files)], files).applied
    fourth, third, second, _ = applied
    up = FRAMEWORK.up(second, here)
    assert isinstance(up, Source) and up.transactional
    assert up.data[up.start : up.end].strip() == BODIES["000002-add-email.sql"].strip().encode()
    up = FRAMEWORK.up(third, here)
    assert isinstance(up, Source) and not up.transactional
    held = FRAMEWORK.up(fourth, here)
    assert isinstance(held, Missing) and ":DATABASE_OWNER" in held.why
    gone = FRAMEWORK.up(AppliedMigration(version="000009.sql", name=""), here)
    assert isinstance(gone, Missing)
    (change,) = FRAMEWORK.applied_change(TABLE, second)
    assert "'000002.sql'" in change and change.count("'sha1:") == 2
    with pytest.raises(FrameworkError):
        FRAMEWORK.applied_change(TABLE, AppliedMigration(version="000009.sql", name=""))


def test_an_empty_database_and_a_version_without_a_file(tmp_path: Path, database: Database) -> None:
    committed(tmp_path, {"000001.sql": "SELECT 1;"})
    with database.connect() as connection:
        connection.execute(
            "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.migrations (hash text PRIMARY KEY,"
            " previous_hash text REFERENCES elsewhere.migrations, filename text NOT NULL,"
            " date timestamptz NOT NULL DEFAULT now())"
        )
        with pytest.raises(FrameworkError, match="no migration is applied"):
            make_plan(connection, Settings(), tmp_path)
        connection.execute("INSERT INTO elsewhere.migrations VALUES ('a', NULL, '000002.sql')")
        plan = make_plan(connection, Settings(), tmp_path)
        (tmp_path / "back.sql").write_text("SELECT 1;")
        given = Settings(migrations=Migrations(script="back.sql"))
        by_hand = make_plan(connection, given, tmp_path)
    assert plan.framework == "graphile-migrate" and plan.goal is None
    assert plan.applied[0].path is None and plan.applied[0].applied_at is not None
    assert by_hand.migrations[0].version_change == (
        "DELETE FROM elsewhere.migrations WHERE filename = '000002.sql'",
    )


def test_other_tables_are_not_its_own() -> None:
    text = ("hash", "text"), ("previous_hash", "text"), ("filename", "text")
    shape = TableShape(
        schema="public",
        name="migrations",
        columns=(*text, ("date", "timestamp with time zone")),
        primary_key=("hash",),
    )
    assert FRAMEWORK.recognises(shape)
    for columns, key in ((text, ("hash",)), (shape.columns, ("filename",))):
        other = TableShape(schema="public", name="migrations", columns=columns, primary_key=key)
        assert not FRAMEWORK.recognises(other)
