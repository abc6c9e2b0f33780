"""The real programs of the frameworks, installed once for all test processes.

``python -m tests.frameworks.installed`` installs them beforehand, while something else goes on.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

NPM = (
    "db-migrate@0.11.14",
    "db-migrate-pg@1.5.2",
    "dbmate@2",
    "graphile-migrate@1.4.1",
    "knex@3.3.0",
    "liquibase@4.28.0",
    "node-pg-migrate@9.0.0",
    "pg@8",
    "postgrator@8.0.0",
    "postgrator-cli@9.1.1",
    "sequelize@6",
    "sequelize-cli@6.6.5",
    "typeorm@0.3",
)
"""All that comes from npm, in one directory: one installation instead of ten."""

PYTHON = (
    "alembic==1.20.1",
    "django==5.2.19",
    "psycopg[binary]>=3.2",
    "psycopg2-binary>=2.9",
    "sqlalchemy>=2,<3",
    "yoyo-migrations==9.0.0",
)
"""All that comes from PyPI, in one environment of its own."""

INSTALL_SECONDS = 170

asked_for: list[str] = []
"""Programs that the test which runs now has asked for; see :mod:`tests.frameworks.tested`."""


def npm(name: str) -> Path:
    """Return the path of a program that npm installed; skips where it cannot be installed."""
    asked_for.append(name)
    home = home_of("npm", NPM)
    once(home, _install_npm)
    program = home / "node_modules" / ".bin" / name
    assert program.exists(), f"npm installed no {name}"
    return program


def python(name: str) -> Path:
    """Return the path of a program in the environment with PYTHON; skips like :func:`npm`."""
    asked_for.append(name)
    home = home_of("python", PYTHON)
    once(home, _install_python)
    program = home / "bin" / name
    assert program.exists(), f"pip installed no {name}"
    return program


def debian(name: str) -> Path:
    """Return the path of a program that ``.ci/run`` installs from Debian; skips without it."""
    asked_for.append(name)
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return Path(found)


def bare_environment(**more: str) -> dict[str, str]:
    """Return an environment without anything that names a database."""
    passed = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**passed, "LANG": "C.UTF-8", **more}


def home_of(kind: str, packages: tuple[str, ...]) -> Path:
    """Return the directory that ``packages`` are installed into, outside any checkout."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256("\n".join((sys.version, *packages)).encode()).hexdigest()[:12]
    return caches / "rollback_tui-tests" / f"{kind}-{digest}"


@cache
def once(home: Path, install: Callable[[Path], None]) -> None:
    """Install into ``home`` unless it is there; one process does, the others wait for it."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = home / "installed"
        if done.exists():
            return
        # What failed in another process of this test run fails here too, and takes its time.
        failed = home.with_suffix(".failed")
        this_run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
        if failed.exists() and failed.read_text().startswith(f"{this_run}\n"):
            pytest.skip(failed.read_text().partition("\n")[2])
        try:
            install(home)
        except subprocess.CalledProcessError as error:
            why = f"{home.name} cannot be installed: {error.stderr.strip()[-300:]}"
        except subprocess.TimeoutExpired:
            why = f"{home.name} was not installed in {INSTALL_SECONDS} s"
        else:
            done.touch()
            return
        failed.write_text(f"{this_run}\n{why}")
        pytest.skip(why)


def _install_npm(home: Path) -> None:
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("npm and node are needed to install it, and are not here")
    home.mkdir(exist_ok=True)
    # Without --legacy-peer-deps npm looks for minutes for versions that fit all peers.
    options = ("--legacy-peer-deps", "--no-audit", "--no-fund")
    run("npm", "install", "--prefix", str(home), *options, *NPM)


def _install_python(home: Path) -> None:
    run(sys.executable, "-m", "venv", str(home))
    run(str(home / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *PYTHON)


def run(*command: str) -> None:
    """Run an installer in the whole environment: it may name certificates and proxies."""
    subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=True,
    )


if __name__ == "__main__":
    for program in (lambda: npm("dbmate"), lambda: python("alembic")):
        try:
            print(program())
        except pytest.skip.Exception as skipped:
            print(skipped.msg)
