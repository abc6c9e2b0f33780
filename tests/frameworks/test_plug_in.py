"""A framework that another package brings: the template of the page, installed and used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from rollback_tui.config import Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.frameworks import registry
from rollback_tui.frameworks.detect import Detection
from rollback_tui.frameworks.registry import FRAMEWORKS, framework_named, plugged_in
from rollback_tui.postgres.connect import connect
from rollback_tui.survey.applied import detected
from tests.cli.conftest import Project
from tests.conftest import Database
from tests.frameworks.plugged import ONLY_STEPS, TEMPLATE, install

STEPS = {
    "1_a.sql": "CREATE TABLE a (id int PRIMARY KEY);\n-- undo\nDROP TABLE a;\n",
    "2_b.sql": "CREATE TABLE b (id int);\n-- undo\nDROP TABLE b;\n",
    "10_c.sql": "CREATE INDEX c ON a (id);\n-- undo\nDROP INDEX CONCURRENTLY c;\n",
}

LOCKED = """
[migrations]
framework = "locking"
[run]
lock_attempts = 2
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return install(tmp_path / "site")


@pytest.fixture
def here(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It is installed in this process."""

    def forget() -> None:
        for remembered in (registry._entries, registry._loaded, registry.plugged_in):
            remembered.cache_clear()

    monkeypatch.syspath_prepend(str(site))
    forget()
    yield
    forget()
    for name in ("rollback_tui_steps", "steps_locking"):
        sys.modules.pop(name, None)


@pytest.fixture
def project(site: Path, tmp_path: Path, database: Database) -> Project:
    """Three migrations of steps, applied as it would; nothing says which tool it is."""
    made = Project(tmp_path, database)
    (tmp_path / "steps").mkdir()
    with psycopg.connect(database.dsn) as connection:
        connection.execute("CREATE TABLE steps_lock (held int PRIMARY KEY)")
        connection.execute("CREATE TABLE steps_log (number int)")
        connection.execute("CREATE TABLE steps_notes AS SELECT 1 AS note")
        connection.execute("CREATE TABLE steps_done (number int PRIMARY KEY, done_at timestamptz)")
        for name, text in STEPS.items():
            (tmp_path / "steps" / name).write_text(text)
            connection.execute(text.partition("-- undo")[0].encode())
            number = name.partition("_")[0]
            connection.execute(f"INSERT INTO steps_done VALUES ({number}, now())".encode())
    return made


Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(project: Project, site: Path) -> Command:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return project.command(*arguments, env={"PYTHONPATH": str(site)})

    return call


def test_the_entry_point_of_the_template_is_the_one_that_is_installed() -> None:
    written = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())
    ((name, value),) = written["project"]["entry-points"][registry.GROUP].items()
    assert f"[{registry.GROUP}]\n{name} = {value}\n" == ONLY_STEPS


def test_the_tests_of_the_template_pass(tmp_path: Path) -> None:
    """Copied out of the repository, as whoever starts from it does."""
    site = install(tmp_path / "site", ONLY_STEPS)
    (tmp_path / "test_steps.py").write_text((TEMPLATE / "test_steps.py").read_text())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_steps.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_a_plug_in_is_found_by_name_and_one_that_is_built_in_stays(here: None) -> None:
    assert framework_named("steps").about.title == "Steps"
    assert FRAMEWORKS["locking"].name == "locking"
    assert FRAMEWORKS["dbmate"].about.title == "dbmate"
    with pytest.raises(FrameworkError) as caught:
        framework_named("nobody")
    assert "dbmate" in caught.value.remedy
    assert "steps" in caught.value.remedy


def test_a_plug_in_that_does_not_work_is_named_with_the_reason(here: None) -> None:
    found = plugged_in()
    assert [framework.name for framework in found.frameworks] == ["locking", "steps"]
    told = "\n".join(found.problems)
    assert "the plug-in broken (steps_locking:Broken) has no about, applied_change" in told
    assert "the plug-in gone (steps_gone:Gone) cannot be loaded: ModuleNotFoundError" in told
    assert "the plug-in renamed (rollback_tui_steps:Steps) calls itself steps" in told
    with pytest.raises(FrameworkError, match="has no about"):
        framework_named("broken")


def test_what_is_plugged_in_is_not_looked_for_where_something_built_in_fits(
    here: None, project: Project, database: Database
) -> None:
    """To look for it reads the metadata of every installed package."""
    with psycopg.connect(database.dsn) as connection:
        connection.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
    assert applied(project).framework == "dbmate"
    assert registry._entries.cache_info().misses == 0
    with psycopg.connect(database.dsn) as connection:
        connection.execute("DROP TABLE schema_migrations")
    with pytest.raises(FrameworkError, match="several tools"):  # locking and steps are alike
        applied(project)
    assert registry._entries.cache_info().misses == 1


def applied(project: Project) -> Detection:
    path = project.directory / "db" / "migrations"
    path.mkdir(parents=True, exist_ok=True)
    (path / "1_a.sql").touch()
    with connect(project.database.dsn) as connection:
        return detected(connection, Settings(), project.directory)


def test_a_run_takes_the_lock_of_a_plug_in_in_its_transactions(
    project: Project, command: Command
) -> None:
    project.configure(LOCKED)
    project.query("INSERT INTO steps_lock VALUES (1) RETURNING 1")
    arguments = [*project.run_arguments, "--statement-by-statement"]
    held = command(*arguments)
    assert held.returncode != 0
    assert "its lock was left behind" in held.stdout
    assert project.query("SELECT max(number) FROM steps_done") == [(10,)]

    project.query("DELETE FROM steps_lock RETURNING 1")
    for left in (2, 1):
        done = command(*arguments)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, done.stdout + done.stderr
        assert project.query("SELECT max(number) FROM steps_done") == [(left,)]
        sent = [e["sql"] for e in events if e["kind"] == "sql_sent"]
        assert "INSERT INTO public.steps_lock VALUES (1)" in sent
        arguments = list(project.run_arguments)
    assert project.query("SELECT count(*) FROM steps_lock") == [(0,)]
    # Nobody takes what is the framework's own business for a change that was not announced.
    assert project.query("SELECT number FROM steps_log ORDER BY 1") == [(2,), (10,)]


def test_a_plug_in_is_recognised_where_nothing_built_in_fits(
    project: Project, command: Command, site: Path
) -> None:
    (next(site.glob("*.dist-info")) / "entry_points.txt").write_text(ONLY_STEPS)
    project.configure()
    plan = json.loads(command("plan", "--json").stdout)
    assert (plan["framework"], plan["migrations"][0]["version"]) == ("steps", "10")
    told = command("doctor").stdout
    assert "framework: Steps, version table public.steps_done" in told
    assert "has the shape of Steps' version table" in told
