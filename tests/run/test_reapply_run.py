"""What a run rolled back is applied again, and what it kept is put back."""

from __future__ import annotations

import psycopg
import pytest

from rollback_tui.core.errors import RunRefused
from tests.cli.conftest import Project
from tests.cli.conftest import project as project
from tests.run.undoing import UP_2, Shop, shop, steps


def test_the_migration_is_applied_again_and_what_was_kept_is_put_back(project: Project) -> None:
    made = shop(project)
    before = made.dumped()
    folder, rolled_back = made.roll_back(keep=(1, 2, 3, 4))
    assert {one.rows for one in rolled_back.kept} == {1, 3, 17, 42}

    option = made.options(folder)["reapply"]
    assert (option.obstacle, option.lost, option.confirm) == ("", (), project.database.name)
    assert "63 rows and values that the run kept are put back" in option.restores

    _, view = made.undo(folder, "reapply")
    assert view.outcome == "recovered", view.finished
    assert project.versions() == ["20240101000000", "20240202000000"]
    judged = {v.name: v.verdict for v in view.verifications}
    assert judged["schema_as_before"] == "pass" and judged["version"] == "pass", judged
    assert steps(view) == {"put back what was kept": "pass"}
    # What an UPDATE of the script had changed is only written back where that is asked for.
    assert project.query("SELECT count(*) FROM events") == [(30,)]
    assert project.query("SELECT count(*), count(verified_at) FROM users") == [(200, 42)]
    assert project.query("SELECT email FROM users WHERE id = 1") == [("u1@example.org.old",)]
    assert before.count("CREATE TABLE") == made.dumped().count("CREATE TABLE")


def test_an_up_script_that_fails_changes_nothing(project: Project) -> None:
    made = shop(project)
    folder, _ = made.roll_back()
    after = made.dumped()
    with psycopg.connect(project.database.dsn) as application:
        application.execute("INSERT INTO users VALUES (301, 'new')")
        application.execute("CREATE TABLE tokens (id int)")
    _, view = made.undo(folder, "reapply")
    assert view.outcome == "unchanged", view.finished
    assert view.failure is not None and "already exists" in view.failure.message
    project.query("DELETE FROM users WHERE id = 301 RETURNING 1")
    with psycopg.connect(project.database.dsn) as application:
        application.execute("DROP TABLE tokens")
    assert made.dumped() == after


def test_it_is_refused_where_it_cannot_be(project: Project) -> None:
    made: Shop = shop(project)
    folder, _ = made.roll_back()
    path = next((project.directory / "db" / "migrations").glob("20240202*"))
    written = path.read_text()
    path.write_text(written.replace(UP_2, "CREATE INDEX CONCURRENTLY u ON users (email);\n"))
    assert "one transaction" in made.options(folder)["reapply"].obstacle
    path.write_text(written)
    request = made.request(folder, "reapply")
    # Between the look and the run a deploy comes in.
    project.query("INSERT INTO schema_migrations VALUES ('20240303000000') RETURNING 1")
    _, view = made.work(request)
    assert view.outcome == "refused", view.finished
    option = made.options(folder)["reapply"]
    assert "the newest is 20240303000000" in option.obstacle
    with pytest.raises(RunRefused, match="newest is 20240303000000"):
        made.request(folder, "reapply")
