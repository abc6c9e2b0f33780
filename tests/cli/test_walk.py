"""The whole guided path on the real demo: a real server, a real worker, the keyboard alone."""

from __future__ import annotations

import os

import psycopg
import pytest

from rollback_tui.core.events import Answered
from rollback_tui.run.journal import FILE_NAME, read
from tests.ui.steering import Terminal
from tests.walk import (
    answer_commit,
    confirm,
    demo_session,
    drive,
    somebody_in_the_way,
    to_confirmation,
    to_report,
)


def _nothing(_: str) -> None:
    return None


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_a_newcomer_rolls_the_demo_back(size: tuple[int, int]) -> None:
    with demo_session(gate="ask") as (scene, _, session):

        async def script(t: Terminal) -> None:
            await to_confirmation(t, _nothing)
            if size[0] == 120:
                appeared, vanished = await somebody_in_the_way(t, scene.dsn)
                print(f"blocker shown after {appeared:.1f} s, gone after {vanished:.1f} s")
                await t.press("4")
            await confirm(t, _nothing)
            await to_report(t, _nothing)
            await t.press("q")

        app = drive(session, script, size=size)

        assert app.return_value == 0
        with psycopg.connect(scene.dsn) as connection:
            newest = connection.execute("SELECT max(version) FROM schema_migrations").fetchone()
        assert newest == ("20231218113000",)
        folder = scene.project / "rollback_runs" / _only_run(session)
        answers = [r.event for r in read(folder / FILE_NAME) if isinstance(r.event, Answered)]
        assert [f"uid {os.getuid()}" in one.who for one in answers] == [True]
        report = session.report(folder)
        for number in scene.expected_losses.values():
            assert f"{number:,}" in report


def _only_run(session: object) -> str:
    from rollback_tui.cli.session import Session

    assert isinstance(session, Session)
    (run,) = session.history()
    return run.folder


def test_leaving_in_mid_run_and_attaching_again_shows_all_of_it() -> None:
    with demo_session(gate="ask") as (scene, _, session):

        async def leave(t: Terminal) -> None:
            await to_confirmation(t, _nothing)
            await confirm(t, _nothing)
            await t.until("The run asks", "Commit?", seconds=60)
            await t.press("ctrl+q")
            await t.until("goes on")
            await t.press("tab", "enter")

        app = drive(session, leave, size=(80, 24))
        assert app.running_folder is not None
        assert app.return_value == 0

        async def attach(t: Terminal) -> None:
            await t.until("The run asks", "Commit?", "Sequences ahead", seconds=60)
            await t.press("tab", "enter")
            await t.until("commit changes the database: arm this")
            await t.arm()
            await answer_commit(t)
            await t.until("rolled back and verified", seconds=60)
            await t.press("q")

        again = drive(session, attach, size=(80, 24), folder=app.running_folder)
        assert again.return_value == 0
        with psycopg.connect(scene.dsn) as connection:
            assert connection.execute("SELECT count(*) FROM schema_migrations").fetchone() == (6,)
