"""What of a plan, and of all that it sets off, reaches beyond the database it runs in.

A scratch database is no cage: a script runs in it with real power. What reaches the whole server
is rehearsed on a server of our own; what reaches files, programs or other servers is rehearsed
nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Statement
from rollback_tui.core.script.reach import (
    Far,
    Reach,
    calls_nothing,
    defined,
    reach,
    reach_of_text,
    runs_attached,
    without_comments,
)
from rollback_tui.core.script.tree import Node
from rollback_tui.core.text import printable
from rollback_tui.parser import Parser
from rollback_tui.postgres.aside import aside, query
from rollback_tui.postgres.connect import Connection

_WORD = re.compile(r"\w+")


class _Thing(NamedTuple):
    """A function, or a relation that is not of this database."""

    name: str
    body: str
    danger: str
    """Why it reaches beyond, whatever its body says; empty: it does not by itself."""
    how: str
    """``event``: runs inside DDL. ``table``: hangs on a table. Empty: only when it is called."""


def reaching(connection: Connection, statements: Sequence[Statement]) -> tuple[str, Far] | None:
    """Return why ``statements`` may not run beside the target, and how far they reach.

    None: all of it stays in its database, as far as names and bodies tell. Raises psycopg.Error.
    """
    if not statements:
        return None
    with Parser() as parser:
        trees = parser.trees([statement.sql for statement in statements])
    found: list[tuple[Statement, Reach]] = []
    for statement, tree in zip(statements, trees, strict=True):
        own = reach(statement.sql, tree)
        if own is not None:
            found.append((statement, own))
    found += _set_off(connection, statements, trees)
    if not found:
        return None
    statement, worst = min(found, key=lambda pair: pair[1].far)  # "beyond" before "server"
    return f"statement {statement.index} (line {statement.line}): {worst.why}", worst.far


def refuse_beyond(why: str) -> RollbackTuiError:
    """Return the refusal of what may be rehearsed nowhere."""
    return RollbackTuiError(
        f"This plan is not rehearsed: {why}",
        "A scratch database would not hold that back. Look at the statement, and rely on the"
        " checkpoint.",
    )


def _set_off(
    connection: Connection, statements: Sequence[Statement], trees: Sequence[Node | None]
) -> list[tuple[Statement, Reach]]:
    """Return what the functions and relations do that each statement sets off."""
    with aside(connection, seconds=20) as cursor:
        things = [_Thing(*row) for row in cursor.execute(query("attached").encode())]
    for statement, tree in zip(statements, trees, strict=True):
        made, danger = defined(tree)
        if made:
            things.append(_Thing(made, statement.sql, danger, "table"))
    known: dict[str, list[_Thing]] = {}
    for thing in things:
        known.setdefault(_word(thing.name), []).append(thing)
    hanging = {
        code: _followed([t for t in things if t.how == "event" or (code and t.how)], known)
        for code in (False, True)
    }
    found: list[tuple[Statement, Reach]] = []
    for statement, tree in zip(statements, trees, strict=True):
        named = set() if calls_nothing(tree) else _words(without_comments(statement.sql))
        begin = [thing for word in named & known.keys() for thing in known[word]]
        for reached in (*_followed(begin, known), *hanging[runs_attached(tree)]):
            found.append((statement, reached))
    return found


def _followed(begin: Iterable[_Thing], known: Mapping[str, Sequence[_Thing]]) -> list[Reach]:
    """Follow the names in bodies from function to function, and return what is reached."""
    seen: set[_Thing] = set()
    waiting = list(begin)
    found: list[Reach] = []
    while waiting:
        thing = waiting.pop()
        if thing in seen:
            continue
        seen.add(thing)
        why = Reach(far="beyond", why=thing.danger) if thing.danger else reach_of_text(thing.body)
        if why is not None:
            name = printable(thing.name)
            found.append(Reach(far=why.far, why=f"it may set off {name}: {why.why}"))
        for word in _words(thing.body) & known.keys():
            waiting += known[word]
    return found


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _word(name: str) -> str:
    """The word by which a name is found in a text: of ``"Far away"``, the longest one."""
    return max(_WORD.findall(name.lower()), key=len, default="")
