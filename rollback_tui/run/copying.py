"""A checkpoint on another machine: the configured command or URL, called for each that is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from rollback_tui.config import CheckpointSettings
from rollback_tui.core.events import HookRan
from rollback_tui.core.model import Checkpoint
from rollback_tui.run import hooks

HOOK = "checkpoint copy"
"""Its name in the journal."""

COPIED = "copied off this host"
NOT_COPIED = "only on this host: the copy failed"


def copy(
    settings: CheckpointSettings,
    made: Checkpoint,
    *,
    facts: Mapping[str, str],
    project: Path,
    aborted: Callable[[], bool] = lambda: False,
) -> HookRan | None:
    """Have a finished checkpoint copied and return how that went; None: nothing is configured.

    The hook is told where it is, its name, and the SHA-256 of its manifest, by which the copy can
    be verified: that file has the sums of all others.
    """
    if not settings.copy.configured:
        return None
    path = Path(made.path).absolute()
    about = {
        "checkpoint_path": str(path),
        "checkpoint_name": path.name,
        "manifest_sha256": made.manifest_sha256,
    }
    return hooks.call(
        settings.copy,
        HOOK,
        on=True,
        facts={**facts, **about},
        dsn="",
        project=project,
        aborted=aborted,
    )
