"""Going on where a run stopped that went statement by statement: a new run, of what is left."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rollback_tui.core.errors import RollbackTuiError, RunRefused
from rollback_tui.core.events import Record
from rollback_tui.core.model import Plan, Script
from rollback_tui.core.run_view import RunView, fold
from rollback_tui.core.text import printable, shorten
from rollback_tui.postgres import run_row
from rollback_tui.postgres.connect import Connection, target
from rollback_tui.run.request import Resumption
from rollback_tui.run.steps import Standing, Step, only_for_session, standing

_ANEW = "Begin a new run; nothing of that one is in the database."


def steps_left(records: Iterable[Record], applied: Collection[str]) -> int:
    """Return how many migrations of the interrupted run are still applied: that is how far back
    the run that goes on with it goes. Raises RunRefused when it cannot be gone on with."""
    view = _stopped(records)
    old = _plan(view)
    left = [m.version for m in old.migrations if m.version in applied or old.version_stays]
    if not left:
        raise RunRefused(
            "all migrations of that run are rolled back already", "There is nothing to go on with."
        )
    return len(left)


def done_before(
    records: Iterable[Record],
    plan: Plan,
    connection: Connection,
    *,
    skip: Collection[int] = (),
    redo: Collection[int] = (),
) -> Resumption:
    """Return what of ``plan`` an interrupted run has done already.

    ``records`` are those of its journal, ``plan`` is made of the database as it is now: versions
    that are out of the framework's table are not in it. ``skip`` and ``redo`` are statements of
    ``plan`` of which nobody can tell whether they are done, and what the operator says of them:
    that they are, or that they are to be sent again.

    Raises RunRefused when the scripts are not the same any more, when this is another database,
    or when a statement was sent, never answered and not decided; and psycopg.Error.
    """
    view = _stopped(records)
    old = _plan(view)
    begun = view.started
    here = target(connection)
    if begun is None or (begun.target.system_identifier, begun.target.database_oid) != (
        here.system_identifier,
        here.database_oid,
    ):
        raise RunRefused("that run was of another database", "Check --dsn and --resume.")
    applied = [m.version for m in plan.applied]
    if view.judge is not None and view.judge.judge == "run row":
        latest = run_row.newest(connection)
        if latest not in (None, begun.run):
            raise _gone_on(latest)
    try:
        came = standing(connection, view, applied)
    except RollbackTuiError as error:
        raise RunRefused(error.summary, error.remedy) from None
    if [m.version for m in plan.migrations[: len(came.left)]] != list(came.left):
        raise RunRefused(
            "the newest migrations are not the ones that run left: somebody migrated since",
            "Compare by hand what it did with what is there.",
        )
    _same_scripts(old, plan)
    return _resumption(begun.run, came, old, plan, skip, redo)


def went_on(run: str, later: Iterable[RunView]) -> None:
    """Raise RunRefused when one of the ``later`` runs went on with ``run``: what that one did is
    not in the journal of ``run``, and would be done twice."""
    for view in later:
        resumes = view.steps.resumes if view.steps else ""
        if resumes == run and view.started and view.outcome != "recovered":
            raise _gone_on(view.started.run)


def _gone_on(latest: str) -> RunRefused:
    return RunRefused(
        f"run {latest} came after that one", f"Go on with the last one: --resume {latest}"
    )


def _stopped(records: Iterable[Record]) -> RunView:
    view = fold(records)
    if view.started is None:
        raise RunRefused("that run never began", "Begin a new one.")
    if view.finished is None:
        raise RunRefused(
            "that run has no outcome yet",
            f"If nothing works on it any more: rollback-tui settle {view.started.run}",
        )
    if view.started.plan.transactional:
        raise RunRefused(
            "that run was one transaction: all of it happened, or nothing",
            "Begin a new one; there is nothing to go on with.",
        )
    if view.outcome == "rolled_back" or view.committed:
        raise RunRefused("that run came to its end", "There is nothing to go on with.")
    # One that went on with another and changed nothing knows what that other one had done.
    stopped = view.outcome == "needs_operator" or (
        view.outcome == "unchanged" and view.steps is not None and view.steps.resumes
    )
    if not stopped or view.steps is None or view.swapped is not None:
        raise RunRefused(f"that run ended {view.outcome}", _ANEW)
    return view


def _plan(view: RunView) -> Plan:
    if view.started is None:
        raise RunRefused("that run never began", "Begin a new one.")
    return view.started.plan


def _same_scripts(old: Plan, new: Plan) -> None:
    """What is skipped was judged by its place in the script: it must be the same script."""
    before = {m.version: m.script for m in old.migrations}
    for migration in new.migrations:
        if migration.version in before and _differ(before[migration.version], migration.script):
            raise RunRefused(
                f"the down migration of {printable(migration.version)} has changed since that run",
                "Put the script back as it was, or finish by hand what that run left.",
            )


def _differ(old: Script | None, new: Script | None) -> bool:
    if old is None or new is None:
        return old is not new
    return old.sha256 != new.sha256 or _texts(old) != _texts(new)


def _texts(script: Script) -> list[str]:
    return [s.sql for s in script.statements]


def _resumption(
    run: str,
    came: Standing,
    old: Plan,
    plan: Plan,
    skip: Collection[int],
    redo: Collection[int],
) -> Resumption:
    """Carry what is known over to the new plan, in which the statements have other numbers."""
    # What is out of the version table is gone from the front of the new plan.
    shift = len(old.statements) - sum(
        len(m.script.statements)
        for m in old.migrations
        if m.script is not None and m.version in came.left
    )
    statements = {s.index: s for s in plan.statements}
    steps = {s.index - shift: s for s in came.steps if s.index - shift in statements}
    undecided = {i for i, s in steps.items() if s.state == "unknown"}
    refused = {i for i, s in steps.items() if s.refused}
    for index in sorted({*(set(skip) - refused), *redo} - undecided):
        raise RunRefused(
            f"statement {index} is not one that has to be decided", _decidable(undecided)
        )
    known: dict[int, str] = {}
    for index, step in sorted(steps.items()):
        if step.state == "unknown" and index not in redo and index not in skip:
            raise _undecided(index, step, statements[index].sql)
        done = step.state == "done" or index in skip
        # What only set the session is gone with it, and is set again.
        if done and not only_for_session(statements[index]):
            known[index] = (
                f"the operator says that it is done ({step.why})"
                if (index in skip)
                else f"done by run {run[:8]}: {step.why}"
            )
    half = tuple(name for step in steps.values() for name in step.invalid_indexes)
    return Resumption(run=run, skip=known, invalid_indexes=half)


def _undecided(index: int, step: Step, text: str) -> RunRefused:
    return RunRefused(
        f"statement {index}: {printable(step.why)}: {shorten(text, 120)}",
        f"Look whether it is done; then add --skip {index} if it is, --redo {index} if not.",
    )


def _decidable(undecided: Collection[int]) -> str:
    if not undecided:
        return "What the others came to is known: leave --skip and --redo out."
    return f"Only these are: {', '.join(map(str, sorted(undecided)))}."
