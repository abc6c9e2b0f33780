"""``checkpoint prune``: what runs left behind, and dumps that are no longer kept."""

from __future__ import annotations

import contextlib
import sys

import click
import msgspec
import psycopg

from rollback_tui.checkpoint import prune, retention
from rollback_tui.checkpoint.storage import now
from rollback_tui.cli.checkpoints import directory_of
from rollback_tui.cli.noted import note
from rollback_tui.cli.options import Common, common
from rollback_tui.cli.shapes import print_json
from rollback_tui.core.errors import CheckpointError, ConfigurationError
from rollback_tui.core.text import data_size, printable
from rollback_tui.postgres import target_lock
from rollback_tui.postgres.connect import Connection, connect
from rollback_tui.run.needed import in_need, needed


@click.command("prune")
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    default=None,
    metavar="DAYS",
    help="Complete dumps of this age, whatever is configured; never the newest of a target.",
)
@click.option("--yes", is_flag=True, help="Remove what is listed as removable.")
@common
def prune_(given: Common, older_than: float | None, yes: bool) -> None:
    """List what runs and broken dumps left behind, and the dumps that [checkpoint] keep and
    keep_days no longer keep; remove it only with --yes.

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
                in_need=in_need(given.run_directory()),
            )
        except psycopg.Error as error:
            raise ConfigurationError(
                f"the server's databases cannot be listed: {printable(str(error))}", "Try again."
            ) from None
        items += prune.directories(
            directory_of(given),
            partial_seconds=given.settings.checkpoint.timeout_seconds,
            rule=retention.rule(given.settings.checkpoint)
            if older_than is None
            else retention.Rule(days=older_than, always=True),
            needed=needed(given.run_directory()),
            moment=now(),
        )
        _print_prune(given, items, _removed(given, maintenance, items) if yes else None)


def _removed(
    given: Common, maintenance: Connection, items: tuple[prune.Removable, ...]
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
            note(
                given,
                f"{item.kind} pruned" if not answers[item] else f"{item.kind} not pruned",
                f"{item.name} ({item.what}){answers[item] and ': '}{answers[item]}",
                run=item.run,
                name=item.name,
                bytes=item.bytes,
            )
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
        state = f"removable: {item.why}" if item.why else "removable"
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
