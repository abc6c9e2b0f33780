"""What was done, phase by phase: the plan's statements, our own SQL, hooks, recovery steps."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rollback_tui.core import events as ev
from rollback_tui.core.incident.values import Deed, Step, Tone
from rollback_tui.core.run_view import RunView


class _Course:
    """The steps so far."""

    def __init__(self, view: RunView) -> None:
        self._plan = {s.index: s for s in view.started.plan.statements} if view.started else {}
        self._ended = view.finished is not None
        self.steps: list[Step] = []
        self._deeds: list[list[Deed]] = []
        self._began: dict[int, ev.Record] = {}
        self._uncommitted: list[tuple[int, int]] = []
        """(step, deed) of what the open transaction did."""

    def phase(self, record: ev.Record, name: str) -> None:
        """A phase began."""
        self.steps.append(
            Step(
                phase=name,
                status="running" if not self._ended else "not ended",
                at=record.at,
                elapsed=record.elapsed,
                seconds=None,
                summary="",
                deeds=(),
            )
        )
        self._deeds.append([])

    def ended(self, event: ev.PhaseFinished) -> None:
        """A phase ended."""
        for place in range(len(self.steps) - 1, -1, -1):
            if self.steps[place].phase == event.phase:
                self.steps[place] = msgspec.structs.replace(
                    self.steps[place],
                    status=event.status,
                    seconds=event.seconds,
                    summary=event.summary,
                )
                return

    def deed(self, record: ev.Record, deed: Deed, *, undone: bool = False) -> None:
        """Something was done. ``undone``: a ROLLBACK takes it back."""
        if not self.steps:
            self.phase(record, "preflight")
        self._deeds[-1].append(deed)
        if undone:
            self._uncommitted.append((len(self._deeds) - 1, len(self._deeds[-1]) - 1))

    def committed(self) -> None:
        """Nothing that was done so far can be rolled back any more."""
        self._uncommitted.clear()

    def rolled_back(self) -> None:
        """What the transaction had done is as if it had never been."""
        for step, place in self._uncommitted:
            deed = self._deeds[step][place]
            if deed.tone != "bad":
                self._deeds[step][place] = msgspec.structs.replace(
                    deed, result=f"{deed.result}, then rolled back", tone="attention"
                )
        self._uncommitted.clear()

    def sent(self, record: ev.Record, index: int) -> None:
        """A statement of the plan was sent."""
        self._began[index] = record

    def version(self, record: ev.Record, event: ev.VersionChanged) -> None:
        """The framework's table was changed: one deed, and not a second one for its SQL."""
        deeds = self._deeds[-1] if self._deeds else []
        while deeds and deeds[-1].kind == "sql" and deeds[-1].sql in event.sql:
            place = len(self._deeds) - 1, len(deeds) - 1
            self._uncommitted = [one for one in self._uncommitted if one != place]
            deeds.pop()
        deed = Deed(
            kind="version",
            at=record.at,
            elapsed=record.elapsed,
            seconds=None,
            what=f"Version table: {event.version}",
            result="done",
            tone="good",
            sql=";\n".join(event.sql),
        )
        self.deed(record, deed, undone=True)

    def unanswered(self) -> None:
        """Say of what was sent and had no answer that nobody knows."""
        for index, record in self._began.items():
            said = "begun, no answer seen" if self._ended else "running"
            self.deed(record, self.statement(record, index, None, said, "attention"))

    def answered(
        self, record: ev.Record, index: int, seconds: float | None, result: str, tone: Tone
    ) -> None:
        """The server answered it."""
        began = self._began.pop(index, record)
        deed = self.statement(began, index, seconds, result, tone)
        self.deed(record, deed, undone=True)

    def statement(
        self, began: ev.Record, index: int, seconds: float | None, result: str, tone: Tone
    ) -> Deed:
        """Return the deed of a statement of the plan."""
        planned = self._plan.get(index)
        where = f", line {planned.line}" if planned else ""
        return Deed(
            kind="statement",
            at=began.at,
            elapsed=began.elapsed,
            seconds=seconds,
            what=f"Statement {index}{where}",
            result=result,
            tone=tone,
            sql=planned.sql if planned else "",
        )

    def all(self) -> tuple[Step, ...]:
        """Return the steps with what was done in each."""
        return tuple(
            msgspec.structs.replace(step, deeds=tuple(deeds))
            for step, deeds in zip(self.steps, self._deeds, strict=True)
        )


def resolution(records: Iterable[ev.Record], view: RunView) -> tuple[Step, ...]:
    """Return every phase that was begun, in the order in which it was."""
    course = _Course(view)
    for record in records:
        event = record.event
        match event:
            case ev.PhaseStarted():
                course.phase(record, event.phase)
            case ev.PhaseFinished():
                course.ended(event)
            case ev.StatementStarted():
                course.sent(record, event.index)
            case ev.StatementFinished():
                result = f"done: {event.command_tag}"
                course.answered(record, event.index, event.seconds, result, "good")
            case ev.StatementFailed():
                result = f"FAILED: SQLSTATE {event.sqlstate}: {event.message}"
                course.answered(record, event.index, None, result, "bad")
            case ev.StatementSkipped():
                course.answered(record, event.index, None, f"skipped: {event.why}", "attention")
            case ev.TransactionStarted():
                course.committed()
                course.deed(record, _sql(record, "BEGIN", f"transaction {event.xid}", "plain"))
            case ev.TransactionRolledBack():
                course.rolled_back()
                course.deed(record, _sql(record, "ROLLBACK", event.reason, "attention"))
            case ev.VersionChanged():
                course.version(record, event)
            case ev.Committed():
                course.committed()
                course.deed(record, _sql(record, "COMMIT", "confirmed by the server", "good"))
            case _:
                deed = _deed(record)
                if deed is not None:
                    course.deed(record, deed, undone=_in_transaction(event))
    course.unanswered()
    return course.all()


def _sql(record: ev.Record, what: str, result: str, tone: Tone, text: str = "") -> Deed:
    return Deed(
        kind="sql",
        at=record.at,
        elapsed=record.elapsed,
        seconds=None,
        what=what,
        result=result,
        tone=tone,
        sql=text,
    )


def _deed(record: ev.Record) -> Deed | None:
    event = record.event
    match event:
        case ev.SqlSent():
            where = "target" if event.connection == "target" else "maintenance database"
            return _sql(record, f"Our own SQL, {where}", "sent", "plain", event.sql)
        case ev.HookRan():
            return Deed(
                kind="hook",
                at=record.at,
                elapsed=record.elapsed,
                seconds=event.seconds,
                what=f"Hook {event.name}",
                result=f"{'done' if event.ok else 'FAILED'}: {event.summary}",
                tone="good" if event.ok else "bad",
            )
        case ev.RecoveryStep():
            return _recovered(record, event)
        case _:
            return None


def _in_transaction(event: ev.AnyEvent) -> bool:
    return isinstance(event, ev.SqlSent) and event.connection == "target"


def _recovered(record: ev.Record, event: ev.RecoveryStep) -> Deed:
    failed = not event.ok or event.verdict == "fail"
    unknown = event.verdict == "unknown"
    said = "FAILED" if failed else "UNKNOWN" if unknown else "done"
    return Deed(
        kind="recovery",
        at=record.at,
        elapsed=record.elapsed,
        seconds=event.seconds,
        what=f"Recovery, {event.name}",
        result=f"{said}: {event.summary}" if event.summary else said,
        tone="bad" if failed else "attention" if unknown else "good",
        sql=";\n".join(event.sql),
    )
