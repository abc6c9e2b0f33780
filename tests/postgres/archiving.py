"""Archive, roll back, apply again, restore: the course of what was kept, on a real server."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence

import psycopg
import pytest
from psycopg import sql

from rollback_tui.core.model import Effect, Statement, Touched
from rollback_tui.core.script.effects import effect
from rollback_tui.parser import Parser
from rollback_tui.postgres import archive
from rollback_tui.postgres.archive.source import sources

Connection = psycopg.Connection[tuple[object, ...]]
Judge = Callable[[str], Effect]


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """Statement → its effect, by its text alone."""
    with Parser() as parser:

        def judged(text: str) -> Effect:
            (tree,) = parser.trees([text], seconds=30)
            assert tree is not None, text
            return effect(tree)

        yield judged


def statements(
    judge: Judge, texts: Sequence[str], touched: Mapping[int, Touched] | None = None
) -> list[Statement]:
    """The statements of a script, as the plan has them."""
    return [
        Statement(
            index=index,
            start=0,
            end=len(text),
            line=index,
            sql=text,
            effect=judge(text),
            touched=(touched or {}).get(index),
        )
        for index, text in enumerate(texts, start=1)
    ]


def roll_back(connection: Connection, script: Sequence[Statement], run: str = "") -> str:
    """Run a script in one transaction, keeping all that it removes; returns the run's id."""
    run = run or str(uuid.uuid4())
    origin = archive.Origin(run=run, tool_version="test", version="1", script_sha256="0")

    def send(text: str) -> int:
        return connection.execute(text.encode()).rowcount

    with connection.transaction():
        for statement in script:
            archive.make(connection, statement, sources(connection, statement), origin, send)
            connection.execute(statement.sql.encode())
    return run


def rows(connection: Connection, schema: str) -> dict[str, list[str]]:
    """Every row of every table of a schema as the server writes it, in order."""
    names = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1",
        [schema],
    ).fetchall()
    found = {}
    for (name,) in names:
        text = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, str(name)))
        found[str(name)] = sorted(str(row[0]) for row in connection.execute(text))
    return found
