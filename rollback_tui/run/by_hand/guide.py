"""How to bring the database back without the tool: this run's own paths, names and commands.

Only what the journal knows goes into it, and the configuration: no server is asked, so that it can
be made while nobody can connect. It stands in the run's folder as ``RECOVERY.md``, and is written
anew whenever something that it says has changed.
"""

# ruff: noqa: S608 - nothing is sent: it is text for a person, names and strings quoted by pasted
from __future__ import annotations

import contextlib
import functools
import shutil
from pathlib import Path

from rollback_tui.checkpoint.storage import write_whole
from rollback_tui.config import Settings
from rollback_tui.core import events as ev
from rollback_tui.core.model import Plan
from rollback_tui.core.run_view import RunView
from rollback_tui.core.text import markdown
from rollback_tui.postgres.server_tools import find_tool
from rollback_tui.run.by_hand import pasted
from rollback_tui.run.by_hand import restore as by_hand_restore
from rollback_tui.run.by_hand.pasted import block, identifier, literal, word
from rollback_tui.run.by_hand.situation import Situation, end_sessions, situation

GUIDE = "RECOVERY.md"
"""The file in a run's folder."""

_CHANGES = (
    ev.RunStarted,
    ev.CheckpointMade,
    ev.RestorePointMade,
    ev.MaintenanceChanged,
    ev.DoorPrepared,
    ev.DoorClosed,
    ev.DoorOpened,
    ev.CloneStarted,
    ev.CloneMade,
    ev.CloneDropped,
    ev.RunRowInserted,
    ev.StepsStarted,
    ev.Committed,
    ev.TransactionRolledBack,
    ev.SwapStarted,
    ev.Swapped,
    ev.RunFinished,
)
"""What the guide speaks of. None of them comes once a statement."""

_ENDED = {
    "refused": "**refused**: nothing was touched",
    "rolled_back": "**rolled back**",
    "unchanged": "**unchanged**: it failed, and the database is as before",
    "recovered": "**recovered**: it failed, and the database was brought back",
    "needs_operator": "**the operator is needed**",
}


def keep_current(folder: Path, view: RunView, settings: Settings, event: ev.AnyEvent) -> None:
    """Write the guide into the run's folder when ``event``, already in ``view``, changes what it
    says. Before the door closes, that is: ``DoorClosed`` is journaled first. Nothing is raised: a
    guide that cannot be written is no reason to stop a run, and ``rollback-tui guide`` makes it
    anew from the journal."""
    if isinstance(event, _CHANGES):
        with contextlib.suppress(Exception):
            write_whole(folder / GUIDE, guide(view, settings).encode())


def guide(view: RunView, settings: Settings) -> str:
    """Return the manual guide as Markdown, from what the journal knows."""
    begun = view.started
    if begun is None:
        return "# Recovery by hand\n\nNo run has begun in this journal: nothing was touched.\n"
    here = situation(view, begun, settings)
    sections = (
        ("Where things stand", _stand(here)),
        ("Is anything still at work?", _at_work(here)),
        ("Look where the database is", _look(here)),
        ("What does it hold?", _holds(here)),
        ("Open the door", _door(here)),
        ("Switch maintenance mode off", _maintenance(here)),
        ("Tell the tool", _settle(here)),
        ("Bring back what was there before", by_hand_restore.bring_back(here)),
        ("Verify", by_hand_restore.verify(here)),
        ("Start the services, follow the logs", by_hand_restore.services(here)),
        ("Or apply the migration again", by_hand_restore.apply_again(here)),
    )
    head = [
        f"# Recovery by hand: {markdown(here.database)}, run {markdown(here.short)}",
        _use(here),
    ]
    texts = [
        f"## {number}. {title}\n\n{text}" for number, (title, text) in enumerate(sections) if text
    ]
    return "\n\n".join((*head, *texts)) + "\n"


def _use(here: Situation) -> str:
    text = (
        "Without the tool: a shell on a machine that reaches the server, `psql` and, for a dump,"
        " `pg_restore`. Go through the sections in order; each block can be pasted as it is."
        " Passwords come from `PGPASSFILE` or `~/.pgpass`; anything else that your connection needs"
        " (`PGSSLMODE` …) from the environment. Renaming needs the owner with `CREATEDB`, or a"
        " superuser: put another role behind `-U` where this one may not."
    )
    directory = _programs(here.begun.target.major)
    if directory:
        text += "\n\n" + block(f'export PATH={word(directory)}:"$PATH"')
    return text


@functools.lru_cache
def _programs(major: int) -> str:
    """Return where psql is when it is not on the PATH; empty when it is, or is nowhere."""
    if shutil.which("psql"):
        return ""
    tool = find_tool("psql", major)
    return str(Path(tool.path).parent) if tool else ""


def _stand(here: Situation) -> str:
    view, begun = here.view, here.begun
    done = ", ".join(m.version for m in begun.plan.migrations) or "nothing"
    what = {
        "rollback": _rolls_back(begun.plan, done),
        "recover": f"brings back what the run in {begun.recovers} left",
        "reapply": f"applies again what the run in {begun.recovers} rolled back",
    }[begun.task]
    ended = view.finished
    lines = [
        f"The run {markdown(here.begun.run)} {markdown(what)}.",
        f"Outcome: {_ENDED[ended.outcome]}. {markdown(ended.summary)}"
        if ended
        else "It has **no outcome**: it goes on, or it was interrupted. This was written"
        f" {view.elapsed:.1f} s after its beginning"
        + (f" ({view.started_at:%Y-%m-%d %H:%M:%S} UTC)" if view.started_at else ""),
        _transaction(view),
        _door_stands(here),
    ]
    if view.maintenance_on:
        lines.append("Maintenance mode is **on**")
    if view.checkpoint:
        made = view.checkpoint
        lines.append(
            f"Checkpoint: {markdown(made.path)}, made {made.created_at:%Y-%m-%d %H:%M:%S} UTC"
        )
    elif begun.task == "rollback" and not view.restore_point:
        lines.append("There is **no checkpoint** of this run")
    if view.restore_point:
        lines.append(f"Restore point of {view.restore_point.provider}: {view.restore_point.name}")
    if view.clone:
        lines.append(f"Clone, as it was when the door closed: {markdown(view.clone.database)}")
    elif view.clone_started:
        lines.append(
            f"A clone was begun, and may be there: {markdown(view.clone_started.database)}"
        )
    if view.swapped:
        lines.append(
            "Another database **has taken the place** of the one that the run began with, which"
            f" is kept as {markdown(view.swapped.kept)}"
        )
    elif view.swap_started:
        lines.append(
            f"{markdown(view.swap_started.new)} was about to take its place; section 2 shows"
            " whether it did"
        )
    if view.kept:
        lines.append(f"What was removed is kept in the schema {markdown(view.kept[0].schema)}")
    lines += [f"Alarm: {markdown(alarm.summary)}" for alarm in view.alarms]
    return "\n".join(f"- {line}" for line in lines)


def _rolls_back(plan: Plan, done: str) -> str:
    if plan.version_stays:
        return f"runs {plan.by_hand}, given by hand; no version is changed"
    return f"rolls back {done}; afterwards the version is {plan.goal or 'none'}"


def _transaction(view: RunView) -> str:
    if view.committed:
        return "The rollback is **committed**"
    if view.steps:
        done = sum(s.status == "done" for s in view.statements)
        return f"It went statement by statement: {done} of {len(view.statements)} are known done"
    if view.unchanged and view.unchanged.proven:
        return f"Nothing was committed, and nothing has changed ({view.unchanged.basis} compared)"
    if view.judge is None:
        return "No transaction was begun in which anything could have been committed"
    return "Whether the transaction was committed: section 3"


def _door_stands(here: Situation) -> str:
    closed, view = here.view.door_closed, here.view
    if closed is None:
        if view.placeholder and not view.finished:
            return f"The door is open; {markdown(view.placeholder)} is an empty placeholder"
        return "The door is open" if view.door else "The door was not closed"
    if closed.rung == "rename":
        return (
            f"The door is **closed** (or was about to be): the database is called"
            f" {markdown(closed.renamed_to)}, and an empty placeholder has its name"
        )
    if closed.rung == "limit":
        return (
            "The door is **closed** (or was about to be): its connection limit is 0; before it"
            f" was {closed.connection_limit}"
        )
    return "The door is closed only by ending sessions: nothing is left to open"


def _at_work(here: Situation) -> str:
    begun = here.begun
    host = f" on {markdown(begun.operator.host)}" if begun.operator.host else ""
    if here.view.finished:
        return f"No: the run has its outcome. (Its process was {begun.worker_pid}{host}.)"
    find = (
        "SELECT pid, datname, application_name, state, query_start FROM pg_stat_activity"
        " WHERE application_name LIKE 'rollback_tui%';"
    )
    return "\n\n".join(
        (
            f"The run's process{host}:",
            block(f"ps -o pid,lstart,args -p {begun.worker_pid} || echo 'it has ended'"),
            "While it is there (`rollback_tui worker`), leave the database to it: it opens the door"
            f" itself. To end it: `kill {begun.worker_pid}`, and it rolls back what is not"
            " committed. Sessions of it on the server:",
            block(here.psql(find)),
            "One that outlives the process is ended with `SELECT pg_terminate_backend(PID);`.",
        )
    )


def _look(here: Situation) -> str:
    begun = here.begun
    view = here.view
    numbers = {begun.target.database_oid: "the one that the run began with"}
    if view.door_closed and view.door_closed.placeholder_oid:
        numbers[view.door_closed.placeholder_oid] = "the placeholder"
    if view.clone:
        numbers[view.clone.oid] = "the clone"
    if view.swap_started:
        numbers.setdefault(view.swap_started.new_oid, "what was to take its place")
    cases = " ".join(f"WHEN {oid} THEN {literal(what)}" for oid, what in numbers.items())
    query = (
        f"SELECT oid, datname, datallowconn, datconnlimit, CASE oid {cases} END AS what",
        f"FROM pg_database WHERE oid IN ({', '.join(map(str, numbers))})"
        f" OR datname = {literal(here.database)}"
        f" OR datname LIKE {literal('%' + here.short)} ORDER BY oid;",
    )
    return block(here.psql(*query))


def _holds(here: Situation) -> str:
    begun = here.begun
    plan, judge = begun.plan, here.view.judge
    texts = ["No version tells: the script was given by hand, and none is changed."]
    if not plan.version_stays:
        newest = f"SELECT * FROM {pasted.relation(plan.version_table)} ORDER BY 1 DESC LIMIT 5;"
        texts = [
            f"The newest versions in {markdown(plan.version_table)}:",
            block(here.server.psql(here.now, newest)),
            _versions_mean(here),
        ]
    if judge is not None and judge.judge == "run row":
        texts += [
            "The run's own row was written in the same transaction: it is there exactly when the"
            " rollback was committed.",
            block(
                here.server.psql(
                    here.now,
                    "SELECT to_regclass('rollback_tui.runs') IS NOT NULL AS there \\gset",
                    "\\if :there",
                    "SELECT run, operator, inserted_at FROM rollback_tui.runs"
                    f" WHERE run = {literal(here.begun.run)};",
                    "\\else",
                    "\\echo 'there is no such table: nothing was committed'",
                    "\\endif",
                )
            ),
        ]
    if here.now != here.database:
        texts.append("Where section 2 shows the database under its own name, put that behind `-d`.")
    return "\n\n".join(texts)


def _versions_mean(here: Situation) -> str:
    plan = here.begun.plan
    before, after = (markdown(v or "No version") for v in (plan.current, plan.goal))
    if here.begun.task == "recover":
        return (
            f"{before} is the version before the rollback: the recovery has taken place."
            f" {after} means that it has not."
        )
    done = "the rollback is" if here.begun.task == "rollback" else "the migrations are"
    return (
        f"{before} means that nothing was committed: there is nothing to restore, only the door to"
        f" open. {after} means that {done} committed."
    )


def _door(here: Situation) -> str:
    closed = here.view.door_closed
    name = identifier(here.database)
    if closed is None:
        return _left_placeholder(here) or "It is open: nothing to do."
    if closed.rung == "terminate":
        return "It was closed only by ending sessions: nothing to do."
    stop = (
        "You are going to restore (section 7)? Stop the services first, so that nobody writes what"
        " is then lost."
    )
    if closed.rung == "limit":
        text = f"ALTER DATABASE {name} CONNECTION LIMIT {closed.connection_limit};"
        return f"{stop}\n\n{block(here.psql(text))}"
    oids = [here.begun.target.database_oid]
    oids += [closed.placeholder_oid] if closed.placeholder_oid else []
    oids += [here.view.swap_started.new_oid] if here.view.swap_started else []
    give_back = (
        end_sessions(f"datid IN ({', '.join(map(str, oids))})"),
        "BEGIN;",
        f"ALTER DATABASE {name} RENAME TO {identifier(closed.placeholder)};",
        f"ALTER DATABASE {identifier(closed.renamed_to)} RENAME TO {name};",
        "COMMIT;",
    )
    spare = identifier(closed.placeholder)
    return "\n\n".join(
        (
            stop,
            f"Section 2 shows {markdown(closed.renamed_to)}: the two get their own names back. Does"
            f" nobody have the name {markdown(here.database)}, leave the first RENAME out. Is it"
            " in use (“is being accessed by other users”), the same again.",
            block(here.psql(*give_back)),
            "Always, also when it was never renamed:",
            block(here.psql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true;")),
            "Now the empty placeholder can go:",
            block(here.psql(f"DROP DATABASE IF EXISTS {spare};")),
        )
    )


def _left_placeholder(here: Situation) -> str:
    spare = here.view.placeholder
    if not spare or here.view.finished:
        return ""
    return (
        f"It is open. {markdown(spare)} is an empty placeholder that may be left; it can go:\n\n"
        + block(here.psql(f"DROP DATABASE IF EXISTS {identifier(spare)};"))
    )


def _maintenance(here: Situation) -> str:
    if not here.view.maintenance_on:
        return "It is not on."
    off = here.settings.maintenance.off
    if off.flag_file:
        path = off.flag_file
        where = "" if path.startswith("/") else " (in the project's directory)"
        return f"Remove its flag file{where}:\n\n" + block(f"rm -f -- {word(path)}")
    kind = "command" if off.command else "url" if off.url else "sql" if off.sql else ""
    if not kind:
        return "It was switched on, and no `[maintenance.off]` is configured: by hand."
    # What it says may hold a secret, and this file may be sent to somebody.
    return f"Use the `{kind}` of `[maintenance.off]` in `rollback.toml` by hand."


def _settle(here: Situation) -> str:
    if here.view.finished:
        return "It knows: the run has its outcome."
    return "\n\n".join(
        (
            "Where the tool can be started, in the project's directory: it finds out what the"
            " database holds, opens what is still closed, and gives the run its outcome. It does no"
            " harm when you have done some of it by hand. Do it before anything is restored: of a"
            " database that was replaced it can only say that it is another one.",
            block(f"rollback-tui settle {word(here.short)}"),
        )
    )
