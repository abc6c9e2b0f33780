"""Flyway: undo files, its history and its settings."""
