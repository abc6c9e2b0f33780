"""Make a checkpoint: dump, surroundings, manifest; verified, then published under its name."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from pathlib import Path

import msgspec
import psycopg

from rollback_tui import __version__
from rollback_tui.checkpoint import manifest as mf
from rollback_tui.checkpoint.by_hand import write_by_hand
from rollback_tui.checkpoint.facts import checkpoint_directory, missing, plan_checkpoint
from rollback_tui.checkpoint.properties import read_properties
from rollback_tui.checkpoint.snapshot import Seen, Snapshot, held, lock_holders
from rollback_tui.checkpoint.storage import (
    building,
    no_space,
    now,
    publish,
    tighten_and_sync,
    write_private,
)
from rollback_tui.checkpoint.surroundings import commit_of, copy_env_files
from rollback_tui.checkpoint.verify import verify
from rollback_tui.config import CheckpointSettings
from rollback_tui.core.errors import CheckpointError, ToolFailed
from rollback_tui.core.model import Checkpoint, Plan, TableCount, Target
from rollback_tui.core.schema import SchemaSnapshot
from rollback_tui.core.text import inert_json, printable
from rollback_tui.postgres.connect import target as ask_target
from rollback_tui.postgres.contents import METHOD
from rollback_tui.postgres.server_tools import (
    Tool,
    child_environment,
    find_tool,
    parameters_of,
    run_tool,
    tools,
)

__all__ = ["make", "plan_checkpoint"]

Progress = Callable[[str, int, int], None]
"""(what is going on, done, total)."""

_TABLE = re.compile(r'dumping contents of table "(.*)$')

# In the words of pg_dump and of the server (English: the child's language is fixed).
_LOCKED = ("lock timeout", "statement timeout", "could not obtain lock")
_REMEDIES = (
    (
        "row-level security",
        "Row-level security would hide rows: dump as the owner or with BYPASSRLS.",
    ),
    ("permission denied", "Give the role SELECT on everything (pg_read_all_data), or use another."),
    ("server version mismatch", "Install the client programs of the server's version."),
    ("remaining connection slots", "Lower checkpoint.jobs, or free connections."),
    ("too many connections", "Lower checkpoint.jobs, or free connections."),
    ("died unexpectedly", "Something ended it: a limit (ulimit -f), or the kernel for memory."),
)


def make(
    dsn: str,
    settings: CheckpointSettings,
    *,
    target: Target,
    plan: Plan | None,
    tables: Sequence[TableCount] = (),
    project: Path,
    progress: Progress = lambda _summary, _done, _total: None,
    aborted: Callable[[], bool] = lambda: False,
    clock: Callable[[], datetime] = now,
    application: str = "rollback_tui pg_dump",
) -> Checkpoint:
    """Make, verify and publish a checkpoint of ``target`` while applications go on working.

    ``tables`` are the estimates known so far, kept beside the exact counts; those are taken
    here, in the snapshot that is dumped, with the schema and fingerprints of the contents.
    ``project`` is where env files and the git repository are. ``progress`` is called in this thread
    only. ``application`` is what pg_dump's sessions call themselves: should we die, it goes on for
    a while, and is found by it.

    Raises CheckpointError or ConnectionFailed; then nothing of it is left on disk.
    """
    began = time.monotonic()
    tool = _tool(target)
    with building(checkpoint_directory(settings, project), clock) as (partial, final):
        created_at = clock()
        dumped = _dump_and_count(
            dsn, tool, settings, target, partial, progress, aborted, application
        )
        copy_env_files(project, settings.env_files, partial)
        write_private(partial / "git_commit.txt", commit_of(project).encode())
        if dumped.schema is not None:
            write_private(partial / mf.SCHEMA, inert_json(dumped.schema.encode()))
        write_by_hand(
            partial, dumped.properties, tool, server_major=target.major, jobs=settings.jobs
        )
        manifest = mf.Manifest(
            format=mf.FORMAT,
            created_at=created_at,
            seconds=time.monotonic() - began,
            tool_version=__version__,
            target=target,
            fingerprint=target.fingerprint,
            server_version=dumped.server_version or str(target.server_version),
            pg_dump_version=tool.version,
            schema_fingerprint=dumped.schema.fingerprint if dumped.schema else "",
            framework=plan.framework if plan else None,
            migration_version=plan.current if plan else None,
            rollback_goal=plan.goal if plan else None,
            plan_sha256=plan.sha256 if plan else None,
            database=dumped.properties,
            tables=_with_estimates(dumped.tables, tables),
            unpopulated_views=dumped.unpopulated_views,
            files=_hash_all(partial, progress, aborted),
            fingerprint_method=METHOD,
            database_bytes=dumped.database_bytes,
        )
        sha256 = _seal(partial, manifest, settings, progress, aborted)
        publish(partial, final)
    progress("checkpoint verified", 1, 1)
    return Checkpoint(
        path=str(final),
        created_at=created_at,
        database=target.database,
        fingerprint=target.fingerprint,
        bytes=manifest.bytes,
        seconds=time.monotonic() - began,
        manifest_sha256=sha256,
        tables=len(manifest.tables),
    )


def _seal(
    partial: Path,
    manifest: mf.Manifest,
    settings: CheckpointSettings,
    progress: Progress,
    aborted: Callable[[], bool],
) -> str:
    """Write the manifest, make all durable, read all of it back; return the manifest's SHA-256."""
    encoded = mf.encode(manifest)
    write_private(partial / mf.MANIFEST, encoded)
    write_private(partial / mf.SUMS, mf.sums(manifest, encoded))
    tighten_and_sync(partial)
    progress("verifying the checkpoint", 0, 1)
    verified = verify(
        partial,
        fingerprint=manifest.fingerprint,
        aborted=aborted,
        seconds=settings.timeout_seconds,
    )
    return verified.manifest_sha256


class _Dumped(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt from the server while it was dumped."""

    properties: mf.DatabaseProperties
    schema: SchemaSnapshot | None
    tables: tuple[mf.TableRows, ...]
    database_bytes: int | None
    unpopulated_views: tuple[str, ...]
    server_version: str | None


def _dump_and_count(
    dsn: str,
    tool: Tool,
    settings: CheckpointSettings,
    target: Target,
    partial: Path,
    progress: Progress,
    aborted: Callable[[], bool],
    application: str,
) -> _Dumped:
    with held(dsn, settings.lock_wait_seconds, settings.timeout_seconds) as snapshot:
        try:
            _same_target(snapshot, target)
            properties = read_properties(snapshot.connection, target.database)
        except psycopg.Error as error:
            raise CheckpointError(
                f"The server did not describe the database: {printable(str(error).strip())}",
                "Its own words say what is wrong; put that right and try again.",
            ) from None
        seen = _dump(dsn, tool, settings, partial, snapshot, progress, aborted, application)
        return _Dumped(
            properties=properties,
            schema=seen.schema,
            tables=seen.tables,
            database_bytes=snapshot.database_bytes,
            unpopulated_views=snapshot.unpopulated_views,
            server_version=snapshot.connection.info.parameter_status("server_version"),
        )


def _tool(target: Target) -> Tool:
    for name in ("pg_dump", "pg_restore"):
        if find_tool(name, target.major) is None:
            raise CheckpointError(
                f"No checkpoint can be made: {missing(name, target.major, tools(name))}",
                f"Install the client programs of PostgreSQL {target.major} "
                f"(postgresql-client-{target.major}).",
            )
    tool = find_tool("pg_dump", target.major)
    if tool is None:  # pragma: no cover - it was there a moment ago
        raise CheckpointError("pg_dump has disappeared", "Install it again.")
    return tool


def _same_target(snapshot: Snapshot, target: Target) -> None:
    found = ask_target(snapshot.connection)
    if found.fingerprint != target.fingerprint:
        raise CheckpointError(
            f"The connection leads to {printable(found.database)} ({found.fingerprint}), "
            f"not to {printable(target.database)} ({target.fingerprint})",
            "Check the connection: a failover, another port or another database.",
        )


def _dump(
    dsn: str,
    tool: Tool,
    settings: CheckpointSettings,
    partial: Path,
    snapshot: Snapshot,
    progress: Progress,
    aborted: Callable[[], bool],
    application: str,
) -> Seen:
    """Dump and read one snapshot at the same time; return what was read."""
    deadline = time.monotonic() + settings.timeout_seconds
    used = parameters_of(snapshot.connection)
    arguments = [
        *(tool.path, "--format=directory", f"--file={partial / mf.DUMP}"),
        *(f"--jobs={settings.jobs}", "--compress=1", "--no-sync", "--no-password", "--verbose"),
        f"--lock-wait-timeout={round(settings.lock_wait_seconds * 1000)}",
        f"--snapshot={snapshot.identifier}",
        *snapshot.left_out,
    ]
    progress("dumping", 0, len(snapshot.tables))
    with (
        child_environment(used, application=application) as environment,
        _counting(snapshot, settings.fingerprint_seconds) as counting,
    ):
        try:
            run_tool(
                arguments,
                environment=environment,
                seconds=settings.timeout_seconds,
                on_line=_table_reporter(snapshot, progress),
                aborted=aborted,
                remedies=(*no_space(partial.parent), *_REMEDIES),
                secret=used.get("password", ""),
            )
        except ToolFailed as error:
            raise _explained(error, dsn, settings) from None
        return _wait_for_counts(counting, snapshot, deadline, progress, aborted)


def _table_reporter(snapshot: Snapshot, progress: Progress) -> Callable[[str], None]:
    """Return what reads pg_dump's lines: each "dumping contents of table" is one more table."""
    total = len(snapshot.tables)
    # Names come raw: one with a line break arrives as its first line, without the last quote.
    shown = {table.name.partition("\n")[0]: table.name for table in snapshot.tables}
    done = 0

    def line_came(line: str) -> None:
        nonlocal done
        match = _TABLE.search(line)
        if match:
            name = match.group(1).removesuffix('"')
            done += 1
            known = printable(shown.get(name, name))
            progress(f"dumping {known}", min(done, total), total)

    return line_came


class _Counting:
    """Reading that goes on in its own thread."""

    def __init__(self, future: Future[Seen], stop: threading.Event) -> None:
        self.future = future
        self.stop = stop


@contextlib.contextmanager
def _counting(snapshot: Snapshot, fingerprint_seconds: float) -> Iterator[_Counting]:
    """Read schema and tables in a thread; whatever happens, it has ended with the block."""
    stop = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="count") as pool:
        future = pool.submit(snapshot.look, stop, fingerprint_seconds)
        try:
            yield _Counting(future, stop)
        finally:
            stop.set()
            while not future.done():
                # Again and again: a cancel that comes between two queries is lost.
                snapshot.cancel()
                wait([future], 0.25)


def _wait_for_counts(
    counting: _Counting,
    snapshot: Snapshot,
    deadline: float,
    progress: Progress,
    aborted: Callable[[], bool],
) -> Seen:
    """Wait for the counts; at the deadline, those that are missing stay unknown."""
    total = len(snapshot.tables)
    told = -1
    while not counting.future.done():
        if aborted():
            raise CheckpointError("The checkpoint was aborted", "Start again when you are ready.")
        if time.monotonic() > deadline:
            counting.stop.set()
            snapshot.cancel()
        if told != snapshot.counted:
            # Only what is new: each word of progress is a line of the journal.
            told = snapshot.counted
            progress("counting rows", told, total)
        wait([counting.future], 0.25)
    return counting.future.result()


def _explained(error: ToolFailed, dsn: str, settings: CheckpointSettings) -> CheckpointError:
    """Return the error for the operator; a lock in the way is named with who holds it."""
    if any(sign in error.summary for sign in _LOCKED):
        holders = lock_holders(dsn)
        who = f" Held by {'; '.join(holders)}." if holders else ""
        return CheckpointError(
            f"A lock is in the way of the dump (waited {settings.lock_wait_seconds:g} s): "
            f"{error.summary}",
            f"Wait for that session or end it, then try again.{who}",
        )
    return CheckpointError(error.summary, error.remedy)


def _with_estimates(
    counted: Sequence[mf.TableRows], tables: Sequence[TableCount]
) -> tuple[mf.TableRows, ...]:
    known: Mapping[str, int | None] = {
        table.name.replace('"', ""): table.estimate if table.exact is None else table.exact
        for table in tables
    }
    return tuple(
        msgspec.structs.replace(table, estimate=known.get(table.name.replace('"', "")))
        for table in counted
    )


def _hash_all(
    partial: Path, progress: Progress, aborted: Callable[[], bool]
) -> tuple[mf.FileEntry, ...]:
    entries: list[mf.FileEntry] = []
    paths = list(mf.walk(partial))
    told = time.monotonic()
    progress("hashing files", 0, len(paths))
    for number, path in enumerate(paths, 1):
        size, digest = mf.hash_file(path, aborted)
        name = path.relative_to(partial).as_posix()
        entries.append(mf.FileEntry(path=name, bytes=size, sha256=digest))
        if time.monotonic() - told > 1:
            told = time.monotonic()
            progress("hashing files", number, len(paths))
    return tuple(entries)
