"""After our rollback the real yoyo must agree."""

from __future__ import annotations

import getpass
import random
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.protocol import VersionTable
from rollback_tui.frameworks.yoyo.framework import Yoyo as Framework
from tests.conftest import Database
from tests.frameworks import installed
from tests.frameworks.agreement import agree, rolled_back, rows, schema

TABLE = VersionTable(schema="public", name="_yoyo_migration")
TABLES = ("public._yoyo_migration", "public._yoyo_log", "public.yoyo_lock")
BY_NATURE = ("applied_at_utc", "created_at_utc", "id")

MIGRATIONS = {
    # It is applied second: what it depends on has a higher name.
    "0001-index.sql": "-- Faster.\n-- depends: 0002-users\n-- transactional: FALSE\n\n"
    "CREATE INDEX CONCURRENTLY users_name ON users (name);\n",
    "0001-index.rollback.sql": "DROP INDEX CONCURRENTLY users_name;\n",
    "0002-users.sql": "CREATE TABLE users (id int PRIMARY KEY, name text);\n",
    "0002-users.rollback.sql": "DROP TABLE users;\n",
    "0003.orders.sql": "--depends: 0001-index\n--depends: 0002-users\n"
    "CREATE TABLE orders (note text DEFAULT ';');\r\nCREATE VIEW o AS SELECT '%s' FROM orders;\r\n",
    "0003.orders.rollback.sql": "\r\nDROP VIEW o; -- first;\r\n\r\nDROP TABLE orders",
    "0004-steps.py": '"""Three steps."""\nfrom yoyo import step\n\n'
    "__depends__ = {'0003.orders'}\n\nsteps = [\n"
    '    step("CREATE TABLE a ()", "DROP TABLE a -- %s"),\n'
    '    step(rollback="DROP VIEW b; SELECT 1;", apply="CREATE VIEW b AS TABLE a"),\n'
    "    step('COMMENT ON TABLE a IS NULL'),\n]\n",
    "post-apply.sql": "SELECT 1;\n",
}


@dataclass(frozen=True)
class Yoyo:
    """yoyo's command line for one database and one project."""

    database: Database
    project: Path

    def run(self, *arguments: str, check: bool = True) -> str:
        server = self.database.server
        url = (
            f"postgresql://{self.database.owner}@/{self.database.name}"
            f"?host={quote(server.host, safe='')}&port={server.port}"
        )
        command, *more = arguments
        options = (
            "--batch",
            "--no-config-file",
            "--database",
            url,
            str(self.project / "migrations"),
        )
        done = subprocess.run(
            [str(installed.python("yoyo")), command, *options, *more],
            env=installed.bare_environment(),
            cwd=self.project,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        output = done.stdout + done.stderr
        if check and done.returncode:
            raise AssertionError(f"yoyo {' '.join(arguments)}: {done.returncode}\n{output}")
        return output

    def up(self) -> object:
        return self.run("apply")

    def down(self) -> object:
        return self.run("rollback")

    def status(self) -> list[tuple[str, str]]:
        lines = [line.split() for line in self.run("list").splitlines()]
        return [(words[0], words[1]) for words in lines if words[:1] in (["A"], ["U"])]


def write(project: Path, files: dict[str, str]) -> Path:
    (project / "migrations").mkdir(exist_ok=True)
    for name, text in files.items():
        (project / "migrations" / name).write_bytes(text.encode())
    return project


def test_yoyo_agrees(database: Database, other_database: Database, tmp_path: Path) -> None:
    """Also of the host's name, where DNS knows no other."""
    project = write(tmp_path, MIGRATIONS)
    ours, theirs = Yoyo(database, project), Yoyo(other_database, project)
    host = () if socket.getfqdn() == socket.gethostname() else ("hostname",)
    plan = agree(ours, theirs, TABLES, steps=2, ignoring=(*BY_NATURE, *host))
    assert [m.version for m in plan.applied] == [
        *("0004-steps", "0003.orders", "0001-index", "0002-users")
    ]
    (steps, orders) = (m.script for m in plan.migrations)
    assert steps is not None
    assert orders is not None
    assert steps.origin == "the strings of its steps, the last step first"
    assert [s.sql for s in steps.statements] == ["DROP VIEW b", "SELECT 1", "DROP TABLE a"]
    logged = rows(database, "public._yoyo_log")
    assert {row["username"] for row in logged} == {getpass.getuser()}
    assert {len(str(row["id"])) for row in logged} == {36}


def test_what_we_apply_again_and_what_waits(
    database: Database, other_database: Database, tmp_path: Path
) -> None:
    """The migration without a transaction, down and up; a yoyo that starts meanwhile waits."""
    project = write(tmp_path, dict(list(MIGRATIONS.items())[:4]))
    ours, theirs = Yoyo(database, project), Yoyo(other_database, project)
    for each in (ours, theirs):
        each.up()
    everything, framework = schema(database), Framework()
    connection = database.connect()
    assert connection.execute(_lock(database)).fetchone() == (True,)
    with database.connect() as asking:
        past = framework.history(
            asking.execute(framework.history_sql(TABLE).encode()).fetchall(),
            framework.files(project / "migrations"),
        )
    index = past.applied[0]
    assert index.version == "0001-index"
    for source, change in (
        (framework.down(index, project / "migrations"), framework.version_change),
        (framework.up(index, project / "migrations"), None),
    ):
        assert isinstance(source, Source)
        assert not source.transactional
        connection.execute(source.data)
        statements = (
            change(TABLE, index, past.applied[1])
            if change
            else framework.applied_change(TABLE, index)
        )
        for statement in statements:
            connection.execute(statement.encode(), binary=True)
    theirs.down()
    theirs.up()
    for name in TABLES:
        mine = rows(database, name, ignoring=(*BY_NATURE, "hostname"))
        assert mine == rows(other_database, name, ignoring=(*BY_NATURE, "hostname"))
    assert schema(database) == everything

    with connection.transaction():
        for statement in framework.transaction_lock(TABLE):
            connection.execute(statement.encode())
        other = database.connect()
        other.execute("SET lock_timeout = '200ms'")
        waits = "INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)"
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute(waits)
    other.execute(waits)  # as yoyo does, which leaves it there when it is killed
    assert connection.execute(_lock(database)).fetchone() == (False,)
    ours.run("break-lock")
    assert connection.execute(_lock(database)).fetchone() == (True,)


def _lock(database: Database) -> bytes:
    return str(Framework().lock_sql(database.name, TABLE)).encode()


def test_the_order_is_yoyos(database: Database, tmp_path: Path) -> None:
    """Many migrations that depend on each other at random, some of them on none."""
    chance = random.Random(6)
    names = [f"{place:02}" for place in range(40)]
    shuffled = chance.sample(names, len(names))
    files = {}
    for place, name in enumerate(shuffled):
        depends = chance.sample(shuffled[:place], min(place, chance.choice((0, 0, 1, 2, 3))))
        comment = f"-- depends: {' '.join(depends)}\n" if depends else ""
        files[f"{name}.sql"] = f"{comment}SELECT 1;"
        files[f"{name}.rollback.sql"] = "SELECT now();"
    project = write(tmp_path, files)
    real = Yoyo(database, project)
    real.up()
    listed = [version for _, version in real.status()]
    assert listed != names
    plan = rolled_back(database, project, steps=7)
    assert [m.version for m in plan.applied] == listed[::-1]
    assert real.status() == [("U" if v in listed[-7:] else "A", v) for v in listed]


def test_yoyo_forgets_what_has_no_rollback_file(database: Database, tmp_path: Path) -> None:
    """The reason why that is refused. The version table may be in another schema."""
    project = write(tmp_path, {"1.sql": "CREATE TABLE kept ();"})
    database.connect().execute('CREATE SCHEMA "Ops"')
    database.connect(superuser=True).execute(
        f"ALTER ROLE {database.owner} SET search_path = 'Ops'".encode()
    )
    real = Yoyo(database, project)
    real.up()
    table = VersionTable(schema="Ops", name="_yoyo_migration")
    with database.connect(autocommit=False) as connection:
        before = connection.execute(Framework().history_sql(table).encode()).fetchall()
        (applied,) = Framework().history(before, Framework().files(project / "migrations")).applied
        for statement in (
            *Framework().transaction_lock(table),
            *Framework().version_change(table, applied, None),
        ):
            connection.execute(statement.encode(), binary=True)
        assert connection.execute(Framework().history_sql(table).encode()).fetchall() == []
        connection.rollback()
    real.down()
    assert rows(database, "Ops._yoyo_migration") == []
    found = database.connect().execute("SELECT to_regclass('\"Ops\".kept')::text").fetchone()
    assert found == ("kept",)
