"""The audit log of a project: ``decisions.jsonl`` beside its runs. It holds what people decided
outside of a run's journal, each line chained to the one before it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from rollback_tui.aftercare.unheard import tell
from rollback_tui.checkpoint.storage import make_directory, sync
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.history.asker import stated
from rollback_tui.core.history.decisions import FILE_NAME as FILE_NAME
from rollback_tui.core.history.decisions import Decision, Fact, decoded, digest, encoded
from rollback_tui.core.report.words import some
from rollback_tui.core.text import printable, shorten
from rollback_tui.core.value import Value
from rollback_tui.run.request import operator

_LOCK_SECONDS = 1.0
"""A line is written within a millisecond. A writer that was stopped in the middle of one is no
reason to keep anybody waiting at night."""
_LONGEST = 2000
_WHAT = 60

_said: set[Path] = set()
"""Logs of which this process has said already that they cannot be written."""


class DecisionsDamaged(RollbackTuiError):
    """A line of the audit log is not what was written, or it cannot be read."""


Verdict = Literal["intact", "altered", "not anchored", "empty"]
"""``not anchored``: each line follows the one before it, but nothing outside of the file speaks for
it. ``empty``: there is no such file, and nothing says that there ever was one."""


class LogCheck(Value, frozen=True, kw_only=True):
    """What was checked of the audit log, and what that came to."""

    verdict: Verdict
    lines: int
    """Whole lines; 0 when it is altered."""
    torn_bytes: int
    """Of half a line behind them."""
    anchored: int | None
    """The last line whose hash the journal of a run holds; None: no journal does."""
    evidence: tuple[str, ...]
    """What was found, in words."""


def note(
    directory: Path,
    what: str,
    detail: str = "",
    *,
    run: str = "",
    **facts: Fact,
) -> str:
    """Keep in the audit log below ``directory`` (``[run] directory``) that somebody decided
    something; it is on disk when this returns.

    Returns ``<seq>:<sha256>`` of the line. Never raises: a log that cannot be written stops nothing
    that has to be done at night. It is said once a process (on standard error, or when the screens
    are gone), and empty is returned.
    """
    try:
        return _append(directory, what, detail, run, facts)
    except (OSError, ValueError, TypeError, RollbackTuiError) as error:
        path = directory / FILE_NAME
        if path not in _said:
            _said.add(path)
            why = getattr(error, "strerror", None) or " ".join(str(error).split())
            tell(printable(f"the audit log {path} cannot be written: {why}. The work goes on."))
        return ""


def _append(directory: Path, what: str, detail: str, run: str, facts: dict[str, Fact]) -> str:
    make_directory(directory)
    with _opened(directory / FILE_NAME) as file:
        last, count = _last(file)
        here = operator()
        made = Decision(
            seq=count + 1,
            at=datetime.now(UTC),
            prev=digest(last) if last else "",
            what=shorten(what, _WHAT),
            detail=printable(detail)[:_LONGEST],
            run=printable(run)[:_WHAT],
            uid=here.uid,
            stated=stated(here),
            tty=_terminal(),
            pid=os.getpid(),
            facts={name: _fact(value) for name, value in facts.items()},
        )
        line = encoded(made)
        start = os.lseek(file, 0, os.SEEK_END)
        try:
            view = memoryview(line)
            while view:
                view = view[os.write(file, view) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(file, start)
            raise
        os.fsync(file)
        if not count:
            sync(directory)
    return f"{made.seq}:{digest(line)}"


def _fact(value: Fact) -> Fact:
    if isinstance(value, str):
        return printable(value)[:_LONGEST]
    if isinstance(value, tuple):
        return tuple(printable(one)[:_LONGEST] for one in value)
    return value


def _terminal() -> str:
    for stream in (0, 1, 2):
        with contextlib.suppress(OSError):
            return printable(os.ttyname(stream))
    return ""


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The file, ours alone, cut off behind its last whole line. Raises OSError."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
        yield file
    finally:
        os.close(file)


_BLOCK = 65536


def _last(file: int) -> tuple[bytes, int]:
    """Return the last whole line and its number, and cut off what is behind it. Raises OSError."""
    size = os.lseek(file, 0, os.SEEK_END)
    start, data = size, b""
    while start > 0 and data.count(b"\n") < 2:
        begin = max(0, start - _BLOCK)
        data = os.pread(file, start - begin, begin) + data
        start = begin
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.ftruncate(file, start + whole)
    if not whole:
        return b"", 0
    line = data[data.rfind(b"\n", 0, whole - 1) + 1 : whole]
    try:
        return line, decoded(line).seq
    except msgspec.MsgspecError:
        # Somebody altered it. What is decided now is kept all the same; `history verify` says it.
        return line, _newlines(file)


def _newlines(file: int) -> int:
    os.lseek(file, 0, os.SEEK_SET)
    count = 0
    while part := os.read(file, _BLOCK):
        count += part.count(b"\n")
    return count


def read(directory: Path) -> tuple[Decision, ...]:
    """Return all decisions of the log below ``directory``, oldest first; none where there is no
    log. Raises DecisionsDamaged when a line was altered or removed, or it cannot be read."""
    return tuple(decision for decision, _ in _chain(directory / FILE_NAME)[0])


def _chain(path: Path) -> tuple[list[tuple[Decision, str]], int]:
    """Return each decision with the hash of its line, and the bytes of half a line behind them.
    Raises DecisionsDamaged."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise DecisionsDamaged(
            f"{path} cannot be read: {error.strerror}", "It belongs to whoever made it."
        ) from None
    remedy = "Do not trust this log; the runs' journals are files of their own."
    found: list[tuple[Decision, str]] = []
    prev = ""
    for number, text in enumerate(data.split(b"\n")[:-1], 1):
        line = text + b"\n"
        try:
            decision = decoded(line)
        except msgspec.MsgspecError:
            raise DecisionsDamaged(f"{path}: line {number} is damaged", remedy) from None
        if (decision.seq, decision.prev) != (number, prev):
            raise DecisionsDamaged(
                f"{path}: line {number} does not follow the line before it", remedy
            )
        prev = digest(line)
        found.append((decision, prev))
    return found, len(data) - data.rfind(b"\n") - 1


def verify(directory: Path, heads: Iterator[tuple[str, str]] | None = None) -> LogCheck:
    """Check the log below ``directory`` against itself, and against ``heads``: of runs, the id and
    ``<seq>:<sha256>`` of the log's last line that the run's journal holds."""
    vouching = [(run, head) for run, head in heads or () if head]
    path = directory / FILE_NAME
    try:
        lines, torn = _chain(path)
    except DecisionsDamaged as error:
        return _check("altered", evidence=[error.summary])
    if not lines and not path.exists():
        if not vouching:
            return _check("empty", evidence=["nothing was ever kept in it"])
        run, head = vouching[0]
        text = (
            f"the journal of run {run[:8]} names its line {head.partition(':')[0]}, and it is gone"
        )
        return _check("altered", evidence=[text])
    said = [f"{some(len(lines), 'line')}, each with the hash of the one before it"]
    if torn:
        said.append(f"{torn} bytes of a line that is not whole: a crash left it, or it grows")
    last = 0
    for run, head in vouching:
        number, _, expected = head.partition(":")
        seq = int(number) if number.isdecimal() else 0
        if not 0 < seq <= len(lines) or lines[seq - 1][1] != expected:
            gone = "is not there" if not 0 < seq <= len(lines) else "is another one"
            text = f"line {number}, whose hash the journal of run {run[:8]} holds, {gone}"
            return _check("altered", torn=torn, evidence=[*said, text])
        last = max(last, seq)
    if not last:
        said.append("no run's journal holds the hash of a line: only its own chain speaks for it")
        return _check("not anchored", lines=len(lines), torn=torn, evidence=said)
    said.append(f"the journals of the runs vouch for lines 1 to {last}")
    if len(lines) > last:
        said.append(f"lines {last + 1} to {len(lines)} came after it: only their chain speaks")
    return _check("intact", lines=len(lines), torn=torn, anchored=last, evidence=said)


def _check(
    verdict: Verdict,
    *,
    lines: int = 0,
    torn: int = 0,
    anchored: int | None = None,
    evidence: list[str],
) -> LogCheck:
    return LogCheck(
        verdict=verdict,
        lines=lines,
        torn_bytes=torn,
        anchored=anchored,
        evidence=tuple(printable(text) for text in evidence),
    )
