"""The runs of a project as flat records: their journals, and what was kept of the time after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from rollback_tui.aftercare.ledger import Ledger, LedgerDamaged
from rollback_tui.core.follow_ups import FILE_NAME as FOLLOW_UPS
from rollback_tui.core.follow_ups import Ticked
from rollback_tui.core.history.filters import Filters
from rollback_tui.core.history.metadata import RunMetadata, damaged, metadata
from rollback_tui.core.monitoring import values as monitoring
from rollback_tui.core.monitoring.fold import fold as fold_monitoring
from rollback_tui.run.feed import Past, chosen

_SAMPLE = b'{"kind":"sampled"'
"""How almost all lines of a monitoring begin: a megabyte a run, and not needed here."""

_line: msgspec.json.Decoder[monitoring.Line] = msgspec.json.Decoder(monitoring.Line)


def past_runs(directory: Path, filters: Filters) -> Iterator[RunMetadata]:
    """Yield the record of each run below ``directory`` that is meant, newest first. Raises
    ConfigurationError."""
    return map(record, chosen(directory, filters))


def record(past: Past) -> RunMetadata:
    """Return the record of one run. What was kept of the time after and cannot be read is not
    known."""
    if not past.records:
        return damaged(past.summary)
    try:
        ticks = Ledger(past.folder / FOLLOW_UPS, Ticked).read()
    except LedgerDamaged:
        ticks = None
    found = metadata(
        past.summary,
        past.records,
        view=past.view,
        monitoring=_monitoring(past.folder),
        ticks=ticks or (),
    )
    if ticks is None:
        found = msgspec.structs.replace(found, follow_ups_open=None, follow_ups_done=None)
    return found


def _monitoring(folder: Path) -> monitoring.MonitorView | None:
    """Return the monitoring of a run without its samples; None: there was none, or nobody can
    say."""
    try:
        lines = (folder / monitoring.FILE_NAME).read_bytes().split(b"\n")[:-1]
        return fold_monitoring(_line.decode(one) for one in lines if not one.startswith(_SAMPLE))
    except (OSError, msgspec.MsgspecError):
        return None
