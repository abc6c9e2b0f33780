"""Configuration files of the tools themselves, in the project: read, and never needed.

What cannot be read says nothing: the tool's defaults then count, and the operator can name
directory and table.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from rollback_tui.core.errors import FrameworkError
from rollback_tui.frameworks import files as migration_files


def toml_settings(project: Path, name: str) -> Mapping[str, object]:
    """Return the TOML file ``name`` of ``project``; empty when there is none that can be read."""
    try:
        return tomllib.loads(_text(project, name))
    except tomllib.TOMLDecodeError:
        return {}


def json_settings(project: Path, name: str) -> Mapping[str, object]:
    """Return the JSON object in the file ``name`` of ``project``, as :func:`toml_settings`."""
    try:
        found = json.loads(_text(project, name) or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}


def text_at(settings: Mapping[str, object], *keys: str) -> str:
    """Return the text at ``keys``, one below the other; empty when there is none."""
    value: object = settings
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""


def _text(project: Path, name: str) -> str:
    try:
        return migration_files.read(project, name).decode(errors="replace")
    except (FileNotFoundError, FrameworkError):
        return ""
