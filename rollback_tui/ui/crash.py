"""What is said when the terminal process itself fails: the place, and no values.

Textual's own crash screen prints local variables, and a connection string is one of them.
Here a traceback has file, line and function only, and messages pass a filter for secrets.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import traceback
from pathlib import Path
from urllib.parse import quote

from rollback_tui.core.text import printable

FAULT = 70
"""Exit code when this program itself failed (EX_SOFTWARE of sysexits.h). It says nothing about a
run, least of all that it was refused."""

_SECRETS = (
    (re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/@]*@", re.IGNORECASE), r"\1***@"),
    (
        re.compile(r"(?i)(password|passwd|secret|token)(\s*[=:]\s*)('(?:[^'\\]|\\.)*'|\S+)"),
        r"\1\2***",
    ),
)


_SHORTEST = 3
"""Characters of a secret that is looked for: a shorter one stands in every text."""
_hidden: set[str] = set()


def hide(*secrets: str | None) -> None:
    """Never show these values, wherever they stand in a message."""
    _hidden.update(s for s in secrets if s is not None and len(s) >= _SHORTEST)


def redacted(text: str) -> str:
    """Return ``text`` without the secrets that were given to :func:`hide`, and without what looks
    like a password or the user part of a URL."""
    for secret in sorted(_hidden, key=len, reverse=True):
        for form in (secret, quote(secret, safe="")):
            text = text.replace(form, "***")
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def place_of(error: BaseException) -> str:
    """Return the innermost place of our own code: ``ui/app.py line 12 in on_mount``."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "rollback_tui" in frame.filename] or list(frames)
    if not ours:
        return "an unknown place"
    last = ours[-1]
    return f"{_short(last.filename)} line {last.lineno} in {last.name}"


def trace_of(error: BaseException) -> str:
    """Return the traceback with places only, causes first, messages redacted."""
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = traceback.extract_tb(current.__traceback__)
        body = "".join(f"  {_short(f.filename)}:{f.lineno} {f.name}\n" for f in frames)
        message = printable(redacted(str(current)))
        parts.append(f"{body}{type(current).__qualname__}: {message}\n")
        current = current.__cause__ or current.__context__
    return "\n".join(reversed(parts))


def record(error: BaseException, folder: Path | None = None) -> tuple[str, Path | None]:
    """Write the traceback to a 0600 file in ``folder``, or in the temporary directory where that
    cannot be written.

    Returns what happened and where, and the file's path (None when it cannot be written).
    """
    what = f"{type(error).__qualname__} at {place_of(error)}"
    for directory in (folder, None) if folder is not None else (None,):
        with contextlib.suppress(OSError):
            # mkstemp makes the file 0600 and never follows a link that someone left there.
            handle, name = tempfile.mkstemp(
                prefix="rollback-tui-crash-", suffix=".txt", dir=directory
            )
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(trace_of(error))
            return what, Path(name)
    return what, None


def told(error: BaseException, folder: Path | None = None) -> str:
    """Return what is said of ``error``, which nobody expected: its kind and place, where the rest
    is, and what to do now; never a value. ``folder``: of the run that goes on meanwhile."""
    what, path = record(error, folder)
    rows = [f"rollback-tui failed: {what}. This is a fault of rollback-tui itself."]
    rows.append(f"Details without values are in {path}" if path else "No details were kept.")
    if folder is None:
        rows.append("Try again; or without the screens: rollback-tui state, plan, check, run.")
    else:
        rows.append("The run is another process: this did not touch it.")
    return "\n".join(printable(row) for row in rows)


def _short(filename: str) -> str:
    parts = Path(filename).parts
    if "rollback_tui" in parts:
        start = len(parts) - 1 - parts[::-1].index("rollback_tui")
        return "/".join(parts[start + 1 :])
    return "/".join(parts[-2:])
