"""Alembic (https://alembic.sqlalchemy.org), rules of version 1.20.

Revisions are Python: what they do, only ``alembic downgrade FROM:TO --sql`` can say, which prints
the SQL and connects nowhere (offline mode). Which revisions there are, and what stands on what, is
read from their files without executing them. ``alembic_version(version_num)`` has the heads: one
row a branch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.text import printable
from rollback_tui.frameworks.alembic.files import configured, graph_from, graph_of
from rollback_tui.frameworks.alembic.printing import chains, print_chain_down, print_path_up
from rollback_tui.frameworks.alembic.revisions import Change, Graph
from rollback_tui.frameworks.base import Base, no_file
from rollback_tui.frameworks.program import Program
from rollback_tui.frameworks.protocol import (
    About,
    History,
    Kind,
    Made,
    MigrationFile,
    Missing,
    TableShape,
    VersionTable,
)
from rollback_tui.frameworks.quoting import literal

_TEXT = re.compile(r"(character varying|text)(\(\d+\))?")


class Alembic(Base):
    """Alembic's revisions, their order and its version table."""

    name = "alembic"
    kind: Kind = "printed"
    command: tuple[str, ...] = ("alembic",)
    needs_database = False
    default_table = "alembic_version"
    default_directories: tuple[str, ...] = (
        "alembic/versions",
        "migrations/versions",
        "db/alembic/versions",
        "db/migrations/versions",
        "database/migrations/versions",
        "app/alembic/versions",
        "app/migrations/versions",
        "src/alembic/versions",
        "src/migrations/versions",
    )
    file_pattern = "REVISION_name.py"
    about = About(
        title="Alembic",
        site="https://alembic.sqlalchemy.org",
        rules="1.20",
        scripts="`alembic downgrade FROM:TO --sql` prints it: the program is called in the project,"
        " told of no database, and what it prints for each revision is the script. The revisions"
        " and their order are read from the files, which are not executed for that."
        " `[migrations] command` says how it is called where it is neither in `.venv/bin` nor on"
        ' PATH: `["poetry", "run", "alembic"]`.',
        newest="Each revision before all it stands on (`down_revision`, `depends_on`). Where"
        " branches leave a choice, which Alembic itself calls ambiguous, the one with the latest"
        " `Create Date` in its docstring.",
        outside="`autocommit_block()`, which is printed as `COMMIT; … BEGIN;`;"
        " `transactional_ddl=False`.",
        change="`UPDATE alembic_version` to the revision below; `DELETE` at the base, or where"
        " another branch stands on the same revision; a merge: `INSERT` of one parent and `UPDATE`"
        " to the other. Printed is the change for a single branch: it is compared with the graph"
        " that was read, and what is executed is the change for the branches that are really"
        " applied.",
        lock="none: Alembic takes none.",
        tested="The real Alembic 1.20.1 from PyPI: branches, a merge, two bases,"
        " `autocommit_block()`.",
        refused=(
            "A revision in the table that no file has, or one that another row stands on.",
            "A revision whose `revision`, `down_revision` or `depends_on` is computed.",
            "A downgrade that raises an exception, or that reads from the database"
            " (`op.get_bind()`): Alembic cannot print it. Give its script with `--script FILE`.",
            "What is printed otherwise than it would be executed: each `%` twice (env.py without"
            " the paramstyle `named`), `NULL` for a `:word` without a value. Tabs, which are"
            " printed as blanks, are put back.",
            "An empty downgrade of a revision whose upgrade does something.",
            "Output that cannot be attributed to one revision: a `print` in env.py, a statement"
            " that ends in a comment.",
        ),
    )

    def configured_directories(self, project: Path) -> tuple[str, ...]:
        """``version_locations`` or ``script_location`` of alembic.ini or pyproject.toml."""
        return configured(project)

    def recognises(self, shape: TableShape) -> bool:
        """One column ``version_num``, usually varchar(32). The primary key can be turned off
        (``version_table_pk``)."""
        return (
            len(shape.columns) == 1
            and shape.columns[0][0] == "version_num"
            and _TEXT.fullmatch(shape.columns[0][1]) is not None
            and shape.primary_key in ((), ("version_num",))
        )

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the revisions, each after all it stands on."""
        graph = graph_of(directory)
        found = [graph.revisions[id_] for id_ in reversed(graph.order)]
        return tuple(
            MigrationFile(version=r.id, name=r.message, path=r.path, down_path=r.path)
            for r in found
        )

    def history_sql(self, table: VersionTable) -> str:
        """All rows: the heads."""
        return f"SELECT version_num FROM {table.quoted} ORDER BY version_num"  # noqa: S608 - quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """The heads and all they stand on. It records no dates."""
        graph = graph_from(file.path for file in files)
        heads = [str(row[0]) for row in rows]
        unknown = [head for head in heads if head not in graph.revisions]
        known = [head for head in heads if head in graph.revisions]
        applied = [
            AppliedMigration(
                version=id_, name=graph.revisions[id_].message, path=graph.revisions[id_].path
            )
            for id_ in graph.newest_first(graph.ancestors(known))
        ]
        lost = [AppliedMigration(version=head, name="") for head in unknown]
        return History(applied=(*lost, *applied), problem=_problem(graph, known, unknown))

    def down(self, applied: AppliedMigration, directory: Path) -> Missing:
        """Return why it is not here."""
        return _only_printed(applied, directory)

    def up(self, applied: AppliedMigration, directory: Path) -> Missing:
        """Return why it is not here."""
        return _only_printed(applied, directory)

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,
    ) -> tuple[str, ...]:
        """Return the change where it follows from ``previous`` alone, for a script that is given by
        hand; nothing where it depends on which other branches are applied."""
        if rolled_back.path is None:
            return ()
        graph = graph_of(Path(rolled_back.path).parent)
        id_ = rolled_back.version
        parents = graph.parents.get(id_)
        if parents is None or (parents and previous is None):
            return ()
        # What comes next in the order is a head. A parent on which nothing else stands is one, too.
        others = {previous.version} & set(graph.revisions) if previous else set()
        if id_ in graph.ancestors(others):
            return ()
        others |= {p for p in parents if graph.children[p] == {id_}}
        if not set(parents) <= graph.ancestors(others):
            return ()
        left = graph.heads(graph.ancestors(others))
        before = graph.heads({*graph.ancestors(left), id_})
        return _statements(table, graph.down(before, id_)[0])

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:  # noqa: ARG002
        """Return nothing: it depends on what else is applied, and comes with :meth:`print_up`."""
        return ()

    def print_down(
        self,
        chosen: Sequence[AppliedMigration],
        remaining: Sequence[AppliedMigration],
        table: VersionTable,
        directory: Path,
        program: Program,
    ) -> tuple[Made | Missing, ...]:
        """Ask for each stretch of the graph without branches at once."""
        graph = graph_of(directory)
        printed: dict[str, Made | Missing] = {}
        for chain in chains(graph, [m.version for m in chosen if m.version in graph.revisions]):
            printed |= print_chain_down(graph, chain, table, program)
        heads = graph.heads(m.version for m in (*chosen, *remaining) if m.version in graph.parents)
        found: list[Made | Missing] = []
        for migration in chosen:
            if migration.version not in graph.revisions:
                found.append(no_file(directory, migration.version))
                continue
            changes, heads = graph.down(heads, migration.version)
            found.append(_with_changes(printed[migration.version], _statements(table, changes)))
        return tuple(found)

    def print_up(
        self,
        again: Sequence[AppliedMigration],
        below: Sequence[AppliedMigration],
        table: VersionTable,
        directory: Path,
        program: Program,
    ) -> tuple[Made | Missing, ...]:
        """Ask once for each head there will be: what a failure leaves unprinted is not known."""
        graph = graph_of(directory)
        wanted = [m.version for m in again if m.version in graph.revisions]
        there = {m.version for m in below if m.version in graph.revisions}
        printed: dict[str, Made | Missing] = {}
        for head in sorted(graph.heads(wanted)):
            for id_, made in print_path_up(graph, head, there, table, program).items():
                printed.setdefault(id_, made)
        heads = graph.heads(there)
        found: list[Made | Missing] = []
        for migration in again:
            if migration.version not in printed:
                found.append(no_file(directory, migration.version))
                continue
            changes, heads = graph.up(heads, migration.version)
            found.append(_with_changes(printed[migration.version], _statements(table, changes)))
        return tuple(found)


def _problem(graph: Graph, known: Sequence[str], unknown: Sequence[str]) -> str:
    if unknown:
        return (
            f"The version table has {printable(', '.join(unknown))}, and no file has"
            f" {'this revision' if len(unknown) == 1 else 'these revisions'}: the code that is"
            " checked out here is not the code that was deployed. Check that out"
        )
    for head in known:
        below = graph.ancestors(graph.parents[head]) & set(known)
        if below:
            return (
                f"The version table has {printable(head)} and also {printable(min(below))}, on"
                " which that stands: Alembic refuses to go on from there. Leave only the rows of"
                " the revisions on which nothing else stands"
            )
    return ""


def _only_printed(applied: AppliedMigration, directory: Path) -> Missing:
    if applied.path is None:
        return no_file(directory, applied.version)
    file = printable(Path(applied.path).name)
    return Missing(why=f"the migration in {file} is code, whose SQL only alembic can print")


def _with_changes(made: Made | Missing, changes: tuple[str, ...]) -> Made | Missing:
    return made if isinstance(made, Missing) else Made(source=made.source, version_change=changes)


def _statements(table: VersionTable, changes: Sequence[Change]) -> tuple[str, ...]:
    """Return the changes as Alembic writes them, with the table's schema always."""
    name = table.quoted
    made: Mapping[str, str] = {
        "insert": "INSERT INTO {table} (version_num) VALUES ({version})",
        "update": "UPDATE {table} SET version_num={to} WHERE {table}.version_num = {version}",
        "delete": "DELETE FROM {table} WHERE {table}.version_num = {version}",
    }
    return tuple(
        made[change.kind].format(table=name, version=literal(change.version), to=literal(change.to))
        for change in changes
    )
