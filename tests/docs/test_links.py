"""Every link leads somewhere, and every heading that is linked to exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, name_of, prose, text_of

PROMISED = (
    *("guide", "configuration", "safety", "recovery", "frameworks", "json", "architecture"),
)
SCREENSHOTS = ROOT / "screenshots"

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def test_the_promised_pages_are_there() -> None:
    assert {page.stem for page in PAGES} >= set(PROMISED)


def _links(page: Path) -> list[str]:
    return [link for link in _LINK.findall(prose(text_of(page))) if "://" not in link]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    # Before the first screenshots are made none can be missing; after that each must be there.
    made = any(SCREENSHOTS.glob("*.png"))
    missing = []
    for link in _links(page):
        target = (page.parent / link.partition("#")[0]).resolve()
        waited_for = target.parent == SCREENSHOTS and not made
        if link.partition("#")[0] and not target.exists() and not waited_for:
            missing.append(link)
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_anchor_is_a_heading(page: Path) -> None:
    missing = []
    for link in _links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if anchor and target.suffix == ".md" and anchor not in _anchors(target):
            missing.append(link)
    assert not missing


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, no punctuation, blanks as hyphens."""
    headings = re.findall(r"^#+ (.*)$", prose(text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_screen_has_its_picture_in_the_guide() -> None:
    pictures = [link for link in _links(ROOT / "docs" / "guide.md") if link.endswith(".png")]
    screens = ("state", "safety", "preview", "run", "verify", "report")
    wanted = [f"../screenshots/{screen}-120x40.png" for screen in screens]
    assert [picture for picture in pictures if picture in wanted] == wanted
