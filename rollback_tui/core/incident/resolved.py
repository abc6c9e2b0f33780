"""The section of what was done, phase by phase."""

from __future__ import annotations

from rollback_tui.core.incident.blocks import (
    Code,
    Paragraph,
    Section,
    Subheading,
    Table,
    Text,
    code,
    plain,
    since,
)
from rollback_tui.core.incident.values import Deed, Incident, Step
from rollback_tui.core.report import words
from rollback_tui.core.text import shorten

_LISTED = 60
_SQL = 240


def section(incident: Incident) -> Section:
    """Return the section; without blocks when nothing was begun."""
    blocks: list[Paragraph | Table | Subheading | Code] = []
    steps = incident.resolution
    if steps:
        statements = [d for s in steps for d in s.deeds if d.kind == "statement"]
        done = sum(d.tone == "good" for d in statements)
        blocks.append(
            Paragraph(
                texts=(
                    plain(
                        f"{words.some(len(steps), 'phase')}, in this order; "
                        f"{done:,} of {words.some(len(statements), 'statement')} sent were done and"
                        " stayed done."
                    ),
                )
            )
        )
        blocks.append(_phases(steps))
    for step in steps:
        if step.deeds:
            blocks += [Subheading(text=f"Phase {step.phase}"), _deeds(step)]
    if incident.evidence.failure:
        blocks += [Subheading(text="The server's own words"), Code(text=incident.evidence.failure)]
    if incident.evidence.unchanged:
        blocks.append(Paragraph(texts=(plain(f"Afterwards: {incident.evidence.unchanged}."),)))
    return Section(key="resolution", title="Resolution, as executed", blocks=tuple(blocks))


def _phases(steps: tuple[Step, ...]) -> Table:
    return Table(
        caption="Phases",
        head=("Phase", "Began", "Took", "Result"),
        rows=tuple(
            (
                plain(step.phase),
                plain("" if step.elapsed is None else since(step.elapsed)),
                plain("" if step.seconds is None else words.seconds(step.seconds)),
                Text(
                    text=f"{step.status}: {step.summary}" if step.summary else step.status,
                    tone="bad" if step.status in ("failed", "not ended") else "plain",
                ),
            )
            for step in steps
        ),
    )


def _deeds(step: Step) -> Table:
    shown = step.deeds[:_LISTED]
    left = len(step.deeds) - len(shown)
    return Table(
        caption=f"What was done in phase {step.phase}",
        told=True,
        head=("Since", "What", "SQL", "Result"),
        rows=tuple(_deed(deed) for deed in shown),
        left_out=f"… and {left:,} more in the journal" if left > 0 else "",
    )


def _deed(deed: Deed) -> tuple[Text, ...]:
    took = f" in {words.seconds(deed.seconds)}" if deed.seconds is not None else ""
    return (
        plain(since(deed.elapsed)),
        plain(deed.what),
        code(shorten(deed.sql, _SQL)),
        Text(text=f"{deed.result}{took}", tone="plain" if deed.tone == "good" else deed.tone),
    )
