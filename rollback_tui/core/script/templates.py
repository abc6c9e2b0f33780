"""Placeholders that another tool would have replaced before the script ever reached a server.

The script is executed as it is. ``DROP TABLE {{ name }}`` is then a syntax error; but
``DROP TABLE IF EXISTS "${schema}"."users"`` is not: it is another table, and silently nothing.

Only what PostgreSQL could not mean is called a placeholder. Inside ``'…'`` and ``$$…$$`` braces
and colons are data (JSON, arrays, times). Outside of quotes ``{`` and ``}`` are no characters of
SQL; ``:name`` may be part of ``::type``, ``a[1:n]`` or ``JSON_OBJECT('k':v)``, and ``%``, ``<%``,
``@@``, ``?`` are operators: these count only in a statement that PostgreSQL's grammar refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rollback_tui.core.model import Problem
from rollback_tui.core.script.lexer import Token, tokens
from rollback_tui.core.text import shorten

_BRACED = r"""
        \{\{ [^{}\n]{0,200} \}\}              # Jinja, dbt, Go templates, Mustache
      | \{[%\#] [^{}\n]{0,200} [%\#]\}        # Jinja
      | [$\#]? \{ \s* [A-Za-z_][\w.]* [^{}\n]{0,80} \}  # shell, Flyway, goose ENVSUB, Ruby, Python
"""
_MARKED = r"""
        <%[=-] [^%]{0,200} %>          # ERB, EJS
      | %\([A-Za-z_]\w*\)[sd]                 # Python's DB-API
      | @@[A-Za-z_]\w*@@                     # build tools
"""
_IN_IDENTIFIER = re.compile(f"{_BRACED}|{_MARKED}", re.VERBOSE)
_OUTSIDE = re.compile(
    rf"""(?P<bracket> [\[\]])
      | (?P<found> {_BRACED} | {_MARKED}
          | @[A-Za-z_]\w*@                     # build tools
          | (?<![A-Za-z0-9_$\x80-\xff]) \$ [A-Za-z_]\w*     # shell, goose ENVSUB
        )
      | (?P<colon> (?<![:\w\]]) : (?:[A-Za-z_]\w* | '[A-Za-z_]\w*' | "[A-Za-z_]\w*")(?![:=]) )
    """,
    re.VERBOSE,
)
MOST_REPORTED = 20
"""At most so many are named: they tend to come in scores."""
_REMEDY = (
    "Put in a copy of the file what your tool would put in, or roll this migration back with that "
    "tool: here the script runs exactly as it is."
)


def placeholders(text: str, start: int, end: int, *, parsed: bool) -> Iterator[Problem]:
    """Yield the placeholders in the statement ``text[start:end]`` (latin-1), in its order.

    ``parsed``: PostgreSQL's grammar accepts the statement, so that only what hides in a quoted
    identifier can still be one.
    """
    if parsed and text.find('"', start, end) < 0:
        return
    found: list[tuple[int, str]] = []
    seen: list[str] = []
    position = start
    for token in tokens(text, start, end):
        written = text[token.start : token.end]
        if token.kind == "identifier":
            found += [
                (token.start + m.start(), m.group()) for m in _IN_IDENTIFIER.finditer(written)
            ]
        if not parsed:
            seen += (text[position : token.start], _seen(text, token, written))
            position = token.end
    if not parsed:
        found += _outside("".join(seen), start)
    for offset, written in sorted(found)[:MOST_REPORTED]:
        yield _problem(text, offset, written)


def _seen(text: str, token: Token, written: str) -> str:
    """Return what counts of a token: quoted text is data, except after psql's colon."""
    if token.kind in ("run", "mark", "command"):
        return written
    if token.kind in ("string", "identifier") and text[token.start - 1 : token.start] == ":":
        return written
    return " " * len(written)


def _outside(seen: str, start: int) -> Iterator[tuple[int, str]]:
    """Yield offset and text of each placeholder in a statement without its quoted text."""
    keyed = "JSON_OBJECT" in seen.upper()
    depth = 0
    for match in _OUTSIDE.finditer(seen):
        if match["bracket"]:
            depth += 1 if match["bracket"] == "[" else -1
        elif match["found"] or not (keyed or depth > 0):
            yield start + match.start(), match.group()


def _problem(text: str, offset: int, found: str) -> Problem:
    shown = shorten(found.encode("latin-1").decode("utf-8", "replace"), 40)
    return Problem(
        line=text.count("\n", 0, offset) + 1,
        offset=offset,
        summary=f"{shown} is a placeholder that another tool would have replaced",
        remedy=_REMEDY,
        rule="template",
    )
