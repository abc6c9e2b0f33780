"""What a page is made of. Texts in it are as they came: who writes the page makes them inert, so
that nothing in Markdown or HTML can be anything but text."""

from __future__ import annotations

from rollback_tui.core.follow_ups import FollowUp
from rollback_tui.core.incident.values import Closed, Tone, Watched
from rollback_tui.core.value import Value


class Text(Value, frozen=True, kw_only=True):
    """A piece of text."""

    text: str
    tone: Tone = "plain"
    """What is not plain is emphasised; the words alone must say it too."""
    code: bool = False
    """A name, a path or SQL, as it would be typed."""


class Paragraph(Value, frozen=True, kw_only=True):
    """Sentences."""

    texts: tuple[Text, ...]


class Facts(Value, frozen=True, kw_only=True):
    """Names and what they are."""

    rows: tuple[tuple[str, Text], ...]


class Table(Value, frozen=True, kw_only=True):
    """Rows below a head."""

    caption: str
    """What it lists."""
    head: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    left_out: str = ""
    """What is not shown, and where it is; empty: it is whole."""
    told: bool = False
    """The heading above says what the caption does: only who does not see needs that too."""


class Bullets(Value, frozen=True, kw_only=True):
    """A list."""

    items: tuple[Text, ...]


class Checklist(Value, frozen=True, kw_only=True):
    """What is to be done, and what is done."""

    items: tuple[FollowUp, ...]


class Code(Value, frozen=True, kw_only=True):
    """Lines as they would be typed, or as a server said them."""

    text: str
    language: str = ""


class Subheading(Value, frozen=True, kw_only=True):
    """A heading inside a section."""

    text: str


class Course(Value, frozen=True, kw_only=True):
    """The run as bars: its phases, and when the door was closed. Markdown leaves it out."""

    seconds: float
    phases: tuple[tuple[str, float, float, Tone], ...]
    """(name, began, seconds, how it ended)"""
    door: tuple[Closed, ...]


class Curves(Value, frozen=True, kw_only=True):
    """Metrics as curves. Markdown leaves them out."""

    metrics: tuple[Watched, ...]
    seconds: float
    """From the monitoring's beginning to its newest sample."""


Block = Paragraph | Facts | Table | Bullets | Checklist | Code | Subheading | Course | Curves


class Section(Value, frozen=True, kw_only=True):
    """A part of the page."""

    key: str
    """``impact``: the anchor."""
    title: str
    blocks: tuple[Block, ...]


class Page(Value, frozen=True, kw_only=True):
    """The whole page."""

    title: str
    status: Text
    lead: tuple[Text, ...]
    """What happened, in a few sentences."""
    figures: tuple[tuple[str, Text, str], ...]
    """(what, figure, more about it) that are looked for first."""
    sections: tuple[Section, ...]
    foot: str


def plain(text: str) -> Text:
    """A text that is only text."""
    return Text(text=text)


def code(text: str) -> Text:
    """A text as it would be typed."""
    return Text(text=text, code=True)


def since(elapsed: float) -> str:
    """Return a time since the run began: ``+3.134 s``, ``+12:21``, ``+2:00:06``."""
    if elapsed < 60:
        return f"+{elapsed:.3f} s"
    whole = int(elapsed)
    hours, minutes, seconds = whole // 3600, whole // 60 % 60, whole % 60
    return f"+{hours}:{minutes:02}:{seconds:02}" if hours else f"+{minutes}:{seconds:02}"
