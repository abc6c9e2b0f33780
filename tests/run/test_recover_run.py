"""An ended run is undone, on real databases: from the kept copy, from the dump, and by applying the
migrations again. Afterwards ``pg_dump`` prints what it printed before."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from rollback_tui.checkpoint import prune
from rollback_tui.core import events as ev
from rollback_tui.core.errors import RunRefused
from rollback_tui.core.run_view import RunView
from rollback_tui.postgres.connect import connect
from rollback_tui.postgres.since import written_since
from rollback_tui.run import journal
from rollback_tui.run.needed import in_need, needed
from rollback_tui.run.recovery.repair import STEPS
from tests.cli.conftest import Project
from tests.cli.conftest import project as project
from tests.run.undoing import UNHEALTHY, Shop, shop, steps

ALL_WELL = dict.fromkeys(STEPS, "pass")


def lost(folder: Path) -> dict[str, int | None]:
    """What was counted behind the door, by table."""
    found = [r.event for r in journal.read(folder / journal.FILE_NAME)]
    (counted,) = [e for e in found if isinstance(e, ev.LostCounted)]
    return {one.table: one.rows for one in counted.lost}


def test_from_the_dump(project: Project) -> None:
    made = shop(project)
    before = made.dumped()
    folder, rolled_back = made.roll_back()
    assert rolled_back.outcome == "rolled_back", rolled_back.finished
    assert made.dumped() != before

    options = made.options(folder)
    assert [options[r].obstacle != "" for r in ("clone", "dump", "reapply")] == [True, False, False]
    assert options["dump"].lost == (), "what the run itself removed and changed is no loss"
    assert options["dump"].confirm == project.database.name
    _large_objects_are_no_table_and_can_be_lost(made, folder)

    recovery, view = made.undo(folder, "dump")
    assert view.outcome == "recovered", view.finished
    assert steps(view) == ALL_WELL
    assert view.lost is not None and view.lost.lost == ()
    assert view.started is not None
    assert (view.started.task, view.started.recovers) == ("recover", str(folder))
    assert made.dumped() == before
    assert made.databases() == {"__failed_"}
    _a_dump_is_needed_while_it_is_restored(recovery, rolled_back)


def _large_objects_are_no_table_and_can_be_lost(made: Shop, folder: Path) -> None:
    dsn = made.project.database.dsn
    with psycopg.connect(dsn) as application:
        application.execute("SELECT lo_from_bytea(4711, 'written since')")
    option = made.options(folder)["dump"]
    assert option.lost is not None
    assert [(one.table, one.rows) for one in option.lost] == [("pg_catalog.pg_largeobject", None)]
    assert option.confirm == "lose unknown rows"
    with connect(made.project.database.superuser_dsn) as live:
        (found,) = (one for one in written_since(live, "", 5) if "large" in one.table)
        assert found.rows == 1
    with psycopg.connect(dsn) as application:
        application.execute("SELECT lo_unlink(4711)")


def _a_dump_is_needed_while_it_is_restored(recovery: Path, rolled_back: RunView) -> None:
    """The run that made it ended well long ago; the one that restores it has only begun."""
    assert rolled_back.checkpoint is not None
    assert needed(recovery.parent) == {}
    begun = recovery.with_name(f"{recovery.name[:-8]}deadbeef")
    begun.mkdir()
    first = (recovery / journal.FILE_NAME).read_bytes().split(b"\n")[0]
    (begun / journal.FILE_NAME).write_bytes(first + b"\n")
    why = needed(recovery.parent)[str(Path(rolled_back.checkpoint.path).resolve())]
    assert why == "run deadbeef has no outcome yet"


def write_since(project: Project) -> None:
    """What an application does after the rollback: two new users, one changed, one deleted; one
    row more and one less in a table without a key."""
    with psycopg.connect(project.database.dsn) as application:
        application.execute("INSERT INTO users VALUES (301, 'new'), (302, 'new')")
        application.execute("UPDATE users SET email = 'changed' WHERE id = 7")
        application.execute("DELETE FROM users WHERE id = 100")
        application.execute("INSERT INTO events VALUES ('later')")
        application.execute("DELETE FROM events WHERE what = 'made 2'")


def test_writes_since_are_lost_only_after_they_were_agreed_to(project: Project) -> None:
    made = shop(project)
    before = made.dumped()
    folder, _ = made.roll_back()
    write_since(project)
    after = made.dumped()

    option = made.options(folder)["dump"]
    assert option.lost is not None
    told = {one.table: one.rows for one in option.lost}
    # One user more than were left, so that the deleted one is not seen yet; nor is that event.
    assert told == {"public.events": 1, "public.users": 3}
    assert "by their transaction ids" in option.lost[0].basis
    assert option.confirm == "lose 4 rows"

    recovery, view = made.undo(folder, "dump", agreed=4)
    assert view.outcome == "unchanged", view.finished
    assert lost(recovery) == {"public.events": 2, "public.users": 4}
    assert [(a.name, a.choice) for a in view.answers] == [("recover", "stop")]
    assert made.dumped() == after
    assert made.databases() == set(), "what was restored beside is dropped"

    recovery, view = made.undo(folder, "dump", agreed=6)
    assert view.outcome == "recovered", view.finished
    assert lost(recovery) == {"public.events": 2, "public.users": 4}
    assert made.dumped() == before


def kept(made: Shop) -> dict[str, str]:
    """Why ``checkpoint prune`` keeps what is beside, by the end of its name."""
    database = made.project.database
    with connect(database.server.dsn("postgres", database.owner)) as maintenance:
        items = prune.databases(
            maintenance,
            database.name,
            busy="",
            unfinished=(),
            in_need=in_need(made.directory / "rollback_runs"),
        )
    return {one.name.removeprefix(database.name)[:-8]: one.kept_because for one in items}


def test_from_the_clone_and_back_again(project: Project) -> None:
    made = shop(project, UNHEALTHY)
    before = made.dumped()
    folder, rolled_back = made.roll_back()
    assert rolled_back.outcome == "needs_operator", rolled_back.finished
    write_since(project)
    after = made.dumped()

    made.settings = type(made.settings)()
    assert made.options(folder)["clone"].lost_rows == 4
    assert "needs the operator" in kept(made)["__clone_"]
    recovery, view = made.undo(folder, "clone", agreed=6)
    assert view.outcome == "recovered", view.finished
    assert steps(view) == ALL_WELL
    assert lost(recovery) == {"public.events": 2, "public.users": 4}
    assert made.dumped() == before
    assert kept(made) == {"__failed_": ""}, "undone: nobody needs what is beside any more"
    assert made.options(folder)["clone"].obstacle == "it is in place already"

    # The recovery itself can be undone: what it replaced stands beside.
    option = made.options(recovery)["clone"]
    assert (option.obstacle, option.lost) == ("", ())
    with psycopg.connect(project.database.dsn) as application:
        application.execute("UPDATE tokens SET user_id = 2 WHERE id = 1")
    option = made.options(recovery)["clone"]
    assert option.confirm == "lose 1 rows"
    _, view = made.undo(recovery, "clone", agreed=None)
    assert view.outcome == "recovered", view.finished
    assert made.dumped() == after
    assert made.databases() == {"__failed_"}


def test_a_damaged_checkpoint_touches_nothing(project: Project) -> None:
    made = shop(project)
    folder, view = made.roll_back()
    after = made.dumped()
    assert view.checkpoint is not None
    file = max((Path(view.checkpoint.path) / "dump").glob("*.dat.gz"))
    data = file.read_bytes()
    half = len(data) // 2

    file.write_bytes(data[:half])
    assert "bytes, and had" in made.options(folder)["dump"].obstacle
    with pytest.raises(RunRefused, match="bytes, and had"):
        made.undo(folder, "dump")

    # One bit: its size is right, so it shows when every byte is compared, before any is loaded.
    file.write_bytes(data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :])
    _, view = made.undo(folder, "dump")
    assert view.outcome == "refused", view.finished
    assert view.finished is not None and "was altered" in view.finished.summary
    assert view.door is None, "nobody was kept out for it"
    assert made.dumped() == after
    assert made.databases() == set()


def test_what_is_wrong_with_what_came_back_is_mended_or_named(project: Project) -> None:
    made = shop(project, UNHEALTHY)
    server = project.database.server
    with psycopg.connect(project.database.dsn) as owner:
        owner.execute("CREATE INDEX users_email ON users (email)")
        owner.execute("CREATE SEQUENCE numbers OWNED BY users.id")
        owner.execute("ALTER TABLE users ALTER id SET DEFAULT nextval('numbers')")
    with psycopg.connect(project.database.superuser_dsn, autocommit=True) as there:
        there.execute("SET session_replication_role = replica")
        there.execute("UPDATE tokens SET user_id = 9999 WHERE id = 1")
        there.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_email'::regclass"
        )
    folder, rolled_back = made.roll_back()
    assert rolled_back.clone is not None
    copy = rolled_back.clone.database
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{copy}" ALLOW_CONNECTIONS true')
    with psycopg.connect(server.dsn(copy), autocommit=True) as there:
        # Somebody was at the copy.
        there.execute("ALTER TABLE users ALTER email DROP NOT NULL")
        there.execute("CREATE TABLE mine (id int)")
    made.settings = type(made.settings)()
    recovery, view = made.undo(folder, "clone")

    assert view.outcome == "needs_operator", view.finished
    assert steps(view) == {
        "restore checkpoint": "pass",
        "repair schema inconsistencies": "fail",
        "rebuild indexes": "pass",
        "verify foreign keys": "fail",
    }
    _, schema, indexes, keys = view.recovery
    assert any("SET NOT NULL" in text for text in schema.sql), schema
    assert any("not done by itself: DROP TABLE public.mine" in e for e in schema.evidence), schema
    assert indexes.sql == ("REINDEX INDEX public.users_email",)
    assert any("tokens_user_id_fkey" in e for e in keys.evidence), keys
    assert any("SELECT setval('public.numbers', 200)" in e for e in keys.evidence), keys
    proposed = [r.event for r in journal.read(recovery / journal.FILE_NAME)]
    assert [e.step for e in proposed if isinstance(e, ev.RepairProposed)] == [
        "repair schema inconsistencies",
        "rebuild indexes",
    ]
    assert project.query(
        "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'users'::regclass"
        " AND attname = 'email'"
    ) == [(True,)]


def test_behind_a_connection_limit_the_steps_follow_when_the_door_is_open(
    project: Project,
) -> None:
    # The limit goes over to the restored database, and keeps its owner out as well.
    made = shop(project, '[door]\nrung = "limit"\n')
    before = made.dumped()
    folder, _ = made.roll_back()
    _, view = made.undo(folder, "dump")
    assert view.outcome == "recovered", view.finished
    assert view.door == "limit"
    assert steps(view) == ALL_WELL
    assert made.dumped() == before
    assert project.connection_limit() == -1
