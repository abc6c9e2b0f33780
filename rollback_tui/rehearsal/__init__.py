"""The plan executed on a scratch database, to turn forecasts into measurements."""

from rollback_tui.rehearsal.course import rehearse

__all__ = ["rehearse"]
