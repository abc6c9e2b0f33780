"""``baseline``: the schema that each version is supposed to have."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from rollback_tui.checkpoint.storage import now
from rollback_tui.cli import noted
from rollback_tui.cli.options import Common, common, how_far
from rollback_tui.cli.shapes import print_json
from rollback_tui.cli.stopping import stop_asked
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.mending import mend
from rollback_tui.core.model import AppliedMigration
from rollback_tui.core.schema import condensed
from rollback_tui.core.schema_verdict import (
    Mending,
    SchemaVerdict,
    compared_with,
    how_many,
    in_words,
    verdict,
)
from rollback_tui.core.text import printable
from rollback_tui.frameworks.detect import Detection
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import Connection, resolved, target
from rollback_tui.rehearsal.order import Order
from rollback_tui.rehearsal.replay import replay as played
from rollback_tui.survey.applied import detected
from rollback_tui.survey.applied import history as applied_history
from rollback_tui.survey.baseline import Baseline, Kept, every, find, load, save
from rollback_tui.survey.planning import make_plan
from rollback_tui.survey.ups import known_ups, read_ups
from rollback_tui.ui.operations import Choice


@click.group()
def baseline() -> None:
    """The schema that a version is supposed to have: what a rollback is compared with."""


def _directory(given: Common) -> Path:
    return given.project / given.settings.verify.baseline_directory


def _applied(
    connection: Connection, given: Common
) -> tuple[Detection, tuple[AppliedMigration, ...]]:
    detection = detected(connection, given.settings, given.project)
    return detection, applied_history(connection, detection).applied


@baseline.command()
@click.option(
    "--version",
    default=None,
    help="Keep it as this version, whatever the version table says (for tools not read here).",
)
@common
def record(given: Common, version: str | None) -> None:
    """Keep the schema of the current version. A deploy calls this before and after it migrates."""
    with given.connect() as connection:
        if version is None:
            _, applied = _applied(connection, given)
            version = applied[0].version if applied else ""
        path = save(
            _directory(given),
            Baseline(
                version=version,
                server_version=target(connection).server_version,
                snapshot=catalog.snapshot(connection),
                recorded_at=now(),
            ),
        )
    said = f"{version or 'the empty history'}: {path}"
    noted.note(given, "baseline recorded", said, version=version)
    if given.as_json:
        print_json({"version": version, "path": str(path)})
    else:
        click.echo(f"{path}: the schema of {printable(version) or 'the empty history'}")


@baseline.command("list")
@common
def list_(given: Common) -> None:
    """All that are kept."""
    found = every(_directory(given))
    if given.as_json:
        print_json([_head(one) for one in found])
        return
    if not found:
        click.echo(
            f"No baselines in {_directory(given)}: `rollback-tui baseline record` keeps one."
        )
    for one in found:
        when = f"{one.recorded_at:%Y-%m-%d %H:%M}" if one.recorded_at else "at an unknown time"
        click.echo(
            f"{printable(one.version) or '(empty history)'}  {one.origin}  {when}  PostgreSQL"
            f" {one.server_version // 10000}  {len(one.snapshot.objects):,} objects"
            f"  {one.snapshot.fingerprint[:12]}"
        )


def _head(one: Baseline) -> dict[str, object]:
    return {
        "version": one.version,
        "origin": one.origin,
        "recorded_at": one.recorded_at,
        "server_version": one.server_version,
        "made_from": one.made_from,
        "objects": len(one.snapshot.objects),
        "fingerprint": one.snapshot.fingerprint,
    }


@baseline.command()
@click.argument("version", required=False)
@common
def show(given: Common, version: str | None) -> None:
    """Print the baseline of VERSION (default: the current one), recorded or else replayed."""
    if version is None:
        with given.connect() as connection:
            _, applied = _applied(connection, given)
        version = applied[0].version if applied else ""
    kinds: tuple[Kept, ...] = ("recorded", "replayed")
    found = next((b for k in kinds if (b := load(_directory(given), version, k))), None)
    if found is None:
        raise ConfigurationError(
            f"there is no baseline of {printable(version) or 'the empty history'}",
            "Use `rollback-tui baseline record`, or `rollback-tui baseline replay`.",
        )
    if given.as_json:
        print_json(msgspec.to_builtins(found))
        return
    click.echo(f"# {found.origin}, PostgreSQL {found.server_version // 10000}")
    for name, definition in sorted(found.snapshot.objects.items()):
        click.echo(printable(name))
        for line in definition.split("\n") if definition else ():
            click.echo(f"    {printable(line)}")


@baseline.command()
@how_far
@common
def replay(given: Common, choice: Choice) -> None:
    """Make the baselines of the version a rollback would go to, and of the current one, by running
    the up scripts on an empty scratch database.

    Exit 0: both are kept. 2: they cannot be made, with the reason. A rehearsal does this by itself
    where nothing was recorded.
    """

    def said(line: str) -> None:
        if not given.as_json:
            click.echo(f"  … {line}", err=True)

    with given.connect() as connection:
        dsn = resolved(connection)
        plan = make_plan(
            connection,
            given.settings,
            given.project,
            steps=choice.steps,
            version=choice.version,
            count_losses=False,
        )
    with stop_asked() as stop:
        order = Order(dsn, given.settings, given.project, plan, "schema", said=said, stop=stop)
        made = played(order, known_ups(plan))
    paths = [save(_directory(given), one) for one in made]
    if given.as_json:
        print_json(
            [
                _head(one) | {"path": str(path), "notes": order.notes}
                for one, path in zip(made, paths, strict=True)
            ]
        )
        return
    for one, path in zip(made, paths, strict=True):
        count = len(one.snapshot.objects)
        click.echo(f"{path}: {printable(one.version) or 'the empty history'}, {count:,} objects")


@baseline.command()
@common
def compare(given: Common) -> None:
    """Compare the target as it is now with the baseline of its current version: what has drifted,
    and what would mend it.

    Exit 0: identical, or only the order of columns and comments differ. 1: it differs. 2: there is
    no baseline.
    """
    with given.connect() as connection:
        detection, applied = _applied(connection, given)
        version = applied[0].version if applied else ""
        ups = read_ups(detection.framework, Path(detection.directory), applied)
        known, why = find(
            _directory(given),
            version,
            server_version=connection.info.server_version,
            made_from=ups.made_from(version),
        )
        now_ = catalog.snapshot(connection)
    if known is None:
        raise ConfigurationError(
            f"nothing to compare with: {why}", "Or replay it: `rollback-tui baseline replay`."
        )
    found = verdict(
        now_,
        known.snapshot,
        before=now_,
        current=known.snapshot,
        origin=known.origin,
        version=version,
        bookkeeping=(
            detection.table.quoted,
            *FRAMEWORKS[detection.framework].own_tables(detection.table),
        ),
        baseline_at=known.recorded_at,
    )
    found = msgspec.structs.replace(
        found, mending=mend(found.drift, wanted=known.snapshot, found=now_)
    )
    if given.as_json:
        print_json(msgspec.to_builtins(found))
    else:
        for line in _compared(found):
            click.echo(line)
    sys.exit(1 if found.kind == "drift" else 0)


def _compared(found: SchemaVerdict) -> Iterator[str]:
    yield compared_with(found)
    if found.kind == "drift":
        yield f"The schema has drifted: {how_many(found.drift)}."
    else:
        yield f"The schema is {found.kind}: {found.objects:,} objects."
    for difference in condensed(found.drift):
        yield f"  {in_words(difference)}"
    for note in found.notes:
        yield f"  {note}"
    yield from mending_text(found.mending)


def mending_text(mending: tuple[Mending, ...]) -> Iterator[str]:
    """Yield statements to copy; what speaks against them is a comment before each."""
    if mending:
        yield "What would mend it (nothing was executed):"
    for one in mending:
        if one.why or not one.sql:
            yield f"  -- {printable(one.object)}: {printable(one.why)}"
        for statement in one.sql:
            yield f"  {printable(statement, keep_lines=True)};"
