"""How far a run came that goes statement by statement: from its row, the catalog, its journal.

The row says how many statements are done, and is written in the same transaction as each of
them that has one. Of a statement outside any transaction only the catalog can tell.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Plan, Statement, Value
from rollback_tui.core.run_view import RunView, StatementView
from rollback_tui.core.text import printable
from rollback_tui.postgres import concurrent, run_row
from rollback_tui.postgres.connect import Connection

State = Literal["done", "half", "to do", "unknown"]

_REPEATABLE = ("VACUUM", "REINDEX", "CLUSTER", "ANALYZE")
"""To do these once more changes nothing that matters."""

_NAMING = ("search_path", "role", "session_authorization", "all")
"""Settings that decide what a name without a schema means."""


class Step(Value, frozen=True, kw_only=True):
    """One statement, as far as it came."""

    index: int
    state: State
    """``half``: to be done, and it left something behind. ``unknown``: it was sent, nobody
    heard an answer, and nothing in the database tells."""
    why: str = ""
    invalid_indexes: tuple[str, ...] = ()
    """What it left half built: to be dropped before it is done again."""
    refused: bool = False
    """The server refused it: it would again, unless the operator says that it is not needed."""


class Standing(Value, frozen=True, kw_only=True):
    """How far all of it came."""

    steps: tuple[Step, ...]
    left: tuple[str, ...]
    """Versions that are still in the framework's table, newest first; where no version is changed,
    those of which not every statement is counted."""

    @property
    def complete(self) -> bool:
        """Whether every version is out, and so every statement done."""
        return not self.left

    def indexes(self, *states: State) -> tuple[int, ...]:
        """Return the statements in one of ``states``, in their order."""
        return tuple(step.index for step in self.steps if step.state in states)

    def touched(self, plan: Plan) -> bool:
        """Whether anything that was done is in the database; a SET is only in its session."""
        if len(self.left) < len(plan.migrations):
            return True
        counted = {s.index for s in plan.statements if not only_for_session(s)}
        return any(step.index in counted and step.state != "to do" for step in self.steps)

    def describe(self) -> str:
        """Return it in words, as it stands in a summary."""
        words = [
            f"statements done: {_listed(self.indexes('done'))}",
            f"not done: {_listed(self.indexes('to do', 'half'))}",
        ]
        words += [
            f"statement {step.index}: {step.why}"
            for step in self.steps
            if step.state in ("half", "unknown")
        ]
        return printable("; ".join(words))


def only_for_session(statement: Statement) -> bool:
    """Whether a statement only sets the session: it must be sent again by whoever goes on."""
    return statement.effect.transactional is True and "changes_session" in statement.effect.hazards


def standing(connection: Connection, view: RunView, applied: list[str]) -> Standing:
    """Return how far the run behind ``view`` came. Only to be asked when its backend is gone, or
    by the run itself between two statements.

    ``applied``: the versions that the framework's table has now. Raises RollbackTuiError when
    the run's row has gone, and psycopg.Error.
    """
    if view.started is None:
        raise RollbackTuiError("the journal is empty", "Name another run.")
    plan = view.started.plan
    counted = _counted(connection, view)
    seen = {s.index: s for s in view.statements}
    found: list[Step] = []
    left = [m.version for m in plan.migrations if m.version in applied]
    if plan.version_stays:
        last = max((s.index for s in plan.statements), default=0)
        counted_all = counted is not None and counted >= last
        left = [] if counted_all else [m.version for m in plan.migrations]
    for migration in plan.migrations:
        for statement in migration.script.statements if migration.script else ():
            if migration.version not in left:
                why = f"{migration.version} is out of the version table"
                if plan.version_stays:
                    why = "the run's row says so"
                found.append(Step(index=statement.index, state="done", why=why))
            else:
                step = _step(connection, view, statement, seen[statement.index], counted)
                refused = seen[statement.index].status == "failed" and step.state != "done"
                found.append(msgspec.structs.replace(step, refused=refused))
    return Standing(steps=tuple(found), left=tuple(left))


def _counted(connection: Connection, view: RunView) -> int | None:
    """How many the run's row says are done; None where there is no row to ask."""
    if view.judge is None or view.judge.judge != "run row" or view.started is None:
        return None
    if not run_row.committed(connection, view.started.run):
        raise RollbackTuiError(
            "the row that the run wrote is not in the database",
            "It was brought back or replaced since: look at the state, and begin anew.",
        )
    return run_row.done(connection, view.started.run) or 0


def _step(
    connection: Connection,
    view: RunView,
    statement: Statement,
    seen: StatementView,
    counted: int | None,
) -> Step:
    index = statement.index
    if counted is not None and index <= counted:
        return Step(index=index, state="done", why="the run's row says so")
    if seen.status in ("done", "skipped"):
        if counted is not None and not seen.alone:
            # It was answered, and the row that went with it is not there: the server lost it.
            return Step(index=index, state="unknown", why="done once, and the server lost it")
        return Step(index=index, state="done", why="the journal has its answer")
    if seen.status == "waiting":
        return Step(index=index, state="to do")
    refused = seen.status == "failed"
    if seen.alone:
        return _by_catalog(connection, view, statement, refused=refused)
    if refused or counted is not None:
        return Step(index=index, state="to do", why="its transaction was rolled back")
    return Step(index=index, state="unknown", why="it was sent, and no answer was heard")


def _by_catalog(
    connection: Connection, view: RunView, statement: Statement, *, refused: bool
) -> Step:
    """Judge a statement that ran outside any transaction. ``refused``: the server answered that
    it failed, so that it may be half done but is not done."""
    kind, index = statement.effect.kind, statement.index
    if kind == "DROP INDEX CONCURRENTLY":
        return _dropped(connection, view, statement, refused=refused)
    if kind.startswith("CREATE") and kind.endswith("INDEX CONCURRENTLY"):
        return _created(connection, view, statement, refused=refused)
    if kind.endswith("DETACH PARTITION CONCURRENTLY"):
        return _detached(connection, view, statement)
    if kind.startswith(_REPEATABLE):
        names = half_built(connection, statement, _invalid_before(view))
        words = f"left behind: {', '.join(names)}" if names else "it may be done again"
        state: State = "half" if names else "to do"
        return Step(index=index, state=state, why=words, invalid_indexes=names)
    if refused:
        return Step(index=index, state="to do", why="the server refused it")
    return Step(index=index, state="unknown", why="it was sent, and no answer was heard")


def half_built(
    connection: Connection, statement: Statement, before: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the invalid indexes that ``statement`` left and that are to be dropped before it is
    done again. ``before``: those that were invalid already. Raises psycopg.Error."""
    kind = statement.effect.kind
    if kind.startswith("CREATE") and kind.endswith("INDEX CONCURRENTLY"):
        table = statement.effect.objects[0]
        return tuple(i.name for i in concurrent.made_invalid(connection, before, table))
    if kind.startswith("REINDEX"):
        made = concurrent.made_invalid(connection, before, None)
        return tuple(i.name for i in made if i.transient)
    return ()


def detaching(statement: Statement) -> tuple[str, str] | None:
    """Return parent and partition of a DETACH PARTITION CONCURRENTLY; None for all else."""
    objects = statement.effect.objects
    if not statement.effect.kind.endswith("DETACH PARTITION CONCURRENTLY") or len(objects) != 2:
        return None
    return objects[0], objects[1]


def _dropped(connection: Connection, view: RunView, statement: Statement, *, refused: bool) -> Step:
    index, name = statement.index, statement.effect.drops[0][1]
    if not _sure(view, statement, name):
        return _unsure(index, name)
    state = concurrent.index_state(connection, name)
    if state == "invalid":
        return Step(index=index, state="half", why=f"index {name} is there, but INVALID")
    if state == "gone" and not refused:
        return Step(index=index, state="done", why=f"index {name} is gone")
    return Step(index=index, state="to do", why=f"index {name}: {state}")


def _created(connection: Connection, view: RunView, statement: Statement, *, refused: bool) -> Step:
    index, creates = statement.index, statement.effect.creates
    table = statement.effect.objects[0]
    if not _sure(view, statement, table):
        return _unsure(index, table)
    names = half_built(connection, statement, _invalid_before(view))
    if names:
        words = f"half built and INVALID: {', '.join(names)}"
        return Step(index=index, state="half", why=words, invalid_indexes=names)
    if refused:
        return Step(index=index, state="to do", why="the server refused it")
    if not creates:
        return _unsure(index, f"the index without a name on {table}")
    state = concurrent.index_state(connection, creates[0][1])
    if state == "valid":
        return Step(index=index, state="done", why=f"index {creates[0][1]} is there and valid")
    return Step(index=index, state="to do", why=f"index {creates[0][1]}: {state}")


def _detached(connection: Connection, view: RunView, statement: Statement) -> Step:
    index, names = statement.index, detaching(statement)
    if names is None or not all(_sure(view, statement, name) for name in names):
        return _unsure(index, "the partition")
    state = concurrent.part_state(connection, *names)
    if state == "pending":
        return Step(index=index, state="half", why=f"the detaching of {names[1]} is pending")
    if state == "detached":
        return Step(index=index, state="done", why=f"{names[1]} is detached")
    return Step(index=index, state="to do", why=f"{names[1]} is still attached")


def _unsure(index: int, name: str) -> Step:
    words = f"it was sent, no answer was heard, and nobody can tell which one {name} is"
    return Step(index=index, state="unknown", why=words)


def _sure(view: RunView, statement: Statement, name: str) -> bool:
    """Whether ``name`` means here what it meant there: it is qualified, or nothing before it in
    its script has changed where names are looked up."""
    earlier = _script_of(view, statement.index)
    return "." in name or not any(_moves_names(s) for s in earlier if s.index < statement.index)


def _moves_names(statement: Statement) -> bool:
    """``SET search_path``, also in its other spellings; a role has a schema of its own in it."""
    effect = statement.effect
    if "changes_session" not in effect.hazards:
        return False
    words = {word.lower() for word in effect.objects}
    return effect.kind not in ("SET", "RESET") or not words.isdisjoint(_NAMING)


def _invalid_before(view: RunView) -> tuple[str, ...]:
    return view.steps.invalid_indexes if view.steps else ()


def _script_of(view: RunView, index: int) -> tuple[Statement, ...]:
    """Return the statements of the script that statement ``index`` is in."""
    migrations = view.started.plan.migrations if view.started else ()
    scripts = (m.script.statements for m in migrations if m.script)
    return next(found for found in scripts if any(s.index == index for s in found))


def resume_commands(view: RunView) -> tuple[str, ...]:
    """Return what goes on where a run stopped; nothing for a run that has nothing to go on with."""
    begun = view.started
    if begun is None or view.steps is None or view.committed or view.swapped is not None:
        return ()
    command = f"rollback-tui run --confirm {begun.target.database} --resume {begun.run}"
    first = begun.plan.migrations[0].script
    refused = view.failure.index if view.failure else 0
    if not refused or first is None or refused > len(first.statements):
        # Of a later migration it would have another number: those before are crossed out.
        return (command,)
    return (
        command,
        f"{command} --skip {refused}   # when what statement {refused} is for is so already",
    )


def _listed(indexes: tuple[int, ...]) -> str:
    return ", ".join(map(str, indexes)) or "none"
