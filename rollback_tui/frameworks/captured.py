"""Scripts that were captured from a framework's own down migration, kept beside the runs.

Making one takes a scratch database and a call of the tool (:mod:`rollback_tui.rehearsal`); the plan
only reads what is kept here, and takes it only for the same files, versions and target.
"""

from __future__ import annotations

from pathlib import Path

from rollback_tui.core.model import Value

DIRECTORY = "captured"
"""Below ``[run] directory``."""


class Capture(Value, frozen=True, kw_only=True):
    """What one call of the tool's down migration sent."""

    framework: str
    version: str
    """The migration that was taken back."""
    path: str
    file_sha256: str
    """SHA-256 (hex) of the migration's file then."""
    applied: tuple[str, ...]
    """All versions that were applied when it was called, newest first."""
    system_identifier: str
    database: str
    """The target whose schema it was captured on."""
    command: str
    """The call, as a person would type it."""
    made_at: str
    """ISO 8601, UTC."""
    statements: tuple[str, ...]
    """The script: bind values are in it as literals."""
    version_change: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    """(statement, why) of what the tool sent and the script does not have."""
    reads: tuple[str, ...] = ()
    """Tables of the application whose rows the tool read: it may do other things on real rows."""
    transactional: bool = True


def stored(directory: Path, framework: str, version: str) -> Path:
    """Return where the capture of ``version`` is kept, below the run directory ``directory``."""
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in version)[:120]
    return directory / DIRECTORY / framework / f"{name}.json"
