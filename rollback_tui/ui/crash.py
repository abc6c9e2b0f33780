"""What is said when the terminal process itself fails: the place, and no values.

Textual's own crash screen prints local variables, and a connection string is one of them.
Here a traceback has file, line and function only, and messages pass a filter for secrets.
"""

from __future__ import annotations

import os
import re
import tempfile
import traceback
from pathlib import Path

from rollback_tui.core.text import printable

_SECRETS = (
    (re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/@]*@", re.IGNORECASE), r"\1***@"),
    (
        re.compile(r"(?i)(password|passwd|secret|token)(\s*[=:]\s*)('(?:[^'\\]|\\.)*'|\S+)"),
        r"\1\2***",
    ),
)


def redacted(text: str) -> str:
    """Return ``text`` without what looks like a password or the user part of a URL."""
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
    """Write the traceback to a 0600 file in ``folder`` or the temporary directory.

    Returns what happened and where, and the file's path (None when it cannot be written).
    """
    what = f"{type(error).__qualname__} at {place_of(error)}"
    try:
        # mkstemp makes the file 0600 and never follows a link that someone left there.
        handle, name = tempfile.mkstemp(
            prefix="rollback-tui-crash-", suffix=".txt", dir=folder or None
        )
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(trace_of(error))
    except OSError:
        return what, None
    return what, Path(name)


def _short(filename: str) -> str:
    parts = Path(filename).parts
    if "rollback_tui" in parts:
        start = len(parts) - 1 - parts[::-1].index("rollback_tui")
        return "/".join(parts[start + 1 :])
    return "/".join(parts[-2:])
