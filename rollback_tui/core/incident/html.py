"""The page as one file of HTML: nothing is loaded from anywhere, nothing is executed, and every
text that is not ours is text. It is read on a phone and printed on A4."""

from __future__ import annotations

from html import escape

from rollback_tui.core.follow_ups import FollowUp
from rollback_tui.core.incident.blocks import (
    Block,
    Bullets,
    Checklist,
    Code,
    Course,
    Curves,
    Facts,
    Page,
    Paragraph,
    Section,
    Subheading,
    Table,
    Text,
)
from rollback_tui.core.incident.drawing import course, curves
from rollback_tui.core.incident.page import page
from rollback_tui.core.incident.style import STYLE
from rollback_tui.core.incident.values import Incident, Tone
from rollback_tui.core.report import words
from rollback_tui.core.text import printable

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Should a text of somebody's ever become markup after all, it loads and executes nothing."""

_NARROW = 14
"""Cells of so few characters are never broken: a time, a number, a name."""

_WORDS: dict[Tone, str] = {"plain": "", "good": "good", "attention": "attention", "bad": "bad"}


def incident_html(incident: Incident) -> str:
    """Return the report as a page of HTML."""
    laid_out = page(incident)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>Incident: {_inert(laid_out.title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            *_header(laid_out),
            "<main>",
            *(line for section in laid_out.sections for line in _section(section)),
            "</main>",
            f"<footer><p>{_inert(laid_out.foot)}</p></footer>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _header(laid_out: Page) -> list[str]:
    figures = [
        f'<div class="{_WORDS[value.tone]}"><dt>{_inert(name)}</dt>'
        f"<dd><strong>{_inert(value.text)}</strong><span>{_inert(more)}</span></dd></div>"
        for name, value, more in laid_out.figures
    ]
    links = [
        f'<li><a href="#{section.key}">{_inert(section.title)}</a></li>'
        for section in laid_out.sections
    ]
    return [
        "<header>",
        '<p class="eyebrow">Incident report</p>',
        f"<h1>{_inert(laid_out.title)}</h1>",
        f'<p class="status {_WORDS[laid_out.status.tone]}">{_inert(laid_out.status.text)}</p>',
        '<div class="lead">',
        *(f"<p>{_inert(text.text)}</p>" for text in laid_out.lead),
        "</div>",
        '<dl class="figures">',
        *figures,
        "</dl>",
        f'<nav aria-label="Sections"><ul>{"".join(links)}</ul></nav>',
        "</header>",
    ]


def _section(section: Section) -> list[str]:
    blocks = [line for block in section.blocks for line in _block(block)]
    heading = f'<h2 id="{section.key}-title">{_inert(section.title)}</h2>'
    opening = f'<section id="{section.key}" aria-labelledby="{section.key}-title">'
    return [opening, heading, *blocks, "</section>"]


def _block(block: Block) -> list[str]:
    match block:
        case Paragraph():
            return [f"<p>{' '.join(_text(text) for text in block.texts)}</p>"]
        case Facts():
            rows = (f"<div><dt>{_inert(n)}</dt><dd>{_text(v)}</dd></div>" for n, v in block.rows)
            return ['<dl class="facts">', *rows, "</dl>"]
        case Table():
            return _table(block)
        case Bullets():
            return ["<ul>", *(f"<li>{_text(item)}</li>" for item in block.items), "</ul>"]
        case Checklist():
            return _checklist(block)
        case Code():
            text = escape(printable(block.text, keep_lines=True))
            return [f'<pre tabindex="0"><code>{text}</code></pre>']
        case Subheading():
            return [f"<h3>{_inert(block.text)}</h3>"]
        case Course():
            return course(block)
        case Curves():
            return curves(block)


def _table(block: Table) -> list[str]:
    """A table; on a narrow screen each row becomes a card, and each cell names its column."""
    if not block.rows:
        return []
    head = "".join(
        f'<th scope="col" role="columnheader">{_inert(name)}</th>' for name in block.head
    )
    told = ' class="unseen"' if block.told else ""
    lines = [
        '<table role="table">',
        f"<caption{told}>{_inert(block.caption)}</caption>",
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>',
        '<tbody role="rowgroup">',
    ]
    for row in block.rows:
        cells = "".join(
            f'<td role="cell" data-of="{_inert(name)}"{_kept(cell)}>{_text(cell)}</td>'
            for name, cell in zip(block.head, row, strict=True)
        )
        lines.append(f'<tr role="row">{cells}</tr>')
    lines += ["</tbody>", "</table>"]
    return [*lines, f'<p class="more">{_inert(block.left_out)}</p>'] if block.left_out else lines


def _kept(cell: Text) -> str:
    return ' class="one"' if len(cell.text) <= _NARROW else ""


def _checklist(block: Checklist) -> list[str]:
    if not block.items:
        return ["<p>Nothing is left to be done.</p>"]
    return ['<ul class="checklist">', *(_item(item) for item in block.items), "</ul>"]


def _item(item: FollowUp) -> str:
    did = "Done" if item.done else "Open"
    box = f'<span class="box" role="img" aria-label="{did}">{"✓" if item.done else ""}</span>'
    touched = ""
    if item.at is not None:
        by = f" by {_inert(item.by)}" if item.by else ""
        note = f"<br>{_inert(item.note)}" if item.note else ""
        touched = f"<small>{item.touched} {words.moment(item.at)}{by}{note}</small>"
    kind = "done" if item.done else "open"
    text = f"<span>{_inert(item.text)} <code>{_inert(item.key)}</code>{touched}</span>"
    return f'<li class="{kind}">{box}{text}</li>'


def _text(text: Text) -> str:
    inert = _inert(text.text)
    if not inert:
        return ""
    if text.code:
        return f"<code>{inert}</code>"
    return f'<span class="{_WORDS[text.tone]}">{inert}</span>' if text.tone != "plain" else inert


def _inert(text: str) -> str:
    """Text, and nothing but text: also inside the quotes of an attribute."""
    return escape(printable(text), quote=True)
