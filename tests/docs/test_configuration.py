"""docs/configuration.md says what the settings are, because it is made from them."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import msgspec
import pytest

from rollback_tui.cli.configuration_page import page
from rollback_tui.config import Hook, Settings, parse

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
COMMAND = "python -m rollback_tui.cli.configuration_page > docs/configuration.md"


def test_the_page_is_the_one_that_the_settings_make() -> None:
    written = PAGE.read_text(encoding="utf-8")
    if written != page():
        difference = "\n".join(
            difflib.unified_diff(
                written.splitlines(), page().splitlines(), "docs/configuration.md", "settings", n=0
            )
        )
        pytest.fail(f"docs/configuration.md is stale; write it with: {COMMAND}\n{difference}")


def test_every_key_of_every_table_is_there() -> None:
    for table in (Settings(), Hook()):
        for name in _keys(table):
            assert f"| `{name}` |" in page(), name


def test_the_example_is_a_file_that_is_accepted() -> None:
    example = re.search(r"```toml\n(.*?)```", page(), re.DOTALL)
    assert example is not None
    settings = parse(example.group(1))
    assert settings.maintenance.off.timeout_seconds == 30
    assert settings.caches.clear[0].command[-1] == "clear"


def _keys(table: msgspec.Struct) -> list[str]:
    keys: list[str] = []
    for field in msgspec.structs.fields(table):
        value = getattr(table, field.name)
        if isinstance(value, msgspec.Struct) and not isinstance(value, Hook):
            keys += _keys(value)
        else:
            keys.append(field.encode_name)
    return keys
