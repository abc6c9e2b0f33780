"""The report of a run: Markdown for people, JSON for programs, and lines for the log."""

from __future__ import annotations

from rollback_tui.core.report.data import report_json
from rollback_tui.core.report.document import report_markdown
from rollback_tui.core.report.log import log_line

__all__ = ["log_line", "report_json", "report_markdown"]
