"""How bad it was: by a rule that is stated in every report, from the outcome and the downtime."""

from __future__ import annotations

from rollback_tui.core.incident.values import Severity
from rollback_tui.core.report import words
from rollback_tui.core.run_view import RunView

CRITICAL_SECONDS = 300.0
MAJOR_SECONDS = 60.0

RULE = (
    "critical: the run has no outcome or needs the operator, the door is still closed, that a"
    " failed run left the database as before is not proven, or applications were kept out for"
    " 5 minutes or longer. major: the run failed and the database is as before or was recovered,"
    " a verification failed or stayed unknown and nobody had accepted it, or applications were"
    " kept out for a minute or longer. minor: done and verified, applications kept out for less."
    " none: refused, nothing was touched."
)


def severity(view: RunView) -> Severity:
    """Return how bad it was, and what of the rule applied: the worst that does."""
    if because := _critical(view):
        return Severity(level="critical", because=because, rule=RULE)
    if because := _major(view):
        return Severity(level="major", because=because, rule=RULE)
    if view.outcome == "refused":
        return Severity(level="none", because="refused: nothing was touched", rule=RULE)
    return Severity(
        level="minor", because=f"done and verified; downtime {words.downtime(view)}", rule=RULE
    )


def _critical(view: RunView) -> str:
    if view.outcome is None:
        return "the run has no outcome yet"
    if view.door_closed_at is not None:
        return "the door is still closed"
    if view.outcome == "needs_operator":
        return "the run needs the operator"
    if view.outcome == "unchanged" and not (view.unchanged and view.unchanged.proven):
        return "the run failed, and that the database is as before is not proven"
    return _out_for(view, CRITICAL_SECONDS)


def _major(view: RunView) -> str:
    if view.outcome == "unchanged":
        return "the run failed; the database is proven to be as before"
    if view.outcome == "recovered":
        return "the database had to be brought back"
    doubtful = sum(
        v.verdict == "unknown" or (v.verdict == "fail" and not v.accepted)
        for v in view.verifications
    )
    if view.outcome == "rolled_back" and doubtful:
        return f"{words.some(doubtful, 'verification')} failed or stayed unknown"
    if view.outcome == "rolled_back" and not view.verifications:
        return "nothing was verified"
    return _out_for(view, MAJOR_SECONDS)


def _out_for(view: RunView, limit: float) -> str:
    if view.downtime < limit:
        return ""
    return f"applications were kept out for {words.seconds(view.downtime)}"
