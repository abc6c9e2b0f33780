"""The baseline: the schema that a version is supposed to have, recorded when it was current."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from rollback_tui.checkpoint.storage import make_directory, write_whole
from rollback_tui.core.errors import ConfigurationError
from rollback_tui.core.model import Value
from rollback_tui.core.schema import SchemaSnapshot
from rollback_tui.core.text import inert_json


class Baseline(Value, frozen=True, kw_only=True):
    """One recorded schema."""

    version: str
    """The newest applied version when it was recorded; empty: none was applied."""
    server_version: int
    snapshot: SchemaSnapshot


def path_of(directory: Path, version: str) -> Path:
    """Return where the baseline of ``version`` is kept; any version makes a safe file name."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", version) or "empty"
    return directory / f"{safe}.json"


def save(directory: Path, baseline: Baseline) -> Path:
    """Keep a baseline; an older one of the same version is replaced. Raises ConfigurationError."""
    path = path_of(directory, baseline.version)
    try:
        make_directory(directory)
        written = msgspec.json.format(msgspec.json.encode(baseline), indent=1)
        write_whole(path, inert_json(written))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}",
            "Set [verify] baseline_directory to a directory you may write to.",
        ) from None
    return path


def load(directory: Path, version: str) -> Baseline | None:
    """Return the baseline of ``version``; None when none was recorded.

    Raises ConfigurationError when there is one that cannot be read: that is not the same.
    """
    path = path_of(directory, version)
    try:
        baseline = msgspec.json.decode(path.read_bytes(), type=Baseline)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(
            f"the baseline {path} cannot be read: {error}",
            "Remove it, or record it again with `rollback-tui baseline record`.",
        ) from None
    if baseline.version != version:
        raise ConfigurationError(
            f"{path} is the baseline of version {baseline.version}, not of {version}",
            "Record it again with `rollback-tui baseline record`.",
        )
    return baseline
