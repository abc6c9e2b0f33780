"""Queries that still name what a plan takes away.

Asked of ``pg_stat_activity`` (what each session runs, or ran last) and, where it is installed and
may be read, of ``pg_stat_statements`` (what was called since the statistics were reset). Only
whole identifiers count, see :mod:`rollback_tui.core.names`. A column counts when its own name and
its table's stand in one query; ``SELECT *`` names no column, and what a function does is not seen.
So this finds who is not done with it, and never proves that nobody needs it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import psycopg
from psycopg import sql

from rollback_tui.core.model import Plan, Statement
from rollback_tui.core.names import Chain, chains, parts, same
from rollback_tui.core.outlook import Mention
from rollback_tui.core.text import printable, shorten
from rollback_tui.postgres.aside import aside, query
from rollback_tui.postgres.connect import Connection

_QUERY_WIDTH = 300
_MOST = 200
_SOUGHT = 300
"""Names that the server itself looks for; with more of them all texts are fetched."""

_ON_TABLES = frozenset({"column", "table column", "default", "constraint", "table constraint"})
_NEVER_NAMED = frozenset(
    {"index", "trigger", "policy", "rule", "cast", "extension", "comment", "statistics"}
    | {"publication", "subscription", "database", "event trigger", "default", "owned"}
    | {"constraint", "table constraint", "domain constraint", "default value", "transform"}
)
"""Classes that no query of an application names."""

_USES = frozenset(
    {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE", "COPY", "CALL"}
    | {"DECLARE", "PREPARE", "REFRESH", "TRUNCATE", "("}
)
"""First words of what an application does all day. DDL is a migration's, and LOCK is pg_dump's."""

_RENAMES = re.compile(r"ALTER (?P<what>.+) … RENAME(?P<column> COLUMN)?")
_FIRST = re.compile(r"(?:\s+|--[^\n\r]*|/\*.*?\*/)*(\w+|.|\Z)", re.DOTALL)
_DUMPED = re.compile(r"\s*COPY\s.*\sTO\s+stdout\W*\Z", re.DOTALL | re.IGNORECASE)
_CATALOGS = ("pg_catalog", "information_schema")


class _Goes(NamedTuple):
    """Something that will not be there any more."""

    statement: int
    shown: str
    """Its name as it is shown."""
    relation: Chain
    """Its table's name, for a column; else its own."""
    column: str | None

    @property
    def key(self) -> str:
        """The word without which no query names it."""
        return self.column if self.column is not None else self.relation[-1]


class _Query(NamedTuple):
    source: str
    application: str
    user: str
    calls: int | None
    text: str


def mentions(
    connection: Connection, plan: Plan, seconds: float
) -> tuple[tuple[Mention, ...], bool]:
    """Return the queries of others that name what ``plan`` takes away, most called first, and
    whether ``pg_stat_statements`` could be read whole.

    False there: it is not installed, not loaded, not granted, takes longer than ``seconds``, or
    hides the texts of other roles (no ``pg_read_all_stats``); what was seen is returned all the
    same. Our own sessions, dumps, DDL and questions to the catalog are left out. Raises
    psycopg.Error when not even ``pg_stat_activity`` can be read.
    """
    goes = _going(plan.statements)
    if not goes:
        return (), _readable(connection, seconds)
    pattern = _pattern(goes)
    with aside(connection, seconds=seconds, canonical=True) as cursor:
        rows = cursor.execute(query("mentions_activity").encode(), {"pattern": pattern}).fetchall()
    queries = [_Query("pg_stat_activity", row[0], row[1], None, row[2]) for row in rows]
    called, whole = _statistics(connection, pattern, seconds)
    return _matched(goes, [*queries, *called]), whole


# --- what goes ------------------------------------------------------------------------------------


def _going(statements: Sequence[Statement]) -> list[_Goes]:
    """What the plan drops or renames and does not make again, each once: at the first statement."""
    found: dict[tuple[Chain, str | None], _Goes] = {}
    for place, statement in enumerate(statements):
        effect = statement.effect
        if effect.no_op:
            continue
        gone = [_one(statement.index, *drop) for drop in (*effect.drops, *effect.collateral)]
        for one in (*gone, _renamed(statement)):
            if one is not None and not _comes_back(one, statements[place + 1 :]):
                found.setdefault((one.relation, one.column), one)
    return list(found.values())


def _renamed(statement: Statement) -> _Goes | None:
    """A name that is changed goes as well. The statement ends with ``old TO new``."""
    effect = statement.effect
    renames = _RENAMES.fullmatch(effect.kind)
    if renames is None or not effect.objects:
        return None
    name = effect.objects[0]
    if not renames["column"]:
        return _one(statement.index, renames["what"], name)
    words = [chain[0] for chain in chains(statement.sql) if len(chain) == 1]
    if len(words) < 3 or not parts(name):
        return None
    return _Goes(statement.index, f"{name}.{words[-3]}", parts(name), words[-3])


def _one(statement: int, written: str, name: str) -> _Goes | None:
    words, kind = parts(name), written.lower()
    if not words or kind in _NEVER_NAMED:
        return None
    if kind in _ON_TABLES:
        return _Goes(statement, name, words[:-1], words[-1]) if len(words) > 1 else None
    return _Goes(statement, name, words, None)


def _comes_back(one: _Goes, later: Iterable[Statement]) -> bool:
    """Whether a later statement creates it again: a view is dropped to be changed."""
    if one.column is not None:
        return False
    return any(
        s.effect.kind.startswith("CREATE")
        and any(same(one.shown, made) for made in s.effect.objects)
        for s in later
    )


def _pattern(goes: Iterable[_Goes]) -> str:
    """A regular expression for the server: it is to send little, and we look closer."""
    words = sorted({one.key for one in goes})
    if len(words) > _SOUGHT:
        return ""
    return "|".join(re.sub(r"(\W)", r"\\\1", word.replace('"', '""')) for word in words)


# --- who names it ---------------------------------------------------------------------------------


def _matched(goes: Sequence[_Goes], queries: Iterable[_Query]) -> tuple[Mention, ...]:
    by_key: dict[str, list[_Goes]] = {}
    for one in goes:
        by_key.setdefault(one.key, []).append(one)
    found = {mention: None for asked in queries for mention in _mentions(asked, by_key)}
    ranked = sorted(found, key=lambda mention: -(mention.calls or 0))
    # What runs now is never pushed out by what was called often.
    ranked.sort(key=lambda mention: mention.source)
    return tuple(ranked[:_MOST])


def _mentions(asked: _Query, by_key: Mapping[str, Sequence[_Goes]]) -> Iterator[Mention]:
    if not _by_an_application(asked.text):
        return
    named = list(chains(asked.text))
    if any(chain[0] in _CATALOGS for chain in named):
        # Somebody looks at the catalog, or we count: all our own questions name pg_catalog.
        return
    words = {word for chain in named for word in chain}
    for key in words & by_key.keys():
        for one in by_key[key]:
            if any(_names(chain, one.relation) for chain in named):
                yield Mention(
                    statement=one.statement,
                    object=printable(one.shown),
                    source="pg_stat_activity" if asked.calls is None else "pg_stat_statements",
                    application=asked.application,
                    user=asked.user,
                    calls=asked.calls,
                    query=shorten(asked.text, _QUERY_WIDTH),
                )


def _by_an_application(text: str) -> bool:
    first = _FIRST.match(text)
    return (
        first is not None
        and first.group(1).upper() in _USES
        # The very words of pg_dump, which a statement in the statistics does not say.
        and _DUMPED.match(text) is None
    )


def _names(chain: Chain, relation: Chain) -> bool:
    """Whether a chain names the relation: bare, or qualified by nothing but its own schema."""
    for place, word in enumerate(chain):
        if word == relation[-1] and chain[:place][-1:] in ((), relation[:-1][-1:]):
            return True
    return len(relation) == 1 and relation[0] in chain


# --- pg_stat_statements ---------------------------------------------------------------------------


def _statistics(connection: Connection, pattern: str, seconds: float) -> tuple[list[_Query], bool]:
    try:
        with aside(connection, seconds=seconds, canonical=True) as cursor:
            where = cursor.execute(query("statistics_view").encode()).fetchone()
            if where is None:
                return [], False
            text = sql.SQL(query("mentions_statements")).format(view=sql.Identifier(*where))
            row = cursor.execute(text, {"pattern": pattern}).fetchone()
    except psycopg.Error:
        # Not in shared_preload_libraries, no privilege, out of time.
        if connection.broken:
            raise
        return [], False
    if row is None:  # pragma: no cover - a SELECT without FROM has always one row
        return [], False
    rows = json.loads(row[0]) if isinstance(row[0], str | bytes) else row[0]
    found = [_Query("pg_stat_statements", "", user, calls, text) for user, calls, text in rows]
    return found, not row[1]


def _readable(connection: Connection, seconds: float) -> bool:
    """Whether the statistics could be read, where there is nothing to look for in them."""
    return _statistics(connection, r"\A\Z.", seconds)[1]
