"""Is a run's journal the one that was written? Its own chain, and what the database vouches for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

import msgspec
import psycopg

from rollback_tui.core.errors import ConnectionFailed
from rollback_tui.core.events import Record, RunStarted
from rollback_tui.core.model import Value
from rollback_tui.core.run_view import RunView, fold
from rollback_tui.core.text import printable
from rollback_tui.postgres import run_row
from rollback_tui.postgres.connect import Connection, target
from rollback_tui.run import journal

Verdict = Literal["intact", "altered", "not anchored"]
"""``not anchored``: nothing speaks against it, but nothing outside of the file speaks for it."""

_FOLDER = re.compile(r"\d{8}_\d{6}_([0-9a-f]{8})")
"""How the folder of a run is called (:func:`rollback_tui.run.folder.create`)."""


class Audit(Value, frozen=True, kw_only=True):
    """What was checked, and what that came to."""

    verdict: Verdict
    lines: int
    """Whole lines of the journal; 0 when it is altered."""
    torn_bytes: int
    """Of half a line behind them."""
    anchored: int | None
    """The line whose hash is in the database; None: there is no row, or it could not be read."""
    asked: bool
    """False: the database could not be asked whether there is one."""
    evidence: tuple[str, ...]
    """What was found, in words."""


def audit(path: Path, connecting: Callable[[], Connection]) -> Audit:
    """Check the journal at ``path`` against itself, then against the run's row in the target.

    A journal alone proves little: whoever can write the file can write all of it anew, hashes
    included. The row was written in the run's transaction, before the worst could be known, and
    holds the hash of the line that was the last one then.
    """
    with closing(_OneLine(connecting)) as line:
        return _audited(path, line.open)


def _audited(path: Path, connecting: Callable[[], Connection]) -> Audit:
    try:
        found = journal.inspect(path)
    except journal.JournalDamaged as error:
        return _audit("altered", None, None, (error.summary,))
    said = [f"{len(found.records)} lines, each with the hash of the one before it"]
    if found.torn:
        said.append(f"{found.torn} bytes of a line that is not whole: a crash left it, or it grows")
    view = fold(found.records)
    if view.started is None:
        return _audit("not anchored", found, None, (*said, "no run has begun in this journal"))
    named = _FOLDER.fullmatch(path.parent.name)
    if named is not None and not view.started.run.startswith(named[1]):
        text = f"this is the folder of run {named[1]}, and the journal of {view.started.run}"
        return _audit("altered", found, None, (*said, text))
    try:
        head, why = _anchor(connecting(), view.started, view)
    except (ConnectionFailed, psycopg.Error) as error:
        why = f"the database could not be asked: {' '.join(str(error).split())}"
        return _audit("not anchored", found, None, (*said, why), asked=False)
    if head is None:
        return _audit("not anchored", found, None, (*said, why))
    return _compared(found, head, said)


def audits(
    paths: Iterable[Path], connecting: Callable[[], Connection]
) -> Iterator[tuple[Path, Audit]]:
    """Check many journals as :func:`audit` does, over one connection; where there is none, it is
    tried once and not again for each."""
    with closing(_OneLine(connecting)) as line:
        for path in paths:
            yield path, _audited(path, line.open)


def audit_heads(folders: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Yield of each run in ``folders`` its id and ``<seq>:<sha256>`` of the audit log's last line
    when it began. Only where the journal's second line vouches for its first."""
    for folder in folders:
        try:
            with (folder / journal.FILE_NAME).open("rb") as file:
                lines = (file.readline(), file.readline())
            first, second = (msgspec.json.decode(line, type=Record) for line in lines)
        except (OSError, msgspec.MsgspecError):
            continue
        if second.prev != hashlib.sha256(lines[0]).hexdigest():
            continue
        if isinstance(first.event, RunStarted) and first.event.audit_head:
            yield first.event.run, first.event.audit_head


class _OneLine:
    """One connection, opened when it is needed; its failure is remembered."""

    def __init__(self, connecting: Callable[[], Connection]) -> None:
        self._connecting = connecting
        self._connection: Connection | None = None
        self._failure: ConnectionFailed | None = None

    def open(self) -> Connection:
        """Return the connection. Raises ConnectionFailed."""
        if self._failure is not None:
            raise self._failure
        if self._connection is None or self._connection.closed:
            try:
                self._connection = self._connecting()
            except ConnectionFailed as error:
                self._failure = error
                raise
        return self._connection

    def close(self) -> None:
        """Close what was opened."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()


def _anchor(connection: Connection, begun: RunStarted, view: RunView) -> tuple[str | None, str]:
    """Return the head that the run's row holds, or why there is none. It is looked for whatever the
    journal says of itself: a forged one would say that there can be none. Raises psycopg.Error."""
    unread: psycopg.Error | None = None
    try:
        head = run_row.head(connection, begun.run)
        if head is not None:
            return head, ""
    except psycopg.Error as error:
        # Somebody else's table may have its name: then the journal says so too.
        unread = error
    here = target(connection)
    if here.fingerprint != begun.target.fingerprint:
        replaced = ", which a recovery has replaced" if view.swapped else ""
        return None, (
            f"the connection leads to {here.database} ({here.fingerprint}), the run was on "
            f"{begun.target.database} ({begun.target.fingerprint}){replaced}"
        )
    if view.judge is not None and view.judge.judge == "version table":
        return None, f"the run could not write its row: {view.judge.why or 'so configured'}"
    if unread is not None:
        raise unread
    if view.committed:
        return None, (
            f"the run was committed, but its row is not in {run_row.TABLE}:"
            " the schema was removed since, or the database is another one"
        )
    return None, f"nothing was committed, so there is no row in {run_row.TABLE}"


def _compared(found: journal.Inspection, head: str, said: list[str]) -> Audit:
    number, _, _ = head.partition(":")
    seq = int(number) if number.isdecimal() else 0
    here = found.head(seq)
    if here is None:
        text = f"the run's row holds the hash of line {number}, which is not there"
        return _audit("altered", found, None, (*said, text))
    if here != head:
        text = f"line {seq} is not the one whose hash is in the run's row"
        return _audit("altered", found, seq, (*said, text, f"row {head}", f"journal {here}"))
    total = len(found.records)
    said.append(f"the run's row in {run_row.TABLE} vouches for lines 1 to {seq}")
    if total > seq:
        said.append(f"lines {seq + 1} to {total} came after it: only their chain speaks for them")
        said.append(f"line {total} is the last: no later one holds its hash")
    return _audit("intact", found, seq, said)


def _audit(
    verdict: Verdict,
    found: journal.Inspection | None,
    anchored: int | None,
    evidence: tuple[str, ...] | list[str],
    *,
    asked: bool = True,
) -> Audit:
    return Audit(
        verdict=verdict,
        lines=len(found.records) if found else 0,
        torn_bytes=found.torn if found else 0,
        anchored=anchored,
        asked=asked,
        evidence=tuple(printable(text) for text in evidence),
    )
