"""Screen 4: the confirmation, and the console of the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rollback_tui.core import events as ev
from rollback_tui.core.claim import Controls
from rollback_tui.ui.requests import Failure
from rollback_tui.ui.screens.run import RunScreen
from tests.pictures.scene import scene
from tests.pictures.still import Stage
from tests.walk import TARGET_VERSION

REASON = "errors since the deploy"


def until(records: Sequence[ev.Record], last: Callable[[ev.AnyEvent], bool]) -> Sequence[ev.Record]:
    """Return the journal as it was when ``last`` had just been written."""
    place = next(n for n, record in enumerate(records) if last(record.event))
    return records[: place + 1]


async def watched(t: Stage, last: Callable[[ev.AnyEvent], bool], **changes: object) -> None:
    """Show the run at one of its events, watched from the controls."""
    records = until(t.moment.records, last)
    here: dict[str, object] = {
        "controls": Controls(mine=True),
        "worker": "running",
        "report": None,
        "moved_at": t.moment.steady,
        "heard_at": t.moment.steady,
    }
    await t.journal(records, **{**here, **changes})


def statement(index: int) -> Callable[[ev.AnyEvent], bool]:
    return lambda event: isinstance(event, ev.StatementStarted) and event.index == index


def asks(event: ev.AnyEvent) -> bool:
    return isinstance(event, ev.Question)


@scene("good/confirm", RunScreen)
async def confirm(t: Stage) -> None:
    """Everything that must be typed is typed and matches: Start may be reached, and is not
    focused."""
    await typed(t)


async def typed(t: Stage) -> None:
    """Type what the confirmation asks for."""
    await t.focus("#field-database")
    await t.type("shop")
    await t.press("enter")
    await t.type(TARGET_VERSION)
    await t.press("enter")
    await t.type(t.figure)
    await t.press("enter")
    await t.type(REASON)


@scene("good/confirm", RunScreen, derived="production")
async def confirm_production(t: Stage) -> None:
    """Before a rollback of production: red, with the word, and nothing typed yet."""
    await t.change(environment="production")


@scene("good/confirm", RunScreen, derived="a mistyped version")
async def confirm_mistyped(t: Stage) -> None:
    """A text that does not match says so, and Start does nothing."""
    await t.focus("#field-database")
    await t.type("shop")
    await t.press("enter")
    await t.type(TARGET_VERSION[:-1])
    await t.press("enter")


@scene("bad/blocked", RunScreen)
async def confirm_blocked(_: Stage) -> None:
    """Nothing can be confirmed while something stands in the way: what, and where to go."""


@scene("good/gate", RunScreen)
async def run(t: Stage) -> None:
    """A statement is running: phases with their time, statements that are done, how long the
    applications have been kept out, every SQL that was sent."""
    await watched(t, statement(9))


@scene("good/gate", RunScreen)
async def run_checkpoint(t: Stage) -> None:
    """The checkpoint is being made while the applications go on: the door is open."""
    await watched(t, lambda event: isinstance(event, ev.Progress) and event.phase == "checkpoint")


@scene("good/gate", RunScreen)
async def run_verify(t: Stage) -> None:
    """The result is being verified inside the transaction: what passed, what is being asked."""
    await watched(
        t,
        lambda event: (
            isinstance(event, ev.VerificationJudged) and event.verification.name == "gone"
        ),
    )


@scene("good/gate", RunScreen)
async def run_asks(t: Stage) -> None:
    """The gate asks before COMMIT: what happens when nobody answers is focused, and how long that
    is away."""
    await watched(t, asks)


@scene("good/gate", RunScreen)
async def run_answer(t: Stage) -> None:
    """The answer is asked for once more, with what it comes to; Not yet is focused."""
    await watched(t, asks)
    await t.focus("#choice-1")
    await t.press("enter")


@scene("good/gate", RunScreen)
async def run_abort(t: Stage) -> None:
    """Aborting asks first, and says what becomes of the database."""
    await watched(t, statement(9))
    await t.press("x")


@scene("good/gate", RunScreen, derived="a second console")
async def run_looking(t: Stage) -> None:
    """Another console is at the controls: who, since when, and that this one only looks."""
    await watched(
        t,
        asks,
        controls=Controls(mine=False, holder="kim on jump-1", since="03:12:09 UTC"),
        armed=False,
    )


@scene("good/gate", RunScreen, derived="that the worker died")
async def run_no_worker(t: Stage) -> None:
    """Nothing works on the run any more and the door may be closed: the command that finishes
    it."""
    quiet = t.moment.steady - 12.0
    await watched(t, statement(9), worker="dead", moved_at=quiet, heard_at=quiet)


@scene("good/gate", RunScreen, derived="that the worker stands still")
async def run_stopped(t: Stage) -> None:
    """The run's process exists and does not answer: it may go on at any moment, so wait."""
    await watched(
        t,
        statement(9),
        worker="stopped",
        moved_at=t.moment.steady - 40.0,
        heard_at=t.moment.steady - 40.0,
    )


@scene("good/gate", RunScreen, derived="the damage")
async def run_damaged(t: Stage) -> None:
    """The journal was altered: nothing that it says is believed, and what to do instead."""
    failure = Failure(
        summary=f"{t.walk.folder}/journal.jsonl: line 41 is damaged",
        remedy="Do not trust this journal; ask the database itself (rollback-tui state).",
    )
    await watched(t, statement(9), feed_failure=failure)


@scene("bad/failed", RunScreen)
async def run_failed(_: Stage) -> None:
    """A statement failed: which one, the server's words, that all of it was rolled back, and the
    proof that nothing changed."""


@scene("bad/failed", RunScreen)
async def run_statement(t: Stage) -> None:
    """The failed statement in full, with what the server said of it."""
    await t.press("enter")


@scene("aborted/done", RunScreen)
async def run_aborted(_: Stage) -> None:
    """Aborted at the gate: the database is proven unchanged."""


@scene("caught/done", RunScreen)
async def run_accepted(_: Stage) -> None:
    """A difference that was foreseen and accepted is met again: neither a pass nor a reason to
    stop."""


@scene("good/lose", RunScreen)
async def run_asks_lose(_: Stage) -> None:
    """A recovery counts again behind the closed door: more was written meanwhile than was agreed to
    lose, so it asks."""


@scene("good/brought-back", RunScreen)
async def run_recovery(t: Stage) -> None:
    """A recovery is a run of its own: its steps, each with its result, and the applications' door
    open again."""
    await t.open()
    t.app.screen.query_one("#judged").focus()
