"""The tables of the target with their rows, and the applied migrations, as lines of their lists."""

from __future__ import annotations

from rich.text import Text
from textual.content import Content

from rollback_tui.core.model import TableCount
from rollback_tui.core.text import data_size, shorten
from rollback_tui.ui.once import once
from rollback_tui.ui.sessions import old_since
from rollback_tui.ui.theme import Tone, cell, line
from rollback_tui.ui.walk import Walk
from rollback_tui.ui.widgets.live_table import Column
from rollback_tui.ui.wording import count, rows_of

TABLES = (
    Column("name", "table", 0),
    Column("rows", "rows", 14),
    Column("bytes", "size", 7, least=46),
)
MIGRATIONS = (
    Column("goes", "", 6),
    Column("version", "version", 0),
    Column("name", "name", 26, least=52),
)

_Rows = list[tuple[str, tuple[Text, ...]]]


@once
def names(tables: tuple[TableCount, ...]) -> list[str]:
    """Return the keys of the tables' lines."""
    return [table.name for table in tables]


@once
def _exact(tables: tuple[TableCount, ...]) -> int:
    return sum(table.exact is not None for table in tables)


def table_row(table: TableCount, walk: Walk, counting: str) -> tuple[Text, ...]:
    """Return the line of a table; ``counting``: the one that is being counted, and takes long."""
    return (
        cell(table.name),
        _number(table, table.name == counting, table.name in walk.uncounted),
        cell(data_size(table.bytes), "dim", right=True),
    )


def _number(table: TableCount, counting: bool, failed: bool) -> Text:
    tone: Tone = "plain" if table.exact is not None else "dim"
    mark = ""
    if table.exact is None and counting:
        mark, tone = " ▸", "accent"
    elif table.exact is None and failed:
        mark, tone = " ✗", "warn"
    return cell(rows_of(table) + mark, tone, right=True)


def tables_title(walk: Walk, counting: str) -> Content:
    """Return what the border of the tables says."""
    if walk.tables is None:
        return line("tables · being read")
    exact = _exact(walk.tables)
    total = len(walk.tables)
    parts: list[str | tuple[object, Tone]] = []
    if (old := old_since(walk)) and not walk.paused:
        parts.append((f"{old} · ", "bad"))
    parts.append(f"tables {exact:,}/{total:,} counted")
    if counting:
        parts.append((" · ▸ at it", "accent"))
    if failed := len(walk.uncounted):
        parts.append((f" · ✗ {failed:,} too long", "warn"))
    elif exact < total and not counting:
        parts.append(" (~ estimate)")
    return line(*parts)


def migration_rows(walk: Walk) -> _Rows:
    """Return the lines of the applied migrations, newest first: what goes and what stays."""
    plan = walk.plan
    if plan is None:
        return []
    goes = {m.version for m in plan.migrations}
    word = _word(walk)
    if not plan.applied and plan.by_hand:
        # Not that nothing is applied: nobody knows.
        return [
            (s.version, (cell(word, "warn"), cell(s.version, "warn"), cell("by hand")))
            for s in plan.migrations
        ]
    rows: _Rows = []
    for migration in plan.applied:
        back = migration.version in goes
        tone: Tone = "warn" if back else "plain"
        rows.append(
            (
                migration.version,
                (
                    cell(word if back else "stays", tone if back else "dim"),
                    cell(migration.version, tone),
                    cell(migration.name, tone if back else "dim"),
                ),
            )
        )
    return rows


def _word(walk: Walk) -> str:
    """Return what is said of a migration that the plan takes back."""
    plan, word = walk.plan, "↩ goes"
    if walk.finished and not walk.attached and walk.view is not None:
        said = {"rolled_back": "↩ gone", "needs_operator": "? see 6"}
        word = said.get(walk.view.outcome or "", word)
    if plan and plan.version_stays and word.startswith("↩"):
        # The version goes nowhere; what was given for it is run.
        word = "script"
    return word


def migrations_title(walk: Walk) -> tuple[Content, Content]:
    """Return what the border of the migrations says, above and below."""
    plan = walk.plan
    if walk.plan_failure:
        title = "migrations · not understood"
    elif walk.planning:
        title = "migrations · reading"
    elif walk.finished and not walk.attached:
        title = "as before the run" + ("" if plan and plan.by_hand else " · enter chooses")
    elif plan and plan.by_hand:
        title = "by hand: the newest" if plan.applied else "by hand · history unknown"
    else:
        goes = len({m.version for m in plan.migrations}) if plan else 0
        title = f"back: {count(goes, 'migration')} · enter chooses"
    # Which tool was recognised: nobody should have to guess it from the versions.
    tool = shorten(plan.framework, 30) if plan and plan.version_table else ""
    return line(shorten(title, 70)), line(tool)
