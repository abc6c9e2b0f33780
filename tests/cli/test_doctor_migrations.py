"""What ``doctor`` says of the migrations: what was recognised, why, and what to do otherwise."""

from __future__ import annotations

from pathlib import Path

from rollback_tui.cli.findings import Finding, shown_lines
from rollback_tui.cli.options import Common
from rollback_tui.cli.recognised import migration_findings
from rollback_tui.config import Migrations, Settings
from rollback_tui.postgres.connect import connect
from tests.conftest import Database

DBMATE = "-- migrate:up\nCREATE TABLE a();\n-- migrate:down\nDROP TABLE a;\n"


def told(database: Database, project: Path, **wanted: object) -> list[Finding]:
    """Return what is found; the settings are those of ``[migrations]``."""
    given = Common(
        dsn=database.dsn,
        settings=Settings(migrations=Migrations(**wanted)),  # type: ignore[arg-type]
        project=project,
        as_json=False,
    )
    with connect(database.dsn) as connection:
        return list(migration_findings(given, connection))


def test_what_was_looked_for_what_is_ruled_out_and_where_the_way_back_is(
    database: Database, tmp_path: Path
) -> None:
    (nothing,) = told(database, tmp_path)
    assert nothing.status == "bad"
    assert any("tables called" in one and "schema_migrations" in one for one in nothing.details)
    assert any("checkpoint create" in one for one in nothing.details)
    assert "Is it the right database?" in nothing.remedy

    shop = database.connect()
    shop.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
    shop.execute("INSERT INTO schema_migrations VALUES ('1')")
    (no_files,) = told(database, tmp_path)
    assert no_files.status == "bad"
    assert "no such directory" in no_files.what
    assert "has the shape of dbmate's" in no_files.details[0]

    directory = tmp_path / "db" / "migrations"
    directory.mkdir(parents=True)
    (directory / "1_a.sql").write_text(DBMATE)
    framework, way_back, applied, _ = told(database, tmp_path)
    assert framework.what == (
        f"framework: dbmate, version table public.schema_migrations, migrations in {directory}"
    )
    assert framework.details[-1] == f"{directory} is usual for it; it has 1 dbmate migration."
    assert (way_back.status, way_back.what) == ("ok", "down migrations: in files")
    assert applied.what == "1 migration applied, newest 1"

    (wrong,) = told(database, tmp_path, framework="golang-migrate")
    assert "Asked for: framework golang-migrate." in wrong.details


def test_a_finding_fits_80_columns_and_breaks_no_path() -> None:
    path = "/srv/" + "directory-" * 9 + "migrations"
    finding = Finding("bad", f"no such directory: {path}", "Name it. " * 20, ("Because. " * 20,))
    lines = list(shown_lines(finding, 80))
    assert all(len(line) <= 80 or line.strip() == path for line in lines)
    assert any(line.strip() == path for line in lines)
    assert len(list(shown_lines(finding, None))) == 3
    assert "\x1b" not in "".join(shown_lines(Finding("ok", "\x1b[2J"), 80))
