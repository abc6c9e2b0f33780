"""What people decide at the command line and on the screens, kept in the audit log of the project.

A log that cannot be written stops nothing (:mod:`rollback_tui.aftercare.decisions`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rollback_tui.core.errors import RunRefused

# The rest is imported where it is used: the first screen decides nothing yet.
if TYPE_CHECKING:
    from rollback_tui.cli.options import Common
    from rollback_tui.core.activity.signals import Signal
    from rollback_tui.core.history.decisions import Fact
    from rollback_tui.postgres.connect import Connection
    from rollback_tui.run.feed import RunFeed
    from rollback_tui.run.request import RunRequest

Answer = TypeVar("Answer")


class NotBegun(RunRefused):
    """The worker could not begin; that is in the audit log already."""


def note(given: Common, what: str, detail: str = "", *, run: str = "", **facts: Fact) -> str:
    """Keep in the audit log that somebody decided ``what``; see :mod:`aftercare.decisions`."""
    from rollback_tui.aftercare import decisions

    return decisions.note(given.run_directory(), what, detail, run=run, **facts)


def start(given: Common, request: RunRequest) -> None:
    """Start the run that ``request`` describes, and keep who asked for it. Its journal holds the
    hash of that line: so the log is vouched for by the journal. Raises RunRefused."""
    from rollback_tui.run import launch

    try:
        launch.start(_asked(given, request))
    except RunRefused as error:
        note(given, "run did not begin", error.summary, run=request.run)
        raise NotBegun(error.summary, error.remedy) from None


def _asked(given: Common, request: RunRequest) -> RunRequest:
    import msgspec

    versions = tuple(m.version for m in request.plan.migrations)
    of = f"run {Path(request.recovers).name[16:]}" if request.recovers else ", ".join(versions)
    head = note(
        given,
        {"rollback": "run", "recover": "recovery", "reapply": "reapplication"}[request.kind]
        + " asked for",
        "; ".join(filter(None, (of, request.reason))),
        run=request.run,
        plan_sha256=request.plan.sha256,
        versions=versions,
        overrides=tuple(f"{name}: {why}" for name, why in request.overrides.items()),
        reason=request.reason,
        trigger=request.trigger,
        rung=request.rung or "",
        lost_rows=request.lost_rows,
        attended=request.attended,
    )
    return msgspec.structs.replace(request, audit_head=head)


def followed(given: Common, folder: Path) -> RunFeed:
    """Follow the run in ``folder``; who takes its controls from somebody else is kept."""
    from rollback_tui.run.feed import RunFeed

    def taken_over(holder: str) -> None:
        note(given, "controls taken over", f"from {holder}", run=folder.name[16:])

    return RunFeed(folder, taken_over=taken_over)


def refusals(what: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Decorate a command: where it is refused, that somebody asked for it is kept."""

    def decorated(command: Callable[..., Answer]) -> Callable[..., Answer]:
        @functools.wraps(command)
        def asked(given: Common, **options: Any) -> Answer:
            try:
                return command(given=given, **options)
            except NotBegun:
                raise
            except RunRefused as error:
                note(given, f"{what} refused", error.summary)
                raise

        return asked

    return decorated


def signal(
    given: Common,
    connection: Connection,
    what: str,
    send: Callable[[Connection, int, datetime | None], Signal],
    session: tuple[int, datetime | None],
) -> Signal:
    """Send a signal to ``session`` (pid and begin) by ``send``, and keep that with what the server
    said. Raises psycopg.Error."""
    from rollback_tui.postgres import activity

    pid, begun = session
    application, user = activity.named(connection, pid, begun)
    found = send(connection, pid, begun)
    said = {"signalled": "", "gone": ": it was gone", "not allowed": f": {found.why}"}
    who = application or "an unknown application"
    note(
        given,
        f"session {what}" if found.outcome == "signalled" else f"session not {what}",
        f"pid {pid} of {who}{said[found.outcome]}",
        pid=pid,
        application=application,
        user=user,
        outcome=found.outcome,
        why=found.why,
    )
    return found
