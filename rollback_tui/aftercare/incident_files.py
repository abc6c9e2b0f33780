"""The incident report of a run as files in its folder, and what takes it to an issue tracker."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from rollback_tui.aftercare.charge import Charge
from rollback_tui.aftercare.ledger import Ledger, LedgerDamaged
from rollback_tui.aftercare.places import redacted
from rollback_tui.core import notices
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.events import HookRan
from rollback_tui.core.follow_ups import FILE_NAME as TICKS
from rollback_tui.core.follow_ups import FollowUp, Ticked, needed, ticked
from rollback_tui.core.incident import (
    Incident,
    build,
    incident_html,
    incident_json,
    incident_markdown,
)
from rollback_tui.core.monitoring import fold as monitoring
from rollback_tui.core.monitoring import values
from rollback_tui.core.run_view import fold
from rollback_tui.core.text import inert_json, printable, shorten
from rollback_tui.core.value import Value
from rollback_tui.run import folder as run_folder
from rollback_tui.run import hooks, journal, web

MARKDOWN = "incident.md"
HTML = "incident.html"
JSON = "incident.json"
DELIVERIES = "deliveries.jsonl"

HOOK = "incident deliver"
"""What the delivery is called where hooks are named."""

_SAID = 160

T = TypeVar("T")


class IncidentPaths(Value, frozen=True, kw_only=True):
    """Where the three files are."""

    markdown: Path
    html: Path
    json: Path


class Delivery(Value, frozen=True, kw_only=True):
    """A line of ``deliveries.jsonl``: one attempt to hand the report over."""

    at: datetime
    ok: bool
    seconds: float
    summary: str
    """What the command or the URL said. Printable, without the URL."""
    as_of: datetime | None
    """The newest fact of the report that was handed over."""
    by_hand: bool = False


def incident(folder: Path) -> Incident:
    """Return the report of the run in ``folder`` as it is now. Raises JournalDamaged; of what else
    cannot be read, the report says that it is not known."""
    problems: list[str] = []
    records = journal.read(folder / journal.FILE_NAME)
    return build(
        records,
        folder=str(folder),
        monitoring=monitoring.fold(_lines(_watched(folder), problems)),
        post=notices.fold(_lines(_told(folder), problems)),
        ticks=_lines(_ticks(folder), problems),
        problems=problems,
    )


def _watched(folder: Path) -> Ledger[values.Line]:
    return Ledger(folder / values.FILE_NAME, values.Line)  # type: ignore[arg-type]


def _told(folder: Path) -> Ledger[notices.Line]:
    return Ledger(folder / notices.FILE_NAME, notices.Line)  # type: ignore[arg-type]


def _ticks(folder: Path) -> Ledger[Ticked]:
    return Ledger(folder / TICKS, Ticked)


def _lines(ledger: Ledger[T], problems: list[str]) -> tuple[T, ...]:
    try:
        return ledger.read()
    except LedgerDamaged as error:
        problems.append(error.summary)
        return ()


def checklist(folder: Path) -> tuple[FollowUp, ...]:
    """Return what is left to be done, and what of it is done. Raises JournalDamaged and
    LedgerDamaged: a list that lacks ticks would have things done twice."""
    view = fold(journal.read(folder / journal.FILE_NAME))
    watched = monitoring.fold(_watched(folder).read())
    return ticked(needed(view, watched), _ticks(folder).read())


def write(folder: Path) -> IncidentPaths:
    """Write the report as it is now, each file whole or not at all (0600), and return where.

    Raises JournalDamaged, and RollbackTuiError where the files cannot be written.
    """
    return _written(folder, incident(folder))


def _written(folder: Path, report: Incident) -> IncidentPaths:
    paths = IncidentPaths(markdown=folder / MARKDOWN, html=folder / HTML, json=folder / JSON)
    texts: Sequence[tuple[Path, Callable[[Incident], str]]] = (
        (paths.json, as_json),
        (paths.html, incident_html),
        (paths.markdown, incident_markdown),
    )
    try:
        for path, made in texts:
            run_folder.write(path, made(report))
    except OSError as error:
        raise RollbackTuiError(
            f"the incident report cannot be written in {folder}: {error.strerror}",
            "`rollback-tui incident` prints it; all it is made of is still there.",
        ) from None
    return paths


def as_json(report: Incident) -> str:
    """Return the report as the text of a JSON document, inert in a terminal."""
    encoded = msgspec.json.encode(incident_json(report))
    return inert_json(msgspec.json.format(encoded, indent=2)).decode() + "\n"


# --- delivery -------------------------------------------------------------------------------------


def deliveries(folder: Path) -> tuple[Delivery, ...]:
    """Return all attempts to hand the report over, oldest first. Raises LedgerDamaged."""
    return Ledger(folder / DELIVERIES, Delivery).read()


def deliver(charge: Charge, *, by_hand: bool = False) -> HookRan:
    """Write the report and hand it over to ``[incident] deliver``; return how that went.

    What was delivered once is not delivered again, unless ``by_hand``. A failure is a result, not
    an error: whoever calls tries again later. Never raises.
    """
    began = time.monotonic()
    hook = charge.settings.incident.deliver
    if not hook.configured:
        return _ran(False, "[incident] deliver is not configured", began)
    try:
        done = next((one for one in deliveries(charge.path) if one.ok), None)
        if done is not None and not by_hand:
            return _ran(True, f"delivered already, {done.at:%Y-%m-%d %H:%M:%S} UTC", began)
        report = incident(charge.path)
        paths = _written(charge.path, report)
        ran = _post(charge, report) if hook.url else _command(charge, report, paths)
        line = Delivery(
            at=datetime.now(UTC),
            ok=ran.ok,
            seconds=ran.seconds,
            summary=ran.summary,
            as_of=report.as_of,
            by_hand=by_hand,
        )
        Ledger(charge.path / DELIVERIES, Delivery).append(line)
    except RollbackTuiError as error:
        return _ran(False, error.summary, began)
    except OSError as error:
        return _ran(False, f"{charge.path}: {error.strerror or error}", began)
    return ran


def _ran(ok: bool, summary: str, began: float) -> HookRan:
    seconds = round(time.monotonic() - began, 3)
    return HookRan(name=HOOK, ok=ok, seconds=seconds, summary=printable(summary))


def _command(charge: Charge, report: Incident, paths: IncidentPaths) -> HookRan:
    operator = report.people.operator
    facts = {
        "run": report.run or "",
        "database": report.target.database if report.target else "",
        "environment": report.environment or "",
        "framework": report.framework or "",
        "versions": " ".join(m.version for m in report.migrations),
        "goal": report.version.after or "",
        "operator": operator.user if operator else "",
        "reason": report.cause.reason or "",
        "started": report.started_at.isoformat() if report.started_at else "",
        "outcome": report.outcome or "",
        "severity": report.severity.level,
        "title": report.title,
        "folder": str(charge.path),
        "incident_markdown": str(paths.markdown),
        "incident_html": str(paths.html),
        "incident_json": str(paths.json),
    }
    return hooks.call(
        charge.settings.incident.deliver,
        HOOK,
        on=True,
        # A NUL, which no environment can hold, is visible then.
        facts={name: text.replace("\0", "␀") for name, text in facts.items()},
        dsn="",
        project=Path(charge.project),
    )


def _post(charge: Charge, report: Incident) -> HookRan:
    began = time.monotonic()
    hook = charge.settings.incident.deliver
    answer = web.request("POST", hook.url, seconds=hook.timeout_seconds, json=incident_json(report))
    # An address may hold a token, and an error or an answer may repeat the address, or its end.
    said = shorten(redacted(answer.text, f"json{hook.url.removeprefix('http')}"), _SAID)
    if answer.status is None:
        return _ran(False, said, began)
    ok = 200 <= answer.status < 300
    return _ran(ok, f"HTTP {answer.status}: {said}" if said else f"HTTP {answer.status}", began)
