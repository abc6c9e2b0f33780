# mypy: ignore-errors
"""A management command that is given to Django: it writes down the SQL of chosen migrations.

This file is never imported here. :mod:`rollback_tui.frameworks.django.printing` copies it into a
private directory, and the project's own Python runs it, in the project's Django (3.2 and newer).
What ``sqlmigrate`` prints is not enough: it knows the models of one migration only and not those
that stand beside it, and it passes over in silence what it cannot write as SQL. So this takes
``migrate``'s own executor, and keeps each migration's SQL where that would run it.

It reads an order (JSON: ``direction``, ``migrations``, ``unapplied``) from the file named by its
first argument and writes what it found to the one named by its second. It changes nothing.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import django
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations import RunPython, RunSQL


class Writer(MigrationExecutor):
    """Does what ``migrate`` does, but keeps the SQL and records nothing."""

    def __init__(self, unapplied):
        super().__init__(connection)
        # What is taken back in the plan is still in the table while the way up is asked for; of
        # what needs it, the models make no sense without it.
        graph = self.loader.graph
        for key in (key for key in unapplied if key in graph.nodes):
            for other in graph.backwards_plan(key):
                self.loader.applied_migrations.pop(other, None)
        self.found = {}

    def unapply_migration(self, state, migration, fake=False):  # noqa: ARG002
        """Keep what takes it back."""
        self._keep(state, migration, backwards=True)
        return state

    def apply_migration(self, state, migration, fake=False, fake_initial=False):  # noqa: ARG002
        """Keep what applies it."""
        return self._keep(state, migration, backwards=False)

    def check_replacements(self):
        """Enter no squashed migration."""

    def dependents(self, key, chosen):
        """Return what is applied, is not chosen, and needs ``key``."""
        if key not in self.loader.graph.nodes:
            return []
        applied = set(self.loader.applied_migrations)
        needing = self.loader.graph.backwards_plan(key)
        return [".".join(other) for other in needing if other in applied and other not in chosen]

    def _keep(self, state, migration, backwards):
        found = {
            "sql": [],
            "atomic": bool(migration.atomic),
            "problem": "",
            "stays": list(one_way(migration.operations)) if backwards else [],
        }
        self.found[(migration.app_label, migration.name)] = found
        problem = next(unwritable(migration.operations, backwards), "")
        if problem:
            found["problem"] = problem
            return state if backwards else migration.mutate_state(state)
        try:
            with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
                work = migration.unapply if backwards else migration.apply
                state = work(state, editor, collect_sql=True)
            found["sql"] = [one_line(text) for text in editor.collected_sql]
        except IrreversibleError as error:
            found["problem"] = f"irreversible: {error}"
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no script
            found["problem"] = f"{type(error).__name__}: {error}"
            if not backwards:
                raise Stopped() from None
        return state


class Stopped(Exception):
    """Of the migrations above one that failed on its way up, nobody knows the models."""


def unwritable(operations, backwards):
    """Yield what is in ``operations`` and cannot be SQL, also inside SeparateDatabaseAndState:
    what stands there Django would really run, even when it is only asked to write."""
    for operation in reversed(operations) if backwards else operations:
        inner = getattr(operation, "database_operations", None)
        if inner:
            yield from unwritable(inner, backwards)
        elif isinstance(operation, RunPython):
            code = operation.reverse_code if backwards else operation.code
            if code is None:
                yield "irreversible: RunPython without reverse_code"
            elif code is not RunPython.noop:
                name = getattr(code, "__name__", "its code")
                yield f"not SQL: RunPython runs {name}, which only Django itself can do"
        elif not operation.reduces_to_sql:
            yield f"not SQL: {operation.describe()}, which only Django itself can do"


def one_way(operations):
    """Yield what does something on its way up and says itself that nothing takes it back."""
    for operation in operations:
        inner = getattr(operation, "database_operations", None)
        if inner:
            yield from one_way(inner)
        elif isinstance(operation, RunPython):
            if operation.code is not RunPython.noop and operation.reverse_code is RunPython.noop:
                yield f"RunPython({getattr(operation.code, '__name__', 'code')})"
        elif isinstance(operation, RunSQL):
            nothing = (RunSQL.noop, [])
            if operation.reverse_sql in nothing and operation.sql not in nothing:
                yield "RunSQL"


def one_line(text):
    """A description (all else ends in a semicolon) must not end its own comment."""
    return text if text.rstrip().endswith(";") else " ".join(text.split())


def search_path(wanted):
    """Set what the project's settings want; return it when the session had another."""
    if not wanted:
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        before = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('search_path', %s, false)", [wanted])
        cursor.execute("SHOW search_path")
        after = cursor.fetchone()[0]
    return "" if after == before else after


class Command(BaseCommand):
    """The command."""

    help = "Writes down the SQL of migrations and changes nothing."
    requires_system_checks = ()

    def add_arguments(self, parser):
        """Two files."""
        parser.add_argument("order")
        parser.add_argument("answer")

    def handle(self, *args, **options):  # noqa: ARG002
        """Do it."""
        order = json.loads(Path(options["order"]).read_text(encoding="utf-8"))
        keys = [tuple(key) for key in order["migrations"]]
        backwards = order["direction"] == "down"
        path = search_path(settings.ROLLBACK_TUI_SEARCH_PATH)
        writer = Writer([tuple(key) for key in order["unapplied"]])
        nodes = writer.loader.graph.nodes
        plan = [(nodes[key], backwards) for key in keys if key in nodes]
        if plan:
            with contextlib.suppress(Stopped):
                writer.migrate([], plan=plan)
        for key in keys:
            found = writer.found.setdefault(key, {"sql": [], "problem": "stopped"})
            if key not in nodes:
                found["problem"] = "unknown"
            found["dependents"] = writer.dependents(key, set(keys)) if backwards else []
        answer = {
            "django": django.get_version(),
            "search_path": path,
            "migrations": [writer.found[key] for key in keys],
        }
        Path(options["answer"]).write_text(json.dumps(answer), encoding="utf-8")
