"""``demo``: a live database to practise on."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from rollback_tui.cli.options import Common
from rollback_tui.cli.rollback import follow
from rollback_tui.cli.session import Session
from rollback_tui.cli.terminal import open_screens
from rollback_tui.config import load
from rollback_tui.core.model import EXIT_CODES
from rollback_tui.core.report import log_line
from rollback_tui.core.schema import SchemaSnapshot
from rollback_tui.demo.scene import Demo, open_demo
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import connect, target
from rollback_tui.survey.baseline import Baseline, save
from rollback_tui.ui.operations import Choice


@click.command()
@click.option("--headless", is_flag=True, help="Roll back without a screen; print the report.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep database and project in this directory.",
)
def demo(headless: bool, keep: Path | None) -> None:
    """An embedded PostgreSQL with a shop under load, ready to be rolled back."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    with recorded_demo(keep) as (scene, given):
        if headless:
            sys.exit(_roll_back(given))
        click.echo(f"The demo's project: {scene.project}", err=True)
        sys.exit(open_screens(given))


@contextlib.contextmanager
def recorded_demo(keep: Path | None) -> Iterator[tuple[Demo, Common]]:
    """Start everything, with the schema before the newest migration recorded as a deploy would;
    it all ends here."""
    recorded: list[Baseline] = []

    def record(dsn: str) -> None:
        with connect(dsn) as connection:
            recorded.append(
                _baseline(target(connection).server_version, catalog.snapshot(connection))
            )

    def progress(text: str) -> None:
        click.echo(f"{text} …", err=True)

    with open_demo(keep, before_newest=record, progress=progress) as scene:
        settings = load(scene.config)
        given = Common(dsn=scene.dsn, settings=settings, project=scene.project, as_json=False)
        if recorded:
            with contextlib.closing(Session(given)) as session:
                plan = session.plan(Choice())
            save(
                scene.project / settings.verify.baseline_directory,
                msgspec.structs.replace(recorded[0], version=plan.goal or ""),
            )
        yield scene, given


def _baseline(server_version: int, snapshot: SchemaSnapshot) -> Baseline:
    return Baseline(version="", server_version=server_version, snapshot=snapshot)


def _roll_back(given: Common) -> int:
    with contextlib.closing(Session(given)) as session:
        session.target()
        plan = session.plan(Choice())
        folder = session.start(plan, {}, "practice run of the demo", attended=False)
    finished = follow(folder, lambda record: click.echo(log_line(record), err=True))
    click.echo(session.report(folder))
    return EXIT_CODES[finished.outcome]
