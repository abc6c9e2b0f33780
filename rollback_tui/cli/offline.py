"""``plan --script FILE --offline``: boundaries without a database."""

from __future__ import annotations

from pathlib import Path

import msgspec

from rollback_tui.core.errors import ConfigurationError, FrameworkError
from rollback_tui.core.script.read import read_script
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files
from rollback_tui.parser import Parser


def split_file(script: Path | None) -> dict[str, object]:
    """Return the statements of a file with their byte offsets, and what stands against it.

    The whole file counts as SQL: no framework's markers are looked for. Raises
    ConfigurationError when the file cannot be read, is none (a directory, a FIFO, a device), or
    is larger than a script may be.
    """
    if script is None:
        raise ConfigurationError(
            "--offline splits a file, and none is named",
            "Add --script FILE, or leave --offline out.",
        )
    data = _bytes(script)
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
        "doubts": msgspec.to_builtins(read.doubts),
    }


def _bytes(script: Path) -> bytes:
    shown = printable(str(script))
    try:
        # A link that the operator names may lead anywhere.
        path = script.resolve(strict=True)
        return files.read(path.parent, path.name)
    except FrameworkError as error:
        reason = error.summary
    except RuntimeError:  # before Python 3.13
        reason = f"{shown} cannot be read: it is a symbolic link to itself"
    except OSError as error:
        reason = f"{shown} cannot be read: {error.strerror}"
    raise ConfigurationError(reason, "Name a plain file of SQL that this user may read.") from None
