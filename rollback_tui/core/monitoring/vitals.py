"""Two looks at a database → the readings of its metrics; pure.

What cannot be told is a reading without a value, which says why: after the server was started
anew, when its statistics were set to zero, when another database has taken the name, or when our
role may not see enough.
"""

from __future__ import annotations

from rollback_tui.core.monitoring import said
from rollback_tui.core.monitoring.looks import Busy as Busy
from rollback_tui.core.monitoring.looks import Connections as Connections
from rollback_tui.core.monitoring.looks import Counted as Counted
from rollback_tui.core.monitoring.looks import LockWait as LockWait
from rollback_tui.core.monitoring.looks import Logged as Logged
from rollback_tui.core.monitoring.looks import Standby as Standby
from rollback_tui.core.monitoring.looks import Vitals as Vitals
from rollback_tui.core.monitoring.query_text import whole
from rollback_tui.core.monitoring.statement_times import Compared, compare, why_not
from rollback_tui.core.monitoring.statement_times import QueryTime as QueryTime
from rollback_tui.core.monitoring.statement_times import Statements as Statements
from rollback_tui.core.monitoring.values import Metric, Reading
from rollback_tui.core.text import printable
from rollback_tui.core.value import Value

COUNTERS = "pg_stat_database"
STATEMENTS = "pg_stat_statements"
_ACTIVITY = "pg_stat_activity"
_REPLICATION = "pg_stat_replication"

TRANSACTIONS_ENOUGH = 20
"""Of fewer transactions the share that was rolled back says nothing."""
BLOCKS_ENOUGH = 1_000
"""Of fewer blocks (8 MB) the share that was in the cache says nothing: our own look asks for some
of the catalog."""

NO_STANDBY = "no standby"
"""Why ``replication_lag`` has no value where there is nothing to be measured: no trouble."""

_LEAST_SECONDS = 1.0
"""Between two looks; sessions report what they counted about once a second (``pgstat.c``)."""
_OURS_A_SECOND = 2.0
"""What a screen of ours looks up ends with ROLLBACK, about so often."""
_LISTED = 5
_NOT_SEEN = "our role may not see what {} (GRANT pg_read_all_stats)"


class Yardstick(Value, frozen=True, kw_only=True):
    """What was before the run, as far as readings are compared with it."""

    statements: Statements | None = None
    """The last look before the door closed."""
    load: float | None = None
    """Seconds of execution a second; None: not known."""
    load_of: str = ""
    """Of which time that is: ``42 s before the run``."""
    why: str = ""
    """Why ``statements`` is None."""
    standbys: int | None = None
    """How many standbys there were; None: nobody looked."""


def readings(
    before: Vitals | None,
    now: Vitals,
    usual: Yardstick | None = None,
    *,
    logged: Logged | None = None,
) -> tuple[Reading, ...]:
    """Return one reading for each metric that the database itself can tell of.

    ``before``: the last look; None: there was none, and nothing is known of rates. ``usual``: what
    was before the run (``usual.json``); None: not known. ``logged``: errors in the server's log
    since ``before``; None: nobody looked there.
    """
    apart, usual = _apart(before, now), usual or Yardstick()
    return (
        _connections(now),
        *_queries(before, now, usual, apart),
        _longest_query(now),
        _query_errors(before, now, logged, apart),
        _rollbacks(before, now, apart),
        _deadlocks(before, now, logged, apart),
        _lock_waits(now),
        _cache_hit(before, now, apart),
        _replication_lag(now, usual),
    )


def _apart(before: Vitals | None, now: Vitals) -> str:
    """Return why the counters of two looks cannot be subtracted; empty when they can."""
    if now.database_oid is None or now.counted is None:
        return f"there is no database {printable(now.database)} on this server"
    if before is None or before.counted is None:
        return "this is the first look: it is known from the next one on"
    if before.database_oid != now.database_oid:
        return "another database has taken its place since the last look"
    if before.started_at != now.started_at or before.in_recovery != now.in_recovery:
        return "the server was started anew since the last look, or it is another one"
    seconds = _seconds(before, now)
    if seconds <= 0:
        return "the server's clock went back"
    if seconds < _LEAST_SECONDS:
        return f"the last look was only {seconds:.1f} s ago"
    then, counted = before.counted, now.counted
    smaller = (
        counted.commits < then.commits
        or counted.rollbacks < then.rollbacks
        or counted.deadlocks < then.deadlocks
        or counted.hit < then.hit
        or counted.read < then.read
        or (counted.fatal or 0) < (then.fatal or 0)
        or (counted.abandoned or 0) < (then.abandoned or 0)
    )
    # Before 15 a database that was not used yet has no statistics: they begin when it is.
    anew = counted.reset != then.reset and not (then.reset is None and then.nothing)
    if smaller or anew:
        return "the server's statistics were set to zero since the last look"
    return ""


def _seconds(before: Vitals, now: Vitals) -> float:
    return (now.taken_at - before.taken_at).total_seconds()


def _unknown(
    metric: Metric, why: str, source: str = COUNTERS, evidence: tuple[str, ...] = ()
) -> Reading:
    return Reading(metric=metric, value=None, why=why, source=source, evidence=evidence)


# --- now ------------------------------------------------------------------------------------------


def _connections(now: Vitals) -> Reading:
    seen = now.connections
    first = f"{seen.total:,} of {seen.maximum:,} connections of the server"
    if seen.reserved:
        first += f" ({seen.reserved} of them reserved)"
    inside = f"{seen.inside:,} in {printable(now.database)}"
    if seen.applications:
        inside += ": " + ", ".join(f"{said.name(name)} {n:,}" for name, n in seen.applications)
    evidence = [first, inside]
    if seen.limit >= 0:
        evidence.append(f"the database's own limit is {seen.limit:,}")
    if seen.idle_in_transaction:
        evidence.append(f"{seen.idle_in_transaction:,} idle in transaction")
    return Reading(
        metric="database_connections",
        value=float(seen.total),
        source=_ACTIVITY,
        counted=seen.total,
        evidence=(*evidence, *(said.idle(one) for one in now.idle)),
    )


def _longest_query(now: Vitals) -> Reading:
    evidence = tuple(said.busy(one) for one in now.oldest)
    if now.hidden:
        why = _NOT_SEEN.format(f"{said.sessions(now.hidden)} execute")
        return _unknown("longest_query", why, _ACTIVITY, evidence)
    return Reading(
        metric="longest_query",
        value=now.oldest[0].seconds if now.oldest else 0.0,
        source=_ACTIVITY,
        counted=now.connections.active,
        evidence=(*evidence, *(said.idle(one) for one in now.idle)),
    )


def _lock_waits(now: Vitals) -> Reading:
    evidence = tuple(said.wait(one) for one in now.waits)
    if now.waiting > len(now.waits):
        evidence += (f"… and {now.waiting - len(now.waits):,} more",)
    if now.waiting_unknown:
        why = f"{said.sessions(now.waiting_unknown)} wait, our role may not see how long"
        return _unknown("lock_waits", why, "pg_locks", evidence)
    return Reading(
        metric="lock_waits", value=float(now.waiting), source="pg_locks", evidence=evidence
    )


def _replication_lag(now: Vitals, usual: Yardstick) -> Reading:
    metric: Metric = "replication_lag"
    if now.in_recovery:
        if now.behind is None:
            return _unknown(metric, "this is a standby that has replayed nothing yet", "recovery")
        return Reading(metric=metric, value=now.behind, source="this standby's replay")
    if not now.standbys and not now.standbys_hidden:
        if usual.standbys == 0:
            return Reading(
                metric=metric, value=None, why=NO_STANDBY, nothing=True, source=_REPLICATION
            )
        gone = "no standby any more: there was one before the run"
        unseen = f"{NO_STANDBY}, and nobody looked whether there was one before the run"
        return _unknown(metric, gone if usual.standbys else unseen, _REPLICATION)
    evidence = tuple(said.standby(one) for one in now.standbys)
    if now.standbys_hidden:
        why = _NOT_SEEN.format("the standbys have")
        return _unknown(metric, why, _REPLICATION, evidence)
    lags = [one.seconds for one in now.standbys if one.seconds is not None]
    silent = next((one for one in now.standbys if one.seconds is None), None)
    if silent is not None:
        why = f"{said.name(silent.application)} is behind, the server does not say how long"
        return _unknown(metric, why, _REPLICATION, evidence)
    return Reading(
        metric=metric,
        value=max(lags),
        source=_REPLICATION,
        counted=len(now.standbys),
        evidence=evidence,
    )


# --- between two looks ----------------------------------------------------------------------------


def _counters(before: Vitals | None, now: Vitals, apart: str) -> tuple[Counted, Counted] | None:
    if apart or before is None or before.counted is None or now.counted is None:
        return None
    return before.counted, now.counted


def _rollbacks(before: Vitals | None, now: Vitals, apart: str) -> Reading:
    both = _counters(before, now, apart)
    if both is None or before is None:
        return _unknown("rollbacks", apart)
    then, counted = both
    rolled = counted.rollbacks - then.rollbacks
    total = counted.transactions - then.transactions - before.asked
    ours = min(rolled, round(now.connections.ours * _OURS_A_SECOND * _seconds(before, now)))
    rolled, total = rolled - ours, total - ours
    if total <= 0:
        return _unknown("rollbacks", "no transaction ended since the last look")
    evidence = [f"{rolled:,} of {total:,} transactions in {_seconds(before, now):.0f} s"]
    if ours:
        evidence.append(f"{ours:,} more that may be of our own sessions are left out")
    return Reading(
        metric="rollbacks",
        value=rolled / total,
        source=COUNTERS,
        counted=total,
        evidence=tuple(evidence),
    )


def _deadlocks(before: Vitals | None, now: Vitals, logged: Logged | None, apart: str) -> Reading:
    both = _counters(before, now, apart)
    if both is None or before is None:
        return _unknown("deadlocks", apart)
    then, counted = both
    number = counted.deadlocks - then.deadlocks
    told = [one for one in (logged.errors if logged else ()) if one.sqlstate == "40P01"]
    return Reading(
        metric="deadlocks",
        value=number * 60 / _seconds(before, now),
        source=COUNTERS,
        counted=number,
        evidence=(
            *((f"{number:,} in {_seconds(before, now):.0f} s",) if number else ()),
            *said.errors(told),
        ),
    )


def _cache_hit(before: Vitals | None, now: Vitals, apart: str) -> Reading:
    both = _counters(before, now, apart)
    if both is None:
        return _unknown("cache_hit", apart)
    then, counted = both
    read = counted.read - then.read
    blocks = counted.hit - then.hit + read
    if not blocks:
        return _unknown("cache_hit", "no block was asked for since the last look")
    return Reading(
        metric="cache_hit",
        value=(blocks - read) / blocks,
        source=COUNTERS,
        counted=blocks,
        evidence=(f"{read:,} of {blocks:,} blocks were not in the cache",),
    )


def _query_errors(before: Vitals | None, now: Vitals, logged: Logged | None, apart: str) -> Reading:
    metric: Metric = "query_errors"
    both = _counters(before, now, apart)
    if both is None or before is None:
        return _unknown(metric, apart)
    then, counted = both
    unread = "not looked at" if logged is None else logged.why
    known = counted.fatal is not None and then.fatal is not None
    if unread and not known:
        why = f"PostgreSQL {now.server_version // 10000} does not count them, and its log: {unread}"
        return _unknown(metric, why, "the server's log")
    fatal = (counted.fatal or 0) - (then.fatal or 0)
    lost = (counted.abandoned or 0) - (then.abandoned or 0)
    errors = logged.errors if logged is not None else ()
    evidence = list(said.errors(errors))
    if fatal:
        evidence.append(f"{said.sessions(fatal)} ended by an error")
    if lost:
        evidence.append(f"{said.sessions(lost)} whose client was lost")
    if unread:
        evidence.append(f"not read: the server's log: {unread}")
    # What ended a session is in the log too, once.
    number = max(len(errors), fatal) + lost
    sources = [] if unread else ["the server's log"]
    sources += [f"{COUNTERS} (sessions that ended badly)"] if known else []
    return Reading(
        metric=metric,
        value=number * 60 / _seconds(before, now),
        source=", ".join(sources),
        counted=number,
        evidence=tuple(evidence),
    )


def _queries(
    before: Vitals | None, now: Vitals, usual: Yardstick, apart: str
) -> tuple[Reading, Reading]:
    """``query_performance`` and ``query_load``."""
    past = before.statements if before is not None else None
    present = now.statements
    why = apart
    if not why and present is None:
        why = now.statements_why or "it was not asked"
    elif not why and past is None:
        why = "this is the first look at it: it is known from the next one on"
    elif not why and past is not None and present is not None:
        why = why_not(past, present)
    if why or past is None or present is None:
        return (
            _unknown("query_performance", why, STATEMENTS),
            _unknown("query_load", why, STATEMENTS),
        )
    found = compare(usual.statements, past, present)
    return _performance(found, present, usual), _load(found, past, present, usual)


def _performance(found: Compared, now: Statements, usual: Yardstick) -> Reading:
    evidence = [said.slower(one) for one in found.slower[:_LISTED]]
    known = usual.statements
    if known is not None:
        there = "not there before" if not known.left else "not among the longest before"
        evidence += [
            f"{there}: {one.calls:,} × {said.time_taken(one.now)}: {one.text}"
            # What a migration or an administrator did once is no query of an application.
            for one in [one for one in found.new if whole(one.text)][:_LISTED]
        ]
    if now.hidden:
        evidence.append(f"{now.hidden:,} queries of other roles cannot be told (pg_read_all_stats)")
    if found.skipped:
        evidence.append(f"{found.skipped:,} queries cannot be compared: their entries are new")
    metric: Metric = "query_performance"
    if known is None:
        why = f"what queries took before the run is not known: {usual.why or 'not measured'}"
        return _unknown(metric, why, STATEMENTS)
    if found.times is None:
        why = "no query that was there before the run was called since the last look"
        return _unknown(metric, why, STATEMENTS, tuple(evidence))
    return Reading(
        metric=metric,
        value=found.times,
        source=STATEMENTS,
        counted=found.calls,
        evidence=tuple(evidence),
    )


def _load(found: Compared, past: Statements, now: Statements, usual: Yardstick) -> Reading:
    seconds = (now.taken_at - past.taken_at).total_seconds()
    load = max(0.0, found.seconds) / seconds
    evidence = (f"{load:.3g} s of execution a second",)
    if not usual.load:
        why = f"what was usual is not known: {usual.why or 'too little was measured'}"
        return _unknown("query_load", why, STATEMENTS, evidence)
    return Reading(
        metric="query_load",
        value=load / usual.load,
        source=STATEMENTS,
        counted=max(0, now.calls - past.calls),
        evidence=(*evidence, f"before {usual.load:.3g} ({usual.load_of})"),
    )
