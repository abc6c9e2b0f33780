"""The sections of the hours after the run: the monitoring, and who was told."""

from __future__ import annotations

from rollback_tui.core.incident.blocks import (
    Bullets,
    Curves,
    Facts,
    Paragraph,
    Section,
    Table,
    Text,
    plain,
)
from rollback_tui.core.incident.values import Incident, Monitoring, Watched
from rollback_tui.core.monitoring.values import Unit
from rollback_tui.core.monitoring.words import amount as in_words
from rollback_tui.core.report import words

_LISTED = 60


def amount(value: float | None, unit: Unit | None) -> str:
    """Return a value of a metric: ``4 %``, ``350 ms``; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.3g}" if unit is None else in_words(value, unit)


def monitoring(incident: Incident) -> Section:
    """Return the monitoring: each metric with usual, worst, now and threshold; curves."""
    found = incident.monitoring
    title = "Monitoring afterwards"
    if found.begun_at is None:
        text = f"Not monitored: {found.why}."
        return Section(key="monitoring", title=title, blocks=(Paragraph(texts=(plain(text),)),))
    blocks: list[Facts | Table | Curves | Bullets] = [
        _facts(found),
        Table(
            caption="Metrics",
            head=("Metric", "Before the run", "Worst", "Last", "Alert at", "Alerts"),
            rows=tuple(_row(metric) for metric in found.metrics if metric.measured),
        ),
    ]
    missing: dict[tuple[str, bool], list[str]] = {}
    for metric in found.metrics:
        if not metric.measured:
            missing.setdefault((metric.why, metric.nothing), []).append(metric.metric)
    if missing:
        blocks.append(
            Bullets(
                items=tuple(
                    Text(
                        text=f"{'Nothing to monitor' if nothing else 'Not monitored'}:"
                        f" {', '.join(names)}: {why}",
                        tone="plain" if nothing else "attention",
                    )
                    for (why, nothing), names in missing.items()
                )
            )
        )
    drawn = tuple(m for m in found.metrics if sum(v is not None for _, v in m.points) > 1)
    if drawn:
        last = max(m.points[-1][0] for m in drawn)
        blocks.append(Curves(metrics=drawn, seconds=max(last, 1.0)))
    return Section(key="monitoring", title=title, blocks=tuple(blocks))


def _facts(found: Monitoring) -> Facts:
    if found.ended_at is not None:
        state = plain(f"ended {words.moment(found.ended_at)}: {found.ended}")
    else:
        # It may go on, or have been killed for good: what is known ends with this sample.
        known = f"newest sample {words.moment(found.newest_at)}"
        known = known if found.newest_at else "nothing was measured"
        text = f"not ended; {known}; planned until {words.moment(found.until)}"
        state = Text(text=text, tone="attention")
    every = words.seconds(found.interval_seconds)
    gaps = words.seconds(found.gap_seconds) if found.gap_seconds else "none"
    alerts = f"{found.alerts:,}, {found.standing:,} standing"
    return Facts(
        rows=(
            ("Began", plain(words.moment(found.begun_at))),
            ("State", state),
            ("Samples", plain(f"{found.samples:,}, one every {every}")),
            (
                "Gaps, in which nobody measured",
                Text(text=gaps, tone="attention" if found.gap_seconds else "plain"),
            ),
            ("Alerts", Text(text=alerts, tone="bad" if found.standing else "plain")),
        )
    )


def _row(metric: Watched) -> tuple[Text, ...]:
    unit = metric.unit
    worst = amount(metric.worst, unit)
    if metric.worst_at is not None:
        worst += f" at {metric.worst_at:%H:%M:%S}"
    now = amount(metric.now, unit) if metric.now is not None else f"unknown: {metric.why}"
    usual = amount(metric.usual, unit) if metric.usual is not None else "not known"
    if metric.nothing:
        now = usual = metric.why
    if metric.threshold is None:
        limit = metric.rule or "not judged"
    else:
        side = ">" if metric.worse == "above" else "<"
        limit = f"{side} {amount(metric.threshold, unit)}"
        limit += f" ({metric.rule})" if metric.rule else ""
    alerts = f"{metric.alerts:,}" + (", standing" if metric.standing else "")
    lost = f"; {words.some(metric.missing, 'reading')} missing" if metric.missing else ""
    return (
        plain(metric.metric),
        plain(usual),
        plain(worst + lost),
        Text(text=now, tone="plain" if metric.now is not None or metric.nothing else "attention"),
        plain(limit),
        Text(text=alerts, tone="bad" if metric.standing else "plain"),
    )


def notifications(incident: Incident) -> Section:
    """Return who was told what, and what is still to be told."""
    told = incident.notified
    blocks: list[Paragraph | Table] = []
    if told:
        pending = sum(one.state == "pending" for one in told)
        if pending:
            text = f"{words.some(pending, 'notification')} still pending."
            blocks.append(Paragraph(texts=(Text(text=text, tone="attention"),)))
        blocks.append(
            Table(
                caption="Who was told",
                head=("When", "What", "To", "State"),
                rows=tuple(
                    (
                        plain(words.moment(one.at)),
                        plain(f"{one.title} ({one.occasion}, {one.level})"),
                        plain(one.place),
                        _state(one.state, words.moment(one.delivered_at), one.attempts, one.why),
                    )
                    for one in told[:_LISTED]
                ),
                left_out=f"… and {len(told) - _LISTED:,} more: `rollback-tui notify list`"
                if len(told) > _LISTED
                else "",
            )
        )
    else:
        text = "Nobody was told through [[notify.to]]: no place is configured, or nothing was sent."
        blocks.append(Paragraph(texts=(plain(text),)))
    if incident.hooks:
        blocks.append(
            Table(
                caption="Hooks of the configuration that the run called",
                head=("When", "Hook", "Result"),
                rows=tuple(
                    (
                        plain(words.moment(hook.at)),
                        plain(hook.name),
                        Text(
                            text=f"{'ok' if hook.ok else 'FAILED'}: {hook.summary}",
                            tone="plain" if hook.ok else "bad",
                        ),
                    )
                    for hook in incident.hooks
                ),
            )
        )
    return Section(key="notifications", title="Who was told", blocks=tuple(blocks))


def _state(state: str, arrived: str, attempts: int, why: str) -> Text:
    if state == "delivered":
        tries = f", attempt {attempts}" if attempts > 1 else ""
        return Text(text=f"delivered {arrived}{tries}", tone="good")
    tries = f" after {words.some(attempts, 'attempt')}" if attempts else ", not tried yet"
    return Text(text=f"{state}{tries}" + (f": {why}" if why else ""), tone="attention")
