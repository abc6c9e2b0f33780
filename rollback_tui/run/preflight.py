"""Before anything is touched: preflight, checkpoint, announcement, drain."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

import psycopg

from rollback_tui import __version__
from rollback_tui.checkpoint import external
from rollback_tui.checkpoint.make import make
from rollback_tui.core import events as ev
from rollback_tui.core.checks import judge, obstacles
from rollback_tui.core.checks.schema import NAME as ACCEPTING
from rollback_tui.core.errors import CheckpointError, ConnectionFailed, FrameworkError, RunRefused
from rollback_tui.core.facts import Facts
from rollback_tui.core.model import Session
from rollback_tui.core.schema_verdict import declared
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.postgres import activity, counts, target_lock
from rollback_tui.postgres.connect import connect, target
from rollback_tui.postgres.peers import who_holds
from rollback_tui.run import copying, folder
from rollback_tui.run.claims import rivals
from rollback_tui.run.context import Run
from rollback_tui.run.keeping import refuse_obstacles
from rollback_tui.survey.applied import detected, history
from rollback_tui.survey.facts import gather

_SHORT_TRANSACTION = 1.0


def preflight(run: Run) -> None:
    """Refuse unless all is as it was confirmed. Raises RunRefused or ConnectionFailed."""
    with run.phase("preflight") as outcome:
        if not run.plan.transactional and not run.request.stepwise_confirmed:
            raise RunRefused(
                "this plan goes statement by statement, and nobody said yes to that",
                "Add --statement-by-statement: what is done then stays done.",
            )
        run.open_connections()
        one_run_a_target(run)
        same_scripts(run)
        same_history(run)
        refuse_obstacles(run)
        facts = gather(
            run.live_target(),
            run.settings,
            run.project,
            run.plan,
            confirmed=run.request.fingerprint,
            run_directory_problem=folder.problem(run.folder),
            unfinished=lambda: rivals(run.folder, target(run.live_target())),
            rehearsal=run.request.rehearsal,
        )
        results = judge(facts)
        for check in results:
            run.write(ev.CheckJudged(check=check))
        for name, reason in run.request.overrides.items():
            run.write(ev.CheckOverridden(name=name, reason=reason))
        _foreseen(run, facts)
        standing = obstacles(results, run.request.overrides)
        if standing:
            first = standing[0]
            raise RunRefused(f"{first.title}: {first.summary}", first.remedy)
        outcome.summary = f"{len(results)} checks judged"
        run.check_abort()


def _foreseen(run: Run, facts: Facts) -> None:
    """Journal what the rehearsal of this plan says of the schema, and what of it is accepted."""
    found = facts.rehearsal.foreseen if facts.rehearsal else None
    if found is None:
        return
    right = declared(found.leftover, facts.accepted_differences)
    run.write(
        ev.SchemaForeseen(
            verdict=found,
            accepted=run.request.overrides.get(ACCEPTING, "").strip() if found.leftover else "",
            declared=tuple(d.object for d in right),
        )
    )


def one_run_a_target(run: Run, seconds: float = 0.0) -> None:
    """Take the lock that only one run of a target can have; tried for ``seconds``. Raises
    RunRefused, and says who has it."""
    if not run.hold_target(seconds):
        holder = who_holds(run.live_maintenance(), *target_lock.keys(run.database))
        raise RunRefused(
            f"another run has {run.database} now" + (f": {holder}" if holder else ""),
            "See it with `rollback-tui attach`, or wait until it has ended.",
        )


def same_scripts(run: Run) -> None:
    """The bytes that were confirmed are the bytes that run: the plan holds them, and the files
    must still say the same, or somebody is changing them right now."""
    for migration in run.plan.migrations:
        script = migration.script
        if script is None:
            continue
        path = Path(script.path)
        try:
            # As it was read for the plan: a FIFO or a device in its place must not hang the run.
            data = files.read(path.parent, path.name)
        except FileNotFoundError:
            raise RunRefused(
                f"{path} is gone since it was confirmed", "Look at it again."
            ) from None
        except FrameworkError as error:
            raise RunRefused(error.summary, error.remedy) from None
        # Of a script that a tool made, the file it was made from must be the same.
        confirmed = script.file_sha256 if script.origin else script.sha256
        if hashlib.sha256(data).hexdigest() != confirmed:
            raise RunRefused(
                f"{script.path} has changed since it was confirmed",
                "Go back to the preview and read it again.",
            )


def same_history(run: Run) -> None:
    """The applied versions must be those of the plan: a deploy may have come in between. Where no
    framework is known, nobody can tell."""
    if not run.plan.version_table:
        return
    connection = run.live_target()
    detection = detected(connection, run.settings, run.project)
    applied = [m.version for m in history(connection, detection).applied]
    if applied != [m.version for m in run.plan.applied]:
        raise RunRefused(
            f"the applied migrations have changed: now {applied[0] if applied else 'none'}",
            "Look at the state again; somebody migrated in the meantime.",
        )
    lock = FRAMEWORKS[detection.framework].lock_sql(run.database, detection.table)
    if lock is not None:
        # Held by our session until the run ends: a deploy that starts meanwhile waits or fails.
        run.framework_lock = lock
        if not run.lock_framework():
            raise RunRefused(
                f"{detection.framework} itself is migrating {run.database} now",
                "Wait until that deploy has ended.",
            )


def checkpoint(run: Run) -> None:
    """Make the dump while the application still serves, copy it off this host where that is
    configured, and give a backup outside its restore point. Raises CheckpointError."""
    own, outside = run.settings.checkpoint.enabled, run.settings.pgbackrest.configured
    if not own and not outside:
        run.skip("checkpoint", "switched off in the configuration: nothing could be restored")
        return
    with run.phase("checkpoint") as outcome:
        done = [_dump(run)] if own else ["no dump, so configured"]
        run.check_abort()
        if outside:
            done.append(_restore_point(run))
        outcome.summary = "; ".join(done)
        run.check_abort()


def _dump(run: Run) -> str:
    """Return where it is, and whether only there."""

    def progress(summary: str, done: int, total: int) -> None:
        run.write(
            ev.Progress(phase="checkpoint", summary=printable(summary), done=done, total=total)
        )

    made = make(
        run.request.dsn,
        run.settings.checkpoint,
        target=target(run.live_target()),
        plan=run.plan,
        tables=counts.tables(run.live_target()),
        project=run.project,
        progress=progress,
        aborted=run.control.aborted.is_set,
        application=_dump_application(run),
    )
    run.write(ev.CheckpointMade(checkpoint=made))
    run.check_abort()
    copied = copying.copy(
        run.settings.checkpoint,
        made,
        facts=run.facts(),
        project=run.project,
        aborted=run.control.aborted.is_set,
    )
    if copied is None:
        return made.path
    run.write(copied)
    run.check_abort()
    if not copied.ok and run.settings.checkpoint.copy_required:
        raise CheckpointError(
            f"The checkpoint is only on this host: {copied.summary}",
            "Repair [checkpoint] copy in rollback.toml, or set copy_required = false.",
        )
    return f"{made.path}, {copying.COPIED if copied.ok else copying.NOT_COPIED}"


def _restore_point(run: Run) -> str:
    """Return what it is called. Raises CheckpointError where the run must not go on without."""
    wanted = run.settings.pgbackrest
    try:
        point = external.make_restore_point(
            run.live_target(),
            wanted,
            run.request.run[:8],
            sent=lambda text: run.write(ev.SqlSent(connection="target", sql=text)),
            waiting=lambda what: run.write(ev.Waiting(phase="checkpoint", summary=what)),
            aborted=run.control.aborted.is_set,
        )
    except CheckpointError as error:
        if wanted.required:
            raise
        return printable(f"no restore point: {error.summary}")
    run.write(point)
    if point.problem and wanted.required:
        raise CheckpointError(
            f"The restore point {point.name} is of no use: {point.problem}",
            "Repair archiving, or set [pgbackrest] required = false.",
        )
    return f"restore point {point.name}" + (f" ({point.problem})" if point.problem else "")


def _dump_application(run: Run) -> str:
    return f"rollback_tui pg_dump {run.request.run[:8]}"


_END_DUMP = """
SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE datid = %s AND application_name = %s
"""


def stop_dumping(run: Run) -> None:
    """End the pg_dump that a dead worker left behind: a program of its own, it would go on
    filling the disk and holding its locks on every table. What it wrote keeps its unfinished name,
    and `checkpoint prune` lists it. Best effort."""
    if run.view.checkpoint is None and not run.backend_pid:
        with contextlib.suppress(psycopg.Error, ConnectionFailed):
            run.live_maintenance().execute(_END_DUMP, [run.target_oid, _dump_application(run)])


def announce(run: Run) -> None:
    """Tell that it begins, and switch the application's maintenance mode on."""
    with run.phase("announce") as outcome:
        told = run.hook("notify started")
        if run.settings.maintenance.on.configured:
            # Journaled first: whoever settles this run must know that it may be on.
            run.write(ev.MaintenanceChanged(on=True))
        switched = run.hook("maintenance on")
        if switched is not None and not switched.ok:
            raise RunRefused(
                f"maintenance mode could not be switched on: {switched.summary}",
                "Repair [maintenance.on] in rollback.toml, or take it out.",
            )
        outcome.summary = "; ".join(
            text
            for text in (
                None if told is None else ("team told" if told.ok else "telling the team failed"),
                "no maintenance hook" if switched is None else "maintenance mode on",
            )
            if text
        )
        run.check_abort()


def drain(run: Run) -> None:
    """Let writers finish. Short transactions come and go: those are not waited for, they end
    with the door and their clients hear it. Raises RunRefused when the operator gives up."""
    if run.settings.door.mode == "open":
        run.skip("drain", "online rollback: nobody is ended, statements wait for their locks")
        return
    with run.phase("drain") as outcome:
        began = time.monotonic()
        grace = run.settings.run.drain_seconds
        while writers := _writers(run):
            left = grace - (time.monotonic() - began)
            if left <= 0:
                if not _wait_on(run, writers):
                    break
                began = time.monotonic()
                continue
            run.write(
                ev.Waiting(
                    phase="drain",
                    summary="writers: " + _named(writers),
                    pids=tuple(s.pid for s in writers),
                    seconds_left=round(left, 1),
                )
            )
            run.control.aborted.wait(min(1.0, left))
            run.check_abort()
        outcome.summary = f"{len(writers)} writers will be ended" if writers else "no long writers"


def _writers(run: Run) -> tuple[Session, ...]:
    door = run.settings.door
    return tuple(
        s
        for s in activity.activity(run.live_target(), database_bytes=0).sessions
        if s.writing
        and not s.ours
        and s.application not in door.allow_applications
        and s.user not in door.allow_users
        and (s.transaction_age or 0) >= _SHORT_TRANSACTION
    )


def _named(writers: tuple[Session, ...]) -> str:
    return printable(", ".join(f"{s.pid} {s.application} ({s.state})" for s in writers[:5]))


def _wait_on(run: Run, writers: tuple[Session, ...]) -> bool:
    """Decide what to do with writers that outlasted the grace; True: wait once more."""
    then = run.settings.run.drain_then
    if then == "ask":
        choice = run.ask(
            ev.Question(
                name="drain",
                text=f"{len(writers)} sessions are still writing: {_named(writers)}",
                choices=("give up", "wait on", "terminate them"),
                default="give up",
                seconds=run.settings.run.answer_seconds,
            )
        )
        then = "terminate" if choice == "terminate them" else "give_up"
        if choice == "wait on":
            return True
    if then == "give_up":
        raise RunRefused(
            f"writers did not finish: {_named(writers)}",
            "Ask their owners, or set [run] drain_then to terminate.",
        )
    return False


def started(run: Run) -> ev.RunStarted:
    """Return the first event of the run; connects once to learn which database this is.

    Raises ConnectionFailed.
    """
    timeout = run.settings.connection.connect_timeout
    with connect(run.request.dsn, timeout=timeout, patience=run.patience()) as connection:
        here = target(connection)
    return ev.RunStarted(
        run=run.request.run,
        tool_version=__version__,
        target=here,
        plan=run.plan,
        plan_sha256=run.plan.sha256,
        operator=run.request.operator,
        reason=run.request.reason,
        environment=run.settings.environment,
        folder=str(run.folder),
        worker_pid=os.getpid(),
        keep=run.request.keep,
        rehearsal=run.request.rehearsal,
        task=run.request.kind,
        recovers=run.request.recovers,
        trigger=run.request.trigger,
        attended=run.request.attended,
        follow_ups=run.settings.incident.follow_ups,
        audit_head=run.request.audit_head,
    )
