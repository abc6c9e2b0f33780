"""Whether the schema came out as it should: what was foreseen, what was met, what would mend it."""

from __future__ import annotations

from rollback_tui.core.report import words
from rollback_tui.core.report.pieces import code, fenced, table
from rollback_tui.core.run_view import RunView
from rollback_tui.core.schema import Difference
from rollback_tui.core.schema_verdict import SchemaVerdict, compared_with, in_words, summary
from rollback_tui.core.text import markdown, printable

_LISTED = 100


def section(view: RunView) -> list[str]:
    """Return the section; empty when nobody looked at the schema."""
    foreseen = view.foreseen
    met = next((v for v in view.verifications if v.name == "schema"), None)
    if foreseen is None and met is None:
        return []
    rows = []
    if foreseen is None:
        rows.append(("Foreseen", "not foreseen: the plan was not rehearsed"))
    else:
        verdict = foreseen.verdict
        rows.append(("Foreseen", f"**{verdict.kind}**: {markdown(summary(verdict))}"))
        if verdict.kind != "unknown":
            rows.append(("Compared with", markdown(compared_with(verdict))))
        rows.append(("Schema foreseen", code(verdict.fingerprint[:12])))
        if foreseen.accepted:
            rows.append(("Accepted before the door closed", markdown(foreseen.accepted)))
        if foreseen.declared:
            rows.append(("Declared in the configuration", markdown(", ".join(foreseen.declared))))
    if met is not None:
        rows.append(("Met before COMMIT", f"{words.verdict(met)}: {markdown(met.summary)}"))
        if foreseen is not None and met.verdict == "fail":
            rows.append(("Foreseen and met", _agreement(accepted=bool(met.accepted))))
    lines = table(("Fact", "Value"), rows)
    if foreseen is not None:
        lines += _details(foreseen.verdict)
    return ["## Schema", "", *lines]


def _agreement(*, accepted: bool) -> str:
    if accepted:
        return "the same differences, and no other"
    return "**not the same**, or not accepted: see the verification"


def _details(found: SchemaVerdict) -> list[str]:
    lines = _listed("Left over by the rollback, or not brought back:", found.leftover)
    if found.unsure:
        lines += ["", "Some of it may have been different before: nobody knows the schema that the"]
        lines += ["version before the run should have had."]
    if found.mending:
        lines += ["", "What would mend it, in this order:", "", *fenced(_mending(found), "sql")]
    lines += _listed("Different before the run already, and not its doing (drift):", found.drift)
    if found.notes:
        lines += ["", "Different in what no statement notices:", ""]
        lines += [f"- {markdown(note)}" for note in found.notes[:_LISTED]]
    return lines


def _listed(title: str, differences: tuple[Difference, ...]) -> list[str]:
    if not differences:
        return []
    lines = ["", title, "", *(f"- {markdown(in_words(one))}" for one in differences[:_LISTED])]
    left = len(differences) - _LISTED
    return lines + ([f"- … and {left:,} more in the journal"] if left > 0 else [])


def _mending(found: SchemaVerdict) -> str:
    """Ready to be pasted: what cannot be derived, and what a statement costs, is a comment."""
    lines = []
    for one in found.mending:
        if one.why:
            lines.append(f"-- {printable(one.object)}: {printable(one.why)}")
        elif not one.sql:
            lines.append(f"-- {printable(one.object)}: cannot be derived")
        # Its own lines stay: a function's body is not the same without them.
        lines += [f"{statement};" for statement in one.sql]
    return "\n".join(lines)
