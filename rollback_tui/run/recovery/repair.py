"""What follows when a database has been brought back: each step isolated, with its own verdict.

Steps may be done twice: whoever goes on after an interruption does those that are missing. What a
step is about to send is journaled before, as a proposal; what it cannot mend without loss it only
lists.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psycopg

from rollback_tui import __version__
from rollback_tui.checkpoint import manifest as mf
from rollback_tui.core import events as ev
from rollback_tui.core import verify as judge
from rollback_tui.core.errors import ConnectionFailed, RollbackTuiError
from rollback_tui.core.mending import mend
from rollback_tui.core.model import Value, Verdict
from rollback_tui.core.run_view import RunView
from rollback_tui.core.schema import Difference, SchemaSnapshot, condensed, diff
from rollback_tui.core.text import printable
from rollback_tui.postgres import catalog
from rollback_tui.postgres.amcheck import Looked, look_into
from rollback_tui.postgres.aside import aside
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.execute import session_timeouts
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


def wanted_of(view: RunView, *, cloned: bool) -> Wanted:
    """Return the schema that there was before the run of ``view``: ``cloned``, as it was found
    behind the door, else as the checkpoint has it."""
    kept = _kept_by(view)
    captured, begun = view.captured, view.started
    if captured is None or begun is None or not (cloned or not kept.fingerprint):
        return kept
    same = kept.fingerprint == captured.schema_sha256
    return Wanted(
        fingerprint=captured.schema_sha256,
        snapshot=kept.snapshot if same else None,
        source=f"what run {begun.run[:8]} found",
        tool_version=begun.tool_version,
    )


def _kept_by(view: RunView) -> Wanted:
    if view.checkpoint is None:
        return Wanted()
    path = Path(view.checkpoint.path)
    try:
        manifest, _ = mf.read(path)
        snapshot = mf.read_schema(path, manifest)
    except RollbackTuiError:
        return Wanted()
    return Wanted(
        fingerprint=manifest.schema_fingerprint,
        snapshot=snapshot,
        source="the checkpoint",
        tool_version=manifest.tool_version,
    )


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


# --- the schema ---------------------------------------------------------------------------------

_HARMLESS = re.compile(
    r"(COMMENT ON|GRANT|REVOKE)\b"
    r"|CREATE (OR REPLACE |UNIQUE |CONSTRAINT |EVENT )*(INDEX|VIEW|FUNCTION|PROCEDURE|AGGREGATE"
    r"|TRIGGER|POLICY|RULE|STATISTICS|TYPE|DOMAIN|SCHEMA|EXTENSION)\b"
    r"|ALTER TABLE .* (ADD CONSTRAINT|OWNER TO|(ENABLE|FORCE|VALIDATE) |ALTER COLUMN \S+ SET"
    r" (DEFAULT|NOT NULL|STATISTICS)\b)"
    r"|ALTER (INDEX|SEQUENCE|FUNCTION|VIEW|MATERIALIZED VIEW|SCHEMA) \S+ OWNER TO\b",
    re.DOTALL,
)
"""What takes nothing away, and makes nothing whose rows would be missing: it is sent. Anything else
is only listed."""


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
    real = _real(wanted.snapshot, now)
    if not real:
        return Found(f"the schema is equivalent to that of {wanted.source}")
    return _mend(run, wanted.source, wanted.snapshot, now, real)


def _real(wanted: SchemaSnapshot, now: SchemaSnapshot) -> list[Difference]:
    return [d for d in diff(wanted, now) if not d.cosmetic]


def _mend(
    run: Run, source: str, wanted: SchemaSnapshot, now: SchemaSnapshot, real: list[Difference]
) -> Found:
    """Send what mends it without taking anything away, and look again."""
    mendings = mend(real, wanted=wanted, found=now)
    safe = tuple(
        text
        for one in mendings
        if one.sql and all(_HARMLESS.match(text) for text in one.sql)
        for text in one.sql
    )
    listed = [
        f"not done by itself: {text};" for one in mendings for text in one.sql if text not in safe
    ]
    listed += [f"{one.object}: {one.why}" for one in mendings if not one.sql and one.why]
    refused = _send(run, SCHEMA, safe) if safe else []
    left = _real(wanted, catalog.snapshot(run.live_target())) if safe else real
    evidence = (*refused, *(d.describe() for d in condensed(left)), *(listed if left else ()))
    mended = len(real) - len(left)
    words = f"{mended:,} of {len(real):,} objects that are not as in {source} mended"
    return Found(words, "fail" if left else "pass", safe, evidence)


def _send(run: Run, name: str, statements: tuple[str, ...]) -> list[str]:
    """Propose and send; each alone, so that one that is refused stops none of the others. Returns
    what was refused, in words."""
    run.write(ev.RepairProposed(step=name, sql=statements))
    connection, refused = run.live_target(), []
    for text in statements:
        try:
            run.sql(connection, text)
        except psycopg.Error as error:
            if connection.broken:
                raise
            refused.append(f"refused: {text}: {summary_of(error)}")
    return refused


# --- indexes ------------------------------------------------------------------------------------


_INDEXES = """
SELECT c.oid::bigint, quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'i' AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
"""


def _indexes(run: Run, deadline: float) -> Found:
    """Rebuild what the planner does not use, and what is broken inside. Behind the closed door
    nobody is kept waiting; with the door open, without a lock that would."""
    connection = run.live_target()
    looked = _look_inside(run, connection, deadline)
    broken = looked.broken if looked is not None else ()
    invalid = catalog.invalid_indexes(connection)
    wrong = tuple(dict.fromkeys((*invalid, *(name for name, _ in broken))))
    seen = f"; {len(looked.sound):,} looked into with amcheck" if looked is not None else ""
    if looked is not None and looked.unreached:
        seen += f", {len(looked.unreached):,} not reached"
    if not wrong:
        return Found(f"every index is valid{seen}")
    how = "INDEX" if run.shut else "INDEX CONCURRENTLY"
    statements = tuple(f"REINDEX {how} {name}" for name in wrong)
    evidence = tuple(f"{name}: {words}" for name, words in broken)
    left = deadline - time.monotonic()
    if left <= 0:
        return Found("no time left behind the door", "fail", evidence=(*evidence, *statements))
    refused = _reindex(run, statements, left)
    still = set(catalog.invalid_indexes(run.live_target()))
    again = _look_inside(run, run.live_target(), deadline) if broken else None
    still |= {name for name, _ in again.broken} if again is not None else set()
    lines = (*evidence, *refused, *(f"still not right: {name}" for name in sorted(still)))
    words = f"{len(wrong) - len(still):,} of {len(wrong):,} indexes rebuilt{seen}"
    return Found(words, "fail" if still or refused else "pass", statements, lines)


def _look_inside(run: Run, connection: Connection, deadline: float) -> Looked | None:
    """A copy has the files of the original; what a dump was loaded into has just been built."""
    planned = run.view.planned_recovery
    left = deadline - time.monotonic()
    if planned is None or planned.rung != "clone" or left <= 0:
        return None
    with aside(connection, canonical=True) as cursor:
        indexes = dict(cursor.execute(_INDEXES).fetchall())
    # The rest of the time is for the foreign keys.
    return look_into(connection, indexes, left / 2)


def _reindex(run: Run, statements: tuple[str, ...], seconds: float) -> list[str]:
    """Send them; no longer than ``seconds`` each. Outside a transaction: CONCURRENTLY asks for
    that."""
    connection, limits = run.live_target(), run.settings.run
    session_timeouts(connection, limits.lock_timeout_seconds, seconds)
    try:
        return _send(run, INDEXES, statements)
    finally:
        if not connection.broken:
            session_timeouts(
                connection, limits.lock_timeout_seconds, limits.statement_timeout_seconds
            )


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
    verdict: Verdict = judged.verdict
    if behind:
        verdict = "fail"
    elif behind is None and verdict == "pass":
        verdict = "unknown"
    evidence = (*judged.evidence, *(behind or ()))
    return Found(f"{judged.summary}; {words}", verdict, evidence=evidence)


def _behind(connection: Connection, deadline: float) -> tuple[tuple[str, ...] | None, str]:
    """Sequences that would next give a number which is taken: named, with what would help; None
    when they could not be read. Never set here: the checkpoint had them so."""
    left = max(1.0, deadline - time.monotonic())
    try:
        found = catalog.sequences_behind(connection, seconds=left)
    except psycopg.Error as error:
        if connection.broken:
            raise
        return None, f"sequences could not be read: {summary_of(error)}"
    lines = tuple(
        f"{printable(s.describe())}: SELECT setval('{printable(s.sequence)}', {s.highest});"
        for s in found
    )
    return lines, f"{len(found):,} sequences behind" if found else "no sequence is behind"


def _limited(lines: tuple[str, ...]) -> tuple[str, ...]:
    shown = tuple(printable(line) for line in lines[:_LISTED])
    return shown if len(lines) <= _LISTED else (*shown, f"… and {len(lines) - _LISTED:,} more")
