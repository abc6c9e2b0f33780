"""`plan` as text: each statement with what is known of it, in a few lines."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from rollback_tui.cli.plan_text import plan_lines
from rollback_tui.core.model import Lock, Loss, Problem, Statement, Violation
from rollback_tui.core.outlook import InTheWay
from tests.cli.conftest import Project
from tests.cli.conftest import project as project
from tests.core.example import migration, plan, script, statement

AX = "AccessExclusive"
SAID = statement(
    1,
    "ALTER TABLE users DROP a",
    "ALTER TABLE … DROP COLUMN",
    objects=("public.users",),
    locks=(
        *(Lock(relation=f"public.{name}", mode=AX) for name in ("i", "j", "users", "k", "l")),
        Lock(relation="public.parent", mode="Share"),
    ),
)
WAIT = InTheWay(
    statements=(1,),
    relation="public.users",
    needed="AccessExclusive",
    held="RowExclusive",
    granted=True,
    pid=77,
    application="shop\x1b[2J",
    user="app",
    state="active",
    query="UPDATE users SET id = 1",
    age=12.3,
    behind=1,
)


def lines(given: Statement, way: Any = (), **effect: Any) -> list[str]:
    one = replace(given, effect=replace(given.effect, **effect))
    found = plan_lines(plan(migration(script=script(statements=(one,)))), way)
    return [" ".join(line.split()) for line in found]


def test_the_strongest_lock_is_named_and_on_what_the_statement_names_first() -> None:
    assert (
        "locks AccessExclusive on public.users, public.i, public.j and 2 more,"
        " weaker ones on 1 more" in lines(SAID)
    )
    assert not any(line.startswith("locks") for line in lines(SAID, locks=()))
    assert "locks unknown" in lines(SAID, locks=(), basis="unknown")
    assert lines(SAID, basis="unknown")[4].endswith("and what nobody knows")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"loss": (Loss(kind="values", relation="t", column="a", count=5, not_default=2),)},
            "loses 5 values of t.a, 2 of them not the default",
        ),
        (
            {"loss": (Loss(kind="rows", relation="t", count=5, bytes=1536, after=1),)},
            "loses 5 rows of t, 1.5 KiB (now; statement 1 changes it first)",
        ),
        (
            {"loss": (Loss(kind="rows", relation="t", count=None, why="out of time"),)},
            "loses an unknown number of rows of t (out of time)",
        ),
        (
            {"violations": (Violation(rule="unique", relation="t", name="k", count=1),)},
            "FAILS 1 row of t breaks unique: k",
        ),
        (
            {"violations": (Violation(rule="unique", relation="t", name="k", count=2, after=1),)},
            "may fail 2 rows of t break unique: k (now; statement 1 changes it first)",
        ),
        (
            {"violations": (Violation(rule="check", relation="t", name="k", count=None),)},
            "may fail nobody knows how many rows of t break check: k",
        ),
    ],
)
def test_what_goes_and_what_it_fails_on(changes: dict[str, Any], expected: str) -> None:
    assert expected in lines(replace(SAID, **changes))


def test_rows_that_break_nothing_are_no_line() -> None:
    fine = replace(SAID, violations=(Violation(rule="check", relation="t", name="k", count=0),))
    assert not any("fail" in line.lower() for line in lines(fine))


def test_few_lines_however_much_there_is_to_say() -> None:
    loss = tuple(Loss(kind="rows", relation=f"t{i}", count=i) for i in range(9))
    way = tuple(replace(WAIT, pid=pid) for pid in range(50))
    found = lines(replace(SAID, loss=loss), way, hazards=("deletes_data", "collateral_drop"))
    assert "and 6 more" in found
    assert "and 47 more" in found
    assert "hazards deletes_data, collateral_drop" in found
    assert "50 in the way now." in found
    assert len(found) < 20


def test_a_statement_that_does_nothing_has_nothing_else_to_say() -> None:
    found = lines(SAID, no_op=True)
    assert found[4].startswith("nothing it does nothing now")
    assert not any(line.startswith("locks") for line in found)


def test_collateral_is_named() -> None:
    found = lines(SAID, collateral=(("view", "public.v"), ("table", "public.w")))
    assert "CASCADE view public.v, table public.w" in found


def test_who_is_in_the_way_is_said_or_that_it_is_not_known() -> None:
    found = lines(SAID, (WAIT,), basis="unknown")
    assert (
        "waits pid 77 (shop␛[2J) holds RowExclusive on public.users, in a transaction for 12 s,"
        " 1 session behind" in found
    )
    assert "Not known what is locked by statement 1." in found
    assert "Nobody is in the way now." in lines(SAID)
    assert "Who is in the way now is not known: it is gone␊" in lines(SAID, "it is gone\n")


def test_a_blocker_is_on_its_statement(project: Project) -> None:
    project.two_migrations()
    other = project.database.connect(autocommit=False, application_name="shop")
    other.execute("SELECT * FROM tokens")
    said = project.here("plan")
    assert said.returncode == 0, said.stderr
    first, second = said.stdout.split("ALTER TABLE users", 1)
    assert "loses    17 rows of public.tokens" in first
    assert f"waits    pid {other.info.backend_pid} (shop) holds AccessShare on public.tok" in first
    assert "waits" not in second
    assert "1 in the way now." in second


def test_a_script_that_is_not_the_file_itself_says_so() -> None:
    made = script(origin="the file as psql reads it: without \\set\x1b[2J")
    found = list(plan_lines(plan(migration(script=made)), ()))
    assert "  (the file as psql reads it: without \\set␛[2J)" in found
    assert not any("psql" in line for line in plan_lines(plan(migration(script=script())), ()))


def test_an_empty_down_migration_is_called_none() -> None:
    """Where goose would drop the version and leave the schema, the plan does not look well."""
    empty = script(statements=())
    found = list(plan_lines(plan(migration(script=empty)), ()))
    assert "  NO DOWN MIGRATION: db/migrations/3_verify.sql holds no statement" in found
    assert "version table" not in "\n".join(found), "it is not changed: the plan is refused"
    (helps,) = [line for line in found if line.startswith("→")]
    assert "Write the down migration, or give a script by hand (--script FILE)" in helps
    merge = script(statements=(), nothing_to_undo="a mere merge")
    assert not any("NO DOWN" in line for line in plan_lines(plan(migration(script=merge)), ()))


def test_a_script_that_cannot_be_run_is_said_to_be_refused() -> None:
    wrong = Problem(line=4, offset=9, summary="\\set is a command of psql", remedy="", rule="psql")
    found = list(plan_lines(plan(migration(script=script(problems=(wrong,)))), ()))
    assert any(line.startswith("→ As it is, this plan is refused") for line in found)
    whole = plan_lines(plan(migration(script=script())), ())
    assert not any(line.startswith("→") for line in whole)
