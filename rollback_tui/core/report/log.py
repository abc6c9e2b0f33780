"""One event as one line of the log that people read."""

from __future__ import annotations

from rollback_tui.core import events as ev
from rollback_tui.core.recovery import LostRows
from rollback_tui.core.report import task
from rollback_tui.core.report.kept import in_words
from rollback_tui.core.report.words import BY_RUNG, KEPT_OUT, judge, seconds, some
from rollback_tui.core.schema_verdict import summary
from rollback_tui.core.text import printable, shorten

_WIDTH = 400


def log_line(record: ev.Record) -> str:
    """Return ``record`` as ``12:00:01.250Z +3.204 s  phase execute: …``: printable, one line."""
    at = record.at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return f"{at}Z +{record.elapsed:.3f} s  {printable(describe(record.event))}"


def describe(event: ev.AnyEvent) -> str:
    """Return an event in words, without its time. Not yet printable."""
    match event:
        case ev.PhaseStarted():
            return f"phase {event.phase} …" + _more(event.summary)
        case ev.PhaseFinished():
            return f"phase {event.phase} {event.status} in {seconds(event.seconds)}" + _more(
                event.summary
            )
        case ev.StatementStarted():
            alone = ", alone: outside any transaction" if event.alone else ""
            return f"statement {event.index}{alone} …"
        case ev.StatementSkipped():
            return f"statement {event.index} skipped" + _more(event.why)
        case ev.StatementFinished():
            notices = f", {some(len(event.notices), 'notice')}" if event.notices else ""
            return (
                f"statement {event.index} done in {seconds(event.seconds)}: "
                f"{event.command_tag}{notices}"
            )
        case ev.StatementFailed():
            where = f" at character {event.position}" if event.position is not None else ""
            return (
                f"statement {event.index}, line {event.line} FAILED: "
                f"{event.sqlstate} {event.message}{where}" + _more(event.detail)
            )
        case ev.Progress():
            total = "?" if event.total is None else f"{event.total:,}"
            counted = f" ({event.done:,} of {total})" if event.done is not None else ""
            return f"{event.phase}: {event.summary}{counted}"
        case ev.SqlSent():
            return f"sql on {event.connection}: {shorten(event.sql, _WIDTH)}"
        case ev.Waiting():
            left = f", {event.seconds_left:.0f} s left" if event.seconds_left is not None else ""
            return f"{event.phase} waits: {event.summary}{left}"
        case ev.RunFinished():
            return f"FINISHED {event.outcome}" + _more(event.summary) + f" (report {event.report})"
        case _:
            return _judgement(event)


def _judgement(event: ev.AnyEvent) -> str:
    match event:
        case ev.RunStarted():
            target = event.target
            versions = ", ".join(m.version for m in event.plan.migrations)
            what = (
                f"roll back {versions}"
                if event.task == "rollback"
                else task.of(event.task, event.recovers)
            )
            return (
                f"run {event.run} on {target.database} at {target.host}:{target.port} "
                f"({target.fingerprint}) by {event.operator.user}: {what}" + _more(event.reason)
            )
        case ev.CheckJudged(check=check):
            return f"check {check.name} {check.status.upper()}: {check.summary}"
        case ev.CheckOverridden():
            return f"check {event.name} set aside: {event.reason}"
        case ev.VerificationJudged(verification=it):
            judged = f"accepted ({it.accepted})" if it.accepted else it.verdict.upper()
            return f"verification {it.name} {judged}: {it.summary}"
        case ev.RowsCompared():
            changed = sum(row.before != row.after for row in event.rows)
            return f"rows compared: {some(len(event.rows), 'table')}, {changed} not as before"
        case ev.LossCounted():
            found = "; ".join(loss.describe() for loss in event.losses) or "nothing"
            return f"statement {event.statement} will remove {found}"
        case ev.RowsKept():
            return (
                f"statement {event.statement}: kept {in_words(event)} in {event.table}, "
                f"{seconds(event.seconds)}"
            )
        case ev.VersionChanged():
            return f"version {event.version} taken out: {'; '.join(event.sql)}"
        case ev.Question():
            return (
                f"QUESTION {event.name}: {event.text} [{', '.join(event.choices)}], "
                f"{event.default} after {event.seconds:.0f} s"
            )
        case ev.Answered():
            return f"answer to {event.name}: {event.choice}, by {event.who or event.by}"
        case ev.AbortAsked():
            return "ABORT asked for" + (f" by {event.who}" if event.who else "")
        case ev.SettleStarted():
            return f"the worker was interrupted; the {event.by} settles the run"
        case ev.UsualMeasured():
            known = sum(one.value is not None for one in event.usual)
            return (
                f"what is usual was measured for {seconds(event.seconds)}: {some(known, 'metric')}"
            )
        case _:
            return _deed(event)


def _deed(event: ev.AnyEvent) -> str:
    match event:
        case ev.TransactionStarted():
            return (
                f"transaction {event.xid} begun, attempt {event.attempt}, "
                f"backend {event.backend_pid}"
            )
        case ev.TransactionRolledBack():
            return f"transaction rolled back: {event.reason}"
        case ev.Committed():
            return f"COMMITTED, transaction {event.xid}"
        case ev.UnchangedProven():
            if event.proven:
                return f"proven unchanged ({event.basis or 'compared with before'})"
            return "NOT proven unchanged: " + "; ".join(event.differences)
        case ev.DoorPrepared() | ev.DoorClosed() | ev.DoorOpened() | ev.SessionsEnded():
            return _door(event)
        case ev.MaintenanceChanged():
            return f"maintenance mode {'on' if event.on else 'off'}"
        case ev.HookRan():
            result = "ok" if event.ok else "FAILED"
            return f"hook {event.name} {result} in {seconds(event.seconds)}" + _more(event.summary)
        case ev.CheckpointMade(checkpoint=made):
            return (
                f"checkpoint {made.path}, {made.bytes:,} bytes, {some(made.tables, 'table')}, "
                f"in {seconds(made.seconds)}"
            )
        case (
            ev.RecoveryStep() | ev.RecoveryPlanned() | ev.LostCounted() | ev.RepairProposed()
        ) as step:
            return _recovery(step)
        case ev.SchemaForeseen() | ev.ProofPlanned() | ev.ContentsTaken() as proof:
            return _proof(proof)
        case ev.ImpactMeasured():
            return f"downtime {seconds(event.downtime_seconds)}, impact " + (
                f"by {event.source}" if event.source else "not measured"
            )
        case ev.StatisticsRefreshed():
            left = f"; not: {', '.join(event.left)}" if event.left else ""
            return (
                f"statistics of {some(len(event.analysed), 'table')} refreshed in "
                f"{seconds(event.seconds)}{left}"
            )
        case ev.Alarm():
            return f"ALARM {event.summary}: {event.remedy}"
        case _:
            return _safety_net(event)


def _door(event: ev.DoorPrepared | ev.DoorClosed | ev.DoorOpened | ev.SessionsEnded) -> str:
    match event:
        case ev.DoorPrepared():
            return f"door prepared: the empty database {event.placeholder} will hold its name"
        case ev.DoorClosed():
            named = f", behind it the database is {event.renamed_to}" if event.renamed_to else ""
            return f"door closed by {BY_RUNG[event.rung]}: {KEPT_OUT[event.rung]}{named}"
        case ev.DoorOpened():
            return f"door open after {seconds(event.seconds_closed)}"
        case _:
            return f"{some(len(event.sessions), 'session')} ended: {', '.join(event.sessions)}"


def _safety_net(event: ev.AnyEvent) -> str:
    """What an interrupted run is settled by, and a failed one recovered from."""
    match event:
        case ev.RunRowInserted():
            return "an unanswered COMMIT would be decided by " + judge(event)
        case ev.StateCaptured():
            counted = [row.before for row in event.rows if row.before is not None]
            left = len(event.rows) - len(counted)
            return (
                f"found: schema {event.schema_sha256[:12]}, {some(sum(counted), 'row')} in "
                f"{some(len(counted), 'table')}" + (f", {left:,} not counted" if left else "")
            )
        case ev.StepsStarted():
            return (
                "statement by statement, what is done stays done; "
                f"backend {event.backend_pid}, {len(event.invalid_indexes)} invalid indexes before"
            )
        case ev.RestorePointMade():
            seen = "its WAL is in the archive" if event.archived else "its WAL NOT seen archived"
            return f"restore point {event.name} at {event.lsn}, {seen}" + _more(event.problem)
        case ev.CloneStarted():
            expected = event.estimated_seconds
            return f"clone {event.database} begun ({event.strategy}), " + (
                "nobody knows how long" if expected is None else f"about {seconds(expected)}"
            )
        case ev.CloneMade():
            return f"clone {event.database}, {event.bytes:,} bytes, in {seconds(event.seconds)}"
        case ev.CloneDropped():
            return f"clone {event.database} dropped"
        case ev.SwapStarted():
            return f"swap: {event.new} takes the place of the database, kept as {event.kept}"
        case ev.Swapped():
            return f"swapped: the failed database is kept as {event.kept}"
        case _:
            return type(event).__name__


def _proof(event: ev.SchemaForeseen | ev.ProofPlanned | ev.ContentsTaken) -> str:
    """What was known of the result before, and how it is proven."""
    match event:
        case ev.SchemaForeseen():
            declared = f"; declared right: {', '.join(event.declared)}" if event.declared else ""
            accepted = f"; accepted: {event.accepted}" if event.accepted else ""
            found = f"{event.verdict.kind}: {summary(event.verdict)}"
            return f"schema foreseen, {found}{declared}{accepted}"
        case ev.ProofPlanned(cost=cost):
            about = (
                "nobody knows how long"
                if cost.estimated_seconds is None
                else f"about {seconds(cost.estimated_seconds)}"
            )
            beyond = f"; beyond the budget: {', '.join(cost.beyond)}" if cost.beyond else ""
            return (
                f"proof: {some(len(cost.counted), 'table')} counted, "
                f"{len(cost.fingerprinted):,} read, {cost.others:,} by the server's counters; "
                f"{about} of {seconds(cost.budget_seconds)}{beyond}"
            )
        case ev.ContentsTaken():
            left = [one for one in event.contents if not one.fingerprint]
            read = some(len(event.contents) - len(left), "table")
            missed = "; not read: " + ", ".join(
                f"{one.table} ({one.why or 'not known why'})" for one in left
            )
            return (
                f"contents {event.when}: {read} read in {seconds(event.seconds)}"
                f"{missed if left else ''}"
            )


def _recovery(
    event: ev.RecoveryStep | ev.RecoveryPlanned | ev.LostCounted | ev.RepairProposed,
) -> str:
    match event:
        case ev.RecoveryPlanned():
            about = (
                "nobody knows how long"
                if event.estimated_seconds is None
                else f"about {seconds(event.estimated_seconds)}"
            )
            return (
                f"recovery by {event.rung}: {event.restores} ({about}); "
                f"steps: {', '.join(event.steps)}"
            )
        case ev.LostCounted():
            found = "; ".join(lost_rows(one) for one in event.lost) or "none"
            agreed = "nothing" if event.agreed is None else some(event.agreed, "row")
            return f"rows lost with the recovery: {found}; agreed to: {agreed}"
        case ev.RepairProposed():
            return f"{event.step} will send: {shorten('; '.join(event.sql), _WIDTH)}"
        case ev.RecoveryStep():
            result = "done" if event.ok else "FAILED"
            if event.verdict is not None:
                result = f"{result}, {event.verdict.upper()}"
            return f"recovery, {event.name} {result} in {seconds(event.seconds)}" + _more(
                event.summary
            )


def lost_rows(one: LostRows) -> str:
    """Return rows that a recovery takes away: ``12 rows of public.orders (compared …)``."""
    number = "an unknown number of rows" if one.rows is None else some(one.rows, "row")
    return f"{number} of {one.table}" + (f" ({one.basis})" if one.basis else "")


def _more(text: str) -> str:
    return f": {text}" if text else ""
