"""Servers of three versions, and a stage on each for every group of forms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rollback_tui.embedded import server as embedded
from rollback_tui.embedded.server import EmbeddedServer
from tests.forms.groups import GROUPS, Group
from tests.forms.harness import Stage, Tree, stage, trees

_DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture(scope="session")
def servers(server: EmbeddedServer, server16: EmbeddedServer) -> Iterator[list[EmbeddedServer]]:
    """PostgreSQL 18 and 16; and 15, where the distribution's package is installed."""
    if not (_DEBIAN_15 / "postgres").exists():
        yield [server, server16]
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "programs", lambda _: _DEBIAN_15)
        # The distribution's package compiles queries that look costly: two thirds of the time here.
        server15 = EmbeddedServer(major=15, settings={"jit": "off"})
    yield [server, server16, server15]
    server15.stop()


class Theatre:
    """Stages by server and group, made when they are first played on."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._stages: dict[tuple[int, str], tuple[Stage, dict[str, Tree]]] = {}

    def stage(self, server: EmbeddedServer, group: Group) -> tuple[Stage, dict[str, Tree]]:
        """The stage of a group on a server, and the trees of its forms."""
        key = (server.major, group.schema_name)
        if key not in self._stages:
            made = self._stack.enter_context(stage(server, group.schema, group.end))
            forms = [f for g in GROUPS if g.schema_name == group.schema_name for f in g.forms]
            self._stages[key] = (made, trees(forms, made.words))
        return self._stages[key]


@pytest.fixture(scope="module")
def theatre() -> Iterator[Theatre]:
    with ExitStack() as stack:
        yield Theatre(stack)
