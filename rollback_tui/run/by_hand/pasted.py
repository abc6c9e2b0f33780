"""What a person pastes into a shell: words, names and commands with nothing in them that a terminal
would obey, whatever a database or a directory is called."""

from __future__ import annotations

import re
import shlex

from rollback_tui.core.model import Value
from rollback_tui.core.names import parts
from rollback_tui.core.text import printable

_CONNECTION_STRING = re.compile(r"=|^postgres(ql)?://")
"""A database name that libpq would take for a whole connection string."""


def word(text: str) -> str:
    """Return ``text`` as one word of bash. What cannot be printed is in bash's ``$'…'``, byte by
    byte, so that it does not depend on the shell's locale."""
    if printable(text) == text:
        return shlex.quote(text)
    return "$'" + "".join(_in_dollar_quotes(c) for c in text) + "'"


def pattern(path: str) -> str:
    """Return a path as :func:`word` does, with ``*``, ``?`` and ``[…]`` left to the shell."""
    return "".join(
        piece if piece in "*?[]" else word(piece)
        for piece in re.split(r"([*?\[\]])", path)
        if piece
    )


def _in_dollar_quotes(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if printable(character) == character:
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def identifier(name: str) -> str:
    """Return ``name`` as a quoted identifier of SQL (PostgreSQL's documentation, 4.1.1)."""
    return _sql(name, '"')


def literal(text: str) -> str:
    """Return ``text`` as a string of SQL; needs ``standard_conforming_strings``, the default."""
    return _sql(text, "'")


def _sql(text: str, quote: str) -> str:
    doubled = text.replace(quote, 2 * quote)
    if printable(text) == text:
        return f"{quote}{doubled}{quote}"
    escaped = (
        "\\\\" if c == "\\" else c if printable(c) == c else f"\\+{ord(c):06X}" for c in doubled
    )
    return f"U&{quote}{''.join(escaped)}{quote}"


def relation(qualified: str) -> str:
    """Return a qualified name, quoted where needed, as one that can be pasted."""
    return ".".join(identifier(part) for part in parts(qualified))


def block(*lines: str, language: str = "bash") -> str:
    """Return a fenced block of Markdown that no line of its content can end."""
    text = "\n".join(lines)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


class Server(Value, frozen=True, kw_only=True):
    """How the server is reached; never a password."""

    host: str
    port: int
    user: str

    def psql(self, database: str, *statements: str) -> str:
        """Return the command that sends ``statements``, each with its semicolon where it has one.

        Spelt out: where it is pasted, the environment may lead to another server.
        """
        sql = "\n".join(statements)
        encoding = "" if sql.isascii() else "PGCLIENTENCODING=UTF8 "
        return f"{encoding}psql {self.options(database)} <<'SQL'\n{sql}\nSQL"

    def options(self, database: str) -> str:
        """Return psql's options: no ``.psqlrc``, the first error ends it."""
        where = (("-h", self.host), ("-p", str(self.port)), ("-U", self.user))
        options = " ".join(f"{option} {word(value)}" for option, value in where)
        return f"-X -v ON_ERROR_STOP=1 {options} -d {_database(database)}"

    def environment(self, database: str) -> str:
        """Return the same as assignments before a command."""
        named = {"PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": self.user}
        return " ".join(
            f"{name}={word(v)}" for name, v in {**named, "PGDATABASE": database}.items()
        )


def _database(name: str) -> str:
    if not _CONNECTION_STRING.search(name):
        return word(name)
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return word(f"dbname='{escaped}'")
