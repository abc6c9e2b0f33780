"""``doctor``: what works here, what does not, and how to fix it."""

from __future__ import annotations

import locale
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import click
import psycopg

from rollback_tui import __version__
from rollback_tui.checkpoint.facts import plan_checkpoint
from rollback_tui.cli.options import Common, common
from rollback_tui.cli.shapes import print_json
from rollback_tui.core.errors import ConfigurationError, ConnectionFailed, RollbackTuiError
from rollback_tui.core.facts import Privileges
from rollback_tui.core.health import shown
from rollback_tui.core.model import Rung
from rollback_tui.core.text import printable
from rollback_tui.postgres import activity
from rollback_tui.postgres.connect import Connection, target, through_pooler, without_password
from rollback_tui.postgres.privileges import privileges
from rollback_tui.run import folder
from rollback_tui.run.afterwards.health import headers
from rollback_tui.survey import baseline, door
from rollback_tui.survey.applied import detected, history
from rollback_tui.survey.ups import Ups, read_ups

Finding = tuple[Literal["ok", "bad", "note"], str, str]


@click.command()
@common
def doctor(given: Common) -> None:
    """Tools, versions, privileges, terminal, configuration: what works and what does not."""
    findings = list(_findings(given))
    if given.as_json:
        print_json([{"status": s, "what": what, "remedy": fix} for s, what, fix in findings])
    else:
        for status, what, remedy in findings:
            click.echo(f"{status:<5}{printable(what)}")
            if remedy:
                click.echo(f"     → {printable(remedy)}")
    sys.exit(1 if any(status == "bad" for status, _, _ in findings) else 0)


def _findings(given: Common) -> Iterator[Finding]:
    yield (
        "ok",
        f"rollback_tui {__version__}, Python {platform.python_version()},"
        f" psycopg {psycopg.__version__}, libpq {psycopg.pq.version()}",
        "",
    )
    yield from _terminal()
    problem = folder.problem(given.run_directory())
    if problem:
        yield "bad", f"journals cannot be written: {problem}", "Set [run] directory."
    else:
        yield "ok", f"journals are kept in {given.run_directory()}", ""
    yield from _health(given)
    try:
        with given.connect() as connection:
            yield from _database(given, connection)
    except RollbackTuiError as error:
        yield "bad", error.summary, error.remedy
    except psycopg.Error as error:
        yield "bad", str(error), "See the server's log."


def _terminal() -> Iterator[Finding]:
    size = shutil.get_terminal_size()
    kind = os.environ.get("TERM", "")
    encoding = locale.getpreferredencoding(False)
    where = "inside tmux" if "TMUX" in os.environ else "not inside tmux or screen"
    small = size.columns < 80 or size.lines < 24
    yield (
        "note" if small else "ok",
        f"terminal {size.columns}×{size.lines}, TERM={kind or 'not set'}, {encoding}, {where}",
        "80×24 is complete; smaller is usable." if small else "",
    )


def _health(given: Common) -> Iterator[Finding]:
    found = given.settings.health
    for label, endpoint in found.endpoints:
        named = f"{label}: " if label else ""
        _, missing = headers(endpoint)
        if missing:
            yield (
                "note",
                f"application health: {named}{missing}, it will stay unknown",
                "Set the variable in the environment of whoever starts the run.",
            )
        else:
            yield "ok", f"application health: {named}{shown(endpoint.url)}", ""
    if not found.endpoints:
        yield (
            "note",
            "no health URL: the application's health will stay unknown",
            "Set [health] url in rollback.toml.",
        )


def _database(given: Common, connection: Connection) -> Iterator[Finding]:
    here = target(connection)
    shown = without_password(given.dsn) or "libpq's defaults"
    yield (
        "ok" if 13 <= here.major <= 18 else "bad",
        f"{here.database} on {here.host}:{here.port} as {here.user} ({shown}): PostgreSQL"
        f" {here.major}, {here.role}",
        "" if 13 <= here.major <= 18 else "PostgreSQL 13 to 18 are supported.",
    )
    if through_pooler(connection):
        yield "bad", "this goes through a pooler", "Connect to the server itself."
    yield from _privileges(given, connection)
    facts = plan_checkpoint(
        given.settings.checkpoint, given.project, here, activity.size(connection)
    )
    if facts.pg_dump and facts.writable:
        yield "ok", f"checkpoints: {facts.pg_dump_version} into {facts.directory}", ""
    else:
        yield "bad", f"no checkpoint can be made: {facts.why}", "Repair that, or see --config."
    yield from _migrations(given, connection)


_DOORS: dict[Rung, str] = {
    "rename": "the door can be closed by renaming the database (nobody can enter)",
    "limit": "the door can be closed by a connection limit (superusers can still enter)",
    "terminate": "the door cannot be closed: sessions can only be ended as they come",
}


def _privileges(given: Common, connection: Connection) -> Iterator[Finding]:
    rights = privileges(connection)
    yield _door(given, connection, rights)
    if not rights.signal_backend:
        yield (
            "note",
            "only sessions of our own role can be ended",
            "GRANT pg_signal_backend to this role.",
        )
    if not rights.read_all_stats:
        yield "note", "other roles' queries are not visible", "GRANT pg_monitor to this role."


def _door(given: Common, connection: Connection, rights: Privileges) -> Finding:
    if given.settings.door.mode == "open":
        return "note", 'the door stays open: [door] mode = "open"', ""
    try:
        choice = door.choose(connection, given.settings, rights)
    except ConnectionFailed as error:
        other = given.settings.connection.maintenance_database
        return (
            "bad",
            f"the door cannot be worked from the database {other}: {error.summary}",
            "Set connection.maintenance_database to one that this role may enter.",
        )
    if choice.rung == "rename":
        return "ok", _DOORS[choice.rung], ""
    return "note", _DOORS[choice.rung], f"Not by renaming it: {'; '.join(choice.why)}."


def _migrations(given: Common, connection: Connection) -> Iterator[Finding]:
    try:
        found = detected(connection, given.settings, given.project)
        past = history(connection, found)
    except RollbackTuiError as error:
        yield "bad", error.summary, error.remedy
        return
    yield "ok", f"{found.framework}: {' '.join(found.why)}", ""
    if past.problem:
        yield "bad", past.problem, "Repair that with the framework's own command."
    applied = past.applied
    yield (
        "ok",
        f"{len(applied)} migrations applied, newest {applied[0].version if applied else '-'}",
        "",
    )
    goal = applied[1].version if len(applied) > 1 else ""
    ups = read_ups(found.framework, Path(found.directory), applied)
    yield _baseline(given, connection, goal, ups)


def _baseline(given: Common, connection: Connection, goal: str, ups: Ups) -> Finding:
    version = goal or "the empty history"
    try:
        known, why = baseline.find(
            given.project / given.settings.verify.baseline_directory,
            goal,
            server_version=connection.info.server_version,
            made_from=ups.made_from(goal),
        )
    except ConfigurationError as error:
        return "bad", error.summary, error.remedy
    if known is not None:
        return "ok", f"the schema of {version} is known: {known.origin}", ""
    return (
        "note",
        f"the schema of {version} is not known ({why})"
        + (f", and cannot be replayed: {ups.why}" if ups.why else ": a rehearsal will replay it"),
        "Call `rollback-tui baseline record` in each deploy, before and after it migrates up.",
    )
