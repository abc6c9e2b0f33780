"""Statements that change nothing: a script of nothing else is no way back.

goose's template for a new migration has ``SELECT 'down SQL query'`` in the place of a way down that
nobody wrote, and ``SELECT 1`` is what people write where a tool wants a statement. Whoever runs
that takes the version away and leaves the schema.
"""

from __future__ import annotations

from rollback_tui.core.plan import Script, Statement
from rollback_tui.core.script.lexer import significant

_KINDS = frozenset({"SELECT", "SET", "RESET", "SHOW"})


def idle(statement: Statement) -> bool:
    """Return whether a statement changes nothing, whatever is in the database: a SELECT of
    constants, or a setting of the session. What reads a table is not idle: a view may call
    anything; nor what computes: it may fail, which is somebody's way to say that there is no way
    back."""
    effect = statement.effect
    if effect.kind not in _KINDS or effect.basis == "unknown" or effect.loses_data is not False:
        return False
    if effect.locks or not set(effect.hazards) <= {"changes_session"}:
        return False
    return effect.kind != "SELECT" or all(
        map(_plain, significant(statement.sql, 0, len(statement.sql)))
    )


def _plain(token: str) -> bool:
    """Whether it is a word, a number, a name, a string, or what stands between them."""
    return token in (",", ";") or token[0] in "'\"" or token.replace("_", "a").isalnum()


def only_idle(script: Script) -> bool:
    """Return whether the script has statements, and none of them changes anything."""
    return bool(script.statements) and all(map(idle, script.statements))
