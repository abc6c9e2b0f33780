"""After our rollback Alembic's own command line must agree."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rollback_tui.config import Settings
from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.model import Plan
from rollback_tui.frameworks.alembic.files import graph_of
from rollback_tui.frameworks.alembic.framework import Alembic
from rollback_tui.frameworks.program import Program
from rollback_tui.frameworks.protocol import Made, Missing, VersionTable
from rollback_tui.survey.applied import detected, history
from rollback_tui.survey.planning import make_plan
from rollback_tui.survey.upwards import plan_upwards
from tests.conftest import Database
from tests.frameworks.agreement import agree, rows, schema
from tests.frameworks.alembic_projects import Real, branches, migrations, project, revision, table

VERSIONS = VersionTable(schema="public", name="alembic_version", columns=("version_num",))


def execute(database: Database, plan: Plan) -> None:
    """Execute a plan as a run does, in one transaction."""
    with database.connect(autocommit=False) as connection:
        for migration in plan.migrations:
            assert migration.script is not None, migration.why_no_script
            for statement in migration.script.statements:
                connection.execute(statement.sql.encode(), binary=True)
            for change in migration.version_change:
                connection.execute(change.encode(), binary=True)


def test_alembic_agrees_on_branches_a_merge_and_a_second_base(
    database: Database,
    other_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Down as the tool does it, row by row; what we took back is applied again by the tool, and
    what the tool took back by us. The operator's own DATABASE_URL leads elsewhere, and nobody goes
    there."""
    for name in ("DATABASE_URL", "SQLALCHEMY_URL", "PGHOST"):
        monkeypatch.setenv(name, "postgresql+no_such_driver://root:pw@production/shop")
    path, settings = branches(project(tmp_path)), migrations()
    # Of d1, z1, m1, c1: -1 is ambiguous, so Alembic is told where to each time.
    targets = ["m1", "z1@base", "b1", "c1@a2"]
    with Real(database, path) as ours, Real(other_database, path, targets) as theirs:
        plan = agree(ours, theirs, ["public.alembic_version"], steps=4, migrations=settings)
        assert [m.version for m in plan.migrations] == ["d1", "z1", "m1", "c1"]
        assert rows(other_database, "public.alembic_version") == [{"version_num": "b1"}]
        with other_database.connect() as connection:
            up = plan_upwards(connection, Settings(migrations=settings), path, plan)
        assert [m.version for m in up.migrations] == ["c1", "m1", "z1", "d1"]
        execute(other_database, up)
        assert theirs.status() == ours.status()
        assert schema(other_database) == schema(database)
        assert rows(other_database, "public.alembic_version") == rows(
            database, "public.alembic_version"
        )
    _said_of_a_printed_script(plan, path)


def _said_of_a_printed_script(plan: Plan, path: Path) -> None:
    index, base, merge, _ = (m.script for m in plan.migrations)
    assert index is not None
    assert base is not None
    assert merge is not None
    file = path / "alembic/versions/d1_what_it_does.py"
    assert Path(index.path).name == file.name
    assert index.file_sha256 == hashlib.sha256(file.read_bytes()).hexdigest() != index.sha256
    assert index.origin.endswith("alembic downgrade d1:m1 --sql`")
    assert [s.sql for s in index.statements] == ["DROP INDEX orders_of"]
    assert base.origin.endswith("alembic downgrade z1:z1@base --sql`")
    assert (merge.statements, merge.nothing_to_undo) == ((), "its upgrade() does nothing")
    assert plan.migrations[2].version_change == (
        "INSERT INTO public.alembic_version (version_num) VALUES ('b1')",
        "UPDATE public.alembic_version SET version_num='c1'"
        " WHERE public.alembic_version.version_num = 'm1'",
    )
    assert plan.migrations[3].version_change == (
        "DELETE FROM public.alembic_version WHERE public.alembic_version.version_num = 'c1'",
    )


def test_a_version_table_in_another_schema_and_a_block_outside_of_transactions(
    database: Database, other_database: Database, tmp_path: Path
) -> None:
    """A table that needs quotes, each revision in a transaction of its own; then a revision with
    autocommit_block(), which the plan has without the words of transactions."""
    path = project(
        tmp_path,
        version_table="Versions",
        version_table_schema="Ops",
        transaction_per_migration=True,
    )
    revision(path, "a1", None, *table("users"))
    revision(path, "a2", "a1", *table("orders"), day=2)
    revision(path, "a3", "a2", "op.execute('SELECT 1')", "op.execute('SELECT now();')", day=3)
    settings = migrations(table='"Ops"."Versions"')
    for each in (database, other_database):
        each.connect().execute('CREATE SCHEMA "Ops"')
    targets = ["-1", "-1"]
    with Real(database, path) as ours, Real(other_database, path, targets) as theirs:
        plan = agree(ours, theirs, ["Ops.Versions"], migrations=settings)
        assert [m.version for m in plan.migrations] == ["a3", "a2"]
        assert plan.version_table == '"Ops"."Versions"'
        revision(
            path,
            "a4",
            "a3",
            "op.create_index('i', 'users', ['id'])\nop.create_index('j', 'users', ['id'])",
            "op.drop_index('j', 'users')\nwith op.get_context().autocommit_block():\n"
            "    op.drop_index('i', 'users', postgresql_concurrently=True)\n"
            "op.execute(\"SELECT 'BEGIN;'\")",
            day=4,
        )
        ours.up()
        with database.connect() as connection:
            plan = make_plan(connection, Settings(migrations=settings), path, steps=4)
    assert not plan.transactional
    scripts = [m.script for m in plan.migrations if m.script]
    assert [s.transactional for s in scripts] == [False, True, True, True]
    assert [s.sql for s in scripts[0].statements] == [
        "DROP INDEX j",
        "DROP INDEX CONCURRENTLY i",
        "SELECT 'BEGIN;'",
    ]
    assert not scripts[0].problems
    assert [m.version_change[0].split()[0] for m in plan.migrations] == [
        *("UPDATE", "UPDATE", "UPDATE", "DELETE"),
    ]


def test_what_alembic_cannot_print_is_missing_and_the_rest_is_not(tmp_path: Path) -> None:
    path = project(tmp_path)
    revision(path, "a1", None, *table("users"))
    revision(path, "a2", "a1", "op.execute('SELECT 1')", "raise NotImplementedError('no way back')")
    revision(path, "a3", "a2", *table("orders"))
    asks = "print(op.get_bind().execute(sa.text('SELECT 1')).scalar())"
    revision(path, "a4", "a3", asks, asks)
    revision(path, "a5", "a4", "op.execute('SELECT 5')", "pass")
    text = "op.execute(\"UPDATE t SET x = format('%s', 1), y = {}\")"
    revision(path, "b1", "a5", "op.execute('SELECT 1')", text.format("'\\tz'"))
    revision(path, "b2", "b1", "op.execute('SELECT 1')", text.format("'{\\'a\\':1}'"))
    revision(path, "b3", "b2", "op.execute('SELECT 1')", "op.execute(\"SELECT '%%', '\t;'\")")
    framework, directory = Alembic(), path / "alembic/versions"
    applied = framework.history([("b3",)], framework.files(directory)).applied
    program = Program(command=migrations().command, project=path, environment={}, seconds=60)
    found = framework.print_down(applied, (), VERSIONS, directory, program)
    twice, parameter, tabs, *others = found
    assert isinstance(twice, Made)
    assert twice.source.data == b"SELECT '%%', '\t;';\n"
    assert isinstance(parameter, Missing)
    assert ":1 in 'UPDATE t SET" in parameter.why
    assert isinstance(tabs, Made)
    assert tabs.source.data == b"UPDATE t SET x = format('%s', 1), y = '\tz';\n"
    empty, asking, printed, raising, first = others
    assert isinstance(empty, Made)
    assert (empty.source.data, empty.source.nothing_to_undo) == (b"", "")
    assert isinstance(asking, Missing)
    assert asking.why.startswith(
        "downgrade() of a4_what_it_does.py asks the database while it runs"
    )
    assert isinstance(printed, Made)
    assert printed.source.data == b"DROP TABLE orders;\n"
    assert raising == Missing(
        why="downgrade() of a2_what_it_does.py ends with an error: NotImplementedError: no way back"
    )
    assert isinstance(first, Made)
    up = framework.print_up(applied[::-1], (), VERSIONS, directory, program)
    assert [isinstance(one, Made) for one in up] == [True, True, True, *[False] * 5]
    assert isinstance(up[3], Missing)
    assert "asks the database" in up[3].why
    assert up[4] == Missing(why="alembic cannot print what comes before it: a4 fails")
    _an_env_with_the_drivers_paramstyle(path, program, directory)
    _an_env_that_only_connects(path, program, directory)


def _an_env_with_the_drivers_paramstyle(path: Path, program: Program, directory: Path) -> None:
    """The text with a % is missing: what is printed has it twice."""
    env = path / "alembic/env.py"
    env.write_text(env.read_text().replace("dialect_opts=named, ", ""))
    framework = Alembic()
    applied = framework.history([("b3",)], framework.files(directory)).applied
    found = framework.print_down(applied[:3], applied[3:], VERSIONS, directory, program)
    for one in found:
        assert isinstance(one, Missing)
    assert 'add dialect_opts={"paramstyle": "named"}' in str(found[0])
    assert 'add dialect_opts={"paramstyle": "named"}' in str(found[2])


def _an_env_that_only_connects(path: Path, program: Program, directory: Path) -> None:
    env = path / "alembic/env.py"
    env.write_text(env.read_text().replace("context.is_offline_mode()", "False"))
    framework = Alembic()
    applied = framework.history([("a1",)], framework.files(directory)).applied
    with pytest.raises(FrameworkError, match=r"env\.py connects") as raised:
        framework.print_down(applied, (), VERSIONS, directory, program)
    assert "--script FILE" in raised.value.remedy


def test_the_order_of_the_real_program_is_one_of_ours(database: Database, tmp_path: Path) -> None:
    """What Alembic applies one after the other is never against our graph, and the heads that it
    leaves after each step are those that we say."""
    path = branches(project(tmp_path))
    graph = graph_of(path / "alembic/versions")
    heads: frozenset[str] = frozenset()
    with Real(database, path) as real:
        for step in reversed(graph.order):
            _, heads = graph.up(heads, step)
            real.run("upgrade", step)
            found = {str(row["version_num"]) for row in rows(database, "public.alembic_version")}
            assert found == heads
        with database.connect() as connection:
            past = history(connection, detected(connection, Settings(), path))
    assert [m.version for m in past.applied] == list(graph.order)
    assert (past.problem, past.applied[0].name) == ("", "Do d1")
