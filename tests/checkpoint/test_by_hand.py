"""``restore.sh`` as a person would use it: bash, the programs of PostgreSQL, and PG* variables."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from rollback_tui.checkpoint.properties import differences, read_properties
from rollback_tui.checkpoint.restore import compare
from rollback_tui.postgres.connect import connect, with_database
from tests.checkpoint.conftest import Made, make_checkpoint
from tests.conftest import Database


def by_hand(
    checkpoint: Path, database: Database, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run it with nothing but PATH and the connection in its environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "PGHOST": database.server.host,
        "PGPORT": str(database.server.port),
        "PGUSER": database.owner,
    }
    return subprocess.run(
        ["bash", str(checkpoint / "restore.sh"), *arguments],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(params=["_hand", "_a b'c\"d=\\e$(f)ü"])
def new_name(made: Made, request: pytest.FixtureRequest) -> Iterator[str]:
    """A free name; dropped afterwards."""
    name = made.database.name + str(request.param)
    yield name
    with psycopg.connect(made.database.server.dsn(), autocommit=True) as admin:
        admin.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def exists(database: Database, name: str) -> bool:
    with psycopg.connect(database.server.dsn()) as admin:
        row = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    return row is not None


def test_it_restores_beside(made: Made, new_name: str) -> None:
    done = by_hand(made.path, made.database, new_name)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert compare(made.path, with_database(made.database.dsn, new_name)) == ()
    assert compare(made.path, made.database.dsn) == ()
    assert f"ALTER DATABASE {made.database.name} RENAME TO" in done.stdout


def test_the_commands_it_prints_swap_the_two(database: Database, project: Path) -> None:
    database.connect().execute("CREATE TABLE t AS SELECT generate_series(1, 9) n")
    for connection in database.opened:
        connection.close()
    checkpoint = Path(make_checkpoint(database.dsn, project).path)
    with psycopg.connect(database.dsn, autocommit=True) as there:
        there.execute("DROP TABLE t")
    done = by_hand(checkpoint, database, database.name + "_new")
    commands = done.stdout.partition("transaction):\n")[2]
    own = database.server.dsn("postgres", database.owner)
    with psycopg.connect(own, autocommit=True) as maintenance:
        maintenance.execute(commands)
    assert compare(checkpoint, database.dsn) == ()
    assert exists(database, database.name + "__replaced")


def test_what_belongs_to_the_database_comes_back(database: Database, project: Path) -> None:
    admin = database.connect(superuser=True)
    name = sql.Identifier(database.name)
    for statement in (
        "COMMENT ON DATABASE {} IS 'it''s \\ :new, two\nlines'",
        "ALTER DATABASE {} CONNECTION LIMIT 17",
        'ALTER DATABASE {} SET search_path = "$user", public, "we,ird""one"',
        "ALTER DATABASE {} SET work_mem = '7MB'",
        "REVOKE CONNECT ON DATABASE {} FROM PUBLIC",
        "GRANT CREATE ON DATABASE {} TO pg_monitor WITH GRANT OPTION",
    ):
        admin.execute(sql.SQL(statement).format(name))
    checkpoint = Path(make_checkpoint(database.dsn, project).path)
    done = by_hand(checkpoint, database, database.name + "_new")
    assert done.returncode == 0, done.stderr
    with connect(database.server.dsn()) as look:
        old = read_properties(look, database.name)
        new = read_properties(look, database.name + "_new")
    assert differences(old, new) == ()
    assert old.connection_limit == 17 and len(old.settings) == 2


def test_never_over_its_own_database(made: Made) -> None:
    done = by_hand(made.path, made.database, made.database.name)
    assert done.returncode == 1
    assert "never restored over its own database" in done.stderr
    assert compare(made.path, made.database.dsn) == ()


@pytest.mark.parametrize("arguments", [(), ("a", "b"), ("--help",), ("",)])
def test_usage(made: Made, arguments: tuple[str, ...]) -> None:
    done = by_hand(made.path, made.database, *arguments)
    assert done.returncode == 2
    assert "usage:" in done.stderr


def test_a_flipped_bit_is_refused(made: Made, tmp_path: Path) -> None:
    copy = shutil.copytree(made.path, tmp_path / "copy")
    file = max((copy / "dump").iterdir(), key=lambda one: one.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    name = made.database.name + "_damaged"
    done = by_hand(copy, made.database, name)
    assert done.returncode == 1
    assert "altered or is incomplete" in done.stderr
    assert not exists(made.database, name)


def test_a_file_too_many_is_refused(made: Made, tmp_path: Path) -> None:
    copy = shutil.copytree(made.path, tmp_path / "copy")
    (copy / "dump" / "extra").write_text("")
    done = by_hand(copy, made.database, made.database.name + "_extra")
    assert done.returncode == 1
    assert "not of it" in done.stderr


def test_a_name_that_is_taken_is_not_dropped(made: Made, database: Database) -> None:
    database.connect().execute("CREATE TABLE precious ()")
    done = by_hand(made.path, made.database, database.name)
    assert done.returncode == 1
    assert exists(database, database.name)


def test_failing_half_way_removes_the_new_one(database: Database, project: Path) -> None:
    admin = database.connect(superuser=True)
    role = f"{database.owner}_gone"
    admin.execute(f"CREATE ROLE {role}")
    database.connect().execute("CREATE TABLE t AS SELECT 1")
    admin.execute(f"GRANT SELECT ON t TO {role}")
    checkpoint = Path(make_checkpoint(database.dsn, project).path)
    admin.execute(f"REVOKE ALL ON t FROM {role}")
    admin.execute(f"DROP ROLE {role}")
    done = by_hand(checkpoint, database, database.name + "_new")
    assert done.returncode != 0
    assert "removing the new database" in done.stderr
    assert not exists(database, database.name + "_new")
    assert exists(database, database.name)
