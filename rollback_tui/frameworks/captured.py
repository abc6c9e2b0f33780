"""Scripts that were captured from a framework's own down migration, kept beside the runs.

Making one takes a scratch database and a call of the tool (:mod:`rollback_tui.rehearsal`); the plan
only reads what is kept here, and takes it only for the same files, versions and target.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import msgspec

from rollback_tui.core.errors import ConfigurationError, FrameworkError
from rollback_tui.core.model import AppliedMigration, Value
from rollback_tui.core.script.source import Source
from rollback_tui.core.text import printable
from rollback_tui.frameworks import files

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
    """All versions that were applied when it was called, newest first: ``version`` is the first."""
    target: str
    """Fingerprint of the target whose schema it was captured on."""
    database: str
    """Its name, for people."""
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
    """Tables of the application whose rows the tool read."""
    refused: str = ""
    """Why it is no script; empty: it is one."""

    def source(self) -> Source:
        """Return the script: one statement after the other."""
        data = "".join(f"{statement}\n;\n\n" for statement in self.statements).encode()
        return Source(
            path=self.path,
            data=data,
            start=0,
            end=len(data),
            origin=f"captured from `{printable(self.command)}` on {self.made_at[:16]}Z",
            file_sha256=self.file_sha256,
        )


class Captures(Value, frozen=True, kw_only=True):
    """What capturing came to."""

    made: tuple[Capture, ...]
    """Newest first, each kept already."""
    notes: tuple[str, ...] = ()
    """What whoever reads them must know of how they came about."""


def stored(directory: Path, framework: str, version: str) -> Path:
    """Return where the capture of ``version`` is kept, below the run directory ``directory``."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in version)[:120]
    # Two versions may differ only in what a file name cannot hold.
    digest = hashlib.sha256(version.encode(errors="surrogateescape")).hexdigest()[:8]
    return directory / DIRECTORY / framework / f"{plain}.{digest}.json"


def file_sha256(migration: AppliedMigration) -> str:
    """Return the SHA-256 (hex) of the migration's file. Raises FrameworkError when there is none,
    or when it is not safe to read."""
    if migration.path is not None:
        path = Path(migration.path)
        with contextlib.suppress(FileNotFoundError):
            return hashlib.sha256(files.read(path.parent, path.name)).hexdigest()
    raise FrameworkError(
        f"no file has version {printable(migration.version)}",
        "The code that is checked out here is not the code that was deployed: check that out.",
    )


def kept(directory: Path, framework: str, version: str) -> Capture | None:
    """Return the capture of ``version``; None when there is none. Raises ConfigurationError when
    there is one that cannot be read."""
    path = stored(directory, framework, version)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Capture)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(
            f"{printable(str(path))} cannot be read: {printable(str(error))}",
            "Remove it, and capture the migration again: `rollback-tui capture`.",
        ) from None


def stale(
    capture: Capture, migration: AppliedMigration, applied: tuple[str, ...], target: str
) -> str:
    """Return why ``capture`` does not hold for ``migration`` any more; empty: it holds.

    ``applied``: the versions that are applied when its turn comes, newest first; ``target``: the
    fingerprint. Raises FrameworkError when the file cannot be read.
    """
    if capture.target != target:
        return f"it was captured on another target, {printable(capture.database)}"
    if capture.file_sha256 != file_sha256(migration):
        return "its file has changed since it was captured"
    if capture.applied != applied:
        return "other migrations were applied when it was captured"
    return ""
