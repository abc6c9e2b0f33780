"""The schema verdict in words: what was found, whose doing it is, and what it was compared with."""

from __future__ import annotations

from rollback_tui.core.report.words import some
from rollback_tui.core.schema_verdict import SchemaVerdict

KINDS = {
    "identical": "identical",
    "equivalent": "equivalent",
    "leftover": "left over",
    "drift": "drift",
    "unknown": "unknown",
}


def baseline(found: SchemaVerdict) -> str:
    """Return what the schema was compared with: ``the recorded baseline of 20231204160000``."""
    if found.origin == "none":
        return "no baseline"
    return f"the {found.origin} baseline of {found.version or 'no migration'}"


def in_words(found: SchemaVerdict) -> str:
    """Return a verdict as one line. Not yet printable."""
    compared = f"{some(found.objects, 'object')} compared with {baseline(found)}"
    match found.kind:
        case "unknown":
            return "unknown: there is no baseline to compare with"
        case "identical":
            return f"identical: {compared}"
        case "equivalent":
            return f"equivalent: {compared}, {some(len(found.notes), 'note')}"
        case "leftover":
            drifted = f", {some(len(found.drift), 'object')} drifted" if found.drift else ""
            unsure = "; some of it may have been different before" if found.unsure else ""
            return f"{some(len(found.leftover), 'object')} left over{drifted}: {compared}{unsure}"
        case "drift":
            return (
                f"{some(len(found.drift), 'object')} drifted, which is not this run's doing: "
                f"{compared}"
            )
