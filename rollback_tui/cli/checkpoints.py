"""``checkpoint`` and ``baseline``: what a rollback can fall back on and is compared with."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import humanize
import msgspec

from rollback_tui.checkpoint import listing, restore, verify
from rollback_tui.checkpoint.facts import checkpoint_directory
from rollback_tui.checkpoint.make import make
from rollback_tui.cli.options import Common, common
from rollback_tui.cli.shapes import print_json
from rollback_tui.core.errors import ConfigurationError, FrameworkError
from rollback_tui.core.model import Plan
from rollback_tui.core.text import printable
from rollback_tui.postgres import catalog, counts
from rollback_tui.postgres.connect import resolved, target, with_database
from rollback_tui.survey.baseline import Baseline, load, save
from rollback_tui.survey.planning import detected, make_plan
from rollback_tui.survey.planning import history as applied_history


@click.group()
def checkpoint() -> None:
    """Restorable copies of the target."""


def _directory(given: Common) -> Path:
    return checkpoint_directory(given.settings.checkpoint, given.project)


@checkpoint.command()
@common
def create(given: Common) -> None:
    """Make one now, while applications go on working, and verify it."""
    with given.connect() as connection:
        try:
            plan: Plan | None = make_plan(
                connection, given.settings, given.project, count_losses=False
            )
        except FrameworkError:
            plan = None  # a checkpoint is worth having without migrations, too

        def progress(summary: str, done: int, total: int) -> None:
            if not given.as_json:
                click.echo(f"  {done}/{total} {printable(summary)}", err=True)

        made = make(
            resolved(connection),
            given.settings.checkpoint,
            target=target(connection),
            plan=plan,
            tables=counts.tables(connection),
            schema_fingerprint=catalog.snapshot(connection).fingerprint,
            project=given.project,
            progress=progress,
        )
    if given.as_json:
        print_json(msgspec.to_builtins(made))
    else:
        size = humanize.naturalsize(made.bytes, binary=True)
        click.echo(f"{made.path}: {made.tables} tables, {size}, verified")


@checkpoint.command("list")
@common
def list_(given: Common) -> None:
    """All of them, newest first."""
    found = listing.list_checkpoints(_directory(given))
    if given.as_json:
        print_json(msgspec.to_builtins(found))
        return
    if not found:
        click.echo(f"No checkpoints in {_directory(given)}.")
    for one in found:
        size = humanize.naturalsize(one.bytes, binary=True)
        click.echo(
            printable(
                f"{one.name}  {one.state:<10} {size:>10}  {one.database or '?'}"
                f"  {one.migration_version or ''}"
            )
        )


@checkpoint.command("verify")
@click.argument("name", required=False)
@common
def verify_(given: Common, name: str | None) -> None:
    """Compare every byte with the manifest and read the whole archive (default: the newest)."""
    checked = verify.verify(_find(given, name))
    if given.as_json:
        print_json({"path": checked.path, "verified": True, "seconds": checked.seconds})
    else:
        click.echo(f"{checked.path}: verified in {checked.seconds:.1f} s")


@checkpoint.command("restore")
@click.argument("name")
@click.option("--into", "new_database", required=True, help="Name of a NEW database.")
@common
def restore_(given: Common, name: str, new_database: str) -> None:
    """Restore into a new database beside; the target is not touched."""
    path = _find(given, name)
    dsn = given.used_dsn()
    maintenance = with_database(dsn, given.settings.connection.maintenance_database)
    restore.restore_beside(path, dsn, maintenance, new_database)
    differences = restore.compare(path, with_database(dsn, new_database))
    if given.as_json:
        lines = [difference.summary for difference in differences]
        print_json({"database": new_database, "identical": not lines, "differences": lines})
    else:
        for difference in differences:
            click.echo(difference.summary)
        counted = "NOT as the manifest says" if differences else "as the manifest says"
        click.echo(f"{printable(new_database)}: restored, rows {counted}")
    sys.exit(1 if differences else 0)


def _find(given: Common, name: str | None) -> Path:
    directory = _directory(given)
    if name is None:
        newest = listing.latest(directory)
        if newest is None:
            raise ConfigurationError(
                f"there is no complete checkpoint in {directory}",
                "Make one with `rollback-tui checkpoint create`.",
            )
        return newest
    for path in (directory / name, Path(name)):
        if path.is_dir():
            return path
    raise ConfigurationError(
        f"there is no checkpoint {name} in {directory}", "See `rollback-tui checkpoint list`."
    )


@click.group()
def baseline() -> None:
    """The schema that a version is supposed to have."""


@baseline.command()
@common
def record(given: Common) -> None:
    """Keep the schema of the current version. A deploy calls this before it migrates up."""
    with given.connect() as connection:
        detection = detected(connection, given.settings, given.project)
        applied = applied_history(connection, detection).applied
        version = applied[0].version if applied else ""
        path = save(
            given.project / given.settings.verify.baseline_directory,
            Baseline(
                version=version,
                server_version=target(connection).server_version,
                snapshot=catalog.snapshot(connection),
            ),
        )
    if given.as_json:
        print_json({"version": version, "path": str(path)})
    else:
        click.echo(f"{path}: the schema of {version or 'the empty history'}")


@baseline.command()
@click.argument("version")
@common
def show(given: Common, version: str) -> None:
    """Print what was recorded for VERSION."""
    found = load(given.project / given.settings.verify.baseline_directory, version)
    if found is None:
        raise ConfigurationError(
            f"no baseline of {version} was recorded", "Use `rollback-tui baseline record`."
        )
    if given.as_json:
        print_json(msgspec.to_builtins(found))
        return
    for name, definition in sorted(found.snapshot.objects.items()):
        click.echo(f"{printable(name)}\n    {printable(definition)}")
