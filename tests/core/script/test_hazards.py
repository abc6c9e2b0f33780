"""One vocabulary of hazards: every word that is said is explained, and every explained one said."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import rollback_tui
from rollback_tui.core.script.hazards import EXPLANATIONS, explain
from tests.docs.pages import ROOT, code, rows, section, text_of

PACKAGE = Path(rollback_tui.__file__).parent
JUDGES = [
    path
    for folder in ("core/script", "postgres/foresight")
    for path in sorted((PACKAGE / folder).glob("*.py"))
    if path.name != "hazards.py"
]
"""Where effects are made."""

_WORD = re.compile(r"[a-z]+(?:_[a-z]+)+\Z")
_HAZARDS = re.compile(r"hazards?\Z|without\Z", re.IGNORECASE)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _said(tree: ast.AST) -> Iterator[str]:
    """Every string that is given or added as a hazard."""
    for node in ast.walk(tree):
        values: list[ast.AST | None] = []
        if isinstance(node, ast.keyword) and _HAZARDS.search(node.arg or ""):
            values = [node.value]
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(_HAZARDS.search(_name(target)) for target in targets):
                values = [node.value]
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and _HAZARDS.search(_name(node.func.value))
        ):
            values = list(node.args)
        for value in values:
            yield from _strings(value)


def _strings(node: ast.AST | None) -> Iterator[str]:
    """The strings in an expression, without those that something is compared with."""
    if node is None or isinstance(node, ast.Compare):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from _strings(child)


@pytest.mark.parametrize("path", JUDGES, ids=lambda path: path.name)
def test_every_word_that_an_effect_can_have_is_explained(path: Path) -> None:
    words = {word for word in _said(ast.parse(path.read_text())) if _WORD.match(word)}
    assert words <= set(EXPLANATIONS)


def test_that_search_finds_them() -> None:
    source = (
        "f(hazards=['aa_bb', *(['cc_dd'] if x == 'oo_pp' else [])])\nhazards = ['ee_ff']\n"
        "self.hazards |= {'gg_hh'}\nself.hazards.add('ii_jj')\nHAZARD = 'kk_ll'\nother = 'mm_nn'"
    )
    assert set(_said(ast.parse(source))) == {
        *("aa_bb", "cc_dd", "ee_ff", "gg_hh", "ii_jj", "kk_ll")
    }


def test_every_word_that_is_explained_is_said_somewhere() -> None:
    said = {
        node.value
        for path in JUDGES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(EXPLANATIONS) <= said


@pytest.mark.parametrize("hazard", EXPLANATIONS)
def test_each_is_explained_in_two_lines_that_fit(hazard: str) -> None:
    lines = EXPLANATIONS[hazard].split("\n")
    assert len(lines) == 2
    for line in lines:
        assert line.endswith(".")
        assert line == line.strip()
        assert len(line) <= 76
    assert _WORD.match(hazard)


def test_the_guide_has_them_all_in_these_words() -> None:
    """``python -m tests.core.script.test_hazards`` prints the rows."""
    guide = section(text_of(ROOT / "docs" / "guide.md"), "## Hazards")
    table = [(code(cells[0])[0], cells[1]) for cells in rows(guide)]
    assert table == [(hazard, explain(hazard)) for hazard in EXPLANATIONS]


if __name__ == "__main__":
    for word in EXPLANATIONS:
        print(f"| `{word}` | {explain(word)} |")
