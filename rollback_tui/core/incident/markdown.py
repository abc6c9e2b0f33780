"""The page as Markdown that issue trackers show: checklists can be ticked there. Nothing of what
came from a server, a file or a user has a meaning in it."""

from __future__ import annotations

import re

from rollback_tui.core.follow_ups import FollowUp
from rollback_tui.core.incident.blocks import (
    Block,
    Bullets,
    Checklist,
    Code,
    Course,
    Curves,
    Facts,
    Paragraph,
    Section,
    Subheading,
    Table,
    Text,
)
from rollback_tui.core.incident.page import page
from rollback_tui.core.incident.values import Incident
from rollback_tui.core.report import pieces, words
from rollback_tui.core.text import markdown

_LEADING = re.compile(r"^(\d+(?=[.)])|(?=[-+=]))")
"""What would begin a list or a heading at the beginning of a line."""


def incident_markdown(incident: Incident) -> str:
    """Return the report as Markdown."""
    laid_out = page(incident)
    head = [
        f"# {markdown(laid_out.title)}",
        f"**{markdown(laid_out.status.text)}**",
        *(_line(markdown(text.text)) for text in laid_out.lead),
    ]
    parts = [*head, *(part for section in laid_out.sections for part in _section(section))]
    return "\n\n".join([*parts, "---", f"*{markdown(laid_out.foot)}*"]) + "\n"


def _section(section: Section) -> list[str]:
    blocks = ("\n".join(lines) for block in section.blocks if (lines := _block(block)))
    return [f"## {section.title}", *blocks]


def _block(block: Block) -> list[str]:
    match block:
        case Paragraph():
            return [_line(" ".join(_text(text) for text in block.texts))]
        case Facts():
            return pieces.table(
                ("Fact", "Value"), [(markdown(name), _text(value)) for name, value in block.rows]
            )
        case Table():
            return _table(block)
        case Bullets():
            return [f"- {_line(_text(item))}" for item in block.items]
        case Checklist():
            return [_item(item) for item in block.items] or ["Nothing is left to be done."]
        case Code():
            return pieces.fenced(block.text, block.language)
        case Subheading():
            return [f"### {markdown(block.text)}"]
        case Course() | Curves():
            return []


def _table(block: Table) -> list[str]:
    if not block.rows:
        return []
    lines = [] if block.told else [f"{markdown(block.caption)}:", ""]
    lines += pieces.table(block.head, [[_text(cell) for cell in row] for row in block.rows])
    return [*lines, "", markdown(block.left_out)] if block.left_out else lines


def _text(text: Text) -> str:
    if text.code:
        return pieces.code(text.text)
    inert = markdown(text.text).strip()
    return f"**{inert}**" if inert and text.tone in ("bad", "attention") else inert


def _line(text: str) -> str:
    """Text at the beginning of a line: no list, no heading."""
    return _LEADING.sub(lambda found: f"{found.group()}\\", text.lstrip())


def _item(item: FollowUp) -> str:
    touched = ""
    if item.at is not None:
        by = f" by {markdown(item.by)}" if item.by else ""
        note = f": {markdown(item.note)}" if item.note else ""
        touched = f" — {item.touched} {words.moment(item.at)}{by}{note}"
    box = "x" if item.done else " "
    return f"- [{box}] {_line(markdown(item.text))} ({pieces.code(item.key)}){touched}"
