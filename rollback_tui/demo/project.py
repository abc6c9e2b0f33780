"""The shop's project directory as an operator would find it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from rollback_tui.demo import shop
from rollback_tui.embedded import children

FLAG = "maintenance.flag"
LOG = "log/shop.log"
"""Where the application writes what it does."""

_SETTINGS = """\
# Settings of the demo. docs/configuration.md describes every key.
environment = "demo"

[connection]
dsn = {dsn}

[migrations]
directory = {migrations}
framework = "dbmate"

[checkpoint]
directory = {checkpoints}
env_files = [{env}]

[run]
directory = {runs}

[maintenance.on]
flag_file = {flag}

[maintenance.off]
flag_file = {flag}

# The application forgets its pages: they may show what the rollback took away.
[[caches.clear]]
url = {clear}

[notify.started]
url = {notifications}

# The shop keeps what it is told: http://…/notifications shows it.
[[notify.to]]
name = "shop"
url = {told}

[health]
url = {health}
watch_seconds = 3

# Two hours are usual; ten minutes show what it looks like.
[monitor]
seconds = 600
interval_seconds = 5

[verify]
baseline_directory = {baselines}

# The shop is no systemd unit: the guide by hand says that there is none to stop.
[recovery]
services = []
log_files = [{log}]

[impact]
command = {impact}
"""

_IGNORED = """\
.env
log/
maintenance.flag
rollback_baselines/
rollback_checkpoints/
rollback_runs/
"""

_README = """\
# Shop

The sample project of the rollback-tui demo: PostgreSQL, with dbmate's migrations.
"""


def prepare(directory: Path) -> None:
    """Create the project with its migrations; one that exists keeps its files."""
    migrations = directory / "db" / "migrations"
    migrations.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in shop.files():
        if not (migrations / path.name).exists():
            shutil.copyfile(path, migrations / path.name)
    (directory / "README.md").write_text(_README, encoding="utf-8")
    (directory / ".gitignore").write_text(_IGNORED, encoding="utf-8")
    if not (directory / ".git").exists():
        _commit(directory)


def configure(directory: Path, *, dsn: str, host: str, port: int, url: str) -> Path:
    """Write ``rollback.toml`` and ``.env`` for the server and application of today.

    Returns the path of ``rollback.toml``. ``url`` is the application's.
    """
    database_url = f"postgres://{shop.OWNER}@/{shop.DATABASE}?host={quote(host)}&port={port}"
    _write(
        directory / ".env",
        f"DATABASE_URL={database_url}\nPAYMENT_API_KEY=demo-only-and-not-a-real-secret\n",
    )
    config = directory / "rollback.toml"
    text = {
        "dsn": dsn,
        "migrations": str(directory / "db" / "migrations"),
        "checkpoints": str(directory / "rollback_checkpoints"),
        "env": str(directory / ".env"),
        "runs": str(directory / "rollback_runs"),
        "flag": str(directory / FLAG),
        "log": str(directory / LOG),
        "clear": f"{url}/caches/clear",
        "notifications": f"{url}/notifications",
        # As Apprise writes an address that takes JSON.
        "told": f"{url.replace('http://', 'json://', 1)}/notifications",
        "health": f"{url}/health",
        "baselines": str(directory / "rollback_baselines"),
    }
    values = {name: _toml(value) for name, value in text.items()}
    impact = children.command("rollback_tui.demo.impact", url)
    _write(config, _SETTINGS.format(impact=_toml_list(impact), **values))
    return config


def _toml(text: str) -> str:
    # A JSON string is a TOML basic string; TOML alone also wants DEL escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_list(texts: Sequence[str]) -> str:
    return "[" + ", ".join(_toml(text) for text in texts) + "]"


def _write(path: Path, text: str) -> None:
    """Write a file that only we may read, in one step."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def _commit(directory: Path) -> None:
    """Make the project a repository with one commit, when git is there; nothing of the user's."""
    if shutil.which("git") is None:
        return
    env = children.environment() | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        **{f"GIT_{who}_NAME": "Shop" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "shop@example.invalid" for who in ("AUTHOR", "COMMITTER")},
    }
    for arguments in (
        ("init", "-q", "-b", "main"),
        ("add", "."),
        ("commit", "-q", "-m", "Add user verification"),
    ):
        subprocess.run(
            ["git", "-C", str(directory), *arguments], env=env, check=False, capture_output=True
        )
