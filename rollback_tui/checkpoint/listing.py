"""The checkpoints that are there, and those that are half there."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint import proof
from rollback_tui.checkpoint.storage import LATEST, PARTIAL, now
from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.model import Value

State = Literal["complete", "partial", "damaged manifest"]

_NAME = re.compile(r"\d{8}_\d{6}(_\d+)?")


class ListedCheckpoint(Value, frozen=True, kw_only=True):
    """One line of the list. ``complete`` does not say *verified*: nothing was compared."""

    path: str
    name: str
    state: State
    created_at: datetime
    """From the manifest; of the directory where there is none."""
    age: float
    """Seconds."""
    bytes: int
    """As the files are now."""
    database: str | None
    fingerprint: str | None
    migration_version: str | None
    server_version: str | None
    latest: bool
    proven_at: datetime | None = None
    """When it was last restored and found to be what was kept; None: never."""
    problem: str = ""


def list_checkpoints(
    directory: Path, *, clock: Callable[[], datetime] = now
) -> tuple[ListedCheckpoint, ...]:
    """Return all checkpoints of a directory, newest first. Raises CheckpointError.

    A directory that does not exist holds none.
    """
    try:
        entries = list(directory.iterdir())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CheckpointError(
            f"{directory} cannot be read: {error.strerror}", "Check checkpoint.directory."
        ) from None
    newest = _target_of_link(directory)
    listed = [
        _listed(entry, entry.name == newest, clock())
        for entry in entries
        if entry.is_dir() and not entry.is_symlink() and _ours(entry.name)
    ]
    return tuple(sorted(listed, key=lambda one: (one.created_at, one.name), reverse=True))


def latest(directory: Path, *, fingerprint: str | None = None) -> Path | None:
    """Return the newest complete checkpoint (of this target); None when there is none."""
    for one in list_checkpoints(directory):
        if one.state == "complete" and fingerprint in (None, one.fingerprint):
            return Path(one.path)
    return None


def _ours(name: str) -> bool:
    return _NAME.fullmatch(name.removeprefix(PARTIAL)) is not None


def _target_of_link(directory: Path) -> str | None:
    with contextlib.suppress(OSError):
        return (directory / LATEST).readlink().name
    return None


def _listed(path: Path, is_latest: bool, moment: datetime) -> ListedCheckpoint:
    state: State = "complete"
    problem = ""
    manifest: mf.Manifest | None = None
    proven: proof.Proof | None = None
    if path.name.startswith(PARTIAL):
        state, problem = "partial", "It is being made now, or its maker died."
    else:
        try:
            manifest, content = mf.read(path)
            proven = proof.read(path, content)
        except CheckpointError as error:
            state, problem = "damaged manifest", error.summary
    created = manifest.created_at if manifest else _changed_at(path)
    return ListedCheckpoint(
        path=str(path),
        name=path.name,
        state=state,
        created_at=created,
        age=(moment - created).total_seconds(),
        bytes=_size(path),
        database=manifest.target.database if manifest else None,
        fingerprint=manifest.fingerprint if manifest else None,
        migration_version=manifest.migration_version if manifest else None,
        server_version=manifest.server_version if manifest else None,
        latest=is_latest,
        proven_at=proven.at if proven else None,
        problem=problem,
    )


def _changed_at(path: Path) -> datetime:
    with contextlib.suppress(OSError):
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return datetime.fromtimestamp(0, UTC)


def _size(path: Path) -> int:
    total = 0
    for file in mf.walk(path):
        with contextlib.suppress(OSError):
            total += file.lstat().st_size
    return total
