"""docs/frameworks.md says what the frameworks say of themselves, because it is made from that."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from rollback_tui.core.script.hazards import VERSION_TABLES
from rollback_tui.frameworks.page import page
from rollback_tui.frameworks.registry import FRAMEWORKS

PAGE = Path(__file__).parents[2] / "docs" / "frameworks.md"
COMMAND = "python -m rollback_tui.frameworks.page > docs/frameworks.md"

GENERAL = {"migrations", "changes"}
"""Version tables whose names an application's own tables have as well."""


def test_the_page_is_the_one_that_the_frameworks_make() -> None:
    written = PAGE.read_text(encoding="utf-8")
    if written != page():
        difference = "\n".join(
            difflib.unified_diff(
                written.splitlines(), page().splitlines(), "docs/frameworks.md", "frameworks", n=0
            )
        )
        pytest.fail(f"docs/frameworks.md is stale; write it with: {COMMAND}\n{difference}")


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_each_framework_says_what_people_must_know(name: str) -> None:
    framework = FRAMEWORKS[name]
    about = framework.about
    for text in (about.title, about.rules, about.scripts, about.newest, about.outside):
        assert text.strip() == text != ""
    for text in (about.change, about.lock, about.tested):
        assert text.strip() == text != ""
    assert bool(about.instead) is (framework.kind == "none")
    assert f"### {about.title}\n" in page()
    assert f"| `{name}` |" in page()


def test_a_statement_that_touches_a_version_table_is_known_whoever_it_belongs_to() -> None:
    tables = {framework.default_table.lower() for framework in FRAMEWORKS.values()}
    assert tables - {""} - GENERAL <= VERSION_TABLES
