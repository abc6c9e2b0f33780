"""``restore.sh`` as a person would use it: bash, the programs of PostgreSQL, and PG* variables."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from rollback_tui.checkpoint.properties import differences, read_properties
from rollback_tui.checkpoint.prove import prove
from rollback_tui.checkpoint.restore import compare, compared, restore_beside
from rollback_tui.checkpoint.verify import verify
from rollback_tui.core.errors import CheckpointError
from rollback_tui.postgres.connect import connect, with_database
from tests.checkpoint.conftest import Made, make_checkpoint
from tests.conftest import Database


def by_hand(
    checkpoint: Path, database: Database, *arguments: str, user: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run it with nothing but PATH and the connection in its environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "PGHOST": database.server.host,
        "PGPORT": str(database.server.port),
        "PGUSER": user or database.owner,
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


def test_owners_and_grants_come_back(database: Database, project: Path) -> None:
    """Of the objects, too: the schema is compared with the one that was dumped."""
    admin = database.connect(superuser=True)
    other = f"{database.owner}_other"
    admin.execute(f"CREATE ROLE {other}")
    admin.execute(f"GRANT {other} TO {database.owner}")
    for text in (
        f"CREATE SCHEMA side AUTHORIZATION {other}",
        "CREATE TABLE side.t AS SELECT generate_series(1, 9) n",
        f"ALTER TABLE side.t OWNER TO {other}",
        "CREATE FUNCTION side.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        f"GRANT SELECT (n) ON side.t TO {database.owner} WITH GRANT OPTION",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {other} GRANT SELECT ON TABLES TO {database.owner}",
    ):
        admin.execute(text.encode())
    checkpoint = Path(make_checkpoint(database.superuser_dsn, project).path)
    name = database.name + "_new"
    done = by_hand(checkpoint, database, name, user="postgres")
    assert done.returncode == 0, done.stderr
    found = compared(checkpoint, with_database(database.superuser_dsn, name))
    assert (found.differences, found.schema, found.fingerprinted) == ((), "identical", 1)
    with psycopg.connect(database.server.dsn(), autocommit=True) as postgres:
        for each in (name, database.name):
            postgres.execute(f'DROP DATABASE "{each}" WITH (FORCE)'.encode())
        postgres.execute(f"DROP ROLE {other}")
        postgres.execute(f'CREATE DATABASE "{database.name}" OWNER {database.owner}'.encode())


@pytest.mark.parametrize("gone", [False, True])
def test_of_a_database_that_was_renamed_or_dropped(
    database: Database, project: Path, gone: bool
) -> None:
    database.connect().execute("CREATE TABLE t AS SELECT generate_series(1, 9) n")
    for connection in database.opened:
        connection.close()
    checkpoint = Path(make_checkpoint(database.dsn, project).path)
    own = database.server.dsn("postgres", database.owner)
    away = f'DROP DATABASE "{database.name}"'
    if not gone:
        away = f'ALTER DATABASE "{database.name}" RENAME TO "{database.name}_away"'
    with psycopg.connect(own, autocommit=True) as maintenance:
        maintenance.execute(away.encode())
        done = by_hand(checkpoint, database, database.name + "_new")
        assert done.returncode == 0, done.stderr
        maintenance.execute(done.stdout.partition("transaction):\n")[2])
    assert compare(checkpoint, database.dsn) == ()
    assert exists(database, database.name + "_away") is not gone


def test_a_proven_one_restores_too(made: Made, tmp_path: Path) -> None:
    copy = shutil.copytree(made.path, tmp_path / "copy")
    own = made.database.server.dsn("postgres", made.database.owner)
    assert prove(copy, made.database.dsn, own).proof is not None
    done = by_hand(copy, made.database, made.database.name + "_proven")
    assert done.returncode == 0, done.stderr


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


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def largest(checkpoint: Path) -> Path:
    return max((checkpoint / "dump").iterdir(), key=lambda one: one.stat().st_size)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "one bit of the data": lambda copy: flip(largest(copy)),
    "one bit of the schema": lambda copy: flip(copy / "schema.json"),
    "one bit of the manifest": lambda copy: flip(copy / "manifest.json"),
    "truncated": lambda copy: os.truncate(largest(copy), largest(copy).stat().st_size // 2),
    "a sum": lambda copy: flip(copy / "SHA256SUMS"),
    "the schema is gone": lambda copy: (copy / "schema.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_refused_by_hand_by_verify_and_by_restore(
    made: Made, tmp_path: Path, damage: str
) -> None:
    copy = Path(shutil.copytree(made.path, tmp_path / "copy"))
    DAMAGES[damage](copy)
    name = made.database.name + "_damaged"
    done = by_hand(copy, made.database, name)
    assert done.returncode == 1
    assert "altered or is incomplete" in done.stderr
    own = made.database.server.dsn("postgres", made.database.owner)
    with pytest.raises(CheckpointError):
        verify(copy)
    with pytest.raises(CheckpointError):
        restore_beside(copy, made.database.dsn, own, name)
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
