"""A small shop with awkward names, a project with an env file and a commit, and a checkpoint."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rollback_tui.checkpoint.make import make
from rollback_tui.config import CheckpointSettings
from rollback_tui.core.model import Checkpoint, Target
from rollback_tui.postgres.connect import connect
from rollback_tui.postgres.connect import target as ask_target
from tests.conftest import Database, create_database, drop_database

HOSTILE = ("[/red]", 'say "hi"', "two\nlines", "größe 表", "it's", "a\\b", "-rf", "$(id)", "\u202e")

ROWS = {"users": 5000, "orders": 12000, "order_parts_1": 300, "order_parts_2": 700, "empty": 0}


def fill(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Create the shop: every kind of thing whose rows a dump has, and some that it has not."""
    execute: Callable[..., Any] = connection.execute
    execute("CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL)")
    execute("INSERT INTO users SELECT g, md5(g::text) FROM generate_series(1, 5000) g")
    execute("CREATE TABLE orders (id int, user_id int REFERENCES users, note text)")
    execute(
        "INSERT INTO orders SELECT g, 1 + g % 5000, repeat(md5(g::text), 3)"
        " FROM generate_series(1, 12000) g"
    )
    execute("CREATE TABLE order_parts (n int) PARTITION BY RANGE (n)")
    execute("CREATE TABLE order_parts_1 PARTITION OF order_parts FOR VALUES FROM (0) TO (300)")
    execute("CREATE TABLE order_parts_2 PARTITION OF order_parts FOR VALUES FROM (300) TO (1000)")
    execute("INSERT INTO order_parts SELECT generate_series(0, 999)")
    execute("CREATE UNLOGGED TABLE empty (id int)")
    execute("CREATE MATERIALIZED VIEW stale AS SELECT * FROM users WITH NO DATA")
    for number, name in enumerate(HOSTILE):
        quoted = psycopg.sql.Identifier(name)
        execute(psycopg.sql.SQL("CREATE TABLE {} (id int)").format(quoted))
        execute(
            psycopg.sql.SQL("INSERT INTO {} SELECT generate_series(1, {})").format(quoted, number)
        )


@pytest.fixture
def shop(database: Database) -> Database:
    """A database with the shop in it."""
    fill(database.connect())
    return database


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project: a git repository with one commit, and an env file."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".env").write_text("API_KEY=only in the env file\n")
    (folder / ".gitignore").write_text(".env\n")
    git = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    return folder


def target_of(dsn: str) -> Target:
    """Ask which database a connection string leads to."""
    with connect(dsn) as connection:
        return ask_target(connection)


def make_checkpoint(dsn: str, project: Path, **changes: Any) -> Checkpoint:
    """Make a checkpoint with two jobs, in the project's own directory."""
    settings = changes.pop("settings", CheckpointSettings())
    return make(dsn, settings, target=target_of(dsn), plan=None, project=project, **changes)


@dataclass
class Made:
    """A checkpoint of the shop that no test changes."""

    database: Database
    checkpoint: Checkpoint

    @property
    def path(self) -> Path:
        """Its directory."""
        return Path(self.checkpoint.path)


@pytest.fixture(scope="session")
def made(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """One checkpoint for all tests that only read it."""
    created = create_database(server)
    fill(created.connect())
    project = tmp_path_factory.mktemp("made")
    yield Made(created, make_checkpoint(created.dsn, project))
    drop_database(created)


def left_in(project: Path) -> list[str]:
    """Names in the directory of checkpoints: after a failure there must be none."""
    directory = project / "rollback_checkpoints"
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []
