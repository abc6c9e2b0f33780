"""The incident report: what is known of a run and of the hours after it, as one value that is the
same for the same facts, and that value as Markdown, as a page of HTML and as JSON.

Nothing in it is remembered: it is derived each time, from the journal and from the lines that the
time after the run left in the run's folder.
"""

from __future__ import annotations

from rollback_tui.core.incident.build import build
from rollback_tui.core.incident.html import incident_html
from rollback_tui.core.incident.markdown import incident_markdown
from rollback_tui.core.incident.plain_values import incident_json
from rollback_tui.core.incident.values import Incident

__all__ = ["Incident", "build", "incident_html", "incident_json", "incident_markdown"]
