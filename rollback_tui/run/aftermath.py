"""After the door is open: statistics, impact, report, and the one outcome."""

from __future__ import annotations

import msgspec

from rollback_tui.core import events as ev
from rollback_tui.core.model import Outcome
from rollback_tui.core.report import report_json, report_markdown
from rollback_tui.core.run_view import advance
from rollback_tui.core.text import inert_json, shorten
from rollback_tui.run import folder, hooks
from rollback_tui.run.afterwards.health import Prober, health
from rollback_tui.run.afterwards.query_errors import QueryWatch
from rollback_tui.run.afterwards.statistics import refresh_statistics
from rollback_tui.run.cloning import clone_commands
from rollback_tui.run.context import Run, summary_of
from rollback_tui.run.needed import tidy
from rollback_tui.run.steps import resume_commands

_SAID = 160
"""Terminal cells of what a command said."""


class _Felt(msgspec.Struct, frozen=True):
    """What the impact command prints."""

    affected_users: int | None = None
    failed_requests: int | None = None


def measure_impact(run: Run, prober: Prober) -> None:
    """Journal what users felt, as far as the probe and the configured command can tell."""
    felt, source = _Felt(), []
    if prober.probes:
        source.append("health probes")
    configured = run.settings.impact
    if configured.command:
        facts = run.facts()
        env = hooks.environment(facts) | {
            "RUN_STARTED": facts["started"],
            "RUN_FINISHED": run.journal.anticipate(ev.AbortAsked()).at.isoformat(),
        }
        try:
            code, text = hooks.output(
                configured.command, env, run.project, configured.timeout_seconds
            )
            if code == 0:
                felt = msgspec.json.decode(text, type=_Felt)
                source.append(configured.command[0])
            else:
                _told_nothing(run, _why(code, text, configured.timeout_seconds))
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            _told_nothing(run, summary_of(error))
    run.write(
        ev.ImpactMeasured(
            downtime_seconds=round(run.view.downtime_at(run.journal.elapsed), 3),
            failed_probes=prober.failed if prober.probes else None,
            probes=prober.probes or None,
            affected_users=felt.affected_users,
            failed_requests=felt.failed_requests,
            source=", ".join(source),
        )
    )


def _told_nothing(run: Run, why: str) -> None:
    """Journal that the impact command was asked, and why it told nothing."""
    run.write(ev.Progress(phase="aftercare", summary=f"impact command: {why}"))


def _why(code: int | None, text: str, seconds: float) -> str:
    """Return how a command ended that did not end well, with the end of what it said."""
    if code is None:
        return f"no answer within {seconds:g} s"
    said = shorten(text, _SAID)
    return f"exit {code}: {said}" if said else f"exit {code}"


def look_after(run: Run, prober: Prober, watch: QueryWatch) -> bool | None:
    """Say what users felt, and whether the application is well with what was committed. None: that
    is not known, or nothing was committed."""
    if run.committed:
        watch.opened()
    measure_impact(run, prober)
    if not run.committed:
        return None
    refresh_statistics(run)
    return health(run, watch)


def finish(run: Run, outcome: Outcome, summary: str) -> ev.RunFinished:
    """Write the report and journal the outcome: nothing comes after it."""
    with run.phase("aftercare") as phase:
        if outcome == "rolled_back" and not run.view.alarms:
            tidy(run)
        phase.summary = str(run.folder / folder.REPORT)
    if run.view.alarms and outcome != "needs_operator":
        outcome, summary = "needs_operator", f"{summary} {run.view.alarms[0].summary}."
    finished = ev.RunFinished(
        outcome=outcome,
        summary=summary,
        report=str(run.folder / folder.REPORT),
        next_commands=_next_commands(run, outcome),
    )
    view = advance(run.view, run.journal.anticipate(finished))
    try:
        folder.write(run.folder / folder.REPORT, report_markdown(view))
        encoded = inert_json(msgspec.json.format(msgspec.json.encode(report_json(view)), indent=2))
        folder.write(run.folder / folder.REPORT_JSON, encoded.decode() + "\n")
    except OSError as error:
        run.write(
            ev.Alarm(
                summary=f"the report could not be written: {error.strerror}",
                remedy="The journal is complete: `rollback-tui report` makes it again.",
            )
        )
    run.write(finished)
    return finished


def _next_commands(run: Run, outcome: Outcome) -> tuple[str, ...]:
    if outcome != "needs_operator":
        return ()
    commands = [alarm.remedy for alarm in run.view.alarms]
    commands += resume_commands(run.view)
    commands += clone_commands(run)
    made = run.view.checkpoint
    if made is not None:
        commands.append(f"{made.path}/restore.sh {run.database}_restored")
    if run.view.committed or run.view.steps is not None or run.view.swapped is not None:
        commands.append(f"rollback-tui recover {run.request.run[:8]}   # lists the ways back")
    commands.append(f"rollback-tui report {run.request.run}")
    return tuple(commands)
