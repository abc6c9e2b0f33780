"""What follows when a database has been brought back: each step isolated, with its own verdict.

Steps may be done twice: whoever goes on after an interruption does those that are missing. What a
step is about to send is journaled before, as a proposal; what it cannot mend without loss it only
lists.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from rollback_tui import __version__
from rollback_tui.checkpoint import manifest as mf
from rollback_tui.core import events as ev
from rollback_tui.core import verify as judge
from rollback_tui.core.errors import ConnectionFailed, RollbackTuiError
from rollback_tui.core.model import Value, Verdict
from rollback_tui.core.run_view import RunView
from rollback_tui.core.schema import SchemaSnapshot, condensed, diff
from rollback_tui.core.text import printable
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import Connection
from rollback_tui.run.context import Run, summary_of

RESTORE = "restore checkpoint"
SCHEMA = "repair schema inconsistencies"
INDEXES = "rebuild indexes"
KEYS = "verify foreign keys"

STEPS = (RESTORE, SCHEMA, INDEXES, KEYS)
"""Every recovery, by a run of its own or inside a failing one, has these four."""

_ATTEMPTS = 3
_AWAY_SECONDS = 60.0
_LISTED = 40


class Found(NamedTuple):
    """What a step came to."""

    summary: str
    verdict: Verdict = "pass"
    sql: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


class Wanted(Value, frozen=True, kw_only=True):
    """The schema that the database should have now."""

    fingerprint: str = ""
    """Empty: nobody knows it."""
    snapshot: SchemaSnapshot | None = None
    """None: only its fingerprint is known."""
    source: str = ""
    """``the checkpoint``, ``what run 1a2b3c4d found``."""
    tool_version: str = __version__
    """What took the fingerprint: another version may describe the same schema otherwise."""


def wanted_of(view: RunView) -> Wanted:
    """Return the schema that was there before the run of ``view``: as it was found behind the door,
    else as its checkpoint has it."""
    snapshot, source, version, fingerprint = None, "", __version__, ""
    if view.checkpoint is not None:
        try:
            manifest, _ = mf.read(Path(view.checkpoint.path))
            fingerprint, version = manifest.schema_fingerprint, manifest.tool_version
            source = "the checkpoint"
        except RollbackTuiError:
            fingerprint = ""
    if view.captured is not None and (not fingerprint or snapshot is None):
        fingerprint, version = view.captured.schema_sha256, __version__
        if view.started is not None:
            version = view.started.tool_version
        source = "what the run found"
    return Wanted(fingerprint=fingerprint, snapshot=snapshot, source=source, tool_version=version)


def step(run: Run, name: str, do: Callable[[], Found]) -> Verdict:
    """Do one step and journal what it came to; raises nothing but what the journal does.

    A server that stops meanwhile is waited for, and the step begun again.
    """
    began = time.monotonic()
    try:
        found = patiently(run, do)
    except (RollbackTuiError, psycopg.Error) as error:
        found = Found(summary_of(error), "fail")
    run.write(
        ev.RecoveryStep(
            name=name,
            ok=found.verdict == "pass",
            seconds=round(time.monotonic() - began, 3),
            summary=found.summary,
            verdict=found.verdict,
            sql=found.sql,
            evidence=_limited(found.evidence),
        )
    )
    return found.verdict


def patiently(run: Run, do: Callable[[], Found]) -> Found:
    """Do it; once more, a few times, when the server was away meanwhile. What ``do`` had begun is
    for it to find out. Raises what ``do`` raised last."""
    for attempt in range(1, _ATTEMPTS + 1):
        since = _server_start(run)
        try:
            return do()
        except (RollbackTuiError, psycopg.Error) as error:
            if attempt == _ATTEMPTS or not _was_away(run, error, since):
                raise
            text = f"the server was away ({summary_of(error)}): once more"
            run.write(ev.Progress(phase="recover", summary=text))
    raise AssertionError("the last attempt returns or raises")  # pragma: no cover


def _was_away(run: Run, error: Exception, since: str) -> bool:
    if isinstance(error, (ConnectionFailed, psycopg.OperationalError)):
        _server_start(run)
        return True
    return _server_start(run) != since


def _server_start(run: Run) -> str:
    """Return when the server was started, waiting for one that is away. Raises ConnectionFailed."""
    deadline = time.monotonic() + _AWAY_SECONDS
    while True:
        try:
            maintenance = run.live_maintenance()
            row = maintenance.execute("SELECT pg_postmaster_start_time()::text").fetchone()
            return str(row[0]) if row else ""
        except (psycopg.Error, ConnectionFailed) as error:
            if time.monotonic() > deadline:
                raise ConnectionFailed(summary_of(error), "Is the server running?") from None
            left = round(deadline - time.monotonic(), 1)
            text = f"the server is away: {summary_of(error)}"
            run.write(ev.Waiting(phase="recover", summary=text, seconds_left=left))
        time.sleep(0.25)


def repair(run: Run, wanted: Wanted) -> dict[str, Verdict]:
    """Do the steps after the restore that have not been done yet, within the time that verifying
    may take; return the verdict of each. A step that fails stops none of the others."""
    deadline = time.monotonic() + run.settings.verify.budget_seconds
    steps: dict[str, Callable[[], Found]] = {
        SCHEMA: lambda: _schema(run, wanted),
        INDEXES: lambda: _indexes(run, deadline),
        KEYS: lambda: _keys(run, deadline),
    }
    done = {s.name: s.verdict or ("pass" if s.ok else "fail") for s in run.view.recovery}
    return {name: done[name] if name in done else step(run, name, do) for name, do in steps.items()}


def _send(run: Run, name: str, statements: tuple[str, ...], seconds: float) -> list[str]:
    """Propose and send; each alone, so that one that is refused stops none of the others. Returns
    what was refused, in words."""
    run.write(ev.RepairProposed(step=name, sql=statements))
    connection, refused = run.live_target(), []
    for text in statements:
        try:
            with connection.transaction():
                limit = max(1, round(seconds * 1000))
                connection.execute(f"SET LOCAL statement_timeout = {limit}".encode())
                run.sql(connection, text, seconds)
        except psycopg.Error as error:
            if connection.broken:
                raise
            refused.append(f"refused: {printable(text)}: {summary_of(error)}")
    return refused


# --- the schema ---------------------------------------------------------------------------------


def _schema(run: Run, wanted: Wanted) -> Found:
    now = catalog.snapshot(run.live_target())
    if not wanted.fingerprint and wanted.snapshot is None:
        return Found("nobody kept the schema that it should have", "unknown")
    if now.fingerprint == wanted.fingerprint:
        return Found(f"the schema is that of {wanted.source}: {len(now.objects):,} objects")
    if wanted.tool_version != __version__:
        return Found(
            f"{wanted.source} was described by version {wanted.tool_version}: not comparable",
            "unknown",
        )
    if wanted.snapshot is None:
        return Found(f"the schema is not that of {wanted.source}", "fail")
    real = [d for d in diff(wanted.snapshot, now) if not d.cosmetic]
    if not real:
        return Found(f"the schema is equivalent to that of {wanted.source}")
    evidence = tuple(d.describe() for d in condensed(real))
    return Found(f"{len(real):,} objects are not as in {wanted.source}", "fail", evidence=evidence)


# --- indexes ------------------------------------------------------------------------------------


def _indexes(run: Run, deadline: float) -> Found:
    """Rebuild what the planner does not use. Behind the closed door nobody is kept waiting; with
    the door open, without a lock that would."""
    invalid = catalog.invalid_indexes(run.live_target())
    if not invalid:
        return Found("every index is valid")
    how = "INDEX" if run.shut else "INDEX CONCURRENTLY"
    statements = tuple(f"REINDEX {how} {name}" for name in invalid)
    left = deadline - time.monotonic()
    if left <= 0:
        return Found("no time left behind the door", "unknown", evidence=statements)
    refused = _reindex(run, statements, left)
    still = catalog.invalid_indexes(run.live_target())
    verdict: Verdict = "fail" if still or refused else "pass"
    rebuilt = len(invalid) - len(still)
    words = f"{rebuilt:,} of {len(invalid):,} invalid indexes rebuilt"
    evidence = (*refused, *(f"still invalid: {printable(name)}" for name in still))
    return Found(words, verdict, statements, evidence)


def _reindex(run: Run, statements: tuple[str, ...], seconds: float) -> list[str]:
    """CONCURRENTLY is refused in a transaction."""
    run.write(ev.RepairProposed(step=INDEXES, sql=statements))
    connection, refused = run.live_target(), []
    limit = sql.Literal(str(max(1, round(seconds * 1000))))
    connection.execute(sql.SQL("SET statement_timeout = {}").format(limit))
    try:
        for text in statements:
            try:
                run.sql(connection, text, seconds)
            except psycopg.Error as error:
                if connection.broken:
                    raise
                refused.append(f"refused: {printable(text)}: {summary_of(error)}")
    finally:
        if not connection.broken:
            whole = str(round(run.settings.run.statement_timeout_seconds * 1000))
            connection.execute(sql.SQL("SET statement_timeout = {}").format(sql.Literal(whole)))
    return refused


# --- foreign keys and sequences -----------------------------------------------------------------


def _keys(run: Run, deadline: float) -> Found:
    connection = run.live_target()
    results: list[tuple[str, int | str | None]] = []
    for key in catalog.foreign_keys(connection):
        left = deadline - time.monotonic()
        if left <= 0:
            results.append((key.name, "not reached in the time that verifying may take"))
            continue
        try:
            results.append(
                (key.name, catalog.foreign_key_violations(connection, key, seconds=left))
            )
        except psycopg.Error as error:
            if connection.broken:
                raise
            results.append((key.name, summary_of(error)))
    judged = judge.foreign_keys_verification(results)
    behind, words = _behind(connection, deadline)
    verdict: Verdict = "fail" if behind else judged.verdict
    return Found(f"{judged.summary}; {words}", verdict, evidence=(*judged.evidence, *behind))


def _behind(connection: Connection, deadline: float) -> tuple[tuple[str, ...], str]:
    """Sequences that would next give a number which is taken: named, with what would help. Never
    set here: the checkpoint had them so."""
    left = max(1.0, deadline - time.monotonic())
    try:
        found = catalog.sequences_behind(connection, seconds=left)
    except psycopg.Error as error:
        if connection.broken:
            raise
        return (), f"sequences could not be read: {summary_of(error)}"
    lines = tuple(
        f"{printable(s.describe())}: SELECT setval('{printable(s.sequence)}', {s.highest});"
        for s in found
    )
    return lines, f"{len(found):,} sequences behind" if found else "no sequence is behind"


def _limited(lines: tuple[str, ...]) -> tuple[str, ...]:
    shown = tuple(printable(line) for line in lines[:_LISTED])
    return shown if len(lines) <= _LISTED else (*shown, f"… and {len(lines) - _LISTED:,} more")
