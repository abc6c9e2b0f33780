"""The key v of Safety and Preview: the schema verdict in full, and what proving it costs."""

from __future__ import annotations

from textual.content import Content

from rollback_tui.ui.theme import line, lines
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.dialogs import Read
from rollback_tui.ui.widgets.proof_lines import cost_in_full
from rollback_tui.ui.widgets.schema_lines import (
    accepted_why,
    foreseen,
    foreseen_words,
    in_full,
    mending_sql,
)


def schema_dialog(walk: Walk) -> Read:
    """Return the dialog that shows what the schema will be like after the plan."""
    verdict = foreseen(walk)
    rows: list[Content] = []
    if verdict is None:
        rows.append(line(foreseen_words(walk)))
        rows.append(
            line(
                "A rehearsal on a scratch database (3, then r) shows what the scripts make of the"
                " schema, before the door closes."
            )
        )
    else:
        rows.append(in_full(verdict, accepted=accepted_why(walk)))
    rows += [line(""), cost_in_full(walk)]
    mending = mending_sql(verdict) if verdict else ""
    return Read("The schema afterwards", lines(rows), copies=("what would mend it", mending))
