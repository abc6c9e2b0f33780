"""The report as plain JSON values. Its shape is stable: docs/json.md names every field."""

from __future__ import annotations

from typing import Any

import msgspec

from rollback_tui.core.incident.values import Incident


def incident_json(incident: Incident) -> dict[str, Any]:
    """Return every fact of the report. Unknown is null, never zero."""
    plain: dict[str, Any] = msgspec.to_builtins(incident)
    if incident.target is not None:
        plain["target"]["fingerprint"] = incident.target.fingerprint
    return plain
