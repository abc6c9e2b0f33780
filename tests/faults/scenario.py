"""One run on a database in use, in which something goes wrong, and what must be so afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from rollback_tui import config
from rollback_tui.cli.options import Common
from rollback_tui.cli.session import Session
from rollback_tui.core import events as ev
from rollback_tui.core.run_view import RunView, fold
from rollback_tui.run import journal
from rollback_tui.ui.operations import Choice
from tests.conftest import Database, create_database
from tests.faults.application import Application
from tests.faults.server import FragileServer

INJECT = Path(__file__).parent / "inject"
BEFORE = ("20240101000000", "20240202000000")
"""The versions that are applied before the run; afterwards, the first."""

UP_1 = """
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL);
INSERT INTO users SELECT i, 'u' || i || '@example.org' FROM generate_series(1, 200) i;
CREATE TABLE orders (number bigint PRIMARY KEY, user_id int NOT NULL REFERENCES users);
"""
UP_2 = """
ALTER TABLE users ADD COLUMN verified_at timestamptz;
UPDATE users SET verified_at = now() WHERE id <= 42;
CREATE TABLE tokens (id int PRIMARY KEY, user_id int REFERENCES users);
INSERT INTO tokens SELECT i, i FROM generate_series(1, 17) i;
CREATE INDEX users_email ON users (email);
"""
DOWN_2 = """
DROP INDEX users_email;
DROP TABLE tokens;
ALTER TABLE users DROP COLUMN verified_at;
"""
DOWN_2_HALF = """
DROP INDEX CONCURRENTLY users_email;
DROP TABLE tokens;
ALTER TABLE users DROP COLUMN is_not_there;
"""
"""Of the scenario ``recover``: one by one, and the last cannot be done."""
CONFIGURATION = {
    "plain": "[checkpoint]\nenabled = false\n",
    "dump": "",
    "clone": '[checkpoint]\nenabled = false\nclone = "required"\n',
    "recover": '[checkpoint]\nenabled = false\nclone = "required"\n',
}
"""What each scenario adds to ``rollback.toml``. The checkpoint is off where it is not what is
tested: a dump takes half a second."""
QUICKLY = "[health]\nwatch_seconds = 0.3\n"
"""The application's queries are watched, and nobody waits for it."""

_SQL_NEW = (
    "CREATE DATABASE {new} TEMPLATE {template} OWNER {owner}",
    "ALTER DATABASE {new} CONNECTION LIMIT 60",
    "ALTER DATABASE {new} SET work_mem = '8MB'",
    "COMMENT ON DATABASE {new} IS 'the shop'",
    "GRANT CONNECT ON DATABASE {new} TO {owner}",
    "REVOKE TEMPORARY ON DATABASE {new} FROM PUBLIC",
)
_PROPERTIES = """
SELECT d.datname, d.datallowconn, d.datconnlimit, d.datacl::text, d.datistemplate,
       pg_get_userbyid(d.datdba), shobj_description(d.oid, 'pg_database'),
       (SELECT array_agg(s.setconfig::text ORDER BY s.setrole)
          FROM pg_db_role_setting s WHERE s.setdatabase = d.oid)
  FROM pg_database d
"""


@dataclass
class Template:
    """A database that is ready to be rolled back, to be copied for each case."""

    database: Database
    directory: Path


def make_template(server: FragileServer, directory: Path) -> Template:
    """Make the database, with both migrations applied, and the directory of their files."""
    made = create_database(server)
    migrations = directory / "db" / "migrations"
    migrations.mkdir(parents=True)
    with psycopg.connect(made.dsn) as connection:
        connection.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
        for version, name, up, down in (
            (BEFORE[0], "users", UP_1, "DROP TABLE orders;\nDROP TABLE users;\n"),
            (BEFORE[1], "verification", UP_2, DOWN_2),
        ):
            connection.execute(up.encode())
            connection.execute("INSERT INTO schema_migrations VALUES (%s)", [version])
            path = migrations / f"{version}_{name}.sql"
            path.write_text(f"-- migrate:up\n{up}\n-- migrate:down\n{down}\n")
    return Template(made, migrations)


@dataclass
class Case:
    """A fresh copy of the template, a project on it, and the application that writes to it."""

    server: FragileServer
    name: str
    owner: str
    directory: Path
    scenario: str
    folder: Path | None = None
    application: Application = field(init=False)
    properties: list[tuple[object, ...]] = field(init=False)

    def __post_init__(self) -> None:
        self.application = Application(self.dsn)
        self.properties = self.databases()

    @property
    def dsn(self) -> str:
        """The target, as its owner, who is the application and the tool as well."""
        return self.server.dsn(self.name, self.owner)

    def databases(self) -> list[tuple[object, ...]]:
        """All databases with all that a rename or a swap could lose."""
        with psycopg.connect(self.server.dsn()) as connection:
            return connection.execute(_PROPERTIES + " ORDER BY 1").fetchall()

    def environment(self, fault: dict[str, str], process: str = "worker") -> dict[str, str]:
        """What brings ``fault`` into the processes that inherit it."""
        order = {
            "process": process,
            "database": self.name,
            "directory": str(self.directory),
            **fault,
        }
        paths = [str(INJECT), os.environ.get("PYTHONPATH", "")]
        return {
            "RBT_FAULT": json.dumps(order),
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        }

    @property
    def run_arguments(self) -> tuple[str, ...]:
        """The run, without a screen and without questions."""
        return ("run", "--confirm", self.name, "--reason", "a test", "--yes", "--json")

    def start(self, monkeypatch: pytest.MonkeyPatch, fault: dict[str, str]) -> None:
        """Start the run as the command line does, but from this process: that is quicker."""
        common = Common(
            dsn=self.dsn,
            settings=config.load(self.directory / "rollback.toml"),
            project=self.directory,
            as_json=True,
        )
        with contextlib.closing(Session(common)) as session, monkeypatch.context() as patch:
            session.target()
            plan = session.plan(Choice(steps=1, version=None))
            for name, value in self.environment(fault).items():
                patch.setenv(name, value)
            self.folder = session.start(
                plan,
                {},
                "a test",
                attended=False,
                stepwise_confirmed=not plan.transactional,
            )

    def wait_for_folder(self, seconds: float = 20) -> Path:
        """The run's folder, as soon as its journal is there."""
        deadline = time.monotonic() + seconds
        while self.folder is None:
            assert time.monotonic() < deadline, "no run was started"
            found = list((self.directory / "rollback_runs").glob(f"*/{journal.FILE_NAME}"))
            self.folder = found[0].parent if found else None
            time.sleep(0.01)
        return self.folder

    def reached(self, seconds: float = 40) -> float:
        """Wait until the point is reached; return when that was, by the monotonic clock."""
        place = self.directory / "reached"
        deadline = time.monotonic() + seconds
        while not place.exists():
            assert time.monotonic() < deadline, f"the point was never reached\n{self.last()}"
            time.sleep(0.002)
        return float(place.read_text())

    def go_on(self) -> None:
        """Tell the one who waits at the point that the damage is done."""
        (self.directory / "go on").touch()

    def records(self) -> tuple[ev.Record, ...]:
        """The journal as it is now."""
        return () if self.folder is None else journal.read(self.folder / journal.FILE_NAME)

    def view(self) -> RunView:
        """What the journal says now."""
        return fold(self.records())

    def last(self) -> str:
        """The journal's last lines, and what worker and guardian said, for a failure."""
        if self.folder is None:
            return "(no journal)"
        lines = (self.folder / journal.FILE_NAME).read_text().splitlines()[-12:]
        said = (self.folder / "worker.log").read_text().splitlines()[-12:]
        return "\n".join([*(line[:300] for line in lines), *said])

    def wait_for_outcome(self, seconds: float) -> ev.RunFinished:
        """Wait for the outcome, and until nobody works on the run any more."""
        deadline = time.monotonic() + seconds
        follower = journal.Follower(self.wait_for_folder() / journal.FILE_NAME)
        finished: ev.RunFinished | None = None
        while finished is None:
            assert time.monotonic() < deadline, f"no end after {seconds} s\n{self.last()}"
            for record in follower.poll():
                if isinstance(record.event, ev.RunFinished):
                    finished = record.event
            time.sleep(0.02)
        self.wait_until_alone(max(0.0, deadline - time.monotonic()))
        return finished

    def wait_until_alone(self, seconds: float) -> None:
        """Wait until no process of this case is left."""
        deadline = time.monotonic() + seconds
        while left := self.processes():
            assert time.monotonic() < deadline, f"still there: {left}\n{self.last()}"
            time.sleep(0.05)  # looking at all processes takes some milliseconds itself

    def processes(self) -> list[str]:
        """What still runs of this case: by its directory or its database. Asked often, and of all
        processes of the machine: so without psutil, which takes three times as long."""
        found = []
        for process in Path("/proc").glob("[1-9]*"):
            with contextlib.suppress(OSError):  # it has ended, or is not ours
                # Nothing for a process that has ended and was not waited for yet.
                words = (process / "cmdline").read_bytes().split(b"\0")
                line = " ".join(word.decode(errors="replace") for word in words).strip()
                if not line or line.startswith("postgres:") or process.name == str(os.getpid()):
                    continue
                named = self.name in line or str(self.directory) in line
                if named or (process / "cwd").readlink() == self.directory:
                    found.append(f"{process.name} {line}")
        return found

    def loaded(self) -> float:
        """When the process that was last brought a fault was ready to begin."""
        return float((self.directory / "loaded").read_text())

    def command(
        self, *arguments: str, fault: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``rollback-tui ARGUMENTS`` here; ``fault``: with this in its own process."""
        return subprocess.run(
            [sys.executable, "-m", "rollback_tui", *arguments],
            cwd=self.directory,
            env=os.environ | (self.environment(fault, "settle") if fault else {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    # What must be so afterwards.

    def assert_untouched(self) -> None:
        """There was no run, and nothing shows that one was tried."""
        self._schema_and_version(committed=False)
        self._no_lost_writes()
        self._nothing_left()

    def assert_sound(self, committed: bool) -> None:
        """Version row, schema and journal agree; nothing is left over; no write is lost."""
        self._one_outcome(committed)
        self._schema_and_version(committed)
        self._no_lost_writes()
        self._nothing_left()

    def assert_recovered(self) -> None:
        """The copy has taken the place of what was half done, and of that nothing is lost."""
        self._one_last_line()
        assert self.view().swapped is not None, self.last()
        self._schema_and_version(committed=False)
        self._no_lost_writes()
        self._nothing_left(f"{self.name}__failed_")

    def assert_half_done(self) -> None:
        """As the script left it; the copy is still there, and the operator is told of it."""
        self._one_last_line()
        finished, clone = self.view().finished, self.view().clone
        assert finished is not None and clone is not None, self.last()
        assert any(clone.database in command for command in finished.next_commands), self.last()
        with psycopg.connect(self.dsn) as connection:
            versions = connection.execute("SELECT version FROM schema_migrations ORDER BY 1")
            assert [v for (v,) in versions] == list(BEFORE)
            there = connection.execute("SELECT to_regclass('tokens'), to_regclass('users_email')")
            assert there.fetchone() == (None, None)
        self._no_lost_writes()
        self._nothing_left(f"{self.name}__clone_")

    def _one_last_line(self) -> None:
        kinds = [r.event for r in self.records()]
        assert sum(isinstance(e, ev.RunFinished) for e in kinds) == 1, self.last()
        assert isinstance(kinds[-1], ev.RunFinished), self.last()

    def _one_outcome(self, committed: bool) -> None:
        self._one_last_line()
        view = self.view()
        kinds = [r.event for r in self.records()]
        assert sum(isinstance(e, ev.Committed) for e in kinds) == int(committed), self.last()
        assert bool(view.committed) is committed, self.last()
        assert not view.alarms, view.alarms

    def _schema_and_version(self, committed: bool) -> None:
        with psycopg.connect(self.server.dsn(self.name, self.owner)) as connection:
            versions = connection.execute("SELECT version FROM schema_migrations ORDER BY 1")
            assert [v for (v,) in versions] == list(BEFORE[:1] if committed else BEFORE)
            there = connection.execute(
                "SELECT to_regclass('tokens') IS NOT NULL, to_regclass('users_email') IS NOT NULL,"
                " EXISTS (SELECT FROM information_schema.columns"
                "          WHERE table_name = 'users' AND column_name = 'verified_at')"
            ).fetchone()
            assert there == (not committed,) * 3
            if not committed:
                kept = connection.execute(
                    "SELECT (SELECT count(*) FROM tokens), count(verified_at), count(*) FROM users"
                ).fetchone()
                assert kept == (17, 42, 200)
            run_rows = connection.execute("SELECT to_regclass('rollback_tui.runs')").fetchone()
            if not committed:
                assert run_rows == (None,), "the run's row is there, but not its commit"

    def _no_lost_writes(self) -> None:
        self.application.stop()
        assert not self.application.unexpected, self.application.unexpected
        with psycopg.connect(self.dsn) as connection:
            there = {n for (n,) in connection.execute("SELECT number FROM orders")}
        lost = [n for _, _, n in self.application.acknowledged if n not in there]
        assert not lost, f"{len(lost)} acknowledged writes are lost"

    def _nothing_left(self, kept: str = "") -> None:
        """``kept``: how the name begins of the one database more that is there on purpose."""
        assert not self.processes()
        now = self.databases()
        more = [row for row in now if kept and str(row[0]).startswith(kept)]
        assert len(more) == bool(kept), now
        assert [row for row in now if row not in more] == self.properties
        with psycopg.connect(self.server.dsn(), autocommit=True) as connection:
            locks = connection.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")
            assert not locks.fetchall()
            # A backend whose client was killed needs a moment to see it.
            deadline = time.monotonic() + 5
            while backends := connection.execute(
                "SELECT pid, application_name, state, query FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchall():
                assert time.monotonic() < deadline, backends
                time.sleep(0.05)
        for place in self.directory.glob("rollback_runs/*/control.path"):
            assert not Path(place.read_text().strip()).exists(), "a socket is left"
        if self.folder is not None:
            assert (self.folder / "report.md").exists()


@contextlib.contextmanager
def fresh_case(template: Template, directory: Path, scenario: str) -> Iterator[Case]:
    """A case, cleaned up afterwards whatever became of it."""
    server = template.database.server
    assert isinstance(server, FragileServer)
    name = f"shop_{uuid.uuid4().hex[:8]}"
    shutil.copytree(template.directory, directory / "db" / "migrations")
    if scenario == "recover":
        path = next((directory / "db" / "migrations").glob(f"{BEFORE[1]}*"))
        path.write_text(path.read_text().replace(DOWN_2, DOWN_2_HALF))
    dsn = json.dumps(server.dsn(name, template.database.owner))
    (directory / "rollback.toml").write_text(
        f"{CONFIGURATION[scenario]}{QUICKLY}\n[connection]\ndsn = {dsn}\n"
    )
    parts = {
        "new": sql.Identifier(name),
        "template": sql.Identifier(template.database.name),
        "owner": sql.Identifier(template.database.owner),
    }
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        for text in _SQL_NEW:
            admin.execute(sql.SQL(text).format(**parts))
    case = Case(server, name, template.database.owner, directory, scenario)
    try:
        case.application.start()
        yield case
    finally:
        case.application.stop()
        _clean_up(case)


def _clean_up(case: Case) -> None:
    for line in case.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line.split()[0]), 9)
    with psycopg.connect(case.server.dsn(), autocommit=True) as admin:
        for (name,) in admin.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [case.name]
        ).fetchall():
            database = sql.Identifier(name)
            admin.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(database))
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
