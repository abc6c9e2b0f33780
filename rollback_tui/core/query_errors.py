"""Do the application's queries fail since the door opened, and because of what the run removed?

Three witnesses, none of which sees everything: the server's counters of transactions that were
rolled back, its log, and the application's own log files. An error speaks against the run when it
names what the run removed; a clear jump of the share of transactions that were rolled back does
so without a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rollback_tui.core.model import Plan, Value, Verdict, Verification
from rollback_tui.core.names import parts
from rollback_tui.core.rehearsal import Rehearsal
from rollback_tui.core.schema import Difference
from rollback_tui.core.text import printable, shorten

NAME = "query_errors"
_TITLE = "No query errors after opening"
_LISTED = 8
_WIDTH = 200

_ENOUGH = 20
"""Transactions below which a share says nothing."""
_AT_LEAST = 5
"""Transactions rolled back that a jump has at the least."""
_USUAL = 0.05
_USELESS = 0.25
"""Where so many are rolled back at all times (some drivers end every reading with ROLLBACK), their
share cannot show an error."""

UNDEFINED = frozenset({"42P01", "42703", "42883", "42704", "3F000"})
"""undefined_table, undefined_column, undefined_function, undefined_object, invalid_schema_name
(PostgreSQL's documentation, appendix A)."""
_RULES = frozenset({"23502", "23514", "23505", "23503", "23P01", "22001"})
"""What a rule that came back refuses: not null, check, unique, foreign key, exclusion, length."""

_ABSENT = re.compile(
    r"""\b(column|relation|table|view|sequence|index|function|procedure|aggregate|type|schema)\s+
        (.{1,200}?)\s+does\ not\ exist""",
    re.VERBOSE,
)
_BROKEN = re.compile(
    r"""violates\ [\w\ -]*constraint|value\ too\ long\ for\ type""",
    re.VERBOSE,
)
_OBJECT = re.compile(
    r"""(?P<kind>[a-z]+(?:\ [a-z]+)*?)\ (?P<name>[^\s"]*[."].*|\S+)""", re.VERBOSE | re.DOTALL
)
"""An object of a snapshot: its kind in small words, then its name, which may hold spaces."""
_WORD = re.compile(r'"([^"]+)"|([\w$.]+)')


class Named(Value, frozen=True, kw_only=True):
    """Something that an error may name because of the run."""

    kind: str
    """``column``, ``table`` …, or ``rule``: one that the run brought back."""
    name: str
    """Qualified, quoted where needed."""


class LoggedError(Value, frozen=True, kw_only=True):
    """An error in a log, later than the opening."""

    source: str
    """``the server's log``, or the name of a file."""
    text: str
    """Not yet printable."""
    sqlstate: str = ""
    """Empty: the log does not say."""
    application: str = ""


class Counters(Value, frozen=True, kw_only=True):
    """One look at the target in ``pg_stat_database``."""

    commits: int
    rollbacks: int
    fatal: int | None = None
    """``sessions_fatal``: ended by an error, since PostgreSQL 14."""
    abandoned: int | None = None
    """``sessions_abandoned``: the client was lost; likewise."""
    reset: str = ""
    """When they were set to zero."""

    @property
    def transactions(self) -> int:
        """All that ended."""
        return self.commits + self.rollbacks

    @property
    def share(self) -> float | None:
        """The share that was rolled back; None: too few to say."""
        return self.rollbacks / self.transactions if self.transactions >= _ENOUGH else None

    def since(self, before: Counters) -> Counters | None:
        """Return what was counted between two looks; None when they were set to zero between."""
        if self.reset != before.reset or self.transactions < before.transactions:
            return None

        def grown(now: int | None, then: int | None) -> int | None:
            return None if now is None or then is None else max(0, now - then)

        return Counters(
            commits=max(0, self.commits - before.commits),
            rollbacks=max(0, self.rollbacks - before.rollbacks),
            fatal=grown(self.fatal, before.fatal),
            abandoned=grown(self.abandoned, before.abandoned),
        )


class Seen(Value, frozen=True, kw_only=True):
    """All that was looked at, from the opening of the door on."""

    seconds: float
    sessions: int
    """Sessions of applications that asked something."""
    ours: int = 0
    """Sessions of our own beside the run's, such as a screen: what they look up ends with ROLLBACK,
    about twice a second, and is in the counters too."""
    usual: float | None = None
    """The highest share of transactions rolled back before; None: not known."""
    counted: Counters | None = None
    """Since the opening; None: could not be read."""
    errors: tuple[LoggedError, ...] = ()
    read: tuple[str, ...] = ()
    """The logs that were read."""
    unread: tuple[str, ...] = ()
    """Those that were not, with the reason."""


def removed(plan: Plan, rehearsal: Rehearsal | None) -> tuple[Named, ...]:
    """Return what the plan is known to remove, and the rules that it brings back."""
    found = [
        Named(kind=kind, name=name)
        for statement in plan.statements
        for kind, name in (*statement.effect.drops, *statement.effect.collateral)
    ]
    found += [
        Named(kind="rule", name=f"{violation.relation}.{violation.name}")
        for statement in plan.statements
        for violation in statement.violations
    ]
    if rehearsal is not None and rehearsal.changes is not None:
        found += gone(rehearsal.changes)
    return tuple(dict.fromkeys(found))


def gone(differences: Iterable[Difference]) -> tuple[Named, ...]:
    """Return the objects that are not there any more, before → after."""
    found = []
    for one in differences:
        if one.after is None and not one.cosmetic and (match := _OBJECT.fullmatch(one.object)):
            found.append(Named(kind=match["kind"], name=match["name"]))
    return tuple(found)


def blames(error: LoggedError, names: Sequence[Named]) -> Named | None:
    """Return what the run removed, or brought back, and ``error`` names; None: nothing of it."""
    text = error.text.replace('\\"', '"')
    if not error.sqlstate or error.sqlstate in UNDEFINED:
        for kind, what in _ABSENT.findall(text):
            for one in names:
                if one.kind != "rule" and _same(kind, what, one):
                    return one
    if error.sqlstate in _RULES or (not error.sqlstate and _BROKEN.search(text)):
        words = {word.casefold() for pair in _WORD.findall(text) for word in pair if word}
        for one in names:
            chain = [part.casefold() for part in parts(one.name)]
            if one.kind == "rule" and len(chain) > 1 and set(chain[-2:]) <= words:
                return one
    return None


def undefined(error: LoggedError) -> bool:
    """Whether it says that something does not exist, whoever removed it."""
    return error.sqlstate in UNDEFINED or (
        not error.sqlstate and _ABSENT.search(error.text.replace('\\"', '"')) is not None
    )


def speaks(error: LoggedError) -> bool:
    """Whether a line of an application's log, which may be anything, is about such an error."""
    return undefined(error) or _BROKEN.search(error.text) is not None


def _same(kind: str, what: str, one: Named) -> bool:
    """Compare a name in one of the server's messages with what was removed.

    The messages quote a qualified name as a whole (``relation "public.tokens"``), and name a
    column by its alias (``column u.verified_at``) or with its table (``column "a" of relation
    "t"``).
    """
    chain = [part.casefold() for part in parts(one.name)]
    if not chain:
        return False
    words = [word for pair in _WORD.findall(what.partition("(")[0]) for word in pair if word]
    said = [part.casefold() for part in words[0].split(".")] if words else [""]
    if kind == "column":
        if "column" not in one.kind or said[-1] != chain[-1]:
            return False
        table = words[-1].split(".")[-1].casefold() if " of relation " in what else ""
        return not table or len(chain) < 2 or table == chain[-2]
    if "column" in one.kind:
        return False
    least = min(len(said), len(chain))
    return said[-least:] == chain[-least:]


def judge(seen: Seen | None, names: Sequence[Named], why: str = "") -> Verification:
    """Judge what was seen; None: nothing was looked at, for the reason ``why``."""
    if seen is None:
        return Verification(name=NAME, title=_TITLE, verdict="unknown", summary=why)
    to_blame = [(error, one) for error in seen.errors if (one := blames(error, names))]
    others = [error for error in seen.errors if not blames(error, names)]
    evidence = [_line(error) for error, _ in to_blame] + [_line(error) for error in others]
    left = len(evidence) - _LISTED
    evidence = evidence[:_LISTED] + ([f"… and {left:,} more"] if left > 0 else [])
    verdict, summary = _verdict(seen)
    if to_blame:
        objects = ", ".join(dict.fromkeys(f"{one.kind} {one.name}" for _, one in to_blame))
        one_or_more = "1 error names" if len(to_blame) == 1 else f"{len(to_blame):,} errors name"
        verdict, summary = "fail", f"{one_or_more} what the run changed: {shorten(objects, 100)}"
    elif others and verdict == "pass":
        summary += (
            f"; {len(others):,} other {'error' if len(others) == 1 else 'errors'} in the logs"
        )
    return Verification(
        name=NAME,
        title=_TITLE,
        verdict=verdict,
        summary=summary,
        evidence=(*evidence, *_looked_at(seen)),
        seconds=round(seen.seconds, 3),
    )


def _verdict(seen: Seen) -> tuple[Verdict, str]:
    """The verdict by the counters, as long as no error names anything."""
    window = f"in {seen.seconds:.0f} s" if seen.seconds >= 1 else f"in {seen.seconds:.1f} s"
    if not seen.sessions:
        return "unknown", f"no application asked anything {window}"
    counted = seen.counted
    if counted is None or not counted.transactions:
        if seen.read:
            return "pass", f"no error {window} in {' and '.join(seen.read)}"
        return "unknown", f"no transaction was counted {window}"
    total = f"{counted.rollbacks:,} of {counted.transactions:,} transactions rolled back {window}"
    theirs = max(0.0, counted.rollbacks - seen.ours * 2 * seen.seconds)
    share = theirs / counted.transactions
    if theirs < _AT_LEAST or share <= _USUAL:
        return "pass", total
    if seen.usual is None:
        return "unknown", f"{total}; nobody knows whether that is usual"
    usual = f"{total}, before {seen.usual:.0%}"
    if seen.usual > _USELESS:
        # The share says nothing here. The logs may.
        return ("pass" if seen.read else "unknown"), usual
    if share > 3 * seen.usual and counted.transactions >= _ENOUGH:
        return "fail", usual
    return "pass", usual


def _looked_at(seen: Seen) -> list[str]:
    lines = [f"read: {printable(', '.join(seen.read))}"] if seen.read else []
    lines += [f"not read: {printable(one)}" for one in seen.unread]
    counted = seen.counted
    if counted is not None and counted.fatal:
        lines.append(f"{_sessions(counted.fatal)} ended by an error")
    if counted is not None and counted.abandoned:
        lines.append(f"{_sessions(counted.abandoned)} whose client was lost")
    return lines


def _sessions(number: int) -> str:
    return f"{number:,} session{'' if number == 1 else 's'}"


def _line(error: LoggedError) -> str:
    state = f" {error.sqlstate}" if error.sqlstate else ""
    who = f" ({error.application})" if error.application else ""
    return printable(f"{error.source}{who}:{state} ") + shorten(error.text, _WIDTH)
