"""``archive``: what runs kept of the data that their statements removed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click
import msgspec
import psycopg

from rollback_tui.cli.beside import refuse
from rollback_tui.cli.noted import note
from rollback_tui.cli.options import Common, common
from rollback_tui.cli.shapes import print_json
from rollback_tui.core.errors import ConfigurationError, RunRefused
from rollback_tui.core.text import data_size, printable
from rollback_tui.postgres import archive as archives_of
from rollback_tui.postgres import target_lock
from rollback_tui.postgres.archive.restore import restore as restore_all
from rollback_tui.postgres.connect import Connection, connect


@click.group()
def archive() -> None:
    """What runs kept of the data that they removed (run --keep)."""


@archive.command("list")
@common
def list_(given: Common) -> None:
    """All archives of this database, newest first, with what is in them."""
    with _asked(given) as connection:
        found = archives_of.archives(connection)
    if given.as_json:
        print_json([shape(one) for one in found])
        return
    if not found:
        click.echo("No archives in this database.")
    for one in found:
        size = data_size(one.bytes)
        made = f"{one.created_at:%Y-%m-%d %H:%M}" if one.created_at else "?"
        versions = ", ".join(one.versions)
        click.echo(printable(f"{one.run[:8]}  {made}  {size:>10}  {one.schema}  {versions}"))
        if one.problem:
            click.echo(printable(f"    cannot be read: {one.problem}"))
        for item in one.items:
            click.echo(printable(f"    statement {item.statement}: {item.describe()}"))


@archive.command("restore")
@click.argument("run", metavar="RUN")
@click.option("--confirm", required=True, metavar="DATABASE", help="Name of the database, typed.")
@click.option(
    "--overwrite", is_flag=True, help="What is there and differs gives way to what was kept."
)
@click.option(
    "--write-back",
    is_flag=True,
    help="Also give rows that an UPDATE (or a change of type) overwrote their old values.",
)
@common
def restore_(given: Common, run: str, confirm: str, overwrite: bool, write_back: bool) -> None:
    """Give back what RUN kept, when its migration is applied again: all of it or nothing."""
    with _confirmed(given, confirm) as connection:
        found = archives_of.find(connection, run)
        result = restore_all(
            connection,
            found,
            overwrite=overwrite,
            write_back=write_back,
            limits=_limits(given),
        )
    _noted(given, "archive restored", found, overwrite=overwrite, write_back=write_back)
    if given.as_json:
        print_json(
            {
                "run": found.run,
                "schema": found.schema,
                "restored": [
                    {
                        "statement": one.item.statement,
                        "relation": one.item.relation,
                        "column": one.item.column,
                        "kind": one.item.kind,
                        "written": one.written,
                        "there": one.there,
                        "gone": one.gone,
                        "left": one.left,
                    }
                    for one in result.items
                ],
                "triggers_silenced": list(result.silenced),
                "sequences_set": list(result.sequences),
            }
        )
        return
    for one in result.items:
        click.echo(printable(one.describe()))
    for trigger in result.silenced:
        click.echo(printable(f"trigger {trigger} was kept from firing"))
    for sequence in result.sequences:
        click.echo(printable(f"sequence {sequence}"))
    click.echo(
        f"The archive is kept; when you are sure: rollback-tui archive drop {found.run[:8]}"
        f" --confirm {printable(confirm)}"
    )


@archive.command("drop")
@click.argument("run", metavar="RUN")
@click.option("--confirm", required=True, metavar="DATABASE", help="Name of the database, typed.")
@common
def drop_(given: Common, run: str, confirm: str) -> None:
    """Drop what RUN kept, for good."""
    with _confirmed(given, confirm) as connection:
        found = archives_of.find(connection, run)
        archives_of.drop(connection, found, limits=_limits(given))
    _noted(given, "archive dropped", found)
    if given.as_json:
        print_json({"run": found.run, "schema": found.schema, "dropped": True})
    else:
        click.echo(f"{found.schema}: dropped")


def _noted(given: Common, what: str, found: archives_of.Archive, **asked: bool) -> None:
    chosen = "".join(f", --{name.replace('_', '-')}" for name, yes in asked.items() if yes)
    note(given, what, f"{found.schema}{chosen}", run=found.run, schema=found.schema, **asked)


def shape(one: archives_of.Archive) -> dict[str, object]:
    """Return an archive as the plain values of ``archive list --json``."""
    return {
        "run": one.run,
        "schema": one.schema,
        "owner": one.owner,
        "created_at": msgspec.to_builtins(one.created_at),
        "bytes": one.bytes,
        "versions": list(one.versions),
        "problem": one.problem,
        "items": [
            {
                "statement": item.statement,
                "kind": item.kind,
                "relation": item.relation,
                "column": item.column,
                "rows": item.rows,
                "table": item.table,
                "version": item.version,
            }
            for item in one.items
        ],
    }


def _limits(given: Common) -> dict[str, str]:
    """How long to wait for a lock, and for a statement, as a run would."""
    limits = given.settings.run
    return {
        "lock_timeout": f"{max(1, round(limits.lock_timeout_seconds * 1000))}ms",
        "statement_timeout": f"{max(1, round(limits.statement_timeout_seconds * 1000))}ms",
    }


@contextlib.contextmanager
def _asked(given: Common) -> Iterator[Connection]:
    """A connection to the target. The server's errors become one line."""
    with contextlib.closing(given.connect()) as connection:
        try:
            yield connection
        except psycopg.Error as error:
            words = error.diag.message_primary or " ".join(str(error).split())
            raise ConfigurationError(
                printable(words), "Check the role's privileges, and try again."
            ) from None


@contextlib.contextmanager
def _confirmed(given: Common, confirm: str) -> Iterator[Connection]:
    """A connection that may change the target, while no run has it."""
    refuse(given)
    with _asked(given) as connection:
        if confirm != connection.info.dbname:
            raise RunRefused(
                f"--confirm says {confirm}, but this is {connection.info.dbname}",
                "Check --dsn; then type the name of the database you mean.",
            )
        with contextlib.closing(connect(given.used_maintenance_dsn())) as maintenance:
            # Held until the end: no run begins meanwhile.
            if not target_lock.take(maintenance, confirm):
                raise RunRefused(f"a run has {confirm} now", "Try again when it has ended.")
            yield connection
