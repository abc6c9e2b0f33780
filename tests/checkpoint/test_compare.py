"""A restored database against its manifest: rows, contents, schema; and what is not known."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint.compare import compared
from rollback_tui.checkpoint.restore import restore_beside
from rollback_tui.checkpoint.verify import verify
from rollback_tui.config import CheckpointSettings
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import connect, with_database
from tests.checkpoint.conftest import HOSTILE, ROWS, Made, fill, make_checkpoint
from tests.conftest import Database, create_database, drop_database

# What has a text of its own in the catalog, and what a dump tends to say in other words.
RICH = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN short AS varchar(9) DEFAULT 'x' CHECK (VALUE <> 'bad');
CREATE FUNCTION f(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n + 1';
CREATE TABLE kinds (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  m mood DEFAULT 'ok', p pair, s short, price money, at timestamptz, span interval, raw bytea,
  ratio float8, many text[], doc jsonb, doubled int GENERATED ALWAYS AS (f(7)) STORED,
  status varchar(20) NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'paid', 'void')),
  EXCLUDE USING btree (status WITH =) WHERE (id < 0)
);
CREATE INDEX kinds_expression ON kinds (lower(status), f(id::int)) WHERE status <> 'void';
CREATE STATISTICS kinds_statistics (dependencies) ON status, at FROM kinds;
CREATE VIEW paid AS SELECT k.*, f(1) FROM kinds k
  WHERE status IN ('paid', 'void') AND id = ANY ('{1,2}');
CREATE MATERIALIZED VIEW counted AS SELECT status, count(*) FROM kinds GROUP BY 1;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON kinds FOR EACH ROW WHEN (OLD.status <> 'void')
  EXECUTE FUNCTION touch();
ALTER TABLE kinds ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON kinds FOR SELECT USING (status = ANY (ARRAY['new', 'paid']));
CREATE RULE quiet AS ON DELETE TO paid DO INSTEAD NOTHING;
GRANT SELECT (id, status) ON kinds TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC;
COMMENT ON TABLE kinds IS 'it''s';
CREATE SEQUENCE counting INCREMENT 5 OWNED BY kinds.ratio;
CREATE TABLE no_columns ();
INSERT INTO kinds (m, p, s, price, at, span, raw, ratio, many, doc)
SELECT 'sad', ROW(g, 'b'::text)::pair, NULL, (g * 1.1)::numeric::money,
       '2024-02-29 12:00+01'::timestamptz + g * interval '1 hour',
       g * interval '1 day', decode(md5(g::text), 'hex'), 1 / (g + 3.0), ARRAY[g::text, NULL, ''],
       json_build_object('g', g) FROM generate_series(1, 50) g;
"""
TABLES = len(ROWS) + len(HOSTILE) + 2


@pytest.fixture(scope="module")
def rich(server: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """The shop, and all kinds of things beside it."""
    created = create_database(server)  # type: ignore[arg-type]
    fill(created.connect())
    with psycopg.connect(created.dsn, autocommit=True) as there:
        there.execute(RICH)
    yield Made(created, make_checkpoint(created.dsn, tmp_path_factory.mktemp("rich")))
    drop_database(created)


@pytest.fixture(scope="module")
def back(rich: Made) -> str:
    """It, restored beside; goes with its owner."""
    own = rich.database.server.dsn("postgres", rich.database.owner)
    name = rich.database.name + "_back"
    restore_beside(rich.path, rich.database.dsn, own, name)
    return with_database(rich.database.dsn, name)


def test_the_manifest_has_schema_and_contents_of_the_dump(rich: Made) -> None:
    manifest = verify(rich.path).manifest
    assert mf.SCHEMA in {entry.path for entry in manifest.files}
    schema = mf.read_schema(rich.path, manifest)
    with connect(rich.database.dsn) as there:
        assert schema == catalog.snapshot(there)
    assert schema is not None and schema.fingerprint == manifest.schema_fingerprint
    assert len(manifest.tables) == TABLES
    assert all(table.fingerprint for table in manifest.tables)
    empty = {table.table for table in manifest.tables if table.fingerprint == "0"}
    assert empty == {"empty", "no_columns", HOSTILE[0]}
    assert manifest.database_bytes is not None and manifest.database_bytes > 1_000_000


def test_what_came_back_is_what_was_kept(rich: Made, back: str) -> None:
    found = compared(rich.path, back)
    assert found.differences == ()
    assert (found.tables, found.fingerprinted) == (TABLES, TABLES)
    # A varchar IN (…) is written down in other words when it has been through a dump.
    assert found.schema == "equivalent"
    assert "kinds" in found.schema_why


def test_what_differs_is_named(rich: Made, back: str) -> None:
    with psycopg.connect(back, autocommit=True) as there:
        for text in (
            "UPDATE users SET name = name || '!' WHERE id = 77",
            "UPDATE order_parts SET n = 299 WHERE n = 298",
            "DELETE FROM orders WHERE id = 7",
            "DROP INDEX kinds_expression",
            "ALTER TABLE kinds DISABLE TRIGGER touched",
            "ALTER TYPE mood ADD VALUE 'late'",
            "REVOKE SELECT (status) ON kinds FROM PUBLIC",
        ):
            there.execute(text.encode())
    found = compared(rich.path, back)
    assert {(d.kind, d.table) for d in found.differences if d.kind != "schema"} == {
        ("contents", "public.users"),
        ("contents", "public.order_parts_1"),
        ("rows", "public.orders"),
    }
    said = "\n".join(d.summary for d in found.differences if d.kind == "schema")
    for word in ("kinds_expression", "touched", "mood", "kinds.status"):
        assert word in said
    assert found.schema == "different" and not found.proven


def test_what_was_not_reached_is_not_known_and_no_difference(
    database: Database, project: Path
) -> None:
    database.connect().execute("CREATE TABLE t AS SELECT generate_series(1, 9) n")
    settings = CheckpointSettings(fingerprint_seconds=0)
    path = Path(make_checkpoint(database.dsn, project, settings=settings).path)
    (table,) = mf.read(path)[0].tables
    assert (table.rows, table.fingerprint) == (9, "")
    database.connect().execute("UPDATE t SET n = 0")
    found = compared(path, database.dsn)
    assert (found.tables, found.fingerprinted, found.differences) == (1, 0, ())


def test_a_manifest_of_format_1_knows_less(made: Made, tmp_path: Path) -> None:
    old = Path(shutil.copytree(made.path, tmp_path / "old"))
    manifest = json.loads((old / mf.MANIFEST).read_text())
    manifest["format"] = 1
    manifest["files"] = [entry for entry in manifest["files"] if entry["path"] != mf.SCHEMA]
    for name in ("fingerprint_method", "database_bytes"):
        del manifest[name]
    for table in manifest["tables"]:
        del table["fingerprint"]
    (old / mf.MANIFEST).write_text(json.dumps(manifest))
    found = compared(old, made.database.dsn)
    assert found.proven and found.fingerprinted == 0
    assert (found.schema, found.schema_why) == ("not compared", "the checkpoint does not have it")


def test_fingerprints_of_another_method_say_nothing(made: Made, tmp_path: Path) -> None:
    other = Path(shutil.copytree(made.path, tmp_path / "other"))
    text = (other / mf.MANIFEST).read_text()
    assert "sum of hashtextextended" in text
    (other / mf.MANIFEST).write_text(text.replace("sum of hashtextextended", "another sum"))
    found = compared(other, made.database.dsn)
    assert found.proven and found.fingerprinted == 0


def test_all_of_it_is_of_one_moment_though_the_application_writes(
    database: Database, project: Path
) -> None:
    """Values change and tables come while it is made: what is restored is still what was kept."""
    writer, maker = database.connect(), database.connect()
    writer.execute("CREATE TABLE t AS SELECT g id, 0 n FROM generate_series(1, 20000) g")
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            writer.execute("UPDATE t SET n = n + 1 WHERE id = %s", [1 + number % 20000])
            if number % 50 == 1:
                maker.execute(f"CREATE TABLE late_{number} (id int)".encode())

    thread = threading.Thread(target=write)
    thread.start()
    try:
        path = Path(make_checkpoint(database.dsn, project).path)
    finally:
        stop.set()
        thread.join()
    own = database.server.dsn("postgres", database.owner)
    restore_beside(path, database.dsn, own, database.name + "_back")
    found = compared(path, with_database(database.dsn, database.name + "_back"))
    assert found.differences == ()
    assert (found.schema, found.fingerprinted) == ("identical", found.tables)
    assert not compared(path, database.dsn).proven
