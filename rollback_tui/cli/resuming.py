"""``run --resume``: the plan of what an interrupted run left, and what of it is done already."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click
from click.core import ParameterSource

from rollback_tui.cli.options import Common
from rollback_tui.cli.session import Session
from rollback_tui.core.errors import ConfigurationError, RunRefused
from rollback_tui.core.events import Record
from rollback_tui.core.model import Plan
from rollback_tui.core.run_view import fold
from rollback_tui.run import feed, folder, journal
from rollback_tui.run.request import Resumption
from rollback_tui.run.resume import steps_left, went_on
from rollback_tui.ui.operations import Choice


def said_yes(plan: Plan, *, stepwise: bool) -> None:
    """Raise RunRefused for a plan that is not one transaction and that nobody said yes to."""
    if not plan.transactional and not stepwise:
        raise RunRefused(
            "this plan goes statement by statement: what is done stays done, and only the"
            " checkpoint brings it back",
            "Add --statement-by-statement to say yes to that.",
        )


def plan_left(
    given: Common, session: Session, run: str, skip: tuple[int, ...], redo: tuple[int, ...]
) -> tuple[Plan, Resumption]:
    """Return the plan of what the run ``run`` left, and what of it is done.

    Raises RunRefused when it cannot be gone on with, and ConfigurationError.
    """
    context = click.get_current_context()
    for name in ("steps", "version"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise ConfigurationError(
                "--resume goes as far back as that run would have gone",
                "Leave --steps and --to out.",
            )
    both = sorted(set(skip) & set(redo))
    if both:
        raise ConfigurationError(
            f"statement {both[0]} cannot be skipped and done again", "Give one of them."
        )
    found = feed.find(given.run_directory(), run)
    records = journal.read(found / journal.FILE_NAME)
    _last_of_its_kind(given, found, records)
    applied = {m.version for m in session.plan(Choice()).applied}
    plan = session.plan(Choice(steps=steps_left(records, applied)))
    return plan, session.done_before(records, plan, skip, redo)


def _last_of_its_kind(given: Common, found: Path, records: tuple[Record, ...]) -> None:
    """Raise RunRefused when a later run of this directory went on with this one. One whose
    journal is damaged is passed over: the run's row in the target tells of it, too."""
    started = fold(records).started
    later = []
    for path in folder.folders(given.run_directory()):
        if path != found and started is not None:
            with contextlib.suppress(journal.JournalDamaged):
                later.append(fold(journal.read(path / journal.FILE_NAME)))
    if started is not None:
        went_on(started.run, later)
