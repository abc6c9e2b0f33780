"""What ``doctor`` finds, and how a finding is shown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Literal, NamedTuple

from rollback_tui.core.text import printable


class Finding(NamedTuple):
    """One thing that works, that does not, or that is worth knowing."""

    status: Literal["ok", "bad", "note"]
    what: str
    remedy: str = ""
    details: tuple[str, ...] = ()
    """How that is known, and what follows from it: one sentence each."""


_INDENT = " " * 5


def shown_lines(finding: Finding, width: int | None) -> Iterator[str]:
    """Return its lines, wrapped at ``width`` cells; None: as long as they are."""
    yield from _wrapped(f"{finding.status:<5}", finding.what, _INDENT, width)
    for detail in finding.details:
        yield from _wrapped(f"{_INDENT}· ", detail, f"{_INDENT}  ", width)
    if finding.remedy:
        yield from _wrapped(f"{_INDENT}→ ", finding.remedy, f"{_INDENT}  ", width)


def _wrapped(start: str, text: str, indent: str, width: int | None) -> Iterator[str]:
    line = start + printable(text)
    if width is None:
        yield line
        return
    # A path that is cut at its end could not be copied.
    yield from textwrap.wrap(
        line,
        max(width, 40),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
