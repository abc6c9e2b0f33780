from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from rollback_tui.checkpoint.properties import differences, read_properties
from rollback_tui.checkpoint.restore import beside_name, compare, restore_beside
from rollback_tui.checkpoint.verify import verify
from rollback_tui.core.errors import CheckpointError
from rollback_tui.postgres.connect import connect, with_database
from rollback_tui.postgres.server_tools import child_environment, find_tool
from tests.checkpoint.conftest import HOSTILE, ROWS, Made, fill, make_checkpoint
from tests.conftest import Database


@pytest.fixture
def maintenance(made: Made) -> str:
    """Connection string for the other database, as the owner."""
    return made.database.server.dsn("postgres", made.database.owner)


@pytest.fixture
def beside(made: Made) -> Iterator[str]:
    """A free name, whose database is dropped afterwards."""
    name = made.database.name + "_b"
    yield name
    with psycopg.connect(made.database.server.dsn(), autocommit=True) as admin:
        admin.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def exists(made: Made, name: str) -> bool:
    with psycopg.connect(made.database.server.dsn()) as admin:
        found = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    return found is not None


def test_restored_beside_and_proven(made: Made, maintenance: str, beside: str) -> None:
    heard: list[tuple[str, int, int]] = []
    dsn = made.database.dsn
    restore_beside(made.path, dsn, maintenance, beside, progress=lambda *s: heard.append(s))
    assert compare(made.path, with_database(dsn, beside)) == ()
    loaded = [one for one in heard if one[0].startswith("loading ")]
    assert [done for _, done, _ in loaded] == list(range(1, len(ROWS) + len(HOSTILE) + 1))
    assert any("two␊lines" in summary for summary, *_ in loaded)
    with psycopg.connect(with_database(dsn, beside)) as there:
        row = there.execute(
            "SELECT pg_get_userbyid(relowner), reltuples FROM pg_class WHERE relname = 'users'"
        ).fetchone()
    assert row == (made.database.owner, 5000)


def test_compare_is_exact(made: Made, maintenance: str, beside: str) -> None:
    dsn = made.database.dsn
    restore_beside(made.path, dsn, maintenance, beside)
    with psycopg.connect(with_database(dsn, beside), autocommit=True) as there:
        there.execute("DELETE FROM orders WHERE id = 7")
        there.execute("DROP TABLE empty")
        there.execute("CREATE TABLE added ()")
    found = compare(made.path, with_database(dsn, beside))
    assert {(one.kind, one.table) for one in found if one.kind != "schema"} == {
        ("rows", "public.orders"),
        ("missing", "public.empty"),
        ("extra", "public.added"),
    }
    rows = next(one for one in found if one.kind == "rows")
    assert rows.summary == "public.orders: 11,999 rows, the checkpoint had 12,000"


def test_what_was_not_counted_is_not_proven(made: Made, tmp_path: Path) -> None:
    copy = shutil.copytree(made.path, tmp_path / "copy")
    content = (copy / "manifest.json").read_text().replace('"rows": 5000', '"rows": null')
    (copy / "manifest.json").write_text(content)
    found = compare(copy, made.database.dsn)
    assert [(one.kind, one.table) for one in found] == [("not counted", "public.users")]


def test_a_damaged_checkpoint_is_refused_before_anything(
    made: Made, maintenance: str, beside: str, tmp_path: Path
) -> None:
    copy = shutil.copytree(made.path, tmp_path / "copy")
    os.truncate(copy / "dump" / "toc.dat", 100)
    with pytest.raises(CheckpointError, match="was altered"):
        restore_beside(copy, made.database.dsn, maintenance, beside)
    assert not exists(made, beside)


def test_a_name_that_is_taken_stays_as_it_is(made: Made, maintenance: str) -> None:
    dsn, name = made.database.dsn, made.database.name
    with pytest.raises(CheckpointError, match="cannot be created") as caught:
        restore_beside(made.path, dsn, maintenance, name)
    assert "another name" in caught.value.remedy
    assert compare(made.path, dsn) == ()


def test_failing_half_way_hurts_only_the_new_one(made: Made, maintenance: str, beside: str) -> None:
    """Abort in the middle of loading: the new database is dropped, the old one untouched."""
    stop = threading.Event()

    def heard(summary: str, _done: int, _total: int) -> None:
        if summary.startswith("loading "):
            stop.set()

    with pytest.raises(CheckpointError, match="aborted"):
        restore_beside(
            made.path, made.database.dsn, maintenance, beside, progress=heard, aborted=stop.is_set
        )
    assert not exists(made, beside)
    assert compare(made.path, made.database.dsn) == ()


def test_a_role_that_is_missing(
    database: Database, project: Path, made: Made, maintenance: str, beside: str
) -> None:
    """The archive names a role that is gone: stopped at the first error, new database dropped."""
    admin = database.connect(superuser=True)
    role = f"{database.owner}_gone"
    admin.execute(f"CREATE ROLE {role}")
    database.connect().execute("CREATE TABLE t AS SELECT 1")
    admin.execute(f"GRANT SELECT ON t TO {role}")
    checkpoint = make_checkpoint(database.dsn, project)
    admin.execute(f"REVOKE ALL ON t FROM {role}")
    admin.execute(f"DROP ROLE {role}")
    own = database.server.dsn("postgres", database.owner)
    with pytest.raises(CheckpointError, match="does not exist") as caught:
        restore_beside(Path(checkpoint.path), database.dsn, own, beside)
    assert "roles" in caught.value.remedy
    assert not exists(made, beside)


def test_without_createdb(database: Database, project: Path) -> None:
    checkpoint = make_checkpoint(database.dsn, project)
    database.connect(superuser=True).execute(f"ALTER ROLE {database.owner} NOCREATEDB")
    own = database.server.dsn("postgres", database.owner)
    with pytest.raises(CheckpointError, match="cannot be created") as caught:
        restore_beside(Path(checkpoint.path), database.dsn, own, database.name + "_b")
    assert "CREATEDB" in caught.value.remedy


def test_on_postgresql_16(database16: Database, project: Path) -> None:
    fill(database16.connect())
    checkpoint = Path(make_checkpoint(database16.dsn, project).path)
    manifest = verify(checkpoint).manifest
    assert manifest.pg_dump_major == 16
    name = database16.name + "_b"
    own = database16.server.dsn("postgres", database16.owner)
    restore_beside(checkpoint, database16.dsn, own, name)
    assert compare(checkpoint, with_database(database16.dsn, name)) == ()


def test_why_a_newer_pg_dump_is_not_taken_for_16(database16: Database, tmp_path: Path) -> None:
    """The reason for ``suits``: it dumps without complaint, and then cannot be restored."""
    dump, restore = find_tool("pg_dump", 18), find_tool("pg_restore", 18)
    assert dump is not None and restore is not None
    with child_environment(database16.dsn) as environment:
        subprocess.run([dump.path, "-Fd", "-f", tmp_path / "dump"], env=environment, check=True)
        done = subprocess.run(
            [restore.path, "--exit-on-error", "-d", database16.name, tmp_path / "dump"],
            env=environment,
            capture_output=True,
        )
    assert done.returncode != 0
    assert b"transaction_timeout" in done.stderr


def test_the_locale_of_the_original(database: Database, project: Path, beside: str) -> None:
    name = sql.Identifier(database.name)
    with psycopg.connect(database.server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {}").format(name))
        admin.execute(
            sql.SQL(
                "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'"
                " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'"
            ).format(name, sql.Identifier(database.owner))
        )
    with psycopg.connect(database.dsn, autocommit=True) as there:
        there.execute("CREATE TABLE t AS SELECT 1")
    checkpoint = Path(make_checkpoint(database.dsn, project).path)
    own = database.server.dsn("postgres", database.owner)
    restore_beside(checkpoint, database.dsn, own, beside)
    with connect(database.server.dsn()) as look:
        old, new = read_properties(look, database.name), read_properties(look, beside)
    assert (old.locale_provider, old.locale) == ("builtin", "C.UTF-8")
    assert differences(old, new) == ()


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
@settings(max_examples=200, deadline=None)
def test_a_name_beside_always_fits(database: str) -> None:
    name = beside_name(database, "__failed_12345678")
    assert 0 < len(name.encode()) <= 63
    assert name != database
    assert name.encode().decode() == name


def test_long_names_that_begin_alike_stay_two() -> None:
    first, second = "x" * 62 + "a", "x" * 62 + "b"
    assert beside_name(first, "__kept") != beside_name(second, "__kept")
    assert beside_name(first, "__kept").endswith("__kept")
    assert beside_name("shop", "__kept") == "shop__kept"


def test_restore_takes_no_longer_than_its_deadline(
    made: Made, maintenance: str, beside: str
) -> None:
    with pytest.raises(CheckpointError, match="took longer than"):
        restore_beside(made.path, made.database.dsn, maintenance, beside, seconds=0.01)
    assert not exists(made, beside)
