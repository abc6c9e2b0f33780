"""The smallest whole: a plan executed and verified in a real transaction, in this process, and
rolled back; one database for many of them."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg

from rollback_tui.config import Settings, Verify
from rollback_tui.core.model import Plan, Verification
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import connect, target
from rollback_tui.run import folder
from rollback_tui.run.context import Run
from rollback_tui.run.control import Control
from rollback_tui.run.execution import execute
from rollback_tui.run.journal import Journal
from rollback_tui.run.preflight import started
from rollback_tui.run.request import RunRequest, operator
from rollback_tui.run.verifying.course import verify
from rollback_tui.survey import baseline
from rollback_tui.survey.planning import make_plan
from tests.conftest import Database

GOAL, NEWEST = "20240101000000", "20240202000000"


class Bench:
    """A project with one migration to roll back, whose down script is written anew each time."""

    def __init__(
        self, database: Database, schema: str, up: str, *, superuser: bool = False
    ) -> None:
        """``schema`` is what the goal has, made by a superuser; ``up`` what is rolled back."""
        self.database = database
        self.dsn = database.superuser_dsn if superuser else database.dsn
        self.directory = Path(tempfile.mkdtemp(prefix="rbt-bench"))
        migrations = self.directory / "db" / "migrations"
        migrations.mkdir(parents=True)
        (migrations / f"{GOAL}_first.sql").write_text(
            "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n"
        )
        self._down = migrations / f"{NEWEST}_second.sql"
        self._up = up
        self._plans: dict[str, Plan] = {}
        with psycopg.connect(database.superuser_dsn, autocommit=True) as admin:
            admin.execute(schema.encode())
        with psycopg.connect(self.dsn, autocommit=True) as owner:
            owner.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
            owner.execute("INSERT INTO schema_migrations VALUES (%s)", [GOAL])
            goal = catalog.snapshot(owner)
            version = owner.info.server_version
            owner.execute(up.encode())
            owner.execute("INSERT INTO schema_migrations VALUES (%s)", [NEWEST])
        kept = baseline.Baseline(version=GOAL, server_version=version, snapshot=goal)
        baseline.save(self.directory / Verify().baseline_directory, kept)

    def plan(self, down: str) -> Plan:
        """Read the plan as a run would; the same script is read once."""
        if down in self._plans:
            return self._plans[down]
        self._down.write_text(f"-- migrate:up\n{self._up}\n-- migrate:down\n{down}\n")
        with connect(self.dsn) as connection:
            self._plans[down] = make_plan(connection, Settings(), self.directory)
        return self._plans[down]

    @contextmanager
    def run(
        self,
        plan: Plan,
        *,
        settings: Settings | None = None,
        rehearsal: Rehearsal | None = None,
        session: dict[str, str] | None = None,
    ) -> Iterator[Run]:
        """Yield a run with its connections open, as after preflight; its transaction is rolled
        back. ``session``: settings of the connection that the script runs on."""
        identity = str(uuid.uuid4())
        path = folder.create(self.directory / "rollback_runs", identity)
        with connect(self.dsn) as connection:
            fingerprint = target(connection).fingerprint
        request = RunRequest(
            run=identity,
            folder=str(path),
            project=str(self.directory),
            dsn=self.dsn,
            settings=settings or Settings(),
            plan=plan,
            fingerprint=fingerprint,
            overrides={},
            reason="a test",
            operator=operator(),
            attended=False,
            rehearsal=rehearsal,
        )
        run = Run(request, Journal(path / "journal.jsonl"), Control(identity, path))
        try:
            run.write(started(run))
            run.open_connections()
            connection = run.live_target()
            for name, value in (session or {}).items():
                connection.execute("SELECT set_config(%s, %s, false)", [name, value])
            yield run
            if not connection.broken:
                connection.execute("ROLLBACK")
        finally:
            run.close()
            run.control.close()
            run.journal.close()

    def verdicts(
        self,
        down: str,
        *,
        settings: Settings | None = None,
        rehearsal: Rehearsal | None = None,
        session: dict[str, str] | None = None,
    ) -> dict[str, Verification]:
        """Execute and verify; return what was judged, by name."""
        plan = self.plan(down)
        if rehearsal is not None:
            rehearsal = msgspec.structs.replace(rehearsal, plan_sha256=plan.sha256)
        with self.run(plan, settings=settings, rehearsal=rehearsal, session=session) as run:
            execute(run)
            verify(run)
            return {v.name: v for v in run.view.verifications}


def not_passed(found: dict[str, Verification]) -> dict[str, str]:
    """The verdicts that are no pass, by name."""
    return {name: v.verdict for name, v in found.items() if v.verdict != "pass"}
