"""``doctor``: what works here, what does not, and how to fix it."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator

import click
import psycopg

from rollback_tui import __version__
from rollback_tui.checkpoint.facts import plan_checkpoint
from rollback_tui.cli import outside
from rollback_tui.cli.findings import Finding, shown_lines
from rollback_tui.cli.notify import findings as place_findings
from rollback_tui.cli.options import Common, common
from rollback_tui.cli.recognised import migration_findings
from rollback_tui.cli.seen import terminal_findings
from rollback_tui.cli.shapes import print_json
from rollback_tui.core.errors import ConnectionFailed, RollbackTuiError
from rollback_tui.core.facts import Privileges
from rollback_tui.core.model import Rung
from rollback_tui.core.text import printable
from rollback_tui.postgres import activity
from rollback_tui.postgres.connect import Connection, target, through_pooler, without_password
from rollback_tui.postgres.leftovers import leftovers
from rollback_tui.postgres.privileges import privileges
from rollback_tui.run import folder
from rollback_tui.survey import door


@click.command()
@common
def doctor(given: Common) -> None:
    """Tools, versions, privileges, terminal, configuration: what works and what does not."""
    findings = list(_findings(given))
    if given.as_json:
        print_json([one._asdict() for one in findings])
    else:
        # Whoever reads it on a screen gets whole words; a pipe gets each finding on a line.
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for one in findings:
            for line in shown_lines(one, width):
                click.echo(line)
    sys.exit(1 if any(one.status == "bad" for one in findings) else 0)


def _findings(given: Common) -> Iterator[Finding]:
    yield Finding(
        "ok",
        f"rollback_tui {__version__}, Python {platform.python_version()},"
        f" psycopg {psycopg.__version__}, libpq {psycopg.pq.version()}",
        "",
    )
    yield from terminal_findings(given)
    problem = folder.problem(given.run_directory())
    if problem:
        yield Finding("bad", f"journals cannot be written: {problem}", "Set [run] directory.")
    else:
        yield Finding("ok", f"journals are kept in {given.run_directory()}")
    yield from outside.findings(given.settings)
    yield from place_findings(given.settings.notify)
    try:
        with given.connect() as connection:
            yield from _database(given, connection)
    except RollbackTuiError as error:
        yield Finding("bad", error.summary, error.remedy)
    except psycopg.Error as error:
        yield Finding("bad", str(error), "See the server's log.")


def _database(given: Common, connection: Connection) -> Iterator[Finding]:
    here = target(connection)
    shown = without_password(given.dsn) or "libpq's defaults"
    yield Finding(
        "ok" if 13 <= here.major <= 18 else "bad",
        f"{here.database} on {here.host}:{here.port} as {here.user} ({shown}): PostgreSQL"
        f" {here.major}, {here.role}",
        "" if 13 <= here.major <= 18 else "PostgreSQL 13 to 18 are supported.",
    )
    if through_pooler(connection):
        yield Finding("bad", "this goes through a pooler", "Connect to the server itself.")
    yield from _privileges(given, connection)
    facts = plan_checkpoint(
        given.settings.checkpoint, given.project, here, activity.size(connection)
    )
    if facts.pg_dump and facts.writable:
        yield Finding("ok", f"checkpoints: {facts.pg_dump_version} into {facts.directory}")
    else:
        yield Finding(
            "bad", f"no checkpoint can be made: {facts.why}", "Repair that, or see --config."
        )
    yield from _left(connection, here.database)
    yield from migration_findings(given, connection)


def _left(connection: Connection, database: str) -> Iterator[Finding]:
    """What was left on the server by runs, rehearsals and captures that were killed."""
    found = leftovers(connection, database)
    waiting = [one for one in found if one.kind in ("closed", "placeholder")]
    if waiting:
        yield Finding(
            "bad",
            f"a run never opened its door: {', '.join(printable(one.database) for one in waiting)}",
            f"Finish it first: rollback-tui settle {waiting[0].run}".rstrip(),
        )
    elif found:
        yield Finding(
            "note",
            "left on the server, or in use by somebody now:"
            f" {', '.join(f'{printable(one.database)} ({one.kind})' for one in found)}",
            "`rollback-tui checkpoint prune` says what may go; with --yes it goes.",
        )


_DOORS: dict[Rung, str] = {
    "rename": "the door can be closed by renaming the database (nobody can enter)",
    "limit": "the door can be closed by a connection limit (superusers can still enter)",
    "terminate": "the door cannot be closed: sessions can only be ended as they come",
}


def _privileges(given: Common, connection: Connection) -> Iterator[Finding]:
    rights = privileges(connection)
    yield _door(given, connection, rights)
    if not rights.signal_backend:
        yield Finding(
            "note",
            "only sessions of our own role can be ended",
            "GRANT pg_signal_backend to this role.",
        )
    if not rights.read_all_stats:
        yield Finding(
            "note", "other roles' queries are not visible", "GRANT pg_monitor to this role."
        )


def _door(given: Common, connection: Connection, rights: Privileges) -> Finding:
    if given.settings.door.mode == "open":
        return Finding("note", 'the door stays open: [door] mode = "open"')
    try:
        choice = door.choose(connection, given.settings, rights)
    except ConnectionFailed as error:
        other = given.settings.connection.maintenance_database
        return Finding(
            "bad",
            f"the door cannot be worked from the database {other}: {error.summary}",
            "Set connection.maintenance_database to one that this role may enter.",
        )
    if choice.rung == "rename":
        return Finding("ok", _DOORS[choice.rung])
    return Finding("note", _DOORS[choice.rung], f"Not by renaming it: {'; '.join(choice.why)}.")
