"""The snapshot differs exactly when ``pg_dump -s`` does, and its difference names the object.

The changes of a family are made one after the other in one database, which is dumped after each:
so a case costs one dump. The failures of a family are told together.
"""

from __future__ import annotations

import re
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from rollback_tui.core.schema import SchemaSnapshot, diff, moved_columns
from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.postgres import catalog
from tests.postgres.schema_kinds import FAMILIES, Family, Kind

Connection = psycopg.Connection[Any]

# pg_dump writes a random key into \restrict, and names and owners into comments of its own.
_NOT_SCHEMA = re.compile(r"^(--.*|\\(un)?restrict .*|)$\n?", re.MULTILINE)


@pytest.fixture(scope="module")
def roles(server: EmbeddedServer, server16: EmbeddedServer) -> Iterator[None]:
    """The roles and the tablespace that the changes speak of, on both servers."""
    for one in (server, server16):
        with psycopg.connect(one.dsn(), autocommit=True) as admin:
            admin.execute("CREATE ROLE kinds_a; CREATE ROLE kinds_b; CREATE ROLE kinds_c")
            admin.execute("SET allow_in_place_tablespaces = on")
            admin.execute("CREATE TABLESPACE kinds_space LOCATION ''")
    yield
    for one in (server, server16):
        with psycopg.connect(one.dsn(), autocommit=True) as admin:
            admin.execute("DROP TABLESPACE kinds_space")
            admin.execute("DROP ROLE kinds_a, kinds_b, kinds_c")


_SELDOM = ("functions", "operators and text search", "rights", "foreign servers and replication")
"""Families whose changes share dumps on 18 as well."""


def _dump(server: EmbeddedServer, database: str) -> str:
    done = subprocess.run(
        [server.bin / "pg_dump", "-s", server.dsn(database)],
        check=True,
        capture_output=True,
        text=True,
    )
    return _NOT_SCHEMA.sub("", done.stdout)


def _change(connection: Connection, text: str) -> None:
    for piece in text.split(";;"):
        try:
            connection.execute(piece.encode())
        except psycopg.errors.UniqueViolation:
            # The index that is left invalid.
            assert "broken" in piece


def _wrong(kind: Kind, before: SchemaSnapshot, after: SchemaSnapshot) -> str | None:
    """Return what is wrong with the difference that a change makes; None when nothing is."""
    named = {d.object for d in diff(before, after)}
    if kind.sees == "dump":
        right = not named and moved_columns(before, after) == kind.objects
    elif kind.sees == "neither":
        right = not named
    else:
        right = bool(named) and named.issuperset(kind.objects)
    return None if right else f"{kind.name}: we name {sorted(named)}, not {kind.objects}"


def _steps(family: Family, major: int, at_once: int) -> Iterator[list[Kind]]:
    """Yield the changes between two dumps: one, or some of those that every dump must show."""
    step: list[Kind] = []
    for kind in family.kinds:
        if kind.since > major:
            continue
        if step and (kind.sees != "both" or len(step) == at_once):
            yield step
            step = []
        step.append(kind)
        if kind.sees != "both":
            yield step
            step = []
    if step:
        yield step


def _play(server: EmbeddedServer, family: Family, at_once: int) -> None:
    name = f"kinds_{uuid.uuid4().hex[:10]}"
    complaints: list[str] = []
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        try:
            with psycopg.connect(server.dsn(name), autocommit=True) as connection:
                connection.execute(family.setup.encode())
                snapshot, dump = catalog.snapshot(connection), _dump(server, name)
                for step in _steps(family, server.major, at_once):
                    first = snapshot
                    for kind in step:
                        _change(connection, kind.change)
                        after = catalog.snapshot(connection)
                        wrong = _wrong(kind, snapshot, after)
                        complaints += [wrong] if wrong else []
                        snapshot = after
                    dumped = _dump(server, name)
                    # Several changes at once may undo each other: then neither may differ.
                    seen = step[0].sees in ("both", "dump") if len(step) == 1 else first != snapshot
                    if (dumped != dump) != seen:
                        told = "differs" if dumped != dump else "is the same"
                        complaints.append(f"{[kind.name for kind in step]}: the dump {told}")
                    dump = dumped
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    assert not complaints, "\n" + "\n".join(complaints)


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("version", ["server", "server16"], ids=["18", "16"])
def test_the_snapshot_differs_exactly_when_the_dump_does(
    request: pytest.FixtureRequest, version: str, family: Family
) -> None:
    """On 18 after every single change of what tables are made of; elsewhere each change is named,
    and the dumps are fewer, unless ``--every-kind`` asks for all of them."""
    singly = version == "server" and family.name not in _SELDOM
    at_once = 1 if singly or request.config.getoption("--every-kind") else 12
    _play(request.getfixturevalue(version), family, at_once)


def test_there_are_enough_kinds() -> None:
    kinds = [kind for family in FAMILIES for kind in family.kinds]
    assert sum(kind.sees == "both" for kind in kinds) >= 150
    assert sum(kind.sees == "neither" for kind in kinds) >= 25
    for family in FAMILIES:
        names = [kind.name for kind in family.kinds]
        assert len(set(names)) == len(names), family.name
