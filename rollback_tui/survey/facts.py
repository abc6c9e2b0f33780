"""The facts that the safety checks judge, asked of the server and the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

import psycopg

from rollback_tui.checkpoint import clone, external
from rollback_tui.checkpoint.facts import plan_checkpoint
from rollback_tui.config import Settings
from rollback_tui.core.claim import Claim
from rollback_tui.core.errors import ConnectionFailed, RollbackTuiError
from rollback_tui.core.facts import CloneFacts, Facts, ParserAnswer, Privileges
from rollback_tui.core.model import Activity, Plan, Rung, Target
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.core.schema_verdict import Origin
from rollback_tui.core.text import printable
from rollback_tui.postgres import activity, dependents, leftovers, run_row, syntax
from rollback_tui.postgres.blockers import in_the_way
from rollback_tui.postgres.connect import Connection, target, through_pooler
from rollback_tui.postgres.event_triggers import event_triggers
from rollback_tui.postgres.fleeting import fleeting
from rollback_tui.postgres.mentions import mentions
from rollback_tui.postgres.privileges import privileges
from rollback_tui.postgres.watchdog import synchronous_standby_missing
from rollback_tui.survey import baseline, door

T = TypeVar("T")

_MENTIONS_SECONDS = 3.0


def gather(
    connection: Connection,
    settings: Settings,
    project: Path,
    plan: Plan,
    *,
    confirmed: str | None,
    run_directory_problem: str | None,
    unfinished: Callable[[], tuple[Claim, ...]] = tuple,
    run: str = "",
    rehearsal: Rehearsal | None = None,
) -> Facts:
    """Ask for everything. What cannot be found out is None, and the reason is kept.

    Raises ConnectionFailed when the connection is lost meanwhile: then nothing more is found out.
    ``unfinished`` tells which other runs of this target have no outcome; ``run`` is the id of the
    run that asks: what that one made is nobody's leftover.
    """
    unreadable: list[str] = []

    def asked(name: str, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except (psycopg.Error, RollbackTuiError) as error:
            if connection.broken:
                message = printable(" ".join(str(error).split()))
                raise ConnectionFailed(message, "Connect again.") from None
            unreadable.append(printable(f"{name}: {error}"))
            return None

    here = target(connection)
    pooler = asked("pooler", lambda: through_pooler(connection))
    now = asked("activity", lambda: activity.activity(connection))
    rights = asked(
        "privileges",
        lambda: privileges(
            connection,
            not_owned=dependents.not_owned(connection, plan.statements),
            row_security=dependents.row_security_tables(connection),
        ),
    )
    standby = here.role == "standby"
    opened = settings.door.mode == "open"
    chosen = (
        asked("door", lambda: door.choose(connection, settings, rights, plan.statements))
        if rights is not None and not opened
        else None
    )
    rung: Rung | Literal["none"] = "none" if opened else (chosen.rung if chosen else "terminate")
    named = asked("mentions", lambda: mentions(connection, plan, _MENTIONS_SECONDS))
    return Facts(
        target=here,
        confirmed_fingerprint=confirmed,
        plan=plan,
        activity=now,
        privileges=rights,
        parser=asked("parser", lambda: _parsed(connection, plan, pooler=pooler)),
        dependents=asked("dependents", lambda: dependents.dependents(connection, plan.statements)),
        pooler=pooler,
        checkpoint=asked(
            "checkpoint",
            lambda: plan_checkpoint(
                settings.checkpoint, project, here, now.database_bytes if now else 0
            ),
        ),
        run_directory_problem=run_directory_problem,
        standby_missing=asked(
            "synchronous_standby", lambda: synchronous_standby_missing(connection)
        ),
        run_row_problem=asked("run_row", lambda: _run_row(connection, settings)),
        door=rung,
        door_why=chosen.why if chosen else (),
        unendable=() if now is None or rights is None or standby else _unendable(now, rights),
        external=asked("external", lambda: external.facts(connection, settings.pgbackrest, here)),
        clone=asked("clone", lambda: _clone(connection, settings, here, plan, rung)),
        leftovers=asked(
            "leftovers",
            lambda: leftovers.leftovers(connection, here.database, run8=run[:8]),
        ),
        unfinished=asked("unfinished", unfinished),
        event_triggers=asked("event_triggers", lambda: event_triggers(connection)),
        fleeting=asked("fleeting", lambda: fleeting(connection)),
        in_the_way=asked("in_the_way", lambda: in_the_way(connection, plan.statements)),
        mentions=named[0] if named else None,
        statistics=named[1] if named else None,
        rehearsal=rehearsal if rehearsal and rehearsal.plan_sha256 == plan.sha256 else None,
        baseline=asked("baseline", lambda: _baseline(settings, project, plan, here)) or "none",
        accepted_differences=settings.verify.accept,
        unreadable=tuple(unreadable),
    )


def _parsed(connection: Connection, plan: Plan, *, pooler: bool | None) -> tuple[ParserAnswer, ...]:
    if pooler is not False:
        # It would leave its lock_timeout behind, in a session that the pooler gives to others.
        raise RollbackTuiError("the server's parser is not asked through a pooler", "")
    return syntax.syntax_errors(connection, plan.statements)


def _baseline(settings: Settings, project: Path, plan: Plan, here: Target) -> Origin:
    directory = project / settings.verify.baseline_directory
    return baseline.for_plan(directory, plan, here.server_version).origin


def _clone(
    connection: Connection,
    settings: Settings,
    here: Target,
    plan: Plan,
    rung: Rung | Literal["none"],
) -> CloneFacts:
    wanted = settings.checkpoint
    if wanted.clone == "off" and plan.transactional:
        return clone.not_wanted(wanted)
    return clone.estimate(connection, here.database_oid, wanted, door=rung)


def _run_row(connection: Connection, settings: Settings) -> str:
    if not settings.run.run_row:
        return "so configured: [run] run_row = false"
    return run_row.problem(connection)


def _unendable(now: Activity, rights: Privileges) -> tuple[int, ...]:
    """Sessions of superusers, when we are none: nobody but a superuser may end them."""
    if rights.superuser:
        return ()
    return tuple(
        s.pid
        for s in now.sessions
        if s.superuser and s.backend_type == "client backend" and not s.ours
    )
