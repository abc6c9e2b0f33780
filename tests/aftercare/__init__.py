"""Tests of what comes after a run: people told, the monitoring, the incident report."""
