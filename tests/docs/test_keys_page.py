"""docs/keys.md says what the bindings are, because it is made from them."""

from __future__ import annotations

import difflib

import pytest

from rollback_tui.cli.keys_page import page
from tests.docs.pages import ROOT, text_of

COMMAND = "python -m rollback_tui.cli.keys_page > docs/keys.md"


def test_the_page_is_the_one_that_the_bindings_make() -> None:
    written = text_of(ROOT / "docs" / "keys.md")
    if written != page():
        difference = "\n".join(
            difflib.unified_diff(
                written.splitlines(), page().splitlines(), "docs/keys.md", "bindings", n=0
            )
        )
        pytest.fail(f"docs/keys.md is stale; write it with: {COMMAND}\n{difference}")
