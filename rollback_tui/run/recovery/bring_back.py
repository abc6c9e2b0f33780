"""A run that brings back what an earlier one left: a kept copy swapped in, or the dump restored.

Read it aloud: the dump is restored beside while applications still work; then the door closes, and
only then, with both databases standing and nobody writing, it is counted what would be lost. The
swap is one transaction; the database that is replaced is kept under another name.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from msgspec.structs import replace

from rollback_tui.checkpoint import restore
from rollback_tui.checkpoint.compare import compared
from rollback_tui.core import events as ev
from rollback_tui.core.errors import (
    CheckpointError,
    ConnectionFailed,
    FrameworkError,
    RollbackTuiError,
    RunRefused,
)
from rollback_tui.core.model import Outcome, Value, Verdict
from rollback_tui.core.recovery import LostRows
from rollback_tui.core.text import printable
from rollback_tui.frameworks.registry import FRAMEWORKS
from rollback_tui.postgres import rename
from rollback_tui.postgres.connect import connect, with_database
from rollback_tui.postgres.naming import beside_name, marked
from rollback_tui.run import cloning
from rollback_tui.run.aftermath import finish, measure_impact
from rollback_tui.run.afterwards.health import Prober, health
from rollback_tui.run.context import Aborted, Run, summary_of
from rollback_tui.run.doorway import Keeper, close_door, open_again, reopen
from rollback_tui.run.judgement import shut_out
from rollback_tui.run.preflight import announce, drain
from rollback_tui.run.recovery.earlier import Earlier, alone_as_looked_at, earlier_of, standing
from rollback_tui.run.recovery.ladder import Ladder, untouched_by_others
from rollback_tui.run.recovery.lost import exactly_lost
from rollback_tui.run.recovery.repair import RESTORE, STEPS, Found, Wanted, repair, step, wanted_of
from rollback_tui.run.recovery.swap import number, settle_swap, swap_in
from rollback_tui.survey.applied import detected

_STOP = "stop"

_TOLD_SECONDS = 0.5
_NAMED = 5


class NotAgreed(RollbackTuiError):
    """More would be lost than was agreed to, and nobody agreed to that."""


class Source(Value, frozen=True, kw_only=True):
    """The database that is to take the target's place."""

    database: str
    oid: int
    found: Found
    """How it came to be there, and what speaks for it."""


def bring_back(run: Run) -> ev.RunFinished:
    """Carry the recovery out. Whatever happens, it ends in one of the outcomes, with the door open
    and maintenance mode off (or an alarm that says they are not)."""
    # However the rollback went: what is lost can only be counted while nobody writes.
    run.settings = replace(run.settings, door=replace(run.settings.door, mode="closed"))
    keeper: Keeper | None = None
    prober = Prober(run)
    try:
        earlier = _preflight(run)
        announce(run)
        source = _beside(run, earlier)
        drain(run)
        prober.start()
        keeper = close_door(run)
    except Exception as error:  # noqa: BLE001 - whatever it was, what was closed must open again
        open_again(run, keeper, prober)
        drop_beside(run)
        return finish(run, "refused", summary_of(error))
    why = _replaced(run, earlier, source)
    open_again(run, keeper, prober)
    _repair_later(run, earlier)
    measure_impact(run, prober)
    outcome, summary = _judged(run, why)
    drop_beside(run)
    return finish(run, outcome, summary)


def _preflight(run: Run) -> Earlier:
    """Refuse unless the chosen rung can be taken, on the database that was looked at."""
    with run.phase("preflight") as outcome:
        alone_as_looked_at(run)
        _lock_framework(run)
        earlier = earlier_of(run)
        rung = run.request.rung or "clone"
        looking = Ladder(
            run.live_target(), run.live_maintenance(), run.settings, run.project, earlier
        )
        option = looking.rung(rung)
        if option.obstacle or rung not in ("clone", "dump"):
            raise RunRefused(
                option.obstacle or f"{rung} is not a rung that a recovery takes", option.remedy
            )
        run.write(
            ev.RecoveryPlanned(
                rung=rung,
                restores=option.restores,
                estimated_seconds=option.estimated_seconds,
                steps=STEPS,
            )
        )
        outcome.summary = f"run {earlier.short} is undone: {option.title}"
        run.check_abort()
        return earlier


def _lock_framework(run: Run) -> None:
    """Keep deploys out that the framework itself makes; a table that cannot be recognised any more
    is no reason not to bring the database back."""
    with contextlib.suppress(FrameworkError):
        found = detected(run.live_target(), run.settings, run.project)
        run.framework_lock = FRAMEWORKS[found.framework].lock_sql(run.database, found.table) or ""
        if not run.lock_framework():
            raise RunRefused(
                f"{found.framework} itself is migrating {run.database} now",
                "Wait until that deploy has ended.",
            )


def _beside(run: Run, earlier: Earlier) -> Source:
    """Return what stands beside the target; a dump is restored now, while the door is open.

    The database as it is now needs no checkpoint: it is kept."""
    if run.request.rung != "dump":
        run.skip("checkpoint", "none is needed: the database as it is now is kept, renamed")
        there = standing(run.live_maintenance(), earlier)
        if there is None:
            raise RunRefused("the copy is gone", "Look at the ways back again.")
        said = f"{printable(there.database)} is the copy that was kept, not counted again"
        return Source(database=there.database, oid=there.oid, found=Found(said))
    with run.phase("checkpoint", "the checkpoint is restored beside") as outcome:
        name = _restored_name(run)
        found = _restore(run, earlier, name)
        outcome.summary = found.summary
        return Source(database=name, oid=number(run, name), found=found)


def _restored_name(run: Run) -> str:
    return beside_name(run.database, f"__restored_{run.request.run[:8]}")


def _restore(run: Run, earlier: Earlier, name: str) -> Found:
    made = earlier.view.checkpoint
    if made is None:
        raise RunRefused("the run made no checkpoint", "Look at the ways back again.")
    path = Path(made.path)
    # Journaled first: whoever settles this run must know what may be there.
    text = f"{printable(made.path)} is restored into {printable(name)}"
    run.write(ev.Progress(phase="checkpoint", summary=text))

    def progress(summary: str, done: int, total: int) -> None:
        run.write(ev.Progress(phase="checkpoint", summary=summary, done=done, total=total))

    restore.restore_beside(
        path,
        run.request.dsn,
        run.maintenance_dsn,
        name,
        progress=progress,
        aborted=run.control.aborted.is_set,
        fingerprint=made.fingerprint,
        comment=marked("restored", run.database, run.request.run),
        jobs=run.settings.checkpoint.jobs,
    )
    comparison = compared(path, with_database(run.request.dsn, name))
    # A schema that differs is the matter of a step of its own.
    about_rows = [d for d in comparison.differences if d.kind != "schema"]
    wrong = [d.summary for d in about_rows if d.kind != "not counted"]
    if wrong:
        raise CheckpointError(
            f"restored, but not as the manifest says: {printable('; '.join(wrong[:3]))}",
            "Do not use this checkpoint. Choose another: `rollback-tui checkpoint list`.",
        )
    said = f"restored into {printable(name)} as the manifest says: {comparison.describe()}"
    verdict: Verdict = "unknown" if about_rows else "pass"
    return Found(said, verdict, evidence=tuple(d.summary for d in about_rows))


def _replaced(run: Run, earlier: Earlier, source: Source) -> str:
    """Agree on what is lost, swap, repair. Returns why it was not done, or ended early; raises
    nothing: the door must open."""
    try:
        with run.phase("recover") as outcome:
            _agree(run, earlier, source)
            if not run.control.close_abort():
                raise Aborted
            step(run, RESTORE, lambda: _swap(run, source))
            if run.view.swapped is None:
                outcome.status = "failed"
                return run.view.recovery[-1].summary
            run.begin_cleaning_up()
            if not _inside(run):
                outcome.summary = "the other steps follow when the door is open"
            elif "fail" in repair(run, _wanted(run, earlier)).values():
                outcome.status = "failed"
            return ""
    except Exception as error:  # noqa: BLE001 - whatever it was, the door must open
        run.begin_cleaning_up()
        with contextlib.suppress(psycopg.Error, RollbackTuiError):
            settle_swap(run)
        return summary_of(error)


def _wanted(run: Run, earlier: Earlier) -> Wanted:
    planned = run.view.planned_recovery
    return wanted_of(earlier.view, cloned=planned is not None and planned.rung == "clone")


def _inside(run: Run) -> bool:
    """Whether we come in behind our own door: an ordinary role does not behind a connection limit,
    which has gone over to the database that is in place now."""
    try:
        run.live_target()
    except ConnectionFailed as error:
        return not shut_out(error)
    return True


def _repair_later(run: Run, earlier: Earlier) -> None:
    """Do the steps that could not be done behind the door; none are missing otherwise."""
    if run.view.swapped is not None:
        repair(run, _wanted(run, earlier))


def _agree(run: Run, earlier: Earlier, source: Source) -> None:
    """Count what would be lost now, and ask when that is more than was agreed to. Raises NotAgreed
    or Aborted; psycopg.Error or ConnectionFailed when it cannot be counted at all."""
    lost = _lost(run, earlier, source)
    agreed = run.request.lost_rows
    run.write(ev.LostCounted(lost=lost, agreed=agreed))
    known = [one.rows for one in lost if one.rows is not None]
    total = sum(known) if len(known) == len(lost) else None
    if agreed is None or (total is not None and total <= agreed):
        return
    words = f"lose {'unknown' if total is None else total} rows"
    # What nobody knows first, then the most: the five that are named must be the ones that matter.
    worst = sorted(lost, key=lambda one: (one.rows is not None, -(one.rows or 0)))
    told = "; ".join(
        f"{one.table}: {f'{one.rows:,}' if one.rows is not None else '?'}" for one in worst[:_NAMED]
    )
    if len(lost) > _NAMED:
        told += f"; and {len(lost) - _NAMED:,} more"
    question = ev.Question(
        name="recover",
        text=printable(
            f"{'Nobody knows how many' if total is None else f'{total:,}'} rows written since"
            f" would be lost ({told}); you agreed to {agreed:,}."
        ),
        choices=(_STOP, words),
        default=_STOP,
        seconds=run.settings.run.answer_seconds,
    )
    if run.ask(question) != words:
        raise NotAgreed(
            f"more rows would be lost than the {agreed:,} that were agreed to: "
            + ("unknown" if total is None else f"{total:,}"),
            "Nothing was changed. Look at the ways back again, and type the new number.",
        )


def _lost(run: Run, earlier: Earlier, source: Source) -> tuple[LostRows, ...]:
    maintenance = run.live_maintenance()
    there = rename.named(maintenance, source.database)
    if there is not None and not there.accepts:
        # A copy lets nobody in; nobody but us knows its name, and the swap opens it anyway.
        run.sql(maintenance, rename.accept(maintenance, source.database, yes=True))
    seconds = run.settings.verify.budget_seconds
    dsn = with_database(run.request.dsn, source.database)
    try:
        with contextlib.closing(connect(dsn, patience=run.patience(seconds))) as other:
            live = run.live_target()
            skip = untouched_by_others(live, run.settings, run.project, earlier)
            return exactly_lost(
                live, other, earlier, skip=skip, seconds=seconds, said=_counting(run)
            )
    finally:
        if there is not None and not there.accepts and not maintenance.broken:
            run.sql(maintenance, rename.accept(maintenance, source.database, yes=False))


def _counting(run: Run) -> Callable[[str, int, int], None]:
    """Return what says which table is compared now, twice a second at most: each word is synced."""
    last = -math.inf

    def said(table: str, place: int, of: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _TOLD_SECONDS:
            last = time.monotonic()
            text = f"counting what would be lost: {printable(table)}"
            run.write(ev.Progress(phase="recover", summary=text, done=place, total=of))

    return said


def _swap(run: Run, source: Source) -> Found:
    if not settle_swap(run):
        there = rename.place(run.live_maintenance(), source.oid)
        if there is None:
            raise CheckpointError(f"{printable(source.database)} is not there", "")
        swap_in(run, there.name, source.oid)
    swapped = run.view.swapped
    kept = printable(swapped.kept) if swapped is not None else "another name"
    said = f"it has the name {printable(run.database)} now; what was there is kept as {kept}"
    evidence = (source.found.summary, *source.found.evidence, said)
    return Found(f"{source.found.summary}; {said}", source.found.verdict, evidence=evidence)


def _judged(run: Run, why: str) -> tuple[Outcome, str]:
    """Return the outcome, from what stands in the journal; health is asked when it was swapped."""
    if run.view.swapped is None:
        return "unchanged", f"{why}. Nothing was replaced."
    healthy = health(run)
    done = f"The database was brought back; what it was before is kept as {_kept(run)}."
    wrong = [s.name for s in run.view.recovery if s.verdict == "fail"]
    missing = [name for name in STEPS if name not in {s.name for s in run.view.recovery}]
    if why or missing:
        return "needs_operator", f"{done} Then: {why or 'not done: ' + ', '.join(missing)}."
    if wrong:
        return "needs_operator", f"{done} Not all is well: {', '.join(wrong)}."
    if healthy is False:
        return "needs_operator", f"{done} The application is not healthy."
    unknown = [s.name for s in run.view.recovery if s.verdict == "unknown"]
    return "recovered", done + (f" Unknown: {', '.join(unknown)}." if unknown else "")


def _kept(run: Run) -> str:
    return printable(run.view.swapped.kept) if run.view.swapped is not None else ""


def drop_beside(run: Run) -> None:
    """Drop what was restored beside and did not become the target. Best effort: what stays is
    listed by ``rollback-tui checkpoint prune``. FORCE ends the pg_restore of a dead worker."""
    planned = run.view.planned_recovery
    if planned is None or planned.rung == "clone" or run.view.swapped is not None:
        return
    cloning.drop_beside(run, _restored_name(run), making=True)


def settle_recovery(run: Run) -> tuple[Outcome, str]:
    """Finish a recovery whose worker died: the catalog says whether the swap has happened. The door
    is opened at once; the steps that are missing are done behind it."""
    trouble = ""
    try:
        settle_swap(run)
    except Exception as error:  # noqa: BLE001 - whatever it was, the door must still open
        trouble = summary_of(error)
    shut = run.view.door is not None
    reopen(run, None)
    if trouble:
        return "needs_operator", f"The worker died. Then: {trouble}"
    if run.view.swapped is None:
        _shut_copy(run)
        drop_beside(run)
        return "unchanged" if shut else "refused", "The worker died before anything was replaced."
    if all(s.name != RESTORE for s in run.view.recovery):
        said = f"another has its name; what was there is kept as {_kept(run)}"
        step(run, RESTORE, lambda: Found(said))
    repair(run, _wanted(run, earlier_of(run)))
    outcome, summary = _judged(run, "")
    return outcome, f"The worker died after the swap. {summary}"


def _shut_copy(run: Run) -> None:
    """A copy that was opened to be compared lets nobody in again."""
    with contextlib.suppress(psycopg.Error, RollbackTuiError):
        found = standing(run.live_maintenance(), earlier_of(run))
        if found is not None and found.what == "clone":
            maintenance = run.live_maintenance()
            run.sql(maintenance, rename.accept(maintenance, found.database, yes=False))
