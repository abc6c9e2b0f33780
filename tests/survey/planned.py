"""A plan made from the text of a script, as `plan` makes it."""

from __future__ import annotations

from typing import Any

import msgspec
import psycopg

from rollback_tui.core.model import Migration, Plan
from rollback_tui.core.script.read import read_script
from rollback_tui.core.script.source import Source
from rollback_tui.parser import Parser
from rollback_tui.postgres.foresight import foresee
from rollback_tui.survey.counting import SECONDS, counted


def planned(text: str, parser: Parser) -> Plan:
    """Return a plan of one migration with this down script; nothing is counted."""
    data = text.encode()
    source = Source(path="down.sql", data=data, start=0, end=len(data))
    script = read_script(source, first_index=1, trees=parser.trees)
    assert not script.problems
    return Plan(
        framework="dbmate",
        version_table="public.schema_migrations",
        directory="",
        current=None,
        goal=None,
        applied=(),
        migrations=(Migration(version="1", name="", applied_at=None, script=script),),
    )


def count(
    connection: psycopg.Connection[Any],
    text: str,
    parser: Parser,
    seconds: float = SECONDS,
    *,
    resolved: bool = False,
) -> Plan:
    """Return the plan of a script counted, with the effects that its text tells or ``resolved``
    against the catalog."""
    plan = planned(text, parser)
    if not resolved:
        return counted(connection, plan, parser, seconds=seconds)
    found = foresee(connection, plan.statements, parser.trees([s.sql for s in plan.statements]))
    effects = {s.index: effect for s, effect in zip(plan.statements, found, strict=True)}
    plan = plan.with_statements(lambda s: msgspec.structs.replace(s, effect=effects[s.index]))
    return counted(connection, plan, parser, seconds=seconds)
