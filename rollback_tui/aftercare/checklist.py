"""The checklist of a run: what is left to be done, and who has done what of it.

The list is derived from the run's journal and its monitoring; the ticks are lines of
``follow_ups.jsonl`` in its folder, and of the project's audit log.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rollback_tui.aftercare import decisions, incident_files
from rollback_tui.aftercare.ledger import Ledger
from rollback_tui.core.errors import ConfigurationError, RollbackTuiError
from rollback_tui.core.follow_ups import FILE_NAME, FollowUp, Ticked
from rollback_tui.core.text import printable, shorten

_NOTE = 500
"""Terminal cells that are kept of a note."""


def follow_ups(folder: Path) -> tuple[FollowUp, ...]:
    """Return the checklist of the run in ``folder``, ticked as far as it is done. Raises
    JournalDamaged, LedgerDamaged."""
    return incident_files.checklist(folder)


def tick(folder: Path, key: str, *, done: bool, by: str, note: str = "") -> tuple[FollowUp, ...]:
    """Tick one thing off, or take the tick back, and return the checklist. It is on disk when this
    returns, and the files of the incident report are written anew.

    ``by``: who does it, from where. What is already so, without a note, changes nothing: the one
    who did it first stays. Raises ConfigurationError for a key that is not in the list, and
    RollbackTuiError where it cannot be kept; JournalDamaged, LedgerDamaged.
    """
    before = {item.key: item for item in follow_ups(folder)}
    item = before.get(key)
    if item is None:
        keys = ", ".join(before) or "it is empty"
        raise ConfigurationError(
            f"{key} is not in the checklist of this run",
            f"`rollback-tui incident follow-ups` lists it: {keys}.",
        )
    if item.done == done and not note:
        return tuple(before.values())
    line = Ticked(
        key=key,
        done=done,
        at=datetime.now(UTC),
        by=printable(by),
        note=shorten(note, _NOTE) if note else "",
    )
    try:
        Ledger(folder / FILE_NAME, Ticked).append(line)
    except OSError as error:
        raise RollbackTuiError(
            f"the tick cannot be kept in {folder}: {error.strerror}",
            "Runs belong to the user who made them.",
        ) from None
    if item.done == done:
        what = "follow-up noted"
    else:
        what = "follow-up done" if done else "follow-up open again"
    # That it is kept at all is what counts: the log says so itself where it cannot be written.
    decisions.note(
        folder.parent, what, item.text, run=folder.name[16:], key=key, done=done, note=line.note
    )
    incident_files.write(folder)
    return follow_ups(folder)
