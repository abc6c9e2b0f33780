"""A measured number in words."""

from __future__ import annotations

from rollback_tui.core.monitoring.values import Unit


def amount(value: float, unit: Unit) -> str:
    """Return a reading, a level or a threshold for people: ``4.5 %``, ``350 ms``, ``1.6 times``,
    ``12 a minute``; sessions as a plain number."""
    match unit:
        case "share":
            return f"{_short(value * 100)} %"
        case "seconds" if abs(value) < 0.9995:
            return f"{_short(value * 1000)} ms"
        case "seconds":
            return f"{_short(value)} s"
        case "times":
            return f"{_short(value)} times"
        case "sessions":
            return _short(value)
        case _:
            return f"{_short(value)} {unit}"


def _short(value: float) -> str:
    """Three digits, and none of what a whole number has before its point lost."""
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.3g}"
