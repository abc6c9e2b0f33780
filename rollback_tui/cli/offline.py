"""``plan --script FILE --offline``: boundaries without a database."""

from __future__ import annotations

from pathlib import Path

import msgspec

from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.script.read import read_script
from rollback_tui.core.script.source import Source
from rollback_tui.parser import Parser


def split_file(script: Path | None, *, offline: bool) -> dict[str, object]:
    """Return the statements of a file with their byte offsets. Raises ConfigurationError."""
    if script is None or not offline:
        raise ConfigurationError(
            "--script and --offline go together", "Give both, or neither and a database."
        )
    try:
        data = script.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{script} cannot be read: {error.strerror}", "Name a readable file."
        ) from None
    with Parser() as parser:
        read = read_script(
            Source(path=str(script), data=data, start=0, end=len(data)),
            first_index=1,
            trees=parser.trees,
        )
    return {
        "statements": [
            {
                "index": s.index,
                "start": s.start,
                "end": s.end,
                "line": s.line,
                "kind": s.effect.kind,
            }
            for s in read.statements
        ],
        "problems": msgspec.to_builtins(read.problems),
    }
