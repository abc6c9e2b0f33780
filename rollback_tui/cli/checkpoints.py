"""``checkpoint``: what a rollback can fall back on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from rollback_tui.checkpoint import compare, listing, proof, prove, restore, retention, verify
from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint.facts import checkpoint_directory
from rollback_tui.checkpoint.make import make
from rollback_tui.checkpoint.storage import now
from rollback_tui.cli.lazy import Later, LazyGroup
from rollback_tui.cli.noted import note
from rollback_tui.cli.options import Common, common
from rollback_tui.cli.shapes import print_json
from rollback_tui.core.errors import CheckpointError, ConfigurationError, FrameworkError
from rollback_tui.core.events import HookRan
from rollback_tui.core.model import Plan
from rollback_tui.core.text import data_size, printable
from rollback_tui.postgres import counts
from rollback_tui.postgres.connect import connect, resolved, target, with_database
from rollback_tui.run import copying
from rollback_tui.run.needed import needed
from rollback_tui.survey.planning import make_plan

PRUNE = Later(
    "rollback_tui.cli.pruning",
    "prune_",
    "List what runs and broken dumps left behind, and the dumps that [checkpoint] keep and"
    " keep_days no longer keep; remove it only with --yes.",
)


@click.group(cls=LazyGroup, later={"prune": PRUNE})
def checkpoint() -> None:
    """Restorable copies of the target."""


def directory_of(given: Common) -> Path:
    """Return where checkpoints are kept."""
    return checkpoint_directory(given.settings.checkpoint, given.project)


@checkpoint.command()
@common
def create(given: Common) -> None:
    """Make one now, while applications go on working, verify it, and have it copied."""
    with given.connect() as connection:
        try:
            plan: Plan | None = make_plan(
                connection, given.settings, given.project, count_losses=False
            )
        except FrameworkError:
            plan = None  # a checkpoint is worth having without migrations, too
        made = make(
            resolved(connection),
            given.settings.checkpoint,
            target=target(connection),
            plan=plan,
            tables=counts.tables(connection),
            project=given.project,
            progress=_progress(given),
        )
    facts = {"database": made.database, "environment": given.settings.environment}
    copied = copying.copy(given.settings.checkpoint, made, facts=facts, project=given.project)
    where = _copied(copied)
    if given.as_json:
        print_json(msgspec.to_builtins(made) | {"copied": copied and copied.ok})
    else:
        click.echo(f"{made.path}: {made.tables} tables, {data_size(made.bytes)}, verified; {where}")
    sys.exit(1 if copied is not None and not copied.ok else 0)


def _copied(copied: HookRan | None) -> str:
    if copied is None:
        return "only on this host"
    return copying.COPIED if copied.ok else f"{copying.NOT_COPIED}: {copied.summary}"


def _progress(given: Common) -> Callable[[str, int, int], None]:
    def progress(summary: str, done: int, total: int) -> None:
        if not given.as_json:
            click.echo(f"  {done}/{total} {printable(summary)}", err=True)

    return progress


@checkpoint.command("list")
@common
def list_(given: Common) -> None:
    """All of them, newest first, and which of them `prune --yes` would remove."""
    found = listing.list_checkpoints(directory_of(given))
    rule = retention.rule(given.settings.checkpoint)
    fates = retention.fates(found, rule, needed(given.run_directory()))
    if given.as_json:
        print_json([_listed(one, fates.get(one.path)) for one in found])
        return
    if not found:
        click.echo(f"No checkpoints in {directory_of(given)}.")
    for one in found:
        fate = fates.get(one.path)
        proven = f"  proven {one.proven_at:%Y-%m-%d %H:%M}" if one.proven_at else ""
        going = f"  goes: {fate.why}" if fate is not None and fate.goes else ""
        click.echo(
            printable(
                f"{one.name}  {one.state:<10} {data_size(one.bytes):>10}  {one.database or '?'}"
                f"  {one.migration_version or ''}{proven}{going}"
            )
        )
    if any(fate.goes for fate in fates.values()):
        click.echo("Those that go are removed by `checkpoint prune --yes`, and after a good run.")


def _listed(one: listing.ListedCheckpoint, fate: retention.Fate | None) -> dict[str, object]:
    about: dict[str, object] = msgspec.to_builtins(one)
    return about | {"goes": fate is not None and fate.goes, "why": fate.why if fate else ""}


@checkpoint.command("verify")
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="All complete ones, newest first.")
@common
def verify_(given: Common, name: str | None, every: bool) -> None:
    """Compare every byte with the manifest and read the whole archive (default: the newest)."""
    if name is not None and every:
        raise ConfigurationError("NAME and --all say two different things", "Give one of them.")
    answers = [_verified(path) for path in (_all(given) if every else [_find(given, name)])]
    if given.as_json:
        print_json(answers if every else answers[0])
    else:
        for answer in answers:
            click.echo(_verified_line(answer))
    sys.exit(0 if all(answer["verified"] for answer in answers) else 1)


def _all(given: Common) -> list[Path]:
    found = listing.list_checkpoints(directory_of(given))
    return [Path(one.path) for one in found if one.state != "partial"]


def _verified(path: Path) -> dict[str, object]:
    """Return what was verified of one checkpoint, or what is wrong with it."""
    try:
        checked = verify.verify(path)
    except CheckpointError as error:
        return {
            "path": str(path),
            "verified": False,
            "problem": error.summary,
            "remedy": error.remedy,
        }
    proven = proof.read(path, mf.read(path)[1])
    return {
        "path": checked.path,
        "verified": True,
        "seconds": checked.seconds,
        "files": len(checked.manifest.files),
        "bytes": checked.manifest.bytes,
        "manifest_sha256": checked.manifest_sha256,
        "archive_read": True,
        "tables": len(checked.manifest.tables),
        "proven_at": proven.at if proven else None,
    }


def _verified_line(answer: dict[str, object]) -> str:
    if not answer["verified"]:
        return printable(f"{answer['path']}: NOT verified: {answer['problem']}")
    proven = answer["proven_at"]
    return printable(
        f"{answer['path']}: verified in {answer['seconds']:.1f} s: {answer['files']:,} files"
        f" ({data_size(int(str(answer['bytes'])))}) have the SHA-256 of the manifest, and the whole"
        f" archive reads. "
        + (
            f"Proven {proven:%Y-%m-%d %H:%M} UTC."
            if proven
            else "Not proven: `checkpoint prove` restores it."
        )
    )


@checkpoint.command("restore")
@click.argument("name")
@click.option("--into", "new_database", required=True, help="Name of a NEW database.")
@common
def restore_(given: Common, name: str, new_database: str) -> None:
    """Restore into a new database beside; the target is not touched."""
    path = _find(given, name)
    dsn = given.used_dsn()
    maintenance = with_database(dsn, given.settings.connection.maintenance_database)
    jobs = given.settings.checkpoint.jobs
    restore.restore_beside(path, dsn, maintenance, new_database, jobs=jobs)
    found = compare.compared(path, with_database(dsn, new_database))
    if found.proven:
        with connect(maintenance) as connection:
            proof.record(path, found, server_version=connection.info.server_version, at=now())
    note(
        given,
        "checkpoint restored",
        f"{path} into {new_database}{'' if found.proven else ', NOT as the manifest says'}",
        path=str(path),
        database=new_database,
        identical=found.proven,
    )
    if given.as_json:
        print_json({"database": new_database, **_comparison(found)})
    else:
        for difference in found.differences:
            click.echo(difference.summary)
        counted = "as the manifest says" if found.proven else "NOT as the manifest says"
        click.echo(f"{printable(new_database)}: restored, {counted}: {found.describe()}")
    sys.exit(0 if found.proven else 1)


def _comparison(found: compare.Comparison) -> dict[str, object]:
    return {
        "identical": found.proven,
        "differences": [difference.summary for difference in found.differences],
        "tables": found.tables,
        "fingerprinted": found.fingerprinted,
        "schema": found.schema,
        "schema_why": found.schema_why,
    }


@checkpoint.command("prove")
@click.argument("name", required=False)
@common
def prove_(given: Common, name: str | None) -> None:
    """Restore into a scratch database, compare with the manifest, drop it (default: the newest).

    Rows of every table, contents where the manifest has their fingerprint, and the schema. Exit 0:
    it is what was kept; 1: it is not. How long it took is kept, as what a recovery will take.
    """
    path = _find(given, name)
    dsn = given.used_dsn()
    done = prove.prove(
        path,
        dsn,
        with_database(dsn, given.settings.connection.maintenance_database),
        jobs=given.settings.checkpoint.jobs,
        progress=_progress(given),
    )
    found = done.comparison
    if given.as_json:
        about = {"path": done.path, "proven": found.proven, **_comparison(found)}
        times = {"restore_seconds": done.restore_seconds, "compare_seconds": found.seconds}
        print_json(about | times | {"left": done.left})
    else:
        for difference in found.differences:
            click.echo(difference.summary)
        click.echo(
            f"{done.path}: {'proven' if found.proven else 'NOT proven'}: {found.describe()};"
            f" restored in {done.restore_seconds:.1f} s, compared in {found.seconds:.1f} s"
        )
        if done.left:
            click.echo(f"The scratch database is still there: {printable(done.left)}", err=True)
    sys.exit(0 if found.proven else 1)


def _find(given: Common, name: str | None) -> Path:
    directory = directory_of(given)
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
