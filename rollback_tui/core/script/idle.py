"""Statements that change nothing: a script of nothing else is no way back.

goose's template for a new migration has ``SELECT 'down SQL query'`` in the place of a way down that
nobody wrote, and ``SELECT 1`` is what people write where a tool wants a statement. Whoever runs
that takes the version away and leaves the schema.
"""

from __future__ import annotations

from rollback_tui.core.plan import Effect, Script

_KINDS = frozenset({"SELECT", "SET", "RESET", "SHOW"})


def idle(effect: Effect) -> bool:
    """Return whether a statement changes nothing, whatever is in the database: a SELECT of
    constants, or a setting of the session. What reads a table is not: a view may call anything."""
    return (
        effect.kind in _KINDS
        and effect.basis != "unknown"
        and effect.loses_data is False
        and not effect.locks
        and set(effect.hazards) <= {"changes_session"}
    )


def only_idle(script: Script) -> bool:
    """Return whether the script has statements, and none of them changes anything."""
    return bool(script.statements) and all(idle(one.effect) for one in script.statements)
