"""The tables of ``rollback.toml`` that speak of copies to fall back on, and what they are made of.

Apart from :mod:`rollback_tui.config`, which is the whole file, only for its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def check_headers(names: Iterable[str]) -> None:
    """Refuse what is no name of an HTTP header (RFC 9110, 5.6.2 "Tokens"). Raises ValueError."""
    for name in names:
        if not _HEADER.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a header")


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the tables of the file."""


class Hook(Table, frozen=True, kw_only=True):
    """Something of yours that is called: exactly one of command, url, sql or flag_file."""

    command: Annotated[
        tuple[str, ...], Meta(description="Program and arguments; no shell is used.")
    ] = ()
    url: Annotated[str, Meta(description="http(s) URL that is POSTed a small JSON.")] = ""
    sql: Annotated[
        str, Meta(description="One statement, on the target, in its own transaction.")
    ] = ""
    flag_file: Annotated[str, Meta(description="File that is created (on) or removed (off).")] = ""
    timeout_seconds: Annotated[float, Meta(gt=0, description="Total deadline.")] = 10

    def __post_init__(self) -> None:
        given = [bool(self.command), bool(self.url), bool(self.sql), bool(self.flag_file)]
        if sum(given) > 1:
            raise ValueError("a hook has one of command, url, sql or flag_file, not several")

    @property
    def configured(self) -> bool:
        """Whether there is anything to call."""
        return bool(self.command or self.url or self.sql or self.flag_file)


class CopyHook(Hook, frozen=True, kw_only=True):
    """What copies a checkpoint to another machine: a command or a URL, with time for it."""

    timeout_seconds: Annotated[float, Meta(gt=0, description="Total deadline.")] = 3600

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sql or self.flag_file:
            raise ValueError("a checkpoint is copied by a command or a url")


class CheckpointSettings(Table, frozen=True, kw_only=True):
    """The dump made before the run."""

    enabled: Annotated[bool, Meta(description="Make one; without it nothing can be restored.")] = (
        True
    )
    directory: Annotated[str, Meta(description="Where checkpoints are kept.")] = (
        "rollback_checkpoints"
    )
    jobs: Annotated[int, Meta(ge=1, le=64, description="Tables dumped at the same time.")] = 2
    clone: Annotated[
        Literal["off", "wanted", "required"],
        Meta(
            description="Copy the database on its server, behind the closed door, so that it can"
            " be brought back in less than a second. ``wanted``: go on without when it cannot."
        ),
    ] = "off"
    clone_seconds: Annotated[
        float,
        Meta(gt=0, description="Longest that the copy may keep the door closed."),
    ] = 120
    env_files: Annotated[
        tuple[str, ...], Meta(description="Files copied beside the dump (0600).")
    ] = (".env",)
    lock_wait_seconds: Annotated[
        float, Meta(gt=0, description="How long pg_dump may wait for a lock before it gives up.")
    ] = 20
    timeout_seconds: Annotated[float, Meta(gt=0, description="The dump's own deadline.")] = 3600
    fingerprint_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="Time for fingerprints of the contents, taken beside the dump, smallest"
            " tables first; tables not reached have none. 0: no fingerprints.",
        ),
    ] = 20
    keep: Annotated[
        int,
        Meta(
            ge=0,
            description="How many of the newest complete dumps of a target are kept. 0: all. With"
            " ``keep_days`` as well, a dump goes only when neither keeps it.",
        ),
    ] = 0
    keep_days: Annotated[
        float, Meta(ge=0, description="Complete dumps of fewer days are kept. 0: all of them are.")
    ] = 0
    copy: Annotated[
        CopyHook,
        Meta(
            description="Called for each finished checkpoint, to copy it off this host:"
            " ``ROLLBACK_CHECKPOINT_PATH``, ``ROLLBACK_CHECKPOINT_NAME`` and"
            " ``ROLLBACK_MANIFEST_SHA256`` are in its environment."
        ),
    ] = CopyHook()
    copy_required: Annotated[
        bool, Meta(description="Refuse the run when the copy failed, or none is configured.")
    ] = False


class PgBackRest(Table, frozen=True, kw_only=True):
    """Backups of the whole server by pgBackRest: looked at, and given a restore point."""

    stanza: Annotated[
        str, Meta(description="Name of the stanza. Empty: pgBackRest is not looked at.")
    ] = ""
    command: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            description="How pgBackRest is called here, without a shell:"
            ' ``["ssh", "backup-host", "pgbackrest"]``.',
        ),
    ] = ("pgbackrest",)
    restore_command: Annotated[
        tuple[str, ...],
        Meta(
            description="How it is called on the database's own machine, as the user of the server,"
            " for the restore by hand. Empty: as ``command``, with the same ``config``."
        ),
    ] = ()
    stop_command: Annotated[
        tuple[str, ...],
        Meta(
            description="What stops the database server before a restore by hand:"
            ' ``["systemctl", "stop", "postgresql@18-main"]``. Empty: pg_ctl.'
        ),
    ] = ()
    start_command: Annotated[
        tuple[str, ...], Meta(description="What starts it again. Empty: pg_ctl.")
    ] = ()
    config: Annotated[str, Meta(description="Its --config. Empty: its own default.")] = ""
    repo: Annotated[
        int, Meta(ge=0, le=256, description="The repository to look at. 0: all it knows.")
    ] = 0
    max_age_hours: Annotated[
        float, Meta(gt=0, description="A newest backup that is older counts as stale.")
    ] = 25
    required: Annotated[
        bool,
        Meta(
            description="Refuse a run without a fresh backup and a restore point whose WAL is in"
            " the archive."
        ),
    ] = False
    answer_seconds: Annotated[
        float, Meta(gt=0, description="Deadline of one ``pgbackrest info``.")
    ] = 30
    archive_seconds: Annotated[
        float, Meta(gt=0, description="How long to wait until a restore point is in the archive.")
    ] = 60

    @property
    def configured(self) -> bool:
        """Whether there is a stanza to look at."""
        return bool(self.stanza)
