"""What pgBackRest says of its backups: ``pgbackrest info --output=json``, read and judged.

The shape is that of pgBackRest's own documentation (command reference, ``info``); keys that it has
beside those named here are ignored, so that a newer version can be read, too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from datetime import UTC, datetime

import msgspec

from rollback_tui.config import PgBackRest
from rollback_tui.core.errors import CheckpointError
from rollback_tui.core.facts import ExternalFacts
from rollback_tui.core.model import Target
from rollback_tui.core.text import printable, shorten
from rollback_tui.postgres.server_tools import plain_environment

_OURS = ("PGBACKREST_", "SSH_AUTH_SOCK")
"""Of our environment, what pgBackRest and the ssh before it may need."""

_NOT_VISIBLE = "not visible"


class _Place(msgspec.Struct, frozen=True):
    """Of which database of the stanza, and in which repository."""

    id: int
    repo_key: int = msgspec.field(name="repo-key", default=1)


class _Archive(msgspec.Struct, frozen=True):
    """The WAL that a repository has of one database."""

    database: _Place
    max: str | None = None


class _Times(msgspec.Struct, frozen=True):
    """Seconds since 1970."""

    start: int
    stop: int


class _Backup(msgspec.Struct, frozen=True):
    """One backup."""

    label: str
    type: str
    timestamp: _Times
    database: _Place
    error: bool | None = None
    """Pages with a wrong checksum were found; None: not looked for."""


class _Database(msgspec.Struct, frozen=True):
    """One PostgreSQL cluster that the stanza has had; an upgrade makes a new one."""

    id: int
    system_id: int = msgspec.field(name="system-id")
    repo_key: int = msgspec.field(name="repo-key", default=1)


class _Held(msgspec.Struct, frozen=True):
    held: bool = False


class _Lock(msgspec.Struct, frozen=True):
    backup: _Held = _Held()


class _Status(msgspec.Struct, frozen=True):
    """``code`` 0 is well; others say what is missing."""

    code: int
    message: str
    lock: _Lock = _Lock()


class _Repository(msgspec.Struct, frozen=True):
    key: int


class Stanza(msgspec.Struct, frozen=True):
    """One stanza as ``info`` prints it."""

    name: str
    status: _Status
    archive: tuple[_Archive, ...] = ()
    backup: tuple[_Backup, ...] = ()
    db: tuple[_Database, ...] = ()
    repo: tuple[_Repository, ...] = ()


def info(settings: PgBackRest) -> Stanza:
    """Ask pgBackRest for the configured stanza.

    Raises CheckpointError when it cannot be started, says no, does not answer in time, or does
    not know the stanza.
    """
    command = [*called(settings), "--output=json", "info"]
    output = _output(command, settings.answer_seconds)
    try:
        stanzas = msgspec.json.decode(output, type=tuple[Stanza, ...])
    except msgspec.MsgspecError as error:
        raise CheckpointError(
            f"{command[0]} info is not understood: {printable(str(error))}",
            "Look at it by hand: " + " ".join(command),
        ) from None
    for stanza in stanzas:
        if stanza.name == settings.stanza:
            return stanza
    raise CheckpointError(
        f"pgBackRest knows no stanza {printable(settings.stanza)}",
        "Check [pgbackrest] stanza, or make it: pgbackrest stanza-create",
    )


def called(settings: PgBackRest) -> tuple[str, ...]:
    """Return how pgBackRest is called from here, with what every command of it needs."""
    options = [f"--stanza={settings.stanza}"]
    if settings.config:
        options.append(f"--config={settings.config}")
    if settings.repo:
        options.append(f"--repo={settings.repo}")
    return (*settings.command, *options)


def _output(command: list[str], seconds: float) -> bytes:
    kept = {name: text for name, text in os.environ.items() if name.startswith(_OURS)}
    remedy = "Check [pgbackrest] command, or look at it by hand: " + " ".join(command)
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=plain_environment() | kept,
            start_new_session=True,
        )
    except OSError as error:
        raise CheckpointError(f"{command[0]} cannot be started: {error.strerror}", remedy) from None
    try:
        output, words = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise CheckpointError(f"{command[0]} info took longer than {seconds:g} s", remedy) from None
    finally:
        # An ssh that hangs has children of its own.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()
    if child.returncode != 0:
        # pgBackRest prints its errors to standard output, ssh to the other one.
        said = shorten((words or output).decode(errors="replace"), 300)
        raise CheckpointError(f"{command[0]} info failed: {said}", remedy)
    return output


def judged(stanza: Stanza, settings: PgBackRest, target: Target, now: datetime) -> ExternalFacts:
    """Return what this stanza is worth for ``target``, at ``now``."""
    mine = _database(stanza, settings)
    backup = newest(stanza, settings)
    age = None
    if backup is not None:
        ended = datetime.fromtimestamp(backup.timestamp.stop, UTC)
        age = max(0.0, (now - ended).total_seconds())
    return ExternalFacts(
        wanted=True,
        required=settings.required,
        stanza=stanza.name,
        max_age_hours=settings.max_age_hours,
        backup=backup.label if backup else "",
        kind=backup.type if backup else "",
        age_seconds=age,
        wal=archived_to(stanza, settings),
        running=stanza.status.lock.backup.held,
        problem=_problem(stanza, mine, backup, target),
    )


def newest(stanza: Stanza, settings: PgBackRest) -> _Backup | None:
    """Return the newest backup of the cluster that the stanza has now; None without one."""
    mine = _database(stanza, settings)
    usable = [
        one
        for one in stanza.backup
        if mine is not None
        and one.database.id == mine.id
        and settings.repo in (0, one.database.repo_key)
    ]
    return max(usable, key=lambda one: one.timestamp.stop, default=None)


def archived_to(stanza: Stanza, settings: PgBackRest) -> str:
    """Return the newest WAL segment that the repository has; empty without one."""
    mine = _database(stanza, settings)
    found = [
        one.max
        for one in stanza.archive
        if one.max
        and mine is not None
        and one.database.id == mine.id
        and settings.repo in (0, one.database.repo_key)
    ]
    return max(found, default="")


def repository(stanza: Stanza, settings: PgBackRest) -> int:
    """Return the repository that a restore must name; 0 where there is only one."""
    if settings.repo or len(stanza.repo) < 2:
        return settings.repo
    backup = newest(stanza, settings)
    return backup.database.repo_key if backup else 0


def _database(stanza: Stanza, settings: PgBackRest) -> _Database | None:
    """The newest cluster of the stanza: ``stanza-upgrade`` adds one."""
    known = [one for one in stanza.db if settings.repo in (0, one.repo_key)]
    return max(known, key=lambda one: one.id, default=None)


def _problem(stanza: Stanza, mine: _Database | None, backup: _Backup | None, target: Target) -> str:
    visible = target.system_identifier != _NOT_VISIBLE
    if mine is not None and visible and str(mine.system_id) != target.system_identifier:
        return (
            f"it is of another cluster (system identifier {mine.system_id},"
            f" not {target.system_identifier})"
        )
    if backup is None:
        return f"there is no backup: {printable(stanza.status.message)}"
    if stanza.status.code:
        return f"pgBackRest says: {printable(stanza.status.message)}"
    if backup.error:
        return f"pages with a wrong checksum were found while {backup.label} was made"
    return ""
