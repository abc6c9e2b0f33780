"""Down migrations that only their tool can run, captured on a scratch copy."""

from __future__ import annotations

import contextlib
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg
import pytest

from rollback_tui.config import Migrations, Settings
from rollback_tui.core.errors import FrameworkError, RollbackTuiError
from rollback_tui.core.model import Plan
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.frameworks import captured
from rollback_tui.frameworks.captured import Capture
from rollback_tui.parser import Parser
from rollback_tui.postgres.gateway import Gateway
from rollback_tui.rehearsal.belonging import Belonging
from rollback_tui.rehearsal.capturing import capture
from rollback_tui.rehearsal.literals import Literals, substituted
from rollback_tui.rehearsal.sent import Unclear, done, one_by_one
from rollback_tui.rehearsal.sorting import Sorted, Sorter
from rollback_tui.survey.planning import make_plan
from tests.conftest import Database, create_database, drop_database
from tests.rehearsal import captured_tool

UP = """
CREATE TABLE done (version text PRIMARY KEY);
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL);
INSERT INTO done VALUES ('1');
ALTER TABLE users ADD COLUMN flag boolean;
CREATE INDEX users_email ON users (email);
INSERT INTO done VALUES ('2');
CREATE TABLE orders (id int PRIMARY KEY);
INSERT INTO done VALUES ('3');
INSERT INTO users VALUES (1, 'a@example.com', true);
"""
DOWNS = {
    "1_users": "connection.execute('DROP TABLE users')",
    "2_flags": """
connection.execute("UPDATE users SET email = %s WHERE id = %s", ["o'hara \\\\ $1", 7])
connection.execute("DROP INDEX users_email")
connection.execute("ALTER TABLE users DROP COLUMN flag")
""",
    "3_orders": "connection.execute('DROP TABLE orders')",
}


@dataclass
class Project:
    """A database and the code that was deployed to it."""

    database: Database
    path: Path
    settings: Settings

    def write(self, name: str, code: str) -> None:
        """Give a migration another way down."""
        (self.path / "migrations" / f"{name}.py").write_text(code)

    def configured(self, **changes: object) -> None:
        """Change ``[migrations]``."""
        migrations = msgspec.structs.replace(self.settings.migrations, **changes)
        self.settings = msgspec.structs.replace(self.settings, migrations=migrations)

    def capture(
        self, steps: int = 1, stop: threading.Event | None = None
    ) -> tuple[tuple[Capture, ...], list[str]]:
        """Capture; return what was captured, and what was said."""
        said: list[str] = []
        found = capture(
            self.database.dsn,
            self.settings,
            self.path,
            steps=steps,
            version=None,
            said=said.append,
            stop=stop or threading.Event(),
        )
        return found.made, said

    def plan(self, steps: int = 1) -> Plan:
        """Plan, as the preview does."""
        with self.database.connect() as connection:
            return make_plan(connection, self.settings, self.path, steps=steps)

    def versions(self) -> list[str]:
        """Return what is applied."""
        with self.database.connect() as connection:
            rows = connection.execute("SELECT version FROM done ORDER BY version DESC").fetchall()
        return [str(row[0]) for row in rows]

    def scratch_databases(self) -> int:
        """Return how many scratch copies there are."""
        with self.database.connect() as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_database WHERE starts_with(datname, %s)",
                [self.database.name + "__"],
            ).fetchone()
        assert row is not None
        return int(str(row[0]))

    @property
    def called(self) -> bool:
        """Whether the tool's down command has run anything."""
        return (self.path / "called").exists()


@pytest.fixture
def project(database: Database, tmp_path: Path) -> Project:
    """Three migrations applied."""
    with database.connect() as connection:
        connection.execute(UP.encode())
    (tmp_path / "migrations").mkdir()
    made = Project(
        database,
        tmp_path,
        Settings(
            migrations=Migrations(
                framework="other",
                table="public.done",
                version_column="version",
                command=(sys.executable, captured_tool.__file__),
                status_command=("status",),
                down_command=("down", "{version}"),
            )
        ),
    )
    for name, code in DOWNS.items():
        made.write(name, code)
    return made


# --- from the tool to the plan -----------------------------------------------------------------


def test_what_the_tool_sends_is_the_script(project: Project) -> None:
    before = project.plan(2)
    assert [m.capturable for m in before.migrations] == [True, True]
    assert "rollback-tui capture" in before.migrations[0].why_no_script
    made, said = project.capture(2)
    assert [one.version for one in made] == ["3", "2"]
    assert made[0].statements == ("DROP TABLE orders",)
    assert made[1].statements == (
        "UPDATE users SET email = E'o''hara \\\\ $1'::text WHERE id = '7'::smallint",
        "DROP INDEX users_email",
        "ALTER TABLE users DROP COLUMN flag",
    )
    assert [one.version_change for one in made] == [
        ("DELETE FROM done WHERE version = '3'::text",),
        ("DELETE FROM done WHERE version = '2'::text",),
    ]
    assert {why for one in made for _, why in one.left_out} == {
        "it controls the transaction, which the run does itself"
    }
    assert "asking the tool for its status" in said
    assert project.versions() == ["3", "2", "1"]
    assert project.scratch_databases() == 0

    plan = project.plan(2)
    assert not any(m.capturable or m.why_no_script for m in plan.migrations)
    script = plan.migrations[0].script
    assert script is not None
    assert script.origin.startswith(f"captured from `{sys.executable}")
    assert script.file_sha256 == made[0].file_sha256
    with project.database.connect(autocommit=False) as connection:
        for migration in plan.migrations:
            assert migration.script is not None
            assert not migration.script.problems
            for statement in migration.script.statements:
                connection.execute(statement.sql.encode(), binary=True)
            for change in migration.version_change:
                connection.execute(change.encode(), binary=True)
        connection.commit()
        assert project.versions() == ["1"]
        columns = connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum > 0"
            " AND NOT attisdropped ORDER BY attnum"
        ).fetchall()
        assert columns == [("id",), ("email",)]
        assert connection.execute("SELECT to_regclass('orders')").fetchone() == (None,)


def test_it_is_kept_for_this_user_and_holds_only_for_the_same_state(project: Project) -> None:
    project.capture(2)
    path = captured.stored(project.path / "rollback_runs", "other", "3")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    project.write("3_orders", DOWNS["3_orders"] + "\n")
    changed = project.plan(2).migrations
    assert "its file has changed" in changed[0].why_no_script
    assert changed[0].capturable
    assert changed[1].script is not None
    project.write("3_orders", DOWNS["3_orders"])
    assert project.plan().migrations[0].script is not None
    with project.database.connect() as connection:
        connection.execute("DELETE FROM done WHERE version = '1'")
    assert "other migrations were applied" in project.plan().migrations[0].why_no_script
    other = create_database(project.database.server)
    with other.connect() as connection:
        connection.execute(UP.encode())
    moved = Project(other, project.path, project.settings)
    assert "another target" in moved.plan().migrations[0].why_no_script
    drop_database(other)


def test_a_migration_that_reads_rows_is_no_script(project: Project) -> None:
    project.write(
        "3_orders",
        "for (one,) in connection.execute('SELECT id FROM users'):\n"
        "    connection.execute('DELETE FROM orders WHERE id = %s', [one])\n"
        "connection.execute('DROP TABLE orders')",
    )
    (made,), _ = project.capture()
    assert made.reads == ("users",)
    assert "the tool read rows of users" in made.refused
    migration = project.plan().migrations[0]
    assert migration.script is None
    assert "the tool read rows of users" in migration.why_no_script
    assert "--script FILE" in migration.why_no_script


# --- a tool that goes where it is not told -----------------------------------------------------


def test_a_tool_that_goes_elsewhere_is_not_called_for_its_way_down(project: Project) -> None:
    """The real database is in its own configuration."""
    real = project.database.dsn
    project.configured(environment={"TOOL_STATUS_URL": real, "TOOL_DOWN_URL": real})
    with pytest.raises(FrameworkError, match="did not connect to where it was told") as caught:
        project.capture()
    assert "environment" in caught.value.remedy
    assert not project.called
    assert project.versions() == ["3", "2", "1"]
    assert project.scratch_databases() == 0


def test_one_that_asks_here_and_acts_there_cannot_take_the_version(project: Project) -> None:
    """Its status comes through the gateway, its way down goes to the real database: there the
    version table is held, and the tool is ended before it can commit."""
    project.configured(environment={"TOOL_DOWN_URL": project.database.dsn}, seconds=3)
    with pytest.raises(FrameworkError, match=r"waited to change public\.done of the real"):
        project.capture()
    assert project.called
    assert project.versions() == ["3", "2", "1"]
    with project.database.connect() as connection:
        assert connection.execute("SELECT to_regclass('orders')").fetchone() != (None,)


def test_a_status_that_reads_something_else_proves_nothing(project: Project) -> None:
    project.configured(
        command=(sys.executable, "-c"),
        status_command=(
            "import os, psycopg; psycopg.connect(os.environ['DATABASE_URL']).execute('SELECT 1')",
        ),
    )
    with pytest.raises(FrameworkError, match=r"did not read public\.done there"):
        project.capture()


def test_a_status_that_fails_is_not_blamed_on_missing_rows(project: Project) -> None:
    project.configured(command=(sys.executable, "-c"), status_command=("raise SystemExit(3)",))
    with pytest.raises(FrameworkError, match="failed: exit code 3") as caught:
        project.capture()
    assert caught.value.remedy.startswith("Only its status was asked")
    assert "rows" not in caught.value.remedy
    assert not project.called


def test_a_status_that_changes_what_is_applied_is_none(project: Project) -> None:
    project.configured(status_command=("down", "3"))
    with pytest.raises(FrameworkError, match=r"did not read|changed what is applied"):
        project.capture()
    assert project.versions() == ["3", "2", "1"]


# --- other ends ----------------------------------------------------------------------------------


def test_a_call_that_takes_back_more_than_one_is_refused(project: Project) -> None:
    project.write("3_orders", "connection.execute(DOWN, ['2'])")
    with pytest.raises(FrameworkError, match="did not take back exactly 3: now 1 is the newest"):
        project.capture()
    assert project.versions() == ["3", "2", "1"]


def test_what_fails_there_fails_here(project: Project) -> None:
    project.write("3_orders", "connection.execute('DROP TABLE no_such_table')")
    with pytest.raises(FrameworkError, match='table "no_such_table" does not exist') as caught:
        project.capture()
    assert "the real database is as it was" in caught.value.remedy
    assert project.scratch_databases() == 0


def test_it_can_be_stopped(project: Project) -> None:
    project.write("3_orders", "connection.execute('SELECT pg_sleep(600)')")
    stop = threading.Event()
    timer = threading.Timer(2, stop.set)
    timer.start()
    with pytest.raises(RollbackTuiError, match="stopped"):
        project.capture(stop=stop)
    timer.join()
    assert project.scratch_databases() == 0


def test_what_is_not_configured_is_said(project: Project) -> None:
    project.configured(status_command=())
    why = project.plan().migrations[0].why_no_script
    assert "rollback.toml does not say how it is called ([migrations] status_command)" in why
    with pytest.raises(FrameworkError, match="3 cannot be captured"):
        project.capture()
    (project.path / "migrations" / "3_orders.py").unlink()
    why = project.plan().migrations[0].why_no_script
    assert "not the code that was deployed" in why
    assert not project.plan().migrations[0].capturable


# --- what was sent, sorted -----------------------------------------------------------------------


@dataclass
class Desk:
    """A database on whose gateway statements are tried."""

    database: Database
    gateway: Gateway
    parser: Parser
    inside: psycopg.Connection[tuple[object, ...]]
    values: psycopg.Connection[tuple[object, ...]]


@pytest.fixture(scope="module")
def desk(server: EmbeddedServer) -> Iterator[Desk]:
    """One for all."""
    made = create_database(server)
    with made.connect() as connection:
        connection.execute(UP.encode())
        connection.execute(
            "CREATE TABLE tool_lock (id int); INSERT INTO tool_lock VALUES (0);"
            "CREATE SCHEMA app; CREATE TABLE app.done (version text);"
            "CREATE SEQUENCE numbers;"
            "CREATE FUNCTION silent() RETURNS void LANGUAGE sql AS '';"
            "CREATE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )
    with Gateway(made.dsn, read_only=False) as gateway, Parser() as parser:
        yield Desk(made, gateway, parser, made.connect(), made.connect())
    drop_database(made)


Sent = str | tuple[str, Sequence[object]]


def sent(desk: Desk, *statements: Sent) -> Sorted:
    """Send each by itself, over one session of its own; what fails was caught."""
    before = len(desk.gateway.recording.entries)
    opened = psycopg.connect(desk.gateway.address.url, autocommit=True)
    with contextlib.closing(opened) as client:
        for statement in statements:
            text, values = statement if isinstance(statement, tuple) else (statement, None)
            with contextlib.suppress(psycopg.Error):
                client.execute(text.encode(), values, binary=bool(values))
    kept, undone = done(one_by_one(desk.gateway.recording.entries[before:], desk.parser))
    belonging = Belonging(desk.inside, "public.done", ("public.tool_lock",))
    found = Sorter(belonging, lambda name, _: name != "timezone").sort(kept)
    belonging.under(())
    literals = Literals(desk.values)
    written = tuple(
        one._replace(text=literals.written_into(one.text, one.parameters))
        for one in found.statements
    )
    return found._replace(statements=written, left_out=(*undone, *found.left_out))


def texts(found: Sorted) -> list[str]:
    return [one.text for one in found.statements]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("SET statement_timeout = '5s'", "session"),
        ("SET TimeZone = 'UTC'", "already"),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "transaction"),
        ("SHOW server_version", "session"),
        ("SELECT version(), current_schema(), now()", "only asks"),
        ("SELECT * FROM pg_catalog.pg_class c JOIN pg_namespace n ON true", "only asks"),
        ("SELECT table_name FROM information_schema.tables", "only asks"),
        ("SELECT version FROM done ORDER BY 1", "tool's own"),
        ("WITH users AS (SELECT 1) SELECT * FROM users", "only asks"),
        ("SELECT * FROM tool_lock FOR UPDATE", "tool's own"),
        ("UPDATE tool_lock SET id = 1", "tool's own"),
        ("LOCK TABLE tool_lock", "it failed"),
        ("BEGIN; LOCK TABLE done, tool_lock; COMMIT", "tool's own"),
        ("CREATE TABLE IF NOT EXISTS done (version text)", "tool's own"),
        ("SELECT pg_advisory_lock(1), pg_advisory_unlock(1)", "lock of the tool"),
        ("SELECT set_config('application_name', 'x', false)", "session"),
        ("DROP TABLE no_such_table", "it failed"),
        ("CREATE TABLE x (); SELECT 1/0", "one transaction"),
        ("BEGIN; CREATE TABLE x (); ROLLBACK", "was rolled back"),
        ("BEGIN; SAVEPOINT a; CREATE TABLE x (); ROLLBACK TO a; COMMIT", "to a savepoint"),
        ("BEGIN; CREATE TABLE x ()", "never committed"),
        ("DISCARD PLANS", "session"),
    ],
)
def test_what_is_left_out(desk: Desk, statement: str, why: str) -> None:
    found = sent(desk, statement)
    assert texts(found) == []
    assert found.version_change == ()
    assert found.refused == ""
    reasons = [one.why for one in found.left_out]
    assert any(why in reason for reason in reasons), reasons


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE users ALTER COLUMN email SET DEFAULT 'x'",
        "DO $$ BEGIN PERFORM 1; END $$",
        "SELECT setval('numbers', 5)",
        "SELECT silent()",
        "INSERT INTO users SELECT 99, 'x' FROM users WHERE false",
        "UPDATE users SET email = 'b' WHERE id = 99",
        "COMMENT ON TABLE users IS 'x'",
        "LOCK TABLE users; SELECT 1",
    ],
)
def test_what_is_the_script(desk: Desk, statement: str) -> None:
    found = sent(desk, statement)
    assert found.refused == ""
    assert texts(found) == [statement.partition(";")[0] if "LOCK" in statement else statement]


@pytest.mark.parametrize(
    "setting",
    ["SET search_path = app, public", "SELECT set_config('search_path', 'app', false)"],
)
def test_a_setting_counts_where_something_is_done_under_it(desk: Desk, setting: str) -> None:
    change = "COMMENT ON TABLE public.users IS 'more'"
    assert texts(sent(desk, f"{setting}; {change}")) == [setting, change]
    alone = sent(desk, setting)
    assert texts(alone) == []
    assert any("changed nothing" in one.why for one in alone.left_out)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("SELECT count(*) FROM users", "read rows of users"),
        ("SELECT 1 WHERE EXISTS (SELECT FROM app.done)", r"read rows of app\.done"),
        ("UPDATE users SET email = 'x' RETURNING id", "returns what it changes"),
        ("WITH d AS (DELETE FROM users WHERE false RETURNING *) SELECT * FROM d", "returns"),
        ("SELECT answer()", "whose answer the tool may use"),
        ("SELECT nextval('numbers')", "whose answer the tool may use"),
        ("DELETE FROM done USING users WHERE false", "mixes"),
        ("INSERT INTO users SELECT 5, version FROM done WHERE false", "mixes"),
        ("ALTER TABLE done ADD COLUMN x int", "version table itself"),
        ("PREPARE p AS SELECT 1", "cannot be followed"),
        ("EXPLAIN SELECT 1", "a plan may decide"),
        ("SET standard_conforming_strings = off", "where strings end"),
        ("SELECT set_config('search' || '_path', 'app', false)", "which setting"),
    ],
)
def test_what_is_refused(desk: Desk, statement: str, why: str) -> None:
    found = sent(desk, statement)
    with pytest.raises(AssertionError, match=why):
        assert found.refused == "", found.refused


def test_names_are_those_of_the_session(desk: Desk) -> None:
    """With another search_path, done is a table of the application."""
    found = sent(desk, "DELETE FROM done WHERE version = 'x'")
    assert [one.text for one in found.version_change] == ["DELETE FROM done WHERE version = 'x'"]
    found = sent(desk, "SET search_path = app", "DELETE FROM done WHERE version = 'x'")
    assert texts(found) == ["SET search_path = app", "DELETE FROM done WHERE version = 'x'"]
    found = sent(desk, "SET search_path = app", "DELETE FROM public.done WHERE version = 'x'")
    assert len(found.version_change) == 1


def test_settings_of_a_migration_that_does_nothing_are_no_script(desk: Desk) -> None:
    found = sent(desk, "SET search_path = app, public", "DELETE FROM public.done WHERE false")
    assert (texts(found), len(found.version_change), found.refused) == ([], 1, "")
    found = sent(
        desk, "SET search_path = app", "CREATE TEMP TABLE x ()", "SET search_path = public"
    )
    assert len(texts(found)) == 2
    with desk.database.connect() as connection:
        connection.execute("CREATE SCHEMA far; CREATE TABLE far.books (version text)")
    far = Belonging(desk.inside, "far.books", ())
    entries = len(desk.gateway.recording.entries)
    with psycopg.connect(desk.gateway.address.url, autocommit=True) as client:
        client.execute("SET search_path = far")
        client.execute("DELETE FROM books")
    kept, _ = done(one_by_one(desk.gateway.recording.entries[entries:], desk.parser))
    assert "only the tool's search_path" in Sorter(far, lambda *_: True).sort(kept).refused
    far.under(())


def test_savepoints_within_a_transaction(desk: Desk) -> None:
    found = sent(
        desk,
        "BEGIN",
        "COMMENT ON TABLE users IS 'one'",
        "SAVEPOINT a",
        "COMMENT ON TABLE users IS 'two'",
        "SAVEPOINT b",
        "DROP TABLE no_such_table",
        "ROLLBACK TO SAVEPOINT b",
        "COMMENT ON TABLE users IS 'three'",
        "RELEASE a",
        "COMMENT ON TABLE users IS 'four'",
        "COMMIT",
    )
    assert [text.rpartition(" ")[2] for text in texts(found)] == [
        f"'{word}'" for word in ("one", "two", "three", "four")
    ]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "NULL::text"),
        ("o'hara", "'o''hara'::text"),
        ("back\\slash", "E'back\\\\slash'::text"),
        (b"\x00\xff", "E'\\\\x00ff'::bytea"),
        ([1, 2], "'{1,2}'::smallint[]"),
        (1.5, "'1.5'::double precision"),
        (True, "'t'::boolean"),
    ],
)
def test_values_are_written_down_as_they_were_bound(
    desk: Desk, value: object, written: str
) -> None:
    found = sent(desk, ("UPDATE users SET email = (%s)::text WHERE false", [value]))
    assert texts(found) == [f"UPDATE users SET email = ({written})::text WHERE false"]
    with desk.database.connect() as connection:
        connection.execute(texts(found)[0].encode())


def test_parameters_are_told_from_what_looks_like_them() -> None:
    values = {1: "'x'", 2: "'{1}'::integer[]", 10: "'ö'"}
    text = "SELECT $1, '$1', a$1, \"$1\", $$ $1 $$, ($2)[1], $2[1], 'ö'||$10 /* $1 */ -- $1"
    assert substituted(text, values) == (
        "SELECT 'x', '$1', a$1, \"$1\", $$ $1 $$, ('{1}'::integer[])[1],"
        " ('{1}'::integer[])[1], 'ö'||'ö' /* $1 */ -- $1"
    )
    with pytest.raises(Unclear, match=r"\$3 has no value"):
        substituted("SELECT $3", values)


def test_sessions_that_change_the_database_together_are_refused(desk: Desk) -> None:
    before = len(desk.gateway.recording.entries)
    url = desk.gateway.address.url
    clients = [psycopg.connect(url, autocommit=True) for _ in range(2)]
    for number, client in enumerate((*clients, clients[0])):
        client.execute(f"COMMENT ON TABLE users IS '{number}'".encode())
    for client in clients:
        client.close()
    kept, undone = done(one_by_one(desk.gateway.recording.entries[before:], desk.parser))
    assert undone == []
    belonging = Belonging(desk.inside, "public.done", ())
    assert "several sessions" in Sorter(belonging, lambda *_: True).sort(kept).refused
    in_turn = sorted(kept, key=lambda one: one.session)
    assert Sorter(belonging, lambda *_: True).sort(in_turn).refused == ""
