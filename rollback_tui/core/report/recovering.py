"""How the database was brought back: by which rung, at what price, and what each step came to."""

from __future__ import annotations

from rollback_tui.core.events import LostCounted, RecoveryPlanned, RecoveryStep
from rollback_tui.core.report import words
from rollback_tui.core.report.pieces import code, fenced, table
from rollback_tui.core.run_view import RunView
from rollback_tui.core.text import markdown

_RUNGS = {
    "clone": "the copy on the server",
    "dump": "the checkpoint, restored beside",
    "external": "a backup outside",
    "reapply": "the up migrations, once more",
}
_EVIDENCE_KEPT = 12


def section(view: RunView) -> list[str]:
    """Return the section; empty when nothing was recovered, nor to be recovered."""
    parts: list[list[str]] = []
    if view.planned_recovery is not None:
        parts.append(_planned(view, view.planned_recovery))
    if view.lost is not None:
        parts.append(_lost(view.lost))
    if view.recovery:
        parts.append(_steps(view.recovery))
        parts += [_step(step) for step in view.recovery if step.sql or step.evidence]
    if view.swapped is not None:
        parts.append(
            [
                f"The failed database is kept as {code(view.swapped.kept)}; "
                "`rollback-tui checkpoint prune` lists it. When nobody needs it any more:",
                "",
                *fenced(words.drop_statement(view.swapped.kept), "sql"),
            ]
        )
    lines = [line for part in parts for line in (*part, "")]
    return ["## Recovery", "", *lines[:-1]] if lines else []


def lost_in_all(lost: LostCounted) -> str:
    """Return how many rows went with the recovery; what was not counted is said."""
    counted = sum(one.rows or 0 for one in lost.lost)
    unknown = sum(one.rows is None for one in lost.lost)
    if not lost.lost:
        return "none: nothing was written since"
    more = f", and of {words.some(unknown, 'table')} nobody knows" if unknown else ""
    return f"{words.some(counted, 'row')} written since{more} (see Recovery)"


def _planned(view: RunView, planned: RecoveryPlanned) -> list[str]:
    earlier = view.started.recovers if view.started else ""
    about = words.seconds(planned.estimated_seconds)
    rows = [("Of the run in", code(earlier))] if earlier else []
    rows += [
        ("By", _RUNGS[planned.rung]),
        ("What it restores", markdown(planned.restores)),
        (
            "Time foreseen",
            "nobody could say" if planned.estimated_seconds is None else f"about {about}",
        ),
        ("Steps", markdown(", ".join(planned.steps))),
    ]
    return table(("Fact", "Value"), rows)


def _lost(lost: LostCounted) -> list[str]:
    agreed = (
        "nobody agreed to lose any"
        if lost.agreed is None
        else (f"{words.some(lost.agreed, 'row')} agreed to")
    )
    if not lost.lost:
        return [f"Rows written since and lost: none ({agreed})."]
    return [
        f"Rows written since, which are lost ({agreed}):",
        "",
        *table(
            ("Table", "Rows", "How it is known"),
            [
                (
                    markdown(one.table),
                    "not known" if one.rows is None else f"{one.rows:,}",
                    markdown(one.basis),
                )
                for one in lost.lost
            ],
        ),
    ]


def _steps(steps: tuple[RecoveryStep, ...]) -> list[str]:
    return table(
        ("Step", "Result", "Time", ""),
        [
            (
                markdown(step.name),
                _result(step),
                words.seconds(step.seconds),
                markdown(step.summary),
            )
            for step in steps
        ],
    )


def _result(step: RecoveryStep) -> str:
    """What ended without an error is not proven by that: its verdict is."""
    if step.verdict is None:
        return "done" if step.ok else "**FAILED**"
    return {"pass": "passed", "fail": "**FAILED**", "unknown": "**unknown**"}[step.verdict]


def _step(step: RecoveryStep) -> list[str]:
    lines = [f"{markdown(step.name)}:"]
    if step.evidence:
        shown = step.evidence[:_EVIDENCE_KEPT]
        more = len(step.evidence) - len(shown)
        lines += ["", *(f"- {markdown(text)}" for text in shown)]
        lines += [f"- … and {more:,} more in the journal"] if more else []
    if step.sql:
        sql = "\n".join(f"{text.rstrip().rstrip(';')};" for text in step.sql)
        lines += ["", *fenced(sql, "sql")]
    return lines
