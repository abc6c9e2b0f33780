"""Atlas Community: its revisions, what failed, and what deleting the newest revision looks like."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_tui.config import Migrations, Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.atlas import Atlas, _fnv1
from rollback_tui.frameworks.protocol import Missing, VersionTable
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.survey.planning import make_plan
from tests.conftest import Database
from tests.frameworks.agreement import rolled_back, rows

FRAMEWORK = Atlas()
QUALIFIED = "atlas_schema_revisions.atlas_schema_revisions"

TABLE = f"""
CREATE SCHEMA atlas_schema_revisions;
CREATE TABLE {QUALIFIED} (
    version character varying NOT NULL PRIMARY KEY, description character varying NOT NULL,
    type bigint NOT NULL DEFAULT 2, applied bigint NOT NULL DEFAULT 0,
    total bigint NOT NULL DEFAULT 0, executed_at timestamptz NOT NULL,
    execution_time bigint NOT NULL, error text, error_stmt text, hash character varying NOT NULL,
    partial_hashes jsonb, operator_version character varying NOT NULL
);
INSERT INTO {QUALIFIED} (version, description, executed_at, execution_time, hash, operator_version)
VALUES ('.atlas_cloud_identifier', 'a-uuid', now(), 0, '', 'Atlas CLI v0.38.0');
"""
FILES = {
    "20240101000000_users.sql": "CREATE TABLE users (id int PRIMARY KEY);\n",
    "20240102000000.sql": "-- atlas:txmode none\n\nCREATE TABLE orders (id int PRIMARY KEY);\n",
    "20240103000000_odd.sql": "-- atlas:delimiter \\n\\n\\n\n\nCREATE TABLE odd (id int)\n\n\n",
    "atlas.sum": "h1:x\n",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "migrations").mkdir()
    for name, text in FILES.items():
        (tmp_path / "migrations" / name).write_text(text)
    return tmp_path


def entered(database: Database, version: str, applied: int = 1, error: str | None = None) -> None:
    """Enter a revision as ``atlas migrate apply`` does; its file has one statement."""
    database.connect().execute(
        f"INSERT INTO {QUALIFIED} (version, description, applied, total, executed_at,"
        " execution_time, error, hash, operator_version)"
        " VALUES (%s, 'x', %s, 1, now(), 1, %s, 'h', 'Atlas CLI v0.38.0')",
        [version, applied, error],
    )


def test_the_newest_revision_is_deleted_with_a_script_given_by_hand(
    database: Database, directory: Path
) -> None:
    database.connect().execute(TABLE)
    for version in ("20240102000000", "20240101000000"):  # not in their order
        entered(database, version)
    database.connect().execute("CREATE TABLE orders (id int)")

    plan = make_plan(database.connect(), Settings(), directory)
    assert (plan.current, plan.goal) == ("20240102000000", "20240101000000")
    assert plan.applied[0].applied_at is not None
    why = plan.migrations[0].why_no_script
    assert why.startswith("Atlas has no down migrations") and "atlas migrate apply" in why
    assert "--script FILE" in why and "checkpoint restore" in why and "atlas migrate down" in why

    (directory / "back.sql").write_text("DROP TABLE orders;\n")
    before = rows(database, QUALIFIED)
    rolled_back(database, directory, migrations=Migrations(script="back.sql"))
    assert rows(database, QUALIFIED) == [r for r in before if r["version"] != "20240102000000"]


@pytest.mark.parametrize(("applied", "error"), [(0, None), (1, "syntax error")])
def test_a_failed_revision_is_refused(
    database: Database, directory: Path, applied: int, error: str | None
) -> None:
    database.connect().execute(TABLE)
    entered(database, "20240101000000")
    entered(database, "20240102000000", applied, error)
    with pytest.raises(FrameworkError) as caught:
        make_plan(database.connect(), Settings(), directory)
    said = caught.value.summary
    assert f"{applied} of 1 statements" in said and "`atlas migrate set 20240101000000`" in said
    assert (error or "") in said


def test_files_and_their_directives(directory: Path) -> None:
    files = FRAMEWORK.files(directory / "migrations")
    assert [(f.version, f.name) for f in files] == [
        ("20240101000000", "users"),
        ("20240102000000", ""),
        ("20240103000000", "odd"),
    ]
    ups = [
        FRAMEWORK.up(AppliedMigration(version=f.version, name="", path=f.path), directory)
        for f in files
    ]
    assert isinstance(ups[0], Source) and ups[0].transactional
    assert isinstance(ups[1], Source) and not ups[1].transactional
    assert isinstance(ups[2], Missing) and "delimiter" in ups[2].why
    change = FRAMEWORK.applied_change(TABLE_OF, AppliedMigration(version="1", name=""))
    assert change == (), "a checksum that only it makes"


TABLE_OF = VersionTable(schema="atlas_schema_revisions", name="atlas_schema_revisions")


def test_the_lock_is_that_of_migrate_apply(database: Database) -> None:
    # Published values of FNV-1 with 32 bits.
    assert (_fnv1(""), _fnv1("a"), _fnv1("foobar")) == (0x811C9DC5, 0x050C5D7E, 0x31F0B262)
    taken = FRAMEWORK.lock_sql("db", TABLE_OF)
    assert taken is not None
    key = 0x811C9DC5
    for byte in b"atlas_migrate_execute":
        key = key * 16777619 % 2**32 ^ byte
    assert database.connect().execute(taken.encode()).fetchone() == (True,)
    theirs = database.connect()
    assert theirs.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone() == (False,)
    assert database.connect().execute(taken.encode()).fetchone() == (False,)


@pytest.mark.parametrize("name", ["atlas", "graphile-migrate", "pgroll", "refinery"])
def test_what_can_be_done_instead_is_said_in_lines_that_are_shown_whole(name: str) -> None:
    framework = FRAMEWORKS[name]
    found = framework.down(AppliedMigration(version="2" * 20, name=""), Path())
    assert framework.kind == "none" and isinstance(found, Missing)
    lines = found.why.splitlines()
    assert len(lines) >= 4
    # As much of a line as the evidence of a check shows, with the version before it.
    assert [line for line in lines if len(line) > 170] == []
    assert framework.about.instead
