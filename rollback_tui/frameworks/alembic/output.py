"""What ``alembic downgrade`` and ``upgrade`` print with ``--sql``, cut into migrations.

Each migration begins with the comment ``-- Running downgrade b -> a``, and ends with what it does
to the version table. Around all of it, or around each, stand ``BEGIN;`` and ``COMMIT;``; an
``autocommit_block()`` is ``COMMIT; … BEGIN;``. What cannot be told apart for certain is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from rollback_tui.core.errors import FrameworkError
from rollback_tui.core.script.lexer import Token, tokens
from rollback_tui.core.script.split import split
from rollback_tui.core.text import shorten
from rollback_tui.frameworks.alembic.revisions import Change
from rollback_tui.frameworks.protocol import VersionTable

Way = Literal["downgrade", "upgrade"]

_HEADER = re.compile(r"-- Running (?:(?P<way>downgrade|upgrade)) (?P<from>.*) -> (?P<to>.*)")
_NAME = r"\"(?:[^\"]|\"\")*\"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*"
_TABLE = rf"(?:(?P<schema>{_NAME})\.)?(?P<table>{_NAME})"
_TEXT = r"'(?P<{}>(?:[^']|'')*)'"
_COLUMN = rf"(?:(?:{_NAME})\.)*version_num"
_VERSION = _TEXT.format("version")
_INSERT = (r"INSERT INTO", _TABLE, rf"\(version_num\) VALUES \({_VERSION}\)")
_UPDATE = (r"UPDATE", _TABLE, rf"SET version_num={_TEXT.format('to')}", rf"WHERE {_COLUMN}")
_DELETE = (r"DELETE FROM", _TABLE, rf"WHERE {_COLUMN} = {_VERSION}")
_CHANGES: dict[Literal["insert", "update", "delete"], re.Pattern[str]] = {
    "insert": re.compile(" ".join(_INSERT) + rf"(?: RETURNING {_COLUMN})?"),
    "update": re.compile(" ".join(_UPDATE) + rf" = {_VERSION}"),
    "delete": re.compile(" ".join(_DELETE)),
}
_CREATE = re.compile(rf"CREATE TABLE {_TABLE} \(\s*version_num VARCHAR\b[^;]*", re.DOTALL)
_DROP = re.compile(rf"DROP TABLE {_TABLE}")
"""Before 1.20 printed when base was reached; online it never happened."""


class Section(NamedTuple):
    """What one migration was printed as."""

    revision: str
    text: bytes
    """Its SQL without the transaction's words and the version table's change."""
    transactional: bool
    changes: tuple[Change, ...]
    """Of the version table, as they were printed: for a database with no other branch."""


class Cut(NamedTuple):
    """A whole output, or one that ended early."""

    sections: tuple[Section, ...]
    stopped_at: str
    """The revision that the program failed in; empty: none was begun, or all are whole."""


class _Statement(NamedTuple):
    start: int
    end: int
    inside: bool
    """In a transaction."""


class _Part(NamedTuple):
    """A section in the making: its place, its statements, and what is cut out of it."""

    revision: str
    start: int
    statements: list[_Statement]
    cut: list[tuple[int, int]]


def cut(output: str, way: Way, table: VersionTable, *, complete: bool) -> Cut:
    """Return the migrations in ``output``, in its order.

    ``complete``: the program ended well; otherwise the last migration in it is the one in which it
    failed. Raises FrameworkError for what cannot be attributed to one migration, and when the
    version table that is spoken of is not ``table``.
    """
    data = output.encode()
    text = data.decode("latin-1")
    read = split(data)
    if not read.statements and read.problems:
        raise FrameworkError(
            f"what alembic printed cannot be read: {read.problems[0].summary}", _BY_HAND
        )
    spans = [(piece.start, piece.end) for piece in read.statements]
    found = list(tokens(text, 0, len(text)))
    if read.wrapper_removed:
        words = [token for token in found if token.kind == "run"]
        spans = [_place(words[0]), *spans, _place(words[-1])]
    headers = _headers(text, found, spans, way)
    before, parts = _parts(text, spans, headers, table)
    stopped_at = ""
    if not complete and parts:
        stopped_at = parts.pop().revision
    ends = [header.start for header, _ in headers[1:]] + [len(text)]
    sections = [
        _section(text, before, part, end, table)
        for part, end in zip(parts, ends[: len(parts)], strict=True)
    ]
    return Cut(tuple(sections), stopped_at)


_BY_HAND = "Give the script by hand: --script FILE."


def _place(token: Token) -> tuple[int, int]:
    return token.start, token.end


def _headers(
    text: str, found: Sequence[Token], spans: Sequence[tuple[int, int]], way: Way
) -> list[tuple[Token, str]]:
    """Return the comments that begin a migration, with its revision; refuse what hides one."""
    headers: list[tuple[Token, str]] = []
    at = 0
    for token in found:
        if token.kind != "comment":
            continue
        while at < len(spans) and spans[at][1] <= token.start:
            at += 1
        inside = at < len(spans) and spans[at][0] <= token.start
        words = text[token.start : token.end]
        header = _HEADER.fullmatch(words)
        # Printed is the statement's text and ";": behind a comment, that does not end it.
        swallowed = words.startswith("--") and words.endswith(";")
        if inside and (header or (swallowed and text.startswith("\n\n", token.end))):
            start = spans[at][0]
            raise FrameworkError(
                "where a statement that alembic printed ends cannot be told, because a comment is"
                f" its last line: {_shown(text[start : token.end])}",
                f"Take the comment out of that migration. {_BY_HAND}",
            )
        if header and header["way"] == way:
            revision = header["from" if way == "downgrade" else "to"]
            headers.append((token, _utf8(revision).strip()))
    return headers


def _parts(
    text: str,
    spans: Sequence[tuple[int, int]],
    headers: Sequence[tuple[Token, str]],
    table: VersionTable,
) -> tuple[bytes, list[_Part]]:
    """Give each statement to its migration. Returns what is set for all of them, and they."""
    parts: list[_Part] = []
    settings: list[str] = []
    waiting = list(reversed(headers))
    inside = False
    for start, end in spans:
        while waiting and waiting[-1][0].start < start:
            header, revision = waiting.pop()
            parts.append(_Part(revision, header.end, [], []))
        words = text[start:end]
        control = words.upper() if end - start <= len("COMMIT") else ""
        if control in ("BEGIN", "COMMIT"):
            inside = control == "BEGIN"
            if parts:
                parts[-1].cut.append(_with_end(text, start, end))
        elif parts:
            parts[-1].statements.append(_Statement(start, end, inside))
        elif words.startswith("SET "):
            settings.append(words)  # env.py's own: a search_path that holds for all of them
        elif not _is_version_table(_CREATE.fullmatch(words), table):
            raise FrameworkError(
                "alembic printed something that belongs to no migration:"
                f" {_shown(text[:end].strip())}",
                "Does env.py print or execute something, or alembic.ini log to sys.stdout? Take"
                f" that out there. {_BY_HAND}",
            )
    while waiting:
        header, revision = waiting.pop()
        parts.append(_Part(revision, header.end, [], []))
    return "".join(f"{one};\n\n" for one in settings).encode("latin-1"), parts


def _section(text: str, before: bytes, part: _Part, end: int, table: VersionTable) -> Section:
    """Return one migration: what is left of its text without what was recognised."""
    statements = list(part.statements)
    removed = list(part.cut)
    if statements and _is_version_table(_DROP.fullmatch(_text(text, statements[-1])), table):
        changes_below = [s for s in statements[:-1] if _change(_text(text, s), table)]
        if changes_below and changes_below[-1] is statements[-2]:
            removed.append(_with_end(text, *statements.pop()[:2]))
    changes: list[Change] = []
    while statements and (change := _change(_text(text, statements[-1]), table)):
        changes.insert(0, change)
        removed.append(_with_end(text, *statements.pop()[:2]))
    kept = "\n\n".join(_pieces(text, part.start, end, removed))
    return Section(
        revision=part.revision,
        text=(before if statements else b"") + (kept + "\n" if kept else "").encode("latin-1"),
        transactional=all(statement.inside for statement in statements),
        changes=tuple(changes),
    )


def _pieces(text: str, start: int, end: int, removed: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield the text between what is removed, without the blank lines around it."""
    for first, last in [*sorted(removed), (end, end)]:
        piece = text[start:first].strip("\r\n")
        if piece.strip():
            yield piece
        start = last


def _change(words: str, table: VersionTable) -> Change | None:
    """Return what a statement does to the version table; None when it is another statement."""
    for kind, pattern in _CHANGES.items():
        match = pattern.fullmatch(words)
        if match:
            if not _is_version_table(match, table):
                named = _shown(words)
                raise FrameworkError(
                    f"alembic keeps its versions in another table than {table.quoted}: {named}",
                    'Name its table in rollback.toml: [migrations] table = "schema.table".',
                )
            values = match.groupdict()
            to = _utf8(values.get("to") or "").replace("''", "'")
            return Change(kind, _utf8(values["version"]).replace("''", "'"), to)
    return None


def _is_version_table(match: re.Match[str] | None, table: VersionTable) -> bool:
    """Whether the table that is spoken of is the version table. Without a schema it is: which one
    that is, the search_path of the session says."""
    if match is None:
        return False
    schema = _bare(match["schema"]) if match["schema"] else table.schema
    return (schema, _bare(match["table"])) == (table.schema, table.name)


def _bare(name: str) -> str:
    plain = name[1:-1].replace('""', '"') if name.startswith('"') else name
    return _utf8(plain)


def _with_end(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the place of a statement together with its semicolon."""
    return start, end + 1 if text[end : end + 1] == ";" else end


def _text(text: str, statement: _Statement) -> str:
    return text[statement.start : statement.end]


def _utf8(latin: str) -> str:
    return latin.encode("latin-1").decode(errors="replace")


def _shown(latin: str) -> str:
    return shorten(_utf8(latin), 120)
