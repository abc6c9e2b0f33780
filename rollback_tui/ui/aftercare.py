"""What the screens may ask of the time after a run: its monitoring, who was told, the incident
report and the follow-ups. The composition root hands in the one implementation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from rollback_tui.core.follow_ups import FollowUp
    from rollback_tui.core.monitoring.values import MonitorView
    from rollback_tui.core.notices import Post


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """The monitoring of a run as it is now."""

    view: MonitorView
    attended: bool
    """A process looks after the run now."""
    expected: bool
    """One should: its time is not over, or something is still to be sent."""
    why_not: str = ""
    """Why nothing is monitored at all: switched off, the run is not over, it touched nothing …"""


class LookedAfter(msgspec.Struct, frozen=True, kw_only=True):
    """A run of this project that is still looked after, or should be."""

    folder: Path
    watched: Watched


class IncidentFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Where the incident report is."""

    markdown: Path
    html: Path
    json: Path


class Aftercare(Protocol):
    """Every method may block for a moment, may raise RollbackTuiError, and is called from a
    thread. ``folder`` is that of a run."""

    def watched(self, folder: Path) -> Watched:
        """Return the monitoring of the run; cheap when nothing is new."""

    def stop(self, folder: Path, reason: str) -> None:
        """End the monitoring early. What was queued is still sent."""

    def resume(self, folder: Path) -> None:
        """Start the process again that looks after the run, where it was killed."""

    def pick_up(self) -> tuple[Path, ...]:
        """Start the processes again that look after runs of this database, where they were killed;
        return the folders of these runs."""

    def newest(self) -> LookedAfter | None:
        """Return the newest run of this project that is still looked after, or should be; None
        where there is none."""

    def post(self, folder: Path) -> Post:
        """Return who was told what, and what is still to be sent."""

    def follow_ups(self, folder: Path) -> tuple[FollowUp, ...]:
        """Return the checklist."""

    def tick(self, folder: Path, key: str, *, done: bool, note: str = "") -> tuple[FollowUp, ...]:
        """Tick one, or take the tick back; it is kept with who did it. Returns the checklist."""

    def incident(self, folder: Path) -> str:
        """Return the incident report as Markdown, as it is now."""

    def incident_files(self, folder: Path) -> IncidentFiles:
        """Write the incident report as it is now, and return where."""
