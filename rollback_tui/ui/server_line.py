"""The server in a line or two, as the first step shows it."""

from __future__ import annotations

from textual.content import Content

from rollback_tui.core.model import Activity
from rollback_tui.core.text import data_size
from rollback_tui.ui.sessions import listed, old_since, totals
from rollback_tui.ui.theme import line, lines
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.wording import clock, count, took, writers_of


def summary(walk: Walk, width: int, rows: int = 1) -> Content:
    """Return connections, who does what, age, load, replication and size, the most important
    first, as far as they have room in ``rows`` lines; or that we wait for them. No word is cut."""
    activity = walk.activity
    if activity is None:
        return line((" waiting for the first look at the server …", "dim"))
    old = old_since(walk)
    parts = [line((old, "bad"))] if old else []
    whole = [Content(" ")]
    for part in [*parts, *_parts(walk, activity)]:
        gap = line(" · ") if whole[-1].cell_length > 1 else Content("")
        if whole[-1].cell_length + gap.cell_length + part.cell_length <= width:
            whole[-1] = whole[-1] + gap + part
        elif len(whole) < rows:
            whole.append(Content(" ") + part)
        else:
            break
    return lines(whole)


def _parts(walk: Walk, activity: Activity) -> list[Content]:
    full = activity.connections >= 0.9 * activity.max_connections
    writers = len(writers_of(activity.sessions))
    ages = (r.transaction_age or 0 for r in listed(activity) if not (r.session and r.session.ours))
    longest = max(ages, default=0)
    found, rates = totals(activity), walk.trend.rates
    idle = sum(s.state.startswith("idle in transaction") and not s.ours for s in activity.sessions)
    lag = activity.replication.replay_lag
    return [
        line(
            (f"{activity.connections}/{activity.max_connections}", "bad" if full else "strong"),
            " connections",
            (", nearly full" if full else "", "bad"),
        ),
        line((count(writers, "writer"), "warn" if writers else "good")),
        line((f"{found.waiting:,} waiting", "bad" if found.waiting else "plain")),
        line("longest tx ", (clock(longest), "warn" if longest > 60 else "strong")),
        line((f"{idle:,} idle in tx", "warn" if idle else "plain")),
        line(f"{found.running:,} active"),
        line(f"{_rate(rates.transactions)} tx/s"),
        line(f"{_rate(rates.rows_written)} rows written/s"),
        line((_replication(activity), "warn" if lag is not None and lag > 60 else "plain")),
        line(data_size(activity.database_bytes)),
    ]


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _replication(activity: Activity) -> str:
    replication = activity.replication
    parts = []
    if replication.standbys:
        lag = replication.replay_lag
        behind = "lag unknown" if lag is None else f"{took(lag)} behind"
        parts.append(f"{count(replication.standbys, 'standby', 'standbys')}, {behind}")
    if replication.logical_slots:
        parts.append(count(len(replication.logical_slots), "logical slot"))
    if replication.subscriptions:
        parts.append(count(replication.subscriptions, "subscription"))
    if activity.prepared:
        parts.append(count(len(activity.prepared), "prepared tx", "prepared tx"))
    return ", ".join(parts) or "no replica"
