"""What the screens may ask of the time after a run, answered by the run's own files.

Everything is read from the folder of the run, so that it is the same for the run just done and for
one of last month; only to start the process again that looks after it needs a connection.
"""

from __future__ import annotations

import contextlib
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rollback_tui.core.errors import RollbackTuiError
from rollback_tui.ui.aftercare import IncidentFiles, LookedAfter, Watched

# As in cli/session.py: what is imported here is on the way to the first screen.
if TYPE_CHECKING:
    from rollback_tui.aftercare.watch import Watching
    from rollback_tui.cli.options import Common
    from rollback_tui.core.follow_ups import FollowUp
    from rollback_tui.core.monitoring.values import Ended
    from rollback_tui.core.notices import Post
    from rollback_tui.core.run_view import RunView

_TAIL = 64 * 1024
"""Bytes at the end of a journal, in which its last line is."""

KEPT = 4
"""Runs whose monitoring is followed at once: the one shown, one chosen, the newest, one more."""


class After:
    """See ``rollback_tui.ui.aftercare.Aftercare``. Called from several threads."""

    def __init__(self, given: Common) -> None:
        self._given = given
        self._following: dict[Path, Watching] = {}
        self._turn = threading.Lock()

    def watched(self, folder: Path) -> Watched:
        """Return the monitoring of the run. Raises LedgerDamaged, JournalDamaged."""
        from rollback_tui.aftercare.attendant import presence

        with self._turn:
            view = self._watching(folder).poll()
        attended = presence.is_attended(folder)
        expected = presence.expected(folder, datetime.now(UTC))
        why_not = ""
        if view.begun is None:
            # Somebody may look after a run without ever watching it.
            why_not = _never(folder, view.ended)
            why_not = why_not or ("" if attended or expected else self._why_not(folder))
        return Watched(view=view, attended=attended, expected=expected, why_not=why_not)

    def _watching(self, folder: Path) -> Watching:
        from rollback_tui.aftercare.watch import Watching

        found = self._following.pop(folder, None) or Watching(folder)
        self._following[folder] = found
        while len(self._following) > KEPT:
            del self._following[next(iter(self._following))]
        return found

    def _why_not(self, folder: Path) -> str:
        """Return why nothing watches this run, and nothing will."""
        from rollback_tui.aftercare.charge import SWITCH, switched_off

        view = view_of(folder)
        if view.finished is None:
            return "the run has no outcome yet"
        if switched_off():
            return f"{SWITCH} is off here"
        if self._given.settings.monitor.seconds <= 0:
            return "[monitor] seconds is 0 in rollback.toml"
        return "nothing was started to watch it"

    def stop(self, folder: Path, reason: str) -> None:
        """End the monitoring early, as the person at this terminal."""
        from rollback_tui.aftercare.attendant import presence
        from rollback_tui.cli import attending, noted

        presence.ask_to_stop(folder, _operator(), reason)
        noted.note(self._given, "monitoring stopped", reason, run=_run(folder))
        with contextlib.suppress(RollbackTuiError, OSError):
            # Where it was killed, somebody has to be there to end it in order.
            attending.resume(self._given, (folder,))

    def resume(self, folder: Path) -> None:
        """Start the process again that looks after the run. Raises RollbackTuiError, also where
        this terminal is connected to another database than the run was."""
        from rollback_tui.cli import attending

        try:
            begun = attending.resume(self._given, (folder,))
        except OSError as error:
            raise RollbackTuiError(
                f"nothing can be started here: {error.strerror}", "Look at the run's folder."
            ) from None
        if not begun:
            started = view_of(folder).started
            where = f"{started.target.database} on {started.target.host}" if started else "?"
            raise RollbackTuiError(
                f"the run was on {where}, and this terminal is not",
                "Start rollback-tui with the connection and the configuration of the run.",
            )

    def pick_up(self) -> tuple[Path, ...]:
        """Start again what looks after the runs of this database that nobody looks after, though
        somebody should; return those of which it was started. What cannot be is left alone."""
        from rollback_tui.cli import attending

        with contextlib.suppress(RollbackTuiError, OSError):
            return attending.resume(self._given)
        return ()

    def newest(self) -> LookedAfter | None:
        """Return the newest run of this project that is still looked after, or should be."""
        from rollback_tui.run.folder import folders

        for folder in folders(self._given.run_directory())[:KEPT]:
            with contextlib.suppress(RollbackTuiError):
                found = self.watched(folder)
                if found.expected or found.attended:
                    return LookedAfter(folder=folder, watched=found)
        return None

    def post(self, folder: Path) -> Post:
        """Return who was told what, and what is still to be sent. Raises LedgerDamaged."""
        from rollback_tui.aftercare.outbox import read_post

        return read_post(folder)

    def follow_ups(self, folder: Path) -> tuple[FollowUp, ...]:
        """Return the checklist."""
        from rollback_tui.aftercare import checklist

        return checklist.follow_ups(folder)

    def tick(self, folder: Path, key: str, *, done: bool, note: str = "") -> tuple[FollowUp, ...]:
        """Tick one, or take the tick back, as the person at this terminal."""
        from rollback_tui.aftercare import checklist

        return checklist.tick(folder, key, done=done, by=_operator(), note=note)

    def incident(self, folder: Path) -> str:
        """Return the incident report as Markdown, as it is now."""
        from rollback_tui.aftercare import incident_files
        from rollback_tui.core.incident import incident_markdown

        return incident_markdown(incident_files.incident(folder))

    def incident_files(self, folder: Path) -> IncidentFiles:
        """Write the incident report as it is now, and return where."""
        from rollback_tui.aftercare import incident_files

        written = incident_files.write(folder)
        return IncidentFiles(markdown=written.markdown, html=written.html, json=written.json)


def _never(folder: Path, ended: Ended | None) -> str:
    """Return why the run will not be watched, whoever looks after it; empty where that is not
    known. Asked each second: only the end of the journal is read."""
    import msgspec

    from rollback_tui.core.events import Record, RunFinished
    from rollback_tui.core.incident.after import ended as in_words
    from rollback_tui.run import journal

    if ended is not None:
        return in_words(ended)
    try:
        with (folder / journal.FILE_NAME).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
        event = msgspec.json.decode(last, type=Record).event
    except (OSError, msgspec.MsgspecError):
        return ""
    if isinstance(event, RunFinished) and event.outcome == "refused":
        return "the run was refused, and nothing was touched"
    return ""


def view_of(folder: Path) -> RunView:
    """Return what the journal of a run says. Raises JournalDamaged."""
    from rollback_tui.core.run_view import fold
    from rollback_tui.run import journal

    return fold(journal.read(folder / journal.FILE_NAME))


def _operator() -> str:
    """Return who is at this terminal, and from where."""
    from rollback_tui.core.claim import who
    from rollback_tui.run.request import operator

    return who(operator())


def _run(folder: Path) -> str:
    """Return the id of the run, as its folder's name has it."""
    return folder.name[16:]
