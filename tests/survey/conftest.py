"""One parser and one database of each version for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from rollback_tui.embedded.server import EmbeddedServer
from rollback_tui.parser import Parser
from tests.conftest import create_database, drop_database


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as parser:
        yield parser


@pytest.fixture(scope="module")
def on18(server: EmbeddedServer) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a fresh database on PostgreSQL 18; what a test makes there stays."""
    yield from _connection(server)


@pytest.fixture(scope="module")
def on16(server16: EmbeddedServer) -> Iterator[psycopg.Connection[Any]]:
    """The same on PostgreSQL 16."""
    yield from _connection(server16)


def _connection(server: EmbeddedServer) -> Iterator[psycopg.Connection[Any]]:
    created = create_database(server)
    yield created.connect()
    drop_database(created)
