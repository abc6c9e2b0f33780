"""The server in one line, as the first step shows it."""

from __future__ import annotations

from textual.content import Content

from rollback_tui.core.model import Activity
from rollback_tui.core.text import data_size
from rollback_tui.ui.theme import line
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.wording import clock, count, took, writers_of


def summary(walk: Walk) -> Content:
    """Return connections, writers, age, load, size and replication; or that we wait for them."""
    activity = walk.activity
    if activity is None:
        return line((" waiting for the first look at the server …", "dim"))
    writers = len(writers_of(activity.sessions))
    longest = max((s.transaction_age or 0 for s in activity.sessions if not s.ours), default=0)
    full = activity.connections >= 0.9 * activity.max_connections
    rate = walk.transactions_per_second
    return line(
        " ",
        (f"{activity.connections}/{activity.max_connections}", "bad" if full else "strong"),
        " connections",
        (", nearly full" if full else "", "bad"),
        " · ",
        (count(writers, "writer"), "warn" if writers else "good"),
        " · longest tx ",
        (clock(longest), "warn" if longest > 60 else "strong"),
        f" · {'–' if rate is None else f'{rate:.0f}'} tx/s · {data_size(activity.database_bytes)}",
        f" · {_replication(activity)}",
    )


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
