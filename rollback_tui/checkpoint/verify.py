"""A checkpoint is *verified* when every byte is the one that was written, and the archive reads.

``pg_restore --list`` is no proof: it takes truncated and altered archives. So every file is
compared by SHA-256 with the manifest, and the whole archive is read (``pg_restore --file``).
*Proven* is more: restored, and compared (:mod:`rollback_tui.checkpoint.restore`).
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from rollback_tui.checkpoint import manifest as mf
from rollback_tui.core.errors import CheckpointError, ToolFailed
from rollback_tui.core.model import Value
from rollback_tui.core.text import printable
from rollback_tui.postgres.server_tools import Tool, find_tool, plain_environment, run_tool

READ_SECONDS = 6 * 3600.0
"""Deadline for reading the archive when nothing else is said."""

_REMEDY = "Do not restore from it. Choose another: `rollback-tui checkpoint list`."


class VerifiedCheckpoint(Value, frozen=True, kw_only=True):
    """A checkpoint whose every byte was compared."""

    path: str
    manifest: mf.Manifest
    manifest_sha256: str
    seconds: float


def verify(
    path: Path,
    *,
    fingerprint: str | None = None,
    aborted: Callable[[], bool] = lambda: False,
    seconds: float = READ_SECONDS,
) -> VerifiedCheckpoint:
    """Compare every byte with the manifest and read the whole archive.

    ``fingerprint`` is that of the target it must be of. Raises CheckpointError when anything
    differs, is missing or is too much.
    """
    began = time.monotonic()
    manifest, content = mf.read(path)
    if fingerprint is not None and manifest.fingerprint != fingerprint:
        raise CheckpointError(
            f"Checkpoint of another database: {printable(manifest.target.database)} "
            f"({manifest.fingerprint}), not {fingerprint}",
            "Choose a checkpoint of this database: `rollback-tui checkpoint list`.",
        )
    _same_files(path, manifest)
    _same_bytes(path, manifest, content, aborted)
    read_archive(path, manifest, aborted=aborted, seconds=seconds)
    return VerifiedCheckpoint(
        path=str(path),
        manifest=manifest,
        manifest_sha256=hashlib.sha256(content).hexdigest(),
        seconds=time.monotonic() - began,
    )


def _same_files(path: Path, manifest: mf.Manifest) -> None:
    """Compare the names and kinds: a link, a pipe or a file too many is refused."""
    expected = {entry.path for entry in manifest.files} | {mf.MANIFEST, mf.SUMS}
    try:
        present = set()
        for file in mf.walk(path):
            name = file.relative_to(path).as_posix()
            if not stat.S_ISREG(os.lstat(file).st_mode):
                raise CheckpointError(f"{printable(name)} is not a regular file", _REMEDY)
            present.add(name)
    except OSError as error:
        raise CheckpointError(f"The checkpoint cannot be read: {error.strerror}", _REMEDY) from None
    extra = present - expected - {mf.PROOF}
    for names, what in ((expected - present, "is missing"), (extra, "is not of it")):
        if names:
            raise CheckpointError(
                f"{printable(str(path))}: {printable(min(names))} {what}"
                + (f", and {len(names) - 1} more" if len(names) > 1 else ""),
                _REMEDY,
            )


def _same_bytes(
    path: Path, manifest: mf.Manifest, content: bytes, aborted: Callable[[], bool]
) -> None:
    try:
        if mf.read_regular(path / mf.SUMS) != mf.sums(manifest, content):
            raise CheckpointError(
                f"{printable(str(path))}: manifest.json and SHA256SUMS contradict each other",
                _REMEDY,
            )
        for entry in manifest.files:
            size, digest = mf.hash_file(path / entry.path, aborted)
            if (size, digest) != (entry.bytes, entry.sha256):
                how = "other bytes" if size == entry.bytes else f"{size:,} bytes"
                raise CheckpointError(
                    f"{printable(str(path / entry.path))} was altered: it has {how} "
                    f"(expected {entry.bytes:,} bytes, SHA-256 {entry.sha256[:12]}…)",
                    _REMEDY,
                )
    except OSError as error:
        raise CheckpointError(f"The checkpoint cannot be read: {error.strerror}", _REMEDY) from None


def restore_tool(manifest: mf.Manifest, server_major: int | None = None) -> Tool:
    """Return the pg_restore for this archive and server. Raises CheckpointError without one.

    It must be at least as new as the pg_dump that wrote the archive.
    """
    major = max(manifest.pg_dump_major, server_major or 0)
    tool = find_tool("pg_restore", major)
    if tool is None:
        raise CheckpointError(
            f"No pg_restore of version {major} or a suitable newer one was found",
            f"Install the client programs of PostgreSQL {major} (postgresql-client-{major}).",
        )
    return tool


def read_archive(
    path: Path,
    manifest: mf.Manifest,
    *,
    aborted: Callable[[], bool] = lambda: False,
    seconds: float = READ_SECONDS,
) -> None:
    """Let pg_restore read all of the archive, restoring nothing. Raises CheckpointError."""
    tool = restore_tool(manifest)
    try:
        run_tool(
            [tool.path, "--file", os.devnull, "--", str(path.resolve() / mf.DUMP)],
            environment=plain_environment(),
            seconds=seconds,
            aborted=aborted,
        )
    except ToolFailed as error:
        raise CheckpointError(f"The archive cannot be read: {error.summary}", _REMEDY) from None
