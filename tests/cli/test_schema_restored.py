"""What a down script leaves behind: foreseen, accepted, met again at the gate; nothing else."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rollback_tui.cli.options import Common
from rollback_tui.cli.session import Session
from rollback_tui.config import load
from rollback_tui.core.model import CheckResult
from rollback_tui.core.schema_verdict import SchemaVerdict
from rollback_tui.ui.operations import Choice
from tests.cli.conftest import Project, events, here, only
from tests.cli.conftest import project as project

FIRST = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE users (id int PRIMARY KEY, email varchar(40) NOT NULL, mood mood, born date);
CREATE INDEX users_born ON users (born);
INSERT INTO users SELECT i, 'u' || i, 'sad', now() FROM generate_series(1, 30) i;
"""
UP = """
ALTER TYPE mood ADD VALUE 'angry';
CREATE EXTENSION vector;
ALTER TABLE users ALTER email TYPE text, ALTER email DROP NOT NULL;
DROP INDEX users_born;
ALTER TABLE users ADD note text;
"""
LEAVING = """
ALTER TABLE users DROP note;
CREATE INDEX users_born ON users USING brin (born);
"""
LEFT = {
    "type public.mood": "left: 'angry'",
    "extension vector": "left",
    "column public.users.email": "length limit and NOT NULL lost",
    "index public.users_born": "of another kind",
}
REASON = "the label does no harm until Monday"


def checked(project: Project) -> tuple[SchemaVerdict, CheckResult]:
    """Rehearse, then judge: the verdict, and the check as it is shown."""
    settings = load(project.directory / "rollback.toml")
    common = Common(
        dsn=settings.connection.dsn, settings=settings, project=project.directory, as_json=True
    )
    with contextlib.closing(Session(common)) as session:
        plan = session.plan(Choice())
        rehearsal = session.rehearse(plan, "schema", lambda _: None, threading.Event())
        results = session.checks(plan, rehearsal)
    assert rehearsal.failure == ""
    assert rehearsal.foreseen is not None
    return rehearsal.foreseen, schema_check([msgspec.to_builtins(r) for r in results])


def schema_check(results: list[dict[str, Any]]) -> CheckResult:
    """The check among all of them."""
    found = next(c for c in results if c["name"] == "schema_restored")
    return msgspec.convert(found, CheckResult)


def as_superuser(project: Project) -> Project:
    """An extension that is not trusted is made by a superuser."""
    dsn = json.dumps(project.database.superuser_dsn)
    (project.directory / "rollback.toml").write_text(f"[connection]\ndsn = {dsn}\n")
    return project


def leaving(project: Project, down: str = LEAVING) -> Project:
    """Two migrations, the newest of which does not undo all that it did."""
    project.database.connect(superuser=True).execute("CREATE EXTENSION vector")
    up = UP.replace("CREATE EXTENSION vector;\n", "")
    project.migration("1", "users", FIRST, "DROP TABLE users; DROP TYPE mood;")
    project.migration("2", "more", up, down)
    # The script says that it makes the extension: whoever applied it was a superuser.
    path = project.directory / "db" / "migrations" / "2_more.sql"
    path.write_text(f"-- migrate:up\n{UP}\n-- migrate:down\n{down}\n")
    return as_superuser(project)


def run(project: Project, *arguments: str) -> list[dict[str, Any]]:
    """The real run, with a rehearsal first; its events."""
    done = project.here(*project.run_arguments, "--rehearse", "schema", *arguments)
    found = events(done.stdout)
    assert found, done.stderr
    return found


def verification(found: list[dict[str, Any]]) -> dict[str, Any]:
    """What was said of the schema at the gate."""
    judged = [e["verification"] for e in only(found, "verification_judged")]
    return next(v for v in judged if v["name"] == "schema")


def test_leftovers_are_foreseen_refused_accepted_and_met_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaving(project)
    # Nobody rehearsed: not known, and neither green nor in the way.
    unknown = json.loads(here(project, monkeypatch, "check", "--json").stdout)["checks"]
    assert schema_check(unknown).status == "warn"

    found, check = checked(project)
    assert (found.kind, found.origin, found.unsure) == ("leftover", "replayed", False)
    assert {d.object for d in found.leftover} == set(LEFT)
    assert check.status == "fail"
    told = "\n".join(check.evidence)
    assert "left behind: extension vector" in told
    assert "mend: DROP EXTENSION vector;" in told
    assert "mend: ALTER TABLE public.users ALTER COLUMN email SET NOT NULL;" in told
    assert "a label cannot be removed" in told
    assert "Mend the down script" in check.remedy

    refused = run(project)
    assert refused[-1]["outcome"] == "refused"
    assert "Schema comes back" in refused[-1]["summary"]

    done = run(project, "--override", f"schema_restored={REASON}")
    assert done[-1]["outcome"] == "rolled_back", done[-1]
    assert "Not so, but accepted beforehand: Schema restored." in done[-1]["summary"]
    (foreseen,) = only(done, "schema_foreseen")
    assert foreseen["accepted"] == f"{REASON} (typed before it was rehearsed)"
    assert {d["object"] for d in foreseen["verdict"]["leftover"]} == set(LEFT)
    judged = verification(done)
    assert judged["verdict"] == "fail"
    assert REASON in judged["accepted"]
    assert "the replayed baseline" in judged["summary"]
    assert project.versions() == ["1"]


def test_what_nobody_foresaw_stops_though_another_was_accepted(project: Project) -> None:
    """The rehearsal has no rows, and so it did not see what the script does when there are some."""
    down = (
        "ALTER TABLE users DROP note;\nDO $$ BEGIN IF EXISTS (SELECT FROM users) THEN"
        " CREATE INDEX surprise ON users (id); END IF; END $$;"
    )
    up = "ALTER TABLE users ADD note text; DROP INDEX users_born;"
    project.migration("1", "users", FIRST, "DROP TABLE users;")
    project.migration("2", "more", up, down)
    found = run(project, "--override", f"schema_restored={REASON}")
    (foreseen,) = only(found, "schema_foreseen")
    assert [d["object"] for d in foreseen["verdict"]["leftover"]] == ["index public.users_born"]
    judged = verification(found)
    assert (judged["verdict"], judged["accepted"]) == ("fail", "")
    assert "nobody foresaw 1 object" in judged["summary"]
    assert any("surprise" in line for line in judged["evidence"][:2])
    assert found[-1]["outcome"] == "unchanged"
    assert project.versions() == ["1", "2"]


def test_drift_and_what_is_declared_do_not_stop_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorded baseline of both versions; somebody changed two things by hand since."""
    project.migration("1", "users", FIRST, "DROP TABLE users;")
    assert here(project, monkeypatch, "baseline", "record").exit_code == 0
    project.migration("2", "more", "ALTER TABLE users ADD a int, ADD b int;", "SELECT 1;")
    down = "ALTER TABLE users DROP b;\nDROP INDEX users_born;"
    path = project.directory / "db" / "migrations" / "2_more.sql"
    path.write_text(
        f"-- migrate:up\nALTER TABLE users ADD a int, ADD b int;\n-- migrate:down\n{down}"
    )
    assert here(project, monkeypatch, "baseline", "record").exit_code == 0
    owner = project.database.connect()
    owner.execute("ALTER TABLE users ALTER born SET NOT NULL; CREATE TABLE by_hand (id int)")

    drifted = here(project, monkeypatch, "baseline", "compare", "--json")
    assert drifted.exit_code == 1
    said = json.loads(drifted.stdout)
    assert said["kind"] == "drift"
    assert {m["object"] for m in said["mending"]} >= {"table public.by_hand"}

    found, check = checked(project)
    assert (found.kind, found.origin) == ("leftover", "recorded")
    assert [d.object for d in found.leftover] == [
        "column public.users.a",
        "index public.users_born",
    ]
    assert {"column public.users.born", "table public.by_hand"} <= {d.object for d in found.drift}
    assert check.status == "fail"
    assert "drifted before" in check.summary

    settings = '[verify]\naccept = ["column public.users.*", "index public.users_born"]\n'
    project.configure(settings)
    assert checked(project)[1].status == "warn"
    done = run(project)
    assert done[-1]["outcome"] == "rolled_back", done[-1]
    assert "declared in [verify] accept" in verification(done)["accepted"]


def test_equivalent_identical_and_only_drift_pass(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.migration("1", "users", FIRST, "DROP TABLE users;")
    project.migration(
        "2", "more", "ALTER TABLE users DROP born;", "ALTER TABLE users ADD born date;"
    )
    path = project.directory / "db" / "migrations" / "2_more.sql"
    text = path.read_text()
    path.write_text(
        text.replace("ADD born date;", "ADD born date;\nCREATE INDEX users_born ON users (born);")
    )
    found, check = checked(project)
    assert (found.kind, check.status) == ("identical", "pass")
    # The column that comes back in another place, a comment that is new.
    path.write_text(
        path.read_text()
        .replace("DROP born;", "DROP email;")
        .replace("ADD born date;", "ADD email varchar(40) NOT NULL DEFAULT '';")
        .replace(
            "CREATE INDEX users_born ON users (born);",
            "ALTER TABLE users ALTER email DROP DEFAULT; COMMENT ON TABLE users IS 'x';",
        )
    )
    owner = project.database.connect()
    owner.execute("ALTER TABLE users ADD born date; CREATE INDEX users_born ON users (born)")
    owner.execute("ALTER TABLE users DROP email")
    found, check = checked(project)
    assert (found.kind, check.status) == ("equivalent", "pass")
    assert len(found.notes) == 2
    owner.execute("CREATE INDEX by_hand ON users (id)")
    found, check = checked(project)
    assert (found.kind, check.status) == ("drift", "pass")
    assert "by_hand" in "\n".join(check.evidence)
    done = run(project)
    assert done[-1]["outcome"] == "rolled_back", done[-1]
    judged = verification(done)
    assert (judged["verdict"], judged["accepted"]) == ("pass", "")
    assert "1 object drifted before" in judged["summary"]


def test_a_plan_that_fails_in_the_rehearsal_stands_in_the_way(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.migration("1", "users", FIRST, "DROP TABLE users; DROP TABLE nowhere;")
    rehearsed = here(project, monkeypatch, "check", "--rehearse", "--json")
    check = schema_check(json.loads(rehearsed.stdout)["checks"])
    assert (check.status, check.overridable) == ("unknown", True)
    assert "nowhere" in check.summary


def test_an_older_form_of_a_baseline_is_refused_with_a_remedy(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.two_migrations()
    here(project, monkeypatch, "baseline", "record", "--version", "20240101000000")
    path = Path(project.directory / "rollback_baselines" / "20240101000000.json")
    path.write_text(path.read_text().replace('"format": 2', '"format": 1'))
    rehearsed = here(project, monkeypatch, "rehearse", "--json")
    found = json.loads(rehearsed.stdout)
    assert found["foreseen"]["kind"] == "unknown"
    assert "another form" in found["foreseen"]["why"]
