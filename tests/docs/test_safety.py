"""docs/safety.md: every fault has its line, and every test that is named there exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, code, rows, section, text_of

PAGE = text_of(ROOT / "docs" / "safety.md")
FAULTS = [cells for cells in rows(section(PAGE, "## Every fault")) if cells[0].isdigit()]
NAMED = sorted(set(re.findall(r"tests/[\w/]+\.py::\w+", PAGE)))
NUMBER = 71


@cache
def functions(path: Path) -> frozenset[str]:
    """The names of the tests in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )


@pytest.mark.parametrize("named", NAMED)
def test_every_test_that_is_named_exists(named: str) -> None:
    path, _, name = named.partition("::")
    assert (ROOT / path).is_file(), f"there is no {path}"
    assert name in functions(ROOT / path), f"{path} has no {name}"


def test_every_fault_has_its_line_in_order() -> None:
    assert [int(cells[0]) for cells in FAULTS] == list(range(1, NUMBER + 1))


@pytest.mark.parametrize("cells", FAULTS, ids=lambda cells: cells[0])
def test_a_line_says_what_happens_and_the_test_or_why_there_is_none(cells: list[str]) -> None:
    _, fault, then, proof = cells
    assert fault
    assert then
    tests = [piece for piece in code(proof) if "::" in piece]
    assert tests or proof.startswith("No test: "), proof
    assert all(piece in NAMED for piece in tests), proof


def test_a_test_that_does_not_exist_is_found() -> None:
    with pytest.raises(AssertionError):
        test_every_test_that_is_named_exists("tests/docs/test_safety.py::test_of_dreams")
