"""The real dbmate, run as a user runs it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from rollback_tui.embedded.server import EmbeddedServer
from tests.conftest import Database, create_database, drop_database
from tests.frameworks import installed

RUN_SECONDS = 30


@dataclass(frozen=True)
class Dbmate:
    """dbmate's command line for one database and one migrations directory."""

    url: str
    directory: Path
    program: Path

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run ``dbmate ARGUMENTS`` and return what it printed, errors included.

        Without its DATABASE_URL and DBMATE_* variables, and without writing ``db/schema.sql``,
        for which it would need a pg_dump.
        """
        done = subprocess.run(
            [
                *(str(self.program), "--url", self.url, "--no-dump-schema"),
                *("--migrations-dir", str(self.directory), *arguments),
            ],
            env=installed.bare_environment(),
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        output = done.stdout + done.stderr
        if check and done.returncode:
            raise AssertionError(f"dbmate {' '.join(arguments)}: {done.returncode}\n{output}")
        return output

    def accepts(self, *arguments: str) -> bool:
        """Whether ``dbmate ARGUMENTS`` ends with exit code 0."""
        try:
            self.run(*arguments)
        except AssertionError:
            return False
        return True

    def pending(self) -> list[str]:
        """Return the file names that ``dbmate status`` shows as not applied."""
        lines = self.run("status").splitlines()
        return [line.removeprefix("[ ] ") for line in lines if line.startswith("[ ] ")]


def dbmate_url(database: Database) -> str:
    """Return the URL, in dbmate's form, of ``database`` through its Unix socket."""
    socket = quote(database.server.host, safe="")
    port = database.server.port
    return f"postgres://{database.owner}@/{database.name}?host={socket}&port={port}&sslmode=disable"


@pytest.fixture
def dbmate_program() -> Path:
    """Path of the real dbmate; skips when npm is missing or cannot install it."""
    return installed.npm("dbmate")


@pytest.fixture
def other_database(server: EmbeddedServer) -> Iterator[Database]:
    """A second fresh, empty database on the same server."""
    created = create_database(server)
    yield created
    drop_database(created)
