"""The page about architecture names rooms that are there, and every room of the screens."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT, section, text_of

PAGE = text_of(ROOT / "docs" / "architecture.md")
PACKAGE = ROOT / "rollback_tui"
SCREENS = sorted(path.name for path in (PACKAGE / "ui").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:\w+/)+\w+\.(?:py|sql))`", PAGE))))
def test_every_module_that_is_named_is_there(name: str) -> None:
    assert (PACKAGE / name).exists() or (ROOT / name).exists()


@pytest.mark.parametrize(
    "package", sorted(p.name for p in PACKAGE.glob("*/") if (p / "__init__.py").exists())
)
def test_every_package_is_named(package: str) -> None:
    assert f"`{package}`" in section(PAGE, "## Layers")


@pytest.mark.parametrize("name", SCREENS)
def test_every_room_of_the_screens_is_named(name: str) -> None:
    assert name in section(PAGE, "## The screens")
