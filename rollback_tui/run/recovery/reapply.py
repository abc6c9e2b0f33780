"""A run that applies again what an earlier one rolled back, and gives back what that one kept.

The up scripts go through the same rooms as a way down: one transaction behind the closed door,
verified, held at the gate. What the earlier run kept is put back after COMMIT, in a transaction of
its own, before the door opens: applications never see the tables without it.
"""

from __future__ import annotations

import psycopg

from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError, RunRefused
from rollback_tui.core.model import Outcome, Verification
from rollback_tui.core.text import printable
from rollback_tui.postgres import archive, catalog
from rollback_tui.postgres.archive.restore import restore
from rollback_tui.postgres.connect import Connection
from rollback_tui.run.aftermath import finish, look_after
from rollback_tui.run.afterwards.health import Prober
from rollback_tui.run.afterwards.query_errors import QueryWatch
from rollback_tui.run.committing import transact
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.doorway import Keeper, close_door, open_again
from rollback_tui.run.preflight import (
    announce,
    checkpoint,
    drain,
    same_history,
    same_scripts,
)
from rollback_tui.run.recovery.earlier import Earlier, alone_as_looked_at, earlier_of, same_database
from rollback_tui.run.recovery.repair import Found, step
from rollback_tui.run.usual import UsualWatch

APPLY = "apply the migrations again"
GIVE_BACK = "put back what was kept"


def reapply(run: Run) -> ev.RunFinished:
    """Carry it out. Whatever happens, it ends in one of the outcomes, with the door open and
    maintenance mode off (or an alarm that says they are not)."""
    keeper: Keeper | None = None
    prober, watch, usual = Prober(run), QueryWatch(run), UsualWatch(run)
    try:
        _preflight(run)
        watch.before()
        usual.begin()
        checkpoint(run)
        usual.end()
        announce(run)
        drain(run)
        watch.before()
        prober.start()
        keeper = close_door(run)
    except Exception as error:  # noqa: BLE001 - whatever it was, what was closed must open again
        open_again(run, keeper, prober)
        return finish(run, "refused", summary_of(error))
    question = ("schema_as_before", "Schema as before the rollback", schema_as_before)
    outcome, summary = transact(run, keeper, question)
    run.begin_cleaning_up()
    if run.committed:
        give_back(run)
    open_again(run, keeper, prober)
    healthy = look_after(run, prober, watch)
    if run.committed and outcome == "rolled_back":
        outcome, summary = judge_result(run, healthy=healthy)
    return finish(run, outcome, summary)


def _preflight(run: Run) -> None:
    """Refuse unless what is there is what the earlier run left, and the scripts are those that
    were shown."""
    with run.phase("preflight") as outcome:
        here = alone_as_looked_at(run)
        earlier = earlier_of(run)
        if not same_database(earlier, here):
            raise RunRefused(
                f"this is not the database that run {earlier.short} rolled back",
                "Look at the ways back again.",
            )
        same_scripts(run)
        same_history(run)
        steps = (APPLY, GIVE_BACK) if earlier.view.kept else (APPLY,)
        versions = printable(", ".join(m.version for m in run.plan.migrations))
        run.write(
            ev.RecoveryPlanned(
                rung="reapply",
                restores=f"the schema of {versions} again",
                estimated_seconds=None,
                steps=steps,
            )
        )
        outcome.summary = f"what run {earlier.short} rolled back is applied again"
        run.check_abort()


def schema_as_before(run: Run, connection: Connection) -> Verification:
    """Judge whether the schema is the one that the earlier run found before its first statement.

    The order of columns is not part of it: one that was dropped comes back in another place.
    """
    name, title = "schema_as_before", "Schema as before the rollback"
    earlier = earlier_of(run)
    captured = earlier.view.captured
    if captured is None:
        why = f"run {earlier.short} did not look at it"
        return Verification(name=name, title=title, verdict="unknown", summary=why)
    now = catalog.snapshot(connection)
    same = now.fingerprint == captured.schema_sha256
    words = "as" if same else "not as"
    return Verification(
        name=name,
        title=title,
        verdict="pass" if same else "fail",
        summary=f"{words} run {earlier.short} found it: {len(now.objects):,} objects",
    )


def give_back(run: Run) -> None:
    """Put back what the earlier run kept; a step of its own, which may be done twice."""
    earlier = earlier_of(run)
    if not earlier.view.kept or any(s.name == GIVE_BACK for s in run.view.recovery):
        return
    step(run, GIVE_BACK, lambda: _restore_kept(run, earlier))


def _restore_kept(run: Run, earlier: Earlier) -> Found:
    connection = run.live_target()
    kept = archive.find(connection, earlier.begun.run)
    limits = run.settings.run
    done = restore(
        connection,
        kept,
        limits={
            "lock_timeout": f"{max(1, round(limits.lock_timeout_seconds * 1000))}ms",
            "statement_timeout": f"{max(1, round(limits.statement_timeout_seconds * 1000))}ms",
        },
    )
    written = sum(one.written for one in done.items)
    left = sum(one.left for one in done.items)
    words = f"{written:,} rows and values put back from {printable(kept.schema)}"
    if left:
        words += f"; {left:,} were changed since and left as they are"
    evidence = (
        *(one.describe() for one in done.items),
        *(f"trigger {name} was kept from firing" for name in done.silenced),
        *(f"sequence {name}" for name in done.sequences),
    )
    return Found(words, "pass", evidence=evidence)


def judge_result(run: Run, *, healthy: bool | None) -> tuple[Outcome, str]:
    """Say what a committed run came to: recovered is only what nothing speaks against."""
    versions = printable(", ".join(m.version for m in run.plan.migrations))
    done = f"Applied again: {versions}."
    failed = [v.title for v in run.view.verifications if v.verdict == "fail" and not v.accepted]
    steps = [s.summary for s in run.view.recovery if s.verdict == "fail"]
    if steps:
        short = earlier_of(run).short
        return "needs_operator", (
            f"{done} What run {short} kept is not back: {steps[0]}. See: rollback-tui archive list."
        )
    if healthy is False:
        return "needs_operator", f"{done} The application is not healthy."
    if failed:
        return "needs_operator", f"{done} Committed as the operator chose, although: {failed[0]}."
    unknown = [v.title for v in run.view.verifications if v.verdict == "unknown"]
    return "recovered", done + (f" Unknown: {', '.join(unknown)}." if unknown else " Verified.")


def settle_reapplied(run: Run, outcome: Outcome, summary: str) -> tuple[Outcome, str]:
    """Return what a run that was settled came to: a committed one is not a rollback. What was kept
    is put back now, if the worker died before it could."""
    if not run.committed:
        return outcome, summary
    try:
        give_back(run)
    except (psycopg.Error, RollbackTuiError) as error:
        return "needs_operator", f"{summary} Then: {summary_of(error)}"
    if outcome != "rolled_back":
        return outcome, summary
    judged, told = judge_result(run, healthy=None)
    return judged, f"The worker died; its COMMIT had arrived. {told}"
