"""Which runs kept on this machine have no outcome and belong to a target.

Read from the journals and the processes. A connection to the target is not needed: behind a door
closed by renaming there is none to be had.
"""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
from psycopg import pq

from rollback_tui.core import events as ev
from rollback_tui.core.claim import Claim, ClaimState
from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.core.events import Record
from rollback_tui.core.model import Target, Value
from rollback_tui.core.run_view import fold
from rollback_tui.postgres import rename
from rollback_tui.postgres.connect import connect, target, with_database
from rollback_tui.run import folder as run_folder
from rollback_tui.run import journal
from rollback_tui.run.control import ControlClient, ControlUnavailable

_ANSWER_SECONDS = 1.5
"""A worker answers within a millisecond; one that is stopped does not answer at all."""
_FRESH_SECONDS = 2.0
"""So young an event is a sign of life as well: the socket comes a moment after the journal."""
_TAIL = 65536
_NOT_VISIBLE = "not visible"
_LOCAL = ("", "localhost", "127.0.0.1", "::1", "local")

_decoder = msgspec.json.Decoder(Record)


class Here(Value, frozen=True, kw_only=True):
    """The target as far as it is known before there is a connection to it. What is None or empty
    is not known, and then rules nothing out: a warning too many is better than one too few."""

    system_identifier: str | None = None
    database_oid: int | None = None
    """Of the database that has the name now: behind a closed door that is the placeholder."""
    database: str = ""
    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


def unfinished(directory: Path, dsn: str, maintenance: str, timeout: float) -> tuple[Claim, ...]:
    """Return the runs below ``directory`` without an outcome whose target is the one of ``dsn``,
    newest first.

    Recognised by cluster and name or number where the database ``maintenance`` of that server can
    be reached within ``timeout`` seconds, else by host, port and name. Raises ConfigurationError
    when the directory cannot be read.
    """
    kept = without_outcome(directory)
    if not kept:
        # The usual case: nothing is asked of the server.
        return ()
    here = whereabouts(dsn, maintenance, timeout)
    return tuple(claim for claim in kept if same(claim.target, here))


def of_target(directory: Path, here: Target, *, besides: Path | None = None) -> tuple[Claim, ...]:
    """Return the runs without an outcome whose target is ``here``, newest first; ``besides`` is
    the asking run's own folder. Raises ConfigurationError."""
    known = Here(
        system_identifier=here.system_identifier,
        database_oid=here.database_oid,
        database=here.database,
        hosts=(here.host,),
        ports=(here.port,),
    )
    return tuple(c for c in without_outcome(directory, besides) if same(c.target, known))


def rivals(folder: Path, here: Target) -> tuple[Claim, ...]:
    """Return what stands in the way of the run in ``folder``, which holds the lock of the target
    ``here``. Another that has only just begun does not: it meets that lock and is refused.

    Raises ConfigurationError.
    """
    return tuple(
        claim
        for claim in of_target(folder.parent, here, besides=folder)
        if not (claim.state == "running" and claim.phase in ("", "preflight"))
    )


def whereabouts(dsn: str, maintenance: str, timeout: float) -> Here:
    """Return what is known of the database that ``dsn`` names, recognised as :func:`unfinished`
    does."""
    return _asked(dsn, maintenance, timeout) or named_by(dsn)


def without_outcome(directory: Path, besides: Path | None = None) -> tuple[Claim, ...]:
    """Return all runs below ``directory`` without an outcome. Raises ConfigurationError."""
    own = besides.resolve() if besides else None
    found = (claim_of(p) for p in run_folder.folders(directory) if p.resolve() != own)
    return tuple(claim for claim in found if claim is not None)


def claim_of(folder: Path) -> Claim | None:
    """Return the claim of the run in ``folder``; None when it has its outcome, or never began."""
    if _ended(folder):
        return None
    records, damaged = _records(folder)
    if not records or not isinstance(records[0].event, ev.RunStarted):
        return None
    view = fold(records)
    if view.finished is not None or view.started is None:
        return None
    quiet = max(0.0, (datetime.now(UTC) - records[-1].at).total_seconds())
    phase = view.phase or next((p for p in reversed(view.phases) if p.status != "waiting"), None)
    return Claim(
        run=view.started.run,
        folder=str(folder),
        target=view.started.target,
        operator=view.started.operator,
        since=records[0].at,
        state=state_of(folder, quiet),
        phase=phase.phase if phase else "",
        door_closed=view.door_closed_at is not None,
        committed=view.committed,
        quiet_seconds=round(quiet, 1),
        worker_pid=view.started.worker_pid,
        damaged=damaged,
    )


def state_of(folder: Path, quiet: float) -> ClaimState:
    """Return whether a process works on the run in ``folder``. ``quiet``: seconds since its last
    event. The kernel says it: a lock on the journal ends with its process, however that ends."""
    if not _held(folder / journal.FILE_NAME):
        return "dead"
    try:
        ControlClient(folder).ask("status", seconds=_ANSWER_SECONDS)
    except ControlUnavailable:
        if not _held(folder / journal.FILE_NAME):
            return "dead"
        return "running" if quiet < _FRESH_SECONDS else "stopped"
    return "running"


def _held(path: Path) -> bool:
    """Whether somebody writes the journal. Ours is a shared lock for an instant: a worker that
    begins just then waits for it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        # Not readable for us: nobody may call that dead.
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _ended(folder: Path) -> bool:
    """Whether the last line is an outcome: most kept runs, told without reading all of them."""
    try:
        with (folder / journal.FILE_NAME).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
        return isinstance(_decoder.decode(last).event, ev.RunFinished)
    except (OSError, msgspec.MsgspecError):
        return False


def _records(folder: Path) -> tuple[list[Record], str]:
    """Return the records up to the first damage, and what that damage is."""
    follower = journal.Follower(folder / journal.FILE_NAME)
    try:
        return list(follower.poll()), ""
    except journal.JournalDamaged as error:
        damage = error.summary
    try:
        whole = (folder / journal.FILE_NAME).read_bytes()[: follower.offset]
    except OSError:
        return [], damage
    return [_decoder.decode(line) for line in whole.split(b"\n")[:-1]], damage


# --- the target, before there is a connection to it ---------------------------------------------


def named_by(dsn: str) -> Here:
    """Return what ``dsn``, the PG* environment and libpq's defaults say, without connecting."""
    try:
        options = [*pq.Conninfo.get_defaults(), *pq.Conninfo.parse(dsn.encode())]
    except psycopg.Error:
        return Here()
    said = {o.keyword.decode(): o.val.decode() for o in options if o.val}
    if "service" in said:
        # The service file may name all of the rest; nothing here is known for sure.
        return Here(database=said.get("dbname", "") if "dbname" in dsn else "")
    hosts = ",".join(filter(None, (said.get("host", ""), said.get("hostaddr", "")))) or "local"
    ports = tuple(int(p) for p in said.get("port", "").split(",") if p.isdigit())
    return Here(
        database=said.get("dbname") or said.get("user", ""),
        hosts=tuple(hosts.split(",")),
        ports=ports,
    )


def _asked(dsn: str, maintenance: str, timeout: float) -> Here | None:
    """Return what the maintenance database says of the target; None when it cannot be asked."""
    known = named_by(dsn)
    try:
        with connect(with_database(dsn, maintenance), timeout=timeout) as connection:
            found = target(connection)
            place = rename.named(connection, known.database) if known.database else None
    except (ConnectionFailed, psycopg.Error):
        return None
    return Here(
        system_identifier=found.system_identifier,
        database_oid=place.oid if place else None,
        database=known.database,
        hosts=(found.host, *known.hosts),
        ports=(found.port,),
    )


def same(claimed: Target, here: Here) -> bool:
    """Whether a run's target is the one we mean. Its name may be held by a placeholder and its
    number may have changed by a recovery, but not both together."""
    visible = _NOT_VISIBLE not in (here.system_identifier, claimed.system_identifier)
    if here.system_identifier is not None and visible:
        if here.system_identifier != claimed.system_identifier:
            return False
    elif not _same_server(claimed, here):
        return False
    if not here.database:
        return True
    return claimed.database == here.database or claimed.database_oid == here.database_oid


def _same_server(claimed: Target, here: Here) -> bool:
    if here.ports and claimed.port not in here.ports:
        return False
    return not here.hosts or _place(claimed.host) in {_place(host) for host in here.hosts}


def _place(host: str) -> str:
    """One word for all ways to reach this machine: an address, a name, a socket directory."""
    return "local" if host in _LOCAL or host.startswith(("/", "@")) else host.lower()
