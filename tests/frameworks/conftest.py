"""The real dbmate, installed from npm once for all test processes, and run as a user runs it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from rollback_tui.embedded.server import EmbeddedServer
from tests.conftest import Database, create_database, drop_database

DBMATE = "dbmate@2"
INSTALL_SECONDS = 120
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
            env=_environment(),
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


@pytest.fixture(scope="session")
def dbmate_program() -> Path:
    """Path of the real dbmate; skips when npm is missing or cannot install it."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("dbmate: npm and node are needed to install it, and are not here")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rollback_tui-tests"
    home = cache / DBMATE
    home.mkdir(parents=True, exist_ok=True)
    program = home / "node_modules" / ".bin" / "dbmate"
    # One process installs, the other xdist workers wait for it.
    with (cache / f"{DBMATE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _runs(program):
            try:
                subprocess.run(
                    ["npm", "install", "--prefix", str(home), "--no-audit", "--no-fund", DBMATE],
                    capture_output=True,
                    text=True,
                    timeout=INSTALL_SECONDS,
                    check=True,
                )
            except subprocess.CalledProcessError as error:
                pytest.skip(f"dbmate: npm cannot install it: {error.stderr.strip()[-300:]}")
            except subprocess.TimeoutExpired:
                pytest.skip(f"dbmate: npm did not install it in {INSTALL_SECONDS} s")
            assert _runs(program), "npm installed dbmate, but it does not run"
    return program


@pytest.fixture
def other_database(server: EmbeddedServer) -> Iterator[Database]:
    """A second fresh, empty database on the same server."""
    created = create_database(server)
    yield created
    drop_database(created)


def _runs(program: Path) -> bool:
    try:
        done = subprocess.run(
            [str(program), "--version"],
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0 and "dbmate version 2." in done.stdout


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
