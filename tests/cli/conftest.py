"""A project in a directory of its own, on a fresh database, and the real command line."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from rollback_tui.cli import commands, main
from tests.conftest import Database
from tests.demo.processes import end_all_in
from tests.frameworks.conftest import dbmate_program as dbmate_program
from tests.started import remembered

RUN_SECONDS = 90

UP_1 = """
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL);
INSERT INTO users SELECT i, 'u' || i || '@example.org' FROM generate_series(1, 200) i;
"""
DOWN_1 = "DROP TABLE users;\n"
UP_2 = """
ALTER TABLE users ADD COLUMN verified_at timestamptz;
UPDATE users SET verified_at = now() WHERE id <= 42;
CREATE TABLE tokens (id int PRIMARY KEY, user_id int REFERENCES users);
INSERT INTO tokens SELECT i, i FROM generate_series(1, 17) i;
"""
DOWN_2 = """
DROP TABLE tokens;
ALTER TABLE users DROP COLUMN verified_at;
"""


@dataclass
class Project:
    """A directory with migrations and a configuration, and the command line in it."""

    directory: Path
    database: Database

    def command(
        self, *arguments: str, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``rollback-tui ARGUMENTS`` here."""
        return subprocess.run(
            [sys.executable, "-m", "rollback_tui", *arguments],
            cwd=self.directory,
            env=_environment() | (env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )

    def here(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same, by the same entry point, but in this process: three times as quick. Where the
        process itself is what is tested, its environment or its end, it is :meth:`command`."""
        line = [sys.executable, "-m", "rollback_tui", *arguments]
        before = Path.cwd(), os.environ.copy(), sys.argv
        output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
        os.chdir(self.directory)
        _become(_environment())
        sys.argv = ["rollback-tui", *arguments]
        code = 0
        try:
            with (
                Path(os.devnull).open() as nothing,
                pytest.MonkeyPatch.context() as patch,
                contextlib.redirect_stdout(output),
                contextlib.redirect_stderr(errors),
            ):
                patch.setattr(sys, "stdin", nothing)
                main()
        except SystemExit as end:
            assert end.code is None or isinstance(end.code, int), end.code
            code = end.code or 0
        finally:
            os.chdir(before[0])
            _become(before[1])
            sys.argv = before[2]
        said = (_text(stream) for stream in (output, errors))
        return subprocess.CompletedProcess(line, code, *said)

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start ``rollback-tui ARGUMENTS`` here and do not wait for it."""
        return remembered(
            subprocess.Popen(
                [sys.executable, "-m", "rollback_tui", *arguments],
                cwd=self.directory,
                env=_environment() | (env or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                # A job in the background has Ctrl+C ignored, and so would all it starts.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
        )

    @property
    def run_arguments(self) -> tuple[str, ...]:
        """The run, without a screen and without questions."""
        return ("run", "--confirm", self.database.name, "--reason", "a test", "--yes", "--json")

    def configure(self, text: str = "") -> None:
        """Write ``rollback.toml``: the connection, and ``text``. Nobody waits for ten seconds to
        see whether the application's queries fail, unless ``text`` says so."""
        dsn = json.dumps(self.database.dsn)
        if "[health]" not in text:
            text += "\n[health]\nwatch_seconds = 0.3"
        (self.directory / "rollback.toml").write_text(f"{text}\n[connection]\ndsn = {dsn}\n")

    def migration(self, version: str, name: str, up: str, down: str) -> Path:
        """Write a dbmate migration and apply it as dbmate would."""
        path = self.directory / "db" / "migrations" / f"{version}_{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"-- migrate:up\n{up}\n-- migrate:down\n{down}\n")
        with psycopg.connect(self.database.dsn) as connection:
            connection.execute(up.encode())
            connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_migrations (version varchar PRIMARY KEY)"
            )
            connection.execute("INSERT INTO schema_migrations VALUES (%s)", [version])
        return path

    def two_migrations(self, down: str = DOWN_2) -> None:
        """The usual project: users, then a column and a table that the newest adds."""
        self.migration("20240101000000", "users", UP_1, DOWN_1)
        self.migration("20240202000000", "verification", UP_2, down)
        self.configure()

    def query(self, text: str) -> list[tuple[object, ...]]:
        """Ask the database as its owner."""
        with psycopg.connect(self.database.dsn) as connection:
            return connection.execute(text.encode()).fetchall()

    def versions(self) -> list[object]:
        """The applied versions, as dbmate's table has them."""
        return [row[0] for row in self.query("SELECT version FROM schema_migrations ORDER BY 1")]

    def connection_limit(self) -> object:
        """``datconnlimit`` of the database: -1 when the door is open."""
        with psycopg.connect(self.database.server.dsn()) as connection:
            row = connection.execute(
                "SELECT datconnlimit FROM pg_database WHERE datname = %s", [self.database.name]
            ).fetchone()
        assert row is not None
        return row[0]

    def run_folder(self) -> Path:
        """The folder of the newest run."""
        return max((self.directory / "rollback_runs").glob("*/"))


def here(project: Project, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """Run a command that starts no other process in this one, which is quicker."""
    monkeypatch.chdir(project.directory)
    return CliRunner().invoke(commands, arguments)


def events(output: str) -> list[dict[str, Any]]:
    """The lines of ``run --json``."""
    return [json.loads(line) for line in output.splitlines()]


def only(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The events of one kind."""
    return [event for event in found if event["kind"] == kind]


def _environment() -> dict[str, str]:
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("PG") and key != "DATABASE_URL"
    }


def _become(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    binary = stream.buffer
    assert isinstance(binary, io.BytesIO)
    return binary.getvalue().decode()


@pytest.fixture
def project(tmp_path: Path, database: Database) -> Iterator[Project]:
    """An empty project on a fresh database."""
    made = Project(tmp_path, database)
    made.configure()
    yield made
    # What a failed test left running would keep the database from being dropped.
    end_all_in(tmp_path)
