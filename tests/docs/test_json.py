"""docs/json.md says the shapes that the commands print."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import typing
from pathlib import Path

import msgspec
import pytest

from rollback_tui.cli import monitor_text
from rollback_tui.cli.history import FIRST_COLUMNS
from rollback_tui.cli.shapes import check_shape, plan_shape
from rollback_tui.core import events as ev
from rollback_tui.core import model
from rollback_tui.core.checks import judge
from rollback_tui.core.history.metadata import COLUMNS, RunMetadata
from rollback_tui.core.history.summary import Summary
from rollback_tui.core.history.trail import Entry
from rollback_tui.core.incident import Incident
from rollback_tui.core.incident import values as incident_values
from rollback_tui.core.model import EXIT_CODES
from rollback_tui.core.monitoring.values import Cleared, Gap, ImpactCounted
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.core.report import report_json
from rollback_tui.core.run_view import RunSummary, RunView
from rollback_tui.core.schema_verdict import SchemaVerdict
from rollback_tui.frameworks.captured import Captures
from rollback_tui.postgres import history_view
from rollback_tui.run.journal import flat
from rollback_tui.ui.aftercare import Watched
from tests.conftest import Database
from tests.core.example import facts
from tests.docs.pages import ROOT, code, fenced, rows, section, text_of
from tests.ui import fake_after

PAGE = text_of(ROOT / "docs" / "json.md")
EVENTS = typing.get_args(ev.AnyEvent)


def example(heading: str) -> typing.Any:
    """Return the example below a heading: it must be JSON."""
    return json.loads(fenced(section(PAGE, heading), "json")[0])


def fields(kind: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def between(marks: str) -> list[str]:
    found = re.search(rf"<!-- {marks} -->(.*?)<!-- /{marks} -->", PAGE, re.DOTALL)
    assert found is not None
    return code(found.group(1))


# --- events ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_every_event_is_there_with_its_fields_in_their_order(event: type[msgspec.Struct]) -> None:
    documented = {
        cells[0].strip("`"): code(cells[1])
        for cells in rows(section(PAGE, "## run --json"))
        if len(cells) == 3
    }
    kind = str(event.__struct_config__.tag)
    assert documented.get(kind) == [f.encode_name for f in msgspec.structs.fields(event)]


def test_no_event_is_there_that_does_not_exist() -> None:
    documented = {cells[0].strip("`") for cells in rows(section(PAGE, "## run --json"))}
    assert documented == {str(event.__struct_config__.tag) for event in EVENTS}


def test_the_line_of_a_run_is_one_that_is_printed() -> None:
    shown = example("## run --json")
    event = msgspec.convert(
        {k: v for k, v in shown.items() if k not in ("seq", "at", "elapsed")}, ev.AnyEvent
    )
    record = msgspec.convert(
        {"seq": shown["seq"], "at": shown["at"], "elapsed": shown["elapsed"], "prev": ""}
        | {"event": msgspec.to_builtins(event)},
        ev.Record,
    )
    assert list(flat(record)) == list(shown)


def test_every_phase_is_there() -> None:
    assert between("phases") == [*ev.PHASES, "clone", "recover"]
    assert set(between("phases")) == set(typing.get_args(ev.Phase))


def test_the_exit_codes_are_those_of_the_outcomes() -> None:
    documented = {
        outcome: int(cells[0])
        for cells in rows(section(PAGE, "## Exit codes"))
        for outcome in code(cells[1])
        if outcome in EXIT_CODES
    }
    assert documented == EXIT_CODES


# --- documents -----------------------------------------------------------------------------------


def _plan() -> model.Plan:
    loss = model.Loss(kind="rows", relation="public.t", count=1)
    effect = model.Effect(
        kind="DROP TABLE",
        locks=(model.Lock(relation="t", mode="AccessExclusive"),),
        drops=(("table", "t"),),
    )
    statement = model.Statement(
        index=1,
        start=0,
        end=12,
        line=1,
        sql="DROP TABLE t",
        effect=effect,
        loss=(loss,),
        violations=(model.Violation(rule="not null", relation="t", name="a", count=1),),
        touched=model.Touched(relation="t", count="SELECT 1", rows="SELECT 2"),
    )
    script = model.Script(
        path="1.sql", sha256="0", size=12, statements=(statement,), transactional=True
    )
    migration = model.Migration(version="1", name="t", applied_at=None, script=script)
    return model.Plan(
        framework="dbmate",
        version_table="public.schema_migrations",
        directory="db/migrations",
        current="1",
        goal=None,
        migrations=(migration,),
        applied=(),
    )


def keys(value: object) -> object:
    """Return the names in a document, at every depth; of a list those of its first item."""
    if isinstance(value, dict):
        return {name: keys(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [keys(item) for item in value[:1]]
    return None


def test_a_plan_has_the_keys_of_the_example() -> None:
    printed = json.loads(msgspec.json.encode(plan_shape(_plan())))
    shown = example("## plan --json")
    for lists in (printed, shown):
        for statement in lists["statements"]:
            statement["objects"], statement["hazards"] = [], []
        lists["version_change"] = []
    assert keys(printed) == keys(shown)


def test_the_checks_have_the_keys_and_the_names_of_the_page() -> None:
    result = model.CheckResult(
        name="x", title="x", status="warn", summary="x", evidence=("x",), remedy="x"
    )
    printed = json.loads(msgspec.json.encode(check_shape([result], safe=True)))
    assert keys(printed) == keys(example("## check --json"))
    assert between("checks") == [result.name for result in judge(facts())]


def test_what_was_captured_has_the_keys_of_the_example() -> None:
    shown = example("## capture --json")
    found = msgspec.convert(shown, Captures)
    assert keys(msgspec.to_builtins(found)) == keys(shown)


def test_a_rehearsal_has_the_keys_of_the_example() -> None:
    shown = example("## rehearse --json")
    found = msgspec.convert(shown, Rehearsal)
    assert list(shown) == [field.encode_name for field in msgspec.structs.fields(Rehearsal)]
    assert keys(msgspec.to_builtins(found)) == keys(shown)


def test_a_schema_verdict_has_the_keys_of_the_page() -> None:
    documented = [
        name for cells in rows(section(PAGE, "## Schema verdict")) for name in code(cells[0])
    ]
    assert documented == [field.encode_name for field in msgspec.structs.fields(SchemaVerdict)]


def test_a_line_of_the_history_has_the_keys_of_the_example() -> None:
    (shown,) = example("## history --json")
    assert list(shown) == [field.encode_name for field in msgspec.structs.fields(RunMetadata)]
    first = tuple(shown)[: len(FIRST_COLUMNS)]
    assert set(first) == fields(RunSummary) == set(FIRST_COLUMNS)
    msgspec.convert(shown, RunMetadata)


def test_a_summary_an_entry_and_a_check_have_the_keys_of_the_page() -> None:
    documented = {
        cells[0].strip("`"): code(cells[1])
        for cells in rows(section(PAGE, "## history summary, audit, verify"))
        if len(cells) == 3
    }
    assert documented == {
        "history summary --json": [f.encode_name for f in msgspec.structs.fields(Summary)],
        "history audit --json": [f.encode_name for f in msgspec.structs.fields(Entry)],
        "history verify --json": ["runs", "audit_log"],
        "history view --json": ["view", "sql"],
    }


def test_every_column_of_the_history_is_on_its_page() -> None:
    page = text_of(ROOT / "docs" / "history.md")
    documented = [name for cells in rows(section(page, "## Columns")) for name in code(cells[0])]
    assert documented == [*FIRST_COLUMNS, *(c for c in COLUMNS if c not in FIRST_COLUMNS)]


def test_every_column_of_the_view_is_on_its_page() -> None:
    page = text_of(ROOT / "docs" / "history.md")
    documented = {
        cells[0].strip("`"): (cells[1], cells[2])
        for cells in rows(section(page, "## The view in the database"))
        if len(cells) == 3
    }
    assert list(documented) == list(history_view.COLUMNS)
    assert {n: kind for n, (kind, _) in documented.items()} == {
        n: kind for n, (kind, _) in history_view.COLUMNS.items()
    }


def test_a_report_has_the_keys_of_the_page() -> None:
    documented = [
        name for cells in rows(section(PAGE, "## report --json")) for name in code(cells[0])
    ]
    assert sorted(documented) == sorted(report_json(RunView()))


def test_an_incident_report_has_the_keys_of_the_page() -> None:
    page = section(PAGE, "## incident --json").partition("### Impact")
    keys = [name for cells in rows(page[0]) for name in code(cells[0])]
    assert [name for name in keys if name != "metrics"] == [
        field.name for field in msgspec.structs.fields(Incident)
    ]
    felt = [name for cells in rows(page[2]) for name in code(cells[0])]
    assert felt == [field.name for field in msgspec.structs.fields(incident_values.Impact)]
    # And every field of what is in it is named somewhere there.
    words = set(code(page[0])) | set(code(page[2]))
    parts = [kind for kind in vars(incident_values).values() if _is_part(kind)]
    missing = {f"{p.__name__}.{name}" for p in parts for name in fields(p) if name not in words}
    assert (len(parts), missing) == (25, set())


def _is_part(kind: object) -> bool:
    return isinstance(kind, type) and kind.__module__ == incident_values.__name__


def test_the_state_has_the_keys_of_the_example(database: Database, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rollback_tui", "state", "--json", "--dsn", database.dsn],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed, shown = json.loads(done.stdout), example("## state --json")
    assert set(printed) == set(shown)
    assert set(printed["target"]) == set(shown["target"])
    assert set(printed["activity"]) == set(shown["activity"])
    assert set(printed["view"]) == set(shown["view"])
    assert set(shown["activity"]["sessions"][0]) == fields(model.Session)
    assert set(shown["activity"]["replication"]) == fields(model.Replication)
    assert set(shown["tables"][0]) == fields(model.TableCount)
    assert set(shown["applied"][0]) == fields(model.AppliedMigration)


def test_a_monitoring_has_the_keys_of_the_example() -> None:
    example_of = example("## monitor --json")
    view = fake_after.ended(fake_after.alarming(), by="kim", reason="it is well")
    begun = fake_after.BEGUN
    view = msgspec.structs.replace(
        view,
        standing=(),
        cleared=(Cleared(at=begun, metric="error_rate", value=0.0, seconds=120.0),),
        gaps=(Gap(at=begun, since=begun),),
        impact=ImpactCounted(at=begun, failed_requests=1204, affected_users=None),
    )
    watched = Watched(view=view, attended=True, expected=True)
    look = monitor_text.Looked(folder=Path("20260301_031215_8c3038d4"), watched=watched, now=begun)
    assert keys(json.loads(msgspec.json.encode(monitor_text.shape(look)))) == keys(example_of)
    page = section(PAGE, "## monitor --json")
    assert all(f"`{column}`" in page for column in monitor_text.COLUMNS)
