"""After our rollback the real sqitch must agree."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from rollback_tui.config import Settings
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.protocol import VersionTable
from rollback_tui.frameworks.sqitch.conf import configuration
from rollback_tui.frameworks.sqitch.framework import Sqitch as Framework
from rollback_tui.survey.planning import make_plan
from tests.conftest import Database
from tests.frameworks import installed
from tests.frameworks.agreement import agree, rolled_back, rows, schema

PLAN = """\
%syntax-version=1.0.0
# Everything the shop has.
%project=shop
%uri=https://GitHub.com:443/acme/%7eshop

appschema 2024-01-01T09:00:00Z Ann Roe <ann@example.org> # A schema of its own.
users [appschema] 2024-01-02T09:00:00Z Ann Roe <ann@example.org> # Who.\\nTwo, \\\\ and "c".
@v1.0 2024-01-03T09:00:00Z Ann Roe <ann@example.org> # First release.
@v1.0.1 2024-01-03T10:00:00Z Ann Roe <ann@example.org>

# The second release.
tools/clean-up [users shop:appschema !legacy:invoices] 2024-01-04T09:00:00Z Bo Lee <bo@example.org>
users [users@v1.0] 2024-01-05T09:00:00Z Bo Lee <bo@example.org> # Names too.
@v2.0 2024-01-06T09:00:00Z Bo Lee <bo@example.org> # Second release.
orders [users@v2.0 tools/clean-up !old:a@v9] 2024-01-07T09:00:00Z Bo Lee <bo@example.org>  # Bought.
@v2.1 2024-01-08T09:00:00Z Bo Lee <bo@example.org>
"""

CONFIGURATION = """\
[core]
	engine = pg ; no other
	top_dir = "schema"
[engine "pg"]
	revert_dir = schema/back
[engine "pg.variables"]
	Place = shop
[revert "variables"]
	what = it's \\"going\\" ; gone
"""

SCRIPTS = {
    "schema/deploy/appschema.sql": 'BEGIN;\nCREATE SCHEMA :"Place";\nCOMMIT;\n',
    "schema/back/appschema.sql": 'BEGIN;\nDROP SCHEMA :"Place";\nCOMMIT;\n',
    "schema/deploy/users@v1.0.1.sql": "CREATE TABLE :Place.users (id int PRIMARY KEY);\n",
    "schema/revert/users@v1.0.1.sql": "DROP TABLE :Place.users;\n",
    "schema/deploy/tools/clean-up.sql": "CREATE TABLE shop.cleaned (at timestamptz);\n",
    "schema/back/tools/clean-up.sql": (
        "\\set table :Place '.cleaned'\n\\if true\n  DROP TABLE :table;\n"
        "\\else\n  SELECT 1/0;\n\\endif\n"
    ),
    "schema/deploy/users.sql": "ALTER TABLE shop.users ADD COLUMN name text;\n",
    "schema/back/users.sql": "\\echo leaving\n\\ir ../parts/names.sql\n",
    "schema/parts/names.sql": 'ALTER TABLE :"Place".users DROP COLUMN name',
    "schema/deploy/orders.sql": (
        "CREATE TABLE shop.orders (id int, owner int REFERENCES shop.users);\n"
        "COMMENT ON SCHEMA shop IS 'open';\n"
    ),
    "schema/back/orders.sql": (
        "-- Revert :Place\n\nBEGIN;\n\n"
        "COMMENT ON SCHEMA shop IS :'what';\nDROP TABLE :Place.orders;\n\nCOMMIT;\n"
    ),
}

REGISTRY = ("changes", "dependencies", "tags", "events", "projects")
TIMES = ("committed_at", "created_at", "installed_at")


@dataclass(frozen=True)
class Sqitch:
    """sqitch's command line for one database and one project."""

    database: Database
    project: Path
    registry: str = ""

    def run(self, *arguments: str, check: bool = True) -> str:
        server = self.database.server
        done = subprocess.run(
            [str(installed.debian("sqitch")), *arguments],
            env=installed.bare_environment(
                PGHOST=server.host,
                PGPORT=str(server.port),
                PGUSER=self.database.owner,
                HOME=str(self.project),
                SQITCH_USER_CONFIG=str(self.project / "user.conf"),
            ),
            cwd=self.project,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        output = done.stdout + done.stderr
        if check and done.returncode:
            raise AssertionError(f"sqitch {' '.join(arguments)}: {done.returncode}\n{output}")
        return output

    @property
    def target(self) -> tuple[str, ...]:
        more = ("--registry", self.registry) if self.registry else ()
        return (*more, "--target", f"db:pg:{self.database.name}")

    def up(self) -> object:
        return self.run("deploy", *self.target)

    def down(self) -> object:
        return self.run("revert", "-y", *self.target, "--to", "@HEAD^")

    def status(self) -> object:
        said = self.run("status", "--show-tags", "--show-changes", *self.target, check=False)
        kept = [line for line in said.splitlines() if self.database.name not in line]
        return [line.split(" - ")[0] for line in kept if not line.startswith("# Deployed:")]


def write(project: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SQITCH_FULLNAME", "SQITCH_EMAIL", "SQITCH_ORIG_SYSUSER", "SQITCH_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SQITCH_USER_CONFIG", str(tmp_path / "user.conf"))
    files = {"schema/sqitch.plan": PLAN, "sqitch.conf": CONFIGURATION, **SCRIPTS}
    return write(tmp_path, files)


def test_sqitch_agrees(database: Database, other_database: Database, project: Path) -> None:
    """Registry row by row after the plan's newest three, a reworked change among them."""
    (project / "user.conf").write_text("[user]\n\tname = Op O'Call\n\temail = op@example.org\n")
    ours, theirs = Sqitch(database, project), Sqitch(other_database, project)
    plan = agree(ours, theirs, [f"sqitch.{name}" for name in REGISTRY], steps=3, ignoring=TIMES)
    assert [m.version for m in plan.migrations] == ["orders", "users@v2.0", "tools/clean-up"]
    assert [m.name for m in plan.migrations] == ["Bought.", "Names too.", "tools/clean-up"]
    scripts = [m.script for m in plan.migrations if m.script]
    assert [script.origin for script in scripts] == [
        "the file as psql reads it: with the variables :what, :Place",
        "the file as psql reads it: with the variables :Place; without \\echo, \\ir;"
        " including ../parts/names.sql",
        "the file as psql reads it: with the variables :Place, :table;"
        " without \\set, \\if, \\else, \\endif",
    ]
    assert scripts[0].wrapper_removed
    assert [s.sql for s in scripts[1].statements] == ['ALTER TABLE "shop".users DROP COLUMN name']


def test_all_of_it_goes_and_comes_again_as_the_os_user_in_another_registry(
    database: Database, other_database: Database, project: Path
) -> None:
    """Nobody is configured, the schema of the registry needs quotes, and another project has
    changes in it. What we apply again is entered as sqitch enters it."""
    ours, theirs = Sqitch(database, project, "Ops"), Sqitch(other_database, project, "Ops")
    tables = [f"Ops.{name}" for name in REGISTRY]
    for each in (ours, theirs):
        each.up()
        with each.database.connect() as connection:
            connection.execute(
                "INSERT INTO \"Ops\".projects VALUES ('other', NULL, now(), 'a', 'b')"
            )
            connection.execute(
                "INSERT INTO \"Ops\".changes SELECT 'f00', NULL, change, 'other', note,"
                " now() + interval '1 h', committer_name, committer_email, planned_at,"
                " planner_name, planner_email FROM \"Ops\".changes WHERE change = 'orders'"
            )
    table = VersionTable(schema="Ops", name="changes", columns=("script_hash",))
    everything = schema(database)
    plan = rolled_back(database, project, steps=5)
    assert [m.version for m in plan.applied] == [
        *("orders", "users@v2.0", "tools/clean-up", "users@v1.0", "appschema")
    ]
    theirs.run("revert", "-y", *theirs.target)
    for name in tables:
        assert rows(database, name, ignoring=TIMES) == rows(other_database, name, ignoring=TIMES)
    assert ours.status() == theirs.status()

    framework = Framework()
    with database.connect(autocommit=False) as connection:
        for migration in reversed(plan.applied):
            source = framework.up(migration, project)
            assert isinstance(source, Source)
            script = source.data[source.start : source.end].decode()
            connection.execute(script.replace("BEGIN;", "").replace("COMMIT;", "").encode())
            for statement in framework.applied_change(table, migration):
                connection.execute(statement.encode(), binary=True)
    theirs.up()
    for name in tables:
        assert rows(database, name, ignoring=TIMES) == rows(other_database, name, ignoring=TIMES)
    assert schema(database) == everything
    assert "Nothing to deploy" in str(ours.run("deploy", *ours.target, check=False))


def test_a_plan_that_was_edited_after_deploying(database: Database, project: Path) -> None:
    """sqitch does not find what is deployed any more; nothing of it is rolled back then."""
    real = Sqitch(database, project)
    real.up()
    edited = PLAN.replace("# Names too.", "# Names as well.")
    (project / "schema/sqitch.plan").write_text(edited)
    assert "Cannot find this change in schema/sqitch.plan" in str(real.status())
    with database.connect() as connection:
        plan = make_plan(connection, Settings(), project, steps=2, count_losses=False)
    assert [m.script for m in plan.migrations] == [None, None]
    assert "not the one that was deployed" in plan.migrations[0].why_no_script
    assert [m.version for m in plan.applied][2:] == ["tools/clean-up", "users@v1.0", "appschema"]
    assert all(len(m.version) == 40 for m in plan.applied[:2])
    assert [m.version_change for m in plan.migrations] == [(), ()]
    # It does not look at the ids on the way down, and is at a loss afterwards.
    real.down()
    assert "Cannot find change" in real.run("deploy", *real.target, check=False)


def test_sqitch_waits_for_our_locks(database: Database, project: Path) -> None:
    real = Sqitch(database, project)
    real.run("deploy", *real.target, "--to", "appschema")
    table = VersionTable(schema="sqitch", name="changes")
    session = database.connect()
    taken = session.execute(str(Framework().lock_sql(database.name, table)).encode()).fetchone()
    assert taken == (True,)
    said = real.run("deploy", *real.target, "--lock-timeout", "1", check=False)
    assert "Timed out waiting 1 second" in said
    session.execute("SELECT pg_advisory_unlock_all()")
    with session.transaction():
        for statement in Framework().transaction_lock(table):
            session.execute(statement.encode())
        held = session.execute(
            "SELECT mode FROM pg_locks WHERE relation = 'sqitch.changes'::regclass"
        ).fetchall()
    assert held == [("ExclusiveLock",)]


ODD = """\
[core] engine=pg
 TOP_dir = "a b"c  d \\
 e ; rest
[deploy "variables"]
\tPath = C:\\\\x\\"y\\n"z" # rest
\tempty =
\tflag
[Target "Staging"]
\turi = db:pg:staging
"""


def test_the_configuration_is_read_as_sqitch_reads_it(
    database: Database, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "sqitch.conf").write_text(ODD)
    (project / "user.conf").write_text('[user]\nname="Op"\n[core]\nextension = psql\n')
    real = Sqitch(database, project)
    monkeypatch.setenv("SQITCH_SYSTEM_CONFIG", str(project / "none.conf"))
    found = configuration(project)
    expected = {
        key: real.run("config", "--get", key).removesuffix("\n")
        for key in ("core.top_dir", "deploy.variables.Path", "target.Staging.uri", "core.extension")
    }
    assert {key: found.get(key.replace("Path", "path")) for key in expected} == expected
    assert found.section("deploy.variables") == {
        "Path": expected["deploy.variables.Path"],
        "empty": "",
        "flag": "true",
    }
