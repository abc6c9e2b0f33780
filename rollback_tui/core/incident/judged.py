"""The sections of what was judged: the result, and what was set aside or accepted."""

from __future__ import annotations

from rollback_tui.core.incident.blocks import (
    Bullets,
    Code,
    Paragraph,
    Section,
    Subheading,
    Table,
    Text,
    plain,
)
from rollback_tui.core.incident.course import BY as BY
from rollback_tui.core.incident.values import Incident
from rollback_tui.core.model import Verification
from rollback_tui.core.report import words
from rollback_tui.core.report.afterwards import is_afterwards

_EVIDENCE = 12
_ROWS = 40

_KINDS = {
    "check": "check set aside",
    "schema": "schema difference accepted before the door closed",
    "declared": "schema difference declared in the configuration",
    "verification": "verification's difference accepted",
}


def verification(incident: Incident) -> Section:
    """Return the evidence that the result is what it should be."""
    found = incident.evidence.verifications
    blocks: list[Paragraph | Table | Subheading | Bullets | Code] = []
    if not found:
        text = "Nothing was verified: the run did not come to that."
        return Section(
            key="verification",
            title="Verification evidence",
            blocks=(Paragraph(texts=(plain(text),)),),
        )
    blocks.append(
        Table(
            caption="Verifications",
            head=("Verification", "When", "Verdict", "Result"),
            rows=tuple(
                (
                    plain(v.title),
                    plain("after COMMIT" if is_afterwards(v) else "before COMMIT"),
                    _verdict(v),
                    plain(v.summary),
                )
                for v in found
            ),
        )
    )
    evidence = [Text(text=f"{v.title}: {line}") for v in found for line in v.evidence[:_EVIDENCE]]
    if evidence:
        blocks += [Subheading(text="Evidence"), Bullets(items=tuple(evidence))]
    if incident.evidence.rows_changed:
        left = len(incident.evidence.rows_changed) - _ROWS
        blocks.append(
            Table(
                caption="Tables whose rows are not as before",
                head=("Table", "Before", "After"),
                rows=tuple(
                    (plain(r.table), plain(_count(r.before)), plain(_count(r.after)))
                    for r in incident.evidence.rows_changed[:_ROWS]
                ),
                left_out=f"… and {left:,} more in the journal" if left > 0 else "",
            )
        )
    if incident.run:
        proof = "Each line of the run's journal holds the hash of the one before it, and the run's"
        proof += " row in the database that of the journal before COMMIT. This compares them:"
        blocks += [
            Paragraph(texts=(plain(proof),)),
            Code(text=f"rollback-tui report --verify {incident.run}", language="sh"),
        ]
    return Section(key="verification", title="Verification evidence", blocks=tuple(blocks))


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _verdict(v: Verification) -> Text:
    if v.verdict == "fail" and v.accepted:
        return Text(text=f"accepted ({v.accepted})", tone="attention")
    if v.verdict == "pass":
        return Text(text="passed", tone="good")
    return Text(text="FAILED" if v.verdict == "fail" else "UNKNOWN", tone="bad")


def overrides(incident: Incident) -> Section:
    """Return what was set aside or accepted, with its reasons, and the checks that did not pass."""
    blocks: list[Paragraph | Table] = []
    if incident.evidence.overrides:
        blocks.append(
            Table(
                caption="Set aside or accepted",
                head=("What", "Kind", "Reason"),
                rows=tuple(
                    (
                        plain(one.title),
                        plain(_KINDS[one.kind]),
                        Text(text=one.reason, tone="attention"),
                    )
                    for one in incident.evidence.overrides
                ),
            )
        )
    else:
        text = "No check was set aside, and no difference was accepted."
        blocks.append(Paragraph(texts=(plain(text),)))
    passed = words.some(incident.evidence.checks_passed, "safety check")
    if incident.evidence.checks:
        blocks.append(
            Table(
                caption=f"Safety checks that did not pass; {passed} passed",
                head=("Check", "Answer", "Why"),
                rows=tuple(
                    (
                        plain(c.title),
                        Text(text=c.status, tone="bad" if c.status == "fail" else "attention"),
                        plain(c.summary),
                    )
                    for c in incident.evidence.checks
                ),
            )
        )
    elif incident.evidence.checks_passed:
        blocks.append(Paragraph(texts=(plain(f"All of {passed} passed."),)))
    return Section(
        key="overrides", title="Overrides and accepted differences", blocks=tuple(blocks)
    )
