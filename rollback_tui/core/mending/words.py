"""A definition of a snapshot taken apart: see ``postgres/queries/schema_*.sql``, which write them.

What describes an object clause by clause has a line for each; the one that may hold any text (a
default) is the last. What is the server's own DDL is followed by lines that begin with ``--``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_OPEN_ENDED = ("default", "generated always as")
_NOTE = "\n-- "


def clauses(definition: str, keywords: Sequence[str]) -> dict[str, str]:
    """Return what follows each keyword at the beginning of a line; ``""`` is a line that begins
    with none of them. A keyword that stands alone has an empty text."""
    found: dict[str, str] = {}
    rest = definition
    while rest:
        line, _, below = rest.partition("\n")
        key = next((k for k in keywords if line == k or line.startswith(f"{k} ")), "")
        if key in _OPEN_ENDED:
            found[key] = rest[len(key) + 1 :]
            break
        text = line[len(key) + 1 :] if key else line
        found[key] = f"{found[key]}, {text}" if key in found else text
        rest = below
    return found


def noted(definition: str) -> tuple[str, tuple[str, ...]]:
    """Return the server's own DDL, and what is noted below it."""
    ddl, *notes = definition.split(_NOTE)
    return ddl.strip().rstrip(";"), tuple(notes)


def note(notes: Sequence[str], keyword: str) -> str | None:
    """Return what follows ``keyword`` in the notes; None when there is no such note."""
    for text in notes:
        if text == keyword:
            return ""
        if text.startswith(f"{keyword} "):
            return text[len(keyword) + 1 :]
    return None


def literal(text: str) -> str:
    """Return ``text`` as an SQL string."""
    quoted = text.replace("'", "''")
    return f"E'{quoted.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{quoted}'"


def strings(text: str) -> tuple[str, ...]:
    """Return the SQL strings in a list, each as it is written: ``'a', 'b'``."""
    return tuple(re.findall(r"E?'(?:[^']|'')*'", text))


def options(text: str) -> dict[str, str]:
    """Return the storage parameters in ``(fillfactor=70, toast.autovacuum_enabled=false)``."""
    found: dict[str, str] = {}
    for item in re.split(r", (?=[\w.]+=)", text.replace("), (", ", ").strip("()")):
        name, _, value = item.partition("=")
        if name:
            found[name] = value
    return found


def setting(name: str, value: str) -> str:
    """Return one storage parameter as DDL writes it."""
    return f"{name} = {literal(value)}"


def option_changes(table: str, wanted: str, found: str) -> tuple[str, ...]:
    """Return the statements (after ``ALTER TABLE t``) that make storage parameters as wanted."""
    should, are = options(wanted), options(found)
    changed = [setting(name, value) for name, value in should.items() if are.get(name) != value]
    gone = [name for name in are if name not in should]
    statements = [f"{table} SET ({', '.join(changed)})"] if changed else []
    return (*statements, *([f"{table} RESET ({', '.join(gone)})"] if gone else []))
