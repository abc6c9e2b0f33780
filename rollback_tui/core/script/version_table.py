"""Does a statement touch the very table in which the plan's framework keeps its versions?

Well-known names are a hazard wherever they stand (:mod:`rollback_tui.core.script.hazards`); here
the name is the one that this plan's framework was found to use.
"""

from __future__ import annotations

import msgspec

from rollback_tui.core.model import Plan, Statement
from rollback_tui.core.names import parts, same

HAZARD = "drops_version_table"

_MOVES = ("ALTER TABLE … RENAME", "ALTER TABLE … SET SCHEMA")


def touches_version_table(statement: Statement, table: str) -> bool:
    """Return whether ``statement`` drops, empties, changes or moves ``table``, or takes rows or a
    column of it. A name without a schema counts as the same."""
    effect = statement.effect
    if effect.no_op:
        return False
    if any(same(doomed.relation, table) for doomed in effect.doomed):
        return True
    if any(_takes(kind, name, table) for kind, name in (*effect.drops, *effect.collateral)):
        return True
    return effect.kind.startswith(_MOVES) and any(same(name, table) for name in effect.objects)


def marked(plan: Plan) -> Plan:
    """Return the plan with the hazard on each statement that touches its own version table."""
    if not plan.version_table:
        return plan

    def one(statement: Statement) -> Statement:
        effect = statement.effect
        if HAZARD in effect.hazards or not touches_version_table(statement, plan.version_table):
            return statement
        changed = msgspec.structs.replace(effect, hazards=(*effect.hazards, HAZARD))
        return msgspec.structs.replace(statement, effect=changed)

    return plan.with_statements(one)


def _takes(kind: str, name: str, table: str) -> bool:
    words = parts(name)
    match kind:
        case "table":
            return same(name, table)
        case "column" | "table column":
            whole = parts(table)
            least = min(len(words) - 1, len(whole))
            return least > 0 and words[:-1][-least:] == whole[-least:]
        case "schema":
            return words == parts(table)[:-1]
        case _:
            return False
