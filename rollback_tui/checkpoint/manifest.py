"""``manifest.json``: what a checkpoint holds, with the SHA-256 of every file of it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.model import Target, Value
from rollback_tui.core.schema import SchemaSnapshot
from rollback_tui.core.text import inert_json, printable

FORMAT = 2
"""Version of this file's shape. A reader refuses a newer one, and knows every older one: what
format 1 had not is *not known*."""

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
"""``sha256sum --check`` reads it: all files of the manifest, and the manifest itself."""

DUMP = "dump"
SCHEMA = "schema.json"
"""The schema of the moment that was dumped, as :class:`SchemaSnapshot` writes it."""

RESTORE_SCRIPT = "restore.sh"

PROOF = "proven.json"
"""Outside of the manifest: it comes later (:mod:`rollback_tui.checkpoint.proof`)."""

_CHUNK = 1 << 20


class FileEntry(Value, frozen=True, kw_only=True):
    """One file of a checkpoint."""

    path: str
    """Relative to the checkpoint, with ``/``."""
    bytes: int
    sha256: str


class TableRows(Value, frozen=True, kw_only=True):
    """One table in the dump."""

    schema: str
    table: str
    rows: int | None
    """Exact, counted in the very snapshot that was dumped; None: not counted."""
    estimate: int | None = None
    """What was known before; never to be compared."""
    unlogged: bool = False
    """Empty after a crash of the server, though the dump has its rows."""
    fingerprint: str = ""
    """Of its contents, in the same snapshot; empty: not taken."""

    @property
    def name(self) -> str:
        """Both names as they are, for people; never to be used as SQL."""
        return f"{self.schema}.{self.table}"


class DatabaseSetting(Value, frozen=True, kw_only=True):
    """One ``ALTER DATABASE … SET`` or ``ALTER ROLE … IN DATABASE … SET``."""

    role: str | None
    """None: for everybody."""
    name: str
    value: str


class Grant(Value, frozen=True, kw_only=True):
    """One privilege on the database."""

    grantee: str | None
    """None: PUBLIC."""
    privilege: str
    """CONNECT, CREATE or TEMPORARY."""
    grantable: bool


class DatabaseProperties(Value, frozen=True, kw_only=True):
    """What belongs to the database itself and is in no dump of its contents."""

    name: str
    owner: str
    encoding: str
    collate: str
    ctype: str
    locale_provider: str
    """``libc``, ``icu`` (from 15) or ``builtin`` (from 17)."""
    locale: str | None
    """Of icu and builtin: ``daticulocale`` in 15 and 16, ``datlocale`` from 17."""
    icu_rules: str | None
    """From 16."""
    tablespace: str
    connection_limit: int
    comment: str | None
    grants: tuple[Grant, ...] | None
    """None: the default privileges (``datacl`` is null)."""
    settings: tuple[DatabaseSetting, ...]


class Manifest(Value, frozen=True, kw_only=True):
    """All that is known of a checkpoint."""

    format: int
    created_at: datetime
    """UTC."""
    seconds: float
    tool_version: str
    target: Target
    fingerprint: str
    """Of ``target``."""
    server_version: str
    pg_dump_version: str
    schema_fingerprint: str
    """Of the schema in ``schema.json``, read in the snapshot that was dumped; empty: not known.
    (Format 1 had it from a moment before.)"""
    framework: str | None
    migration_version: str | None
    """The newest applied version when it was made; None: none, or no plan was known."""
    rollback_goal: str | None
    """The version the plan wanted to go back to."""
    plan_sha256: str | None
    database: DatabaseProperties
    tables: tuple[TableRows, ...]
    unpopulated_views: tuple[str, ...]
    """Materialised views without contents: they are restored as empty as they were."""
    files: tuple[FileEntry, ...]
    """Every file except the manifest and the list of sums."""
    fingerprint_method: str = ""
    """How the tables' fingerprints were computed; those of another method say nothing."""
    database_bytes: int | None = None
    """Of the database when it was dumped (``pg_database_size``); None: not known."""

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(entry.bytes for entry in self.files)

    @property
    def pg_dump_major(self) -> int:
        """Major version of the pg_dump that wrote the archive."""
        return int(self.pg_dump_version.split(".")[0])


def encode(manifest: Manifest) -> bytes:
    """Return the bytes of ``manifest.json``."""
    return inert_json(msgspec.json.format(msgspec.json.encode(manifest), indent=2)) + b"\n"


def sums(manifest: Manifest, encoded: bytes) -> bytes:
    """Return the bytes of ``SHA256SUMS`` that belong to a manifest."""
    lines = [f"{entry.sha256}  {entry.path}\n" for entry in manifest.files]
    lines.append(f"{hashlib.sha256(encoded).hexdigest()}  {MANIFEST}\n")
    return "".join(lines).encode()


def read(checkpoint: Path) -> tuple[Manifest, bytes]:
    """Return the manifest of a checkpoint and its bytes. Raises CheckpointError."""
    path = checkpoint / MANIFEST
    shown = printable(str(path))
    remedy = "Choose another checkpoint: `rollback-tui checkpoint list`."
    try:
        content = read_regular(path)
    except OSError as error:
        raise CheckpointError(f"{shown} cannot be read: {error.strerror}", remedy) from None
    try:
        number = msgspec.json.decode(content, type=dict[str, msgspec.Raw]).get("format")
        known = number is not None and msgspec.json.decode(number, type=int)
        if known and known > FORMAT:
            raise CheckpointError(
                f"{shown} has format {known}; this version reads up to {FORMAT}",
                "Use the version of rollback-tui that made it, or a newer one.",
            )
        return msgspec.json.decode(content, type=Manifest), content
    except (msgspec.DecodeError, ValueError) as error:
        raise CheckpointError(f"{shown} is damaged: {printable(str(error))}", remedy) from None


def read_schema(checkpoint: Path, manifest: Manifest) -> SchemaSnapshot | None:
    """Return the schema of the moment that was dumped; None when the checkpoint does not have it.

    Raises CheckpointError when it is damaged.
    """
    if all(entry.path != SCHEMA for entry in manifest.files):
        return None
    path = checkpoint / SCHEMA
    try:
        return SchemaSnapshot.decode(read_regular(path))
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise CheckpointError(
            f"{printable(str(path))} is damaged: {printable(str(error))}",
            "Choose another checkpoint: `rollback-tui checkpoint list`.",
        ) from None


def read_regular(path: Path, limit: int = 256 << 20) -> bytes:
    """Read a regular file of at most ``limit`` bytes; a FIFO or a link raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > limit:
            raise OSError(0, "it is not a regular file of a sensible size")
        return file.read()


def walk(checkpoint: Path) -> Iterator[Path]:
    """Yield everything in a checkpoint that is not a directory, in a fixed order."""
    for path in sorted(checkpoint.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path


def hash_file(path: Path, aborted: Callable[[], bool] = lambda: False) -> tuple[int, str]:
    """Return size and SHA-256 of a regular file. Raises OSError, or CheckpointError on abort."""
    digest = hashlib.sha256()
    size = 0
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a regular file")
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if aborted():
                raise CheckpointError("The checkpoint was aborted", "Start again when ready.")
    return size, digest.hexdigest()
