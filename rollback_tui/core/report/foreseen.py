"""What was known before the run: what the operator acknowledged, and whether it was rehearsed."""

from __future__ import annotations

from rollback_tui.core import foreseen
from rollback_tui.core.model import Statement
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.core.report import words
from rollback_tui.core.report.pieces import table
from rollback_tui.core.run_view import RunView
from rollback_tui.core.schema_verdict import summary
from rollback_tui.core.script.hazards import explain
from rollback_tui.core.text import markdown, shorten

_LISTED = 50
_VERDICTS = {"pass": "passed", "fail": "**FAILED**", "unknown": "unknown"}


def acknowledged(view: RunView) -> list[str]:
    """Return each statement that loses data (or of which nobody knows), its hazards in the words
    of the preview, and who confirmed it."""
    started = view.started
    dangerous = [s for s in started.plan.statements if s.dangerous] if started else []
    if started is None or not dangerous:
        return []
    shown = dangerous[:_LISTED]
    lines = table(
        ("#", "Line", "Statement", "Known before", "Hazards"),
        [
            (
                str(s.index),
                str(s.line),
                markdown(shorten(s.sql, 90)),
                markdown(before(s)),
                markdown(", ".join(s.effect.hazards)),
            )
            for s in shown
        ],
    )
    if len(dangerous) > len(shown):
        lines.append(f"\n… and {len(dangerous) - len(shown):,} more in the journal.")
    hazards = dict.fromkeys(hazard for s in shown for hazard in s.effect.hazards)
    lines += ["", *(f"- {markdown(hazard)}: {markdown(explain(hazard))}" for hazard in hazards)]
    by = started.operator.user + (f" at {started.operator.host}" if started.operator.host else "")
    return [
        "## What was acknowledged",
        "",
        f"{markdown(by)} confirmed these with the plan (sha256 {started.plan_sha256[:12]}).",
        "",
        *lines,
    ]


def before(statement: Statement) -> str:
    """Return what was counted before the run: what goes, and what it would fail on."""
    effect = statement.effect
    if effect.no_op:
        return "does nothing: what it names is not there"
    known = [foreseen.loss(one) for one in statement.loss]
    known += [foreseen.violation(one) for one in statement.violations if one.count != 0]
    if not known and effect.loses_data is None:
        return "nobody knows what it does"
    return "; ".join(known) or "not counted"


def source(rehearsal: Rehearsal) -> str:
    """Return what the scratch database was made from, and where it was."""
    made = {
        "schema": "the schema alone, without data",
        "dump": f"the checkpoint {rehearsal.proven}" if rehearsal.proven else "the checkpoint",
        "clone": "a copy of the database",
    }[rehearsal.source]
    where = "a server of our own" if rehearsal.embedded else "the target's server"
    version = f"{rehearsal.server_version // 10000}.{rehearsal.server_version % 10000}"
    return f"{made}, on {where} (PostgreSQL {version})"


def rehearsed(view: RunView) -> list[str]:
    """Return whether the forecast was measured before the run, and what came of it."""
    if view.started is None:
        return []
    found = view.started.rehearsal
    title = ["## Rehearsal", ""]
    if found is None:
        return [*title, "Not rehearsed: what was said of the statements beforehand is a forecast."]
    rows = [
        ("Made from", markdown(source(found))),
        ("Statements", f"{len(found.statements):,} of {len(view.started.plan.statements):,} ran"),
        (
            "Time",
            f"{words.seconds(found.seconds)}, {words.seconds(found.made_seconds)} of it to make",
        ),
    ]
    if found.plan_sha256 != view.started.plan_sha256:
        rows.append(("Plan", "**another one than was run**"))
    if found.failure:
        rows.append(("Failed", f"**{markdown(found.failure)}**"))
    rows.append(("Forecast and measurement", _agreement(found)))
    rows.append(("Down, then up again", _round_trip(found)))
    if found.foreseen is not None:
        text = f"{found.foreseen.kind}: {markdown(summary(found.foreseen))}"
        rows.append(("Schema afterwards", text))
    if found.proven:
        rows.append(("Checkpoint", f"restored and so proven: {markdown(found.proven)}"))
    if not found.removed:
        rows.append(("Left over", f"**{markdown(found.database)} was not removed**"))
    lines = table(("Fact", "Value"), rows)
    details = [*found.differences, *(found.round_trip.differences if found.round_trip else ())]
    details += found.notes
    shown = details[:_LISTED]
    lines += ["", *(f"- {markdown(text)}" for text in shown)] if shown else []
    if len(details) > len(shown):
        lines.append(f"- … and {len(details) - len(shown):,} more in the journal")
    return [*title, *lines]


def _agreement(rehearsal: Rehearsal) -> str:
    if rehearsal.differences:
        return f"**{words.some(len(rehearsal.differences), 'difference')}**, see below"
    if not rehearsal.statements:
        return "not compared: no statement ran"
    return f"the same, as far as it came: {words.some(len(rehearsal.statements), 'statement')}"


def _round_trip(rehearsal: Rehearsal) -> str:
    if rehearsal.round_trip is None:
        return "not tried"
    return f"{_VERDICTS[rehearsal.round_trip.verdict]}: {markdown(rehearsal.round_trip.summary)}"
