"""Liquibase: changelogs found, scripts printed by its own program."""
