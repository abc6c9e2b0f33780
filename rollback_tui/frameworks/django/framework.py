"""Django (https://www.djangoproject.com), rules of version 5.2.

A migration is a Python module of an app, ``app/migrations/NNNN_name.py``, and what takes it back is
not written anywhere: Django derives it from the operations and from the models as they were. So
Django itself is asked (:mod:`rollback_tui.frameworks.django.printing`). One row for each applied
migration in ``django_migrations(id, app, name, applied)``.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks.base import Base
from rollback_tui.frameworks.django import migrations as django_migrations
from rollback_tui.frameworks.django import printing as django_printing
from rollback_tui.frameworks.django.migrations import Key, Needs
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


class Django(Base):
    """Django's migrations, their order and their table."""

    name = "django"
    kind: Kind = "printed"
    command = ("python3", "manage.py")
    needs_database = True
    default_table = "django_migrations"
    default_directories: tuple[str, ...] = (".",)
    file_pattern = "APP/migrations/NNNN_name.py, with a class Migration"
    about = About(
        title="Django",
        site="https://www.djangoproject.com",
        rules="5.2",
        scripts="Django writes the SQL itself: it runs in your project by `python3 manage.py`, with"
        " your settings, in which every database is replaced by a read-only way to the target, and"
        " does what `manage.py migrate` does without executing it. Whose settings: what `manage.py`"
        " names, or `DJANGO_SETTINGS_MODULE` under `[migrations.environment]`.",
        newest="Django has no order between apps. Here the newest is the one that was **applied"
        " last** (highest `id`) of the apps whose files are in the project, but never before one"
        " that depends on it. Apps whose files are elsewhere (`django.contrib`, packages) stand"
        " below. A version is `app.name`: `shop.0002_add_price`.",
        outside="`atomic = False` in the migration.",
        change="`DELETE FROM django_migrations WHERE app = '…' AND name = '…'`, in the transaction"
        " of the script; for a squashed migration the rows of what it replaces as well.",
        lock="none: Django takes none.",
        tested="The real Django 5.2 from PyPI",
        refused=(
            "A migration with an operation that cannot be taken back (`RunPython` without"
            " `reverse_code`, `RunSQL` without `reverse_sql`).",
            "A migration with an operation that is no SQL (`RunPython`, except with"
            " `RunPython.noop`): only Django itself can do it. Of what has `noop` for its way back"
            " it is said that what it did stays.",
            "A migration that another applied one needs which would stay.",
            "A migration of an app whose files are not in the project: take it back with"
            " `manage.py migrate`.",
            "Where Django has to look up the name of a constraint that only exists when a newer"
            " migration is taken back: roll back one at a time.",
            "Content types and permissions are made by signals after `migrate`. Neither Django nor"
            " we remove those of a model that goes.",
        ),
    )

    def recognises(self, shape: TableShape) -> bool:
        """Exactly the four columns."""
        columns = dict(shape.columns)
        return (
            columns.keys() == {"id", "app", "name", "applied"}
            and columns["id"] in ("integer", "bigint")
            and columns["app"].startswith("character varying")
            and columns["name"].startswith("character varying")
        )

    def files(self, directory: Path) -> tuple[MigrationFile, ...]:
        """Return the migrations of all apps below ``directory``, by app and name."""
        return tuple(
            MigrationFile(
                version=f"{found.app}.{found.name}",
                name=found.name,
                path=str(found.path),
                down_path=str(found.path),
            )
            for found in django_migrations.migrations(directory)
        )

    def history_sql(self, table: VersionTable) -> str:
        """All rows, in the order in which they were written."""
        return f"SELECT id, app, name, applied FROM {table.quoted} ORDER BY id"  # noqa: S608 - quoted

    def history(self, rows: Sequence[Sequence[object]], files: Sequence[MigrationFile]) -> History:
        """The project's own newest first by ``id``, dependents before what they need; below them
        those of which no file is here.

        Several rows of one migration (nothing forbids them) count as one. Of a squashed migration
        whose parts are all applied the parts are not shown: to Django it is then one migration
        (``MigrationLoader.build_graph``), as old as the newest of its parts.
        """
        ids: dict[str, int] = {}
        times: dict[str, datetime | None] = {}
        for number, app, name, applied in rows:
            version = f"{app}.{name}"
            ids[version] = max(int(str(number)), ids.get(version, 0))
            aware = isinstance(applied, datetime) and applied.tzinfo is not None
            times[version] = applied if aware else None  # type: ignore[assignment]
        by_version = {file.version: file for file in files}
        known = {
            file.version: found
            for file in files
            if (found := django_migrations.needs(Path(file.path))) is not None
        }
        parts = _squash(ids, times, known)
        own = _newest_first({v: n for v, n in ids.items() if v in by_version}, known, parts)
        others = sorted((v for v in ids if v not in by_version), key=lambda v: -ids[v])
        return History(
            applied=tuple(
                AppliedMigration(
                    version=version,
                    name=version.partition(".")[2],
                    applied_at=times[version],
                    path=by_version[version].path if version in by_version else None,
                )
                for version in (*own, *others)
            )
        )

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Django prints it."""
        return _asked_for(applied, directory)

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Django prints it."""
        return _asked_for(applied, directory)

    def version_change(
        self,
        table: VersionTable,
        rolled_back: AppliedMigration,
        previous: AppliedMigration | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Delete its rows, and first those of what it replaces (``unapply_migration``)."""
        return tuple(
            f"DELETE FROM {table.quoted} WHERE app = {literal(app)} AND name = {literal(name)}"  # noqa: S608 - quoted
            for app, name in _rows_of(rolled_back)
        )

    def applied_change(self, table: VersionTable, applied: AppliedMigration) -> tuple[str, ...]:
        """Insert its row, and first those of what it replaces (``record_migration``, and
        ``check_replacements``, which enters the squashed one itself)."""
        return tuple(
            f"INSERT INTO {table.quoted} (app, name, applied)"  # noqa: S608 - quoted
            f" VALUES ({literal(app)}, {literal(name)}, clock_timestamp())"
            for app, name in _rows_of(applied)
        )

    def print_down(
        self,
        chosen: Sequence[AppliedMigration],
        remaining: Sequence[AppliedMigration],  # noqa: ARG002 - Django reads its table
        table: VersionTable,
        directory: Path,
        program: Program,
    ) -> tuple[Made | Missing, ...]:
        """Ask Django once for all of ``chosen``. Raises FrameworkError."""
        printed = self._print("down", chosen, directory, program)
        return tuple(
            Made(source=source, version_change=self.version_change(table, one, None))
            if isinstance(source, Source)
            else source
            for one, source in zip(chosen, printed, strict=True)
        )

    def print_up(
        self,
        again: Sequence[AppliedMigration],
        below: Sequence[AppliedMigration],  # noqa: ARG002 - all that is applied but ``again``
        table: VersionTable,
        directory: Path,
        program: Program,
    ) -> tuple[Made | Missing, ...]:
        """Ask Django once for all of ``again``. Raises FrameworkError."""
        printed = self._print("up", again, directory, program)
        return tuple(
            Made(source=source, version_change=self.applied_change(table, one))
            if isinstance(source, Source)
            else source
            for one, source in zip(again, printed, strict=True)
        )

    def _print(
        self,
        direction: django_printing.Direction,
        migrations: Sequence[AppliedMigration],
        directory: Path,
        program: Program,
    ) -> tuple[Source | Missing, ...]:
        wanted = [_key(one.version) for one in migrations if one.path]
        usual = program.command == self.command
        answers = (
            iter(django_printing.ask(direction, wanted, directory, program, usual=usual))
            if wanted
            else iter(())
        )
        return tuple(
            django_printing.source(one, next(answers)) if one.path else _outside(one)
            for one in migrations
        )


def _asked_for(migration: AppliedMigration, directory: Path) -> Missing:  # noqa: ARG001
    return (
        Missing(why="Django writes it when it is asked") if migration.path else _outside(migration)
    )


def _outside(migration: AppliedMigration) -> Missing:
    app, name = _key(migration.version)
    return Missing(
        why=f"no file of {printable(migration.version)} is in this project: it belongs to a package"
        f" or is not checked out here. To take it back: manage.py migrate {printable(app)} and the"
        f" name of the migration before {printable(name)}"
    )


def _key(version: str) -> Key:
    """An app's label has no dot; a name may have one."""
    app, _, name = version.partition(".")
    return app, name


def _rows_of(migration: AppliedMigration) -> tuple[Key, ...]:
    found = django_migrations.needs(Path(migration.path)) if migration.path else None
    return (*(found.replaces if found else ()), _key(migration.version))


def _squash(
    ids: dict[str, int], times: dict[str, datetime | None], known: Mapping[str, Needs]
) -> dict[str, str]:
    """Put each squashed migration whose parts are all applied in their place, in ``ids`` and
    ``times``. Returns part → squashed, for all whose file says so."""
    parts: dict[str, str] = {}
    for version, found in known.items():
        replaced = [".".join(key) for key in found.replaces]
        if not replaced or not all(part in ids for part in replaced):
            continue
        newest = max(replaced, key=lambda part: ids[part])
        ids[version] = ids[newest]
        times.setdefault(version, times[newest])
        parts |= dict.fromkeys(replaced, version)
    for part in parts:
        ids.pop(part, None)
    return parts


def _newest_first(
    ids: Mapping[str, int], known: Mapping[str, Needs], parts: Mapping[str, str]
) -> list[str]:
    """Return the versions by id, highest first, but none before one that needs it."""
    needed_by: dict[str, set[str]] = {version: set() for version in ids}
    roots: dict[str, list[str]] = {}
    for version in ids:
        app = _key(version)[0]
        if not any(key[0] == app for key in known[version].dependencies):
            roots.setdefault(app, []).append(version)

    def named(key: Key) -> list[str]:
        if key[1] == "__first__":
            return roots.get(key[0], [])
        version = ".".join(key)
        return [parts.get(version, version)]

    for version in ids:
        for key in known[version].dependencies:
            for parent in named(key):
                if parent in needed_by and parent != version:
                    needed_by[parent].add(version)
        for key in known[version].run_before:
            for child in named(key):
                if child in needed_by and child != version:
                    needed_by[version].add(child)
    needs: dict[str, list[str]] = {version: [] for version in ids}
    for parent, children in needed_by.items():
        for child in children:
            needs[child].append(parent)
    free = [(-number, version) for version, number in ids.items() if not needed_by[version]]
    heapq.heapify(free)
    order: list[str] = []
    while free:
        _, version = heapq.heappop(free)
        order.append(version)
        for parent in needs[version]:
            needed_by[parent].discard(version)
            if not needed_by[parent]:
                heapq.heappush(free, (-ids[parent], parent))
    # What needs each other in a circle Django refuses to load; it is shown all the same.
    return order + sorted(ids.keys() - set(order), key=lambda version: -ids[version])
