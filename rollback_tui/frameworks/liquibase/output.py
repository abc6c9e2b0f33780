"""What ``liquibase rollback-count-sql`` and ``update-sql`` print, cut into changesets.

A preamble; then for each changeset a line with its name, its SQL, and the one statement by which
Liquibase takes it out of its table or puts it in; then its lock is given back. What stands between
is kept to the byte; anything else between two changesets is not understood, and refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.script.lexer import tokens
from rollback_tui.core.text import shorten
from rollback_tui.frameworks.liquibase.changelog import normal
from rollback_tui.frameworks.protocol import VersionTable
from rollback_tui.frameworks.quoting import literal

_TEXT = r"'((?:[^']|'')*)'"
_DELETE = re.compile(
    rf"DELETE FROM .+? WHERE ID = {_TEXT} AND AUTHOR = {_TEXT} AND FILENAME = {_TEXT};"  # noqa: S608 - to be read
)
_INSERT = re.compile(
    r"INSERT INTO .+? (\(ID, AUTHOR, FILENAME, DATEEXECUTED, ORDEREXECUTED, .+?\)) VALUES "  # noqa: S608 - to be read
    rf"\({_TEXT}, {_TEXT}, {_TEXT}, NOW\(\), (\d+), (.*)\);"
)
_PATH = "SET SEARCH_PATH TO "
_END = "-- Release Database Lock"
_HEADS = {"down": "-- Rolling Back ChangeSet: ", "up": "-- Changeset "}


class Part(NamedTuple):
    """One changeset."""

    sql: str
    change: str
    """The statement for Liquibase's own table, without a semicolon."""
    author: str
    id: str


class Cut(NamedTuple):
    """All of them."""

    parts: Mapping[str, Part]
    """By :func:`rollback_tui.frameworks.liquibase_changelog.normal` of their versions."""
    stopped_at: str
    """The changeset (likewise) in which Liquibase stopped; empty: it came to the end."""
    search_path: str
    """What it set for its session; empty where that is what the session had anyway."""


def cut(text: str, table: VersionTable, *, up: bool) -> Cut:
    """Return the changesets in ``text``. Raises FrameworkError when it is not understood."""
    head = _HEADS["up" if up else "down"]
    parts: dict[str, Part] = {}
    path = current = ""
    body: list[str] = []
    for line in text.split("\n"):
        if current:
            ended = _ended(line, current, table, up=up)
            if ended is None:
                body.append(line)
                continue
            parts[current] = ended._replace(sql=_text(body))
            current = ""
        elif line.startswith(head):
            current, body = normal(line.removeprefix(head)), []
            if current in parts:
                raise _not_understood(line)
        elif line == _END:
            break
        elif line.startswith(_PATH):
            path = line.removeprefix(_PATH).rstrip(";")
        elif parts and line.strip():
            raise _not_understood(line)
    return Cut(parts, current, "" if _usual(path) else path)


def _ended(line: str, current: str, table: VersionTable, *, up: bool) -> Part | None:
    """Return the part without its SQL when ``line`` is what ends the changeset ``current``."""
    match = (_INSERT if up else _DELETE).fullmatch(line)
    if match is None:
        return None
    texts = match.groups()[1:4] if up else match.groups()
    id_, author, filename = (one.replace("''", "'") for one in texts)
    if normal(f"{filename}::{id_}::{author}") != current:
        return None
    if not up:
        return Part("", deletion(table, id_, author, filename), author, id_)
    # Where it stands in the order is not known to a Liquibase that sees no database.
    highest = f"(SELECT coalesce(max(orderexecuted), 0) + 1 FROM {table.quoted})"  # noqa: S608 - quoted
    values = ", ".join((*map(literal, (id_, author, filename)), "NOW()", highest, match[6]))
    return Part("", f"INSERT INTO {table.quoted} {match[1]} VALUES ({values})", author, id_)  # noqa: S608


def deletion(table: VersionTable, id_: str, author: str, filename: str) -> str:
    """Return how Liquibase takes a changeset out of its table
    (``RemoveChangeSetRanStatusGenerator``)."""
    return (
        f"DELETE FROM {table.quoted} WHERE ID = {literal(id_)} AND AUTHOR = {literal(author)}"  # noqa: S608 - quoted
        f" AND FILENAME = {literal(filename)}"
    )


def _text(body: list[str]) -> str:
    """Return the SQL, each statement with an end of its own.

    Liquibase puts a semicolon at the end and an empty line below: where the end is in a comment,
    the semicolon is as well.
    """
    text = "\n".join(body).strip("\n")
    hidden = [
        token.end
        for token in tokens(text, 0, len(text))
        if token.kind == "comment"
        and text.startswith("--", token.start)
        and text[token.start : token.end].rstrip().endswith(";")
        and (text.startswith("\n\n", token.end) or not text[token.end :].strip())
    ]
    for place in reversed(hidden):
        text = f"{text[:place]}\n;{text[place:]}"
    return f"{text}\n" if text else ""


def _usual(path: str) -> bool:
    """Whether Liquibase has only put the session's own first schema first once more."""
    names = [name.strip().strip('"') for name in path.split(",")]
    rest = [name for name in names[1:] if name != "$user"]
    return not path or rest[:1] == names[:1]


def _not_understood(line: str) -> FrameworkError:
    return FrameworkError(
        f"what Liquibase printed is not understood: {shorten(line, 120)}",
        "Roll back with `liquibase rollback-count`, or give the script with --script FILE.",
    )
