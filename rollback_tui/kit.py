"""The test kit for frameworks: after our rollback the tool's own program must agree.

For whoever adds a framework, built in or plugged in (``docs/adding_a_framework.md``). Two databases
get the same migrations from the real program. One is rolled back by the program itself, the other
as a run does it. Then their version tables must have the same rows, the program must say the same
of both, and must be able to apply again what we took back (:func:`agree`).

It needs no particular test framework: what does not hold raises :class:`Disagreement`, which is an
AssertionError. :func:`databases` needs the extra ``demo`` (an embedded PostgreSQL).
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, get_args

import psycopg
from psycopg import sql

from rollback_tui.config import Migrations, Settings
from rollback_tui.core.model import Plan
from rollback_tui.frameworks.protocol import About, Framework, Kind
from rollback_tui.frameworks.registry import FRAMEWORKS, lacking
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import resolved
from rollback_tui.rehearsal.capturing import capture
from rollback_tui.survey.applied import detected
from rollback_tui.survey.planning import make_plan

Connection = psycopg.Connection[tuple[object, ...]]
Row = dict[str, object]


class Disagreement(AssertionError):
    """Something that must be the same is not."""


class Database(Protocol):
    """A database that nobody else uses."""

    def connect(self, autocommit: bool = True) -> Connection:
        """Open a connection as the role that migrates."""


class Tool(Protocol):
    """The real program, bound to one database and one project."""

    @property
    def database(self) -> Database:
        """Where it migrates."""

    @property
    def project(self) -> Path:
        """Where its files are."""

    def up(self) -> object:
        """Apply all that is pending."""

    def down(self) -> object:
        """Take the newest migration back."""

    def status(self) -> object:
        """Return what the program says of each migration, without times."""


class Scratch(NamedTuple):
    """A fresh database of :func:`databases`."""

    dsn: str
    """Connection string, for the program: there is no password."""

    def connect(self, autocommit: bool = True) -> Connection:
        """Open a connection. Raises psycopg.Error."""
        return psycopg.connect(self.dsn, autocommit=autocommit)


@contextlib.contextmanager
def databases(count: int = 2, *, major: int = 18) -> Iterator[tuple[Scratch, ...]]:
    """Start a PostgreSQL (16 or 18) with ``count`` empty databases; gone when the block ends.

    It listens on a Unix socket and on 127.0.0.1. Raises ConfigurationError when the extra
    ``demo`` is not installed.
    """
    # Only here: without the extra the rest of the kit works with databases of one's own.
    from rollback_tui.embedded.server import EmbeddedServer

    server = EmbeddedServer(major=major, tcp=True)
    try:
        names = [f"kit_{uuid.uuid4().hex[:8]}" for _ in range(count)]
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            for name in names:
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield tuple(Scratch(server.dsn(name)) for name in names)
    finally:
        server.stop()


def problems(framework: Framework) -> tuple[str, ...]:
    """Return what is wrong with a framework that can be told without a database."""
    missing = lacking(framework)
    if missing:
        return tuple(f"it has no {name}" for name in missing)
    found = []
    if framework.kind not in get_args(Kind):
        found.append(f"its kind is {framework.kind!r}, not one of {', '.join(get_args(Kind))}")
    if framework.name != framework.name.lower() or " " in framework.name:
        found.append("its name is typed after --framework: small letters, no blanks")
    about = framework.about
    optional = {"instead", "refused", "site"}
    empty = [name for name in About.__struct_fields__ if not getattr(about, name)]
    found += [f"about.{name} is empty" for name in empty if name not in optional]
    if framework.kind == "none" and not about.instead:
        found.append("about.instead must say what the operator can do")
    return tuple(found)


def rolled_back(
    database: Database,
    project: Path,
    *,
    steps: int = 1,
    version: str | None = None,
    migrations: Migrations | None = None,
) -> Plan:
    """Roll back as a run does: what the plan says, in one transaction, with the framework's own
    locks held; where scripts have to be captured, they are. Returns the plan. Raises Disagreement
    where a run would refuse it."""
    settings = Settings(migrations=migrations or Migrations())
    with database.connect() as connection:
        plan = make_plan(
            connection, settings, project, steps=steps, version=version, count_losses=False
        )
        if any(migration.capturable for migration in plan.migrations):
            capture(
                resolved(connection),
                settings,
                project,
                steps=steps,
                version=version,
                said=lambda _: None,
                stop=threading.Event(),
            )
            plan = make_plan(
                connection, settings, project, steps=steps, version=version, count_losses=False
            )
    with database.connect(autocommit=False) as connection:
        if plan.version_table:
            _take_locks(connection, settings, project)
        for migration in plan.migrations:
            if migration.script is None or migration.why_no_script:  # an empty one has both
                raise Disagreement(migration.why_no_script)
            if migration.script.problems:
                raise Disagreement(repr(migration.script.problems))
            for statement in migration.script.statements:
                connection.execute(statement.sql.encode(), binary=True)
            for change in migration.version_change:
                connection.execute(change.encode(), binary=True)
    return plan


def _take_locks(connection: Connection, settings: Settings, project: Path) -> None:
    detection = detected(connection, settings, project)
    framework, table = FRAMEWORKS[detection.framework], detection.table
    query = framework.lock_sql(connection.info.dbname, table)
    if query is not None:
        answered = connection.execute(query.encode()).fetchall()
        _same("its lock is taken", answered, [(True,)])
    for statement in framework.transaction_lock(table):
        connection.execute(statement.encode())


def rows(database: Database, table: str, *, ignoring: Sequence[str] = ()) -> list[Row]:
    """Return the rows of ``table`` (``schema.name``) without the columns ``ignoring``, in a fixed
    order. What is ignored must differ by nature: times, random numbers."""
    with database.connect() as connection:
        cursor = connection.execute(
            sql.SQL("SELECT * FROM {}").format(sql.Identifier(*table.split(".")))
        )
        names = [column.name for column in cursor.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    kept = [{k: v for k, v in row.items() if k not in ignoring} for row in found]
    return sorted(kept, key=repr)


def schema(database: Database) -> object:
    """Return the whole schema, to be compared. Each database may have an owner of its own, as whom
    it is connected to: that role is called ``owner`` here."""
    with database.connect() as connection:
        objects = catalog.snapshot(connection).objects
        role = connection.info.user
    return {name: text.replace(role, "owner") for name, text in objects.items()}


def agree(
    ours: Tool,
    theirs: Tool,
    tables: Sequence[str],
    *,
    steps: int = 2,
    ignoring: Sequence[str] = (),
    migrations: Migrations | None = None,
) -> Plan:
    """Raise Disagreement unless they agree, for two tools on two fresh databases.

    ``tables``: the tool's own, ``schema.name``, compared row by row without the columns
    ``ignoring``. ``migrations``: settings for ours. Returns our plan.
    """
    for each in (ours, theirs):
        each.up()
    everything, applied = schema(ours.database), ours.status()
    _same("status after up", applied, theirs.status())
    plan = rolled_back(ours.database, ours.project, steps=steps, migrations=migrations)
    for _ in range(steps):
        theirs.down()
    for table in tables:
        mine = rows(ours.database, table, ignoring=ignoring)
        _same(table, mine, rows(theirs.database, table, ignoring=ignoring))
    _same("schema after the rollback", schema(ours.database), schema(theirs.database))
    _differ("the schema", schema(ours.database), everything)
    _same("status after the rollback", ours.status(), theirs.status())
    _differ("the status", ours.status(), applied)
    ours.up()
    _same("status after applying again", ours.status(), applied)
    _same("schema after applying again", schema(ours.database), everything)
    return plan


def _same(what: str, ours: object, theirs: object) -> None:
    if ours == theirs:
        return
    first, second = _items(ours), _items(theirs)
    lines = [f"- {item}" for item in first if item not in second]
    lines += [f"+ {item}" for item in second if item not in first]
    text = "\n".join(lines or [f"- {ours!r}", f"+ {theirs!r}"])
    raise Disagreement(f"{what}: (-) ours or now, (+) theirs or expected\n{text}")


def _differ(what: str, now: object, before: object) -> None:
    if now == before:
        raise Disagreement(f"{what} is as it was before the rollback: {now!r}"[:2000])


def _items(value: object) -> list[str]:
    """Return the parts of a value, so that only those that differ are shown."""
    if isinstance(value, dict):
        return [f"{key!r}: {one!r}" for key, one in value.items()]
    if isinstance(value, str):
        return value.splitlines()
    if isinstance(value, list | tuple | set | frozenset):
        return [repr(one) for one in value]
    return [repr(value)]
