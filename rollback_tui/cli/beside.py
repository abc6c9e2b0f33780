"""Beside an unfinished run: say so, refuse, or settle it. Nothing else may begin there."""

from __future__ import annotations

from pathlib import Path

import click

from rollback_tui.cli.options import Common
from rollback_tui.core.claim import Claim, remedy, sentence, who
from rollback_tui.core.errors import ConfigurationError, RollbackTuiError, RunRefused, RunUnfinished
from rollback_tui.core.run_view import fold
from rollback_tui.core.text import printable
from rollback_tui.postgres.connect import with_database
from rollback_tui.run import journal
from rollback_tui.run.request import RunRequest, operator


def warn(given: Common) -> None:
    """Say on standard error, in one line, that a run of this target has no outcome."""
    for claim in given.claims()[:1]:
        click.echo(printable(f"warning: {sentence(claim)}. {remedy(claim)}"), err=True)


def refuse(given: Common, *, besides: Path | None = None) -> None:
    """Let nothing begin while a run of this target has no outcome. ``besides``: the folder of
    the one that is to be continued. Raises RunRefused."""
    for claim in given.claims():
        if besides is None or Path(claim.folder).resolve() != besides.resolve():
            raise RunRefused(_begun(claim), remedy(claim))


def no_screen(claim: Claim) -> RollbackTuiError:
    """Return what is said where the screens cannot be shown: exit 5 when it needs somebody,
    1 when it is at work."""
    kind = RunRefused if claim.state == "running" else RunUnfinished
    return kind(_begun(claim), remedy(claim))


def _begun(claim: Claim) -> str:
    return f"{sentence(claim)}; begun {claim.since:%H:%M:%S} UTC by {who(claim.operator)}"


def settle_request(given: Common, folder: Path) -> RunRequest:
    """Return what settling the run in ``folder`` needs: the plan that was confirmed then, the
    connection of now. Raises ConfigurationError, ConnectionFailed or JournalDamaged."""
    started = fold(journal.read(folder / journal.FILE_NAME)).started
    if started is None:
        raise ConfigurationError(f"{folder} holds no run", "See `rollback-tui history`.")
    return RunRequest(
        run=started.run,
        folder=str(folder),
        project=str(given.project),
        dsn=with_database(given.used_maintenance_dsn(), started.target.database),
        settings=given.settings,
        plan=started.plan,
        fingerprint=started.target.fingerprint,
        overrides={},
        reason=started.reason,
        operator=operator(),
        attended=False,
        kind=started.task,
        recovers=started.recovers,
    )
