"""``sqitch.plan``: the changes of a project, their ids, tags and dependencies.

A change is known to the database by its id: a SHA-1 over all that the plan says of it, the id of
the change before it included. So whoever edits a line of the plan makes other changes of it and of
all that follow, and that is found out here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.text import printable, shorten

_B = r"[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]"
_PUNCTUATION = re.escape("-!\"#$%&'()*+,./:;<=>?@[\\]^`{|}~")
_NAME = (
    rf"(?![{_PUNCTUATION}])(?:(?![~/=%^][0-9]+(?:$|{_B}))(?!{_B})[^:@#\\\n])+"
    rf"(?<![{_PUNCTUATION}])\b"
)
_NOTE = re.compile(rf"{_B}*(?:#{_B}*(?P<note>.*))?$")
_PRAGMA = re.compile(rf"{_B}*%{_B}*(?P<name>[^\s=]+?){_B}*(?:={_B}*(?P<value>.+))?")
_LINE = re.compile(
    rf"""{_B}*(?:(?P<tag>@)|{_B}*(?P<operator>[+-]){_B}*)?
      (?P<name>{_NAME})(?:{_B}+)?
      (?:\[(?P<dependencies>[^\]]+)\]{_B}*)?
      (?:(?P<date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}Z){_B}*)
      (?P<planner>[^<]+){_B}+<(?P<email>[^>]+)>""",
    re.VERBOSE,
)
_DEPENDENCY = re.compile(
    rf"(?P<conflict>!?)(?:(?P<project>{_NAME}):)?"
    rf"(?:(?P<id>[0-9a-f]{{40}})|(?P<change>{_NAME})(?:@(?P<tag>{_NAME}))?|@(?P<only>{_NAME}))"
)


class Dependency(NamedTuple):
    """What a change requires, or must not meet."""

    text: str
    """As it is written into the database: without the name of its own project."""
    conflict: bool
    project: str
    """Another project's name; empty: this project, or not said."""
    change: str
    """A change's name; empty where only a tag or an id is said."""
    tag: str
    id: str


class Tag(NamedTuple):
    """A name for the state after a change."""

    name: str
    """With its ``@``."""
    id: str
    note: str
    planner: str
    email: str
    date: str


class Change(NamedTuple):
    """One change of the plan."""

    id: str
    name: str
    note: str
    planner: str
    email: str
    date: str
    """``2024-01-31T09:00:00Z``."""
    dependencies: tuple[Dependency, ...]
    """In the order of the plan."""
    tags: tuple[Tag, ...]
    rework_tags: tuple[str, ...]
    """With their ``@``, the one next to the reworked change first: the scripts of a change that
    was reworked later carry one of them in their names. Empty: it was not."""
    version: str
    """What an operator types: the name; of a name that is there more than once ``NAME@TAG``, as
    sqitch itself tells them apart."""

    @property
    def requires(self) -> tuple[Dependency, ...]:
        """The dependencies that must be there."""
        return tuple(one for one in self.dependencies if not one.conflict)

    @property
    def conflicts(self) -> tuple[Dependency, ...]:
        """The dependencies that must not be there."""
        return tuple(one for one in self.dependencies if one.conflict)


class Plan(NamedTuple):
    """A whole plan."""

    project: str
    changes: tuple[Change, ...]
    """The oldest first."""

    def find(self, change: str, tag: str) -> Change | None:
        """Return the change that a dependency of this project means: as of a tag the newest of
        that name up to it, without a tag the oldest."""
        tagged = next((place for place, one in enumerate(self.changes) if _has(one, tag)), None)
        if tag and tagged is None:
            if tag not in ("HEAD", "ROOT") or not self.changes:
                return None
            tagged = len(self.changes) - 1 if tag == "HEAD" else 0
        if not change:
            return self.changes[tagged] if tagged is not None else None
        named = [place for place, one in enumerate(self.changes) if one.name == change]
        if tagged is not None:
            named = [place for place in named if place <= tagged][-1:]
        return self.changes[named[0]] if named else None


def _has(change: Change, tag: str) -> bool:
    return any(one.name == f"@{tag}" for one in change.tags)


@lru_cache(maxsize=4)
def parse(data: bytes, shown: str) -> Plan:
    """Return the plan in ``data``, the file ``shown``.

    Raises FrameworkError, with the line, for what sqitch would not take either.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise FrameworkError(f"{printable(shown)} is not UTF-8", "Save it as UTF-8.") from None
    reading = _Reading(shown)
    for number, line in enumerate(text.split("\n"), 1):
        reading.take(line.removesuffix("\r"), number)
    return reading.plan()


class _Draft:
    """A change while the lines after it are still to be read."""

    def __init__(self, match: re.Match[str], note: str, place: int) -> None:
        self.id = ""
        self.name, self.date, self.note = match["name"], match["date"], note
        self.planner, self.email = match["planner"], match["email"]
        self.dependencies: list[Dependency] = []
        self.tags: list[Tag] = []
        self.rework_tags: tuple[str, ...] = ()
        self.place = place


class _Reading:
    """One pass over the lines of a plan."""

    def __init__(self, shown: str) -> None:
        self._shown = printable(shown)
        self._pragmas: dict[str, str] = {}
        self._in_header = True
        self._drafts: list[_Draft] = []
        self._since_tag: set[str] = set()
        self._tags: set[str] = set()
        self._number = 0

    def take(self, line: str, number: int) -> None:
        """Take the next line."""
        self._number = number
        note_at = _NOTE.search(line)
        note = (note_at["note"] or "") if note_at else ""
        content = line[: note_at.start()] if note_at else line
        if not content:
            # The first line with nothing at all on it ends the pragmas.
            self._in_header = self._in_header and "#" in line
        elif self._in_header:
            self._pragma(content)
        else:
            self._line(content, _unescaped(note))

    def plan(self) -> Plan:
        """Return what was read."""
        project = self._project()
        named: dict[str, int] = {}
        for one in self._drafts:
            named[one.name] = named.get(one.name, 0) + 1
        changes = tuple(_change(one, named[one.name] > 1) for one in self._drafts)
        return Plan(project, changes)

    def _project(self) -> str:
        project = self._pragmas.get("project", "")
        if not project:
            raise self._error("there is no %project in it")
        return project

    def _pragma(self, content: str) -> None:
        match = _PRAGMA.fullmatch(content)
        if not match:
            raise self._error("a blank line must come between the pragmas and the changes")
        self._pragmas[match["name"]] = match["value"] or "1"

    def _line(self, content: str, note: str) -> None:
        project = self._project()
        match = _LINE.fullmatch(content)
        if not match:
            raise self._error("this is no change and no tag that sqitch would take")
        if match["tag"]:
            self._tag(match, note)
            return
        draft = _Draft(match, note, len(self._drafts))
        if draft.name in self._since_tag:
            raise self._error(f"{printable(draft.name)} is there twice without a tag between")
        for written in re.split(f"{_B}+", match["dependencies"] or ""):
            if written:
                draft.dependencies.append(self._dependency(written, project))
        draft.id = _sha1("change", self._info(draft))
        earlier = next((one for one in reversed(self._drafts) if one.name == draft.name), None)
        if earlier:
            between = reversed(self._drafts[earlier.place : draft.place])
            earlier.rework_tags = tuple(tag.name for one in between for tag in one.tags)
        self._since_tag.add(draft.name)
        self._drafts.append(draft)

    def _tag(self, match: re.Match[str], note: str) -> None:
        name = "@" + match["name"]
        if not self._drafts or match["dependencies"] or name in self._tags or "/" in name:
            raise self._error(f"sqitch would not take the tag {printable(name)} here")
        change = self._drafts[-1]
        planner, email = match["planner"], match["email"]
        lines = [*self._head(), f"tag {name}", f"change {change.id}"]
        lines += [f"planner {planner} <{email}>", f"date {match['date']}"]
        lines += ["", note] if note else []
        tag_id = _sha1("tag", "\n".join(lines))
        change.tags.append(Tag(name, tag_id, note, planner, email, match["date"]))
        self._tags.add(name)
        self._since_tag.clear()

    def _head(self) -> list[str]:
        uri = self._pragmas.get("uri")
        return [f"project {self._project()}", *([f"uri {_canonical(uri)}"] if uri else [])]

    def _info(self, draft: _Draft) -> str:
        """Return the text whose hash is the change's id."""
        lines = [*self._head(), f"change {draft.name}"]
        if self._drafts:
            lines.append(f"parent {self._drafts[-1].id}")
        lines += [f"planner {draft.planner} <{draft.email}>", f"date {draft.date}"]
        requires = [one.text for one in draft.dependencies if not one.conflict]
        conflicts = [one.text for one in draft.dependencies if one.conflict]
        lines += ["requires", *(f"  + {text}" for text in requires)] if requires else []
        lines += ["conflicts", *(f"  - {text}" for text in conflicts)] if conflicts else []
        lines += ["", draft.note] if draft.note else []
        return "\n".join(lines)

    def _dependency(self, written: str, project: str) -> Dependency:
        match = _DEPENDENCY.fullmatch(written)
        if not match:
            raise self._error(f"{printable(written)} is no dependency")
        tag = match["tag"] or match["only"] or ""
        other = match["project"] or ""
        if other == project:
            other = ""
        text = (match["change"] or "") + (f"@{tag}" if tag else "") or match["id"]
        return Dependency(
            text=f"{other}:{text}" if other else text,
            conflict=bool(match["conflict"]),
            project=other,
            change=match["change"] or "",
            tag=tag,
            id=match["id"] or "",
        )

    def _error(self, what: str) -> FrameworkError:
        return FrameworkError(
            f"{self._shown}, line {self._number}: {what}",
            "See what sqitch itself says of it with `sqitch plan`.",
        )


def _change(draft: _Draft, several: bool) -> Change:
    tag = next(iter([one.name for one in draft.tags] or draft.rework_tags), "@HEAD")
    return Change(
        id=draft.id,
        name=draft.name,
        note=draft.note,
        planner=draft.planner,
        email=draft.email,
        date=draft.date,
        dependencies=tuple(draft.dependencies),
        tags=tuple(draft.tags),
        rework_tags=draft.rework_tags,
        version=draft.name + tag if several else draft.name,
    )


def first_line(note: str) -> str:
    """Return a note, for people."""
    return shorten(note.split("\n", 1)[0], 60)


def array(texts: Sequence[str]) -> str:
    """Return the array of those texts as PostgreSQL reads it."""
    quoted = ('"' + re.sub(r'(["\\])', r"\\\1", text) + '"' for text in texts)
    return "{" + ",".join(quoted) + "}"


def _unescaped(note: str) -> str:
    meant = {"\\n": "\n", "\\r": "\r", "\\\\": "\\"}
    return re.sub(r"\\[\\nr]", lambda match: meant[match.group()], note.strip())


def _sha1(kind: str, info: str) -> str:
    content = info.encode()
    # It names a change as git names a commit; nothing is protected by it.
    whole = b"%s %d\0%s" % (kind.encode(), len(content), content)
    return hashlib.sha1(whole, usedforsecurity=False).hexdigest()


def _canonical(uri: str) -> str:
    """Return a URI as Perl's URI::canonical writes it."""
    parts = urlsplit(uri)
    scheme = parts.scheme.lower()
    user, at, where = parts.netloc.rpartition("@")
    where = where.lower()
    default = {"http": ":80", "https": ":443"}.get(scheme, ":")
    where = where.removesuffix(default).removesuffix(":")
    path = parts.path
    if scheme in ("http", "https") and not path and not parts.query and where:
        path = "/"

    def escape(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        plain = re.fullmatch(r"[A-Za-z0-9\-_.!~*'()]", character)
        return character if plain else match.group().upper()

    whole = urlunsplit((scheme, user + at + where, path, parts.query, parts.fragment))
    return re.sub(r"%([0-9a-fA-F]{2})", escape, whole)
