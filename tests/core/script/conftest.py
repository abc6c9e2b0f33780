from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rollback_tui.core.model import Effect
from rollback_tui.core.script.effects import effect
from rollback_tui.parser import Parser


@pytest.fixture(scope="session")
def parser() -> Iterator[Parser]:
    with Parser() as parser:
        yield parser


@pytest.fixture(scope="session")
def judge(parser: Parser) -> Callable[[str], Effect]:
    """Statement → its effect; the statement must be one the parser reads."""

    def judge(sql: str) -> Effect:
        (tree,) = parser.trees([sql], seconds=30)
        assert tree is not None, f"not one command: {sql}"
        return effect(tree)

    return judge
