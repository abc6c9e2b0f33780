"""``state``, ``plan`` and ``check``: what the screens show, as text or JSON."""

from __future__ import annotations

import contextlib
import sys
import time

import click
import msgspec

from rollback_tui.cli.beforehand import rehearse_first, rehearsed
from rollback_tui.cli.beside import warn
from rollback_tui.cli.options import Common, common, how_far
from rollback_tui.cli.plan_text import Way, plan_lines
from rollback_tui.cli.session import Session
from rollback_tui.cli.shapes import check_shape, plan_shape, print_json, print_json_line
from rollback_tui.cli.state_text import Wanted, rates_line, state_lines, view_shape
from rollback_tui.core.activity.groups import DIMENSIONS, Dimension
from rollback_tui.core.activity.trend import rates
from rollback_tui.core.activity.views import VIEWS, ViewName
from rollback_tui.core.checks import may_roll_back, obstacles
from rollback_tui.core.errors import FrameworkError, RollbackTuiError
from rollback_tui.core.model import Activity
from rollback_tui.core.rehearsal import Source
from rollback_tui.core.text import data_size, printable
from rollback_tui.ui.operations import Choice


@click.command()
@click.option(
    "--view",
    type=click.Choice(VIEWS),
    default="all",
    help="Which sessions: all, those that run a query, wait for a lock or block others, the tree"
    " of locks, or groups of connections.",
)
@click.option(
    "--by", type=click.Choice(DIMENSIONS), default="application", help="What --view groups counts."
)
@click.option("--filter", "words", default="", help="Only what matches all of these words.")
@click.option(
    "--watch",
    type=click.FloatRange(min=0.5),
    metavar="SECONDS",
    help="Look at the sessions again and again, until ctrl+c.",
)
@common
def state(given: Common, view: ViewName, by: Dimension, words: str, watch: float | None) -> None:
    """What the database is doing now."""
    wanted = Wanted(view=view, by=by, words=words)
    with contextlib.closing(Session(given)) as session:
        target = session.target()
        warn(given)
        if watch is not None:
            with contextlib.suppress(KeyboardInterrupt):
                _watch(session, wanted, watch, as_json=given.as_json)
            return
        now, tables = session.activity(), session.tables()
        schema = session.schema_fingerprint()
        try:
            applied = session.plan(Choice()).applied
            problem = ""
        except FrameworkError as error:
            applied, problem = (), error.summary
    if given.as_json:
        print_json(
            {
                "target": msgspec.to_builtins(target) | {"fingerprint": target.fingerprint},
                "activity": msgspec.to_builtins(now),
                "view": view_shape(now, wanted),
                "tables": msgspec.to_builtins(tables),
                "schema_fingerprint": schema,
                "applied": msgspec.to_builtins(applied),
                "problem": problem,
            }
        )
        return
    size = data_size(now.database_bytes)
    click.echo(
        printable(
            f"{target.database} on {target.host}:{target.port} as {target.user}, PostgreSQL"
            f" {target.server_version // 10000}.{target.server_version % 10000}, {target.role},"
            f" {size}, fingerprint {target.fingerprint}"
        )
    )
    for line in state_lines(now, wanted):
        click.echo(line)
    click.echo(f"schema {schema[:12]}")
    click.echo("tables (~ is an estimate):")
    for table in tables:
        rows = "unknown" if table.estimate is None else f"~{table.estimate:,}"
        click.echo(f"  {rows:>14}  {printable(table.name)}")
    click.echo(f"migrations: {printable(problem)}" if problem else "migrations, newest first:")
    for migration in applied:
        click.echo(f"  {printable(migration.version)}  {printable(migration.name)}")


def _watch(session: Session, wanted: Wanted, seconds: float, *, as_json: bool) -> None:
    """Print the sessions each ``seconds``: lines of text, or one line of JSON each time."""
    before: Activity | None = None
    while True:
        now = session.activity()
        measured = rates(before, now)
        if as_json:
            print_json_line(
                {
                    "activity": msgspec.to_builtins(now),
                    "view": view_shape(now, wanted),
                    "rates": msgspec.to_builtins(measured),
                }
            )
        else:
            click.echo(rates_line(now, measured))
            for line in state_lines(now, wanted):
                click.echo(line)
        before = now
        time.sleep(seconds)


@click.command()
@how_far
@click.option("--offline", is_flag=True, help="Ask no database: only split the --script.")
@common
def plan(given: Common, choice: Choice, offline: bool) -> None:
    """What would be rolled back, statement by statement."""
    if offline:
        from rollback_tui.cli.offline import split_file

        script = given.settings.migrations.script
        found = split_file(given.project / script if script else None)
        print_json(found)
        if found["problems"]:
            sys.exit(1)
        return
    with contextlib.closing(Session(given)) as session:
        session.target()
        warn(given)
        made = session.plan(choice)
        way: Way = ()
        if not given.as_json:
            try:
                way = session.in_the_way(made)
            except RollbackTuiError as error:
                way = error.summary
    if given.as_json:
        print_json(plan_shape(made))
        return
    for line in plan_lines(made, way):
        click.echo(line)


@click.command()
@rehearse_first
@how_far
@common
def check(given: Common, choice: Choice, source: Source | None) -> None:
    """The safety checks; exit 0 when it is safe to roll back, 1 when not."""
    with contextlib.closing(Session(given)) as session:
        session.target()
        warn(given)
        plan = session.plan(choice)
        results = session.checks(plan, rehearsed(session, plan, source))
    safe = may_roll_back(results, {})
    if given.as_json:
        print_json(check_shape(results, safe=safe))
        sys.exit(0 if safe else 1)
    for result in results:
        click.echo(f"{result.status.upper():<8} {result.title}: {printable(result.summary)}")
        if result.status != "pass":
            for line in result.evidence:
                click.echo(f"           {printable(line)}")
            if result.remedy:
                click.echo(f"         → {printable(result.remedy)}")
    standing = obstacles(results, {})
    click.echo(
        "It is safe to roll back."
        if safe
        else "Not safe to roll back: " + ", ".join(r.title for r in standing)
    )
    sys.exit(0 if safe else 1)
