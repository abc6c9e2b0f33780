"""What a statement of a known form does is never a surprise: neither rows nor schema.

Every tenth form, on one server; all of them, on two, were tried when this was written.
"""

from __future__ import annotations

import psycopg
import pytest

from rollback_tui.core.model import Migration, Plan, Script
from rollback_tui.core.schema import SchemaSnapshot, diff
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres import catalog, writes
from rollback_tui.postgres.execute import execute
from rollback_tui.survey.scope import scope
from rollback_tui.survey.surprises import changed_elsewhere, written_elsewhere
from tests.forms.conftest import Theatre
from tests.forms.form import Form
from tests.forms.groups import CASES, Group

SOME = [(g, f) for g, f in CASES if not f.alone and not f.opaque and not f.unsure][::10]
BEFORE: dict[int, SchemaSnapshot] = {}


@pytest.mark.parametrize(("group", "form"), SOME, ids=[form.name for _, form in SOME])
def test_what_a_form_does_is_announced(
    theatre: Theatre, server: EmbeddedServer, group: Group, form: Form
) -> None:
    stage, trees = theatre.stage(server, group)
    statement = stage.forecast(form, trees[form.sql])
    script = Script(path="", sha256="", size=0, statements=(statement,), transactional=True)
    plan = Plan(
        framework="dbmate",
        version_table="public.schema_migrations",
        directory="",
        current="1",
        goal=None,
        applied=(),
        migrations=(Migration(version="1", name="", applied_at=None, script=script),),
    )
    connection = stage.connection
    connection.execute("BEGIN")
    try:
        if id(stage) not in BEFORE:
            BEFORE[id(stage)] = catalog.snapshot(connection)
        was = writes.sight(connection)
        known = scope(connection, plan, was)
        try:
            execute(connection, statement.sql)
        except psycopg.Error as error:
            pytest.skip(f"it fails on what is stored: {error}")
        connection.execute("SET LOCAL session_authorization TO DEFAULT; SET LOCAL role TO DEFAULT")
        now = writes.sight(connection)
        changes = diff(BEFORE[id(stage)], catalog.snapshot(connection))
        assert known.sure
        assert written_elsewhere(known, writes.written(was, now)) == ()
        assert changed_elsewhere(known, changes, now) == ()
    finally:
        connection.execute("ROLLBACK")
        connection.execute("RESET ALL; RESET ROLE")
