"""The section of what users and data felt."""

from __future__ import annotations

from rollback_tui.core.incident.blocks import (
    Code,
    Facts,
    Paragraph,
    Section,
    Table,
    Text,
    code,
    plain,
)
from rollback_tui.core.incident.values import Figure, Impact, Incident
from rollback_tui.core.report import words
from rollback_tui.core.report.losses import Lost

_LISTED = 40
_BY_CLOCK = "; measured by the run's own monotonic clock"


def figure(found: tuple[Figure, ...]) -> str:
    """Return a figure of several sources in words: ``5 by Prometheus``, or why there is none."""
    if not found:
        return "not measured"
    return "; ".join(
        f"{one.value:,} by {one.source}"
        if one.value is not None
        else f"not measured by {one.source}: {one.why}"
        for one in found
    )


def section(incident: Incident) -> Section:
    """Return the section."""
    impact = incident.impact
    probes = impact.probes
    rows = [
        ("Downtime", plain(f"{impact.downtime}{_BY_CLOCK if impact.downtime_seconds else ''}")),
        ("Failed requests", plain(figure(impact.failed_requests))),
        ("Affected users", plain(figure(impact.affected_users))),
        (
            "Failed health probes",
            plain(
                f"{probes.failed:,} of {probes.asked:,}"
                if probes
                else "not measured: no health URL was asked"
            ),
        ),
        ("Sessions ended", plain(f"{impact.sessions_ended:,}")),
        (
            "Data lost for good",
            Text(text=impact.lost_words, tone="plain" if impact.lost_known else "attention"),
        ),
    ]
    blocks: list[Facts | Table | Paragraph | Code] = [Facts(rows=tuple(rows))]
    if impact.lost:
        blocks.append(_lost(impact.lost))
    if impact.lost_since:
        blocks.append(
            Table(
                caption="Rows written since, lost with the recovery",
                head=("Table", "Rows", "How it is known"),
                rows=tuple(
                    (
                        plain(one.table),
                        plain("not known" if one.rows is None else f"{one.rows:,}"),
                        plain(one.basis),
                    )
                    for one in impact.lost_since
                ),
            )
        )
    if impact.archived:
        blocks += [
            Table(
                caption="Archived before it was removed",
                head=("Statement", "What", "Where"),
                rows=tuple(
                    (plain(str(one.statement)), plain(one.what), code(one.table))
                    for one in impact.archived
                ),
            ),
            Paragraph(texts=(plain("When the migration is applied again, this gives it back:"),)),
            Code(text=impact.restore_archived, language="sh"),
        ]
    return Section(key="impact", title="Impact", blocks=tuple(blocks))


def _lost(lost: tuple[Lost, ...]) -> Table:
    return Table(
        caption="Data that statements removed or overwrote",
        head=("Statement", "What", "How it is known", "Archived"),
        rows=tuple(
            (
                plain(f"{item.statement}, line {item.line}"),
                plain(item.describe()),
                plain(item.basis),
                plain("yes") if item.kept else Text(text="no, lost", tone="attention"),
            )
            for item in lost[:_LISTED]
        ),
        left_out=_left_out(len(lost) - _LISTED),
    )


def _left_out(number: int) -> str:
    return f"… and {number:,} more in the journal" if number > 0 else ""


def _gone(impact: Impact) -> tuple[dict[str, int], bool]:
    """Return how many of what is lost for good, and whether all of it was counted."""
    found: dict[str, int] = {}
    counted = True
    names = {"rows": "row", "values": "value", "changed": "overwritten row", "unknown": "row"}
    for item in impact.lost:
        if not item.kept:
            counted = counted and item.count is not None
            found[names[item.kind]] = found.get(names[item.kind], 0) + (item.count or 0)
    for since in impact.lost_since:
        counted = counted and since.rows is not None
        found["row"] = found.get("row", 0) + (since.rows or 0)
    return found, counted


def lost_in_short(incident: Incident) -> str:
    """Return what is lost as a figure: ``987 rows, 14,862 values``; what nobody counted is said."""
    found, counted = _gone(incident.impact)
    if not counted:
        return "not all counted"
    if found:
        text = ", ".join(words.some(number, noun) for noun, number in found.items())
        return text if incident.impact.lost_known else f"at least {text}"
    return "none" if incident.impact.lost_known else "not known"


def lost_in_a_sentence(incident: Incident) -> str:
    """Return the same for the beginning of the report."""
    found, counted = _gone(incident.impact)
    if found and counted and incident.impact.lost_known:
        return f"Lost for good: {lost_in_short(incident)}."
    return f"Data lost for good: {incident.impact.lost_words}."


def kept_in_short(impact: Impact) -> str:
    """Return what stands below that figure."""
    if impact.archived:
        return f"{sum(one.rows for one in impact.archived):,} rows and values archived"
    if impact.lost:
        return "nothing was archived"
    if impact.lost_since:
        return "written since the checkpoint"
    return "nothing was removed" if impact.lost_known else "nobody counted it"
