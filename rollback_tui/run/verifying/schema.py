"""Is the schema the one that the target version is supposed to have?"""

from __future__ import annotations

from collections.abc import Sequence

from rollback_tui.core.checks.schema import NAME as ACCEPTING
from rollback_tui.core.mending import mended
from rollback_tui.core.model import Verification
from rollback_tui.core.schema import Difference, condensed
from rollback_tui.core.schema_verdict import (
    SchemaVerdict,
    declared,
    evidence,
    how_many,
    in_words,
    mending_lines,
    summary,
    unforeseen,
    verdict,
)
from rollback_tui.core.text import printable
from rollback_tui.core.verify import limited
from rollback_tui.postgres import catalog
from rollback_tui.postgres.connect import Connection
from rollback_tui.run.context import Run
from rollback_tui.run.verifying.asking import before
from rollback_tui.survey.baseline import for_plan

TITLE = "Schema restored"


def schema_restored(run: Run, connection: Connection) -> Verification:
    """Judge against the baseline of the version that the plan goes back to.

    What is left over stops the run, unless it was foreseen and accepted, exactly so, or is declared
    in the configuration. What had drifted before is not the run's doing, and is said.
    """
    directory = run.project / run.settings.verify.baseline_directory
    known = for_plan(directory, run.plan, connection.info.server_version)
    after = catalog.snapshot(connection)
    found = verdict(
        after,
        known.goal,
        before=before(run).schema,
        current=known.current,
        origin=known.origin,
        version=run.plan.goal or "",
        bookkeeping=run.plan.books,
        why=known.why,
        baseline_at=known.recorded_at,
    )
    if known.goal is not None:
        found = mended(found, after, known.goal)
    return judged(
        found,
        foreseen=_accepted_differences(run),
        reason=run.request.overrides.get(ACCEPTING, "").strip(),
        declarations=run.settings.verify.accept,
    )


def _accepted_differences(run: Run) -> tuple[Difference, ...]:
    """What the operator saw left over, and accepted with a reason before the door closed."""
    rehearsal = run.request.rehearsal
    of_this = rehearsal is not None and rehearsal.plan_sha256 == run.plan.sha256
    if rehearsal is None or not of_this or rehearsal.foreseen is None:
        return ()
    accepted = run.request.overrides.get(ACCEPTING, "").strip()
    return rehearsal.foreseen.leftover if accepted else ()


def judged(
    found: SchemaVerdict,
    *,
    foreseen: Sequence[Difference] = (),
    reason: str = "",
    declarations: Sequence[str] = (),
) -> Verification:
    """Return the verification for a verdict: ``foreseen`` was accepted for ``reason``,
    ``declarations`` are those of ``[verify] accept``."""
    if found.kind == "unknown":
        return Verification(name="schema", title=TITLE, verdict="unknown", summary=summary(found))
    lines = [f"fingerprint {found.fingerprint[:12]}", *evidence(found)]
    if found.kind != "leftover":
        return Verification(
            name="schema",
            title=TITLE,
            verdict="pass",
            summary=summary(found),
            evidence=limited(lines),
        )
    new = unforeseen(found.leftover, foreseen, declarations)
    mending = [f"mend: {line}" for line in mending_lines(found)]
    if not new:
        return Verification(
            name="schema",
            title=TITLE,
            verdict="fail",
            summary=summary(found),
            evidence=limited([*lines, *mending]),
            accepted=_why_accepted(found, reason, declarations),
        )
    if len(new) < len(found.leftover) or foreseen:
        lines = [f"nobody foresaw or accepted: {in_words(d)}" for d in condensed(new)] + lines
    foresaw = f"; nobody foresaw {how_many(new)} of it" if foreseen else ""
    return Verification(
        name="schema",
        title=TITLE,
        verdict="fail",
        summary=f"{summary(found)}{foresaw}",
        evidence=limited([*lines, *mending]),
    )


def _why_accepted(found: SchemaVerdict, reason: str, declarations: Sequence[str]) -> str:
    right = declared(found.leftover, declarations)
    parts: list[str] = []
    if len(right) < len(found.leftover):
        parts.append(f"foreseen and accepted: {printable(reason)}")
    if right:
        parts.append(f"declared in [verify] accept: {how_many(right)}")
    return "; ".join(parts)
