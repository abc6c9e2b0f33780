"""From a rung of the ladder to the run that takes it."""

from __future__ import annotations

import uuid
from pathlib import Path

from rollback_tui.cli.options import Common
from rollback_tui.core.errors import RunRefused
from rollback_tui.core.recovery import RecoveryOption
from rollback_tui.postgres.connect import Connection, resolved
from rollback_tui.run import folder as run_folder
from rollback_tui.run.recovery.earlier import read_earlier
from rollback_tui.run.request import RunRequest, operator
from rollback_tui.survey.upwards import plan_upwards


def recovery_request(
    connection: Connection,
    given: Common,
    earlier: Path,
    option: RecoveryOption,
    *,
    fingerprint: str,
    reason: str,
    attended: bool,
    agreed: int | None,
) -> RunRequest:
    """Return the request of a run that takes ``option`` for the run in ``earlier``, its folder
    made. ``agreed``: how many rows may be lost; None: an unknown number was agreed to.

    Raises RunRefused when the rung cannot be taken, ConfigurationError, FrameworkError.
    """
    if option.obstacle or option.rung == "external":
        raise RunRefused(
            option.obstacle or "a backup outside is restored by hand: see its commands",
            option.remedy,
        )
    plan = read_earlier(earlier).begun.plan
    again = option.rung == "reapply"
    if again:
        plan = plan_upwards(connection, given.settings, given.project, plan)
    run = str(uuid.uuid4())
    return RunRequest(
        run=run,
        folder=str(run_folder.create(given.run_directory(), run)),
        project=str(given.project),
        dsn=resolved(connection),
        settings=given.settings,
        plan=plan,
        fingerprint=fingerprint,
        overrides={},
        reason=reason,
        operator=operator(given.project),
        attended=attended,
        kind="reapply" if again else "recover",
        recovers=str(earlier.resolve()),
        rung=option.rung,
        lost_rows=agreed,
    )


def agreed_rows(option: RecoveryOption, typed: str) -> int | None:
    """Return how many rows may be lost by what was typed: none for the database's name; a number
    at least as large as what was counted, for more may be written until the door closes; None for
    an unknown one, where it is unknown.

    Raises RunRefused for anything else.
    """
    if typed == option.confirm:
        return option.lost_rows
    parts = typed.split(" ")
    if len(parts) == 3 and (parts[0], parts[2]) == ("lose", "rows"):
        if not parts[1].isascii() or not parts[1].isdecimal():
            raise _not_it(option)
        number = int(parts[1])
        if option.lost_rows is not None and number >= option.lost_rows:
            return number
    raise _not_it(option)


def _not_it(option: RecoveryOption) -> RunRefused:
    return RunRefused(
        f"that is not what confirms it: {option.confirm!r}",
        "Look at what would be lost again.",
    )
