"""What the database itself says after something went wrong: committed or not, changed or not."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg

from rollback_tui.checkpoint import manifest as checkpoint
from rollback_tui.core import events as ev
from rollback_tui.core.errors import ConnectionFailed, RollbackTuiError
from rollback_tui.core.text import printable
from rollback_tui.postgres import catalog, door, run_row
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.watchdog import backend_state
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.doorway import Keeper, open_door
from rollback_tui.run.verifying.comparison import Comparison, with_before, with_captured
from rollback_tui.survey.applied import versions

_GONE_SECONDS = 30.0
_SERVER_SECONDS = 60.0


def reach(run: Run, keeper: Keeper | None) -> tuple[Connection, bool]:
    """Return a connection to the target, and whether it is still shut.

    A role that is no superuser cannot come in behind its own connection limit: then the door
    is opened first, which is better than not knowing what the database holds.
    Raises ConnectionFailed when the server stays away.
    """
    deadline = time.monotonic() + _SERVER_SECONDS
    while True:
        try:
            return run.live_target(), run.shut
        except ConnectionFailed as error:
            if time.monotonic() > deadline:
                raise
            if run.view.door_closed is not None and shut_out(error):
                if keeper is not None:
                    keeper.stop()
                open_door(run)
            else:
                time.sleep(0.5)


def shut_out(error: ConnectionFailed) -> bool:
    """Whether it is our own door that keeps us out: a limit that also holds for us, or a server
    that went down between the two steps of the renaming."""
    return any(
        words in error.summary
        for words in ("too many connections for database", "not currently accepting connections")
    )


def wait_until_gone(run: Run, pid: int) -> None:
    """Wait until the backend that had our transaction is gone, ending it if it lingers: before
    that nobody can say whether its COMMIT happened. Raises RollbackTuiError after a while."""
    deadline = time.monotonic() + _GONE_SECONDS
    while True:
        try:
            maintenance = run.live_maintenance()
            state = backend_state(maintenance, pid, run.backend_start)
            if state.doing == "gone":
                return
            doing = state.describe()
            door.end_backend(maintenance, pid, run.backend_start)
        except (psycopg.Error, ConnectionFailed) as error:
            doing = summary_of(error)
            run.maintenance = None
        if time.monotonic() > deadline:
            raise RollbackTuiError(
                f"the old backend {pid} is still there: {doing}", "Ask the server's administrator."
            )
        run.write(
            ev.Waiting(
                phase="commit",
                summary=f"the old backend {pid} must be gone before anything can be said: {doing}",
                pids=(pid,),
                seconds_left=round(deadline - time.monotonic(), 1),
            )
        )
        time.sleep(0.05)


def says_committed(run: Run, connection: Connection) -> bool:
    """Return whether the run's transaction was committed. To be asked only when the backend
    that had it is gone.

    The run's own row is in the same transaction: it is there exactly when all the rest is. The
    status of the transaction id would not do: after a crash the same id was seen to be given
    again. Where the row could not be written, the framework's table decides in the same way.
    Raises RollbackTuiError or psycopg.Error when that cannot be told.
    """
    judge = run.view.judge
    if judge is None or judge.judge == "run row":
        # None: COMMIT is sent long after this, and the worker died in between. But a damaged disk
        # may have taken the journal's last lines, and the row would still be there.
        return run_row.committed(connection, run.request.run)
    if run.plan.version_stays:
        raise RollbackTuiError(
            "the run's own row was not written, and no version was changed",
            "Compare by hand what the script does with what is there.",
        )
    return version_says_committed(run, connection)


def version_says_committed(run: Run, connection: Connection) -> bool:
    """Read from the framework's table whether the plan was committed.

    The change of that table is in the same transaction as the script, so it is there exactly
    when the script is. Raises RollbackTuiError when it is neither before nor after. Not to be
    asked where no version is changed.
    """
    applied = versions(connection, run.settings, run.project, run.plan)
    before = [m.version for m in run.plan.applied]
    if applied == before:
        return False
    if applied == list(run.plan.applied_after):
        return True
    raise RollbackTuiError(
        f"the version table is neither as before nor as planned: {printable(str(applied[:5]))}",
        "Somebody else changed it. Compare by hand before anything else is done.",
    )


def prove_unchanged(run: Run, keeper: Keeper | None) -> ev.UnchangedProven:
    """Compare what is there now with what the transaction found. Journaled and returned.

    A server that crashed may drop us once more while it recovers: then it is asked again.
    Raises ConnectionFailed or psycopg.OperationalError when it stays away.
    """
    deadline = time.monotonic() + _SERVER_SECONDS
    while True:
        connection, shut = reach(run, keeper)
        try:
            proof = _compare(run, connection, shut=shut)
        except psycopg.OperationalError:
            if not connection.broken or time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(0.25)
            continue
        run.write(proof)
        return proof


def _compare(run: Run, connection: Connection, *, shut: bool) -> ev.UnchangedProven:
    """Rows are compared only behind a closed door: elsewhere others may be writing."""
    differences: list[str] = []
    compared = ["the run's own row"] if run.plan.version_stays else ["version table"]
    if run.plan.version_stays and run.plan.version_table:
        compared.append("version table")
    try:
        if _left_its_mark(run, connection):
            differences.append(f"{compared[0]} says that the plan was committed")
    except RollbackTuiError as error:
        # A script that committed part of itself leaves it so: that is a change, and it is proven.
        differences.append(error.summary)
    if run.before is not None:
        found = with_before(run, run.before, connection, shut=shut)
    elif run.view.captured is not None:
        found = with_captured(run, run.view.captured, connection, shut=shut)
    else:
        found = _with_manifest(run, connection)
    return ev.UnchangedProven(
        proven=not (differences or found.differences),
        differences=tuple(printable(d) for d in (*differences, *found.differences)[:50]),
        basis=", ".join((*compared, *found.compared)),
    )


def _left_its_mark(run: Run, connection: Connection) -> bool:
    """Whether the framework's table, or without one the run's own row, says that the plan was
    committed. Raises RollbackTuiError when the table is neither before nor after."""
    if not run.plan.version_stays:
        return version_says_committed(run, connection)
    now = versions(connection, run.settings, run.project, run.plan)
    if now != [m.version for m in run.plan.applied]:
        raise RollbackTuiError(
            f"the version table is not as before: {printable(str(now[:5]))}",
            "Compare by hand before anything else is done.",
        )
    # Statement by statement the row is there from the beginning; its count is asked elsewhere.
    return run.plan.transactional and run_row.committed(connection, run.request.run)


def _with_manifest(run: Run, connection: Connection) -> Comparison:
    """It died before the run had looked; the checkpoint's manifest knows the schema."""
    made = run.view.checkpoint
    manifest = checkpoint.read(Path(made.path))[0] if made is not None else None
    if manifest is None or not manifest.schema_fingerprint:
        return Comparison((), ())
    same = catalog.snapshot(connection).fingerprint == manifest.schema_fingerprint
    wrong = () if same else ("the schema is not the one of the checkpoint's manifest",)
    return Comparison(("schema",), wrong)
