"""Which checkpoints runs still need, and the tidying up after a run that went well."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from rollback_tui.checkpoint import prune, retention
from rollback_tui.checkpoint.facts import checkpoint_directory
from rollback_tui.checkpoint.listing import list_checkpoints
from rollback_tui.core import events as ev
from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.core.model import Outcome
from rollback_tui.run import folder as run_folder
from rollback_tui.run import journal
from rollback_tui.run.context import Run, summary_of

_TAIL = 65536


def needed(directory: Path) -> dict[str, str]:
    """Return the checkpoints, by path, of all runs below ``directory`` without an outcome, and of
    those that need the operator, with the reason; of a recovery those of the run that it undoes.
    Raises ConfigurationError."""
    found: dict[str, str] = {}
    for folder in run_folder.folders(directory):
        outcome = _outcome(folder)
        if outcome not in (None, "needs_operator"):
            continue
        why = "has no outcome yet" if outcome is None else "needs the operator"
        recovers = _recovers(folder)
        for path in (*_made(folder), *(_made(Path(recovers)) if recovers else ())):
            found[os.path.realpath(path)] = f"run {folder.name[-8:]} {why}"
    return found


def in_need(directory: Path) -> frozenset[str]:
    """Return the first eight characters of the runs below ``directory`` that need the operator and
    were not undone since: what they left beside is a way back. Raises ConfigurationError."""
    folders = run_folder.folders(directory)
    undone = {
        os.path.realpath(_recovers(folder) or folder)
        for folder in folders
        if _outcome(folder) == "recovered"
    }
    return frozenset(
        folder.name[-8:]
        for folder in folders
        if _outcome(folder) == "needs_operator" and os.path.realpath(folder) not in undone
    )


def _recovers(folder: Path) -> str:
    """The folder of the run that the one in ``folder`` undoes; empty: none."""
    try:
        with (folder / journal.FILE_NAME).open("rb") as file:
            event = msgspec.json.decode(file.readline(), type=ev.Record).event
    except (OSError, msgspec.MsgspecError):
        return ""
    return event.recovers if isinstance(event, ev.RunStarted) else ""


def _made(folder: Path) -> Iterator[str]:
    """The checkpoints that the journal names, also in one that is damaged elsewhere."""
    try:
        lines = (folder / journal.FILE_NAME).read_bytes().split(b"\n")
    except OSError:
        return
    for line in lines:
        if b'"checkpoint_made"' in line:
            with contextlib.suppress(msgspec.MsgspecError):
                event = msgspec.json.decode(line, type=ev.Record).event
                if isinstance(event, ev.CheckpointMade):
                    yield event.checkpoint.path


def _outcome(folder: Path) -> Outcome | None:
    """The outcome, told by the last line without reading all of them."""
    try:
        with (folder / journal.FILE_NAME).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
        event = msgspec.json.decode(last, type=ev.Record).event
    except (OSError, msgspec.MsgspecError):
        return None
    return event.outcome if isinstance(event, ev.RunFinished) else None


def tidy(run: Run) -> None:
    """Remove the dumps that ``[checkpoint] keep`` and ``keep_days`` no longer keep, each journaled.
    Never raises: it comes after everything that matters."""
    rule = retention.rule(run.settings.checkpoint)
    if not rule.any:
        return
    try:
        directory = checkpoint_directory(run.settings.checkpoint, run.project)
        kept = needed(run.folder.parent)
        made = run.view.checkpoint
        if made is not None:
            kept[os.path.realpath(made.path)] = "of this run"
        # A directory may be shared: how long the dumps of other databases are kept is not ours.
        ours = [
            one
            for one in list_checkpoints(directory)
            if one.fingerprint is not None and one.fingerprint == run.request.fingerprint
        ]
        for item in prune.dumps(ours, rule, kept):
            if not item.kept_because:
                prune.delete(Path(item.name))
                run.write(
                    ev.Progress(
                        phase="aftercare", summary=f"removed checkpoint {item.name}: {item.why}"
                    )
                )
    except (RollbackTuiError, OSError) as error:
        run.write(
            ev.Progress(phase="aftercare", summary=f"old checkpoints stay: {summary_of(error)}")
        )
