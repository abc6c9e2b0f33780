"""Is what alembic printed what it would execute? Three times it is not, without a word.

- ``%`` is printed twice where env.py's offline part does not choose the paramstyle ``named``
  (``dialect_opts`` of the env.py that ``alembic init`` writes): drivers take one away again.
- A ``:word`` in the text of ``op.execute()``, also within quotes, is a parameter to SQLAlchemy.
  Without a value it is an error online; printed is ``NULL``.
- A tab is printed as four blanks (``DefaultImpl._exec``), also within quotes.

The revision's own strings show each of them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import lru_cache

from rollback_tui.core.text import shorten
from rollback_tui.frameworks.alembic.revisions import syntax

_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")
"""``TextClause._bind_params_regex``."""
_BLANKS = "    "
_SHOWN = 60
_TELLING = len("SET x=NULL")
"""A shorter text may stand anywhere: ``NULL`` alone tells nothing."""


def as_executed(text: str, file: bytes) -> tuple[str, str]:
    """Return ``text``, printed for the revision in ``file``, with its tabs; and why it is not what
    would be executed. Empty: it is."""
    found = _strings(file)
    for string in found:
        spoiled = _PARAMETER.sub("NULL", string)
        if spoiled != string and len(spoiled) >= _TELLING and _printed(spoiled) in text:
            word = _PARAMETER.search(string)
            return text, (
                f"{shorten(word[0] if word else '', _SHOWN)} in"
                f" '{shorten(string, _SHOWN)}' is a parameter without a value to SQLAlchemy, which"
                " alembic prints as NULL, and would fail on itself: write a backslash before its"
                " colon"
            )
    for string in found:
        if "\t" in string and string.strip():
            text = text.replace(_printed(string), string.strip())
    rest = text
    for string in found:
        if "%%" in string:
            rest = rest.replace(string.strip(), "")
    if "%%" in rest:
        return text, (
            "alembic prints each % twice here, which is not what it would execute: add"
            ' dialect_opts={"paramstyle": "named"} to context.configure() in the offline part of'
            " env.py, as `alembic init` writes it"
        )
    return text, ""


def _printed(string: str) -> str:
    return string.replace("\t", _BLANKS).strip()


@lru_cache(maxsize=64)
def _strings(file: bytes) -> tuple[str, ...]:
    """Return the strings that are written in a Python file, the longest first; those between the
    braces of f-strings too."""
    nodes: Iterable[ast.AST] = ast.walk(syntax(file))
    found = {node.value for node in nodes if isinstance(node, ast.Constant) and _is_text(node)}
    return tuple(sorted((str(one) for one in found), key=lambda one: (-len(one), one)))


def _is_text(node: ast.Constant) -> bool:
    return isinstance(node.value, str) and bool(node.value.strip())
