"""``demo``: a live database to practise on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import click

from rollback_tui.aftercare.attendant import processes
from rollback_tui.aftercare.charge import TIE
from rollback_tui.aftercare.outbox import read_post
from rollback_tui.checkpoint.storage import now
from rollback_tui.cli.following import follow
from rollback_tui.cli.options import Common
from rollback_tui.cli.rollback import reasons
from rollback_tui.cli.session import Session
from rollback_tui.cli.terminal import need_screens, open_screens
from rollback_tui.config import load
from rollback_tui.config_aftercare import switched_off
from rollback_tui.core.model import EXIT_CODES
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.core.report import log_line
from rollback_tui.demo import shop
from rollback_tui.demo.scene import Demo, open_demo
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import connect, target
from rollback_tui.run.folder import folders
from rollback_tui.survey.baseline import Baseline, save
from rollback_tui.ui.operations import Choice

_TIE = "demo.lock"
"""File beside the project whose lock the demo holds as long as it lives."""
_TOLD = 10.0
"""Seconds that are waited for the last notice to arrive at the shop."""


@click.command()
@click.option("--headless", is_flag=True, help="Roll back without a screen; print the report.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep database and project in this directory.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=1,
    help="How many migrations. The second one's down script leaves something behind.",
)
@click.option(
    "--override",
    multiple=True,
    metavar="CHECK=REASON",
    help="With --headless: set a failed check aside, as with run.",
)
def demo(headless: bool, keep: Path | None, steps: int, override: tuple[str, ...]) -> None:
    """An embedded PostgreSQL with a shop under load, ready to be rolled back."""
    overrides = reasons(override)
    if not headless:
        # Before a server is started for nothing.
        need_screens("`demo --headless`")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    with recorded_demo(keep) as (scene, given):
        if headless:
            sys.exit(roll_back(given, steps, overrides))
        click.echo(f"The demo's project: {scene.project}", err=True)
        sys.exit(open_screens(given, choice=Choice(steps=steps), passing=keep is None))


@contextlib.contextmanager
def recorded_demo(keep: Path | None) -> Iterator[tuple[Demo, Common]]:
    """Start everything, with the schema of each version recorded as a deploy would; it all ends
    here."""
    recorded: list[Baseline] = []

    def record(dsn: str) -> None:
        with connect(dsn) as connection:
            recorded.append(
                Baseline(
                    version=shop.applied(dsn)[-1],
                    server_version=target(connection).server_version,
                    snapshot=catalog.snapshot(connection),
                    recorded_at=now(),
                )
            )

    def progress(text: str) -> None:
        click.echo(f"{text} …", err=True)

    with open_demo(keep, deployed=record, progress=progress) as scene:
        settings = load(scene.config)
        given = Common(dsn=scene.dsn, settings=settings, project=scene.project, as_json=False)
        for baseline in recorded:
            save(scene.project / settings.verify.baseline_directory, baseline)
        with _nothing_stays(scene, given):
            yield scene, given


@contextlib.contextmanager
def _nothing_stays(scene: Demo, given: Common) -> Iterator[None]:
    """What looks after a run ends with the demo, however that ends: its server does, too. By a lock
    where we are killed; here, in order, before the directory is removed below its feet."""
    file = scene.project.parent / _TIE
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.environ[TIE] = str(file)
        yield
    finally:
        os.environ.pop(TIE, None)
        for folder in folders(given.run_directory()):
            processes.end(folder)
        os.close(handle)


def _told(folder: Path) -> None:
    """Wait until all who are to be told of the outcome were: what tells them ends with the demo."""
    deadline = time.monotonic() + _TOLD
    while not switched_off() and time.monotonic() < deadline:
        post = read_post(folder)
        if not post.pending and any(one.occasion == "finished" for one in post.notices):
            return
        time.sleep(0.05)


def roll_back(given: Common, steps: int, overrides: dict[str, str]) -> int:
    """Roll back as ``run`` would, and print the report. More than the newest migration is rehearsed
    first: what its down scripts leave behind is to be known before the door closes."""
    with contextlib.closing(Session(given)) as session:
        session.target()
        plan = session.plan(Choice(steps=steps))
        rehearsal: Rehearsal | None = None
        if steps > 1:
            rehearsal = session.rehearse(
                plan, "schema", lambda text: click.echo(f"{text} …", err=True), threading.Event()
            )
        folder = session.start(
            plan, overrides, "practice run of the demo", attended=False, rehearsal=rehearsal
        )
    finished = follow(folder, lambda record: click.echo(log_line(record), err=True))
    _told(folder)
    click.echo(session.report(folder))
    return EXIT_CODES[finished.outcome]
