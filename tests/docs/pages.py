"""The pages, and what is found in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    """For the names of test cases."""
    return str(page.relative_to(ROOT))


def fenced(text: str, language: str) -> list[str]:
    """Return the contents of the code blocks of one language."""
    return [body for found, body in _FENCE.findall(text) if found == language]


def prose(text: str) -> str:
    """Return the text without its code blocks."""
    return _FENCE.sub("", text)


def section(text: str, heading: str) -> str:
    """Return what stands below ``heading``, to the next heading of its level."""
    level = heading.split(" ", 1)[0]
    found = re.search(
        rf"^{re.escape(heading)}$\n(.*?)(?=^{level} |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"there is no heading {heading!r}"
    return found.group(1)


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of every row of every table, without heads and rules."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not line.startswith("|") or set(line) <= set("|-: "):
            continue
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if below.startswith("|") and set(below) <= set("|-: "):
            continue
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def code(text: str) -> list[str]:
    """Return the pieces of code in a line of text."""
    return re.findall(r"`([^`\n]+)`", text)
