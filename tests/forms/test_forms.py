"""Every statement form: what is forecast is what the server does, lock by lock."""

from __future__ import annotations

import pytest

from rollback_tui.embedded.server import EmbeddedServer
from tests.forms import summary
from tests.forms.conftest import Theatre
from tests.forms.form import Form
from tests.forms.groups import CASES, GROUPS, Group
from tests.forms.harness import disagreements

NAMES = [f"{group.name}: {form.name}" for group, form in CASES]


@pytest.mark.parametrize(("group", "form"), CASES, ids=NAMES)
def test_the_forecast_is_what_the_server_does(
    request: pytest.FixtureRequest,
    theatre: Theatre,
    servers: list[EmbeddedServer],
    group: Group,
    form: Form,
) -> None:
    found = {}
    for server in servers:
        if server.major < form.least:
            continue
        stage, trees = theatre.stage(server, group)
        statement = stage.forecast(form, trees[form.sql])
        measured = stage.measure(statement)
        found[server.major] = disagreements(form, statement.effect, measured)
        summary.note(request, server.major, agrees=not found[server.major])
    assert {major: differs for major, differs in found.items() if differs} == {}


def test_there_are_many_forms_and_each_once() -> None:
    statements = [(group.schema_name, form.sql) for group, form in CASES]
    assert len(statements) == len(set(statements)) >= 120
    for group in GROUPS:
        assert group.forms
