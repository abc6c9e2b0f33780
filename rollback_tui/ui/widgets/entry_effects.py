"""What one statement does to the database: as forecast, or as a rehearsal measured it. Each says
which of the two it is; where they differ, that is marked."""

from __future__ import annotations

from textual.content import Content

from rollback_tui.core.model import Effect, Lock, Statement
from rollback_tui.core.rehearsal import Measured, Rehearsal
from rollback_tui.core.script.hazards import EXPLANATIONS
from rollback_tui.ui.surroundings import Rehearsed, rehearsed
from rollback_tui.ui.theme import Tone, line
from rollback_tui.ui.wording import COPIES, count, took

_STOPS: dict[str, str] = {
    "AccessExclusive": "stops reads and writes",
    "Exclusive": "stops writes",
    "ShareRowExclusive": "stops writes",
    "Share": "stops writes",
}
_BASIS = {"forecast": "forecast", "measured": "measured", "unknown": "nobody knows"}


def outcome(statement: Statement, rehearsal: Rehearsal | None) -> list[Content]:
    """Return that it failed in the rehearsal, or where it did not do what was forecast."""
    if rehearsal is None:
        return []
    found = rehearsed(rehearsal)
    measured = found.measured.get(statement.index)
    rows = []
    if measured is not None and measured.failed:
        rows.append(
            line(
                ("✗ failed in the rehearsal: ", "bad"),
                (f"{measured.sqlstate} {measured.failed}", "bad"),
            )
        )
    elif measured is None:
        rows.append(line(("? not reached in the rehearsal: all below is forecast", "warn")))
    rows += [
        line(("≠ not as forecast: ", "warn"), (text, "warn"))
        for text in found.differences.get(statement.index, [])
    ]
    return rows


def hazards(effect: Effect) -> list[Content]:
    """Return each hazard with its word and what it means."""
    return [
        line((f"! {word}  ", "warn"), " ".join(EXPLANATIONS.get(word, "").split()))
        for word in effect.hazards
    ]


def effects(statement: Statement, rehearsal: Rehearsal | None) -> list[Content]:
    """Return locks, rewrites, scans and the rest, each labelled."""
    effect = statement.effect
    found = rehearsed(rehearsal) if rehearsal else None
    measured = found.measured.get(statement.index) if found else None
    rows = [*_locks(effect, found, measured), *_forecast(effect, measured)]
    if measured is not None and rehearsal is not None:
        rows += _measured(measured, rehearsal)
    if effect.session:
        names = ", ".join(effect.session)
        rows.append(line(("session   ", "dim"), "changes ", (names, "warn"), " for all after it"))
    return rows


def _forecast(effect: Effect, measured: Measured | None) -> list[Content]:
    words = []
    if measured is None or measured.rewritten is None:
        words += _known(effect.rewrites, "rewrites the table", "may rewrite the table")
    if measured is None or measured.scanned is None:
        words += _known(effect.scans, "reads a whole table", "may read a whole table")
    if effect.transactional is False:
        words.append("cannot run in a transaction")
    elif effect.transactional is None:
        words.append("unknown whether it runs in a transaction")
    if effect.cascade:
        words.append("CASCADE takes along what depends on it")
    if effect.if_exists and not effect.no_op:
        words.append("does nothing when it is not there")
    if not words and measured is not None:
        return []
    text = ", ".join(words) or "no rewrite, no full scan, in the transaction"
    return [line(("effects   ", "dim"), text, _label(_basis(effect)))]


def _basis(effect: Effect) -> str:
    """Return where the forecast comes from: a text alone may not tell all."""
    if effect.basis == "forecast" and not effect.resolved:
        return "forecast from the text alone"
    return _BASIS[effect.basis]


def _known(answer: bool | None, yes: str, unknown: str) -> list[str]:
    return [] if answer is False else [yes if answer else unknown]


def _measured(measured: Measured, rehearsal: Rehearsal) -> list[Content]:
    words = [f"took {took(measured.seconds)} on {COPIES[rehearsal.source]}"]
    if measured.rewritten is not None:
        rewrote = f"rewrote {_names(measured.rewritten)}"
        words.append(rewrote if measured.rewritten else "no rewrite")
    if measured.scanned is not None:
        words.append(f"read {_names(measured.scanned)}" if measured.scanned else "no full scan")
    words += [
        f"{word} {count(number, 'row')} of {change.relation}"
        for change in measured.changed or ()
        for word, number in (
            ("inserted", change.inserted),
            ("updated", change.updated),
            ("deleted", change.deleted),
        )
        if number
    ]
    rows = [line(("did       ", "dim"), ", ".join(words), _label("measured"))]
    taken = [f"{one.kind} {one.name}" for one in measured.dropped or () if one.collateral]
    if taken:
        rows.append(line(("! took along ", "bad"), _names(taken), _label("measured")))
    rows += [line(("notice    ", "dim"), text) for text in measured.notices[:3]]
    return rows


def _names(names: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _label(basis: str) -> tuple[str, Tone]:
    return f"  ({basis})", "accent" if basis == "measured" or basis.startswith("held") else "dim"


def _locks(effect: Effect, found: Rehearsed | None, measured: Measured | None) -> list[Content]:
    if found is None or measured is None or measured.locks is None or measured.failed:
        alone = measured is not None and not measured.failed
        basis = "forecast; measured they cannot be, it ran alone" if alone else _basis(effect)
        return _forecast_locks(effect, basis)
    comparable = effect.resolved and effect.basis != "unknown"
    expected = set(effect.locks)
    rows = [
        _lock(lock, "measured, not forecast" if comparable and lock not in expected else "measured")
        for lock in measured.locks
    ]
    for lock in effect.locks if comparable else ():
        if lock not in measured.locks:
            earlier = found.held(lock, measured.index)
            held = f"held since statement {earlier}"
            rows.append(_lock(lock, "forecast, not taken" if earlier is None else held))
    return rows or [line(("locks     ", "dim"), "none on a relation", _label("measured"))]


def _forecast_locks(effect: Effect, basis: str) -> list[Content]:
    if not effect.locks:
        word: tuple[str, Tone] = ("none on a relation", "plain")
        if effect.basis == "unknown":
            word = ("unknown", "warn")
        elif not effect.resolved:
            word = ("none that its text tells", "warn")
        return [line(("locks     ", "dim"), word, _label(basis))]
    rows = [_lock(lock, basis) for lock in effect.locks]
    if effect.basis == "unknown":
        rows.append(line(("locks     ", "dim"), ("and nobody knows which others", "warn")))
    return rows


def _lock(lock: Lock, basis: str) -> Content:
    stops = _STOPS.get(lock.mode, "")
    differs = basis in ("measured, not forecast", "forecast, not taken")
    tone: Tone = "warn" if differs else "plain"
    return line(
        ("locks     ", "dim"),
        (f"{lock.mode} on {lock.relation}", tone),
        (f"  {stops}" if stops else "", "warn"),
        (f"  ≠ {basis}", "warn") if differs else _label(basis),
    )
