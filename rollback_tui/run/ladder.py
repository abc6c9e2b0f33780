"""The rungs by which a run could be undone, as they stand now."""

from __future__ import annotations

from pathlib import Path

from rollback_tui.config import Settings
from rollback_tui.core.recovery import RecoveryOption


def recovery_options(
    dsn: str, settings: Settings, project: Path, folder: Path
) -> tuple[RecoveryOption, ...]:
    """Return them, best first, with what each would lose. Raises RollbackTuiError."""
    raise NotImplementedError((dsn, settings, project, folder))
