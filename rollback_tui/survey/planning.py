"""The plan: the framework's history and files, turned into what will be rolled back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from rollback_tui.config import Settings
from rollback_tui.core.model import AppliedMigration, Migration, Plan, Script
from rollback_tui.core.script.collector import collector_paused
from rollback_tui.core.script.crosscheck import SecondReading
from rollback_tui.core.script.idle import only_idle
from rollback_tui.core.script.read import Trees, effective, read_script
from rollback_tui.core.script.source import Source
from rollback_tui.core.script.version_table import marked
from rollback_tui.core.text import shorten
from rollback_tui.frameworks.protocol import Missing
from rollback_tui.parser import Parser
from rollback_tui.postgres.connect import Connection
from rollback_tui.postgres.foresight import Tree, foresee
from rollback_tui.survey.counting import counted
from rollback_tui.survey.other_schema import refuse_other_schema
from rollback_tui.survey.outline import outline
from rollback_tui.survey.scripts import Found


def make_plan(
    connection: Connection,
    settings: Settings,
    project: Path,
    *,
    steps: int = 1,
    version: str | None = None,
    count_losses: bool = True,
) -> Plan:
    """Return the plan for the newest ``steps`` migrations, or for all newer than ``version``.

    Raises FrameworkError when the history, the files or the choice make no sense, or a script
    would change what is in another schema than the tool's.
    """
    made = outline(connection, settings, project, steps, version)
    trees: dict[str, Tree | None] = {}
    with Parser() as parser:

        def remembered(texts: Sequence[str]) -> Sequence[Tree | None]:
            found = parser.trees(texts)
            trees.update(zip(texts, found, strict=True))
            return found

        plan = msgspec.structs.replace(
            made.plan,
            migrations=_migrations(made.chosen, made.downs, remembered, bool(made.plan.by_hand)),
            notes=(*made.plan.notes, *_unread(parser)),
        )
        if made.schema and not plan.by_hand:
            refuse_other_schema(connection, plan, made.schema)
        with collector_paused():
            plan = marked(_foreseen(connection, plan, trees))
        return counted(connection, plan, parser) if count_losses else plan


def _unread(parser: Parser) -> tuple[str, ...]:
    if not parser.unread:
        return ()
    return (
        f"{parser.unread:,} statements were not parsed within the time: what they do is unknown,"
        " and treated as dangerous",
    )


def _migrations(
    chosen: Sequence[AppliedMigration], downs: Sequence[Found], trees: Trees, by_hand: bool
) -> tuple[Migration, ...]:
    """Return the migrations of the plan, each with what takes it back. ``by_hand``: somebody wrote
    the script for this very rollback, and meant it even where it changes nothing."""
    migrations: list[Migration] = []
    index = 1
    second = SecondReading()
    for migration, found in zip(chosen, downs, strict=True):
        script: Script | None = None
        why = ""
        if isinstance(found.script, Source):
            script = read_script(found.script, first_index=index, trees=trees, second=second)
            index += len(script.statements)
            if not (effective(script) or script.problems or script.nothing_to_undo):
                why = f"{found.script.path} has no effective statement in its down part"
            elif only_idle(script) and not by_hand:
                first = shorten(script.statements[0].sql, 40)
                why = f"the down part of {found.script.path} changes nothing: {first}"
        else:
            why = found.script.why
        migrations.append(
            Migration(
                version=migration.version,
                name=migration.name,
                applied_at=migration.applied_at,
                script=script,
                why_no_script=why,
                version_change=found.version_change,
                capturable=isinstance(found.script, Missing) and found.script.capturable,
            )
        )
    return tuple(migrations)


def _foreseen(connection: Connection, plan: Plan, trees: Mapping[str, Tree | None]) -> Plan:
    """Return the plan with its effects resolved against the catalog."""
    statements = plan.statements
    scripts = [m.script.statements for m in plan.migrations if m.script]
    found = foresee(
        connection,
        statements,
        [trees.get(s.sql) for s in statements],
        first={script[0].index for script in scripts if script},
    )
    effects = {s.index: effect for s, effect in zip(statements, found, strict=True)}
    return plan.with_statements(lambda s: msgspec.structs.replace(s, effect=effects[s.index]))
