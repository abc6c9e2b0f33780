"""Migrations that keep both ways in one file, divided by marks.

Each tool finds its marks in its own way (:meth:`Sectioned.ways`); what to do with the sections is
the same for all of them. Where a statement ends is no business of the marks: several tools cut at
lines that end in ``;``, we at what PostgreSQL takes for the end of a statement.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rollback_tui.core.plan import AppliedMigration
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files as migration_files
from rollback_tui.frameworks.base import Base, no_file
from rollback_tui.frameworks.protocol import Missing

GO_SPACE = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What Go's ``unicode.IsSpace`` says yes to: Python's ``str.strip`` takes four more."""


class Line(NamedTuple):
    """A line of a file, as Go's ``bufio.ScanLines`` and grep find it: it ends at ``\\n``."""

    number: int
    """From 1."""
    start: int
    """Offset of its first byte."""
    end: int
    """Offset of the first byte of the next line."""
    text: str
    """Without the end of line, to which one ``\\r`` before ``\\n`` belongs."""


class Section(NamedTuple):
    """The part ``data[start:end]`` of a file."""

    start: int
    end: int
    transactional: bool = True


class Ways(NamedTuple):
    """What a file says of both directions: a section, or why there is none that could be used, as
    the rest of a sentence that begins with the name of the file."""

    up: Section | str
    down: Section | str


def lines(data: bytes) -> Iterator[Line]:
    """Yield the lines of a file. Bytes that are not UTF-8 survive as lone surrogates."""
    start, number = 0, 1
    while start < len(data):
        newline = data.find(b"\n", start)
        end = len(data) if newline < 0 else newline + 1
        text = data[start : newline if newline >= 0 else end].removesuffix(b"\r")
        yield Line(number, start, end, text.decode(errors="surrogateescape"))
        start, number = end, number + 1


def line_of(data: bytes, offset: int) -> int:
    """Return the number, from 1, of the line in which ``offset`` is."""
    return data.count(b"\n", 0, offset) + 1


class Sectioned(Base, ABC):
    """A framework with one SQL file a migration."""

    @abstractmethod
    def ways(self, data: bytes) -> Ways:
        """Return where the two directions are in a file."""

    def down(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the section for the way down."""
        return self._section(applied, directory, down=True)

    def up(self, applied: AppliedMigration, directory: Path) -> Source | Missing:
        """Return the section for the way up."""
        return self._section(applied, directory, down=False)

    def _section(
        self, applied: AppliedMigration, directory: Path, *, down: bool
    ) -> Source | Missing:
        if applied.path is None:
            return no_file(directory, applied.version)
        try:
            data = migration_files.read(directory, Path(applied.path).name)
        except FileNotFoundError:
            return Missing(why=f"{printable(applied.path)} does not exist")
        ways = self.ways(data)
        section = ways.down if down else ways.up
        if isinstance(section, str):
            return Missing(why=f"{printable(Path(applied.path).name)} {section}")
        return Source(
            path=applied.path,
            data=data,
            start=section.start,
            end=section.end,
            transactional=section.transactional,
        )
