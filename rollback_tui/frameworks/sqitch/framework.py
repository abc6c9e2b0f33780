"""sqitch (https://sqitch.org), rules of version 1.3.

A plan, ``sqitch.plan``, and for each of its changes a script in ``deploy``, ``revert`` and
``verify``, which sqitch runs with psql. What is deployed stands in a schema of its own, the
registry: ``changes``, ``dependencies``, ``tags``, and all that ever happened in ``events``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.base import Base
from rollback_tui.frameworks.protocol import (
    About,
    History,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.psql.script import as_psql_reads
from rollback_tui.frameworks.quoting import identifier, literal
from rollback_tui.frameworks.sqitch.conf import committer
from rollback_tui.frameworks.sqitch.plan import Change, Dependency, array, first_line
from rollback_tui.frameworks.sqitch.project import (
    PLAN,
    Direction,
    Project,
    project_in,
    project_of,
)

_COLUMNS = {
    "change_id": "text",
    "change": "text",
    "project": "text",
    "note": "text",
    "committed_at": "timestamp with time zone",
    "committer_name": "text",
    "committer_email": "text",
    "planned_at": "timestamp with time zone",
    "planner_name": "text",
    "planner_email": "text",
}
"""Of ``changes`` in every version of the registry; since 1.1 there is ``script_hash`` as well."""

LOCK = 75474063
"""Key of its advisory lock (``try_lock`` of its PostgreSQL engine), in the target database."""


class PlannedChange(MigrationFile, frozen=True, kw_only=True):
    """A change of the plan, with what it is found by in the registry."""

    change_id: str
    project: str


class Sqitch(Base):
    """sqitch's plan, scripts, registry and order."""

    name = "sqitch"
    default_table = "changes"
    default_directories: tuple[str, ...] = (
        ".",
        "sqitch",
        "db",
        "database",
        "migrations",
        "sql",
    )
    file_pattern = "sqitch.plan, named from the directory that has sqitch.conf"
    about = About(
        title="sqitch",
        site="https://sqitch.org",
        rules="1.3",
        scripts="`revert/NAME.sql`; of a change that was reworked later `revert/NAME@TAG.sql`. The "
        "migrations directory is the one that has `sqitch.conf`; from there the plan and the "
        "scripts are found as sqitch finds them (`top_dir`, `plan_file`, `revert_dir`, "
        "`extension`, also of the engine and the default target). A version is the name of the "
        "change, and of a name that is in the plan more than once `NAME@TAG` or `NAME@HEAD`, as "
        "for `sqitch revert --to`. Scripts are read as psql reads them: variables of "
        "`sqitch.conf` and `\\set` are filled in, `\\i`, `\\ir` and `\\if` are followed, what only "
        "prints is left out. `verify` scripts are not run.",
        newest="The change of this project that was deployed last (`committed_at`). Other projects "
        "in the same registry are left alone.",
        outside="none: a statement that cannot run in a transaction is known by itself.",
        change="A row in `events` (`revert`, with tags, dependencies, and the committer that "
        "sqitch would enter on this machine); the change's rows in `tags` and `changes` go, and "
        "with them those in `dependencies`.",
        lock="Its advisory lock 75474063 until the run ends, and `LOCK TABLE changes IN EXCLUSIVE "
        "MODE` in the transaction.",
        tested="The real sqitch 1.3.1 from Debian.",
        refused=(
            "A change that is deployed and not in the plan: its id is a hash of its line of the "
            "plan and of all lines before it, so the plan is not the one that was deployed. "
            "(sqitch itself would revert it by its name, and then refuse to deploy.)",
            "In a script: `\\connect`, `\\copy`, `\\gexec`, `\\gset`, `\\!`, `\\o` and every other "
            "command of psql that does more than print; a condition that is not a plain truth "
            "value; a variable that psql takes from its connection, or whose value depends on "
            "the target. Each with its line.",
            "A change that a deployed change of another project requires: the registry's foreign "
            "key refuses it in the transaction, and nothing is changed then.",
            "A registry of version 1.0, which sqitch wants to be upgraded first.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """The columns of ``changes``, whatever its schema is called."""
        found = dict(shape.columns)
        return shape.primary_key == ("change_id",) and found.items() >= _COLUMNS.items()

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the changes of the plan, in its order.

        Raises FrameworkError for a plan or a configuration that sqitch would not take.
        """
        migration_files.names(directory)
        project = project_in(directory)
        if project is None:
            return ()
        return tuple(
            PlannedChange(
                version=change.version,
                name=first_line(change.note) or change.name,
                path=str(project.script(change, "deploy")),
                down_path=str(project.script(change, "revert")),
                change_id=change.id,
                project=project.plan.project,
            )
            for change in project.plan.changes
        )

    def history_sql(self, table: VersionTable) -> str:
        """All changes of all projects: the plan tells which of them is ours."""
        old = "false" if "script_hash" in table.columns or not table.columns else "true"
        columns = f"project, change_id, change, committed_at, {old}"
        return f"SELECT {columns} FROM {table.quoted} ORDER BY committed_at"  # noqa: S608 - quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """The changes of this project, the one that was committed last first.

        sqitch knows them by their ids. One that the plan does not have keeps its name, or its id
        where the name is taken.
        """
        planned = {file.change_id: file for file in files if isinstance(file, PlannedChange)}
        places = {change_id: place for place, change_id in enumerate(planned)}
        projects = {file.project for file in planned.values()}
        taken = {file.version for file in planned.values()}
        applied: list[tuple[datetime, int, AppliedMigration]] = []
        for project, change_id, change, committed_at, _ in rows:
            if project not in projects or not isinstance(committed_at, datetime):
                continue
            file = planned.get(str(change_id))
            own = str(change_id) if str(change) in taken else str(change)
            taken.add(own)
            migration = AppliedMigration(
                version=file.version if file else own,
                name=file.name if file else str(change),
                applied_at=committed_at,
                path=file.path if file else None,
            )
            applied.append((committed_at, places.get(str(change_id), -1), migration))
        applied.sort(key=lambda one: one[:2], reverse=True)
        return History(
            applied=tuple(migration for _, _, migration in applied),
            problem=_problem(rows, projects, bool(applied)),
        )

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the revert script, as psql would send it."""
        return self._script(applied, directory, "revert")

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the deploy script, as psql would send it."""
        return self._script(applied, directory, "deploy")

    def _script(
        self, applied: AppliedMigration, directory: Path, direction: Direction
    ) -> Source | Missing:
        project = project_in(directory)
        changes = project.plan.changes if project else ()
        change = next((one for one in changes if one.version == applied.version), None)
        if project is None or change is None or applied.path is None:
            return Missing(
                why=f"{printable(applied.version)} is deployed, and {PLAN} in "
                f"{printable(str(directory))} has no such change with the same id: the plan that "
                "is checked out here is not the one that was deployed"
            )
        path = project.script(change, direction)
        try:
            data = migration_files.read(path.parent, path.name)
        except FileNotFoundError:
            return Missing(why=f"{printable(str(path))} does not exist")
        source = Source(path=str(path), data=data, start=0, end=len(data))
        return as_psql_reads(source, project.setting(direction))

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Do as ``log_revert_change`` of its PostgreSQL engine does.

        It deletes first, keeps what it deleted, and enters the event last. In one transaction the
        order cannot be seen, so here the event comes first and reads the rows itself.
        """
        if rolled_back.path is None:
            return ()  # there is no script either, and the run is refused
        project, change = project_of(Path(rolled_back.path))
        who = committer(project.settings)
        change_id = literal(change.id)
        tables = _Tables(table)

        def of_change(column: str, where: str, more: str = "") -> str:
            return f"ARRAY(SELECT {column} FROM {where} WHERE change_id = {change_id}{more})"  # noqa: S608 - quoted

        values = (
            "'revert', change_id, change, project, note, "
            f"{of_change('tag', tables.tags)}, "
            f"{of_change('dependency', tables.dependencies, _OF_TYPE.format('require'))}, "
            f"{of_change('dependency', tables.dependencies, _OF_TYPE.format('conflict'))}, "
            f"{literal(who.name)}, {literal(who.email)}, planned_at, planner_name, planner_email, "
            "clock_timestamp()"
        )
        return (
            f"INSERT INTO {tables.events} ({_EVENT}) "  # noqa: S608 - all of it is quoted
            f"SELECT {values} FROM {table.quoted} WHERE change_id = {change_id}",
            f"DELETE FROM {tables.tags} WHERE change_id = {change_id}",  # noqa: S608 - quoted
            f"DELETE FROM {table.quoted} WHERE change_id = {change_id}",  # noqa: S608 - quoted
        )

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Do as ``log_deploy_change`` of its engine does: the change, its dependencies and tags,
        the event."""
        if applied.path is None:
            return ()  # there is no script either
        project, change = project_of(Path(applied.path))
        return _entered(_Tables(table), project, change)

    def lock_sql(self, database: str, table: VersionTable) -> str | None:  # noqa: ARG002
        """Take the advisory lock of ``try_lock``."""
        return f"SELECT pg_try_advisory_lock({LOCK})"

    def own_tables(self, table: VersionTable) -> tuple[str, ...]:
        """The rest of its registry."""
        names = ("projects", "releases", "tags", "dependencies", "events")
        return tuple(f"{identifier(table.schema)}.{name}" for name in names)

    def transaction_lock(self, table: VersionTable) -> tuple[str, ...]:
        """Lock ``changes`` as its ``begin_work`` does."""
        return (f"LOCK TABLE {table.quoted} IN EXCLUSIVE MODE",)


_EVENT = (
    "event, change_id, change, project, note, tags, requires, conflicts, committer_name, "
    "committer_email, planned_at, planner_name, planner_email, committed_at"
)
_OF_TYPE = " AND type = '{}'"


class _Tables:
    """The tables of a registry, quoted."""

    def __init__(self, changes: VersionTable) -> None:
        schema = identifier(changes.schema)
        self.changes = changes.quoted
        self.tags, self.events = f"{schema}.tags", f"{schema}.events"
        self.dependencies = f"{schema}.dependencies"


def _problem(rows: Sequence[Sequence[object]], projects: set[str], any_of_ours: bool) -> str:
    if any(row[4] for row in rows):
        return (
            "The registry is of an older version of sqitch, which wants it to be upgraded before "
            "it does anything else: `sqitch upgrade`."
        )
    others = sorted({str(row[0]) for row in rows} - projects)
    if others and not any_of_ours:
        ours = printable(", ".join(projects)) or "nothing"
        return (
            f"The registry has changes of {printable(', '.join(others))}, and none of {ours}, "
            f"which is the %project of the {PLAN} that is checked out here. Is this the right "
            "directory, and the right database?"
        )
    return ""


def _entered(tables: _Tables, project: Project, change: Change) -> tuple[str, ...]:
    """Return what a deployment enters into the registry."""
    who = committer(project.settings)
    path = project.script(change, "deploy")
    try:
        data = migration_files.read(path.parent, path.name)
        script = literal(hashlib.sha1(data, usedforsecurity=False).hexdigest())
    except FileNotFoundError:
        script = "NULL"
    ours, change_id = literal(project.plan.project), literal(change.id)
    named = f"{change_id}, {literal(change.name)}, {ours}, {literal(change.note)}"
    committed = f"{literal(who.name)}, {literal(who.email)}"
    planned = f"{literal(change.date)}, {literal(change.planner)}, {literal(change.email)}"
    statements = [
        f"INSERT INTO {tables.changes} (script_hash, change_id, change, project, note, "  # noqa: S608
        "committer_name, committer_email, planned_at, planner_name, planner_email, committed_at) "
        f"VALUES ({script}, {named}, {committed}, {planned}, clock_timestamp())"
    ]
    statements += [
        f"INSERT INTO {tables.dependencies} (change_id, type, dependency, dependency_id) VALUES "  # noqa: S608
        f"({change_id}, '{'conflict' if one.conflict else 'require'}', {literal(one.text)}, "
        f"{_id_of(one, tables, project)})"
        for one in (*change.requires, *change.conflicts)
    ]
    statements += [
        f"INSERT INTO {tables.tags} (tag_id, tag, project, change_id, note, committer_name, "  # noqa: S608
        "committer_email, planned_at, planner_name, planner_email, committed_at) VALUES "
        f"({literal(tag.id)}, {literal(tag.name)}, {ours}, {change_id}, {literal(tag.note)}, "
        f"{committed}, {literal(tag.date)}, {literal(tag.planner)}, {literal(tag.email)}, "
        "clock_timestamp())"
        for tag in change.tags
    ]
    arrays = (
        [tag.name for tag in change.tags],
        [one.text for one in change.requires],
        [one.text for one in change.conflicts],
    )
    listed = ", ".join(literal(array(texts)) for texts in arrays)
    statements.append(
        f"INSERT INTO {tables.events} ({_EVENT}) VALUES "  # noqa: S608 - all of it is quoted
        f"('deploy', {named}, {listed}, {committed}, {planned}, clock_timestamp())"
    )
    return tuple(statements)


def _id_of(dependency: Dependency, tables: _Tables, project: Project) -> str:
    """Return the id that a dependency comes to, as SQL: of this project it is in the plan, of
    another in the registry (``change_id_for`` of its engine)."""
    if dependency.conflict:
        return "NULL"
    if dependency.id:
        return literal(dependency.id)
    if not dependency.project:
        found = project.plan.find(dependency.change, dependency.tag)
        return literal(found.id) if found else "NULL"
    where = f"project = {literal(dependency.project)}"
    change = f"change = {literal(dependency.change)}"
    tag = f"tag = {literal('@' + dependency.tag)}"
    if not dependency.tag:
        query = f"{tables.changes} WHERE {where} AND {change} ORDER BY committed_at LIMIT 1"
    elif not dependency.change:
        query = f"{tables.tags} WHERE {where} AND {tag}"
    else:
        upto = f"(SELECT max(committed_at) FROM {tables.tags} WHERE {where} AND {tag})"  # noqa: S608
        query = (
            f"{tables.changes} WHERE {where} AND {change} AND committed_at <= {upto} "
            "ORDER BY committed_at DESC LIMIT 1"
        )
    return f"(SELECT change_id FROM {query})"  # noqa: S608 - all of it is quoted
