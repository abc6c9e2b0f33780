"""What people are told of a run: derived from its journal and the alerts of its monitoring."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import get_args

from rollback_tui.aftercare.notices_fields import alert_fields, gate_fields, run_fields
from rollback_tui.config import Settings
from rollback_tui.config_aftercare import Notify
from rollback_tui.core import events as ev
from rollback_tui.core import notice_words
from rollback_tui.core.model import Outcome
from rollback_tui.core.monitoring.values import Raised
from rollback_tui.core.notices import Level, Notice, Occasion
from rollback_tui.core.report import words
from rollback_tui.core.run_view import RunView

_NOTHING: Mapping[str, str] = {}
_LEVELS: tuple[Level, ...] = get_args(Level)

_REALLY: frozenset[ev.Phase] = frozenset(
    ("announce", "drain", "close_door", "clone", "execute", "recover")
)
"""The first of these is where a run really begins: before it everything may still be refused
without anybody outside having noticed. All others also come in a run that was refused."""


def derive(
    records: Sequence[ev.Record],
    view: RunView,
    settings: Settings,
    *,
    alerts: Iterable[Raised] = (),
) -> tuple[Notice, ...]:
    """Return every notice that the journal and the alerts call for, in the order of what happened;
    without those that no place wants.

    Pure, and the ids are functions of the facts: who derives again, from more records, gets the
    same ones and more. ``view`` is the fold of ``records``.
    """
    if view.started is None or not settings.notify.to:
        return ()
    found = [*_of_the_run(records, view, settings.notify)]
    found += [_alert(view, settings, alert) for alert in alerts]
    return tuple(sorted((one for one in found if one.places), key=lambda one: one.at))


def _of_the_run(records: Sequence[ev.Record], view: RunView, settings: Notify) -> Iterator[Notice]:
    begun = False
    for place, record in enumerate(records):
        match record.event:
            case event if not begun and _begins(event):
                begun = True
                yield _notice(view, settings, "started", "info", "started", record.at)
            case ev.Question() as question:
                answered = _answer(records[place + 1 :])
                # Where nobody is there to be asked, nobody is waited for.
                if question.seconds > 0 and (answered is None or answered.by != "configuration"):
                    told = gate_fields(record.at, question, answered)
                    key = f"gate-{record.seq}"
                    yield _notice(view, settings, "gate", "warning", key, record.at, told)
            case ev.RunFinished() as finished:
                occasion: Occasion = "finished" if view.settling is None else "settled"
                level = level_of(finished.outcome, view)
                yield _notice(view, settings, occasion, level, "finished", record.at)
            case _:
                pass


def _begins(event: ev.AnyEvent) -> bool:
    """Whether a run that shows this has begun."""
    if isinstance(event, ev.PhaseStarted):
        return event.phase in _REALLY
    return isinstance(event, ev.DoorClosed | ev.TransactionStarted | ev.StepsStarted)


def level_of(outcome: Outcome, view: RunView) -> Level:
    """Return how serious an end is. Production was changed also where all went well; what was
    meant to be brought back and was is no failure."""
    if outcome == "refused":
        return "info"
    recovering = view.started is not None and view.started.task == "recover"
    if outcome == "rolled_back" or (outcome == "recovered" and recovering):
        return "warning"
    return "critical"


def _answer(later: Iterable[ev.Record]) -> ev.Answered | None:
    """Return what the first question of these was answered with; None: nothing yet."""
    for record in later:
        if isinstance(record.event, ev.Answered):
            return record.event
        if isinstance(record.event, ev.Question):
            break
    return None


def _alert(view: RunView, settings: Settings, alert: Raised) -> Notice:
    key = f"alert-{alert.metric}-{alert.at.astimezone(UTC):%Y%m%dT%H%M%S}"
    told = alert_fields(view, alert, settings.monitor)
    return _notice(view, settings.notify, "alert", "critical", key, alert.at, told)


def _notice(
    view: RunView,
    settings: Notify,
    occasion: Occasion,
    level: Level,
    key: str,
    at: datetime,
    told: Mapping[str, str] = _NOTHING,
) -> Notice:
    run = view.started.run if view.started else ""
    name = f"{run[:8]}-{key}"
    values = {
        **run_fields(view),
        "occasion": occasion,
        "level": level,
        "at": words.moment(at),
        "id": name,
        **told,
    }
    title = settings.titles.get(occasion, notice_words.TITLES[occasion])
    body = settings.bodies.get(occasion, notice_words.BODIES[occasion])
    return Notice(
        id=name,
        occasion=occasion,
        level=level,
        at=at,
        title=notice_words.title(title, values),
        body=notice_words.body(body, values),
        places=tuple(
            place.name
            for place in settings.to
            if occasion in place.occasions and _LEVELS.index(level) >= _LEVELS.index(place.level)
        ),
    )
