"""What the screens ask is answered also after the door, or a restart, has ended our sessions."""

from __future__ import annotations

import contextlib
import threading

import psycopg

from rollback_tui.cli.options import Common
from rollback_tui.cli.session import Session
from rollback_tui.config import load
from rollback_tui.core.outlook import Outlook
from rollback_tui.ui.operations import Choice
from tests.cli.conftest import Project


def _session(project: Project) -> Session:
    return Session(
        Common(
            dsn=project.database.dsn,
            settings=load(project.directory / "rollback.toml"),
            project=project.directory,
            as_json=False,
        )
    )


def _end_all(project: Project) -> None:
    with psycopg.connect(project.database.server.dsn()) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [project.database.name],
        )


def test_a_line_that_was_cut_while_idle_is_made_again(project: Project) -> None:
    project.two_migrations()
    with contextlib.closing(_session(project)) as session:
        session.target()
        session.plan(Choice())
        _end_all(project)
        assert session.activity().sessions
        assert len(session.plan(Choice()).statements) == 2


def test_what_was_sent_is_in_the_log(project: Project) -> None:
    project.two_migrations()
    with contextlib.closing(_session(project)) as session:
        session.activity()
        assert any("pg_locks" in text for text in session.sql_log())


def test_what_is_refreshed_each_second_is_one_line_of_the_log(project: Project) -> None:
    project.two_migrations()
    with contextlib.closing(_session(project)) as session:
        for _ in range(5):
            session.activity()
        (line,) = [text for text in session.sql_log() if "pg_locks" in text]
    assert "×5 " in line
    assert "␊" not in line


def test_exact_counts_are_exact_and_a_missing_table_is_an_error(project: Project) -> None:
    project.two_migrations()
    with contextlib.closing(_session(project)) as session:
        counted = {t.name: session.count(t.name).exact for t in session.tables()}
    assert counted["public.users"] == 200
    assert counted["public.tokens"] == 17


def test_the_size_is_not_asked_each_second(project: Project) -> None:
    project.two_migrations()
    with contextlib.closing(_session(project)) as session:
        first = session.activity()
        before = [text for text in session.sql_log() if "pg_database_size" in text]
        second = session.activity()
        after = [text for text in session.sql_log() if "pg_database_size" in text]
    assert first.database_bytes > 0
    assert second.database_bytes == first.database_bytes
    assert len(before) == 1
    assert after == before


def test_what_is_asked_once_does_not_hold_up_what_is_asked_each_second(project: Project) -> None:
    """While one waits for a locked table, the other says who has it."""
    project.two_migrations()
    with contextlib.closing(_session(project)) as session:
        plan = session.plan(Choice())
        assert session.in_the_way(plan) == ()
        holder = project.database.connect(autocommit=False, application_name="shop")
        holder.execute("LOCK TABLE users")
        found: list[Outlook] = []
        asking = threading.Thread(target=lambda: found.append(session.outlook(plan)))
        asking.start()
        (one,) = session.in_the_way(plan)
        assert (one.pid, one.statements) == (holder.info.backend_pid, (1, 2))
        assert asking.is_alive()
        asking.join(30)
        holder.rollback()
        assert session.in_the_way(plan) == ()
    (outlook,) = found
    assert outlook.dependents == ()
    assert outlook.written is not None
    assert {w.relation: w.rows is None for w in outlook.written}["public.users"]
