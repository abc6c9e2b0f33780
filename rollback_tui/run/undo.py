"""When something failed before COMMIT was answered: roll back, prove, and only if the database
did change, bring it back from the checkpoint."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from rollback_tui.checkpoint import restore, swap
from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Outcome
from rollback_tui.core.text import printable
from rollback_tui.postgres import counts
from rollback_tui.postgres.connect import connect, with_database
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.doorway import Keeper
from rollback_tui.run.judgement import prove_unchanged, wait_until_gone


def undo(run: Run, keeper: Keeper | None, error: BaseException) -> tuple[Outcome, str]:
    """Return the outcome and its summary. The first error is the one that is told."""
    why = summary_of(error)
    try:
        roll_back(run, why)
        proof = prove_unchanged(run, keeper)
        if proof.proven:
            return "unchanged", f"{why}. Nothing was changed (compared: {proof.basis})."
        if not run.escaped or not run.shut:
            # Somebody else changed it, or others are writing: restoring would lose their work.
            return "needs_operator", f"{why}. The database is not as before; see the differences."
        if recover(run):
            return "recovered", f"{why}. The database was brought back from the checkpoint."
        return "needs_operator", f"{why}. The database is not as before."
    except Exception as second:  # noqa: BLE001 - the door must still open, and the first be told
        return "needs_operator", f"{why}. Then: {summary_of(second)}"


def roll_back(run: Run, why: str) -> None:
    """End the transaction; when the connection is lost, wait until its backend is gone."""
    connection = run.target
    if connection is None:
        return
    try:
        # Also before its id is known: an abort may come right behind BEGIN.
        connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()
        if run.xid:
            wait_until_gone(run, run.backend_pid)
    if not run.xid:
        return
    run.write(ev.TransactionRolledBack(reason=why))


def recover(run: Run) -> bool:
    """Restore the checkpoint into a new database beside, compare it, and swap it in.

    The application served until the door closed, after the dump: rows that came or went in
    between are in what the transaction found, and are never restored away without being asked.
    Returns False when a step failed; the database is then as the failed run left it.
    """
    made = run.view.checkpoint
    if made is None:
        run.write(
            ev.RecoveryStep(
                name="restore checkpoint", ok=False, seconds=0.0, summary="there is no checkpoint"
            )
        )
        return False
    suffix = run.request.run[:8]
    beside = restore.beside_name(run.database, f"__restored_{suffix}")
    kept = restore.beside_name(run.database, f"__failed_{suffix}")
    with run.phase("recover") as outcome:

        def progress(summary: str, done: int, total: int) -> None:
            run.write(ev.Progress(phase="recover", summary=summary, done=done, total=total))

        def restore_checkpoint() -> str:
            restore.restore_beside(
                Path(made.path),
                run.request.dsn,
                run.maintenance_dsn,
                beside,
                progress=progress,
                fingerprint=made.fingerprint,
            )
            return f"restored into {beside}"

        def compare() -> str:
            found = restore.compare(Path(made.path), with_database(run.request.dsn, beside))
            if found:
                listed = "; ".join(difference.summary for difference in found[:3])
                raise RollbackTuiError(f"not as the manifest says: {listed}", "")
            lost = _written_since(run, with_database(run.request.dsn, beside))
            if lost:
                raise RollbackTuiError(
                    f"written since the checkpoint was made: {'; '.join(lost[:3])}", ""
                )
            return "as the manifest says, and as it was when the run began"

        def swap_in() -> str:
            run.close()
            swap.swap(run.maintenance_dsn, run.database, beside, kept)
            return f"{run.database} is the restored one; the failed one is kept as {kept}"

        for name, step in (
            ("restore checkpoint", restore_checkpoint),
            ("compare with the manifest", compare),
            ("swap in", swap_in),
        ):
            if not _step(run, name, step):
                outcome.status = "failed"
                return False
        return True


def _written_since(run: Run, dsn: str) -> list[str]:
    """Compare the rows of the restored database with those that the transaction found; a table
    that was not counted then, or is not now, proves nothing and is named too."""
    if run.before is None:
        return ["nobody knows what was there before the run"]
    with contextlib.closing(connect(dsn)) as connection:
        restored = counts.count_all(connection, run.settings.verify.count_seconds)
    return [
        f"{printable(table)}: {restored.get(table)} rows restored, {rows} before the run"
        for table, rows in run.before.rows.items()
        if rows is None or restored.get(table) != rows
    ]


def _step(run: Run, name: str, step: Callable[[], str]) -> bool:
    began = time.monotonic()
    try:
        summary, ok = step(), True
    except (RollbackTuiError, psycopg.Error) as error:
        summary, ok = summary_of(error), False
    seconds = round(time.monotonic() - began, 3)
    run.write(ev.RecoveryStep(name=name, ok=ok, seconds=seconds, summary=summary))
    return ok
