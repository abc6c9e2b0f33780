"""``checkpoint`` and ``baseline``: what a rollback can fall back on and is compared with."""

from __future__ import annotations

import contextlib
import sys
from datetime import timedelta
from pathlib import Path

import click
import msgspec
import psycopg

from rollback_tui.checkpoint import listing, proof, prune, restore, verify
from rollback_tui.checkpoint.facts import checkpoint_directory
from rollback_tui.checkpoint.make import make
from rollback_tui.checkpoint.storage import now
from rollback_tui.cli.options import Common, common
from rollback_tui.cli.shapes import print_json
from rollback_tui.core.errors import CheckpointError, ConfigurationError, FrameworkError
from rollback_tui.core.model import Plan
from rollback_tui.core.text import data_size, printable
from rollback_tui.postgres import catalog, counts, target_lock
from rollback_tui.postgres.connect import Connection, connect, resolved, target, with_database
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
        size = data_size(made.bytes)
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
        size = data_size(one.bytes)
        proven = f"  proven {one.proven_at:%Y-%m-%d %H:%M}" if one.proven_at else ""
        click.echo(
            printable(
                f"{one.name}  {one.state:<10} {size:>10}  {one.database or '?'}"
                f"  {one.migration_version or ''}{proven}"
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
    if not differences:
        with connect(maintenance) as connection:
            proof.record(path, server_version=connection.info.server_version, at=now())
    if given.as_json:
        lines = [difference.summary for difference in differences]
        print_json({"database": new_database, "identical": not lines, "differences": lines})
    else:
        for difference in differences:
            click.echo(difference.summary)
        counted = "NOT as the manifest says" if differences else "as the manifest says"
        click.echo(f"{printable(new_database)}: restored, rows {counted}")
    sys.exit(1 if differences else 0)


@checkpoint.command("prune")
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    default=None,
    metavar="DAYS",
    help="Also complete dumps of this age; never the newest of a target.",
)
@click.option("--yes", is_flag=True, help="Remove what is listed as removable.")
@common
def prune_(given: Common, older_than: float | None, yes: bool) -> None:
    """List what runs and broken dumps left behind; remove it only with --yes.

    Databases: kept failed ones, clones, restored ones, half-made ones. Never one that does not
    carry our mark, is in use, or belongs to a run without an outcome.
    """
    with given.connect() as connection:
        database = connection.info.dbname
    with contextlib.closing(connect(given.used_maintenance_dsn())) as maintenance:
        # Held until the end: no run begins while its safety net is taken away.
        alone = target_lock.take(maintenance, database)
        try:
            items = prune.databases(
                maintenance,
                database,
                busy="" if alone else "a run has the target: try again after it",
                unfinished={claim.short for claim in given.claims()},
            )
        except psycopg.Error as error:
            raise ConfigurationError(
                f"the server's databases cannot be listed: {printable(str(error))}", "Try again."
            ) from None
        items += prune.directories(
            _directory(given),
            partial_seconds=given.settings.checkpoint.timeout_seconds,
            older_than=None if older_than is None else timedelta(days=older_than),
            moment=now(),
        )
        _print_prune(given, items, _removed(maintenance, items) if yes else None)


def _removed(
    maintenance: Connection, items: tuple[prune.Removable, ...]
) -> dict[prune.Removable, str]:
    """Remove what may be removed; return the reason by item, empty where it is gone."""
    answers: dict[prune.Removable, str] = {}
    for item in items:
        if not item.kept_because:
            try:
                prune.remove(maintenance, item)
                answers[item] = ""
            except CheckpointError as error:
                answers[item] = error.summary
    return answers


def _print_prune(
    given: Common,
    items: tuple[prune.Removable, ...],
    answers: dict[prune.Removable, str] | None,
) -> None:
    """Print what there is and what became of it; exit 1 when something could not be removed."""
    done = answers or {}
    if given.as_json:
        print_json(
            [
                msgspec.to_builtins(item)
                | {"removed": done.get(item) == "", "problem": done.get(item, "")}
                for item in items
            ]
        )
    else:
        for item in items:
            click.echo(_prune_line(item, done.get(item)))
        _print_sum(items, removed=answers is not None)
    sys.exit(1 if any(done.values()) else 0)


def _prune_line(item: prune.Removable, answer: str | None) -> str:
    size = "size unknown" if item.bytes is None else data_size(item.bytes)
    if item.kept_because:
        state = f"kept: {item.kept_because}"
    elif answer is None:
        state = "removable"
    else:
        state = f"NOT removed: {answer}" if answer else "removed"
    run = f", run {item.run}" if item.run else ""
    return printable(f"{item.kind} {item.name}  ({item.what}{run}, {size})  {state}")


def _print_sum(items: tuple[prune.Removable, ...], *, removed: bool) -> None:
    free = [item for item in items if not item.kept_because]
    if not items:
        click.echo("Nothing is left behind.")
    elif not removed and free:
        size = data_size(prune.total(items))
        click.echo(f"Nothing was removed. With --yes: {len(free)} of these, about {size}.")


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
