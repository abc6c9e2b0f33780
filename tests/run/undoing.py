"""A shop whose newest migration is rolled back, and the run that undoes that; in this process."""

from __future__ import annotations

import re
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

import psycopg

from rollback_tui.cli.options import Common
from rollback_tui.cli.undoing import recovery_request
from rollback_tui.config import Settings, parse
from rollback_tui.core.recovery import RecoveryOption
from rollback_tui.core.run_view import RunView, fold
from rollback_tui.postgres.connect import connect, target
from rollback_tui.postgres.server_tools import find_tool
from rollback_tui.run import folder as run_folder
from rollback_tui.run import journal
from rollback_tui.run.recovery.ladder import recovery_options
from rollback_tui.run.request import RunRequest, operator
from rollback_tui.run.worker import work
from rollback_tui.survey.planning import make_plan
from tests.cli.conftest import UP_1, Project

EVENTS = """
CREATE TABLE events (what text);
INSERT INTO events SELECT 'made ' || i FROM generate_series(1, 30) i;
"""
UP_2 = """
ALTER TABLE users ADD COLUMN verified_at timestamptz;
UPDATE users SET verified_at = '2024-02-02' WHERE id <= 42;
CREATE TABLE tokens (id int PRIMARY KEY, user_id int REFERENCES users);
INSERT INTO tokens SELECT i, i FROM generate_series(1, 17) i;
"""
DOWN_2 = """
DELETE FROM events WHERE what = 'made 1';
UPDATE users SET email = lower(email) || '.old' WHERE id <= 3;
DROP TABLE tokens;
ALTER TABLE users DROP COLUMN verified_at;
"""
"""It removes a row and changes three: those are its own doing, and nobody's loss."""

UNHEALTHY = """
[checkpoint]
clone = "required"
[health]
url = "http://127.0.0.1:9/"
attempts = 1
watch_seconds = 0
"""


@dataclass
class Shop:
    """A project, its settings, and its runs."""

    project: Project
    settings: Settings

    @property
    def directory(self) -> Path:
        return self.project.directory

    def roll_back(self, keep: tuple[int, ...] = ()) -> tuple[Path, RunView]:
        """Roll the newest migration back, unattended; return the run's folder and what it says."""
        dsn = self.project.database.dsn
        with connect(dsn) as connection:
            plan = make_plan(connection, self.settings, self.directory)
            fingerprint = target(connection).fingerprint
        run = str(uuid.uuid4())
        folder = run_folder.create(self.directory / "rollback_runs", run)
        return self.work(
            RunRequest(
                run=run,
                folder=str(folder),
                project=str(self.directory),
                dsn=dsn,
                settings=self.settings,
                plan=plan,
                fingerprint=fingerprint,
                overrides={},
                reason="a test",
                operator=operator(),
                attended=False,
                keep=keep,
            )
        )

    def work(self, request: RunRequest) -> tuple[Path, RunView]:
        """Carry a request out as its worker would."""
        work(request)
        return Path(request.folder), self.view(Path(request.folder))

    def view(self, folder: Path) -> RunView:
        return fold(journal.read(folder / journal.FILE_NAME))

    def options(self, folder: Path) -> dict[str, RecoveryOption]:
        found = recovery_options(self.project.database.dsn, self.settings, self.directory, folder)
        return {option.rung: option for option in found}

    def request(self, folder: Path, rung: str, agreed: int | None = 0) -> RunRequest:
        """What the terminal hands over when ``rung`` is taken for the run in ``folder``."""
        given = Common(
            dsn=self.project.database.dsn,
            settings=self.settings,
            project=self.directory,
            as_json=False,
        )
        option = self.options(folder)[rung]
        with connect(self.project.database.dsn) as connection:
            return recovery_request(
                connection,
                given,
                folder,
                option,
                fingerprint=target(connection).fingerprint,
                reason="a test",
                attended=False,
                agreed=agreed,
            )

    def undo(self, folder: Path, rung: str, agreed: int | None = 0) -> tuple[Path, RunView]:
        """Take ``rung``; ``agreed``: how many rows may be lost."""
        return self.work(self.request(folder, rung, agreed))

    def databases(self) -> set[str]:
        """What is beside the target, by the end of its name."""
        with psycopg.connect(self.project.database.server.dsn()) as admin:
            rows = admin.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, %s) AND datname <> %s",
                [self.project.database.name] * 2,
            ).fetchall()
        return {name.removeprefix(self.project.database.name)[:-8] for (name,) in rows}

    def dumped(self) -> str:
        """``pg_dump`` without what changes by itself: comments, and the key of psql's restrict."""
        tool = find_tool("pg_dump", 18)
        assert tool is not None
        text = subprocess.run(
            [tool.path, "--dbname", self.project.database.dsn, "--exclude-schema=rollback_*"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return re.sub(r"(?m)^(--.*|\\(un)?restrict .*)\n", "", text)


def shop(project: Project, settings: str = "") -> Shop:
    """Make the shop, both migrations applied."""
    project.migration("20240101000000", "users", UP_1 + EVENTS, "DROP TABLE users;\n")
    project.migration("20240202000000", "verification", UP_2, DOWN_2)
    return Shop(project, parse(settings))


def steps(view: RunView) -> dict[str, str | None]:
    """The verdicts of a recovery, by the names of its steps."""
    return {step.name: step.verdict for step in view.recovery}
