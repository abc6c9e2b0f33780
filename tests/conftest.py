"""What every test may use: real PostgreSQL servers, and a fresh database on one of them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import psycopg
import pytest
from psycopg import sql

from rollback_tui.embedded.server import EmbeddedServer
from tests import in_memory, started
from tests.faults import table as fault_table
from tests.forms import summary as form_summary
from tests.frameworks import tested as tested_frameworks

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
"""The tests start our program some thousands of times. Where this is set (in many containers),
each of these processes would compile all its modules anew, which takes longer than all else that
its start takes."""

os.environ.pop("NO_COLOR", None)
"""Whoever likes no colours tests the same screens; what NO_COLOR does has tests that set it."""

os.environ.setdefault("ROLLBACK_TUI_AFTERCARE", "off")
"""Most runs of the tests are looked at to their end and no longer: no process is to stay behind for
two hours. Tests of what comes after a run switch it on."""

in_memory.use()

SETTINGS = {"max_prepared_transactions": "10"}
"""Off by default, and some tests prepare transactions."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-fault",
        action="store_true",
        help="run the whole fault matrix; otherwise the worker is killed at every twelfth point,"
        " and each other fault tried at every thirty-second; and what comes after a run is killed"
        " in each order, not in three",
    )
    parser.addoption(
        "--every-kind",
        action="store_true",
        help="dump after each single change of a schema, on both servers and in every family",
    )
    parser.addoption(
        "--every-version",
        action="store_true",
        help="run on PostgreSQL 16 too what does not depend on the server's version, and all that"
        " is run on 13 on 14, 15 and 17 too",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark of what is always tested on PostgreSQL 16 too."""
    config.addinivalue_line("markers", "versions_differ: the server's version may matter here")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the tests that have a project on each server, leave out on 16 what only our own program
    decides, unless ``--every-version`` asks for it."""
    if config.getoption("--every-version"):
        return
    left_out = {
        item
        for item in items
        if isinstance(item, pytest.Function)
        and hasattr(item, "callspec")
        and item.callspec.params.get("project") == "server16"
        and item.get_closest_marker("versions_differ") is None
    }
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the fault matrix and the table of statement forms came to, and which frameworks
    were tested with their real programs."""
    fault_table.pytest_terminal_summary(terminalreporter)
    form_summary.pytest_terminal_summary(terminalreporter)
    tested_frameworks.pytest_terminal_summary(terminalreporter)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note with each report which programs the test has asked for."""
    report = yield
    tested_frameworks.note(report)
    return report


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two test processes a core: most of what is tested is waited for, not computed."""
    return min(8, 2 * (os.cpu_count() or 1))


@dataclass
class Database:
    """A fresh database, owned by a fresh role that is not a superuser."""

    server: EmbeddedServer
    name: str
    owner: str
    oid: int
    opened: list[psycopg.Connection[tuple[object, ...]]] = field(default_factory=list)

    @property
    def dsn(self) -> str:
        """Connection string as the owner."""
        return self.server.dsn(self.name, self.owner)

    @property
    def superuser_dsn(self) -> str:
        """Connection string as the superuser."""
        return self.server.dsn(self.name, "postgres")

    def connect(
        self, autocommit: bool = True, *, superuser: bool = False, application_name: str = "test"
    ) -> psycopg.Connection[tuple[object, ...]]:
        """Open a connection, as the owner; it is closed when the test ends."""
        connection = psycopg.connect(
            self.superuser_dsn if superuser else self.dsn,
            autocommit=autocommit,
            application_name=application_name,
        )
        self.opened.append(connection)
        return connection


def create_database(server: EmbeddedServer) -> Database:
    """Create a database and its owner on ``server``."""
    suffix = uuid.uuid4().hex[:10]
    name, owner = f"db_{suffix}", f"owner_{suffix}"
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        role, database = sql.Identifier(owner), sql.Identifier(name)
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(role))
        admin.execute(sql.SQL("GRANT pg_signal_backend, pg_monitor TO {}").format(role))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
        row = admin.execute("SELECT oid FROM pg_database WHERE datname = %s", [name]).fetchone()
    assert row is not None
    return Database(server, name, owner, row[0])


def drop_database(database: Database) -> None:
    """Drop the database, whatever it is called by now, all else of its owner, and the owner."""
    for connection in database.opened:
        connection.close()
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        names = admin.execute(
            "SELECT datname FROM pg_database"
            " WHERE oid = %s OR pg_get_userbyid(datdba) = %s OR starts_with(datname, %s)",
            [database.oid, database.owner, database.name],
        ).fetchall()
        for (name,) in names:
            _drop(database.server, admin, name)
        role = sql.Identifier(database.owner)
        admin.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(role))
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


def _drop(server: EmbeddedServer, admin: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    """Drop one database, also a template and one with prepared transactions."""
    identifier = sql.Identifier(name)
    admin.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(identifier))
    prepared = admin.execute(
        "SELECT gid FROM pg_prepared_xacts WHERE database = %s", [name]
    ).fetchall()
    if prepared:
        admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(identifier))
        with psycopg.connect(server.dsn(name), autocommit=True) as inside:
            for (gid,) in prepared:
                inside.execute(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(gid)))
    admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


@pytest.fixture(autouse=True)
def _nothing_started_stays() -> Iterator[None]:
    """A process that a failed test did not wait for would be reported in another test."""
    yield
    started.end_all()


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """A PostgreSQL 18 of this test process."""
    running = EmbeddedServer(major=18, tcp=True, settings=SETTINGS)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def server16() -> Iterator[EmbeddedServer]:
    """A PostgreSQL 16 of this test process."""
    running = EmbeddedServer(major=16, tcp=True, settings=SETTINGS)
    yield running
    running.stop()


@pytest.fixture
def database(server: EmbeddedServer) -> Iterator[Database]:
    """A fresh, empty database on PostgreSQL 18."""
    created = create_database(server)
    yield created
    drop_database(created)


@pytest.fixture
def database16(server16: EmbeddedServer) -> Iterator[Database]:
    """A fresh, empty database on PostgreSQL 16."""
    created = create_database(server16)
    yield created
    drop_database(created)
