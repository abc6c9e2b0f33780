"""``rehearse``: the plan on a scratch database, each statement measured."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click
import msgspec

from rollback_tui.cli.baseline import mending_text
from rollback_tui.cli.beside import warn
from rollback_tui.cli.options import Common, common, how_far
from rollback_tui.cli.session import Session
from rollback_tui.cli.shapes import print_json
from rollback_tui.cli.stopping import stop_asked
from rollback_tui.core.lock_modes import strength
from rollback_tui.core.model import Plan, Statement
from rollback_tui.core.rehearsal import Measured, Rehearsal, RowsChanged, Source
from rollback_tui.core.schema_verdict import SchemaVerdict, evidence, summary
from rollback_tui.core.text import printable, shorten
from rollback_tui.ui.operations import Choice

_SQL_WIDTH = 60
_MOST_NAMES = 3


@click.command()
@how_far
@click.option(
    "--from",
    "source",
    type=click.Choice(["schema", "dump", "clone"]),
    default="schema",
    show_default=True,
    help="What the scratch database is made from: the schema alone; a checkpoint with its data,"
    " which is thereby proven; a copy of the target, while nobody is connected.",
)
@common
def rehearse(given: Common, choice: Choice, source: Source) -> None:
    """Execute the plan on a scratch database and measure it; the target is only read.

    Exit 0: the plan came to its end there. 1: it failed. 2: no scratch database.
    """

    def said(line: str) -> None:
        if not given.as_json:
            click.echo(f"  … {line}", err=True)

    with contextlib.closing(Session(given)) as session, stop_asked() as stop:
        session.target()
        warn(given)
        plan = session.plan(choice)
        found = session.rehearse(plan, source, said, stop)
    if given.as_json:
        print_json(msgspec.to_builtins(found))
    else:
        for line in lines(plan, found):
            click.echo(line)
    sys.exit(1 if found.failure else 0)


def lines(plan: Plan, found: Rehearsal) -> Iterator[str]:
    """Yield a rehearsal as text, printable."""
    where = "an embedded server" if found.embedded else "the target's server"
    major = found.server_version // 10000
    yield printable(
        f"{found.database} on {where}, PostgreSQL {major}, from the {_SOURCES[found.source]};"
        f" made in {found.made_seconds:.1f} s, all in {found.seconds:.1f} s"
    )
    for note in found.notes:
        yield f"  note: {printable(note)}"
    for statement in plan.statements:
        measured = found.of(statement.index)
        if measured is None:
            yield f"  {statement.index:>3}  not reached    {shorten(statement.sql, _SQL_WIDTH)}"
        else:
            yield from _statement(statement, measured)
    yield ""
    if found.failure:
        yield f"FAILED: {printable(found.failure)}"
    else:
        yield "The plan came to its end."
    yield from _judgements(found)
    yield (
        "The scratch database was removed."
        if found.removed
        else f"The scratch database {printable(found.database)} is STILL THERE; the next rehearsal"
        " removes it, or rollback-tui checkpoint prune --yes"
    )


_SOURCES: dict[Source, str] = {
    "schema": "schema alone",
    "dump": "checkpoint",
    "clone": "target itself",
}


def _statement(statement: Statement, measured: Measured) -> Iterator[str]:
    """One line of figures, and what they stand for below it."""
    yield printable(
        f"  {statement.index:>3}  {measured.seconds * 1000:>9,.1f} ms  "
        f"{'' if measured.transactional else 'no transaction, '}{_strongest(measured)}"
        f"  {shorten(statement.sql, _SQL_WIDTH)}"
    )
    if measured.failed:
        yield printable(f"       failed: {measured.failed} ({measured.sqlstate or 'no code'})")
        return
    for what, names in (
        ("wrote anew", measured.rewritten),
        ("read all of", measured.scanned),
        ("dropped", _named(measured, collateral=False)),
        ("dropped along with it", _named(measured, collateral=True)),
        ("rows of", _rows(measured.changed)),
    ):
        if names is None:
            yield f"       {what}: could not be measured"
        elif names:
            yield printable(f"       {what} {'; '.join(names)}")
    for notice in measured.notices:
        yield printable(f"       {notice}")


def _strongest(measured: Measured) -> str:
    """The strongest lock that the statement took first, and on how many relations."""
    if measured.locks is None:
        return "locks not known"
    if not measured.locks:
        return "no further lock"
    mode = max((lock.mode for lock in measured.locks), key=strength)
    # The shortest name is the table's rather than one of its indexes'.
    names = sorted((lock.relation for lock in measured.locks if lock.mode == mode), key=len)
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{mode} on {', '.join(names[:_MOST_NAMES])}{more}"


def _named(measured: Measured, *, collateral: bool) -> tuple[str, ...] | None:
    if measured.dropped is None:
        return None if not collateral else ()
    return tuple(f"{d.kind} {d.name}" for d in measured.dropped if d.collateral == collateral)


def _rows(changed: tuple[RowsChanged, ...] | None) -> tuple[str, ...] | None:
    if changed is None:
        return None
    return tuple(
        f"{one.relation}: "
        + ", ".join(
            f"{number:,} {word}"
            for number, word in (
                (one.inserted, "inserted"),
                (one.updated, "updated"),
                (one.deleted, "deleted"),
            )
            if number
        )
        for one in changed
    )


def _judgements(found: Rehearsal) -> Iterator[str]:
    """What was not as forecast, and what became of the schema."""
    if found.differences:
        yield "NOT AS FORECAST:"
        for line in found.differences:
            yield f"  {printable(line)}"
    elif found.statements and not found.failure:
        yield "Nothing was otherwise than forecast."
    if found.foreseen is not None:
        yield from _schema(found.foreseen)
    if found.round_trip is not None:
        trip = found.round_trip
        yield printable(f"Down and up again, {trip.verdict}: {trip.summary}")
        for line in trip.differences:
            yield f"  {printable(line)}"
    elif not found.failure:
        yield "Down and up again: not known, there is no up script."
    if found.proven:
        yield printable(f"The checkpoint {found.proven} was restored and compared: it is proven.")


def _schema(found: SchemaVerdict) -> Iterator[str]:
    """What the schema would be like, and what would mend it."""
    yield printable(f"Schema afterwards, {found.kind}: {summary(found)}")
    for line in evidence(found):
        yield f"  {line}"
    yield from mending_text(found.mending)
