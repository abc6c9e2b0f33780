"""Numbers and names as the screens say them. Plain functions from values to words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollback_tui.core.text import data_size
from rollback_tui.ui.theme import OUTCOME, Tone

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from rollback_tui.core.model import Plan, Session, TableCount
    from rollback_tui.core.outlook import Keepable
    from rollback_tui.core.rehearsal import Rehearsal, Source
    from rollback_tui.core.run_view import RunView

CHOICES = {
    "roll back": "ROLLBACK: the database stays as it was before the run.",
    "commit": "COMMIT: the result stands as it is, with what the verifications said of it.",
    "give up": "The run ends here; nothing was touched, and the applications go on.",
    "wait on": "The run goes on waiting for these sessions; the door is still open.",
    "terminate them": "These sessions are ended; their open transactions are rolled back.",
    "stop": "Nothing is brought back; the database stays as it is now, and the door opens.",
    "bring it back": "The database becomes again what it was when the door closed.",
    "leave it": "The door opens on a database that is half way. The report has the command that"
    " goes on from there.",
}
"""What the answers to a run's question come to, in a sentence."""


def choice_means(choice: str) -> str:
    """Return what an answer comes to; empty where its own words say it."""
    if choice.startswith("lose "):
        return "What was written since is gone then; the database as it is now is kept beside."
    return CHOICES.get(choice, "")


COPIES: dict[Source, str] = {
    "schema": "a schema copy",
    "dump": "the checkpoint",
    "clone": "a copy with its data",
}
"""What a plan is rehearsed on."""


def clock(seconds: float) -> str:
    """Return ``mm:ss``, or ``h:mm:ss`` from an hour on: for ages and running clocks.

    >>> clock(63.9), clock(3725)
    ('01:03', '1:02:05')
    """
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes:02}:{left:02}"


def took(seconds: float | None) -> str:
    """Return a measured duration; empty when there is none.

    >>> took(0.0123), took(4.31), took(75)
    ('12 ms', '4.3 s', '01:15')
    """
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)


def about(seconds: float | None) -> str:
    """Return an estimate, no more exact than it is; ``?`` when there is none.

    >>> about(0.898), about(31.97), about(0.002), about(75), about(None)
    ('~0.9 s', '~32 s', '~0.1 s', '~01:15', '?')
    """
    if seconds is None:
        return "?"
    if seconds < 10:
        return f"~{max(seconds, 0.1):.1f} s"
    return f"~{seconds:.0f} s" if seconds < 60 else f"~{clock(seconds)}"


def rows_of(table: TableCount) -> str:
    """Return the row count, labelled: ``~`` is an estimate, ``?`` is not known.

    An exact zero and an unknown number must never look alike.
    """
    if table.exact is not None:
        return f"{table.exact:,}"
    return "?" if table.estimate is None else f"~{table.estimate:,}"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 check`` or ``2 checks``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def time_of(moment: datetime) -> str:
    """Return the wall clock's time, ``03:12:09``."""
    return moment.strftime("%H:%M:%S")


def version(number: int) -> str:
    """Return ``server_version_num`` as people say it: 180004 is ``18.4``."""
    return f"{number // 10000}.{number % 10000}"


def state_of(session: Session) -> str:
    """Return the session's state, short; ``hidden`` when our role may not see it."""
    short = {
        "idle in transaction": "idle in tx",
        "idle in transaction (aborted)": "aborted tx",
        "fastpath function call": "fastpath",
        "": "hidden" if session.backend_type == "client backend" else "–",
    }
    return short.get(session.state, session.state)


def name_of(session: Session) -> str:
    """Return how a session is named in a sentence: ``pid 4711 (shop-web, shop)``."""
    who = ", ".join(part for part in (session.application, session.user) if part)
    return f"pid {session.pid} ({who})" if who else f"pid {session.pid}"


def outcome_of(view: RunView) -> tuple[str, str, Tone]:
    """Return glyph, words and tone of an ended run: green only when all of it is proven."""
    # What a report is made with: only where there was a run.
    from rollback_tui.core.report.words import status

    glyph, _, tone = OUTCOME[view.outcome or "unfinished"]
    words = status(view)
    if view.outcome == "rolled_back" and any(v.verdict != "pass" for v in view.verifications):
        glyph, tone = "!", "warn"
    return glyph, words[0].lower() + words[1:], tone


def goal_of(plan: Plan) -> str:
    """Return the target version as it is shown and typed; ``none`` when nothing stays. Where no
    version changes, the name of the script that was given by hand."""
    return plan.asked_for


def made_by(plan: Plan) -> str:
    """Return that the scripts were printed by the framework's program, or (partly) captured from
    it; empty where they are files, or nothing has been captured yet."""
    # Twenty-four tools: a plan has loaded them long since.
    from rollback_tui.frameworks.registry import FRAMEWORKS

    framework = FRAMEWORKS.get(plan.framework)
    scripts = [m.script for m in plan.migrations if m.script is not None and m.script.origin]
    if framework is None or plan.by_hand or not scripts:
        return ""
    if framework.kind == "printed":
        return "printed"
    several = sum(script.origin.startswith("captured from ") for script in scripts)
    if not several:
        return ""
    return "captured" if several == len(plan.migrations) else "partly captured"


def writers_of(sessions: tuple[Session, ...]) -> tuple[Session, ...]:
    """Return the sessions that write now and are not ours."""
    return tuple(s for s in sessions if s.writing and not s.ours)


def age(seconds: float | None) -> str:
    """Return how long a transaction is open; an age that we may not see is not a short one.

    >>> age(95.0), age(None)
    ('for 01:35', 'nobody knows how long')
    """
    return "nobody knows how long" if seconds is None else f"for {clock(seconds)}"


def keep_cost(*found: Keepable) -> str:
    """Return what keeping costs, as the estimate that it is; unknown where one part is.

    >>> one = Keepable(statement=1, what="", rows=5, bytes=2048, seconds=None)
    >>> keep_cost(one)
    '~2.0 KiB, nobody knows how long it takes'
    """
    sizes = [k.bytes for k in found if k.bytes is not None]
    times = [k.seconds for k in found if k.seconds is not None]
    room = f"~{data_size(sum(sizes))}" if len(sizes) == len(found) else "nobody knows how much room"
    long = (
        f"~{took(sum(times))} more"
        if len(times) == len(found)
        else ("nobody knows how long it takes")
    )
    return f"{room}, {long}"


def rehearsed_words(rehearsal: Rehearsal | None, total: int) -> tuple[str, Tone]:
    """Return how a rehearsal of ``total`` statements went, in a line."""
    if rehearsal is None:
        return "not rehearsed", "dim"
    where = f"rehearsed on {COPIES[rehearsal.source]}"
    if rehearsal.proven:
        where = "rehearsed on a proven checkpoint"
    done = sum(not m.failed for m in rehearsal.statements)
    if rehearsal.failure:
        return f"{where}: FAILED after {done} of {total}: {rehearsal.failure}", "bad"
    seconds = sum(m.seconds for m in rehearsal.statements)
    differing = len(rehearsal.differences)
    words = f"{where}: {count(done, 'statement')} in {took(seconds)}, "
    words += count(differing, "difference") if differing else "as forecast"
    tone: Tone = "warn" if differing else "good"
    trip = rehearsal.round_trip
    if trip is not None:
        again, known = {
            "pass": ("up ✓", tone),
            "fail": ("up again does NOT give the schema back", "bad"),
            "unknown": ("nobody knows whether up again gives the schema back", "warn"),
        }[trip.verdict]
        words, tone = f"{words}, {again}", known
    return words, tone


def run_of(folder: Path | None) -> str:
    """Return the id of a run as its folder's name has it, eight characters.

    >>> run_of(Path("/srv/rollback_runs/20260314_031209_ab12cd34"))
    'ab12cd34'
    """
    if folder is None:
        return ""
    return folder.name[16:] or folder.name
