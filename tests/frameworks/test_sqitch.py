"""sqitch's rules that need no sqitch to be seen; the rest is in test_real_sqitch.py."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.frameworks.protocol import History, Missing, TableShape, VersionTable
from rollback_tui.frameworks.sqitch.conf import committer, configuration
from rollback_tui.frameworks.sqitch.framework import Sqitch
from rollback_tui.frameworks.sqitch.plan import parse
from rollback_tui.frameworks.sqitch.project import project_in

FRAMEWORK = Sqitch()
TABLE = VersionTable(schema="sqitch", name="changes", columns=("change_id", "script_hash"))
WHO = "2024-01-01T09:00:00Z Ann <ann@example.org>"
PLAN = f"""%project=shop

users {WHO} # Who buys.
orders [users] {WHO}
@v1 {WHO}
users [users@v1] {WHO} # Names.
"""
COLUMNS = (
    ("change_id", "text"),
    ("script_hash", "text"),
    ("change", "text"),
    ("project", "text"),
    ("note", "text"),
    ("committed_at", "timestamp with time zone"),
    ("committer_name", "text"),
    ("committer_email", "text"),
    ("planned_at", "timestamp with time zone"),
    ("planner_name", "text"),
    ("planner_email", "text"),
)


@pytest.fixture(autouse=True)
def _nobody_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQITCH_USER_CONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("SQITCH_SYSTEM_CONFIG", str(tmp_path / "none"))
    for name in ("SQITCH_FULLNAME", "SQITCH_EMAIL"):
        monkeypatch.delenv(name, raising=False)


def write(directory: Path, **files: str) -> Path:
    """Write the files; in their names ``__`` is ``/`` and what has no dot is a ``.sql``."""
    for name, text in files.items():
        path = directory / name.replace("__", "/").replace("_conf", ".conf")
        path = path if path.suffix else path.with_suffix(".sql")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "sqitch.plan").write_text(PLAN)
    return write(
        tmp_path,
        sqitch_conf="[core]\nengine = pg\n",
        revert__users="DROP COLUMN name;",
        revert__orders="-- nothing",
    )


def history(directory: Path, *rows: tuple[str, str, str]) -> History:
    """The history when these (project, id, change) were committed one after the other."""
    began = datetime(2024, 1, 31, tzinfo=UTC)
    return FRAMEWORK.history(
        [(*row, began + timedelta(hours=place), False) for place, row in enumerate(rows)],
        FRAMEWORK.files(directory),
    )


def ids(directory: Path) -> list[str]:
    found = project_in(directory)
    assert found is not None
    return [change.id for change in found.plan.changes]


@pytest.mark.parametrize(
    ("columns", "key", "recognised"),
    [
        (COLUMNS, ("change_id",), True),
        (tuple(c for c in COLUMNS if c[0] != "script_hash"), ("change_id",), True),
        (COLUMNS, (), False),
        (tuple(c for c in COLUMNS if c[0] != "project"), ("change_id",), False),
        ((*COLUMNS[:5], ("committed_at", "text"), *COLUMNS[6:]), ("change_id",), False),
    ],
)
def test_the_registry_is_known_by_its_shape(
    columns: tuple[tuple[str, str], ...], key: tuple[str, ...], recognised: bool
) -> None:
    shape = TableShape(schema="any", name="changes", columns=columns, primary_key=key)
    assert FRAMEWORK.recognises(shape) is recognised


def test_versions_are_what_an_operator_types(project: Path) -> None:
    found = [(f.version, f.name, f.down_path) for f in FRAMEWORK.files(project)]
    assert found == [
        ("users@v1", "Who buys.", str(project / "revert/users@v1.sql")),
        ("orders", "orders", str(project / "revert/orders.sql")),
        ("users@HEAD", "Names.", str(project / "revert/users.sql")),
    ]


def test_which_tag_a_reworked_change_and_its_scripts_have(tmp_path: Path) -> None:
    """The tag next to the rework, unless the change has its own; the scripts may have either."""
    text = f"%project=a\n\nu {WHO}\no {WHO}\n@v1 {WHO}\n@v1b {WHO}\nl {WHO}\n@v2 {WHO}\nu {WHO}\n"
    (tmp_path / "sqitch.plan").write_text(text)
    assert parse(text.encode(), "x").changes[0].rework_tags == ("@v2", "@v1", "@v1b")
    assert FRAMEWORK.files(tmp_path)[0].version == "u@v2"
    assert FRAMEWORK.files(tmp_path)[0].down_path == str(tmp_path / "revert/u@v2.sql")
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/u@v1.sql").write_text("")
    assert FRAMEWORK.files(tmp_path)[0].version == "u@v2"
    assert FRAMEWORK.files(tmp_path)[0].down_path == str(tmp_path / "revert/u@v1.sql")


def test_newest_is_what_was_committed_last_of_this_project(project: Path) -> None:
    """Deployed out of order; another project and a change that only the database knows."""
    first, second, third = ids(project)
    past = history(
        project,
        ("shop", second, "orders"),
        ("other", "0" * 40, "orders"),
        ("shop", third, "users"),
        ("shop", "1" * 40, "gone"),
        ("shop", "2" * 40, "orders"),
        ("shop", first, "users"),
    )
    assert past.problem == ""
    assert [(m.version, m.path) for m in past.applied] == [
        ("users@v1", str(project / "deploy/users@v1.sql")),
        ("2" * 40, None),
        ("gone", None),
        ("users@HEAD", str(project / "deploy/users.sql")),
        ("orders", str(project / "deploy/orders.sql")),
    ]
    assert past.applied[-1].applied_at == datetime(2024, 1, 31, tzinfo=UTC)


def test_a_registry_that_is_not_ours(project: Path) -> None:
    assert history(project).problem == ""
    assert "changes of other, and none of shop" in history(project, ("other", "0", "a")).problem


def test_an_old_registry_wants_an_upgrade(project: Path) -> None:
    table = VersionTable(schema="sqitch", name="changes", columns=("change_id", "change"))
    assert "committed_at, true FROM" in FRAMEWORK.history_sql(table)
    assert "committed_at, false FROM" in FRAMEWORK.history_sql(TABLE)
    rows = [("shop", ids(project)[0], "users", datetime(2024, 1, 31, tzinfo=UTC), True)]
    assert "sqitch upgrade" in FRAMEWORK.history(rows, FRAMEWORK.files(project)).problem


def test_missing_and_empty_scripts(project: Path) -> None:
    first, second, third = ids(project)
    past = history(
        project,
        *(("shop", first, "users"), ("shop", second, "orders"), ("shop", third, "users")),
        ("shop", "9" * 40, "later"),
    )
    found = [FRAMEWORK.down(one, project) for one in past.applied]
    assert isinstance(found[0], Missing)
    assert "not the one that was deployed" in found[0].why
    assert found[1] == Source(
        path=str(project / "revert/users.sql"), data=b"DROP COLUMN name;", start=0, end=17
    )
    assert isinstance(found[2], Source)
    assert found[2].data == b"-- nothing"
    assert found[3] == Missing(why=f"{project / 'revert/users@v1.sql'} does not exist")
    assert FRAMEWORK.version_change(TABLE, past.applied[0], None) == ()
    # Who rolls back is in the statements; what is rolled back is named by its id.
    for statement in FRAMEWORK.version_change(TABLE, past.applied[1], None):
        assert third in statement


def test_where_the_parts_of_a_project_are(tmp_path: Path) -> None:
    """By target, engine and core, in this order; reworked scripts have directories of their own."""
    write(
        tmp_path,
        sqitch_conf="""
[core]
  target = prod
  top_dir = none
  extension = psql
[engine "pg"]
  top_dir = db ; wins over core
  reworked_dir = old
  revert_dir = back
[target "prod"]
  uri = db:pg:shop
  plan_file = plans/shop.plan
""",
    )
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans/shop.plan").write_text(PLAN)
    assert [(f.path, f.down_path) for f in FRAMEWORK.files(tmp_path)] == [
        (f"{tmp_path}/old/deploy/users@v1.psql", f"{tmp_path}/old/revert/users@v1.psql"),
        (f"{tmp_path}/db/deploy/orders.psql", f"{tmp_path}/back/orders.psql"),
        (f"{tmp_path}/db/deploy/users.psql", f"{tmp_path}/back/users.psql"),
    ]


def test_the_plan_is_named_once_by_its_configuration(tmp_path: Path) -> None:
    """A directory that the configuration above it names is no second project."""
    (tmp_path / "db").mkdir()
    (tmp_path / "db/sqitch.plan").write_text(PLAN)
    assert len(FRAMEWORK.files(tmp_path / "db")) == 3
    write(tmp_path, sqitch_conf="[core]\ntop_dir = elsewhere\n")
    assert len(FRAMEWORK.files(tmp_path / "db")) == 3
    assert FRAMEWORK.files(tmp_path) == ()
    write(tmp_path, sqitch_conf="[core]\ntop_dir = db\n")
    assert FRAMEWORK.files(tmp_path / "db") == ()
    assert len(FRAMEWORK.files(tmp_path)) == 3


VARIABLES = """
[core]
  target = prod
[core "variables"]
  a = core
  b = core
[deploy "variables"]
  b = deploy
  c = deploy
[revert "variables"]
  c = revert
[engine "pg.variables"]
  Role = engine
[target "prod"]
  uri = db:pg:shop
[target "prod.variables"]
  where = prod
  same = both
[target "test"]
  uri = db:postgres:test
[target "test.variables"]
  where = test
  same = both
[target "lite"]
  uri = db:sqlite:x
[target "lite.variables"]
  a = other
"""


def test_variables_and_those_that_depend_on_the_target(tmp_path: Path) -> None:
    (tmp_path / "sqitch.plan").write_text(PLAN)
    found = project_in(write(tmp_path, sqitch_conf=VARIABLES))
    assert found is not None
    deploy, revert = found.setting("deploy"), found.setting("revert")
    shared = {"a": "core", "b": "deploy", "Role": "engine", "same": "both", "registry": "sqitch"}
    assert deploy.variables == {**shared, "c": "deploy"}
    assert revert.variables == {**shared, "c": "revert"}
    assert list(revert.unsure) == ["where"]
    assert "target test has another value" in revert.unsure["where"]


BROKEN_PLANS = {
    "no project": ("%syntax-version=1.0.0\n\n", 1, "no %project"),
    "no blank line": (f"%project=a\nusers {WHO}\n", 2, "a blank line must come"),
    "no planner": ("%project=a\n\nusers 2024-01-01T09:00:00Z\n", 3, "no change and no tag"),
    "no date": ("%project=a\n\nusers Ann <a@b>\n", 3, "no change and no tag"),
    "a bad name": (f"%project=a\n\nusers~1 {WHO}\n", 3, "no change and no tag"),
    "twice": (f"%project=a\n\nu {WHO}\n\nu {WHO}\n", 5, "there twice"),
    "a tag first": (f"%project=a\n\n@v1 {WHO}\n", 3, "would not take the tag"),
    "a tag twice": (f"%project=a\n\nu {WHO}\n@v1 {WHO}\n@v1 {WHO}\n", 5, "would not take"),
    "a bad dependency": (f"%project=a\n\nu [a:b:c] {WHO}\n", 3, "is no dependency"),
}


@pytest.mark.parametrize("title", BROKEN_PLANS)
def test_a_broken_plan_is_refused_with_its_line(title: str) -> None:
    text, line, why = BROKEN_PLANS[title]
    with pytest.raises(FrameworkError) as caught:
        parse(text.encode(), "sqitch.plan")
    assert why in caught.value.summary
    if title != "no project":
        assert f"line {line}:" in caught.value.summary


def test_a_plan_with_carriage_returns_is_the_same_plan() -> None:
    assert parse(PLAN.replace("\n", "\r\n").encode(), "x") == parse(PLAN.encode(), "x")
    with pytest.raises(FrameworkError, match="is not UTF-8"):
        parse(b"%project=\xff\n\n", "x")


def test_an_id_changes_with_everything_before_it(project: Path) -> None:
    before = ids(project)
    (project / "sqitch.plan").write_text(PLAN.replace("orders [users]", "orders"))
    after = ids(project)
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, False]


def test_a_broken_configuration_is_refused_with_its_line(project: Path) -> None:
    for text in ('[core]\nengine = pg\nx = "open\n', "engine = pg\n", "[core\n"):
        (project / "sqitch.conf").write_text(text)
        with pytest.raises(FrameworkError, match=r"sqitch\.conf, line \d: this is no section"):
            FRAMEWORK.files(project)


def test_who_commits(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQITCH_ORIG_SYSUSER", "no-such-user")
    found = committer(configuration(project))
    assert found == ("no-such-user", f"no-such-user@{socket.gethostname()}")
    write(project, sqitch_conf="[user]\nname = Op\nemail = op@example.org\n")
    assert committer(configuration(project)) == ("Op", "op@example.org")
    monkeypatch.setenv("SQITCH_FULLNAME", "Env")
    assert committer(configuration(project)) == ("Env", "op@example.org")


def test_a_script_that_no_plan_has(tmp_path: Path) -> None:
    applied = AppliedMigration(version="a", name="a", path=str(tmp_path / "deploy/a.sql"))
    with pytest.raises(FrameworkError, match="has a change with that script"):
        FRAMEWORK.version_change(TABLE, applied, None)
