"""A migration tool of a few lines, whose migrations only it can run: its files are Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psycopg

DOWN = "DELETE FROM done WHERE version = %s"


def main() -> None:
    """``status``, or ``down VERSION``."""
    word, *rest = sys.argv[1:]
    # A tool with a mind of its own goes where its configuration says.
    url = os.environ.get(f"TOOL_{word.upper()}_URL") or os.environ["DATABASE_URL"]
    with psycopg.connect(url) as connection:
        if word == "status":
            print(connection.execute("SELECT version FROM done ORDER BY version").fetchall())
            return
        (version,) = rest
        file = next(Path("migrations").glob(f"{version}_*"))
        Path("called").touch()
        exec(file.read_text(), {"connection": connection, "version": version, "DOWN": DOWN})
        connection.execute(DOWN, [version])


if __name__ == "__main__":
    main()
